//! What the compositor draws itself: titles, the trusted menu, and what all of it is drawn with.

use alloc::vec;
use alloc::vec::Vec;

use nonos_ui::canvas::Canvas;
use nonos_ui::text::{Font, Writer};
use nonos_ui::theme::font;
use nonos_ui::{Color, Icon, Rect, Theme};

use crate::client::Identity;
use crate::ending::{Ending, Step};
use crate::menu::{Choice, Menu};
use crate::window::{Button, button, points};

/// Which network a program may use. There is none yet.
const NETWORK: &str = "· no network";

/// A picture, and what it was drawn for.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    width: i32,
    height: i32,
    pixels: Vec<u32>,
    /// Whether what it shows has changed since.
    pub stale: bool,
}

impl Strip {
    /// Pixels in a line.
    pub fn width(&self) -> i32 {
        self.width
    }

    /// Lines.
    pub fn height(&self) -> i32 {
        self.height
    }

    /// A line.
    pub fn row(&self, y: i32) -> &[u32] {
        let start = (y.max(0) * self.width) as usize;
        let end = start + self.width as usize;
        self.pixels.get(start..end).unwrap_or_default()
    }

    /// Draws it anew in this size, when it has another or is stale. Tells whether it did.
    fn draw(&mut self, width: i32, height: i32, draw: impl FnOnce(&mut Canvas<'_>)) -> bool {
        if self.is(width, height) && !self.stale {
            return false;
        }
        draw(&mut self.resized(width, height));
        true
    }

    /// Whether it has this size.
    pub fn is(&self, width: i32, height: i32) -> bool {
        (self.width, self.height) == (width, height)
    }

    /// All of it, in another size.
    pub fn resized(&mut self, width: i32, height: i32) -> Canvas<'_> {
        let (columns, lines) = (width.max(0) as usize, height.max(0) as usize);
        if self.pixels.len() != columns * lines {
            self.pixels = vec![0; columns * lines];
        }
        (self.width, self.height, self.stale) = (width, height, false);
        self.canvas()
    }

    /// All of it.
    pub fn canvas(&mut self) -> Canvas<'_> {
        let (columns, lines) = (self.width as usize, self.height as usize);
        Canvas::new(&mut self.pixels, columns, lines, columns)
    }
}

/// What draws: the fonts, the colours, and how many pixels a point has.
#[derive(Clone, Copy, Debug)]
pub struct Pen<'a> {
    /// Text.
    pub writer: Writer<'a>,
    /// Colours.
    pub theme: &'a Theme,
    /// Pixels for a point.
    pub scale: i32,
}

/// A title, and the window that it is of.
#[derive(Clone, Copy, Debug)]
pub struct Title<'a> {
    /// The text, which is the program's.
    pub text: &'a str,
    /// Who the program is.
    pub identity: Identity,
    /// Whether it has the keyboard.
    pub focused: bool,
    /// Whether it fills the screen.
    pub maximized: bool,
    /// Whether its size can be changed.
    pub resizable: bool,
    /// The button below the pointer.
    pub hot: Option<Button>,
}

/// Between a text and what is beside it, points.
pub const GAP: i32 = 12;

impl Pen<'_> {
    /// Width of a text in pixels.
    pub fn width(&self, font: Font, text: &str) -> i32 {
        self.writer.width(font.scaled(self.scale), text)
    }

    /// Writes text so that capitals stand in the middle of a rectangle, as much as fits into it; returns where it ends.
    pub fn write(
        &self,
        canvas: &mut Canvas<'_>,
        font: Font,
        place: Rect,
        text: &str,
        color: Color,
    ) -> i32 {
        let font = font.scaled(self.scale);
        let capitals = self.writer.heights(font).capitals;
        let baseline = place.y + (place.height + capitals) / 2;
        let (part, all) = self.writer.fit(font, text, place.width);
        self.writer
            .paint(canvas, font, (place.x, baseline), part, color);
        let mut end = place.x + self.writer.width(font, part);
        if !all && place.width > 0 {
            self.writer.paint(canvas, font, (end, baseline), "…", color);
            end += self.writer.width(font, "…");
        }
        end
    }

    /// An icon in the middle of a rectangle.
    pub fn icon(&self, canvas: &mut Canvas<'_>, size: u32, place: Rect, icon: Icon, color: Color) {
        let font = Font::new(font::ICON.face, size).scaled(self.scale);
        let mut bytes = [0; 4];
        let text = icon.character().encode_utf8(&mut bytes);
        let heights = self.writer.heights(font);
        let x = place.x + (place.width - self.writer.width(font, text)) / 2;
        let baseline = place.y + (place.height + heights.ascent - heights.descent) / 2;
        self.writer.paint(canvas, font, (x, baseline), text, color);
    }

    /// Who a program is: module, and who signed it. Returns where it ends.
    pub fn identity(
        &self,
        canvas: &mut Canvas<'_>,
        place: Rect,
        identity: &Identity,
        color: Color,
    ) -> i32 {
        let mut rest = place;
        let end = self.write(canvas, font::CAPTION, rest, identity.module.as_str(), color);
        let mut next = |end: i32, gap: i32, text: &str| {
            rest = Rect::new(
                end + gap * self.scale,
                place.y,
                place.right() - end - gap * self.scale,
                place.height,
            );
            self.write(canvas, font::CAPTION, rest, text, color)
        };
        let end = next(end, 4, "by");
        next(end, 4, identity.publisher.as_str())
    }

    /// A title.
    pub fn title(&self, strip: &mut Strip, width: i32, title: &Title<'_>) -> bool {
        let Self { theme, scale, .. } = *self;
        let height = points::TITLE * scale;
        strip.draw(width, height, |canvas| {
            let all = Rect::new(0, 0, width, height);
            let (ground, ink) = match title.focused {
                true => (theme.surface, theme.text),
                false => (theme.sidebar, theme.secondary),
            };
            canvas.fill(all, theme.border);
            let border = points::BORDER * scale;
            canvas.fill(
                Rect::new(border, border, width - 2 * border, height - 2 * border),
                ground,
            );
            let buttons = Button::of(title.resizable);
            let end_of_text = button(all, buttons.len() as i32 - 1, scale).x;
            let left = (GAP + 2) * scale;
            let text = Rect::new(left, 0, (end_of_text - left) * 2 / 3, height);
            let end = self.write(canvas, font::STRONG, text, title.text, ink) + GAP * scale;
            let room = end_of_text - GAP * scale - end;
            let place = Rect::new(end, 0, room, height);
            let end = self.identity(canvas, place, &title.identity, theme.secondary);
            let mut rest = place;
            rest.cut_left(end - place.x, 4 * scale);
            if self.width(font::CAPTION, NETWORK) <= rest.width {
                self.write(canvas, font::CAPTION, rest, NETWORK, theme.secondary);
            }
            for (index, &which) in (0..).zip(buttons) {
                self.button(canvas, button(all, index, scale), which, title);
            }
        })
    }

    /// What stands over a prompt: the question's title, and the program that it is about.
    pub fn prompt(&self, strip: &mut Strip, width: i32, title: &str, of: &Identity) -> bool {
        let Self { theme, scale, .. } = *self;
        let height = points::TITLE * scale;
        strip.draw(width, height, |canvas| {
            let all = Rect::new(0, 0, width, height);
            let ink = theme.on_accent;
            canvas.fill(all, theme.accent);
            let mut rest = all.inset(GAP * scale, 0);
            let icon = rest.cut_left(20 * scale, 8 * scale);
            self.icon(canvas, 18, icon, Icon::Shield, ink);
            let end = self.write(canvas, font::STRONG, rest, title, ink);
            rest.cut_left(end + GAP * scale - rest.x, 0);
            let end = self.write(canvas, font::CAPTION, rest, "for", ink);
            rest.cut_left(end + 4 * scale - rest.x, 0);
            self.identity(canvas, rest, of, ink);
        })
    }

    /// What a program tells the user, below its name.
    pub fn toast(
        &self,
        strip: &mut Strip,
        (width, height): (i32, i32),
        text: &str,
        of: &Identity,
    ) -> bool {
        let Self { theme, scale, .. } = *self;
        strip.draw(width, height, |canvas| {
            let all = Rect::new(0, 0, width, height);
            canvas.fill(all, theme.surface);
            let mut rest = all.inset(GAP * scale, 8 * scale);
            let icon = rest.cut_left(20 * scale, GAP * scale);
            self.icon(canvas, 18, icon, Icon::Bell, theme.accent_text);
            let name = rest.cut_top(rest.height / 2, 0);
            self.identity(canvas, name, of, theme.secondary);
            self.write(canvas, font::BODY, rest, text, theme.text);
        })
    }

    /// All of the screen, before the machine ends.
    pub fn ending(&self, strip: &mut Strip, width: i32, height: i32, ending: &Ending) -> bool {
        const LINE: i32 = 32;
        const WIDTH: i32 = 420;
        let Self { theme, scale, .. } = *self;
        strip.draw(width, height, |canvas| {
            let all = Rect::new(0, 0, width, height);
            canvas.fill(all, theme.background);
            let lines = ending.steps().count() as i32 + 2;
            let mut lines = all.centred((WIDTH * scale).min(width), lines * LINE * scale);
            let head = lines.cut_top(2 * LINE * scale, 0);
            self.write(canvas, font::HEADING, head, ending.text, theme.text);
            for (text, step) in ending.steps() {
                let mut line = lines.cut_top(LINE * scale, 0);
                let mark = line.cut_left(20 * scale, GAP * scale);
                let (icon, color, ink) = match step {
                    Step::Done => (Some(Icon::Check), theme.good, theme.text),
                    Step::Failed => (Some(Icon::Warning), theme.danger, theme.danger),
                    Step::Now => (Some(Icon::Right), theme.accent_text, theme.text),
                    Step::Later => (None, theme.secondary, theme.secondary),
                };
                if let Some(icon) = icon {
                    self.icon(canvas, 18, mark, icon, color);
                }
                self.write(canvas, font::BODY, line, text, ink);
            }
        })
    }

    fn button(&self, canvas: &mut Canvas<'_>, place: Rect, which: Button, title: &Title<'_>) {
        let theme = self.theme;
        let hot = title.hot == Some(which);
        let icon = match which {
            Button::Close => Icon::Close,
            Button::Maximize if title.maximized => Icon::Down,
            Button::Maximize => Icon::Plus,
            Button::Minimize => Icon::Minus,
        };
        let color = match (hot, which) {
            (true, Button::Close) => theme.on_accent,
            _ => theme.secondary,
        };
        if hot {
            let ground = if which == Button::Close {
                theme.danger
            } else {
                theme.control_pressed
            };
            let inner = place.inset(6 * self.scale, 5 * self.scale);
            canvas.rounded(inner, 6 * self.scale, ground);
        }
        self.icon(canvas, 16, place, icon, color);
    }

    /// The trusted menu.
    pub fn menu(&self, strip: &mut Strip, menu: &Menu, program: Option<Identity>) -> bool {
        let Self { theme, scale, .. } = *self;
        let place = menu.place(Rect::default(), scale);
        let all = Rect::new(0, 0, place.width, place.height);
        strip.draw(all.width, all.height, |canvas| {
            canvas.fill(all, theme.surface);
            let mut head = menu.row(all, 0, scale);
            head = Rect::new(
                head.x + GAP * scale,
                14 * scale,
                head.width - 2 * GAP * scale,
                head.y - 26 * scale,
            );
            let name = head.cut_top(head.height / 2, 0);
            self.write(canvas, font::HEADING, name, "NØNOS", theme.text);
            self.write(
                canvas,
                font::CAPTION,
                head,
                "No program can show this menu, cover it or hear its keys.",
                theme.secondary,
            );
            for (index, choice) in menu.choices.iter().enumerate() {
                let row = menu.row(all, index, scale);
                let chosen = index == menu.chosen;
                if chosen {
                    canvas.rounded(row, 8 * scale, theme.accent);
                }
                let color = match (chosen, choice) {
                    (true, _) => theme.on_accent,
                    (false, Choice::EndProgram | Choice::PowerOff) => theme.danger,
                    (false, _) => theme.text,
                };
                let text = Rect::new(
                    row.x + GAP * scale,
                    row.y,
                    row.width - 2 * GAP * scale,
                    row.height,
                );
                let end = self.write(canvas, font::BODY, text, choice.text(), color);
                if let (Choice::EndProgram, Some(identity)) = (choice, program) {
                    let name = Rect::new(end + 6 * scale, row.y, text.right() - end, row.height);
                    self.write(canvas, font::STRONG, name, identity.module.as_str(), color);
                }
            }
        })
    }
}
