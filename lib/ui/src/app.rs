//! A program with one window of the system's compositor.
//!
//! Pixels are painted in memory of the program's own and copied to the window's surface when they are ready, so nobody sees half a
//! picture. The program sleeps until its notification is signalled.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use nonos_proto::display::{self, Client, Look, Surface, event};
use nonos_proto::fonts::{self, ENSURED};
use nonos_proto::input::key_state;
use nonos_proto::{CallError, fonts::Key as Glyph};
use nonos_rt::mapping::{Mapping, ReadOnly};
use nonos_rt::object::{Endpoint, Memory, Notification, Timer};
use nonos_rt::{parent, syscall};

use crate::geometry::Rect;
use crate::input::{Input, Key};
use crate::program::App;
use crate::text::Atlas;
use crate::theme::Theme;
use crate::window::Window;

/// The font service's atlas, mapped.
struct SystemAtlas {
    words: ReadOnly,
    service: fonts::Client<Endpoint>,
}

impl SystemAtlas {
    fn connect() -> Result<Self, CallError> {
        let service = fonts::Client(parent::connect("fonts")?);
        let memory = Memory::from_handle(service.atlas()?);
        let words = memory.map_to_read().map_err(CallError::Unreachable)?;
        Ok(Self { words, service })
    }
}

impl Atlas for SystemAtlas {
    fn read(&self, first: usize, out: &mut [u32]) {
        self.words.read(first, out);
    }

    /// Glyphs that cannot be had are not drawn.
    fn ensure(&self, keys: &[Glyph]) {
        for keys in keys.chunks(ENSURED) {
            let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0.to_le_bytes()).collect();
            let _ = self.service.ensure(&bytes);
        }
    }
}

/// Bits of the notification.
const EVENTS: u64 = 1;
const TICK: u64 = 1 << 1;

/// Events that are taken at once.
const TAKEN: usize = 32;

struct Running<A> {
    app: A,
    display: Client<Endpoint>,
    atlas: SystemAtlas,
    window: Window,
    surface: Surface,
    pixels: Mapping,
    look: Look,
    cursor: u64,
}

/// Runs a program until its window is closed. The exit code.
pub fn run(app: impl App) -> u64 {
    u64::from(start(app).is_err())
}

fn start(app: impl App) -> Result<(), CallError> {
    let display = Client(parent::connect("display")?);
    let atlas = SystemAtlas::connect()?;
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    let copy = signals.to_send().map_err(CallError::Unreachable)?;
    display.watch(copy.handle(), EVENTS)?;
    let look = display.look()?;
    let scale = look.scale.clamp(1, 2);
    let in_pixels = |points: i32| points.max(0) as u64 * scale;
    let (width, height) = app.size();
    let surface = display.open(in_pixels(width), in_pixels(height), app.title().as_bytes())?;
    let [least, most] = app.limits();
    let limits = [least.0, least.1, most.0, most.1].map(in_pixels);
    display.limits(surface.window, limits[0], limits[1], limits[2], limits[3])?;
    let (pixels, size) = map(&surface)?;
    let window = Window::new(size.0, size.1, scale as i32, Theme::of(look.theme));
    let timer = Timer::create().map_err(CallError::Unreachable)?;
    if app.period_ns() > 0 {
        let first = syscall::clock_ns().saturating_add(app.period_ns());
        let set = timer.set_periodic(&signals, TICK, first, app.period_ns());
        set.map_err(CallError::Unreachable)?;
    }
    let mut running = Running {
        app,
        display,
        atlas,
        window,
        surface,
        pixels,
        look,
        cursor: 0,
    };
    running.input(Input::None);
    running.show()?;
    loop {
        let bits = signals.wait().map_err(CallError::Unreachable)?;
        if bits & TICK != 0 {
            running.app.tick();
            running.input(Input::None);
        }
        if bits & EVENTS != 0 && running.take_events()? {
            return running.display.close(running.surface.window);
        }
        running.show()?;
    }
}

/// Maps the memory of a surface; its size in pixels, no more than there is memory for.
fn map(surface: &Surface) -> Result<(Mapping, (i32, i32)), CallError> {
    let memory = Memory::from_handle(surface.memory);
    let pixels = memory.map().map_err(CallError::Unreachable)?;
    let stride = surface.stride.clamp(1, 1 << 15);
    let lines = pixels.words().len() as u64 / stride;
    let width = surface.width.clamp(1, stride);
    let height = surface.height.clamp(1, lines.max(1));
    Ok((pixels, (width as i32, height as i32)))
}

impl<A: App> Running<A> {
    fn input(&mut self, input: Input) {
        let Self {
            app, window, atlas, ..
        } = self;
        window.input(atlas, input, &mut |ui| app.view(ui));
    }

    /// Paints what changed and has it shown.
    fn show(&mut self) -> Result<(), CallError> {
        let changed = self.window.paint(&self.atlas);
        let (width, _) = self.window.size();
        let stride = self.surface.stride as usize;
        let mut all = Rect::default();
        for rect in changed {
            for y in rect.y..rect.bottom() {
                let first = y as usize * width as usize + rect.x as usize;
                let line = self.window.pixels().get(first..first + rect.width as usize);
                self.pixels.write(
                    y as usize * stride + rect.x as usize,
                    line.unwrap_or_default(),
                );
            }
            all = all.union(rect);
        }
        if !all.is_empty() {
            let shown = display::Rect {
                left: all.x as u16,
                top: all.y as u16,
                width: all.width as u16,
                height: all.height as u16,
            };
            self.display.present(self.surface.window, shown.word())?;
        }
        if self.cursor != self.window.cursor {
            self.cursor = self.window.cursor;
            self.display.cursor(self.surface.window, self.cursor)?;
        }
        if let Some(text) = self.window.copied.take() {
            // Not allowed without a key or button just before, which is no reason to end.
            let _ = self.display.copy(text.as_bytes());
        }
        Ok(())
    }

    /// Whether the program ends.
    fn take_events(&mut self) -> Result<bool, CallError> {
        const BYTES: usize = event::WORDS * 8;
        let mut bytes = [0; TAKEN * BYTES];
        loop {
            let taken = self.display.events(&mut bytes)? as usize;
            let events = bytes.get(..taken).ok_or(CallError::BadReply)?;
            for event in events.as_chunks::<BYTES>().0 {
                let mut words = [0; event::WORDS];
                for (word, bytes) in words.iter_mut().zip(event.as_chunks().0) {
                    *word = u64::from_le_bytes(*bytes);
                }
                if self.event(words)? {
                    return Ok(true);
                }
            }
            if taken < bytes.len() {
                return Ok(false);
            }
        }
    }

    fn event(&mut self, [kind, a, b, c]: [u64; event::WORDS]) -> Result<bool, CallError> {
        if kind >> 8 != self.surface.window {
            return Ok(false);
        }
        match kind & 0xFF {
            event::RESIZE => self.resize(a, b)?,
            event::CLOSE => {
                let ends = self.app.close();
                self.input(Input::None);
                return Ok(ends);
            }
            event::FOCUS => self.input(Input::Focus(a != 0)),
            event::KEY if b & 0xFF != key_state::UP => {
                let character = u32::try_from(c).ok().and_then(char::from_u32);
                self.input(Input::Key(Key {
                    usage: a as u16,
                    modifiers: b >> 8 & 0xFF,
                    character: character.filter(|&character| character != '\0'),
                }));
            }
            event::POINTER => {
                let (x, y) = (a as u16 as i16, (a >> 16) as u16 as i16);
                let steps = (c as i64).clamp(-64, 64) as i32;
                self.input(Input::Pointer(x.into(), y.into(), b, steps));
            }
            event::LEAVE => self.input(Input::Leave),
            event::PASTE => {
                let mut text = vec![0; display::CLIPBOARD_BYTES];
                if let Ok(length) = self.display.paste(&mut text) {
                    text.truncate(length as usize);
                    let text = String::from_utf8_lossy(&text).into_owned();
                    self.input(Input::Paste(text));
                }
            }
            event::LOOK => {
                let last = self.look;
                self.look = self.display.look()?;
                if self.look.scale != last.scale {
                    let points = |pixels: u64| pixels / last.scale.max(1);
                    let scale = self.look.scale.clamp(1, 2);
                    let (width, height) = (points(self.surface.width), points(self.surface.height));
                    self.resize(width * scale, height * scale)?;
                } else if self.look.theme != last.theme {
                    let (width, height) = self.window.size();
                    self.reset((width, height));
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn resize(&mut self, width: u64, height: u64) -> Result<(), CallError> {
        self.surface = self.display.resize(self.surface.window, width, height)?;
        let (pixels, size) = map(&self.surface)?;
        self.pixels = pixels;
        self.reset(size);
        Ok(())
    }

    fn reset(&mut self, (width, height): (i32, i32)) {
        let theme = Theme::of(self.look.theme);
        let scale = self.look.scale.clamp(1, 2) as i32;
        self.window.reset(width, height, scale, theme);
        self.input(Input::None);
    }
}
