//! Bytes as an ELF: what is accepted keeps what loaders rely on.
#![no_main]

use nonos_image::elf::{Access, Executable};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(executable) = Executable::parse(bytes) else {
        return;
    };
    let memory_bytes = executable.memory_bytes();
    let mut end = 0;
    for segment in executable.segments() {
        assert!(segment.virtual_offset >= end, "segments overlap");
        assert_eq!(segment.virtual_offset % 4096, 0);
        assert_eq!(executable.contents(segment).len(), segment.file_bytes);
        assert!(segment.file_bytes as u64 <= segment.memory_bytes);
        end = segment.page_end();
    }
    assert_eq!(end, memory_bytes);
    let is_in = |offset: u64, bytes: u64, access: Access| {
        executable.segments().iter().any(|segment| {
            let from = offset.checked_sub(segment.virtual_offset);
            let inside = from.is_some_and(|from| from + bytes <= segment.memory_bytes);
            segment.access == access && inside
        })
    };
    assert!(is_in(executable.entry(), 1, Access::ReadExecute));
    for (offset, _) in executable.relocations() {
        assert!(is_in(offset, 8, Access::ReadWrite));
    }
    if let Some(range) = executable.relro() {
        assert!(range.start <= range.end && range.end <= memory_bytes);
    }
});
