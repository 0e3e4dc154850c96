//! The screen, as the driver that shows it offers it to the compositor.

use nonos_abi::Handle;

use crate::interface::interface;
use crate::value::parts;

parts! {
    /// The memory that the screen shows. A pixel is 32 bits.
    pub struct Frame {
        /// The memory. READ and WRITE.
        pub memory: Handle,
        /// Where in that memory the first pixel lies, bytes.
        pub offset: u64,
        /// Pixels in a line.
        pub width: u64,
        /// Lines.
        pub height: u64,
        /// Bytes from line to line.
        pub stride_bytes: u64,
        /// [`nonos_abi::boot::PixelFormat`].
        pub format: u64,
        /// 1 when what was drawn shows only after [`Screen::flush`], else 0.
        pub flushed: u64,
    }
}

interface! {
    /// A screen.
    pub trait Screen, version 1;

    /// What it shows.
    1 => answered frame() -> Frame;

    /// Shows what was drawn in this rectangle, as [`crate::display::Rect`].
    2 => answered flush(rect: u64) -> ();
}
