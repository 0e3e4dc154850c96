//! The compositor's state, and what everyone may do to it.
//!
//! [`requests`] is what programs ask for, [`desktop`] what the desktop does, [`settings`] what the user sets, [`mod@pointer`] and [`keys`] what the user does. Here is what
//! they share: which windows there are, which has the keyboard, what is to be drawn again.

mod desktop;
mod keys;
mod lock;
mod pointer;
mod prompt;
mod requests;
mod settings;
#[cfg(test)]
mod tests;
mod toasts;

use alloc::vec::Vec;

use nonos_input::keyboard::Keyboard;
use nonos_proto::display::{Look, event};
use nonos_ui::text::{Atlas, Writer};
use nonos_ui::{Rect, Theme};

use crate::bar::{Bar, Facts};
use crate::client::{Client, Identity};
use crate::clock::Clock;
use crate::cursor::Cursor;
use crate::damage::Damage;
use crate::ending::Ending;
use crate::menu::Menu;
use crate::scene::{Panel, Scene, Surfaces};
use crate::shade::{Corners, Shadow};
use crate::state::Machine;
use crate::trim::{Pen, Strip, Title};
use crate::window::{Layer, Window, points};
use keys::{Keys, Switching};
use lock::Lock;
use pointer::Pointer;
use prompt::Prompt;
use toasts::Toasts;

/// What is to be done outside, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Give up a surface, which nobody shows any more.
    Release(u32),
    /// End a process.
    End(u64),
    /// Take a picture of the screen.
    Picture,
    /// Turn the machine off.
    PowerOff,
    /// Restart it.
    Restart,
}

/// What the desktop is to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Notice {
    /// Windows came, went, changed places or got the keyboard.
    pub changed: bool,
    /// The user asked for the launcher.
    pub launcher: bool,
    /// The screen was locked.
    pub locked: bool,
}

/// The compositor.
#[derive(Debug)]
pub struct Compositor {
    screen: Rect,
    scale: i32,
    theme: u64,
    machine: Machine,
    clients: Vec<Client>,
    /// From behind.
    windows: Vec<Window>,
    last_window: u32,
    focus: Option<u32>,
    pointer: Pointer,
    keyboard: Keyboard,
    keys: Keys,
    menu: Option<Menu>,
    prompt: Option<Prompt>,
    lock: Lock,
    toasts: Toasts,
    /// Which window gets the keyboard after a prompt, the lock or the dock.
    later: Option<u32>,
    /// What the machine does now, when that is to end.
    ending: Option<Ending>,
    clipboard: Vec<u8>,
    /// When the clipboard is emptied, if ever.
    clipboard_until_ns: Option<u64>,
    damage: Damage,
    actions: Vec<Action>,
    notice: Notice,
    bar: Bar,
    clock: Clock,
    menu_strip: Strip,
    ending_strip: Strip,
    shades: Shades,
    cursors: [Option<Cursor>; 5],
    /// The shape of the cursor and where it is on the screen.
    drawn: (u64, Rect),
}

/// Corners and shadows in the present look.
#[derive(Debug)]
struct Shades {
    corners: Corners,
    /// Of the window that has the keyboard, and of the others.
    shadows: [Shadow; 2],
}

impl Shades {
    fn new(theme: &Theme, scale: i32) -> Self {
        let shadow = |reach: i32, part: u32| {
            let opacity = theme.shadow.opacity() * part / 2;
            Shadow::new(
                reach * scale,
                theme.shadow.with_opacity(opacity.min(255) as u8),
            )
        };
        Self {
            corners: Corners::new(points::RADIUS * scale),
            shadows: [shadow(22, 4), shadow(14, 3)],
        }
    }
}

impl Compositor {
    /// A screen of this size, with nothing on it.
    pub fn new(width: i32, height: i32, machine: Machine) -> Self {
        let screen = Rect::new(0, 0, width, height);
        // Fine screens have twice as many pixels as others of the same size.
        let scale = if width >= 3200 { 2 } else { 1 };
        let mut damage = Damage::default();
        damage.add(screen);
        Self {
            screen,
            scale,
            theme: nonos_proto::display::theme::DARK,
            machine,
            clients: Vec::new(),
            windows: Vec::new(),
            last_window: 0,
            focus: None,
            pointer: Pointer::new(width / 2, height / 2),
            keyboard: Keyboard::new(),
            keys: Keys::default(),
            menu: None,
            prompt: None,
            lock: Lock::default(),
            toasts: Toasts::default(),
            later: None,
            ending: None,
            clipboard: Vec::new(),
            clipboard_until_ns: None,
            damage,
            actions: Vec::new(),
            notice: Notice::default(),
            bar: Bar::default(),
            clock: Clock::new(machine.started_seconds),
            menu_strip: Strip::default(),
            ending_strip: Strip::default(),
            shades: Shades::new(Theme::of(nonos_proto::display::theme::DARK), scale),
            cursors: [const { None }; 5],
            drawn: (0, Rect::default()),
        }
    }

    /// How things look.
    pub fn look(&self) -> Look {
        Look {
            theme: self.theme,
            scale: self.scale as u64,
            screen_width: self.screen.width as u64,
            screen_height: self.screen.height as u64,
        }
    }

    /// Takes what is to be done.
    pub fn take_actions(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.actions)
    }

    /// Takes what the desktop is to be told.
    pub fn take_notice(&mut self) -> Notice {
        core::mem::take(&mut self.notice)
    }

    /// Takes the keys of programs that are to be told that there are events.
    pub fn take_signals(&mut self) -> impl Iterator<Item = u64> {
        let signals =
            |client: &mut Client| core::mem::take(&mut client.signal).then_some(client.key);
        self.clients.iter_mut().filter_map(signals)
    }

    fn theme(&self) -> &'static Theme {
        Theme::of(self.theme)
    }

    fn index(&self, id: u32) -> Option<usize> {
        self.windows.iter().position(|window| window.id == id)
    }

    fn window(&self, id: u32) -> Option<&Window> {
        self.windows.iter().find(|window| window.id == id)
    }

    fn window_mut(&mut self, id: u32) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.id == id)
    }

    fn client_mut(&mut self, key: u64) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.key == key)
    }

    fn client(&self, key: u64) -> Option<&Client> {
        self.clients.iter().find(|client| client.key == key)
    }

    /// Sends an event to the program of a window.
    fn send(&mut self, id: u32, kind: u64, words: [u64; 3]) {
        let Some(key) = self.window(id).map(|window| window.client) else {
            return;
        };
        if let Some(client) = self.client_mut(key) {
            client.push(kind, id, words);
        }
    }

    /// The frame of a window with its shadow.
    fn reach(&self, window: &Window) -> Rect {
        self.shades.shadows[0].around(window.frame(self.scale))
    }

    /// Has a window with all around it drawn again.
    fn touch(&mut self, id: u32) {
        if let Some(window) = self.window(id)
            && window.visible()
        {
            let reach = self.reach(window);
            self.damage.add(reach.intersect(self.screen));
        }
    }

    /// Changes a window, and has drawn again where it was and where it is.
    fn change(&mut self, id: u32, change: impl FnOnce(&mut Window)) {
        self.touch(id);
        if let Some(window) = self.window_mut(id) {
            change(window);
            window.strip.stale = true;
        }
        self.touch(id);
    }

    /// Where windows are put: below the bar and above the dock.
    fn work_area(&self) -> Rect {
        let mut area = self.screen;
        area.cut_top(points::BAR * self.scale, 0);
        if let Some(dock) = self.dock() {
            area.cut_bottom(dock.content().height + 2 * points::GAP * self.scale, 0);
        }
        area
    }

    fn dock(&self) -> Option<&Window> {
        let dock = |window: &&Window| window.layer == Layer::Dock && window.visible();
        self.windows.iter().find(dock)
    }

    fn dock_has_keyboard(&self) -> bool {
        self.dock().is_some_and(|dock| self.focus == Some(dock.id))
    }

    /// Puts a window before all others of its layer.
    fn raise(&mut self, id: u32) {
        let Some(index) = self.index(id) else {
            return;
        };
        let window = self.windows.remove(index);
        let layer = window.layer;
        let before = self.windows.iter().position(|other| other.layer > layer);
        let place = before.unwrap_or(self.windows.len());
        self.windows.insert(place, window);
        if place != index {
            self.touch(id);
            self.notice.changed = true;
        }
    }

    /// Gives a window the keyboard, or none.
    fn set_focus(&mut self, id: Option<u32>) {
        if self.focus == id {
            return;
        }
        if id.is_some_and(|id| !self.may_focus(id)) {
            self.later = id;
            return;
        }
        if let Some(old) = self.focus {
            self.send(old, event::FOCUS, [0; 3]);
            self.change(old, |_| {});
            self.release_pointer_of(old);
        }
        self.focus = id;
        self.keys.forget();
        if let Some(new) = id {
            self.send(new, event::FOCUS, [1, 0, 0]);
            self.change(new, |_| {});
        }
        self.notice.changed = true;
        self.bar.stale.program = true;
    }

    /// Gives the keyboard to what is before all others.
    fn focus_top(&mut self) {
        let takes = |window: &&Window| {
            window.visible()
                && self.may_focus(window.id)
                && !matches!(
                    window.layer,
                    Layer::Wallpaper | Layer::Dock | Layer::Notifications
                )
        };
        let top = self
            .windows
            .iter()
            .rev()
            .find(takes)
            .map(|window| window.id);
        self.set_focus(top);
    }

    fn bar_place(&self) -> Rect {
        Rect::new(0, 0, self.screen.width, points::BAR * self.scale)
    }

    /// Hides a window, or shows it again.
    fn set_minimized(&mut self, id: u32, minimized: bool) {
        self.touch(id);
        if let Some(window) = self.window_mut(id) {
            window.minimized = minimized;
        }
        self.touch(id);
        self.notice.changed = true;
        if minimized && self.focus == Some(id) {
            self.focus_top();
        }
    }

    /// Shows a window before all others, with the keyboard.
    fn activate(&mut self, id: u32) {
        let Some(window) = self.window(id) else {
            return;
        };
        if window.minimized {
            self.set_minimized(id, false);
        }
        self.raise(id);
        self.set_focus(Some(id));
    }

    /// Removes a window. Its surfaces are given up.
    fn remove(&mut self, id: u32) {
        let Some(index) = self.index(id) else {
            return;
        };
        self.touch(id);
        let window = self.windows.remove(index);
        for surface in [Some(window.surface), window.next].into_iter().flatten() {
            self.actions.push(Action::Release(surface.id));
        }
        if let Some(client) = self.client_mut(window.client) {
            client.forget(id);
        }
        self.pointer_lost(id);
        self.prompt_lost(id);
        self.keys.switching = Switching::default();
        self.notice.changed = true;
        if self.focus == Some(id) {
            self.focus = None;
            if window.layer == Layer::Prompt {
                self.give_focus_back();
            } else {
                self.focus_top();
            }
            self.bar.stale.program = true;
        }
    }

    /// The program that the keyboard is for.
    fn focused_program(&self) -> Option<(&str, Identity)> {
        let window = self.window(self.focus?)?;
        let identity = self.client(window.client)?.identity;
        Some((&window.title, window.subject.unwrap_or(identity)))
    }

    /// Whether anything is to be drawn again.
    pub fn is_damaged(&mut self) -> bool {
        let cursor = self.cursor_place();
        !self.damage.is_empty() || self.bar.is_stale() || cursor != self.drawn
    }

    /// The shape of the cursor now, and where it belongs.
    fn cursor_place(&mut self) -> (u64, Rect) {
        let (shape, scale) = (self.pointer_shape(), self.scale);
        let cursor = self.cursors[shape as usize].get_or_insert_with(|| Cursor::new(shape, scale));
        (shape, cursor.place(self.pointer.x, self.pointer.y))
    }

    /// Draws titles, bar and menu again where what they show changed. What of the bar changed is to be shown.
    fn refresh(&mut self, writer: Writer<'_>) {
        let (scale, theme) = (self.scale, self.theme());
        let pen = Pen {
            writer,
            theme,
            scale,
        };
        let hot = self.pointer.hot;
        let mut windows = core::mem::take(&mut self.windows);
        for window in windows.iter_mut().filter(|window| window.visible()) {
            let width = window.frame(scale).width;
            if let Some(subject) = &window.subject {
                pen.prompt(&mut window.strip, width, &window.title, subject);
            }
            if window.layer != Layer::Window {
                continue;
            }
            let identity = self.client(window.client).map(|client| client.identity);
            let title = Title {
                text: &window.title,
                identity: identity.unwrap_or_default(),
                focused: self.focus == Some(window.id),
                maximized: window.restore.is_some(),
                resizable: window.limits.resizable(),
                hot: hot
                    .filter(|&(id, _)| id == window.id)
                    .map(|(_, button)| button),
            };
            pen.title(&mut window.strip, width, &title);
        }
        self.windows = windows;
        let mut bar = core::mem::take(&mut self.bar);
        let facts = Facts {
            program: self.focused_program(),
            machine: self.machine,
            layout: self.keyboard.layout().name,
            clock: &self.clock,
        };
        for part in bar.paint(&pen, self.screen.width, &facts) {
            self.damage.add(part);
        }
        self.bar = bar;
        for toast in self.toasts.iter_mut() {
            toast.draw(&pen);
        }
        if let Some(ending) = &self.ending {
            let place = self.screen;
            pen.ending(&mut self.ending_strip, place.width, place.height, ending);
        }
        if let Some(menu) = &self.menu {
            let program = self.focused_program().map(|(_, identity)| identity);
            let mut strip = core::mem::take(&mut self.menu_strip);
            pen.menu(&mut strip, menu, program);
            self.menu_strip = strip;
        }
    }

    /// Everything on the screen, from behind.
    fn panels(&self) -> Vec<Panel<'_>> {
        let theme = self.theme();
        let corners = Some(&self.shades.corners);
        let (open, ending) = (self.lock.is_open(), self.ending.is_some());
        let visible = self
            .windows
            .iter()
            .filter(|window| window.visible() && !ending && open != (window.layer == Layer::Lock));
        let panel = |window| {
            let window: &Window = window;
            // What fills the screen has neither.
            let round = window.layer != Layer::Wallpaper && window.restore.is_none();
            let shadow = &self.shades.shadows[usize::from(self.focus != Some(window.id))];
            Panel {
                frame: window.frame(self.scale),
                strip: matches!(window.layer, Layer::Window | Layer::Prompt)
                    .then_some(&window.strip),
                surface: Some((window.surface, window.content())),
                border: match window.layer {
                    Layer::Prompt => theme.accent,
                    _ => theme.border,
                },
                dims: window.layer == Layer::Prompt,
                corners: corners.filter(|_| round),
                shadow: Some(shadow).filter(|_| round),
            }
        };
        let mut panels: Vec<Panel<'_>> = visible.map(panel).collect();
        let own = |frame: Rect, strip| Panel {
            frame,
            strip: Some(strip),
            surface: None,
            border: theme.border,
            dims: false,
            corners: None,
            shadow: None,
        };
        if !self.is_modal() && !ending {
            let place = self.toasts_place();
            panels.extend(
                self.toasts
                    .places(place, self.scale)
                    .map(|(toast, place)| Panel {
                        corners,
                        shadow: Some(&self.shades.shadows[1]),
                        ..own(place, &toast.strip)
                    }),
            );
        }
        if ending {
            panels.push(own(self.screen, &self.ending_strip));
            return panels;
        }
        panels.push(own(self.bar_place(), &self.bar.strip));
        if let Some(menu) = &self.menu {
            panels.push(Panel {
                corners,
                shadow: Some(&self.shades.shadows[0]),
                ..own(menu.place(self.screen, self.scale), &self.menu_strip)
            });
        }
        panels
    }

    /// Has all of the screen drawn again.
    pub fn draw_again(&mut self) {
        self.damage.add(self.screen);
    }

    /// Draws all of the screen, for a picture of it.
    pub fn draw_all(
        &mut self,
        atlas: &dyn Atlas,
        surfaces: &impl Surfaces,
        line: &mut [u32],
        show: impl FnMut(i32, i32, &mut [u32]),
    ) {
        self.damage = Damage::default();
        self.damage.add(self.screen);
        self.draw(atlas, surfaces, line, show);
        // What changed meanwhile went to the picture and not to the screen.
        self.draw_again();
    }

    /// Draws what changed: `show` gets the column, the line, and its pixels. `line` has room for a line of the screen.
    pub fn draw(
        &mut self,
        atlas: &dyn Atlas,
        surfaces: &impl Surfaces,
        line: &mut [u32],
        mut show: impl FnMut(i32, i32, &mut [u32]),
    ) {
        let (shape, place) = self.cursor_place();
        if (shape, place) != self.drawn {
            self.damage.add(self.drawn.1.intersect(self.screen));
            self.damage.add(place.intersect(self.screen));
            self.drawn = (shape, place);
        }
        if self.damage.is_empty() && !self.bar.is_stale() {
            return;
        }
        self.refresh(Writer(atlas));
        let damage = core::mem::take(&mut self.damage);
        let theme = self.theme();
        let Some(cursor) = &self.cursors[shape as usize] else {
            return;
        };
        let scene = Scene {
            screen: self.screen,
            ground: (theme.sidebar, theme.background),
            panels: self.panels(),
            cursor: (cursor, place),
        };
        for &area in damage.rects() {
            scene.draw(area, surfaces, line, &mut show);
        }
    }
}
