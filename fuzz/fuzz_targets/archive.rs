//! Bytes as the archive in an image, and as the kernel's symbols.
#![no_main]

use nonos_image::archive::Archive;
use nonos_image::symbols::Symbols;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(archive) = Archive::parse(bytes) {
        for entry in archive.iter() {
            assert_eq!(archive.get(entry.name.as_str()), Some(entry.contents));
        }
        assert!(archive.modules().count() <= archive.iter().count());
    }
    if let Ok(symbols) = Symbols::parse(bytes) {
        for offset in [0, 1, 0x1000, 0x7FFF_FFFF, u32::MAX] {
            if let Some((name, behind)) = symbols.resolve(offset) {
                assert!(behind <= offset && name.len() < bytes.len());
            }
        }
    }
});
