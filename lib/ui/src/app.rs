//! Programs with windows of the system's compositor: [`run`] is all that one with a single window needs, others use [`Session`] and
//! [`Shown`].
//!
//! Pixels are painted in memory of the program's own and copied to the window's surface when they are ready, so nobody sees half a
//! picture. The program sleeps until its notification is signalled.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use nonos_proto::display::{self, Client, Look, Surface, event};
use nonos_proto::fonts::{self, ENSURED};
use nonos_proto::input::key_state;
use nonos_proto::{CallError, fonts::Key as Glyph, powerbox};
use nonos_rt::abi::Error;
use nonos_rt::mapping::{Mapping, ReadOnly};
use nonos_rt::object::{Endpoint, Memory, Notification, Timer};
use nonos_rt::{parent, syscall};

use crate::fit::fit;
use crate::geometry::{Rect, in_two};
use crate::input::{Input, Key};
use crate::program::App;
use crate::text::Atlas;
use crate::theme::Theme;
use crate::ui::{Copied, Ui};
use crate::window::Window;

/// The font service's atlas, mapped.
#[derive(Debug)]
pub struct SystemAtlas {
    words: ReadOnly,
    service: fonts::Client<Endpoint>,
}

impl SystemAtlas {
    /// Asks for the atlas and maps it.
    ///
    /// # Errors
    /// When the font service cannot be reached, or its atlas not be mapped.
    pub fn connect() -> Result<Self, CallError> {
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

    fn word(&self, index: usize) -> u32 {
        self.words.word(index)
    }

    /// Glyphs that cannot be had are not drawn.
    fn ensure(&self, keys: &[Glyph]) {
        for keys in keys.chunks(ENSURED) {
            let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0.to_le_bytes()).collect();
            let _ = self.service.ensure(&bytes);
        }
    }
}

/// Bit of the notification: there are events.
pub const EVENTS: u64 = 1;
/// Bit of the notification: the compositor ended, and all windows are gone.
pub const GONE: u64 = 1 << 63;
/// Bit of the notification: time went by.
const TICK: u64 = 1 << 1;
/// The first bit of the notification that a program may use for itself, see [`run_on`].
pub const OWN: u64 = 1 << 8;

/// Events that are taken at once.
const TAKEN: usize = 32;

/// A program's connection to the compositor and the fonts.
pub struct Session {
    /// The compositor.
    pub display: Client<Endpoint>,
    /// How the user wants things to look.
    pub look: Look,
    atlas: SystemAtlas,
}

/// An event of a window.
pub type Event = [u64; event::WORDS];

/// What an event was.
pub enum Outcome {
    /// The window's own matter.
    Done,
    /// Its view is to be run for this.
    Input(Input),
    /// The user wants to close it.
    Close,
}

impl Session {
    /// Connects. [`EVENTS`] of the notification is signalled when there are events, [`GONE`] when the compositor ends.
    #[inline(never)]
    pub fn connect(signals: &Notification) -> Result<Self, CallError> {
        let display = Client(parent::connect("display")?);
        // Answered once there is a compositor; that one's end is waited for before it knows of any window.
        let look = display.look()?;
        parent::service_end("display", signals, GONE)?;
        let copy = signals.to_send().map_err(CallError::Unreachable)?;
        display.watch(copy.handle(), EVENTS)?;
        Ok(Self {
            look,
            atlas: SystemAtlas::connect()?,
            display,
        })
    }

    /// Pixels for a point.
    pub fn scale(&self) -> u64 {
        self.look.scale.clamp(1, 2)
    }

    /// Takes the events that wait.
    #[inline(never)]
    pub fn events(&self) -> Result<Vec<Event>, CallError> {
        const BYTES: usize = event::WORDS * 8;
        let mut bytes = [0; TAKEN * BYTES];
        let mut events = Vec::new();
        loop {
            let taken = self.display.events(&mut bytes)? as usize;
            let part = bytes.get(..taken).ok_or(CallError::BadReply)?;
            events.extend(part.as_chunks::<BYTES>().0.iter().map(|event| {
                let mut words = [0; event::WORDS];
                for (word, bytes) in words.iter_mut().zip(event.as_chunks().0) {
                    *word = u64::from_le_bytes(*bytes);
                }
                words
            }));
            if taken < bytes.len() {
                return Ok(events);
            }
        }
    }
}

/// A window on the screen.
pub struct Shown {
    window: Window,
    surface: Surface,
    pixels: Mapping,
    look: Look,
    cursor: u64,
    /// Pixels for a point in this window.
    scale: i32,
    /// How small and how large the user can make it, points.
    limits: Option<[(i32, i32); 2]>,
}

impl Shown {
    /// Opens a window of this size, points; it shows with the first [`Self::show`].
    #[inline(never)]
    pub fn open(session: &Session, title: &str, size: (i32, i32)) -> Result<Self, CallError> {
        let in_pixels = |points: i32| points.max(0) as u64 * session.scale();
        let surface =
            session
                .display
                .open(in_pixels(size.0), in_pixels(size.1), title.as_bytes())?;
        let (pixels, (width, height)) = map(&surface)?;
        let theme = Theme::of(session.look.theme);
        Ok(Self {
            window: Window::new(width, height, session.scale() as i32, theme),
            surface,
            pixels,
            look: session.look,
            cursor: 0,
            scale: session.scale() as i32,
            limits: None,
        })
    }

    /// The menus of texts offer to paste: the program needs `powerbox`.
    pub fn offer_to_paste(&mut self) {
        self.window.offer_to_paste();
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.surface.window
    }

    /// How small and how large the user can make it, points; 0 stands for no limit. A window with limits is no larger than the screen.
    pub fn limit(&mut self, session: &Session, limits: [(i32, i32); 2]) -> Result<(), CallError> {
        self.limits = Some(limits);
        let (width, height) = self.window.size();
        let points = (width / self.scale, height / self.scale);
        self.fit(session, points)
    }

    /// Has limits of the size that they have on the screen, and makes the window so large, points, when that is no larger than the screen.
    #[inline(never)]
    fn fit(&mut self, session: &Session, points: (i32, i32)) -> Result<(), CallError> {
        let (mut scale, mut size) = (session.scale() as i32, points);
        match self.limits {
            Some([least, most]) => {
                (scale, size) = fit(&session.look, points, least);
                let [a, b, c, d] = [least.0, least.1, most.0, most.1]
                    .map(|points| points.max(0) as u64 * scale as u64);
                session.display.limits(self.number(), a, b, c, d)?;
            }
            None => size = (size.0 * scale, size.1 * scale),
        }
        if self.scale == scale && self.window.size() == size {
            return Ok(());
        }
        self.scale = scale;
        self.resize(session, size.0 as u64, size.1 as u64)
    }

    /// Another title; what is too long is cut off.
    pub fn set_title(&self, session: &Session, title: &str) -> Result<(), CallError> {
        let end = title.floor_char_boundary(display::TITLE_BYTES);
        session
            .display
            .title(self.number(), &title.as_bytes()[..end])
    }

    /// Runs its view for an input.
    pub fn input(&mut self, session: &Session, input: Input, view: &mut dyn FnMut(&mut Ui<'_>)) {
        self.window.set_time(syscall::clock_ns());
        self.window.input(&session.atlas, input, view);
    }

    /// Puts on the clipboard what was copied, paints what changed and has it shown: who sees it can rely on the clipboard.
    #[inline(never)]
    pub fn show(&mut self, session: &Session) -> Result<(), CallError> {
        if let Some(Copied { text, seconds }) = self.window.copied.take() {
            // Not allowed without a key or button just before, which is no reason to end.
            let _ = match seconds {
                0 => session.display.copy(text.as_bytes()),
                _ => session.display.copy_for(seconds, text.as_bytes()),
            };
        }
        let changed = self.window.paint(&session.atlas);
        let (width, _) = self.window.size();
        let stride = self.surface.stride as usize;
        for rect in &changed {
            for y in rect.y..rect.bottom() {
                let first = y as usize * width as usize + rect.x as usize;
                let line = self.window.pixels().get(first..first + rect.width as usize);
                self.pixels.write(
                    y as usize * stride + rect.x as usize,
                    line.unwrap_or_default(),
                );
            }
        }
        if !changed.is_empty() {
            let [first, second] = in_two(&changed).map(word);
            session.display.present(self.number(), first, second)?;
        }
        if self.cursor != self.window.cursor {
            self.cursor = self.window.cursor;
            session.display.cursor(self.number(), self.cursor)?;
        }
        if core::mem::take(&mut self.window.asks_to_paste) {
            // The user says yes or no there; without a power box there is nobody to say it.
            let _ = parent::connect("powerbox").and_then(|at| powerbox::Client(at).paste());
        }
        Ok(())
    }

    /// Has a picture shown instead of a view: `line` draws one line of it, given its number and the size in pixels.
    pub fn draw(
        &mut self,
        session: &Session,
        line: impl Fn(&mut [u32], usize, (usize, usize)),
    ) -> Result<(), CallError> {
        let (width, height) = self.window.size();
        let size = (width as usize, height as usize);
        let mut pixels = vec![0; size.0];
        for y in 0..size.1 {
            line(&mut pixels, y, size);
            self.pixels.write(y * self.surface.stride as usize, &pixels);
        }
        let all = Rect::new(0, 0, width, height);
        session.display.present(self.number(), word(all), 0)
    }

    /// Takes an event of this window, or of all of them ([`event::LOOK`]).
    #[inline(never)]
    pub fn event(
        &mut self,
        session: &mut Session,
        [kind, a, b, c]: Event,
    ) -> Result<Outcome, CallError> {
        let input = match kind & 0xFF {
            event::LOOK => {
                session.look = session.display.look()?;
                self.look_changed(session)?;
                Input::None
            }
            _ if kind >> 8 != self.number() => return Ok(Outcome::Done),
            event::RESIZE => {
                self.resize(session, a, b)?;
                Input::None
            }
            event::CLOSE => return Ok(Outcome::Close),
            event::FOCUS => Input::Focus(a != 0),
            event::KEY if b & 0xFF != key_state::UP => {
                let character = u32::try_from(c).ok().and_then(char::from_u32);
                Input::Key(Key {
                    usage: u8::try_from(a).unwrap_or(0),
                    modifiers: b >> 8 & 0xFF,
                    character: character.filter(|&character| character != '\0'),
                })
            }
            event::POINTER => {
                let (x, y) = (a as u16 as i16, (a >> 16) as u16 as i16);
                let steps = (c as i64).clamp(-64, 64) as i32;
                Input::Pointer(x.into(), y.into(), b, steps)
            }
            event::LEAVE => Input::Leave,
            event::PASTE => {
                let mut text = vec![0; display::CLIPBOARD_BYTES];
                let Ok(length) = session.display.paste(&mut text) else {
                    return Ok(Outcome::Done);
                };
                text.truncate(length as usize);
                Input::Paste(String::from_utf8_lossy(&text).into_owned())
            }
            _ => return Ok(Outcome::Done),
        };
        Ok(Outcome::Input(input))
    }

    /// The look is another one: the window is as large as before, in points.
    #[inline(never)]
    fn look_changed(&mut self, session: &Session) -> Result<(), CallError> {
        let last = core::mem::replace(&mut self.look, session.look);
        if session.look.scale != last.scale {
            let (width, height) = self.window.size();
            self.fit(session, (width / self.scale, height / self.scale))?;
        } else if session.look.theme != last.theme {
            let (width, height) = self.window.size();
            self.reset(session, (width, height));
        }
        Ok(())
    }

    /// Makes it so large, pixels; it shows with the next [`Self::show`].
    pub fn resize(&mut self, session: &Session, width: u64, height: u64) -> Result<(), CallError> {
        self.surface = session.display.resize(self.number(), width, height)?;
        let (pixels, size) = map(&self.surface)?;
        self.pixels = pixels;
        self.reset(session, size);
        Ok(())
    }

    fn reset(&mut self, session: &Session, (width, height): (i32, i32)) {
        let theme = Theme::of(session.look.theme);
        self.window.reset(width, height, self.scale, theme);
    }

    /// Closes it.
    pub fn close(self, session: &Session) -> Result<(), CallError> {
        session.display.close(self.number())
    }
}

/// Runs a program until its window is closed. The exit code.
pub fn run(app: impl App) -> u64 {
    match Notification::create() {
        Ok(signals) => run_on(&signals, app),
        Err(_) => 1,
    }
}

/// The same with a notification, of which the program uses the bits from [`OWN`] on: it hears of them by [`App::signal`].
pub fn run_on(signals: &Notification, app: impl App) -> u64 {
    u64::from(start(signals, app).is_err())
}

fn start(signals: &Notification, mut app: impl App) -> Result<(), CallError> {
    let mut session = Session::connect(signals)?;
    let mut title = String::from(app.title());
    let mut shown = Shown::open(&session, &title, app.size())?;
    shown.limit(&session, app.limits())?;
    shown.offer_to_paste();
    let timer = Timer::create().map_err(CallError::Unreachable)?;
    if app.period_ns() > 0 {
        let first = syscall::clock_ns().saturating_add(app.period_ns());
        let set = timer.set_periodic(signals, TICK, first, app.period_ns());
        set.map_err(CallError::Unreachable)?;
    }
    shown.input(&session, Input::None, &mut |ui| app.view(ui));
    shown.show(&session)?;
    loop {
        let bits = signals.wait().map_err(CallError::Unreachable)?;
        if bits & GONE != 0 {
            return Err(CallError::Unreachable(Error::PeerGone));
        }
        if bits & TICK != 0 {
            app.tick();
            shown.input(&session, Input::None, &mut |ui| app.view(ui));
        }
        if bits & (GONE - OWN) != 0 {
            app.signal(bits);
            shown.input(&session, Input::None, &mut |ui| app.view(ui));
        }
        if bits & EVENTS != 0 {
            for event in session.events()? {
                let input = match shown.event(&mut session, event)? {
                    Outcome::Done => continue,
                    Outcome::Input(input) => input,
                    Outcome::Close if app.close() => return shown.close(&session),
                    Outcome::Close => Input::None,
                };
                shown.input(&session, input, &mut |ui| app.view(ui));
            }
        }
        if app.is_done() {
            return shown.close(&session);
        }
        if app.title() != title {
            title = String::from(app.title());
            shown.set_title(&session, &title)?;
        }
        shown.show(&session)?;
    }
}

/// A rectangle within a surface, for the compositor.
fn word(rect: Rect) -> u64 {
    let rect = display::Rect {
        left: rect.x as u16,
        top: rect.y as u16,
        width: rect.width as u16,
        height: rect.height as u16,
    };
    rect.word()
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
