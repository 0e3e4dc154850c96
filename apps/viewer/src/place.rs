//! Where in the window a picture lies, and how large it is. Lengths are in pixels.

use nonos_ui::Rect;

/// How small and how large a picture is shown, of 1000.
const ZOOMS: (i32, i32) = (10, 16_000);

/// How a picture is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// As large as fits, at most one pixel for a pixel.
    fits: bool,
    /// Its size of 1000.
    zoom: i32,
    /// Where its middle is, from that of the window.
    offset: (i32, i32),
}

impl Default for Place {
    fn default() -> Self {
        Self {
            fits: true,
            zoom: 1000,
            offset: (0, 0),
        }
    }
}

/// A part of a length.
fn part(length: i32, by: i32, of: i32) -> i32 {
    let part = i64::from(length) * i64::from(by) / i64::from(of.max(1));
    i32::try_from(part).unwrap_or(i32::MAX)
}

impl Place {
    /// Its size of 1000.
    pub fn of_1000(&self) -> u32 {
        self.zoom.unsigned_abs()
    }

    /// This size, in the middle.
    pub fn set(&mut self, zoom: i32) {
        *self = Self {
            fits: false,
            zoom,
            offset: (0, 0),
        };
    }

    /// Larger or smaller: what lies at a place, from the window's middle, stays there.
    pub fn zoom(&mut self, by: i32, of: i32, (x, y): (i32, i32)) {
        // At least by one, so that it goes on from the smallest.
        let change = part(self.zoom, by, of) - self.zoom;
        let change = if change == 0 {
            (by - of).signum()
        } else {
            change
        };
        let zoom = (self.zoom + change).clamp(ZOOMS.0, ZOOMS.1);
        let moved = |at: i32, offset: i32| at - part(at - offset, zoom, self.zoom);
        *self = Self {
            fits: false,
            zoom,
            offset: (moved(x, self.offset.0), moved(y, self.offset.1)),
        };
    }

    /// Moves the picture.
    pub fn pan(&mut self, x: i32, y: i32) {
        self.fits = false;
        self.offset.0 = self.offset.0.saturating_add(x);
        self.offset.1 = self.offset.1.saturating_add(y);
    }

    /// Where a picture of this size lies in a window of that size: in the middle when it is smaller, and never with room beside it when it
    /// is larger.
    pub fn fit(
        &mut self,
        (width, height): (i32, i32),
        (room_width, room_height): (i32, i32),
    ) -> Rect {
        if self.fits {
            let across = part(room_width, 1000, width);
            let down = part(room_height, 1000, height);
            self.zoom = across.min(down).clamp(1, 1000);
            self.offset = (0, 0);
        }
        let size = |length| part(length, self.zoom, 1000).max(1);
        let (width, height) = (size(width), size(height));
        let bound = |offset: i32, size: i32, room: i32| {
            let most = ((size - room + 1) / 2).max(0);
            offset.clamp(-most, most)
        };
        self.offset.0 = bound(self.offset.0, width, room_width);
        self.offset.1 = bound(self.offset.1, height, room_height);
        Rect::new(
            (room_width - width) / 2 + self.offset.0,
            (room_height - height) / 2 + self.offset.1,
            width,
            height,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: (i32, i32) = (800, 600);

    #[test]
    fn a_large_picture_fits_and_a_small_one_is_not_made_larger() {
        let mut place = Place::default();
        assert_eq!(place.fit((1600, 600), ROOM), Rect::new(0, 150, 800, 300));
        assert_eq!(place.of_1000(), 500);
        let mut place = Place::default();
        assert_eq!(place.fit((100, 50), ROOM), Rect::new(350, 275, 100, 50));
        let thin = place.fit((16_384, 1), ROOM);
        assert_eq!((thin.width, thin.height), (786, 1));
    }

    #[test]
    fn what_lies_below_the_pointer_stays_there() {
        let mut place = Place::default();
        place.set(1000);
        let before = place.fit((4000, 4000), ROOM);
        place.zoom(5, 4, (200, -100));
        let after = place.fit((4000, 4000), ROOM);
        // The pointer is at (600, 200) of the window.
        let at = |rect: Rect| {
            (
                part(600 - rect.x, 4000, rect.width),
                part(200 - rect.y, 4000, rect.height),
            )
        };
        let ((x, y), (x_after, y_after)) = (at(before), at(after));
        assert!(x.abs_diff(x_after) <= 1 && y.abs_diff(y_after) <= 1);
    }

    #[test]
    fn a_picture_is_never_lost_by_moving_or_zooming() {
        let mut place = Place::default();
        place.set(1000);
        place.pan(i32::MAX, i32::MIN);
        assert_eq!(place.fit((1000, 700), ROOM), Rect::new(0, -100, 1000, 700));
        for _ in 0..100 {
            place.zoom(5, 4, (400, 300));
            place.fit((16_384, 16_384), ROOM);
        }
        assert_eq!(place.of_1000(), 16_000);
        for _ in 0..100 {
            place.zoom(4, 5, (0, 0));
            place.fit((16_384, 16_384), ROOM);
        }
        assert_eq!(place.of_1000(), 10);
        place.zoom(5, 4, (0, 0));
        assert_eq!(place.of_1000(), 12);
    }
}
