//! What a window shows, as a list of shapes, and which part of it differs from what it showed before.
//!
//! The window is a grid of cells. What is drawn in a cell is known by a hash of all shapes that touch it, in their order; cells whose
//! hash is another are painted anew. All lengths here are in pixels.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::canvas::Canvas;
use crate::color::Color;
use crate::geometry::Rect;
use crate::picture::Picture;
use crate::text::{Font, Writer};

/// What is drawn in a rectangle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shape {
    /// All of it.
    Fill(Color),
    /// With round corners: their radius.
    Rounded(i32, Color),
    /// A line along the inside: radius of its corners, its width.
    Frame(i32, i32, Color),
    /// A shadow around it: radius of its corners, how far it reaches.
    Shadow(i32, i32, Color),
    /// A line of text that begins at the left, this far below the top; which bytes of [`Frame::text`].
    Text(Font, i32, (u32, u32), Color),
    /// A curve: width of the line, which of [`Frame::values`], colours of line and of the area below.
    Plot(i32, (u32, u32), Color, Color),
    /// A picture: which of [`Frame::pictures`], and its number.
    Picture(u32, u64),
}

/// A shape in its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Command {
    /// Where.
    pub rect: Rect,
    /// Outside of this nothing is drawn.
    pub clip: Rect,
    /// What.
    pub shape: Shape,
}

impl Command {
    /// Nothing is drawn outside of this.
    #[inline(never)]
    fn bounds(&self) -> Rect {
        let reach = match self.shape {
            // It falls a quarter of that downwards.
            Shape::Shadow(_, blur, _) => blur + blur / 4,
            // Letters may reach beyond their advance.
            Shape::Text(font, ..) => font.size as i32 / 2,
            _ => 0,
        };
        self.rect.inset(-reach, -reach).intersect(self.clip)
    }
}

/// The list.
#[derive(Clone, Default, Debug)]
pub struct Frame {
    /// Shapes, from the lowest to the uppermost.
    pub commands: Vec<Command>,
    /// All text.
    pub text: String,
    /// All values of plots.
    pub values: Vec<u16>,
    /// All pictures.
    pub pictures: Vec<Rc<Picture>>,
}

/// Size of a cell.
const CELL: (i32, i32) = (64, 16);

/// Which hash each cell has.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cells {
    columns: i32,
    rows: i32,
    hashes: Vec<u64>,
}

impl Frame {
    /// Begins anew.
    #[inline(never)]
    pub fn clear(&mut self) {
        self.commands.clear();
        // Secrets are shown, too.
        let mut text = core::mem::take(&mut self.text).into_bytes();
        text.fill(0);
        text.clear();
        self.text = String::from_utf8(text).unwrap_or_default();
        self.values.clear();
        self.pictures.clear();
    }

    /// Adds text, for [`Shape::Text`].
    pub fn add_text(&mut self, text: &str) -> (u32, u32) {
        let first = self.text.len() as u32;
        self.text.push_str(text);
        (first, self.text.len() as u32)
    }

    pub(crate) fn text_of(&self, (first, end): (u32, u32)) -> &str {
        self.text
            .get(first as usize..end as usize)
            .unwrap_or_default()
    }

    fn values_of(&self, (first, end): (u32, u32)) -> &[u16] {
        self.values
            .get(first as usize..end as usize)
            .unwrap_or_default()
    }

    /// The hash of a command does not depend on where its text lies in the list.
    #[inline(never)]
    fn hash(&self, command: &Command) -> u64 {
        let mut hash = Mixer(0);
        let mut plain = *command;
        match &mut plain.shape {
            Shape::Text(_, _, text, _) => {
                self.text_of(*text).hash(&mut hash);
                *text = (0, 0);
            }
            Shape::Plot(_, values, ..) => {
                self.values_of(*values).hash(&mut hash);
                *values = (0, 0);
            }
            Shape::Picture(at, _) => *at = 0,
            _ => {}
        }
        plain.hash(&mut hash);
        hash.finish()
    }

    /// The cells of a window of this size.
    #[inline(never)]
    pub fn cells(&self, width: i32, height: i32) -> Cells {
        let columns = (width + CELL.0 - 1) / CELL.0;
        let rows = (height + CELL.1 - 1) / CELL.1;
        let mut hashes = vec![0; (columns * rows) as usize];
        let window = Rect::new(0, 0, width, height);
        for command in &self.commands {
            let bounds = command.bounds().intersect(window);
            if bounds.is_empty() {
                continue;
            }
            let hash = self.hash(command);
            for row in bounds.y / CELL.1..=(bounds.bottom() - 1) / CELL.1 {
                let first = row * columns;
                let span = first + bounds.x / CELL.0..=first + (bounds.right() - 1) / CELL.0;
                for cell in &mut hashes[*span.start() as usize..=*span.end() as usize] {
                    *cell = mix(*cell, hash);
                }
            }
        }
        Cells {
            columns,
            rows,
            hashes,
        }
    }

    /// Paints what is in a rectangle.
    pub fn paint(&self, canvas: &mut Canvas<'_>, writer: Writer<'_>, within: Rect) {
        for command in &self.commands {
            self.paint_one(canvas, writer, command, within);
        }
    }

    #[inline(never)]
    pub(crate) fn paint_one(
        &self,
        canvas: &mut Canvas<'_>,
        writer: Writer<'_>,
        command: &Command,
        within: Rect,
    ) {
        let clip = command.bounds().intersect(within);
        if clip.is_empty() {
            return;
        }
        canvas.set_clip(clip);
        let rect = command.rect;
        match command.shape {
            Shape::Fill(color) => canvas.fill(rect, color),
            Shape::Rounded(radius, color) => canvas.rounded(rect, radius, color),
            Shape::Frame(radius, width, color) => canvas.frame(rect, radius, width, color),
            Shape::Shadow(radius, blur, color) => canvas.shadow(rect, radius, blur, color),
            Shape::Text(font, down, text, color) => {
                let at = (rect.x, rect.y + down);
                writer.paint(canvas, font, at, self.text_of(text), color);
            }
            Shape::Plot(width, values, color, tint) => {
                canvas.plot(rect, self.values_of(values), width, color, tint);
            }
            Shape::Picture(at, _) => {
                if let Some(picture) = self.pictures.get(at as usize) {
                    picture.paint(canvas, rect);
                }
            }
        }
    }
}

impl Cells {
    /// Rectangles that have every cell that differs from `last`, and no other.
    #[inline(never)]
    pub fn differences(&self, last: &Self) -> Vec<Rect> {
        let all = (self.columns, self.rows) != (last.columns, last.rows);
        let mut found: Vec<Rect> = Vec::new();
        for row in 0..self.rows {
            let mut column = 0;
            while column < self.columns {
                let differs = |column: i32| {
                    let index = (row * self.columns + column) as usize;
                    column < self.columns && (all || self.hashes[index] != last.hashes[index])
                };
                let first = column;
                while differs(column) {
                    column += 1;
                }
                if column > first {
                    let width = (column - first) * CELL.0;
                    let run = Rect::new(first * CELL.0, row * CELL.1, width, CELL.1);
                    // Below one that is as wide it makes that longer.
                    let above = found.iter_mut().rev().find(|above| {
                        (above.x, above.width, above.bottom()) == (run.x, run.width, run.y)
                    });
                    match above {
                        Some(above) => above.height += CELL.1,
                        None => found.push(run),
                    }
                }
                column += 1;
            }
        }
        found
    }
}

fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ mixed >> 29
}

/// Not for anything that somebody might want to collide: both pictures come from the same program.
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mix(self.0, u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.0 = mix(self.0, word.into());
    }

    fn write_i32(&mut self, word: i32) {
        self.write_u32(word as u32);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
