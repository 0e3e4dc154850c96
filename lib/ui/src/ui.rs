//! What a program's view is given: it asks for shapes and widgets, and hears at once what the user did with them.
//!
//! A view is run once for an input, and again when that changed something, until nothing changes: what is drawn last is what is so. All
//! lengths are in points, but those of [`Frame`].

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nonos_proto::display::{cursor, modifiers};
use nonos_proto::input::buttons;

use crate::color::Color;
use crate::frame::{Command, Frame, Shape};
use crate::geometry::Rect;
use crate::icon::Icon;
use crate::input::{Input, Key, usage};
use crate::picture::Picture;
use crate::text::{Font, Writer};
use crate::theme::{Theme, font, space};
use crate::widgets::TextMenu;

/// Which widget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id(u32);

/// What a window remembers of its widgets.
#[derive(Default, Debug)]
pub struct Memory {
    /// Which has the keyboard, and whether that is to be seen: it is when keys brought it there.
    focus: Option<Id>,
    focus_seen: bool,
    /// Which had it when something in front took it.
    behind: Option<Id>,
    /// Which the pressed button is for.
    active: Option<Id>,
    /// Which can have the keyboard, in their order.
    order: Vec<Id>,
    /// Where these are, and how much of them is to be seen.
    #[cfg(feature = "host")]
    places: Vec<Rect>,
    /// Whether something lies before the window's contents, and alone hears of input.
    covered: bool,
    pointer: Option<(i32, i32)>,
    buttons: u64,
    /// Whether the window has the keyboard.
    window_focused: bool,
    /// The focus was moved by a key, and what has it is to be scrolled to.
    reveal: bool,
    /// The time, nanoseconds.
    pub(crate) now_ns: u64,
    /// The menu of a text.
    pub(crate) text_menu: TextMenu,
    /// When and where the button went down last, and how often it did there.
    press: (u64, (i32, i32)),
    clicks: u32,
}

/// What goes down again so soon was clicked twice, nanoseconds.
const TWICE_NS: u64 = 500_000_000;
/// How far the pointer may have moved between, points.
const TWICE: u32 = 4;

#[cfg(feature = "host")]
impl Memory {
    /// What has the keyboard.
    pub(crate) fn focus(&self) -> Option<Id> {
        self.focus
    }

    /// Gives something the keyboard, as keys would, or nothing.
    pub(crate) fn move_focus_to(&mut self, id: Option<Id>) {
        (self.focus, self.focus_seen) = (id, true);
    }

    /// What can have the keyboard, and where it is.
    pub(crate) fn controls(&self) -> impl Iterator<Item = (Id, Rect)> {
        self.order.iter().copied().zip(self.places.iter().copied())
    }
}

impl Memory {
    /// The button went down: counts.
    fn count_clicks(&mut self, (x, y): (i32, i32)) {
        let (last_ns, last) = self.press;
        let near = x.abs_diff(last.0) <= TWICE && y.abs_diff(last.1) <= TWICE;
        let soon = self.now_ns.saturating_sub(last_ns) < TWICE_NS;
        self.clicks = if near && soon { self.clicks + 1 } else { 1 };
        self.press = (self.now_ns, (x, y));
    }
}

/// What the view is run for.
#[derive(Default, Debug)]
struct Now {
    key: Option<Key>,
    pressed: bool,
    released: bool,
    /// The right button went down.
    pressed_right: bool,
    wheel: i32,
    paste: Option<String>,
}

/// What happened to a widget.
#[derive(Clone, Copy, Default, Debug)]
pub struct Response {
    /// The pointer is over it.
    pub hovered: bool,
    /// The button went down on it just now.
    pub pressed: bool,
    /// The button is down on it.
    pub held: bool,
    /// It was clicked, or Enter or Space pressed on it.
    pub clicked: bool,
    /// It has the keyboard.
    pub focused: bool,
    /// That is to be shown.
    pub ring: bool,
}

/// How text stands in its rectangle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// At the left.
    Left,
    /// In the middle.
    Centre,
    /// At the right.
    Right,
}

/// What a view draws with.
#[derive(Debug)]
pub struct Ui<'a> {
    /// Colours.
    pub theme: &'static Theme,
    writer: Writer<'a>,
    scale: i32,
    size: Rect,
    frame: &'a mut Frame,
    /// What is to be drawn before everything else.
    above: Frame,
    in_front: bool,
    pub(crate) memory: &'a mut Memory,
    now: Now,
    clip: Rect,
    scope: u32,
    was_covered: bool,
    again: bool,
    /// Where the widget is that is to be scrolled to.
    revealed: Option<Rect>,
    /// One of [`cursor`].
    pub(crate) cursor: u64,
    copied: Option<Copied>,
    /// The user is asked to let this program paste.
    pub(crate) asks_to_paste: bool,
}

/// Text for the clipboard.
pub struct Copied {
    /// The text.
    pub text: String,
    /// How long it is there, seconds; 0: for good.
    pub seconds: u64,
}

/// It may be a secret.
impl fmt::Debug for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Copied")
    }
}

/// What a run of the view left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub again: bool,
    pub cursor: u64,
    pub copied: Option<Copied>,
    pub asks_to_paste: bool,
}

impl<'a> Ui<'a> {
    #[inline(never)]
    pub(crate) fn new(
        writer: Writer<'a>,
        (theme, scale, size): (&'static Theme, i32, Rect),
        frame: &'a mut Frame,
        memory: &'a mut Memory,
        input: Input,
    ) -> Self {
        let mut now = Now::default();
        match input {
            Input::None => {}
            Input::Pointer(x, y, down, wheel) => {
                let at = (x.div_euclid(scale), y.div_euclid(scale));
                memory.pointer = Some(at);
                now.pressed = down & !memory.buttons & buttons::LEFT != 0;
                if now.pressed {
                    memory.count_clicks(at);
                }
                now.pressed_right = down & !memory.buttons & buttons::RIGHT != 0;
                now.released = !down & memory.buttons & buttons::LEFT != 0;
                now.wheel = wheel;
                memory.buttons = down;
            }
            Input::Leave => memory.pointer = None,
            Input::Key(key) => now.key = Some(key),
            Input::Focus(focused) => memory.window_focused = focused,
            Input::Paste(text) => now.paste = Some(text),
        }
        frame.clear();
        memory.order.clear();
        #[cfg(feature = "host")]
        memory.places.clear();
        let was_covered = core::mem::take(&mut memory.covered);
        let mut ui = Self {
            theme,
            writer,
            scale,
            size,
            frame,
            above: Frame::default(),
            in_front: false,
            memory,
            now,
            clip: size,
            scope: 0,
            was_covered,
            again: false,
            revealed: None,
            cursor: cursor::ARROW,
            copied: None,
            asks_to_paste: false,
        };
        ui.fill(size, theme.background);
        ui
    }

    /// Whether Shift was down when the pointer moved or pressed last.
    pub(crate) fn shift_with_pointer(&self) -> bool {
        self.memory.buttons >> 8 & modifiers::SHIFT != 0
    }

    /// The same of Control.
    pub(crate) fn control_with_pointer(&self) -> bool {
        self.memory.buttons >> 8 & modifiers::CONTROL != 0
    }

    /// Keys are used: what has the keyboard is to be seen.
    pub fn show_focus(&mut self) {
        self.memory.focus_seen = true;
    }

    /// What nobody used: keys move the focus, a click beside everything takes it away.
    #[inline(never)]
    pub(crate) fn finish(mut self) -> Outcome {
        if let Some(key) = self.now.key.take() {
            match key.usage {
                usage::TAB => self.move_focus(if key.shift() { -1 } else { 1 }),
                usage::ESCAPE if self.memory.focus_seen => {
                    self.memory.focus_seen = false;
                    self.again = true;
                }
                _ => {}
            }
        }
        if self.now.pressed && self.memory.active.is_none() && self.memory.focus.take().is_some() {
            self.again = true;
        }
        if self.now.released && self.memory.active.take().is_some() {
            self.again = true;
        }
        let memory = &mut *self.memory;
        if self.was_covered == memory.covered {
            let there = |focus| memory.order.contains(&focus);
            if !memory.covered && !memory.focus.is_none_or(there) {
                memory.focus = None;
                self.again = true;
            }
        } else if let Some(behind) = memory.behind.take_if(|_| !memory.covered) {
            memory.focus = Some(behind);
        }
        self.again |= self.was_covered != self.memory.covered;
        let shift = |(first, end): (u32, u32), by: usize| (first + by as u32, end + by as u32);
        let (texts, values) = (self.frame.text.len(), self.frame.values.len());
        let pictures = self.frame.pictures.len() as u32;
        for mut command in self.above.commands.drain(..) {
            match &mut command.shape {
                Shape::Text(_, _, text, _) => *text = shift(*text, texts),
                Shape::Plot(_, range, ..) => *range = shift(*range, values),
                Shape::Picture(at, _) => *at += pictures,
                _ => {}
            }
            self.frame.commands.push(command);
        }
        self.frame.text.push_str(&self.above.text);
        self.frame.values.append(&mut self.above.values);
        self.frame.pictures.append(&mut self.above.pictures);
        Outcome {
            again: self.again,
            cursor: self.cursor,
            copied: self.copied,
            asks_to_paste: self.asks_to_paste,
        }
    }

    /// Gives the keyboard to the widget so many further on of those that were shown so far, as Tab does.
    #[inline(never)]
    pub fn move_focus(&mut self, by: isize) {
        let memory = &mut *self.memory;
        let count = memory.order.len() as isize;
        if count == 0 {
            return;
        }
        let at = memory.order.iter().position(|id| Some(*id) == memory.focus);
        let next = match at {
            Some(at) => (at as isize + by).rem_euclid(count),
            None if by > 0 => 0,
            None => count - 1,
        };
        memory.focus = memory.order.get(next as usize).copied();
        memory.focus_seen = true;
        memory.reveal = true;
        self.again = true;
    }

    /// The window, without its frame.
    pub fn size(&self) -> Rect {
        self.size
    }

    /// Pixels for a point.
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// Something changed: the view is run again before it is shown.
    pub fn changed(&mut self) {
        self.again = true;
    }

    // Widgets and what they hear.

    /// The widget with this name, within the scope.
    pub fn id(&self, name: &str) -> Id {
        let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Id(name.bytes().fold(self.scope ^ 0x811C_9DC5, fold))
    }

    /// Widgets within have names of their own.
    pub fn scope<T>(&mut self, name: &str, number: usize, view: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.scope;
        self.scope = self
            .id(name)
            .0
            .wrapping_add(number as u32)
            .wrapping_mul(0x9E37_79B1);
        let result = view(self);
        self.scope = outer;
        result
    }

    /// Whether input is for what is drawn now.
    fn is_live(&self) -> bool {
        self.in_front || !self.was_covered
    }

    /// The pointer, when it is over a rectangle and nothing covers that.
    pub fn pointer_in(&self, rect: Rect) -> Option<(i32, i32)> {
        let seen = rect.intersect(self.clip);
        self.memory
            .pointer
            .filter(|&(x, y)| self.is_live() && seen.contains(x, y))
    }

    /// The pointer, wherever it is, when the pressed button is for this widget.
    pub fn dragged(&self, id: Id) -> Option<(i32, i32)> {
        self.memory
            .pointer
            .filter(|_| self.memory.active == Some(id) && self.memory.buttons & buttons::LEFT != 0)
    }

    /// How often the button went down, one time soon after another, where it did last.
    pub fn clicks(&self) -> u32 {
        self.memory.clicks
    }

    /// A widget in its place. `focusable`: it can have the keyboard.
    #[inline(never)]
    pub fn interact(&mut self, id: Id, rect: Rect, focusable: bool) -> Response {
        let over = self.pointer_in(rect).is_some();
        let live = self.is_live();
        let memory = &mut *self.memory;
        if focusable && live {
            memory.order.push(id);
            #[cfg(feature = "host")]
            memory.places.push(rect.intersect(self.clip));
        }
        let mut response = Response {
            hovered: over && memory.active.is_none_or(|active| active == id),
            ..Response::default()
        };
        if self.now.pressed && response.hovered && memory.active.is_none() {
            memory.active = Some(id);
            response.pressed = true;
            if focusable {
                memory.focus = Some(id);
            } else {
                memory.focus = None;
            }
            memory.focus_seen = false;
            self.again = true;
        }
        response.held = memory.active == Some(id) && over;
        response.clicked = self.now.released && response.held;
        response.focused = memory.focus == Some(id) && memory.window_focused && live;
        response.ring = response.focused && memory.focus_seen;
        if memory.focus == Some(id) && memory.reveal {
            memory.reveal = false;
            self.revealed = Some(rect);
        }
        if response.hovered {
            self.cursor = cursor::HAND;
        }
        self.again |= response.clicked;
        response
    }

    /// The same for what is pressed: Enter and Space do it, too.
    #[inline(never)]
    pub fn pressable(&mut self, id: Id, rect: Rect) -> Response {
        let mut response = self.interact(id, rect, true);
        if response.focused
            && self
                .take_key(|key| key.is_enter() || key.usage == usage::SPACE)
                .is_some()
        {
            response.clicked = true;
            self.memory.focus_seen = true;
        }
        response
    }

    /// What the pointer looks like: one of [`cursor`].
    pub fn set_cursor(&mut self, shape: u64) {
        self.cursor = shape;
    }

    /// Gives a widget the keyboard.
    #[inline(never)]
    pub fn focus(&mut self, id: Id) {
        if self.memory.focus != Some(id) {
            if self.in_front && self.memory.behind.is_none() {
                self.memory.behind = self.memory.focus;
            }
            self.memory.focus = Some(id);
            self.memory.reveal = true;
            self.again = true;
        }
    }

    /// Whether a widget has the keyboard.
    pub fn has_focus(&self, id: Id) -> bool {
        self.memory.focus == Some(id)
    }

    /// Whether any widget has.
    pub fn any_focus(&self) -> bool {
        self.memory.focus.is_some()
    }

    /// Takes the key when it is one of those; it is for nobody else then.
    pub fn take_key(&mut self, wanted: impl Fn(&Key) -> bool) -> Option<Key> {
        let live = self.is_live();
        let key = self.now.key.take_if(|key| live && wanted(key));
        self.again |= key.is_some();
        key
    }

    /// The key that nobody took so far stays for others.
    pub fn key(&self) -> Option<Key> {
        self.now.key.filter(|_| self.is_live())
    }

    /// Takes what the user pastes.
    pub fn take_paste(&mut self) -> Option<String> {
        if !self.is_live() {
            return None;
        }
        let paste = self.now.paste.take();
        self.again |= paste.is_some();
        paste
    }

    /// Where in a rectangle the right button went down just now.
    pub(crate) fn right_press(&self, rect: Rect) -> Option<(i32, i32)> {
        self.pointer_in(rect).filter(|_| self.now.pressed_right)
    }

    /// The same, for nobody else.
    pub(crate) fn take_right_press(&mut self, rect: Rect) -> Option<(i32, i32)> {
        let place = self.right_press(rect)?;
        self.now.pressed_right = false;
        Some(place)
    }

    /// Takes the turns of the wheel over a rectangle.
    pub fn take_wheel(&mut self, rect: Rect) -> i32 {
        if self.now.wheel == 0 || self.pointer_in(rect).is_none() {
            return 0;
        }
        self.again = true;
        core::mem::take(&mut self.now.wheel)
    }

    /// Whether a button went down beside a rectangle.
    pub fn pressed_beside(&self, rect: Rect) -> bool {
        (self.now.pressed || self.now.pressed_right)
            && self.is_live()
            && self.pointer_in(rect).is_none()
    }

    /// Puts text on the clipboard.
    pub fn copy(&mut self, text: String) {
        self.copy_for(text, 0);
    }

    /// The same, for so many seconds: a secret.
    pub fn copy_for(&mut self, text: String, seconds: u64) {
        self.copied = Some(Copied { text, seconds });
    }

    /// Where the widget is that the keyboard was moved to just now, when it was drawn within this run of the view.
    pub(crate) fn take_revealed(&mut self) -> Option<Rect> {
        self.revealed.take()
    }

    /// Draws before everything else. What is behind hears of no input.
    pub fn in_front<T>(&mut self, view: impl FnOnce(&mut Self) -> T) -> T {
        let (clip, in_front) = (self.clip, self.in_front);
        self.clip = self.size;
        self.in_front = true;
        self.memory.covered = true;
        let result = view(self);
        self.in_front = in_front;
        self.clip = clip;
        result
    }

    // Shapes.

    /// Draws nothing outside of a rectangle, and hears of no pointer there.
    pub fn clipped<T>(&mut self, rect: Rect, view: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.clip;
        self.clip = outer.intersect(rect);
        let result = view(self);
        self.clip = outer;
        result
    }

    /// What of a rectangle is to be seen.
    pub fn seen(&self, rect: Rect) -> Rect {
        rect.intersect(self.clip)
    }

    fn draw(&mut self, rect: Rect, shape: Shape) {
        let clip = self.clip.scaled(self.scale);
        let frame = self.drawn();
        frame.commands.push(Command { rect, clip, shape });
    }

    /// A rectangle.
    pub fn fill(&mut self, rect: Rect, color: Color) {
        self.draw(rect.scaled(self.scale), Shape::Fill(color));
    }

    /// A rectangle with round corners.
    pub fn rounded(&mut self, rect: Rect, radius: i32, color: Color) {
        let rect = rect.scaled(self.scale);
        self.draw(rect, Shape::Rounded(radius * self.scale, color));
    }

    /// A line along the inside of a rectangle with round corners.
    pub fn outline(&mut self, rect: Rect, radius: i32, width: i32, color: Color) {
        let rect = rect.scaled(self.scale);
        self.draw(
            rect,
            Shape::Frame(radius * self.scale, width * self.scale, color),
        );
    }

    /// The shadow of a rectangle.
    pub fn shadow(&mut self, rect: Rect, radius: i32, blur: i32) {
        let rect = rect.scaled(self.scale);
        let color = self.theme.shadow;
        self.draw(
            rect,
            Shape::Shadow(radius * self.scale, blur * self.scale, color),
        );
    }

    /// What has the keyboard has this around it.
    pub fn ring(&mut self, rect: Rect, radius: i32) {
        self.outline(rect.inset(-3, -3), radius + 3, 2, self.theme.ring);
    }

    /// A line between parts.
    pub fn separator(&mut self, rect: Rect) {
        self.fill(rect, self.theme.separator);
    }

    /// Something that holds a group.
    pub fn card(&mut self, rect: Rect) {
        self.rounded(rect, space::LARGE_RADIUS, self.theme.surface);
        self.outline(rect, space::LARGE_RADIUS, 1, self.theme.separator);
    }

    /// A curve, see [`crate::canvas::Canvas::plot`].
    #[inline(never)]
    pub fn plot(&mut self, rect: Rect, values: &[u16], color: Color) {
        let frame = self.drawn();
        let first = frame.values.len() as u32;
        frame.values.extend_from_slice(values);
        let range = (first, frame.values.len() as u32);
        let (rect, width) = (rect.scaled(self.scale), 2 * self.scale);
        self.draw(
            rect,
            Shape::Plot(width, range, color, color.with_opacity(36)),
        );
    }

    /// A picture that fills a rectangle, which is in pixels.
    pub fn picture(&mut self, rect: Rect, picture: &Rc<Picture>) {
        let frame = self.drawn();
        let at = frame.pictures.len() as u32;
        frame.pictures.push(picture.clone());
        self.draw(rect, Shape::Picture(at, picture.id));
    }

    /// The frame that is drawn now: what is in front has one of its own.
    fn drawn(&mut self) -> &mut Frame {
        if self.in_front {
            &mut self.above
        } else {
            self.frame
        }
    }

    /// Width of a line of text.
    pub fn text_width(&self, font: Font, text: &str) -> i32 {
        let pixels = self.writer.width(font.scaled(self.scale), text);
        (pixels + self.scale - 1) / self.scale
    }

    /// The byte of a text that begins closest to a place, from the text's left edge.
    pub fn byte_at(&self, font: Font, text: &str, x: i32) -> usize {
        self.writer
            .byte_at(font.scaled(self.scale), text, x * self.scale)
    }

    /// A line of text, in the middle between above and below; what does not fit ends in an ellipsis.
    #[inline(never)]
    pub fn text(&mut self, rect: Rect, font: Font, align: Align, text: &str, color: Color) {
        let area = rect.scaled(self.scale);
        let sized = font.scaled(self.scale);
        let (fits, all) = self.writer.fit(sized, text, area.width);
        let mut width = self.writer.width(sized, fits);
        if !all {
            width += self.writer.width(sized, "…");
        }
        let x = match align {
            Align::Left => area.x,
            Align::Centre => area.x + (area.width - width) / 2,
            Align::Right => area.right() - width,
        };
        let frame = self.drawn();
        let (first, mut end) = frame.add_text(fits);
        if !all {
            end = frame.add_text("…").1;
        }
        self.line(area, (x, width), sized, (first, end), color);
    }

    /// A line of text from the left of a rectangle, which is known to be wide enough: nothing is measured.
    pub fn plain_text(&mut self, rect: Rect, font: Font, text: &str, color: Color) {
        if text.is_empty() {
            return;
        }
        let area = rect.scaled(self.scale);
        let text = self.drawn().add_text(text);
        let across = (area.x, area.width);
        self.line(area, across, font.scaled(self.scale), text, color);
    }

    /// Draws a line of text in the middle between above and below; `x` and width are in pixels, as the area is.
    #[inline(never)]
    fn line(
        &mut self,
        area: Rect,
        (x, width): (i32, i32),
        font: Font,
        text: (u32, u32),
        color: Color,
    ) {
        let heights = self.writer.heights(font);
        let baseline = area.y + (area.height + heights.capitals) / 2;
        let top = baseline - heights.ascent;
        let place = Rect::new(x, top, width, heights.ascent + heights.descent);
        self.draw(place, Shape::Text(font, heights.ascent, text, color));
    }

    /// An icon in the middle of a rectangle.
    pub fn icon(&mut self, rect: Rect, icon: Icon, size: i32, color: Color) {
        let font = Font::new(font::ICON.face, size as u32);
        let mut bytes = [0; 4];
        let text = icon.character().encode_utf8(&mut bytes);
        self.text(rect.centred(size, size), font, Align::Centre, text, color);
    }

    /// Usual text.
    pub fn label(&mut self, rect: Rect, text: &str) {
        self.text(rect, font::BODY, Align::Left, text, self.theme.text);
    }

    /// Text that explains.
    pub fn note(&mut self, rect: Rect, text: &str) {
        self.text(rect, font::CAPTION, Align::Left, text, self.theme.secondary);
    }

    /// Text over several lines: how high it is. `draw`: else it is only measured.
    #[inline(never)]
    pub fn paragraph(
        &mut self,
        rect: Rect,
        font: Font,
        text: &str,
        color: Color,
        draw: bool,
    ) -> i32 {
        let line_height = font.size as i32 * 3 / 2;
        let (mut y, mut rest) = (0, text.trim());
        while !rest.is_empty() {
            let (mut end, mut best) = (0, 0);
            for word in rest.split_inclusive(' ') {
                end += word.len();
                if best > 0 && self.text_width(font, rest[..end].trim_end()) > rect.width {
                    break;
                }
                best = end;
            }
            if draw {
                let line = Rect::new(rect.x, rect.y + y, rect.width, line_height);
                self.text(line, font, Align::Left, rest[..best].trim_end(), color);
            }
            y += line_height;
            rest = rest[best..].trim_start();
        }
        y
    }
}
