//! Text: where letters lie, and their glyphs out of the font service's atlas.
//!
//! Widths are exact, in 1/64 of a pixel, with kerning; glyphs exist for each quarter of a pixel, so letters keep their distances at any size.
//! The atlas is read as `nonos_proto::fonts` describes it, and may hold anything: what makes no sense is not drawn.

use alloc::vec;
use alloc::vec::Vec;

use nonos_proto::fonts::{GLYPHS, Key, MAGIC, PROBES, face, glyph, table};

use crate::canvas::Canvas;
use crate::color::Color;
use crate::geometry::Rect;

/// The atlas, and who fills it.
pub trait Atlas {
    /// Reads words from one on; those beyond the end are 0.
    fn read(&self, first: usize, out: &mut [u32]);

    /// Has glyphs put into the atlas.
    fn ensure(&self, keys: &[Key]);

    /// A word; 0 beyond the end.
    fn word(&self, index: usize) -> u32 {
        let mut word = [0];
        self.read(index, &mut word);
        word[0]
    }
}

/// A face in a size.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Font {
    /// One of [`face`].
    pub face: u32,
    /// Pixels, 1 to 127.
    pub size: u32,
}

impl Font {
    /// A face in a size.
    pub const fn new(face: u32, size: u32) -> Self {
        Self { face, size }
    }

    /// In a size so many times as large.
    pub const fn scaled(self, by: i32) -> Self {
        let size = self.size.saturating_mul(by as u32);
        Self {
            face: self.face,
            size: if size > Key::LARGEST {
                Key::LARGEST
            } else {
                size
            },
        }
    }
}

/// Parts of a pixel.
pub const PARTS: i32 = 64;

/// Most pixels of a glyph that is drawn.
const PIXELS: usize = 128 * 128;

/// The table of a face.
struct Face<'a> {
    atlas: &'a dyn Atlas,
    size: i32,
    /// Where the table begins, and its first words.
    at: usize,
    words: [u32; table::REST + 2],
}

impl<'a> Face<'a> {
    #[inline(never)]
    fn of(atlas: &'a dyn Atlas, font: Font) -> Self {
        let known = font.face < face::COUNT && atlas.word(0) == MAGIC;
        let at = if known {
            atlas.word(4 + font.face as usize)
        } else {
            0
        };
        let mut words = [0; table::REST + 2];
        if at != 0 {
            atlas.read(at as usize, &mut words);
        }
        Self {
            atlas,
            size: font.size.min(Key::LARGEST) as i32,
            at: at as usize,
            words,
        }
    }

    /// A length of the table in pixels, rounded.
    fn pixels(&self, index: usize) -> i32 {
        (self.words[index].min(4096) as i32 * self.size + 512) / 1024
    }

    /// The entry of a character: advance and classes.
    #[inline(never)]
    fn entry(&self, character: char) -> Option<u32> {
        let ranges = (self.words[table::RANGES] as usize).min(64);
        let code = u32::from(character);
        let (mut before, mut range) = (
            0_u32,
            [self.words[table::REST], self.words[table::REST + 1]],
        );
        for number in 0..ranges {
            if number > 0 {
                self.atlas
                    .read(self.at + table::REST + 2 * number, &mut range);
            }
            let within = code.wrapping_sub(range[0]);
            if within < range[1] {
                let index = before.wrapping_add(within).min(0xFFFF) as usize;
                return Some(self.atlas.word(self.at + table::REST + 2 * ranges + index));
            }
            before = before.wrapping_add(range[1]);
        }
        None
    }

    /// What kerning adds between two entries, 1/64 of a pixel.
    #[inline(never)]
    fn kerning(&self, left: u32, right: u32) -> i32 {
        let columns = self.words[table::COLUMNS].min(256);
        if columns <= 1 {
            return 0;
        }
        let ranges = (self.words[table::RANGES] as usize).min(64);
        let characters = (self.words[table::CHARACTERS] as usize).min(0xFFFF);
        let cell = ((left >> 16 & 255) * columns + (right >> 24)) as usize;
        let word = self.at + table::REST + 2 * ranges + characters + cell / 4;
        let value = self.atlas.word(word).to_le_bytes()[cell % 4] as i8;
        i32::from(value) * self.size * PARTS / 512
    }
}

/// A letter of a line: where its pen begins (1/64 of a pixel), and what.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Where the pen begins.
    pub x: i32,
    /// Which byte of the text it begins with.
    pub byte: usize,
    /// The letter.
    pub character: char,
}

/// Writes with an atlas.
#[derive(Clone, Copy)]
pub struct Writer<'a>(pub &'a dyn Atlas);

impl core::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Writer")
    }
}

/// How high a face is in a size, pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heights {
    /// From the baseline up to the top of a line.
    pub ascent: i32,
    /// From the baseline down to the bottom of a line.
    pub descent: i32,
    /// Capitals.
    pub capitals: i32,
    /// Small letters.
    pub small: i32,
}

impl<'a> Writer<'a> {
    /// Places the letters of a line; returns its width, 1/64 of a pixel. What the face lacks is placed as `?` in a box would be: U+FFFD is not there, so as `?`.
    pub fn place(self, font: Font, text: &str, mut letter: impl FnMut(Placed)) -> i32 {
        let face = Face::of(self.0, font);
        let unknown = face.entry('?');
        let (mut x, mut last) = (0_i32, None);
        for (byte, character) in text.char_indices() {
            let (entry, character) = match face.entry(character) {
                Some(entry) => (entry, character),
                None if character.is_control() => continue,
                None => (unknown.unwrap_or(0), '?'),
            };
            if let Some(last) = last {
                x = x.saturating_add(face.kerning(last, entry));
            }
            letter(Placed { x, byte, character });
            let advance = (entry & 0xFFFF) as i32 * face.size * PARTS / 1024;
            x = x.saturating_add(advance).min(i32::MAX / 4);
            last = Some(entry);
        }
        x
    }

    /// Width of a line in pixels, rounded up.
    pub fn width(self, font: Font, text: &str) -> i32 {
        (self.place(font, text, |_| {}) + PARTS - 1) / PARTS
    }

    /// How high the face is.
    pub fn heights(self, font: Font) -> Heights {
        let face = Face::of(self.0, font);
        Heights {
            ascent: face.pixels(table::ASCENT),
            descent: face.pixels(table::DESCENT),
            capitals: face.pixels(table::CAPITALS),
            small: face.pixels(table::SMALL),
        }
    }

    /// The byte of the text that begins closest to a place, pixels from its left edge.
    #[inline(never)]
    pub fn byte_at(self, font: Font, text: &str, x: i32) -> usize {
        let x = x.saturating_mul(PARTS);
        let (mut best, mut least) = (0, i32::MAX);
        let mut see = |at: i32, byte: usize| {
            let away = at.abs_diff(x).min(i32::MAX as u32) as i32;
            if away < least {
                (best, least) = (byte, away);
            }
        };
        let end = self.place(font, text, |placed| see(placed.x, placed.byte));
        see(end, text.len());
        best
    }

    /// As much of the text as fits into so many pixels, and whether that is all; what is cut leaves room for an ellipsis.
    #[inline(never)]
    pub fn fit(self, font: Font, text: &str, width: i32) -> (&str, bool) {
        if self.width(font, text) <= width {
            return (text, true);
        }
        let room = (width - self.width(font, "…")).saturating_mul(PARTS);
        let mut end = 0;
        self.place(font, text, |placed| {
            if placed.x <= room {
                end = placed.byte;
            }
        });
        (text[..end].trim_end(), false)
    }

    /// Paints a line of text; `x` and `baseline` in pixels.
    #[inline(never)]
    pub fn paint(
        self,
        canvas: &mut Canvas<'_>,
        font: Font,
        at: (i32, i32),
        text: &str,
        color: Color,
    ) {
        let clip = canvas.clip();
        let reach = font.size as i32 * 2;
        if at.1 + reach < clip.y || at.1 - reach > clip.bottom() {
            return;
        }
        let mut keys: Vec<(i32, Key)> = Vec::with_capacity(text.len());
        self.place(font, text, |placed| {
            // Rounded to quarters of a pixel.
            let quarters = (placed.x + 8) >> 4;
            let x = at.0.saturating_add(quarters >> 2);
            if x.saturating_add(reach) >= clip.x
                && x - reach <= clip.right()
                && placed.character != ' '
            {
                let phase = (quarters & 3) as u32;
                keys.push((x, Key::new(font.face, font.size, phase, placed.character)));
            }
        });
        let missing: Vec<Key> = keys
            .iter()
            .map(|&(_, key)| key)
            .filter(|&key| self.find(key).is_none())
            .collect();
        if !missing.is_empty() {
            self.0.ensure(&missing);
        }
        for (x, key) in keys {
            if let Some(entry) = self.find(key) {
                self.paint_glyph(canvas, entry, (x, at.1), color);
            }
        }
    }

    #[inline(never)]
    fn find(self, key: Key) -> Option<[u32; glyph::WORDS]> {
        let table = self.0.word(1) as usize;
        (0..PROBES).find_map(|probe| {
            let entry = (key.first_entry() + probe) % GLYPHS;
            let mut words = [0; glyph::WORDS];
            self.0
                .read(table + entry as usize * glyph::WORDS, &mut words);
            (words[glyph::KEY] == key.0).then_some(words)
        })
    }

    #[inline(never)]
    fn paint_glyph(
        self,
        canvas: &mut Canvas<'_>,
        entry: [u32; glyph::WORDS],
        at: (i32, i32),
        color: Color,
    ) {
        let [left, top, width, height] = entry[glyph::PLACE].to_le_bytes();
        let rect = Rect::new(
            at.0 + i32::from(left as i8),
            at.1 - i32::from(top as i8),
            width.into(),
            height.into(),
        );
        let count = usize::from(width) * usize::from(height);
        if count > PIXELS || rect.intersect(canvas.clip()).is_empty() {
            return;
        }
        let first = (self.0.word(2) as usize).saturating_add(entry[glyph::PIXELS] as usize);
        let mut words = vec![0; count.div_ceil(4)];
        self.0.read(first, &mut words);
        let mut coverage = vec![0; words.len() * 4];
        for (bytes, word) in coverage.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        canvas.glyph(rect, &coverage, color);
    }
}
