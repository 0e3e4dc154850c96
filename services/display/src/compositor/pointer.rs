//! What the user does with the pointer.

use nonos_proto::display::{cursor, event};
use nonos_proto::input::buttons;
use nonos_ui::Rect;

use super::Compositor;
use crate::window::{Anchor, Button, Edges, Layer, Part, points};

/// Presses of a title that are so close together make its window fill the screen, nanoseconds.
const DOUBLE_NS: u64 = 400_000_000;

/// Furthest that the pointer moves at once.
const FURTHEST: i64 = 4096;

/// What the pointer does while a button is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grab {
    /// Nothing.
    None,
    /// It moves a window: where in its contents it was taken.
    Move(u32, (i32, i32)),
    /// It changes a window's size: where it was taken, and the contents then.
    Resize(u32, Edges, (i32, i32), Rect),
    /// It is the program's.
    Program(u32),
    /// It pressed a button of a title.
    Button(u32, Button),
}

/// The pointer.
#[derive(Debug)]
pub struct Pointer {
    /// Where it is.
    pub x: i32,
    /// Where it is.
    pub y: i32,
    buttons: u64,
    /// How many fourths of what the mouse says it moves, and what was left of one, to the right and down.
    pub speed: i64,
    left: [i64; 2],
    grab: Grab,
    /// The window whose program knows that it is over it.
    hovered: Option<u32>,
    /// The button of a title below it.
    pub hot: Option<(u32, Button)>,
    /// The title that was pressed last, and when.
    pressed: Option<(u32, u64)>,
}

impl Pointer {
    /// A pointer here.
    pub fn new(x: i32, y: i32) -> Self {
        Self {
            x,
            y,
            buttons: 0,
            speed: 4,
            left: [0; 2],
            grab: Grab::None,
            hovered: None,
            hot: None,
            pressed: None,
        }
    }
}

impl Compositor {
    /// The pointer moved to the right and down, its wheel turned towards the user, and these buttons are down now.
    pub fn point(&mut self, [right, down, wheel]: [i64; 3], now: u64, now_ns: u64) {
        let Pointer {
            x, y, speed, left, ..
        } = &mut self.pointer;
        let (x, y) = (*x, *y);
        let mut step = |axis: usize, at: i32, by: i64, size: i32| {
            let fourths = by.clamp(-FURTHEST, FURTHEST) * *speed + left[axis];
            left[axis] = fourths % 4;
            (at + (fourths / 4) as i32).clamp(0, size - 1)
        };
        let x = step(0, x, right, self.screen.width);
        let y = step(1, y, down, self.screen.height);
        (self.pointer.x, self.pointer.y) = (x, y);
        let before = core::mem::replace(&mut self.pointer.buttons, now);
        if self.menu.is_some() {
            self.point_at_menu(now & !before);
        } else {
            self.follow();
            self.look_below();
            if now & !before != 0 {
                self.postpone_prompt(now_ns);
            }
            if now & !before != 0 && !self.dismiss_toast(x, y) {
                self.press(now & !before, now_ns);
            }
            if before & !now & buttons::LEFT != 0 {
                self.release();
            }
            self.tell_program(wheel);
            if now == 0 && matches!(self.pointer.grab, Grab::Program(_)) {
                self.pointer.grab = Grab::None;
                self.look_below();
            }
        }
    }

    /// A window is elsewhere, or as large as it was not: its program hears where the pointer is in it now.
    pub(super) fn look_again(&mut self) {
        if self.pointer.grab == Grab::None {
            self.look_below();
            self.tell_program(0);
        }
    }

    /// What the pointer looks like now: one of [`cursor`].
    pub(super) fn pointer_shape(&self) -> u64 {
        let edge = |edges: Edges| match edges.down {
            0 => cursor::RESIZE_HORIZONTAL,
            _ if edges.across == 0 => cursor::RESIZE_VERTICAL,
            _ => cursor::RESIZE_HORIZONTAL,
        };
        let program = |id: u32| {
            self.window(id)
                .map_or(cursor::ARROW, |window| window.cursor)
        };
        let shape = match (self.menu.is_some(), self.pointer.grab) {
            (true, _) => cursor::ARROW,
            (false, Grab::Resize(_, edges, ..)) => edge(edges),
            (false, Grab::Program(id)) => program(id),
            (false, Grab::Move(..) | Grab::Button(..)) => cursor::ARROW,
            (false, Grab::None) => match self.below() {
                Some((_, Part::Edge(edges))) => edge(edges),
                Some((id, Part::Content)) => program(id),
                _ => cursor::ARROW,
            },
        };
        shape.min(cursor::RESIZE_VERTICAL)
    }

    /// The window below the pointer, and the part of it. Nothing is below the bar.
    fn below(&self) -> Option<(u32, Part)> {
        let (x, y) = (self.pointer.x, self.pointer.y);
        if self.bar_place().contains(x, y) {
            return None;
        }
        let live = |window: &&super::Window| self.is_live(window.id, window.layer);
        let windows = self.windows.iter().rev().filter(|window| window.visible());
        let windows = windows.filter(live);
        windows
            .filter_map(|window| Some((window.id, window.part_at(x, y, self.scale)?)))
            .next()
    }

    /// The pointer moved while the menu is open, and buttons were pressed.
    fn point_at_menu(&mut self, pressed: u64) {
        let (place, at) = (self.menu_place(), (self.pointer.x, self.pointer.y));
        let scale = self.scale;
        let Some(menu) = &mut self.menu else {
            return;
        };
        let Some(index) = menu.at(place, at, scale) else {
            return;
        };
        let choice = menu.choices[index];
        if core::mem::replace(&mut menu.chosen, index) != index {
            self.touch_menu();
        }
        if pressed & buttons::LEFT != 0 {
            self.choose(choice);
        }
    }

    /// What is grabbed follows the pointer.
    fn follow(&mut self) {
        let (x, y) = (self.pointer.x, self.pointer.y);
        match self.pointer.grab {
            Grab::Move(id, (left, top)) => self.move_to(id, x - left, y - top),
            Grab::Resize(id, edges, from, content) => {
                self.ask_size(id, content, (x - from.0, y - from.1), edges);
            }
            _ => {}
        }
    }

    /// Asks the program of a window whose edges moved so far from where they were for another size.
    pub(super) fn ask_size(
        &mut self,
        id: u32,
        content: Rect,
        (right, down): (i32, i32),
        edges: Edges,
    ) {
        let scale = self.scale;
        let Some(window) = self.window(id) else {
            return;
        };
        let wanted = (
            content.width + right * edges.across,
            content.height + down * edges.down,
        );
        let (width, height) = window.limits.within(wanted, scale);
        let (width, height) = (width.min(self.screen.width), height.min(self.screen.height));
        let anchor = |side: i32, near: i32, far: i32| match side {
            -1 => Anchor::Far(far),
            _ => Anchor::Near(near),
        };
        let anchors = (
            anchor(edges.across, content.x, content.right()),
            anchor(edges.down, content.y, content.bottom()),
        );
        let now = window.content();
        if (anchors.0.near(now.width), anchors.1.near(now.height)) != (now.x, now.y) {
            // The program has not drawn in the size of `content` yet: the window moves at once.
            self.change(id, |window| window.anchors = anchors);
        } else if let Some(window) = self.window_mut(id) {
            window.anchors = anchors;
        }
        self.send(id, event::RESIZE, [width as u64, height as u64, 0]);
    }

    /// Lights the button of a title below the pointer, and tells a program that the pointer left its window.
    fn look_below(&mut self) {
        let below = match self.pointer.grab {
            Grab::None => self.below(),
            Grab::Program(id) => Some((id, Part::Content)),
            Grab::Button(id, button) => self
                .below()
                .filter(|&below| below == (id, Part::Button(button))),
            Grab::Move(..) | Grab::Resize(..) => None,
        };
        let hot = match below {
            Some((id, Part::Button(button))) => Some((id, button)),
            _ => None,
        };
        let before = core::mem::replace(&mut self.pointer.hot, hot);
        if before != hot {
            for (id, _) in before.into_iter().chain(hot) {
                self.touch_title(id);
            }
        }
        let hovered = match below {
            Some((id, Part::Content)) if self.hears_pointer(id) => Some(id),
            _ => None,
        };
        let before = core::mem::replace(&mut self.pointer.hovered, hovered);
        if let Some(left) = before.filter(|_| before != hovered) {
            self.send(left, event::LEAVE, [0; 3]);
        }
    }

    /// Has a title drawn again, and nothing else of its window.
    pub(super) fn touch_title(&mut self, id: u32) {
        let scale = self.scale;
        if let Some(window) = self.window_mut(id) {
            window.strip.stale = true;
            if !window.visible() {
                return;
            }
            let mut frame = window.frame(scale);
            let title = frame.cut_top(points::TITLE * scale, 0);
            self.damage.add(title.intersect(self.screen));
        }
    }

    /// Programs hear of the pointer over the window that has the keyboard, and over parts of the desktop.
    fn hears_pointer(&self, id: u32) -> bool {
        let framed = self
            .window(id)
            .is_some_and(|window| window.layer == Layer::Window);
        !framed || self.focus == Some(id)
    }

    /// Buttons were pressed.
    fn press(&mut self, pressed: u64, now_ns: u64) {
        let Some((id, part)) = self.below().filter(|_| self.pointer.grab == Grab::None) else {
            return;
        };
        let Some(window) = self.window(id) else {
            return;
        };
        let (layer, content, key) = (window.layer, window.content(), window.client);
        match layer {
            Layer::Window => self.activate(id),
            Layer::Launcher | Layer::Prompt | Layer::Lock => self.set_focus(Some(id)),
            // A launcher that is open has the keyboard until something else is pressed.
            Layer::Wallpaper => self.set_focus(None),
            Layer::Dock | Layer::Notifications => {}
        }
        if matches!(layer, Layer::Dock | Layer::Launcher) {
            self.keys.end_typing();
        }
        let (x, y) = (self.pointer.x, self.pointer.y);
        let moves = self.keyboard.modifiers() == nonos_proto::display::modifiers::ALT
            && layer == Layer::Window;
        let left = pressed & buttons::LEFT != 0;
        self.pointer.grab = match part {
            Part::Content | Part::Title if moves && left => {
                Grab::Move(id, (x - content.x, y - content.y))
            }
            Part::Content => {
                if let Some(client) = self.client_mut(key) {
                    client.act(now_ns);
                }
                Grab::Program(id)
            }
            _ if !left => Grab::None,
            Part::Title => {
                let double = self.pointer.pressed.take().is_some_and(|(before, at)| {
                    before == id && now_ns.saturating_sub(at) <= DOUBLE_NS
                });
                if double {
                    self.maximize(id);
                    Grab::None
                } else {
                    self.pointer.pressed = Some((id, now_ns));
                    Grab::Move(id, (x - content.x, y - content.y))
                }
            }
            Part::Button(button) => Grab::Button(id, button),
            Part::Edge(edges) => Grab::Resize(id, edges, (x, y), content),
        };
        self.look_below();
    }

    /// The left button was released.
    fn release(&mut self) {
        match self.pointer.grab {
            Grab::Program(_) => return,
            Grab::Button(id, button) if self.below() == Some((id, Part::Button(button))) => {
                match button {
                    Button::Close => self.send(id, event::CLOSE, [0; 3]),
                    Button::Maximize => self.maximize(id),
                    Button::Minimize => self.set_minimized(id, true),
                }
            }
            _ => {}
        }
        self.pointer.grab = Grab::None;
        self.look_below();
    }

    /// Tells the program of the window that the pointer is for where it is.
    fn tell_program(&mut self, wheel: i64) {
        let id = match self.pointer.grab {
            Grab::Program(id) => Some(id),
            _ => self.pointer.hovered,
        };
        let Some(content) = id
            .and_then(|id| self.window(id))
            .map(super::Window::content)
        else {
            return;
        };
        let place = |at: i32| u64::from(at.clamp(i16::MIN.into(), i16::MAX.into()) as u16);
        let (x, y) = (self.pointer.x - content.x, self.pointer.y - content.y);
        // The keyboard is for one window alone.
        let focused = id.is_some() && id == self.focus;
        let held = if focused {
            self.keyboard.modifiers()
        } else {
            0
        };
        let words = [
            place(x) | place(y) << 16,
            self.pointer.buttons | held << 8,
            wheel as u64,
        ];
        if let Some(id) = id {
            self.send(id, event::POINTER, words);
        }
    }

    /// A window that has the keyboard no more keeps no button that was pressed in it.
    pub(super) fn release_pointer_of(&mut self, id: u32) {
        if self.pointer.grab == Grab::Program(id) {
            self.drop_grab();
        }
    }

    /// Nothing is grabbed any more.
    pub(super) fn drop_grab(&mut self) {
        self.pointer.grab = Grab::None;
        self.look_below();
        if let Some(id) = self.pointer.hovered.take() {
            self.send(id, event::LEAVE, [0; 3]);
        }
    }

    /// A window is no more.
    pub(super) fn pointer_lost(&mut self, id: u32) {
        let pointer = &mut self.pointer;
        let grabbed = match pointer.grab {
            Grab::None => false,
            Grab::Move(of, _) | Grab::Resize(of, ..) | Grab::Program(of) | Grab::Button(of, _) => {
                of == id
            }
        };
        if grabbed {
            pointer.grab = Grab::None;
        }
        pointer.hovered = pointer.hovered.filter(|&of| of != id);
        pointer.hot = pointer.hot.filter(|&(of, _)| of != id);
    }
}
