//! What programs ask for.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::Refusal;
use nonos_proto::display::{CLIPBOARD_BYTES, event};
use nonos_ui::Rect;

use super::{Action, Compositor};
use crate::client::{Client, Event, Identity, WINDOWS};
use crate::window::{Layer, Limits, Surface, around, inside, points};

/// Longest side of a surface, pixels.
const LONGEST: u64 = 8192;

/// A program's surfaces have at most so many times the pixels of the screen.
const SCREENS: u64 = 4;

/// How far each new window is from the place of the one before, points.
const CASCADE: i32 = 28;

impl Compositor {
    /// Takes in a program.
    pub fn connect(&mut self, key: u64, identity: Identity) {
        self.clients.push(Client::new(key, identity));
    }

    /// Whether a program was taken in.
    pub fn knows(&self, key: u64) -> bool {
        self.client(key).is_some()
    }

    /// A program ended: all that it had is gone.
    pub fn disconnect(&mut self, key: u64) {
        let owned = |window: &&super::Window| window.client == key;
        let ids: Vec<u32> = self
            .windows
            .iter()
            .filter(owned)
            .map(|window| window.id)
            .collect();
        for id in ids {
            self.remove(id);
        }
        self.clients.retain(|client| client.key != key);
    }

    /// The window of a program with this number.
    fn own(&self, key: u64, window: u64) -> Result<u32, Refusal> {
        let found = u32::try_from(window).ok().and_then(|id| self.window(id));
        let own = found.filter(|window| window.client == key);
        own.map(|window| window.id).ok_or(Refusal::NoSuchWindow)
    }

    /// Whether a program may have a surface of this size: its width and height.
    ///
    /// # Errors
    /// When it is too large, or the program has too many.
    pub fn check_surface(&self, key: u64, width: u64, height: u64) -> Result<(i32, i32), Refusal> {
        let sides = 1..=LONGEST;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(Refusal::TooLarge);
        }
        let owned = self.windows.iter().filter(|window| window.client == key);
        let pixels = |window: &super::Window| {
            window.surface.pixels() + window.next.map_or(0, |next| next.pixels())
        };
        let used: u64 = owned.map(pixels).sum();
        let most = self.screen.width as u64 * self.screen.height as u64 * SCREENS;
        if used + width * height > most {
            return Err(Refusal::OutOfStorage);
        }
        Ok((width as i32, height as i32))
    }

    /// Whether a program may have another window.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn check_windows(&self, key: u64) -> Result<(), Refusal> {
        let count = self
            .windows
            .iter()
            .filter(|window| window.client == key)
            .count();
        if count < WINDOWS {
            Ok(())
        } else {
            Err(Refusal::Full)
        }
    }

    /// Opens a window with a surface; it shows with the first [`Self::present`].
    pub fn open(&mut self, key: u64, surface: Surface, title: &str) -> u32 {
        // A number is used again only after four billions of others.
        loop {
            self.last_window = self.last_window.wrapping_add(1).max(1);
            if self.window(self.last_window).is_none() {
                break;
            }
        }
        let id = self.last_window;
        let title = printable(title);
        let window = super::Window::new(id, key, surface, title);
        let before = self
            .windows
            .iter()
            .position(|other| other.layer > Layer::Window);
        self.windows
            .insert(before.unwrap_or(self.windows.len()), window);
        id
    }

    /// Another surface for a window, from the next [`Self::present`] on.
    ///
    /// # Errors
    /// When it is not the program's window. The surface is not kept then.
    pub fn resize(&mut self, key: u64, window: u64, surface: Surface) -> Result<(), Refusal> {
        let id = self.own(key, window)?;
        let before = self
            .window_mut(id)
            .and_then(|window| window.next.replace(surface));
        self.actions
            .extend(before.map(|before| Action::Release(before.id)));
        Ok(())
    }

    /// Whether a program has a window.
    ///
    /// # Errors
    /// [`Refusal::NoSuchWindow`].
    pub fn check_window(&self, key: u64, window: u64) -> Result<(), Refusal> {
        self.own(key, window).map(drop)
    }

    /// Sizes that the user can give a window; what is larger than any surface is no limit.
    ///
    /// # Errors
    /// When it is not the program's window.
    pub fn limit(
        &mut self,
        key: u64,
        window: u64,
        [least_width, least_height, most_width, most_height]: [u64; 4],
    ) -> Result<(), Refusal> {
        let id = self.own(key, window)?;
        let side = |side: u64| side.min(LONGEST) as i32;
        let limits = Limits {
            least: (side(least_width), side(least_height)),
            most: (side(most_width), side(most_height)),
        };
        self.change(id, |window| window.limits = limits);
        Ok(())
    }

    /// Another title.
    ///
    /// # Errors
    /// When it is not the program's window.
    pub fn retitle(&mut self, key: u64, window: u64, title: &str) -> Result<(), Refusal> {
        let id = self.own(key, window)?;
        let title = printable(title);
        if let Some(window) = self.window_mut(id) {
            window.title = title;
        }
        self.touch_title(id);
        if self.focus == Some(id) {
            self.bar.stale.program = true;
        }
        Ok(())
    }

    /// Shows what was drawn in two parts of a window.
    ///
    /// # Errors
    /// When it is not the program's window.
    pub fn present(
        &mut self,
        key: u64,
        window: u64,
        parts: [Rect; 2],
        now_ns: u64,
    ) -> Result<(), Refusal> {
        let id = self.own(key, window)?;
        let Some(window) = self.window(id) else {
            return Err(Refusal::NoSuchWindow);
        };
        if let Some(next) = window.next {
            let old = window.surface;
            self.change(id, |window| {
                window.surface = next;
                window.next = None;
            });
            self.actions.push(Action::Release(old.id));
            self.arrange(id);
            self.find_place(id);
            self.look_again();
        } else if window.visible() {
            let content = window.content();
            for part in parts {
                let part = part.intersect(Rect::new(0, 0, content.width, content.height));
                self.damage
                    .add(part.moved(content.x, content.y).intersect(self.screen));
            }
        }
        if self.window(id).is_some_and(|window| !window.shown) {
            self.show(id, now_ns);
        }
        Ok(())
    }

    /// Shows a window for the first time.
    fn show(&mut self, id: u32, now_ns: u64) {
        let Some(window) = self.window(id) else {
            return;
        };
        let (key, layer) = (window.client, window.layer);
        let takes_focus = match layer {
            Layer::Launcher | Layer::Lock => true,
            Layer::Window => self.may_take_focus(key, now_ns),
            _ => false,
        };
        if layer == Layer::Window {
            let frame = around(window.content(), self.scale);
            let area = self.work_area();
            let others = self
                .windows
                .iter()
                .filter(|other| other.layer == Layer::Window && other.shown);
            let step = others.count() as i32 % 6 * CASCADE * self.scale;
            let middle = area.centred(frame.width, frame.height);
            self.put_frame(id, middle.x + step, middle.y + step);
            self.ask_to_fit(id);
        }
        self.change(id, |window| window.shown = true);
        if let Some(client) = self.client_mut(key) {
            client.showed = true;
        }
        self.arrange(id);
        self.raise(id);
        self.touch(id);
        self.notice.changed = true;
        match self.focus {
            _ if layer == Layer::Prompt => self.prompt_shown(id, now_ns),
            _ if takes_focus => self.set_focus(Some(id)),
            Some(focused) => self.raise(focused),
            None => {}
        }
    }

    /// Puts a window where it is seen, when that is still to be done.
    fn find_place(&mut self, id: u32) {
        let scale = self.scale;
        let misplaced = |window: &mut super::Window| core::mem::take(&mut window.misplaced);
        if self.window_mut(id).is_some_and(misplaced)
            && let Some(frame) = self.window(id).map(|window| window.frame(scale))
        {
            self.put_frame(id, frame.x, frame.y);
            self.ask_to_fit(id);
        }
    }

    /// Puts the frame of a window here or near, so that it is seen: all of it above the dock when that can be, its title in any case,
    /// with the buttons at its right.
    fn put_frame(&mut self, id: u32, x: i32, y: i32) {
        let (area, scale) = (self.work_area(), self.scale);
        let Some(frame) = self.window(id).map(|window| window.frame(scale)) else {
            return;
        };
        let x = x.max(area.x).min(area.right() - frame.width);
        let y = y.min(area.bottom() - frame.height).max(area.y);
        let place = inside(Rect::new(x, y, frame.width, frame.height), scale);
        self.change(id, |window| window.place(place.x, place.y));
    }

    /// Asks the program of a window that is larger than what is seen of it to make it smaller.
    fn ask_to_fit(&mut self, id: u32) {
        let room = inside(self.work_area(), self.scale);
        let Some(window) = self.window(id).filter(|window| window.limits.resizable()) else {
            return;
        };
        let Surface { width, height, .. } = window.surface;
        if width > room.width || height > room.height {
            let size = (width.min(room.width), height.min(room.height));
            let (width, height) = window.limits.within(size, self.scale);
            self.send(id, event::RESIZE, [width as u64, height as u64, 0]);
        }
    }

    /// Whether a window of a program takes the keyboard when it shows: its first one, not while the user types; others when a window of the
    /// program has it. A program that closes its first one has no other first one.
    fn may_take_focus(&self, key: u64, now_ns: u64) -> bool {
        let first = self.client(key).is_some_and(|client| !client.showed);
        let focused = self.focus.and_then(|id| self.window(id));
        let has_it = focused.is_some_and(|window| window.client == key);
        has_it || focused.is_none() || first && !self.keys.typing(now_ns)
    }

    /// What the pointer looks like over a window.
    ///
    /// # Errors
    /// When it is not the program's window.
    pub fn shape(&mut self, key: u64, window: u64, shape: u64) -> Result<(), Refusal> {
        let id = self.own(key, window)?;
        if let Some(window) = self.window_mut(id) {
            window.cursor = shape;
        }
        Ok(())
    }

    /// Closes a window.
    ///
    /// # Errors
    /// When it is not the program's window.
    pub fn close(&mut self, key: u64, window: u64) -> Result<(), Refusal> {
        let id = self.own(key, window)?;
        self.remove(id);
        Ok(())
    }

    /// Takes an event of a program.
    pub fn next_event(&mut self, key: u64) -> Option<Event> {
        self.client_mut(key)?.pop()
    }

    /// Whether a window of a program has the keyboard.
    fn has_focus(&self, key: u64) -> bool {
        let focused = self.focus.and_then(|id| self.window(id));
        focused.is_some_and(|window| window.client == key)
    }

    /// Whether a program may put text on the clipboard now.
    ///
    /// # Errors
    /// [`Refusal::NotAskedByUser`].
    pub fn check_copy(&self, key: u64, now_ns: u64) -> Result<(), Refusal> {
        let acted = self.client(key).is_some_and(|client| client.acted(now_ns));
        if self.has_focus(key) && acted {
            Ok(())
        } else {
            Err(Refusal::NotAskedByUser)
        }
    }

    /// The user lets a program paste, once; when the time is given only after a key or button in a window of it just before.
    ///
    /// # Errors
    /// [`Refusal::NotAskedByUser`].
    pub fn let_paste(&mut self, key: u64, now_ns: Option<u64>) -> Result<(), Refusal> {
        match now_ns {
            Some(now_ns) => self.check_copy(key, now_ns)?,
            None if self.has_focus(key) => {}
            None => return Err(Refusal::NotAskedByUser),
        }
        self.start_paste();
        Ok(())
    }

    /// Puts text on the clipboard.
    ///
    /// # Errors
    /// When the user did nothing in a window of the program, or it is too long or no text.
    pub fn copy(&mut self, key: u64, text: Vec<u8>, now_ns: u64) -> Result<(), Refusal> {
        self.check_copy(key, now_ns)?;
        if text.len() > CLIPBOARD_BYTES {
            return Err(Refusal::TooLong);
        }
        if core::str::from_utf8(&text).is_err() {
            return Err(Refusal::Malformed);
        }
        self.clipboard.fill(0);
        self.clipboard = text;
        self.clipboard_until_ns = None;
        Ok(())
    }

    /// The text that is on the clipboard now is to be there until then.
    pub fn keep_clipboard_until(&mut self, until_ns: u64) {
        self.clipboard_until_ns = Some(until_ns);
    }

    /// Empties the clipboard when it is time for that.
    pub fn expire_clipboard(&mut self, now_ns: u64) {
        if self
            .clipboard_until_ns
            .take_if(|until| *until <= now_ns)
            .is_some()
        {
            self.clipboard.fill(0);
            self.clipboard.clear();
        }
    }

    /// The text on the clipboard, for a program that may take it once and has room for so many bytes.
    ///
    /// # Errors
    /// When the user did not paste, or the room is too small: the program may try again then.
    pub fn paste(&mut self, key: u64, room: u64) -> Result<&[u8], Refusal> {
        let has_focus = self.has_focus(key);
        let length = self.clipboard.len() as u64;
        let client = self
            .client_mut(key)
            .filter(|client| has_focus && client.pastes);
        let client = client.ok_or(Refusal::NotAskedByUser)?;
        if length > room {
            return Err(Refusal::TooShort);
        }
        client.pastes = false;
        Ok(&self.clipboard)
    }

    /// Puts a part of the desktop where it belongs; keeps what fills the screen filling it.
    pub(super) fn arrange(&mut self, id: u32) {
        let gap = points::GAP * self.scale;
        let (screen, area) = (self.screen, self.work_area());
        let Some(window) = self.window(id) else {
            return;
        };
        let size = window.content();
        let middle = screen.centred(size.width, size.height);
        let (x, y) = match window.layer {
            Layer::Window => return,
            Layer::Wallpaper => (0, 0),
            Layer::Dock => (middle.x, screen.bottom() - gap - size.height),
            Layer::Launcher | Layer::Lock => (middle.x, middle.y),
            Layer::Prompt => {
                let mut below = screen;
                below.cut_top(points::BAR * self.scale, 0);
                let frame = around(size, self.scale);
                let middle = below.centred(frame.width, frame.height);
                let place = inside(
                    Rect {
                        y: middle.y.max(below.y),
                        ..middle
                    },
                    self.scale,
                );
                (place.x, place.y)
            }
            Layer::Notifications => (screen.right() - gap - size.width, area.y + gap),
        };
        self.change(id, |window| window.place(x, y));
    }
}

/// A title as it is shown: without what would change how text around it reads.
pub(super) fn printable(title: &str) -> String {
    let hostile = |c: &char| {
        c.is_control()
            || matches!(*c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    title.chars().filter(|c| !hostile(c)).collect()
}
