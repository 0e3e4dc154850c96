//! Rows of pixels, 0x00RRGGBB each: what painting a window spends its time with.
//!
//! A crate of its own because it is compiled to be fast, where everything around it is compiled to be small. Loops are not turned into
//! those of vectors in programs that are linked to be small, so what is to be many pixels at once is written that way.
#![no_std]
#![forbid(unsafe_code)]

/// Pixels that are written at once: four registers.
const BLOCK: usize = 16;

/// A pixel with a colour over it, `coverage` 0 to 255 opaque.
#[inline]
pub const fn blend(below: u32, above: u32, coverage: u32) -> u32 {
    mix(below, above, part_of(coverage))
}

/// 0 to 256, so that 255 is all.
#[inline]
pub const fn part_of(coverage: u32) -> u32 {
    coverage + (coverage >> 7)
}

/// A pixel with so much of a colour over it, 256 for all.
#[inline]
const fn mix(below: u32, above: u32, part: u32) -> u32 {
    let (rb, g) = (below & 0xFF_00FF, below & 0xFF00);
    let (above_rb, above_g) = (above & 0xFF_00FF, above & 0xFF00);
    let rb = rb
        .wrapping_mul(256 - part)
        .wrapping_add(above_rb.wrapping_mul(part))
        >> 8;
    let g = g
        .wrapping_mul(256 - part)
        .wrapping_add(above_g.wrapping_mul(part))
        >> 8;
    rb & 0xFF_00FF | g & 0xFF00
}

/// Gives all pixels one colour.
#[inline(never)]
pub fn fill(row: &mut [u32], color: u32) {
    let block = [color & 0xFF_FFFF; BLOCK];
    let (blocks, rest) = row.as_chunks_mut();
    for pixels in blocks {
        *pixels = block;
    }
    rest.fill(color & 0xFF_FFFF);
}

/// Lays a colour over all pixels, `opacity` 0 to 255.
#[inline(never)]
pub fn tint(row: &mut [u32], color: u32, opacity: u32) {
    for pixel in row {
        *pixel = blend(*pixel, color, opacity);
    }
}

/// Lays a colour over pixels, each covered as much as `coverage` says, at most `opacity`; both 0 to 255.
#[inline(never)]
pub fn cover(row: &mut [u32], coverage: &[u8], color: u32, opacity: u32) {
    for (pixel, &covered) in row.iter_mut().zip(coverage) {
        if covered != 0 {
            *pixel = blend(*pixel, color, u32::from(covered) * opacity / 255);
        }
    }
}

/// Lays a colour over pixels, each as much as its part says, of which 256 is all.
#[inline(never)]
pub fn shade(row: &mut [u32], parts: &[u16], color: u32) {
    for (pixel, &part) in row.iter_mut().zip(parts) {
        *pixel = mix(*pixel, color, part.into());
    }
}

/// Takes pixels from elsewhere, as many as both have.
#[inline(never)]
pub fn copy(row: &mut [u32], from: &[u32]) {
    for (pixel, &value) in row.iter_mut().zip(from) {
        *pixel = value & 0xFF_FFFF;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blending_with_all_or_nothing_is_exact() {
        for color in [0, 0xFF_FFFF, 0x12_3456, 0xFE_01_80] {
            assert_eq!(blend(color, 0xAB_CDEF, 0), color);
            assert_eq!(blend(color, 0xAB_CDEF, 255), 0xAB_CDEF);
        }
        assert_eq!(blend(0, 0xFF_FFFF, 128), 0x80_8080);
    }

    #[test]
    fn rows_of_unequal_lengths_are_painted_as_far_as_both_go() {
        let mut row = [1; 5];
        copy(&mut row, &[0xFF00_0002; 2]);
        cover(&mut row, &[255, 0, 255], 0x77, 255);
        assert_eq!(row, [0x77, 2, 0x77, 1, 1]);
        tint(&mut row[3..], 0x99, 255);
        fill(&mut row[..1], 0xFF00_0003);
        assert_eq!(row, [3, 2, 0x77, 0x99, 0x99]);
    }
}
