//! What the user does with the keyboard.

use alloc::vec::Vec;

use nonos_input::layout::LAYOUTS;
use nonos_proto::display::{event, modifiers};
use nonos_proto::input::key_state;
use nonos_proto::usage;
use nonos_ui::Rect;

use super::{Action, Compositor};
use crate::ending::Ending;
use crate::menu::{Choice, Menu};
use crate::trim::Strip;
use crate::window::{Edges, Layer, points};

/// While the user types, no window of another program takes the keyboard: so long after a key, nanoseconds.
const TYPING_NS: u64 = 2_000_000_000;

/// How far an arrow key moves a window or its edge, points.
const STEP: i32 = 16;

/// Windows to switch between, while Alt is down.
#[derive(Clone, Debug, Default)]
pub struct Switching {
    order: Vec<u32>,
    at: usize,
}

/// What the arrow keys do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrows {
    Move,
    Resize,
}

/// What the keyboard is used for beside typing.
#[derive(Debug, Default)]
pub struct Keys {
    /// A bit for each key that the program with the keyboard knows to be down.
    delivered: [u32; 8],
    /// When the last character was typed.
    typed_ns: Option<u64>,
    pub(super) switching: Switching,
    /// The key with the logo is down, and no other was pressed since.
    super_alone: bool,
    arrows: Option<Arrows>,
    layout: usize,
}

impl Keys {
    /// Another window has the keyboard.
    pub fn forget(&mut self) {
        self.delivered = [0; 8];
        self.arrows = None;
    }

    /// No window is moved or switched to any more.
    pub fn stop(&mut self) {
        self.arrows = None;
        self.switching = Switching::default();
    }

    /// Which layout the keyboard types by.
    pub fn layout(&self) -> usize {
        self.layout
    }

    /// Whether the user types.
    pub fn typing(&self, now_ns: u64) -> bool {
        self.typed_ns
            .is_some_and(|at| now_ns.saturating_sub(at) <= TYPING_NS)
    }

    /// The user does something else than typing.
    pub fn end_typing(&mut self) {
        self.typed_ns = None;
    }

    /// Whether the program knows a key to be down; and from now on as said.
    fn deliver(&mut self, usage: u8, down: bool) -> bool {
        let word = &mut self.delivered[usize::from(usage / 32)];
        let before = *word >> (usage % 32) & 1 != 0;
        *word = *word & !(1 << (usage % 32)) | u32::from(down) << (usage % 32);
        before
    }
}

impl Compositor {
    /// The keyboard was plugged in or lost: no key is down.
    pub fn keyboard_reset(&mut self) {
        self.keyboard.release_all();
        self.keys.switching = Switching::default();
        self.keys.super_alone = false;
        self.keys.forget();
        // A program that counts on a release hears as much.
        if let Some(id) = self.focus {
            self.send(id, event::FOCUS, [0; 3]);
            self.send(id, event::FOCUS, [1, 0, 0]);
        }
    }

    /// A key, by its usage, and its state.
    pub fn key(&mut self, usage: u64, state: u64, now_ns: u64) {
        let Ok(usage) = u8::try_from(usage) else {
            return;
        };
        if state > key_state::REPEAT {
            return;
        }
        let stroke = self.keyboard.feed(usage, state);
        let held = stroke.modifiers;
        let down = state != key_state::UP;
        if self.logo_key(usage, state) {
            return;
        }
        const SECURE: u64 = modifiers::CONTROL | modifiers::ALT;
        if usage == usage::ESCAPE && held == SECURE && state == key_state::DOWN {
            self.open_menu();
            return;
        }
        if self.menu.is_some() {
            if down {
                self.menu_key(stroke.usage);
            }
            return;
        }
        if down {
            self.postpone_prompt(now_ns);
        }
        if held & modifiers::ALT == 0 {
            self.keys.switching = Switching::default();
        }
        if down && (self.arrow_key(stroke.usage) || self.shortcut(stroke.usage, held, state)) {
            return;
        }
        self.deliver(stroke, now_ns);
    }

    /// The key with the logo, pressed and released alone, is for the launcher.
    fn logo_key(&mut self, usage: u8, state: u64) -> bool {
        let logo = matches!(usage, usage::LEFT_SUPER | usage::RIGHT_SUPER);
        match (logo, state) {
            (true, key_state::DOWN) => self.keys.super_alone = true,
            (true, key_state::UP) if self.keys.super_alone && self.menu.is_none() => {
                self.keys.super_alone = false;
                self.notice.launcher = !self.is_modal();
            }
            (true, _) => {}
            (false, _) => self.keys.super_alone = false,
        }
        logo
    }

    /// Gives a key to the program that has the keyboard.
    fn deliver(&mut self, stroke: nonos_input::keyboard::Stroke, now_ns: u64) {
        let Some(id) = self.focus else {
            return;
        };
        let down = stroke.state != key_state::UP;
        // It hears of a release only when it heard of the press.
        if !self.keys.deliver(stroke.usage, down) && !down {
            return;
        }
        let (Some(window), Some(character)) = (self.window(id), stroke.character.or(Some('\0')))
        else {
            return;
        };
        let (key, layer) = (window.client, window.layer);
        if down && matches!(layer, Layer::Window | Layer::Launcher) {
            // Who sends a line off is done with it.
            let typed = character != '\0' && character != '\n';
            self.keys.typed_ns = if typed {
                Some(now_ns)
            } else {
                self.keys.typed_ns.filter(|_| character != '\n')
            };
        }
        if let Some(client) = self.client_mut(key)
            && down
        {
            client.act(now_ns);
        }
        let state = stroke.state | stroke.modifiers << 8;
        self.send(
            id,
            event::KEY,
            [stroke.usage.into(), state, u32::from(character).into()],
        );
    }

    /// What the compositor does itself with a key that was pressed.
    fn shortcut(&mut self, usage: u8, held: u64, state: u64) -> bool {
        use modifiers::{ALT, CONTROL, SHIFT, SUPER};
        let first = state == key_state::DOWN;
        if self.is_modal() && !matches!((held, usage), (SUPER, usage::SPACE | usage::L)) {
            let pastes = self.ready_prompt().is_some() && (held, usage) == (CONTROL, usage::V);
            if pastes {
                self.paste_key(first);
            }
            return pastes;
        }
        match (held, usage) {
            (SUPER, usage::L) => self.lock(),
            (SUPER, usage::T) if first => self.use_dock(),
            (0, usage::ESCAPE) if self.dock_has_keyboard() => self.give_focus_back(),
            (ALT, usage::TAB) => self.switch(1),
            (held, usage::TAB) if held == ALT | SHIFT => self.switch(-1),
            (CONTROL, usage::V) | (SHIFT, usage::INSERT) => self.paste_key(first),
            (held, usage::V) if held == CONTROL | SHIFT => self.paste_key(first),
            (SUPER, usage::SPACE) if first => {
                self.use_layout((self.keys.layout + 1) % LAYOUTS.len());
            }
            (ALT | SUPER, _) => return first && self.window_shortcut(usage, held),
            _ => return false,
        }
        true
    }

    /// Gives the keyboard to the dock, or back to the window that had it.
    fn use_dock(&mut self) {
        if self.dock_has_keyboard() {
            self.give_focus_back();
        } else if let Some(dock) = self.dock().map(|dock| dock.id) {
            self.later = self.focus;
            self.keys.end_typing();
            self.set_focus(Some(dock));
        }
    }

    /// The keyboard types by this layout from now on.
    pub(super) fn use_layout(&mut self, layout: usize) {
        self.keys.layout = layout;
        self.keyboard.set_layout(layout);
        self.bar.stale.all = true;
    }

    /// What is done with the window that has the keyboard.
    fn window_shortcut(&mut self, usage: u8, held: u64) -> bool {
        let framed = |id: &u32| {
            self.window(*id)
                .is_some_and(|window| window.layer == Layer::Window)
        };
        let Some(id) = self.focus.filter(framed) else {
            return false;
        };
        match (held, usage) {
            (modifiers::ALT, usage::F4) => self.send(id, event::CLOSE, [0; 3]),
            (modifiers::ALT, usage::F7) => self.keys.arrows = Some(Arrows::Move),
            (modifiers::ALT, usage::F8) => self.keys.arrows = Some(Arrows::Resize),
            (modifiers::SUPER, usage::UP) => self.maximize(id),
            (modifiers::SUPER, usage::DOWN) => {
                match self.window(id).map(|window| window.restore.is_some()) {
                    Some(true) => self.maximize(id),
                    _ => self.set_minimized(id, true),
                }
            }
            (modifiers::SUPER, usage::LEFT) => self.tile(id, false),
            (modifiers::SUPER, usage::RIGHT) => self.tile(id, true),
            _ => return false,
        }
        true
    }

    /// Gives the keyboard to the next window in the order in which they had it, or the one before.
    fn switch(&mut self, step: i32) {
        if self.keys.switching.order.is_empty() {
            let framed = self
                .windows
                .iter()
                .rev()
                .filter(|window| window.layer == Layer::Window && window.shown);
            self.keys.switching.order = framed.map(|window| window.id).collect();
        }
        let Switching { order, at } = &mut self.keys.switching;
        if order.is_empty() {
            return;
        }
        *at = (*at as i32 + step).rem_euclid(order.len() as i32) as usize;
        let id = order[*at];
        self.activate(id);
    }

    /// A key that pastes, which repeats nothing while it is held.
    fn paste_key(&mut self, first: bool) {
        if first {
            self.start_paste();
        }
    }

    /// The user pastes into the program that has the keyboard.
    pub(super) fn start_paste(&mut self) {
        let Some(id) = self.focus else {
            return;
        };
        if let Some(key) = self.window(id).map(|window| window.client)
            && let Some(client) = self.client_mut(key)
        {
            client.pastes = true;
        }
        self.send(id, event::PASTE, [0; 3]);
    }

    /// An arrow key while a window is moved or its size changed with them.
    fn arrow_key(&mut self, usage: u8) -> bool {
        let (Some(arrows), Some(id)) = (self.keys.arrows, self.focus) else {
            return false;
        };
        let step = STEP * self.scale;
        let (x, y) = match usage {
            usage::LEFT => (-step, 0),
            usage::RIGHT => (step, 0),
            usage::UP => (0, -step),
            usage::DOWN => (0, step),
            _ => {
                self.keys.arrows = None;
                return true;
            }
        };
        let Some(content) = self.window(id).map(super::Window::content) else {
            return true;
        };
        match arrows {
            Arrows::Move => self.move_to(id, content.x + x, content.y + y),
            Arrows::Resize => {
                let edges = Edges { across: 1, down: 1 };
                self.ask_size(id, content, (x, y), edges);
            }
        }
        true
    }

    /// Opens the trusted menu, or closes it.
    pub(super) fn open_menu(&mut self) {
        if self.menu.is_some() {
            self.close_menu();
            return;
        }
        let framed = |id: u32| {
            self.window(id)
                .is_some_and(|window| window.layer == Layer::Window)
        };
        self.menu = Some(match self.lock.is_open() {
            true => Menu::new(self.prompt.is_some() || self.focus.is_some_and(framed)),
            false => Menu::locked(),
        });
        self.menu_strip.stale = true;
        self.drop_grab();
        self.keys.forget();
        self.touch_menu();
    }

    /// Has the menu drawn again.
    pub(super) fn touch_menu(&mut self) {
        self.menu_strip.stale = true;
        let place = self.menu_place();
        self.damage
            .add(self.shades.shadows[0].around(place).intersect(self.screen));
    }

    pub(super) fn menu_place(&self) -> Rect {
        self.menu
            .as_ref()
            .map_or(Rect::default(), |menu| menu.place(self.screen, self.scale))
    }

    fn close_menu(&mut self) {
        self.touch_menu();
        self.menu = None;
    }

    fn menu_key(&mut self, usage: u8) {
        let choice = self.menu.as_mut().and_then(|menu| menu.key(usage));
        self.touch_menu();
        if let Some(choice) = choice {
            self.choose(choice);
        }
    }

    /// Does what was chosen in the menu.
    pub(super) fn choose(&mut self, choice: Choice) {
        let program = self.focused_program().map(|(_, identity)| identity.process);
        self.close_menu();
        let action = match choice {
            Choice::Back => None,
            Choice::EndProgram => program.map(Action::End),
            Choice::Lock => {
                self.lock();
                None
            }
            Choice::Picture => Some(Action::Picture),
            Choice::Restart => Some(self.end("Restarting", Action::Restart)),
            Choice::PowerOff => Some(self.end("Turning off", Action::PowerOff)),
        };
        self.actions.extend(action);
    }

    /// From now on the screen shows that the machine ends.
    fn end(&mut self, text: &'static str, action: Action) -> Action {
        self.ending = Some(Ending::new(text));
        self.damage.add(self.screen);
        action
    }

    /// The next step before the machine ends was done, or could not be.
    pub fn step_done(&mut self, done: bool) {
        if let Some(ending) = &mut self.ending {
            ending.step(done);
            self.ending_strip.stale = true;
            self.damage.add(self.screen);
        }
    }

    /// The machine goes on.
    pub fn go_on(&mut self) {
        self.ending = None;
        self.ending_strip = Strip::default();
        self.damage.add(self.screen);
    }

    /// Has a window fill the left or right half of the screen.
    fn tile(&mut self, id: u32, right: bool) {
        let mut area = self.work_area();
        let half = area.cut_left(area.width / 2, 0);
        self.fill(id, if right { area } else { half });
    }

    /// Has a window fill the screen, or no more.
    pub(super) fn maximize(&mut self, id: u32) {
        let area = self.work_area();
        self.fill(id, area);
    }

    /// Has a window fill an area, or be as it was before when it fills one.
    fn fill(&mut self, id: u32, area: Rect) {
        let Some(window) = self.window(id).filter(|window| window.limits.resizable()) else {
            return;
        };
        let before = window.content();
        let wanted = match window.restore {
            Some(restore) => restore,
            None => crate::window::inside(area, self.scale),
        };
        let restore = if window.restore.is_some() {
            None
        } else {
            Some(before)
        };
        self.change(id, |window| {
            window.restore = restore;
            window.place(wanted.x, wanted.y);
        });
        self.send(
            id,
            event::RESIZE,
            [wanted.width as u64, wanted.height as u64, 0],
        );
        self.notice.changed = true;
    }

    /// Moves the contents of a window, as far as enough of it stays on the screen.
    pub(super) fn move_to(&mut self, id: u32, x: i32, y: i32) {
        let (screen, scale) = (self.screen, self.scale);
        let kept = points::KEPT * scale;
        let top = (points::BAR + points::TITLE) * scale;
        let Some(width) = self.window(id).map(|window| window.content().width) else {
            return;
        };
        let x = x.clamp(kept - width, (screen.right() - kept).max(kept - width));
        let y = y.clamp(top, (screen.bottom() - points::GRIP * scale).max(top));
        self.touch(id);
        if let Some(window) = self.window_mut(id) {
            window.place(x, y);
            if window.restore.take().is_some() {
                window.strip.stale = true;
            }
        }
        self.touch(id);
    }
}
