//! Clients of the console, and the terminal they share.

use core::fmt::Write;

use console::ansi::{Action, Parser, Style};
use console::grid::Grid;
use console::paint::Painter;
use console::queue::Queue;
use nonos_proto::console::{self as interface, BADGE_INPUT, Console, LONGEST_TEXT, Size};
use nonos_proto::{Bytes, Caller, Lease, Refusal, Ticket};
use nonos_rt::abi::{Handle, Message};
use nonos_rt::object::Notification;
use nonos_rt::service::{Server, answer, read_lent};
use nonos_rt::syscall;

use crate::device::ps2::Ps2;
use crate::device::screen::Screen;
use crate::device::serial::Serial;
use crate::signal;

/// Most clients that wait for input at the same time.
const READERS: usize = 4;

/// Longest time that the screen shows nothing new while text streams in.
const PAINT_NS: u64 = 50_000_000;

/// Screen and serial line.
pub struct Terminal<'a> {
    grid: Grid<'a>,
    painter: Option<Painter<'a, Screen<'a>>>,
    serial: Option<Serial>,
    /// When the screen was painted last.
    painted_ns: u64,
}

impl<'a> Terminal<'a> {
    /// A terminal on what there is.
    pub fn new(
        grid: Grid<'a>,
        painter: Option<Painter<'a, Screen<'a>>>,
        serial: Option<Serial>,
    ) -> Self {
        let mut terminal = Self {
            grid,
            painter,
            serial,
            painted_ns: 0,
        };
        terminal.show(false);
        terminal
    }

    fn act(&mut self, action: Action) {
        self.grid.act(action);
        if let Some(serial) = &mut self.serial {
            let _ = write!(serial, "{action}");
        }
    }

    /// Brings everything to where it is seen. The screen can wait a moment when more follows at once.
    fn show(&mut self, more: bool) {
        if let Some(serial) = &mut self.serial {
            serial.flush();
        }
        let now_ns = syscall::clock_ns();
        if more && now_ns.saturating_sub(self.painted_ns) < PAINT_NS {
            return;
        }
        if let Some(painter) = &mut self.painter {
            painter.refresh(&mut self.grid);
        }
        self.painted_ns = now_ns;
    }
}

/// The service.
pub struct Service<'a> {
    terminal: Terminal<'a>,
    keyboard: Option<Ps2>,
    parser: Parser,
    /// Who wrote last, and whether that left a style behind.
    writer: u64,
    styled: bool,
    input: Queue,
    readers: [Option<Ticket<Bytes>>; READERS],
    watcher: Option<(Notification, u64)>,
}

impl<'a> Service<'a> {
    /// No clients yet.
    pub fn new(terminal: Terminal<'a>, keyboard: Option<Ps2>) -> Self {
        Self {
            terminal,
            keyboard,
            parser: Parser::new(),
            writer: 0,
            styled: false,
            input: Queue::new(),
            readers: [const { None }; READERS],
            watcher: None,
        }
    }

    /// Another program writes: it starts with fresh text and plain style, whatever the last one left.
    fn change_writer(&mut self, badge: u64) {
        if self.writer == badge {
            return;
        }
        self.writer = badge;
        self.parser = Parser::new();
        if core::mem::take(&mut self.styled) {
            self.terminal.act(Action::Style(Style::Reset));
        }
    }

    /// Does what a client's text says.
    fn take_text(&mut self, caller: Caller, text: &[u8], more: bool) {
        self.change_writer(caller.badge);
        let Self {
            parser,
            terminal,
            styled,
            ..
        } = self;
        for &byte in text {
            parser.feed(byte, &mut |action| {
                if let Action::Style(style) = action {
                    *styled = style != Style::Reset;
                }
                terminal.act(action);
            });
        }
        self.terminal.show(more);
    }

    /// Gives input to those who wait for it; tells the watcher about what is left.
    fn deliver(&mut self) {
        for reader in &mut self.readers {
            if self.input.is_empty() {
                return;
            }
            let Some(ticket) = reader.take() else {
                continue;
            };
            let (bytes, count) = next(&self.input);
            // A reader that ended meanwhile takes nothing.
            if answer(ticket, Ok(bytes)).is_ok() {
                self.input.take(count);
            }
        }
        if let Some((notification, bits)) = &self.watcher
            && !self.input.is_empty()
            && notification.signal(*bits).is_err()
        {
            self.watcher = None;
        }
    }
}

/// The first bytes of the input, as many as a message holds.
fn next(input: &Queue) -> (Bytes, usize) {
    let mut bytes = [0; Bytes::MOST];
    let count = input.peek(&mut bytes);
    (Bytes::prefix_of(&bytes[..count]), count)
}

/// Refuses callers that may not read input.
fn check_input(caller: Caller) -> Result<(), Refusal> {
    if caller.badge & BADGE_INPUT != 0 {
        Ok(())
    } else {
        Err(Refusal::NotGranted)
    }
}

impl Console for Service<'_> {
    fn write(&mut self, caller: Caller, text: Bytes) -> Result<(), Refusal> {
        self.take_text(caller, text.as_slice(), false);
        Ok(())
    }

    fn write_part(&mut self, caller: Caller, text: Bytes) -> Result<(), Refusal> {
        self.take_text(caller, text.as_slice(), true);
        Ok(())
    }

    fn write_long(&mut self, caller: Caller, text: Lease) -> Result<(), Refusal> {
        if text.length > LONGEST_TEXT {
            return Err(Refusal::Full);
        }
        let mut part = [0; 512];
        let mut offset = 0;
        while offset < text.length {
            let bytes = (text.length - offset).min(part.len() as u64) as usize;
            read_lent(text, offset, &mut part[..bytes])?;
            self.take_text(caller, &part[..bytes], true);
            offset += bytes as u64;
        }
        Ok(())
    }

    fn fresh_line(&mut self, caller: Caller) -> Result<(), Refusal> {
        self.change_writer(caller.badge);
        if !self.terminal.grid.at_line_start() {
            self.terminal.act(Action::NewLine);
            self.terminal.show(false);
        }
        Ok(())
    }

    fn read(&mut self, caller: Caller, ticket: Ticket<Bytes>) {
        let free = self.readers.iter_mut().find(|reader| reader.is_none());
        let refusal = match (check_input(caller), free) {
            (Err(refusal), _) => refusal,
            (Ok(()), None) => Refusal::Full,
            (Ok(()), Some(free)) => {
                *free = Some(ticket);
                self.deliver();
                return;
            }
        };
        let _ = answer(ticket, Err(refusal));
    }

    fn poll(&mut self, caller: Caller) -> Result<Bytes, Refusal> {
        check_input(caller)?;
        let (bytes, count) = next(&self.input);
        self.input.take(count);
        Ok(bytes)
    }

    fn watch(&mut self, caller: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        check_input(caller)?;
        self.watcher = Some((notification, bits));
        self.deliver();
        Ok(())
    }

    fn size(&mut self, _: Caller) -> Result<Size, Refusal> {
        let (columns, rows) = self.terminal.grid.size();
        Ok(Size {
            columns: columns as u64,
            rows: rows as u64,
        })
    }
}

impl Server for Service<'_> {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        interface::dispatch(self, caller, request)
    }

    fn signal(&mut self, bits: u64) {
        let Self {
            input,
            terminal,
            keyboard,
            ..
        } = self;
        if let Some(serial) = &mut terminal.serial
            && bits & signal::SERIAL != 0
        {
            serial.interrupted(&mut |byte| input.push(&[byte]));
        }
        if let Some(keyboard) = keyboard
            && bits & signal::KEYBOARD != 0
        {
            keyboard.receive(&mut |typed| input.push(typed));
        }
        self.deliver();
    }
}
