//! Outlines as bytes: see `src/outline.rs`, which reads them.

use ttf_parser::OutlineBuilder;

/// An outline that is being written.
#[derive(Default)]
pub struct Outline {
    scale: f32,
    at: (i32, i32),
    pub bytes: Vec<u8>,
}

impl Outline {
    /// Nothing yet; coordinates to come are multiplied by this.
    pub fn new(scale: f32) -> Self {
        Self {
            scale,
            ..Self::default()
        }
    }

    fn part(&mut self, kind: u8, points: &[(f32, f32)]) {
        self.bytes.push(kind);
        for &(x, y) in points {
            let to = (
                (x * self.scale).round() as i32,
                (y * self.scale).round() as i32,
            );
            self.number(to.0 - self.at.0);
            self.number(to.1 - self.at.1);
            self.at = to;
        }
    }

    /// Small numbers take one byte: zigzag, seven bits each.
    fn number(&mut self, value: i32) {
        let mut rest = (value << 1 ^ value >> 31) as u32;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.part(0, &[(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.part(1, &[(x, y)]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.part(2, &[(x1, y1), (x, y)]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.part(3, &[(x1, y1), (x2, y2), (x, y)]);
    }

    /// What follows begins elsewhere, and readers close what they have.
    fn close(&mut self) {}
}
