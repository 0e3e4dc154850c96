//! The terminal that the clients of the console share, and what is typed.

use core::fmt::Write;

use console::paint::Painter;
use nonos_proto::console as interface;
use nonos_proto::{Caller, Refusal};
use nonos_rt::abi::Message;
use nonos_rt::service::Server;
use nonos_rt::syscall;
use nonos_terminal::ansi::Action;
use nonos_terminal::grid::Grid;
use nonos_terminal::serve::{self, Screen as _};

use crate::device::ps2::Ps2;
use crate::device::screen::Screen;
use crate::device::serial::Serial;
use crate::signal;

/// Longest time that the screen shows nothing new while text streams in.
const PAINT_NS: u64 = 50_000_000;

/// Screen and serial line.
pub struct Terminal<'a> {
    grid: Grid<&'a mut [u32]>,
    painter: Option<Painter<'a, Screen<'a>>>,
    serial: Option<Serial>,
    /// When the screen was painted last.
    painted_ns: u64,
}

impl<'a> Terminal<'a> {
    /// A terminal on what there is.
    pub fn new(
        grid: Grid<&'a mut [u32]>,
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
}

impl serve::Screen for Terminal<'_> {
    fn act(&mut self, action: Action) {
        self.grid.act(action);
        if let Some(serial) = &mut self.serial {
            let _ = write!(serial, "{action}");
        }
    }

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

    fn at_line_start(&self) -> bool {
        self.grid.at_line_start()
    }

    fn size(&self) -> (usize, usize) {
        self.grid.size()
    }
}

/// The service.
pub struct Service<'a> {
    clients: serve::Clients<Terminal<'a>>,
    keyboard: Option<Ps2>,
}

impl<'a> Service<'a> {
    /// No clients yet.
    pub fn new(terminal: Terminal<'a>, keyboard: Option<Ps2>) -> Self {
        Self {
            clients: serve::Clients::new(terminal),
            keyboard,
        }
    }
}

impl Server for Service<'_> {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        interface::dispatch(&mut self.clients, caller, request)
    }

    fn signal(&mut self, bits: u64) {
        let Self { clients, keyboard } = self;
        if bits & signal::SERIAL != 0
            && let Some(mut serial) = clients.screen.serial.take()
        {
            serial.interrupted(&mut |byte| clients.typed(&[byte]));
            clients.screen.serial = Some(serial);
        }
        if let Some(keyboard) = keyboard
            && bits & signal::KEYBOARD != 0
        {
            keyboard.receive(&mut |typed| clients.typed(typed));
        }
        clients.deliver();
    }
}
