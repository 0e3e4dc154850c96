//! What the test programs share: a window of one colour, and a console to say on what happens.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt::{Arguments, Write};

use nonos_proto::CallError;
use nonos_proto::display::{Client, Rect, Surface, event};
use nonos_rt::mapping::Mapping;
use nonos_rt::object::{Endpoint, Memory, Notification};
use nonos_rt::parent;
use nonos_rt::terminal::Terminal;

/// An event's words.
pub type Event = [u64; event::WORDS];

/// Bit of the notification: there are events.
const EVENTS: u64 = 1;

/// The compositor, and the console.
pub struct Desk {
    /// The compositor.
    pub display: Client<Endpoint>,
    signals: Notification,
    terminal: Terminal,
}

impl Desk {
    /// Connects to both.
    ///
    /// # Errors
    /// When one of them cannot be reached.
    pub fn connect() -> Result<Self, CallError> {
        let display = Client(parent::connect("display")?);
        let signals = Notification::create().map_err(CallError::Unreachable)?;
        let copy = signals.to_send().map_err(CallError::Unreachable)?;
        display.watch(copy.handle(), EVENTS)?;
        Ok(Self {
            display,
            signals,
            terminal: Terminal::connect()?,
        })
    }

    /// What [`Self::wait`] waits for. Bits other than the first are free.
    pub fn signals(&self) -> &Notification {
        &self.signals
    }

    /// Says a line.
    pub fn say(&mut self, line: Arguments<'_>) {
        let _ = self.terminal.write_fmt(line);
        let _ = self.terminal.write_char('\n');
        let _ = self.terminal.flush();
    }

    /// Opens a window of one colour and shows it.
    ///
    /// # Errors
    /// When the compositor refuses.
    pub fn open(
        &self,
        width: u64,
        height: u64,
        title: &str,
        color: u32,
    ) -> Result<Window, CallError> {
        let surface = self.display.open(width, height, title.as_bytes())?;
        let window = Window::new(surface)?;
        window.fill(color);
        self.present(&window)?;
        Ok(window)
    }

    /// Shows all of a window.
    ///
    /// # Errors
    /// When the compositor refuses.
    pub fn present(&self, window: &Window) -> Result<(), CallError> {
        self.display
            .present(window.surface.window, window.all().word(), 0)
    }

    /// Waits for events, and takes some.
    ///
    /// # Errors
    /// When the compositor is gone.
    pub fn wait(&self, mut each: impl FnMut(Event)) -> Result<(), CallError> {
        self.signals.wait().map_err(CallError::Unreachable)?;
        self.take(&mut each)
    }

    /// Takes all events that are there.
    ///
    /// # Errors
    /// When the compositor is gone.
    pub fn take(&self, mut each: impl FnMut(Event)) -> Result<(), CallError> {
        const BYTES: usize = event::WORDS * 8;
        loop {
            let mut bytes = [0; BYTES * 16];
            let taken = self.display.events(&mut bytes)? as usize;
            let taken = bytes.get(..taken).ok_or(CallError::BadReply)?;
            if taken.is_empty() {
                return Ok(());
            }
            for event in taken.as_chunks::<BYTES>().0 {
                let mut words = [0; event::WORDS];
                for (word, bytes) in words.iter_mut().zip(event.as_chunks().0) {
                    *word = u64::from_le_bytes(*bytes);
                }
                each(words);
            }
        }
    }
}

/// A window with its surface.
pub struct Window {
    /// What the compositor said of it.
    pub surface: Surface,
    /// Its pixels.
    pub pixels: Mapping,
}

impl Window {
    /// Maps a surface.
    ///
    /// # Errors
    /// When it cannot be mapped.
    pub fn new(surface: Surface) -> Result<Self, CallError> {
        let memory = Memory::from_handle(surface.memory);
        let pixels = memory.map().map_err(CallError::Unreachable)?;
        Ok(Self { surface, pixels })
    }

    /// All of it.
    pub fn all(&self) -> Rect {
        Rect {
            width: self.surface.width as u16,
            height: self.surface.height as u16,
            ..Rect::default()
        }
    }

    /// Gives all pixels, and what of its memory lies beyond them, a colour.
    pub fn fill(&self, color: u32) {
        let line = [color; 256];
        for first in (0..self.pixels.words().len()).step_by(line.len()) {
            self.pixels.write(first, &line);
        }
    }
}
