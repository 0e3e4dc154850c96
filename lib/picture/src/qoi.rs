//! Pictures as QOI files (the Quite OK Image format 1.0), written pixel by pixel.

use alloc::vec::Vec;

/// A picture that is written.
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    seen: [u32; 64],
    last: u32,
    run: u8,
}

impl Encoder {
    /// A picture of so many columns and lines; a pixel is 0x00RRGGBB.
    pub fn new(width: u32, height: u32) -> Self {
        let mut bytes = Vec::from(*b"qoif");
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        // Three channels, sRGB.
        bytes.extend([3, 0]);
        Self {
            bytes,
            // No pixel is in the table at first: what is there is no opaque colour.
            seen: [u32::MAX; 64],
            last: 0,
            run: 0,
        }
    }

    /// The next pixels, line by line.
    pub fn push(&mut self, pixels: &[u32]) {
        for &pixel in pixels {
            self.pixel(pixel & 0xFF_FFFF);
        }
    }

    fn pixel(&mut self, pixel: u32) {
        if pixel == self.last {
            self.run += 1;
            if self.run == 62 {
                self.end_run();
            }
            return;
        }
        self.end_run();
        let [_, red, green, blue] = pixel.to_be_bytes();
        let hash = u32::from(red) * 3 + u32::from(green) * 5 + u32::from(blue) * 7 + 255 * 11;
        let place = (hash % 64) as u8;
        let [_, r, g, b] = core::mem::replace(&mut self.last, pixel).to_be_bytes();
        if core::mem::replace(&mut self.seen[usize::from(place)], pixel) == pixel {
            self.bytes.push(place);
            return;
        }
        let by = |new: u8, old: u8, from: u8| new.wrapping_sub(old).wrapping_add(from);
        let (dr, dg, db) = (by(red, r, 0), by(green, g, 0), by(blue, b, 0));
        let small = [dr, dg, db].map(|d| d.wrapping_add(2));
        let (luma, lr, lb) = (by(dg, 0, 32), by(dr, dg, 8), by(db, dg, 8));
        if small.iter().all(|&d| d < 4) {
            self.bytes
                .push(0x40 | small[0] << 4 | small[1] << 2 | small[2]);
        } else if luma < 64 && lr < 16 && lb < 16 {
            self.bytes.extend([0x80 | luma, lr << 4 | lb]);
        } else {
            self.bytes.extend([0xFE, red, green, blue]);
        }
    }

    fn end_run(&mut self) {
        if let Some(more) = self.run.checked_sub(1) {
            self.bytes.push(0xC0 | more);
            self.run = 0;
        }
    }

    /// The file.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut state = 1_u32;
        let mut pixels = Vec::new();
        for index in 0..64 * 64_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            pixels.push(match index / 512 {
                0 => 0,
                1 => 0x10_2030 + index % 3,
                2 => state >> 8,
                3 => (index * 0x01_0101) & 0xFF_FFFF,
                4 => [0xFF_0000, 0x00_FF00, 0x12_3456][(state >> 30) as usize % 3],
                5 => 0xFF_FFFF,
                6 => (0x80_8080 + (state >> 28) * 0x01_0100) ^ (index % 5),
                _ => 0x7F_7F7F,
            });
        }
        let mut encoder = Encoder::new(64, 64);
        for line in pixels.chunks(64) {
            encoder.push(line);
        }
        let file = encoder.finish();
        let read = crate::decode(&file).unwrap();
        assert_eq!((read.width, read.height), (64, 64));
        assert_eq!(read.pixels, pixels);
        assert!(file.len() < 64 * 64 * 3);
    }
}
