//! The toolkit of the desktop's programs.
//!
//! A program describes its window anew for each event ([`Ui`]: immediate mode, its state is its own). What it asks to be drawn is noted
//! as a list ([`frame`]); the list is compared with the last, and only what differs is painted ([`canvas`]) and shown ([`window`]).
//! Letters and icons are glyphs of the font service's atlas ([`text`]): no program holds a font.
//!
//! Lengths are in points unless a name or comment says pixels: a point is one pixel, or two on a fine screen. Colours and sizes come
//! from the [`theme`].
//!
//! What is more than a few lines is never inlined: where programs hold the same functions, the image holds them once or nearly (19 KB of the
//! 1 MB, measured). Inlined they differ from program to program.
//!
//! Nothing here knows the system but `app`: programs are tested, and their windows looked at, on the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "host")]
pub mod access;
#[cfg(feature = "app")]
pub mod app;
pub mod area;
pub mod buffer;
pub mod canvas;
mod caret;
pub mod color;
pub mod edit;
pub mod fit;
pub mod frame;
pub mod geometry;
#[cfg(feature = "host")]
pub mod host;
pub mod icon;
pub mod input;
pub mod picture;
pub mod program;
pub mod search;
pub mod text;
pub mod theme;
pub mod ui;
pub mod widgets;
pub mod window;

pub use area::Area;
pub use color::Color;
pub use edit::Edit;
pub use geometry::Rect;
pub use icon::Icon;
pub use program::App;
pub use theme::Theme;
pub use ui::Ui;
