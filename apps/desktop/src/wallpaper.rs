//! The wallpaper: colours that flow into each other, computed and not stored.

/// Pixels between two places whose colours are computed; between them colours are mixed.
const STEP: usize = 32;

/// Colours at the corners of the screen: above left, above right, below left, below right.
const CORNERS: [[i32; 3]; 4] = [
    [0x10, 0x16, 0x2E],
    [0x1E, 0x24, 0x4F],
    [0x14, 0x3A, 0x4C],
    [0x3B, 0x27, 0x5C],
];

/// A light: where it is (thousandths of the screen), how far it reaches (thousandths of the screen's height), and what it adds.
const LIGHTS: [([i32; 2], i32, [i32; 3]); 3] = [
    ([760, 180], 900, [0x30, 0x3C, 0x86]),
    ([220, 860], 800, [0x0C, 0x58, 0x5C]),
    ([930, 960], 700, [0x52, 0x26, 0x5E]),
];

/// Threshold of each pixel of a square, sixteenths: without it steps between colours would be seen.
const DITHER: [[i32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// Colour at a place, 256ths of a step of each channel.
fn color_at(x: usize, y: usize, width: usize, height: usize) -> [i32; 3] {
    let part = |at: usize, all: usize| (at.min(all) * 1000 / all.max(1)) as i32;
    let (across, down) = (part(x, width), part(y, height));
    let mix = |from: i32, to: i32, by: i32| from + (to - from) * by / 1000;
    core::array::from_fn(|channel| {
        let corner = |index: usize| CORNERS[index][channel] * 256;
        let above = mix(corner(0), corner(1), across);
        let below = mix(corner(2), corner(3), across);
        let mut value = mix(above, below, down);
        for ([left, top], reach, adds) in LIGHTS {
            // Distances in thousandths of the height, on every shape of screen.
            let wide = (width * 1000 / height.max(1)) as i32;
            let dx = (across - left) * wide / 1000;
            let dy = down - top;
            let far = (dx * dx + dy * dy) / reach;
            let near = (reach - far).max(0) * 256 / reach;
            value += adds[channel] * (near * near / 256);
        }
        value
    })
}

/// One line of the wallpaper: 0x00RRGGBB.
pub fn line(out: &mut [u32], y: usize, (width, height): (usize, usize)) {
    let top = y / STEP * STEP;
    let down = (y - top) as i32;
    // The colour of this line at a column that is a multiple of the step.
    let at = |x: usize| -> [i32; 3] {
        let (above, below) = (
            color_at(x, top, width, height),
            color_at(x, top + STEP, width, height),
        );
        core::array::from_fn(|channel| {
            above[channel] + (below[channel] - above[channel]) * down / STEP as i32
        })
    };
    let dither = &DITHER[y % 4];
    let mut right = at(0);
    for (index, part) in out.chunks_mut(STEP).enumerate() {
        let left = right;
        right = at((index + 1) * STEP);
        let by: [i32; 3] = core::array::from_fn(|c| (right[c] - left[c]) / STEP as i32);
        let mut value = left;
        for (x, pixel) in part.iter_mut().enumerate() {
            let threshold = dither[x % 4] * 16;
            let channel = |c: usize| ((value[c] + threshold) >> 8).clamp(0, 255) as u32;
            *pixel = channel(0) << 16 | channel(1) << 8 | channel(2);
            value = core::array::from_fn(|c| value[c] + by[c]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn neighbours_differ_by_little_on_screens_of_every_size() {
        for (width, height) in [(1280, 800), (1920, 1080), (640, 480), (1, 1), (33, 7)] {
            let mut last = vec![0; width];
            for y in 0..height {
                let mut row = vec![0; width];
                line(&mut row, y, (width, height));
                for x in 1..width {
                    check(row[x - 1], row[x]);
                    if y > 0 {
                        check(last[x], row[x]);
                    }
                }
                last = row;
            }
        }
    }

    #[track_caller]
    fn check(a: u32, b: u32) {
        for shift in [0, 8, 16] {
            let (a, b) = (a >> shift & 0xFF, b >> shift & 0xFF);
            assert!(a.abs_diff(b) <= 14, "{a} beside {b}");
        }
    }
}
