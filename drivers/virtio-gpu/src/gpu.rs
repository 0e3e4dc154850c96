//! What is asked of a GPU (5.7.6): one picture for its first screen.

use crate::queue::{HEADER_WORDS, Queue};
use crate::{Error, Hardware};

/// Requests and answers (5.7.6.7).
mod kind {
    pub const DISPLAY_INFO: u32 = 0x0100;
    pub const CREATE_PICTURE: u32 = 0x0101;
    pub const SET_SCREEN: u32 = 0x0103;
    pub const FLUSH: u32 = 0x0104;
    pub const TRANSFER: u32 = 0x0105;
    pub const ATTACH_MEMORY: u32 = 0x0106;
    pub const DONE: u32 = 0x1100;
    pub const DISPLAY_INFO_ANSWER: u32 = 0x1101;
}

/// `VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM`: blue in the lowest byte, then green, red.
const FORMAT: u32 = 2;
/// Number of the one picture.
const PICTURE: u32 = 1;
/// Number of the first screen.
const SCREEN: u32 = 0;

/// Bytes of a pixel.
const PIXEL_BYTES: u64 = 4;
/// Size of the picture when the display says none that can be had.
const USUAL: Size = Size {
    width: 1280,
    height: 800,
};
/// Size for displays with more pixels than there is memory for.
const LARGE: Size = Size {
    width: 1920,
    height: 1080,
};
/// Shortest and longest sides.
const WIDTHS: core::ops::RangeInclusive<u32> = 640..=8192;
const HEIGHTS: core::ops::RangeInclusive<u32> = 480..=8192;

/// Size of a picture, pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
}

impl Size {
    /// Bytes of the picture.
    pub fn bytes(self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * PIXEL_BYTES
    }
}

/// A part of the picture, pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A GPU that is up.
#[derive(Debug)]
pub struct Gpu<H> {
    hardware: H,
    queue: Queue,
    /// Of the picture.
    size: Size,
    /// Requests whose answers were not looked at.
    sent: usize,
}

impl<H: Hardware> Gpu<H> {
    /// Asks for the size of the display, when it is one that there is memory for.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub fn new(hardware: H, queue: Queue, most_bytes: u64) -> Result<Self, Error> {
        let mut gpu = Self {
            hardware,
            queue,
            size: USUAL,
            sent: 0,
        };
        gpu.queue
            .send(&mut gpu.hardware, &[&header(kind::DISPLAY_INFO)]);
        gpu.queue.finish(&mut gpu.hardware)?;
        let mut word = |word| gpu.queue.answer(&mut gpu.hardware, 0, word);
        match word(0) {
            kind::DISPLAY_INFO_ANSWER => {}
            other => return Err(Error::Answer(other)),
        }
        // Left, top, width, height, enabled.
        let [width, height, enabled] = [2, 3, 4].map(|field| word(HEADER_WORDS + field));
        let size = Size { width, height };
        gpu.size = match size {
            _ if enabled == 0 || !WIDTHS.contains(&width) || !HEIGHTS.contains(&height) => USUAL,
            size if size.bytes() > most_bytes => LARGE,
            size => size,
        };
        Ok(gpu)
    }

    /// Size of the picture.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Shows the picture in memory that the device finds at `address`.
    ///
    /// # Errors
    /// When the device does not answer, or not with what was asked for.
    pub fn show(&mut self, address: u64) -> Result<(), Error> {
        let Size { width, height } = self.size;
        let create = with(kind::CREATE_PICTURE, [PICTURE, FORMAT, width, height]);
        let entries = 1;
        let attach = with(
            kind::ATTACH_MEMORY,
            [
                PICTURE,
                entries,
                address as u32,
                (address >> 32) as u32,
                self.size.bytes() as u32,
                0,
            ],
        );
        self.request(&[&create, &attach]);
        self.finish()?;
        let all = [0, 0, width, height, SCREEN, PICTURE];
        self.request(&[&with(kind::SET_SCREEN, all)]);
        self.finish()
    }

    /// Shows what was drawn in a part of the picture. The device may still be at it when this returns.
    ///
    /// # Errors
    /// When the device did not do what it was asked for before.
    pub fn flush(&mut self, part: Rect) -> Result<(), Error> {
        let Size { width, height } = self.size;
        let (x, y) = (part.x.min(width), part.y.min(height));
        let part = [x, y, part.width.min(width - x), part.height.min(height - y)];
        if part[2] == 0 || part[3] == 0 {
            return Ok(());
        }
        self.finish()?;
        let offset = (u64::from(y) * u64::from(width) + u64::from(x)) * PIXEL_BYTES;
        let [x, y, width, height] = part;
        let transfer = with(
            kind::TRANSFER,
            [
                x,
                y,
                width,
                height,
                offset as u32,
                (offset >> 32) as u32,
                PICTURE,
                0,
            ],
        );
        let flush = with(kind::FLUSH, [x, y, width, height, PICTURE, 0]);
        self.request(&[&transfer, &flush]);
        Ok(())
    }

    fn request(&mut self, requests: &[&[u32]]) {
        self.queue.send(&mut self.hardware, requests);
        self.sent = requests.len();
    }

    /// Waits until all that was asked for is done.
    fn finish(&mut self) -> Result<(), Error> {
        self.queue.finish(&mut self.hardware)?;
        for number in 0..core::mem::take(&mut self.sent) {
            match self.queue.answer(&mut self.hardware, number, 0) {
                kind::DONE => {}
                other => return Err(Error::Answer(other)),
            }
        }
        Ok(())
    }
}

const fn header(kind: u32) -> [u32; HEADER_WORDS] {
    [kind, 0, 0, 0, 0, 0]
}

/// A request with what follows its header; the device ignores what is beyond that.
fn with<const N: usize>(kind: u32, words: [u32; N]) -> [u32; 14] {
    let mut request = [0; 14];
    request[0] = kind;
    request[HEADER_WORDS..HEADER_WORDS + N].copy_from_slice(&words);
    request
}
