//! Plain text on the frame buffer, for a kernel that is stopping.
//!
//! The frame buffer is not mapped: each page is shown through the window while it is drawn on. The screen is
//! cleared first, so nothing that a program showed stays on it.

use font8x8::legacy::BASIC_LEGACY;
use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::Framebuffer;
use nonos_kernel_core::machine::FrameNumber;

use crate::private::Window;

/// Colours are greys, the same in both pixel formats.
const BACKGROUND: u32 = 0x0012_1212;
const FOREGROUND: u32 = 0x00E6_E6E6;

const GLYPH: u64 = 8;
/// Height of a line of text, in pixels of a glyph.
const LINE: u64 = GLYPH + 2;
const PIXEL_BYTES: u64 = 4;

/// A screen of text. What does not fit is dropped.
pub struct Screen {
    framebuffer: Framebuffer,
    window: Window,
    /// The page that the window shows, and where.
    shown: Option<(u64, *mut u32)>,
    /// Screen pixels of a pixel of a glyph.
    scale: u64,
    column: u64,
    row: u64,
}

impl Screen {
    /// An empty screen; `None` when there is none.
    pub fn cleared(framebuffer: Framebuffer, window: Window) -> Option<Self> {
        let mut screen = Self::at(framebuffer, window, 1)?;
        for y in 0..framebuffer.height {
            for x in 0..framebuffer.width {
                screen.put(x, y, BACKGROUND);
            }
        }
        Some(screen)
    }

    /// The last row of the screen, the rest as it is.
    pub fn last_row(framebuffer: Framebuffer, window: Window) -> Option<Self> {
        let mut screen = Self::at(framebuffer, window, 0)?;
        screen.row = (framebuffer.height / (LINE * screen.scale)).saturating_sub(2);
        Some(screen)
    }

    fn at(framebuffer: Framebuffer, window: Window, row: u64) -> Option<Self> {
        let scale = if framebuffer.width >= 1024 { 2 } else { 1 };
        (framebuffer.width > 0 && framebuffer.physical > 0).then_some(Self {
            framebuffer,
            window,
            shown: None,
            scale,
            column: 1,
            row,
        })
    }

    /// Writes text; what is no ASCII becomes a question mark.
    pub fn write(&mut self, text: &str) {
        for character in text.chars() {
            if character == '\n' {
                (self.column, self.row) = (1, self.row + 1);
                continue;
            }
            let glyph = BASIC_LEGACY
                .get(character as usize)
                .unwrap_or(&BASIC_LEGACY[b'?' as usize]);
            self.draw(glyph);
            self.column += 1;
        }
        self.window.hide();
        self.shown = None;
    }

    fn draw(&mut self, glyph: &[u8; 8]) {
        let (left, top) = (
            self.column * GLYPH * self.scale,
            self.row * LINE * self.scale,
        );
        for y in 0..GLYPH * self.scale {
            for x in 0..GLYPH * self.scale {
                if glyph[(y / self.scale) as usize] & 1 << (x / self.scale) != 0 {
                    self.put(left + x, top + y, FOREGROUND);
                }
            }
        }
    }

    /// Sets a pixel; outside the screen, nothing.
    fn put(&mut self, x: u64, y: u64, color: u32) {
        let offset = y * self.framebuffer.stride_bytes + x * PIXEL_BYTES;
        if x >= self.framebuffer.width
            || y >= self.framebuffer.height
            || offset + PIXEL_BYTES > self.framebuffer.bytes
        {
            return;
        }
        let physical = self.framebuffer.physical + offset;
        let (page, offset) = (physical / PAGE_BYTES as u64, physical % PAGE_BYTES as u64);
        let start = match self.shown {
            Some((shown, start)) if shown == page => start,
            _ => self.window.show_framebuffer(FrameNumber(page as u32)),
        };
        self.shown = Some((page, start));
        // SAFETY: the window shows this page of the frame buffer; pixels are aligned, so none crosses its end.
        unsafe { start.byte_add((offset & !3) as usize).write_volatile(color) };
    }
}
