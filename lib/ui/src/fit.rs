//! Windows that are no larger than the screen.

use nonos_proto::display::{Look, points};

/// How many pixels a point has in a window, and how large that is at first, pixels: as the user wants points to be, unless the least
/// size of the window has no room on the screen then; in that case a point has one pixel. All sizes but the result are in points.
#[inline(never)]
pub fn fit(look: &Look, size: (i32, i32), least: (i32, i32)) -> (i32, (i32, i32)) {
    let frame = look.scale.clamp(1, 2) as i32;
    let side = |side: u64| i32::try_from(side).unwrap_or(i32::MAX);
    let beside = 2 * points::BORDER * frame;
    let above = (points::BAR + points::TITLE + points::BORDER + points::DOCK) * frame;
    let room = (
        side(look.screen_width).saturating_sub(beside),
        side(look.screen_height).saturating_sub(above),
    );
    let has_room = |scale: i32| least.0 * scale <= room.0 && least.1 * scale <= room.1;
    let scale = if has_room(frame) { frame } else { 1 };
    let within = |size: i32, least: i32, room: i32| (size * scale).min(room).max(least * scale);
    let size = (
        within(size.0, least.0, room.0),
        within(size.1, least.1, room.1),
    );
    (scale, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: u64, height: u64, scale: u64) -> Look {
        Look {
            theme: 0,
            scale,
            screen_width: width,
            screen_height: height,
        }
    }

    #[test]
    fn a_window_is_as_large_as_it_is_meant_to_be_where_there_is_room() {
        let settings = (540, 564);
        assert_eq!(fit(&look(1280, 800, 1), settings, settings), (1, settings));
        let at_twice = fit(&look(2560, 1600, 2), settings, settings);
        assert_eq!(at_twice, (2, (1080, 1128)));
    }

    #[test]
    fn what_can_be_smaller_is_and_what_cannot_has_smaller_points() {
        let (size, least) = ((900, 640), (560, 320));
        assert_eq!(fit(&look(1920, 1080, 2), size, least), (2, (1800, 778)));
        assert_eq!(fit(&look(1280, 800, 2), size, least), (1, (900, 498)));
        let fixed = fit(&look(1280, 800, 2), (540, 440), (540, 440));
        assert_eq!(fixed, (1, (540, 440)));
        // Larger than any room: its own least size.
        let (tall, screen) = ((300, 900), look(1280, 800, 1));
        assert_eq!(fit(&screen, tall, tall), (1, tall));
    }
}
