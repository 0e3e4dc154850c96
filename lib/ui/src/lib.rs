//! The toolkit of the desktop's programs.
//!
//! Letters and icons are glyphs of the font service's atlas ([`text`]): no program holds a font. [`canvas`] paints. Colours and sizes come
//! from the [`theme`].
//!
//! Lengths are in points unless a name or comment says pixels: a point is one pixel, or two on a fine screen.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod canvas;
pub mod color;
pub mod geometry;
#[cfg(feature = "host")]
pub mod host;
pub mod icon;
pub mod text;
pub mod theme;

pub use color::Color;
pub use geometry::Rect;
pub use icon::Icon;
pub use theme::Theme;
