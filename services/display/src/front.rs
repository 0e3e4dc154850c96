//! The memory that the screen shows.

use nonos_proto::CallError;
use nonos_proto::screen::Frame;
use nonos_rt::abi::Error;
use nonos_rt::abi::boot::PixelFormat;
use nonos_rt::mapping::Mapping;
use nonos_rt::object::Memory;

/// Bytes of a pixel.
const PIXEL_BYTES: u64 = 4;

/// Longest side, pixels.
const LONGEST: u64 = 8192;

/// The mapped screen, checked to hold the pixels that it is said to have.
pub struct Front {
    mapping: Mapping,
    first: usize,
    stride: usize,
    /// Pixels in a line.
    pub width: i32,
    /// Lines.
    pub height: i32,
    /// Red is in the lowest byte.
    swap: bool,
    /// Whether the driver is told what changed.
    pub flushed: bool,
}

impl Front {
    /// Maps what a driver offers.
    pub fn map(frame: &Frame) -> Result<Self, CallError> {
        let memory = Memory::from_handle(frame.memory);
        let mapping = memory.map().map_err(CallError::Unreachable)?;
        checked(mapping, frame).ok_or(CallError::Unreachable(Error::NotSupported))
    }

    /// Shows pixels of line `y`, from column `x` on. They lie within the screen.
    pub fn show(&self, x: i32, y: i32, pixels: &mut [u32]) {
        if self.swap {
            pixels
                .iter_mut()
                .for_each(|pixel| *pixel = pixel.swap_bytes() >> 8);
        }
        let at = self.first + y as usize * self.stride + x as usize;
        self.mapping.write(at, pixels);
    }
}

/// The geometry, when all pixels lie in the mapping and can be reached as words.
fn checked(mapping: Mapping, frame: &Frame) -> Option<Front> {
    let aligned =
        frame.offset.is_multiple_of(PIXEL_BYTES) && frame.stride_bytes.is_multiple_of(PIXEL_BYTES);
    let sides = 1..=LONGEST;
    let sensible = sides.contains(&frame.width) && sides.contains(&frame.height);
    let first = usize::try_from(frame.offset / PIXEL_BYTES).ok()?;
    let stride = usize::try_from(frame.stride_bytes / PIXEL_BYTES).ok()?;
    let end = stride
        .checked_mul(frame.height as usize)?
        .checked_add(first)?;
    let fits = end <= mapping.words().len() && frame.width <= stride as u64;
    (aligned && sensible && fits).then_some(Front {
        mapping,
        first,
        stride,
        width: frame.width as i32,
        height: frame.height as i32,
        swap: frame.format == PixelFormat::Rgb as u64,
        flushed: frame.flushed != 0,
    })
}
