//! Pictures in files: PNG (ISO/IEC 15948), JPEG (ITU-T T.81) and QOI 1.0, whatever a file is called.
//!
//! Files are hostile. How large a picture is stands in its first bytes, and is checked before memory is taken for it; sums of PNG files are
//! checked, and only whole pictures are shown. Transparent parts show white. QOI files are also written ([`mod@qoi`]).
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod qoi;

use alloc::vec::Vec;
use core::fmt;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_png::PngDecoder;
use zune_qoi::QoiDecoder;

/// Longest file, bytes.
pub const FILE_BYTES: usize = 16 << 20;
/// Most pixels.
pub const PIXELS: usize = 4 << 20;
/// Longest side, pixels.
pub const SIDE: usize = 16_384;

/// Bytes of all pixels at most, as a PNG file packs them: four colours of 16 bits, and a byte before each line.
const PACKED_BYTES: usize = 8 * PIXELS + SIDE;
/// Scans of a JPEG file, each of which goes through the whole picture.
const SCANS: usize = 64;

/// A picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Pixels in a line.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// 0x00RRGGBB, line by line.
    pub pixels: Vec<u32>,
}

/// Why there is no picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The file does not begin as one of the kinds.
    Unknown,
    /// The file is too long.
    FileTooLong,
    /// It has more than [`PIXELS`] pixels or a side longer than [`SIDE`]: width and height, where they are known.
    TooLarge(Option<(usize, usize)>),
    /// It is not as its kind of file must be, or ends too soon.
    Damaged,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("this is no PNG, JPEG or QOI file"),
            Self::FileTooLong => write!(f, "the file is longer than {} MB", FILE_BYTES >> 20),
            Self::TooLarge(Some((width, height))) => {
                write!(f, "{width} by {height} pixels are too many")
            }
            Self::TooLarge(None) => f.write_str("the picture has too many pixels"),
            Self::Damaged => f.write_str("the file is damaged"),
        }
    }
}

/// The picture in a file.
///
/// # Errors
/// See [`Problem`].
pub fn decode(file: &[u8]) -> Result<Picture, Problem> {
    if file.len() > FILE_BYTES {
        return Err(Problem::FileTooLong);
    }
    match file {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => png(file),
        [0xFF, 0xD8, 0xFF, ..] => jpeg(file),
        [b'q', b'o', b'i', b'f', ..] => qoi(file),
        _ => Err(Problem::Unknown),
    }
}

/// What all kinds have in common.
fn options() -> DecoderOptions {
    // The limits of the decoders are the last resort: they refuse without saying why.
    DecoderOptions::default()
        .set_max_width(SIDE)
        .set_max_height(SIDE)
        .set_use_unsafe(false)
        .set_strict_mode(true)
}

/// Whether a picture of this size may take memory: pixels.
fn check(size: Option<(usize, usize)>) -> Result<(usize, usize), Problem> {
    let (width, height) = size.ok_or(Problem::Damaged)?;
    let pixels = width.checked_mul(height);
    if width > SIDE || height > SIDE || pixels.is_none_or(|pixels| pixels > PIXELS) {
        return Err(Problem::TooLarge(size));
    }
    match pixels {
        Some(0) | None => Err(Problem::Damaged),
        Some(_) => Ok((width, height)),
    }
}

/// Width and height from two fields of the file's beginning, 32 bits each, big-endian.
fn size_at(file: &[u8], at: usize) -> Option<(usize, usize)> {
    let field = |at| {
        let bytes = file.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes(*bytes)).ok()
    };
    Some((field(at)?, field(at + 4)?))
}

fn png(file: &[u8]) -> Result<Picture, Problem> {
    // In the header chunk, which is the first (11.2.1).
    check(size_at(file, 16))?;
    let options = options()
        .png_set_strip_to_8bit(true)
        .png_set_decode_animated(false)
        .png_set_confirm_crc(true)
        .inflate_set_confirm_adler(true)
        .inflate_set_limit(PACKED_BYTES);
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|_| Problem::Damaged)?;
    let size = check(decoder.dimensions())?;
    let bytes = decoder.decode_raw().map_err(|_| Problem::Damaged)?;
    picture(size, &bytes, decoder.colorspace())
}

fn jpeg(file: &[u8]) -> Result<Picture, Problem> {
    let options = options()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .jpeg_set_max_scans(SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|_| Problem::Damaged)?;
    let size = check(decoder.dimensions())?;
    let bytes = decoder.decode().map_err(|_| Problem::Damaged)?;
    picture(size, &bytes, decoder.output_colorspace())
}

fn qoi(file: &[u8]) -> Result<Picture, Problem> {
    check(size_at(file, 4))?;
    let mut decoder = QoiDecoder::new_with_options(ZCursor::new(file), options());
    decoder.decode_headers().map_err(|_| Problem::Damaged)?;
    let size = check(decoder.dimensions())?;
    let bytes = decoder.decode().map_err(|_| Problem::Damaged)?;
    picture(size, &bytes, decoder.colorspace())
}

/// The picture of what a decoder gave.
fn picture(
    (width, height): (usize, usize),
    bytes: &[u8],
    colors: Option<ColorSpace>,
) -> Result<Picture, Problem> {
    let components = colors.map_or(0, |colors| colors.num_components());
    let fits = bytes.len() == width * height * components;
    let pixel: fn(&[u8]) -> u32 = match components {
        1 => |bytes| gray(bytes[0], 255),
        2 => |bytes| gray(bytes[0], bytes[1]),
        3 => |bytes| on_white([bytes[0], bytes[1], bytes[2]], 255),
        4 => |bytes| on_white([bytes[0], bytes[1], bytes[2]], bytes[3]),
        _ => return Err(Problem::Damaged),
    };
    if !fits {
        return Err(Problem::Damaged);
    }
    Ok(Picture {
        width,
        height,
        pixels: bytes.chunks_exact(components).map(pixel).collect(),
    })
}

fn gray(value: u8, opacity: u8) -> u32 {
    on_white([value; 3], opacity)
}

/// A colour before white.
fn on_white(colors: [u8; 3], opacity: u8) -> u32 {
    let opacity = u32::from(opacity);
    let [red, green, blue] = colors.map(|color| {
        let sum = u32::from(color) * opacity + 255 * (255 - opacity);
        (sum + 127) / 255
    });
    red << 16 | green << 8 | blue
}
