//! The fonts: faces, and glyphs as they are needed, in one atlas that every program reads and the service alone writes.
//!
//! A program asks for the atlas once. Where letters lie in a line it finds out without a call, and calls [`Fonts::ensure`] for glyphs
//! that nobody needed before. The atlas is words, 32 bits each, little-endian where they hold bytes:
//!
//! | word | |
//! |---|---|
//! | 0 | [`MAGIC`] |
//! | 1 | where the table of glyphs begins, a word of the atlas; [`GLYPHS`] entries of [`glyph::WORDS`] words |
//! | 2 | where the pixels begin, a word of the atlas |
//! | 4 … 7 | where the [`table`] of each [`face`] begins, a word of the atlas |
//!
//! Whoever reads it takes it for what anybody might have written.

use nonos_abi::Handle;

use crate::interface::interface;

/// Word 0.
pub const MAGIC: u32 = 0x4E4F_4601;

/// Entries of the table of glyphs, a power of two.
pub const GLYPHS: u32 = 8192;

/// A glyph's entry is one of so many that follow the one its key leads to, or there is none.
pub const PROBES: u32 = 32;

/// Most glyphs that one [`Fonts::ensure`] asks for.
pub const ENSURED: usize = 256;

/// Faces.
pub mod face {
    /// What most text is written in.
    pub const SANS: u32 = 0;
    /// The same, heavier: titles.
    pub const BOLD: u32 = 1;
    /// All letters equally wide.
    pub const MONO: u32 = 2;
    /// Icons, from U+E000 on.
    pub const ICONS: u32 = 3;
    /// How many there are.
    pub const COUNT: u32 = 4;
}

/// Words of a face's table, from its first. Lengths are in 1/1024 of the font's size.
///
/// Behind these lie, in this order: the ranges of characters, two words each (first, how many), in the order of characters; a word for each
/// character (advance in the low 16 bits, then 8 bits each: class on the left of a pair, class on the right); the distances that kerning
/// adds, a byte each (two's complement, 1/512 of the size), row by row: rows are classes on the left.
pub mod table {
    /// From the baseline up to the top of a line.
    pub const ASCENT: usize = 0;
    /// From the baseline down to the bottom of a line.
    pub const DESCENT: usize = 1;
    /// Height of capitals.
    pub const CAPITALS: usize = 2;
    /// Height of small letters.
    pub const SMALL: usize = 3;
    /// How many ranges.
    pub const RANGES: usize = 4;
    /// How many characters.
    pub const CHARACTERS: usize = 5;
    /// Classes on the left.
    pub const ROWS: usize = 6;
    /// Classes on the right.
    pub const COLUMNS: usize = 7;
    /// Where the ranges begin.
    pub const REST: usize = 8;
}

/// A glyph's entry.
pub mod glyph {
    /// The [`super::Key`], written last; 0 for no glyph.
    pub const KEY: usize = 0;
    /// Where its pixels begin, a word of the pixels: coverage, a byte each, line by line.
    pub const PIXELS: usize = 1;
    /// A byte each: pixels from the pen to the left edge and from the baseline up to the top edge (both two's complement), width, height.
    pub const PLACE: usize = 2;
    /// Words of an entry.
    pub const WORDS: usize = 3;
}

/// Which glyph: character, size, face, and where between two pixels it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key(pub u32);

impl Key {
    /// Largest size, pixels.
    pub const LARGEST: u32 = 127;
    /// Places between two pixels.
    pub const PHASES: u32 = 4;

    /// The key; sizes are in pixels, 1 to [`Self::LARGEST`], phases in quarters of a pixel.
    pub const fn new(face: u32, size: u32, phase: u32, character: char) -> Self {
        Self(character as u32 | (face & 3) << 21 | (phase & 3) << 23 | (size & 127) << 25)
    }

    /// The character, unless there is none with this code.
    pub fn character(self) -> Option<char> {
        char::from_u32(self.0 & 0x1F_FFFF)
    }

    /// The face.
    pub const fn face(self) -> u32 {
        self.0 >> 21 & 3
    }

    /// Quarters of a pixel.
    pub const fn phase(self) -> u32 {
        self.0 >> 23 & 3
    }

    /// Pixels.
    pub const fn size(self) -> u32 {
        self.0 >> 25
    }

    /// Which entry of the table comes first.
    pub const fn first_entry(self) -> u32 {
        self.0.wrapping_mul(0x9E37_79B1) >> (32 - GLYPHS.ilog2())
    }
}

interface! {
    /// The fonts.
    pub trait Fonts, version 1;

    /// The atlas. READ.
    1 => answered atlas() -> Handle;

    /// Sees to it that these glyphs are in the atlas: at most [`ENSURED`] [`Key`]s, 4 bytes each, little-endian. What no face has is left
    /// out. Refused as [`crate::Refusal::Full`] when the caller had its share of the atlas.
    2 => answered ensure(; keys: read) -> ();
}
