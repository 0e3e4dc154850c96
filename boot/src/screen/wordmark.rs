//! The name, NØNOS, as strokes of one width: straight lines, rings and half rings, anti-aliased by counting
//! samples. All in whole numbers of sixteenths of a pixel; the boot loader has no floating point.

use super::{Canvas, Color};

/// Units in a pixel.
const UNIT: i32 = 16;
/// Samples in a pixel, along each axis.
const SAMPLES: i32 = 4;
/// Widest letter that is drawn, in pixels: more than the letters at their greatest height need.
const LETTER_PIXELS: usize = 128;

/// A stroke of a letter, around its middle line.
enum Stroke {
    /// From point to point.
    Line((i32, i32), (i32, i32)),
    /// A circle with centre and radius, without the part where `without(x, y)` relative to the centre holds.
    Ring {
        centre: (i32, i32),
        radius: i32,
        without: fn(i32, i32) -> bool,
    },
}

/// A letter: strokes with the number of their colour, and its width.
struct Letter {
    strokes: [Option<(Stroke, usize)>; 3],
    width: i32,
}

/// Draws the name with its upper left corner at (x, y). `colors`: letters, and the slash of the Ø.
pub fn draw(
    canvas: &mut dyn Canvas,
    x: usize,
    y: usize,
    height: usize,
    colors: &[Color; 2],
    background: Color,
) {
    let size = height as i32 * UNIT;
    let stroke = size / 9;
    let mut left = x;
    for letter in [
        n(size, stroke),
        o(size, stroke, true),
        n(size, stroke),
        o(size, stroke, false),
        s(size, stroke),
    ] {
        let width = (letter.width / UNIT) as usize + 1;
        draw_letter(
            canvas,
            (left, y),
            (width, height),
            &letter,
            stroke,
            colors,
            background,
        );
        left += width + height / 3;
    }
}

fn draw_letter(
    canvas: &mut dyn Canvas,
    (x, y): (usize, usize),
    (width, height): (usize, usize),
    letter: &Letter,
    stroke: i32,
    colors: &[Color; 2],
    background: Color,
) {
    let mut row = [background; LETTER_PIXELS];
    let width = width.min(LETTER_PIXELS);
    // The slash of the Ø reaches above and below the others.
    let overhang = height / 8;
    for line in 0..height + 2 * overhang {
        for (column, pixel) in row[..width].iter_mut().enumerate() {
            *pixel = background;
            for (number, color) in colors.iter().enumerate() {
                let at = (column as i32 * UNIT, (line as i32 - overhang as i32) * UNIT);
                *pixel = pixel.blend(*color, coverage(letter, number, stroke, at));
            }
        }
        if let Some(y) = (y + line).checked_sub(overhang) {
            canvas.write(x, y, &row[..width]);
        }
    }
}

/// How much of a pixel the strokes of a colour cover, in 255ths.
fn coverage(letter: &Letter, color: usize, width: i32, (x, y): (i32, i32)) -> u8 {
    let strokes = || {
        letter
            .strokes
            .iter()
            .flatten()
            .filter(|(_, number)| *number == color)
    };
    let mut inside = 0;
    for sample in 0..SAMPLES * SAMPLES {
        let step = UNIT / SAMPLES;
        let point = (
            x + sample % SAMPLES * step + step / 2,
            y + sample / SAMPLES * step + step / 2,
        );
        inside += i32::from(strokes().any(|(stroke, _)| covers(stroke, width, point)));
    }
    (inside * 255 / (SAMPLES * SAMPLES)) as u8
}

fn covers(stroke: &Stroke, width: i32, (x, y): (i32, i32)) -> bool {
    match *stroke {
        Stroke::Line((ax, ay), (bx, by)) => {
            let (dx, dy) = (i64::from(bx - ax), i64::from(by - ay));
            let (px, py) = (i64::from(x - ax), i64::from(y - ay));
            let length_squared = dx * dx + dy * dy;
            let along = px * dx + py * dy;
            let across = px * dy - py * dx;
            let half = i64::from(width) / 2;
            // distance = across / length
            (0..=length_squared).contains(&along) && across * across <= half * half * length_squared
        }
        Stroke::Ring {
            centre,
            radius,
            without,
        } => {
            let (px, py) = (x - centre.0, y - centre.1);
            let distance_squared = px * px + py * py;
            let (inner, outer) = (radius - width / 2, radius + width / 2);
            (inner * inner..=outer * outer).contains(&distance_squared) && !without(px, py)
        }
    }
}

fn n(size: i32, stroke: i32) -> Letter {
    let width = size * 4 / 5;
    let (left, right) = (stroke / 2, width - stroke / 2);
    let line = |from, to| Some((Stroke::Line(from, to), 0));
    Letter {
        strokes: [
            line((left, 0), (left, size)),
            line((right, 0), (right, size)),
            line((left, stroke / 2), (right, size - stroke / 2)),
        ],
        width,
    }
}

fn o(size: i32, stroke: i32, slashed: bool) -> Letter {
    let radius = (size - stroke) / 2;
    let ring = Stroke::Ring {
        centre: (size / 2, size / 2),
        radius,
        without: |_, _| false,
    };
    let over = size / 10;
    let slash = Stroke::Line((size / 8, size + over), (size * 7 / 8, -over));
    Letter {
        strokes: [Some((ring, 0)), slashed.then_some((slash, 1)), None],
        width: size,
    }
}

fn s(size: i32, stroke: i32) -> Letter {
    // Two rings, one on the other, that share the stroke in the middle.
    let radius = (size - stroke) / 4;
    let middle = radius + stroke / 2;
    let ring = |y, without| {
        Some((
            Stroke::Ring {
                centre: (middle, y),
                radius,
                without,
            },
            0,
        ))
    };
    Letter {
        strokes: [
            ring(middle, |x, y| x > 0 && y > 0),
            ring(size - middle, |x, y| x < 0 && y < 0),
            None,
        ],
        width: 2 * middle,
    }
}
