//! Bytes as a picture: whatever they are, no more pixels than are allowed, and as many as its size says.
#![no_main]

use nonos_picture::{PIXELS, SIDE, decode};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = decode(bytes) {
        assert!(picture.width <= SIDE && picture.height <= SIDE);
        assert!(picture.pixels.len() <= PIXELS);
        assert_eq!(picture.pixels.len(), picture.width * picture.height);
        assert!(picture.pixels.iter().all(|pixel| pixel >> 24 == 0));
    }
});
