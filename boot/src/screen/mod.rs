//! The boot screen: the name, one line per check, and a panel at the bottom when something is refused.
//!
//! Drawn once from top to bottom onto a [`Canvas`], never read back: the background is plain, so glyphs can be
//! blended against it. Lines that do not fit on a small screen are left out; the serial line has them.

mod wordmark;

use noto_sans_mono_bitmap::{
    FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width,
};

/// A colour: 0xRRGGBB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Color(pub u32);

impl Color {
    /// The mixture of `self` and, by 255ths, `over`.
    fn blend(self, over: Self, weight: u8) -> Self {
        // Most pixels of a glyph.
        if weight == 0 {
            return self;
        }
        let weight = u32::from(weight);
        let mix = |shift: u32| {
            let (below, above) = (self.0 >> shift & 0xFF, over.0 >> shift & 0xFF);
            ((below * (255 - weight) + above * weight + 127) / 255) << shift
        };
        Self(mix(16) | mix(8) | mix(0))
    }
}

/// What can be drawn on.
pub trait Canvas {
    /// Width and height in pixels.
    fn size(&self) -> (usize, usize);

    /// Sets pixels from (x, y) to the right. What lies outside is ignored.
    fn write(&mut self, x: usize, y: usize, pixels: &[Color]);

    /// Sets all pixels of a line from `x` on for `width`. What lies outside is ignored.
    fn fill(&mut self, x: usize, y: usize, width: usize, color: Color);
}

/// How a result reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// As it should be.
    Good,
    /// The machine lacks something that would make it safer.
    Notice,
}

const BACKGROUND: Color = Color(0x0D_1117);
const NAME: Color = Color(0xF0_F3F6);
const ACCENT: Color = Color(0x56_B6C2);
const RULE: Color = Color(0x26_2D36);
const CHECK: Color = Color(0x8B_949E);
const GOOD: Color = Color(0xD5_DBE1);
const NOTICE: Color = Color(0xE3_B341);
const REFUSED: Color = Color(0xFF_7B72);
const PANEL: Color = Color(0x2A_1418);

const FONT: RasterHeight = RasterHeight::Size20;
const WEIGHT: FontWeight = FontWeight::Regular;
const GLYPH_HEIGHT: usize = FONT.val();
const GLYPH_WIDTH: usize = get_raster_width(WEIGHT, FONT);
const LINE_HEIGHT: usize = GLYPH_HEIGHT + 4;
/// Characters to the column of results.
const RESULT_COLUMN: usize = 28;
/// Text lines of the panel.
const PANEL_LINES: usize = 5;

/// A screen with the boot screen on it.
pub struct Screen<'c> {
    canvas: &'c mut dyn Canvas,
    left: usize,
    next: usize,
    lines_end: usize,
}

impl<'c> Screen<'c> {
    /// Clears the canvas and draws what stays: the name.
    pub fn new(canvas: &'c mut dyn Canvas) -> Self {
        let (width, height) = canvas.size();
        let left = width / 12;
        let top = height / 12;
        let name_height = (height / 14).clamp(24, 64);
        let rule = top + name_height + name_height / 2;
        let lines_end = height.saturating_sub(PANEL_LINES * LINE_HEIGHT);
        let new = Self {
            canvas,
            left,
            next: rule + LINE_HEIGHT,
            lines_end,
        };
        (0..height).for_each(|y| new.canvas.fill(0, y, width, BACKGROUND));
        wordmark::draw(
            new.canvas,
            (left, top),
            name_height,
            &[NAME, ACCENT],
            BACKGROUND,
        );
        new.canvas.fill(left, rule, width - 2 * left, RULE);
        new
    }

    /// Draws a check and its result.
    pub fn line(&mut self, check: &str, tone: Tone, result: &str) {
        if self.next + LINE_HEIGHT > self.lines_end {
            return;
        }
        let color = match tone {
            Tone::Good => GOOD,
            Tone::Notice => NOTICE,
        };
        self.text(self.left, self.next, check, CHECK, BACKGROUND);
        self.text(
            self.left + RESULT_COLUMN * GLYPH_WIDTH,
            self.next,
            result,
            color,
            BACKGROUND,
        );
        self.next += LINE_HEIGHT;
    }

    /// Draws the panel that says why nothing will run.
    pub fn refuse(&mut self, reason: &str, advice: &str) {
        let (width, height) = self.canvas.size();
        let top = height.saturating_sub(PANEL_LINES * LINE_HEIGHT);
        (top..height).for_each(|y| self.canvas.fill(0, y, width, PANEL));
        let columns = (width.saturating_sub(2 * self.left) / GLYPH_WIDTH).max(1);
        let mut y = top + LINE_HEIGHT / 2;
        let mut rest = reason;
        for _ in 0..PANEL_LINES - 2 {
            let (line, after) = wrap(rest, columns);
            self.text(self.left, y, line, REFUSED, PANEL);
            y += LINE_HEIGHT;
            rest = after;
        }
        self.text(self.left, y, advice, CHECK, PANEL);
    }

    fn text(&mut self, x: usize, y: usize, text: &str, color: Color, background: Color) {
        for (column, character) in text.chars().enumerate() {
            let Some(glyph) = glyph(character) else {
                continue;
            };
            let mut row = [background; GLYPH_WIDTH];
            for (line, coverage) in glyph.rows().enumerate() {
                for (pixel, weight) in row.iter_mut().zip(coverage) {
                    *pixel = background.blend(color, *weight);
                }
                self.canvas.write(x + column * GLYPH_WIDTH, y + line, &row);
            }
        }
    }
}

fn glyph(character: char) -> Option<RasterizedChar> {
    get_raster(character, WEIGHT, FONT).or_else(|| get_raster('?', WEIGHT, FONT))
}

/// The part of `text` that fits in `columns`, cut at a space where there is one, and what follows.
fn wrap(text: &str, columns: usize) -> (&str, &str) {
    let Some((end, _)) = text.char_indices().nth(columns) else {
        return (text, "");
    };
    let (fits, _) = text.split_at(end);
    match fits.rfind(' ') {
        Some(space) if space > 0 => (&text[..space], &text[space + 1..]),
        _ => text.split_at(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Picture {
        width: usize,
        pixels: Vec<Color>,
    }

    impl Picture {
        fn new(width: usize, height: usize) -> Self {
            Self {
                width,
                pixels: vec![Color(0xFF_FFFF); width * height],
            }
        }
    }

    impl Canvas for Picture {
        fn size(&self) -> (usize, usize) {
            (self.width, self.pixels.len() / self.width)
        }

        fn write(&mut self, x: usize, y: usize, pixels: &[Color]) {
            for (i, pixel) in pixels
                .iter()
                .enumerate()
                .filter(|(i, _)| x + i < self.width)
            {
                if let Some(slot) = self.pixels.get_mut(y * self.width + x + i) {
                    *slot = *pixel;
                }
            }
        }

        fn fill(&mut self, x: usize, y: usize, width: usize, color: Color) {
            self.write(x, y, &vec![color; width]);
        }
    }

    fn count(picture: &Picture, color: Color) -> usize {
        picture
            .pixels
            .iter()
            .filter(|pixel| **pixel == color)
            .count()
    }

    #[test]
    fn the_whole_screen_is_painted() {
        let mut picture = Picture::new(1280, 800);
        Screen::new(&mut picture);
        assert_eq!(count(&picture, Color(0xFF_FFFF)), 0);
        assert!(count(&picture, NAME) > 1000);
        assert!(count(&picture, ACCENT) > 50);
    }

    #[test]
    fn lines_show_check_and_result_in_their_colours() {
        let mut picture = Picture::new(1280, 800);
        let mut screen = Screen::new(&mut picture);
        screen.line("image signature Ed25519", Tone::Good, "valid");
        screen.line("TPM 2.0", Tone::Notice, "absent");
        for color in [CHECK, GOOD, NOTICE] {
            assert!(count(&picture, color) > 2, "{color:?}");
        }
    }

    #[test]
    fn more_lines_than_fit_and_tiny_screens_are_no_problem() {
        for (width, height) in [(1, 1), (20, 30), (320, 200), (640, 480), (2560, 1600)] {
            let mut picture = Picture::new(width, height);
            let mut screen = Screen::new(&mut picture);
            for _ in 0..100 {
                screen.line(
                    "check",
                    Tone::Good,
                    "a result that is longer than the screen is wide",
                );
            }
            screen.refuse("image payload BLAKE3: found 00, expected 11", "press a key");
        }
    }

    #[test]
    fn a_refusal_is_in_the_panel_whatever_came_before() {
        let mut picture = Picture::new(640, 480);
        let mut screen = Screen::new(&mut picture);
        for _ in 0..50 {
            screen.line("check", Tone::Good, "result");
        }
        screen.refuse("REFUSED: x", "press a key");
        assert!(count(&picture, REFUSED) > 10);
        assert!(count(&picture, PANEL) > 640 * 60);
    }

    #[test]
    fn text_is_wrapped_at_spaces_or_where_it_must() {
        assert_eq!(
            wrap("found abc, expected def", 12),
            ("found abc,", "expected def")
        );
        assert_eq!(wrap("0123456789", 4), ("0123", "456789"));
        assert_eq!(wrap("short", 10), ("short", ""));
    }

    #[test]
    fn colours_blend_to_their_ends() {
        assert_eq!(PANEL.blend(NAME, 0), PANEL);
        assert_eq!(PANEL.blend(NAME, 255), NAME);
        assert_eq!(Color(0).blend(Color(0xFF_FFFF), 128), Color(0x80_8080));
    }
}
