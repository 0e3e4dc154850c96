//! Outlines: parts of curves, each a byte that says its kind, and its points.
//!
//! Kinds: 0 begins elsewhere (1 point), 1 is a line (1), 2 a quadratic curve (2), 3 a cubic one (3). A point is two numbers, how far right
//! and up it is from the one before, in 1/1024 of the font's size; a number is zigzag with seven bits to a byte, lowest first. What
//! does not read as that ends the outline.

/// A point, 1/1024 of the font's size from the pen, upwards.
pub type Point = (i32, i32);

/// A part of an outline. It begins where the last ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Begins here.
    Move(Point),
    /// A line to here.
    Line(Point),
    /// A curve, its control point first.
    Quadratic(Point, Point),
    /// A curve, its control points first.
    Cubic(Point, Point, Point),
}

/// The parts of an outline.
#[derive(Clone, Debug)]
pub struct Outline<'a> {
    bytes: core::slice::Iter<'a, u8>,
    at: Point,
}

impl<'a> Outline<'a> {
    /// Reads from the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            at: (0, 0),
        }
    }

    fn number(&mut self) -> Option<i32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14] {
            let &byte = self.bytes.next()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some((value >> 1) as i32 ^ -((value & 1) as i32));
            }
        }
        None
    }

    fn point(&mut self) -> Option<Point> {
        let (right, up) = (self.number()?, self.number()?);
        self.at = (self.at.0.wrapping_add(right), self.at.1.wrapping_add(up));
        Some(self.at)
    }
}

impl Iterator for Outline<'_> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        Some(match self.bytes.next()? {
            0 => Part::Move(self.point()?),
            1 => Part::Line(self.point()?),
            2 => Part::Quadratic(self.point()?, self.point()?),
            3 => Part::Cubic(self.point()?, self.point()?, self.point()?),
            _ => return None,
        })
    }
}
