//! Clients of a console, and the screen they share: [`nonos_proto::console`].

use nonos_proto::console::{BADGE_INPUT, Console, LONGEST_TEXT, Size};
use nonos_proto::{Bytes, Caller, Lease, Refusal, Ticket};
use nonos_rt::abi::Handle;
use nonos_rt::object::Notification;
use nonos_rt::service::{answer, read_lent};

use crate::ansi::{Action, Parser, Style};
use crate::queue::Queue;

/// Most clients that wait for input at the same time.
const READERS: usize = 4;

/// Where text goes.
pub trait Screen {
    /// Does it.
    fn act(&mut self, action: Action);

    /// Brings everything to where it is seen. That can wait a moment when more follows at once.
    fn show(&mut self, more: bool);

    /// Whether the cursor stands at the beginning of a line.
    fn at_line_start(&self) -> bool;

    /// Columns and rows.
    fn size(&self) -> (usize, usize);
}

/// A console: its screen, what was typed, and who waits for it.
pub struct Clients<S> {
    /// Where text goes.
    pub screen: S,
    parser: Parser,
    /// Who wrote last, and whether that left a style behind.
    writer: u64,
    styled: bool,
    input: Queue,
    readers: [Option<Ticket<Bytes>>; READERS],
    watcher: Option<(Notification, u64)>,
}

impl<S: Screen> Clients<S> {
    /// No clients yet.
    pub fn new(screen: S) -> Self {
        Self {
            screen,
            parser: Parser::new(),
            writer: 0,
            styled: false,
            input: Queue::new(),
            readers: [const { None }; READERS],
            watcher: None,
        }
    }

    /// Bytes were typed: all of them wait, or none when there is no room. [`Clients::deliver`] gives them to readers.
    pub fn typed(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// How many bytes can be typed now.
    pub fn room(&self) -> usize {
        self.input.room()
    }

    /// Another program writes: it starts with fresh text and plain style, whatever the last one left.
    fn change_writer(&mut self, badge: u64) {
        if self.writer == badge {
            return;
        }
        self.writer = badge;
        self.parser = Parser::new();
        if core::mem::take(&mut self.styled) {
            self.screen.act(Action::Style(Style::Reset));
        }
    }

    /// Does what a client's text says.
    fn take_text(&mut self, caller: Caller, text: &[u8], more: bool) {
        self.change_writer(caller.badge);
        let Self {
            parser,
            screen,
            styled,
            ..
        } = self;
        for &byte in text {
            parser.feed(byte, &mut |action| {
                if let Action::Style(style) = action {
                    *styled = style != Style::Reset;
                }
                screen.act(action);
            });
        }
        self.screen.show(more);
    }

    /// Gives input to those who wait for it; tells the watcher about what is left.
    pub fn deliver(&mut self) {
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

impl<S: Screen> Console for Clients<S> {
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
        if !self.screen.at_line_start() {
            self.screen.act(Action::NewLine);
            self.screen.show(false);
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
        let (columns, rows) = self.screen.size();
        Ok(Size {
            columns: columns as u64,
            rows: rows as u64,
        })
    }
}
