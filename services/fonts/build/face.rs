//! A face: its characters with their advances, kerning and outlines.

use std::fs;

use ttf_parser::Face as Source;

use crate::kerning::Kerning;
use crate::outline::Outline;

/// Lengths are in parts of the font's size, so many to one.
pub const EM: f32 = 1024.0;

/// A character.
pub struct Letter {
    pub code: u32,
    pub advance: u16,
    pub outline: Outline,
}

/// A face. Letters are sorted by code.
pub struct Face {
    /// Above the baseline, below it, height of capitals, height of small letters.
    pub heights: [u32; 4],
    pub letters: Vec<Letter>,
    pub kerning: Kerning,
}

impl Face {
    /// Takes characters of a font file, which must exist.
    pub fn read(path: &str, characters: &[&[(u32, u32)]], kerned: bool) -> Self {
        println!("cargo::rerun-if-changed={path}");
        let bytes = fs::read(path).unwrap_or_else(|error| {
            panic!("{path}: {error}: run `cargo xtask setup`, which installs the fonts")
        });
        let source = Source::parse(&bytes, 0).expect("the file is a font");
        let scale = EM / f32::from(source.units_per_em());
        let scaled = |units: i16| (f32::from(units) * scale).round() as u32;
        let mut codes: Vec<u32> = characters
            .iter()
            .flat_map(|ranges| ranges.iter())
            .flat_map(|&(first, last)| first..=last)
            .collect();
        codes.sort_unstable();
        let mut glyphs = Vec::new();
        let mut letters = Vec::new();
        for code in codes {
            let Some(glyph) = char::from_u32(code).and_then(|c| source.glyph_index(c)) else {
                continue;
            };
            let advance = f32::from(source.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
            let mut outline = Outline::new(scale);
            source.outline_glyph(glyph, &mut outline);
            glyphs.push(glyph);
            letters.push(Letter {
                code,
                advance: advance.round() as u16,
                outline,
            });
        }
        let kerning = if kerned {
            Kerning::read(&source, &glyphs, scale)
        } else {
            Kerning::none(letters.len())
        };
        Self {
            heights: [
                scaled(source.ascender()),
                scaled(-source.descender()),
                scaled(
                    source
                        .capital_height()
                        .expect("the font says how high capitals are"),
                ),
                scaled(
                    source
                        .x_height()
                        .expect("the font says how high small letters are"),
                ),
            ],
            letters,
            kerning,
        }
    }

    /// The words that `nonos_proto::fonts::table` describes.
    pub fn tables(&self) -> Vec<u8> {
        let mut ranges: Vec<[u32; 2]> = Vec::new();
        for letter in &self.letters {
            match ranges.last_mut() {
                Some([first, count]) if *first + *count == letter.code => *count += 1,
                _ => ranges.push([letter.code, 1]),
            }
        }
        let mut words = self.heights.to_vec();
        words.extend([ranges.len() as u32, self.letters.len() as u32]);
        words.extend([self.kerning.rows() as u32, self.kerning.columns as u32]);
        words.extend(ranges.as_flattened());
        for (index, letter) in self.letters.iter().enumerate() {
            let (left, right) = self.kerning.classes[index];
            words.push(u32::from(letter.advance) | u32::from(left) << 16 | u32::from(right) << 24);
        }
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        bytes.extend(self.kerning.matrix.iter().map(|&value| value as u8));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// Where each outline begins and the last ends, then all outlines.
    pub fn outlines(&self) -> Vec<u8> {
        let (mut starts, mut bytes) = (vec![0_u32], Vec::new());
        for letter in &self.letters {
            bytes.extend(&letter.outline.bytes);
            starts.push(bytes.len() as u32);
        }
        let starts = starts.into_iter().flat_map(u32::to_le_bytes);
        starts.chain(bytes).collect()
    }
}
