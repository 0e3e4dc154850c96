//! From windows to pixels, line by line: each pixel of what changed is put together once and shown.

use alloc::vec::Vec;

use nonos_pixels::blend;
use nonos_ui::{Color, Rect};

use crate::cursor::Cursor;
use crate::shade::{Corners, Shadow};
use crate::trim::Strip;
use crate::window::Surface;

/// Surfaces of programs.
pub trait Surfaces {
    /// Reads pixels of one from a pixel on. What is not there is left as it was.
    fn read(&self, surface: u32, first: usize, out: &mut [u32]);
}

/// Something on the screen with its frame.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// All of it.
    pub frame: Rect,
    /// What is drawn at its top.
    pub strip: Option<&'a Strip>,
    /// A program's surface, and where it is.
    pub surface: Option<(Surface, Rect)>,
    /// What it has around the surface.
    pub border: Color,
    /// Its corners, when they are round.
    pub corners: Option<&'a Corners>,
    /// Its shadow, when it has one.
    pub shadow: Option<&'a Shadow>,
    /// Whether all that is behind it is dimmed.
    pub dims: bool,
}

/// Widest corner, pixels.
const WIDEST_CORNER: usize = 32;

impl Panel<'_> {
    /// Its frame with its shadow.
    fn around(&self) -> Rect {
        self.shadow
            .map_or(self.frame, |shadow| shadow.around(self.frame))
    }

    /// Corners in this line, from the outermost pixel on.
    fn corner(&self, y: i32) -> &[u8] {
        let from_edge = (y - self.frame.y).min(self.frame.bottom() - 1 - y);
        let row = self
            .corners
            .map_or(&[][..], |corners| corners.row(from_edge));
        &row[..row
            .len()
            .min(WIDEST_CORNER)
            .min(self.frame.width.max(0) as usize / 2)]
    }

    /// Whether nothing behind it shows in this part of a line.
    fn hides(&self, y: i32, left: i32, right: i32) -> bool {
        let Rect { x, .. } = self.frame;
        let inside = y >= self.frame.y && y < self.frame.bottom();
        inside && x <= left && self.frame.right() >= right && self.corner(y).is_empty()
    }

    /// Draws what of it is in a line that begins at column `x`. `around` is where its shadow is.
    fn draw(&self, line: &mut [u32], (x, y): (i32, i32), around: Rect, surfaces: &impl Surfaces) {
        let part = Rect::new(x, y, line.len() as i32, 1);
        let frame = self.frame;
        let seen = frame.intersect(part);
        if self.dims {
            line.iter_mut()
                .for_each(|pixel| *pixel = *pixel >> 1 & 0x7F_7F7F);
        }
        if let Some(shadow) = self.shadow
            && (around.y..around.bottom()).contains(&y)
        {
            self.draw_shadow(shadow, line, (x, y), around);
        }
        if seen.is_empty() {
            return;
        }
        let corner = self.corner(y);
        let behind = (!corner.is_empty()).then(|| Behind::of(line, x, frame, corner.len()));
        let span = |from: i32, to: i32| {
            (from.clamp(seen.x, seen.right()) - x) as usize
                ..(to.clamp(seen.x, seen.right()) - x) as usize
        };
        let strip = self.strip.filter(|strip| y - frame.y < strip.height());
        match (strip, self.surface) {
            (Some(strip), _) => {
                let row = strip.row(y - frame.y);
                let from = row.get((seen.x - frame.x) as usize..).unwrap_or_default();
                nonos_pixels::copy(&mut line[span(seen.x, seen.right())], from);
            }
            (None, Some((surface, place))) if y >= place.y && y < place.bottom() => {
                nonos_pixels::fill(&mut line[span(seen.x, place.x)], self.border.0);
                nonos_pixels::fill(&mut line[span(place.right(), seen.right())], self.border.0);
                let shown = place.intersect(seen);
                if !shown.is_empty() {
                    let first = (y - place.y) as usize * surface.width as usize
                        + (shown.x - place.x) as usize;
                    surfaces.read(surface.id, first, &mut line[span(shown.x, shown.right())]);
                }
            }
            _ => nonos_pixels::fill(&mut line[span(seen.x, seen.right())], self.border.0),
        }
        if let Some(behind) = behind {
            behind.restore(line, x, frame, corner);
        }
    }

    /// Where it is opaque there is no need for its shadow.
    fn draw_shadow(&self, shadow: &Shadow, line: &mut [u32], (x, y): (i32, i32), around: Rect) {
        let frame = self.frame;
        let right = x + line.len() as i32;
        let clamp = |at: i32| (at.clamp(x, right) - x) as usize;
        let inside = y >= frame.y && y < frame.bottom();
        let corner = self.corner(y).len() as i32;
        let (hidden, shown) = match inside {
            true => (frame.x + corner, frame.right() - corner),
            false => (frame.right(), frame.right()),
        };
        for (from, to) in [(around.x, hidden), (shown.max(hidden), around.right())] {
            let part = &mut line[clamp(from)..clamp(to).max(clamp(from))];
            shadow.darken(part, (from.clamp(x, right), y), frame);
        }
    }
}

/// What was behind two corners.
struct Behind {
    left: [u32; WIDEST_CORNER],
    right: [u32; WIDEST_CORNER],
}

impl Behind {
    /// The pixels there are of the first and last `count` of a frame.
    fn of(line: &[u32], x: i32, frame: Rect, count: usize) -> Self {
        let mut behind = Self {
            left: [0; WIDEST_CORNER],
            right: [0; WIDEST_CORNER],
        };
        for index in 0..count {
            let at = |column: i32| {
                usize::try_from(column - x)
                    .ok()
                    .and_then(|at| line.get(at))
                    .copied()
            };
            behind.left[index] = at(frame.x + index as i32).unwrap_or(0);
            behind.right[index] = at(frame.right() - 1 - index as i32).unwrap_or(0);
        }
        behind
    }

    /// Lets them show as far as the corners do not cover them.
    fn restore(&self, line: &mut [u32], x: i32, frame: Rect, corner: &[u8]) {
        for (index, &cover) in corner.iter().enumerate() {
            let (left, right) = (frame.x + index as i32, frame.right() - 1 - index as i32);
            for (column, behind) in [(left, self.left[index]), (right, self.right[index])] {
                if let Some(pixel) = usize::try_from(column - x)
                    .ok()
                    .and_then(|at| line.get_mut(at))
                {
                    *pixel = blend(behind, *pixel, cover.into());
                }
            }
        }
    }
}

/// All that the screen shows.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The screen.
    pub screen: Rect,
    /// What is behind everything: from the top to the bottom.
    pub ground: (Color, Color),
    /// From behind.
    pub panels: Vec<Panel<'a>>,
    /// The cursor, and where it is.
    pub cursor: (&'a Cursor, Rect),
}

impl Scene<'_> {
    /// Draws a part of the screen, line by line: `show` gets the column, the line, and its pixels. `line` has room for a line.
    pub fn draw(
        &self,
        area: Rect,
        surfaces: &impl Surfaces,
        line: &mut [u32],
        mut show: impl FnMut(i32, i32, &mut [u32]),
    ) {
        let area = area.intersect(self.screen);
        let Some(line) = line.get_mut(..area.width.max(0) as usize) else {
            return;
        };
        let panels = self.panels.iter().map(|panel| (panel, panel.around()));
        let panels =
            panels.filter(|(panel, around)| panel.dims || !around.intersect(area).is_empty());
        let panels: Vec<(&Panel<'_>, Rect)> = panels.collect();
        for y in area.y..area.bottom() {
            let hides = |(panel, _): &(&Panel<'_>, Rect)| panel.hides(y, area.x, area.right());
            let first = panels.iter().rposition(hides);
            if first.is_none() {
                nonos_pixels::fill(line, self.ground_at(y));
            }
            for &(panel, around) in &panels[first.unwrap_or(0)..] {
                if panel.dims || (around.y..around.bottom()).contains(&y) {
                    panel.draw(line, (area.x, y), around, surfaces);
                }
            }
            let (cursor, place) = self.cursor;
            if y >= place.y && y < place.bottom() {
                cursor.draw(line, (area.x, y), place);
            }
            show(area.x, y, line);
        }
    }

    fn ground_at(&self, y: i32) -> u32 {
        let part = (y - self.screen.y) * 255 / self.screen.height.max(1);
        blend(self.ground.0.0, self.ground.1.0, part.clamp(0, 255) as u32) & 0xFF_FFFF
    }
}
