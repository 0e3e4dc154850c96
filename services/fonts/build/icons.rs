//! Icons: lines of one width with round ends, on a grid of 24 by 24, `icons.txt` says which.

use std::f32::consts::TAU;
use std::fs;

use ttf_parser::OutlineBuilder;

use crate::face::{EM, Face, Letter};
use crate::kerning::Kerning;
use crate::outline::Outline;

/// Units of the grid.
const GRID: f32 = 24.0;
/// Half the width of a line.
const HALF: f32 = 0.85;
/// Code of the first icon, where Unicode leaves codes to private use.
const FIRST: u32 = 0xE000;

type Point = (f32, f32);

/// Reads the icons. A line is a name and shapes, which are separated by `;`.
pub fn face(path: &str) -> Face {
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).expect("the icons can be read");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let letters: Vec<_> = lines
        .zip(FIRST..)
        .map(|(line, code)| {
            let mut outline = Outline::new(EM / GRID);
            let (_, shapes) = line.split_once(' ').expect("an icon has a name and shapes");
            shapes
                .split(';')
                .for_each(|shape| draw(shape, &mut outline));
            Letter {
                code,
                advance: EM as u16,
                outline,
            }
        })
        .collect();
    Face {
        heights: [EM as u32, 0, EM as u32, EM as u32],
        kerning: Kerning::none(letters.len()),
        letters,
    }
}

fn draw(shape: &str, out: &mut Outline) {
    let mut words = shape.split_whitespace();
    let kind = words.next().expect("a shape has a kind");
    let number = |word: &str| {
        word.parse()
            .unwrap_or_else(|_| panic!("{word:?} in {shape:?} is no number"))
    };
    let numbers: Vec<f32> = words.map(number).collect();
    let points: Vec<Point> = numbers
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let mut path = Path { out, begun: false };
    match (kind, numbers.as_slice()) {
        // A line through points: each piece is drawn for itself, with round ends.
        ("line", _) => points
            .windows(2)
            .for_each(|ends| path.line(ends[0], ends[1])),
        // A filled polygon, clockwise.
        ("fill", _) => path.polygon(&points),
        // A circle, and a part of one: centre, radius, from and to in degrees, clockwise from the right.
        ("circle", &[x, y, r]) => path.ring((x, y), r),
        ("arc", &[x, y, r, from, to]) => path.part_of_ring((x, y), r, from, to),
        ("dot", &[x, y, r]) => path.disc((x, y), r),
        // A rectangle with round corners.
        ("rect", &[x, y, width, height, r]) => path.frame((x, y), (x + width, y + height), r),
        _ => panic!("no such shape: {shape:?}"),
    }
}

/// Closed curves. All go round clockwise, so that what lies in several is inside; holes go round the other way.
struct Path<'a> {
    out: &'a mut Outline,
    begun: bool,
}

impl Path<'_> {
    /// The grid's `y` grows downwards, an outline's upwards.
    fn to(&mut self, (x, y): Point) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.line_to(x, GRID - y);
        } else {
            self.out.move_to(x, GRID - y);
        }
    }

    fn close(&mut self) {
        self.begun = false;
    }

    /// A part of a circle, in curves of at most a quarter.
    fn arc(&mut self, centre: Point, radius: f32, from: f32, to: f32) {
        let at = |angle: f32, radius: f32| {
            let angle = angle / 360.0 * TAU;
            (
                centre.0 + radius * angle.cos(),
                centre.1 + radius * angle.sin(),
            )
        };
        let steps = ((to - from).abs() / 90.0).ceil();
        let step = (to - from) / steps;
        // Where the controls of a cubic curve lie along the tangents.
        let reach = 4.0 / 3.0 * (step / 4.0 / 360.0 * TAU).tan() * radius;
        self.to(at(from, radius));
        for number in 0..steps as u32 {
            let (begin, end) = (
                from + step * number as f32,
                from + step * (number + 1) as f32,
            );
            let tangent = |angle: f32, ahead: f32| {
                let ((x, y), angle) = (at(angle, radius), angle / 360.0 * TAU);
                (x - ahead * angle.sin(), y + ahead * angle.cos())
            };
            let (a, b, c) = (tangent(begin, reach), tangent(end, -reach), at(end, radius));
            self.out
                .curve_to(a.0, GRID - a.1, b.0, GRID - b.1, c.0, GRID - c.1);
        }
    }

    fn line(&mut self, from: Point, to: Point) {
        let angle = (to.1 - from.1).atan2(to.0 - from.0).to_degrees();
        self.arc(to, HALF, angle - 90.0, angle + 90.0);
        self.arc(from, HALF, angle + 90.0, angle + 270.0);
        self.close();
    }

    fn polygon(&mut self, points: &[Point]) {
        points.iter().for_each(|&point| self.to(point));
        self.close();
    }

    fn disc(&mut self, centre: Point, radius: f32) {
        self.arc(centre, radius, 0.0, 360.0);
        self.close();
    }

    fn ring(&mut self, centre: Point, radius: f32) {
        self.disc(centre, radius + HALF);
        self.arc(centre, radius - HALF, 360.0, 0.0);
        self.close();
    }

    fn part_of_ring(&mut self, centre: Point, radius: f32, from: f32, to: f32) {
        let end = |angle: f32| {
            let angle = angle / 360.0 * TAU;
            (
                centre.0 + radius * angle.cos(),
                centre.1 + radius * angle.sin(),
            )
        };
        self.arc(centre, radius + HALF, from, to);
        self.arc(end(to), HALF, to, to + 180.0);
        self.arc(centre, radius - HALF, to, from);
        self.arc(end(from), HALF, from + 180.0, from + 360.0);
        self.close();
    }

    fn frame(&mut self, (left, top): Point, (right, bottom): Point, radius: f32) {
        let corners = [
            ((right - radius, bottom - radius), 0.0),
            ((left + radius, bottom - radius), 90.0),
            ((left + radius, top + radius), 180.0),
            ((right - radius, top + radius), 270.0),
        ];
        for (centre, from) in corners {
            self.arc(centre, radius + HALF, from, from + 90.0);
        }
        self.close();
        let inner = (radius - HALF).max(0.01);
        for (centre, from) in corners.into_iter().rev() {
            self.arc(centre, inner, from + 90.0, from);
        }
        self.close();
    }
}
