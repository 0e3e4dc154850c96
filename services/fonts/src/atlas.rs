//! The atlas: the memory that programs read, as `nonos_proto::fonts` describes it.

use core::sync::atomic::{AtomicU32, Ordering};

use nonos_proto::fonts::{GLYPHS, Key, MAGIC, PROBES, glyph};

use crate::faces::FACES;
use crate::raster::{self, Glyph};

/// Bytes of pixels.
const PIXEL_BYTES: usize = 1 << 20;

/// Where the table of the first face begins.
const FIRST_TABLE: usize = 8;

/// The atlas takes so many words at least.
pub const WORDS: usize = {
    let (mut words, mut face) = (FIRST_TABLE, 0);
    while face < FACES.len() {
        words += FACES[face].tables.len() / 4;
        face += 1;
    }
    words + GLYPHS as usize * glyph::WORDS + PIXEL_BYTES / 4
};

/// What became of a glyph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Added {
    /// It is there, as it was before.
    Known,
    /// It was drawn: how many words its pixels take.
    Drawn(usize),
    /// No face has it, or it is too large.
    Missing,
    /// There is no room for it.
    Full,
}

/// The writer of an atlas.
#[derive(Debug)]
pub struct Atlas<W> {
    words: W,
    glyphs: usize,
    pixels: usize,
    /// Words of the pixels that are used.
    used: usize,
}

impl<W: AsRef<[AtomicU32]>> Atlas<W> {
    /// Begins an atlas in zeroed words; `None` when they are fewer than [`WORDS`].
    pub fn new(words: W) -> Option<Self> {
        if words.as_ref().len() < WORDS {
            return None;
        }
        let mut next = FIRST_TABLE;
        for (index, face) in FACES.iter().enumerate() {
            write(words.as_ref(), 4 + index, next as u32);
            for &bytes in face.tables.as_chunks().0 {
                write(words.as_ref(), next, u32::from_le_bytes(bytes));
                next += 1;
            }
        }
        let pixels = next + GLYPHS as usize * glyph::WORDS;
        write(words.as_ref(), 1, next as u32);
        write(words.as_ref(), 2, pixels as u32);
        write(words.as_ref(), 0, MAGIC);
        Some(Self {
            words,
            glyphs: next,
            pixels,
            used: 0,
        })
    }

    /// The memory.
    pub fn words(&self) -> &[AtomicU32] {
        self.words.as_ref()
    }

    /// Draws a glyph unless it is there already.
    pub fn ensure(&mut self, key: Key) -> Added {
        let mut free = None;
        for probe in 0..PROBES {
            let entry = (key.first_entry() + probe) % GLYPHS;
            let at = self.glyphs + entry as usize * glyph::WORDS;
            match self
                .words()
                .get(at)
                .map(|word| word.load(Ordering::Relaxed))
            {
                Some(0) => {
                    free = Some(at);
                    break;
                }
                Some(there) if there == key.0 => return Added::Known,
                _ => {}
            }
        }
        let Some(glyph) = raster::glyph(key) else {
            return Added::Missing;
        };
        let words = glyph.pixels.len().div_ceil(4);
        match free {
            Some(at) if self.used + words <= PIXEL_BYTES / 4 => {
                self.add(at, key, &glyph);
                Added::Drawn(words)
            }
            _ => Added::Full,
        }
    }

    /// The key comes last, when all that it stands for is there.
    fn add(&mut self, at: usize, key: Key, glyph: &Glyph) {
        let words = self.words.as_ref();
        let first = self.used;
        for (index, bytes) in glyph.pixels.chunks(4).enumerate() {
            let mut four = [0; 4];
            four[..bytes.len()].copy_from_slice(bytes);
            write(words, self.pixels + first + index, u32::from_le_bytes(four));
        }
        self.used += glyph.pixels.len().div_ceil(4);
        let place = [glyph.left as u8, glyph.top as u8, glyph.width, glyph.height];
        write(words, at + glyph::PIXELS, first as u32);
        write(words, at + glyph::PLACE, u32::from_le_bytes(place));
        write(words, at + glyph::KEY, key.0);
    }
}

fn write(words: &[AtomicU32], index: usize, value: u32) {
    if let Some(word) = words.get(index) {
        word.store(value, Ordering::Release);
    }
}
