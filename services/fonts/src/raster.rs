//! Pixels of a glyph.

use alloc::vec;
use alloc::vec::Vec;

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use nonos_proto::fonts::Key;

use crate::faces::FACES;
use crate::outline::{self, Part};

/// Parts of the font's size in outlines.
const EM: f32 = 1024.0;

/// A glyph: coverage of its pixels, line by line, and where they lie from the pen on the baseline.
#[derive(Debug)]
pub struct Glyph {
    /// Pixels from the pen to the left edge.
    pub left: i8,
    /// Pixels from the baseline up to the top edge.
    pub top: i8,
    /// Pixels in a line.
    pub width: u8,
    /// Lines.
    pub height: u8,
    /// Coverage.
    pub pixels: Vec<u8>,
}

/// Least and most of the points of an outline, which its curves do not leave.
fn bounds(outline: &[Part]) -> Option<(outline::Point, outline::Point)> {
    let mut bounds: Option<(outline::Point, outline::Point)> = None;
    let mut see = |(x, y): outline::Point| {
        let (least, most) = bounds.get_or_insert(((x, y), (x, y)));
        *least = (least.0.min(x), least.1.min(y));
        *most = (most.0.max(x), most.1.max(y));
    };
    for &part in outline {
        match part {
            Part::Move(a) | Part::Line(a) => see(a),
            Part::Quadratic(a, b) => [a, b].into_iter().for_each(&mut see),
            Part::Cubic(a, b, c) => [a, b, c].into_iter().for_each(&mut see),
        }
    }
    bounds
}

/// The glyph of a key; `None` when no face has it, or it is too large.
pub fn glyph(key: Key) -> Option<Glyph> {
    let face = FACES.get(key.face() as usize)?;
    let outline: Vec<Part> = face.outline(key.character()?)?.collect();
    let size = key.size() as i32;
    if size == 0 {
        return None;
    }
    let Some((least, most)) = bounds(&outline) else {
        return Some(Glyph {
            left: 0,
            top: 0,
            width: 0,
            height: 0,
            pixels: Vec::new(),
        });
    };
    // Quarters of a pixel are 256 of the 1024 parts of one.
    let shift = key.phase() as i32 * 256;
    let left = (least.0 * size + shift).div_euclid(1024);
    let right = (most.0 * size + shift).div_euclid(1024) + 1;
    let bottom = (least.1 * size).div_euclid(1024);
    let top = (most.1 * size).div_euclid(1024) + 1;
    let width = u8::try_from(right - left).ok()?;
    let height = u8::try_from(top - bottom).ok()?;
    let scale = size as f32 / EM;
    let place = |(x, y): outline::Point| {
        let across = x as f32 * scale + shift as f32 / EM - left as f32;
        point(across, top as f32 - y as f32 * scale)
    };
    let mut pixels = vec![0; usize::from(width) * usize::from(height)];
    let mut rasterizer = Rasterizer::new(width.into(), height.into());
    trace(&outline, place, &mut rasterizer);
    rasterizer.for_each_pixel(|index, coverage| {
        if let Some(pixel) = pixels.get_mut(index) {
            *pixel = (coverage * 255.0 + 0.5) as u8;
        }
    });
    Some(Glyph {
        left: i8::try_from(left).ok()?,
        top: i8::try_from(top).ok()?,
        width,
        height,
        pixels,
    })
}

fn trace(outline: &[Part], place: impl Fn(outline::Point) -> Point, out: &mut Rasterizer) {
    let (mut first, mut at) = (point(0.0, 0.0), point(0.0, 0.0));
    for &part in outline {
        at = match part {
            Part::Move(a) => {
                out.draw_line(at, first);
                first = place(a);
                first
            }
            Part::Line(a) => {
                let end = place(a);
                out.draw_line(at, end);
                end
            }
            Part::Quadratic(a, b) => {
                let end = place(b);
                out.draw_quad(at, place(a), end);
                end
            }
            Part::Cubic(a, b, c) => {
                let end = place(c);
                out.draw_cubic(at, place(a), place(b), end);
                end
            }
        };
    }
    out.draw_line(at, first);
}
