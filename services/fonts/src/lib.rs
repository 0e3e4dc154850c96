//! The fonts as glyphs: what the service does that knows no system, and what stands in for it where programs run on the host.
//!
//! [`atlas`] is the memory that programs read, [`raster`] makes pixels of outlines, [`outline`] reads these, [`faces`] is what the
//! build script made of the fonts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod atlas;
pub mod faces;
pub mod outline;
pub mod raster;
