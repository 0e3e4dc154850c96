//! The frame buffer.

use core::sync::atomic::{AtomicU32, Ordering};

use console::paint::Surface;
use nonos_proto::CallError;
use nonos_proto::init;
use nonos_rt::abi::Error;
use nonos_rt::abi::boot::PixelFormat;
use nonos_rt::mapping::Mapping;
use nonos_rt::parent;
use nonos_terminal::palette::Color;

/// Bytes of a pixel.
const PIXEL_BYTES: u64 = size_of::<AtomicU32>() as u64;

/// The mapped frame buffer, checked to hold the pixels it is said to have.
pub struct Memory {
    mapping: Mapping,
    first: usize,
    width: usize,
    height: usize,
    stride: usize,
    swap: bool,
}

/// The pixels.
pub struct Screen<'a> {
    pixels: &'a [AtomicU32],
    width: usize,
    height: usize,
    stride: usize,
    /// Red is in the lowest byte.
    swap: bool,
}

impl<'a> Screen<'a> {
    /// Asks for the frame buffer and maps it.
    pub fn map() -> Result<Memory, CallError> {
        let (memory, screen) = parent::screen()?;
        let mapping = memory.map().map_err(CallError::Unreachable)?;
        checked(mapping, &screen).ok_or(CallError::Unreachable(Error::NotSupported))
    }

    /// The pixels of a mapped frame buffer.
    pub fn new(memory: &'a Memory) -> Self {
        let Memory {
            first,
            width,
            height,
            stride,
            swap,
            ..
        } = *memory;
        Self {
            pixels: &memory.mapping.words()[first..],
            width,
            height,
            stride,
            swap,
        }
    }
}

/// The geometry, when all pixels lie in the mapping and can be reached as words.
fn checked(mapping: Mapping, screen: &init::Screen) -> Option<Memory> {
    let aligned = screen.offset.is_multiple_of(PIXEL_BYTES)
        && screen.stride_bytes.is_multiple_of(PIXEL_BYTES);
    let memory = Memory {
        first: usize::try_from(screen.offset / PIXEL_BYTES).ok()?,
        width: usize::try_from(screen.width).ok()?,
        height: usize::try_from(screen.height).ok()?,
        stride: usize::try_from(screen.stride_bytes / PIXEL_BYTES).ok()?,
        swap: screen.format == PixelFormat::Rgb as u64,
        mapping,
    };
    let end = memory
        .first
        .checked_add(memory.height.checked_mul(memory.stride)?)?;
    let fits = end <= memory.mapping.words().len();
    let visible = memory.width > 0 && memory.width <= memory.stride && memory.height > 0;
    (aligned && fits && visible).then_some(memory)
}

impl Surface for Screen<'_> {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn write(&mut self, x: usize, y: usize, pixels: &[Color]) {
        let start = y * self.stride + x;
        let targets = self.pixels[start..start + pixels.len()].iter().zip(pixels);
        // Two loops: this is where the console spends its time.
        if self.swap {
            targets.for_each(|(to, color)| to.store(color.swap_bytes() >> 8, Ordering::Relaxed));
        } else {
            targets.for_each(|(to, color)| to.store(*color, Ordering::Relaxed));
        }
    }
}
