//! The frame buffer of the firmware's graphics output (UEFI 2.10, 12.9): 32-bit modes only.

use core::arch::asm;

use nonos_abi::boot::{Framebuffer, PixelFormat};
use nonos_boot::screen::{Canvas, Color};
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol};
use uefi::proto::console::gop::{GraphicsOutput, Mode, ModeInfo, PixelFormat as FirmwareFormat};

/// A mode at least this large is kept; otherwise one of [`PREFERRED`] is looked for.
const LARGE_ENOUGH: (usize, usize) = (1024, 768);
/// Modes to look for, best first.
const PREFERRED: [(usize, usize); 3] = [(1280, 800), (1280, 720), (1024, 768)];

/// A frame buffer that can be drawn on.
pub struct Display {
    first: *mut u32,
    pixels: usize,
    width: usize,
    height: usize,
    stride: usize,
    format: PixelFormat,
}

impl Display {
    /// The first graphics output with a 32-bit frame buffer, in a mode of reasonable size. `None` when the
    /// machine has none.
    pub fn open() -> Option<Self> {
        let handle = boot::get_handle_for_protocol::<GraphicsOutput>().ok()?;
        let params = OpenProtocolParams {
            handle,
            agent: boot::image_handle(),
            controller: None,
        };
        // SAFETY: looks on without taking the protocol from the firmware's console, which stays as it is and
        // prints nothing while this program runs.
        let gop = unsafe {
            boot::open_protocol::<GraphicsOutput>(params, OpenProtocolAttributes::GetProtocol)
        };
        let mut gop = gop.ok()?;
        choose_mode(&mut gop);
        Self::of(&mut gop)
    }

    fn of(gop: &mut ScopedProtocol<GraphicsOutput>) -> Option<Self> {
        let info = gop.current_mode_info();
        let format = format_of(&info)?;
        let (width, height) = info.resolution();
        let stride = info.stride();
        let mut buffer = gop.frame_buffer();
        let pixels = buffer.size() / size_of::<u32>();
        let first = buffer.as_mut_ptr().cast::<u32>();
        let fits = stride >= width && stride.checked_mul(height)? <= pixels;
        let valid = fits && width > 0 && height > 0 && !first.is_null() && first.is_aligned();
        valid.then_some(Self {
            first,
            pixels,
            width,
            height,
            stride,
            format,
        })
    }

    /// What the kernel is told.
    pub fn hand_over(&self) -> Framebuffer {
        Framebuffer {
            physical: self.first as u64,
            bytes: (self.pixels * size_of::<u32>()) as u64,
            width: self.width as u64,
            height: self.height as u64,
            stride_bytes: (self.stride * size_of::<u32>()) as u64,
            format: self.format as u64,
        }
    }

    /// A colour as a pixel of this frame buffer.
    fn pixel(&self, color: Color) -> u32 {
        match self.format {
            PixelFormat::Bgr => color.0,
            PixelFormat::Rgb => {
                let [blue, green, red, _] = color.0.to_le_bytes();
                u32::from_le_bytes([red, green, blue, 0])
            }
        }
    }
}

impl Canvas for Display {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn write(&mut self, x: usize, y: usize, pixels: &[Color]) {
        if y >= self.height {
            return;
        }
        let visible = self.width.saturating_sub(x).min(pixels.len());
        let first = y * self.stride + x;
        for (column, color) in pixels[..visible].iter().enumerate() {
            let value = self.pixel(*color);
            // SAFETY: x + column < width <= stride and y < height, so the index is below stride * height, which
            // `of` checked to be in the buffer that the firmware gave for this mode.
            unsafe { self.first.add(first + column).write_volatile(value) };
        }
    }

    fn fill(&mut self, x: usize, y: usize, width: usize, color: Color) {
        if y >= self.height {
            return;
        }
        let visible = self.width.saturating_sub(x).min(width);
        let value = self.pixel(color);
        // SAFETY: as in `write`: all of the line's visible part is in the buffer. `rep stosd` writes `visible`
        // pixels upwards, the direction flag is clear as everywhere.
        unsafe {
            let first = self.first.add(y * self.stride + x.min(self.width));
            asm!(
                "rep stosd",
                inout("rcx") visible => _,
                inout("rdi") first => _,
                in("eax") value,
                options(nostack, preserves_flags)
            );
        }
    }
}

/// Sets a preferred mode when the present one is too small or has no 32-bit frame buffer.
fn choose_mode(gop: &mut GraphicsOutput) {
    let present = gop.current_mode_info();
    let (width, height) = present.resolution();
    if format_of(&present).is_some() && width >= LARGE_ENOUGH.0 && height >= LARGE_ENOUGH.1 {
        return;
    }
    let usable = |mode: &Mode| format_of(mode.info()).is_some();
    let wanted = PREFERRED.iter().find_map(|size| {
        gop.modes()
            .find(|mode| usable(mode) && mode.info().resolution() == *size)
    });
    let wanted = match wanted {
        None if format_of(&present).is_none() => gop.modes().find(usable),
        other => other,
    };
    if let Some(mode) = wanted {
        // The mode that is set afterwards is read back, whether this works or not.
        let _ = gop.set_mode(&mode);
    }
}

/// The pixel format of a mode that has a frame buffer with one of the two usual layouts.
fn format_of(info: &ModeInfo) -> Option<PixelFormat> {
    match info.pixel_format() {
        FirmwareFormat::Bgr => Some(PixelFormat::Bgr),
        FirmwareFormat::Rgb => Some(PixelFormat::Rgb),
        FirmwareFormat::Bitmask => {
            let masks = info.pixel_bitmask()?;
            match (masks.red, masks.green, masks.blue) {
                (0xFF_0000, 0xFF00, 0xFF) => Some(PixelFormat::Bgr),
                (0xFF, 0xFF00, 0xFF_0000) => Some(PixelFormat::Rgb),
                _ => None,
            }
        }
        FirmwareFormat::BltOnly => None,
    }
}
