//! A well-formed executable that tests damage.
//!
//! File: headers, relocations and constants (R) | code (RX) | RELRO data with the dynamic section (RW), data (RW, larger in
//! memory).
#![allow(dead_code, reason = "each test program uses a part")]

/// Program headers, in order.
pub const R: usize = 0;
pub const RX: usize = 1;
pub const RELRO_DATA: usize = 2;
pub const DATA: usize = 3;
pub const DYNAMIC: usize = 4;
pub const RELRO: usize = 5;
pub const STACK: usize = 6;

/// Offsets of fields in a program header, and their sizes.
pub const TYPE: (usize, usize) = (0, 4);
pub const FLAGS: (usize, usize) = (4, 4);
pub const OFFSET: (usize, usize) = (8, 8);
pub const VADDR: (usize, usize) = (16, 8);
pub const FILESZ: (usize, usize) = (32, 8);
pub const MEMSZ: (usize, usize) = (40, 8);
pub const ALIGN: (usize, usize) = (48, 8);

/// Where the table of packed relocations stands.
pub const RELR_AT: usize = 0x800;
/// The words that are relocated, and what they hold.
pub const RELOCATIONS: [(u64, u64); 4] = [
    (0x2000, 0x1010),
    (0x3008, 0x880),
    (0x3018, 0x8000),
    (0x37F8, 0),
];
/// The table: two words and a bitmap that adds a third, then one more.
const RELR: [u64; 4] = [0x2000, 0x3008, 0b101, 0x37F8];
/// Where the dynamic section stands.
pub const DYNAMIC_AT: usize = 0x2100;
/// Entry point.
pub const ENTRY: u64 = 0x1010;

/// Writes a number.
pub fn put(file: &mut [u8], at: usize, bytes: usize, value: u64) {
    file[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
}

/// Writes a field of a program header.
pub fn set(file: &mut [u8], header: usize, (at, bytes): (usize, usize), value: u64) {
    put(file, 64 + 56 * header + at, bytes, value);
}

/// Writes an entry of the table of relocations.
pub fn set_relr(file: &mut [u8], number: usize, entry: u64) {
    put(file, RELR_AT + 8 * number, 8, entry);
}

/// Writes an entry of the dynamic section.
pub fn set_dynamic(file: &mut [u8], number: usize, tag: u64, value: u64) {
    put(file, DYNAMIC_AT + 16 * number, 8, tag);
    put(file, DYNAMIC_AT + 16 * number + 8, 8, value);
}

/// The executable.
pub fn executable() -> Vec<u8> {
    let mut file = vec![0; 0x3800];
    file[..16].copy_from_slice(b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    put(&mut file, 16, 2, 3); // ET_DYN
    put(&mut file, 18, 2, 62); // EM_X86_64
    put(&mut file, 20, 4, 1);
    put(&mut file, 24, 8, ENTRY);
    put(&mut file, 32, 8, 64); // program headers follow
    put(&mut file, 52, 2, 64);
    put(&mut file, 54, 2, 56);
    put(&mut file, 56, 2, 7);
    // type, flags, offset (also the address), bytes in the file, bytes in memory
    let headers = [
        (1, 4, 0, 0x900, 0x900),
        (1, 5, 0x1000, 0x800, 0x800),
        (1, 6, 0x2000, 0x1000, 0x1000),
        (1, 6, 0x3000, 0x800, 0x5000),
        (2, 6, DYNAMIC_AT as u64, 0x60, 0x60),
        (0x6474_E552, 4, 0x2000, 0x1000, 0x1000),
        (0x6474_E551, 6, 0, 0, 0),
    ];
    for (number, (kind, flags, offset, in_file, in_memory)) in headers.into_iter().enumerate() {
        set(&mut file, number, TYPE, kind);
        set(&mut file, number, FLAGS, flags);
        set(&mut file, number, OFFSET, offset);
        set(&mut file, number, VADDR, offset);
        set(&mut file, number, FILESZ, in_file);
        set(&mut file, number, MEMSZ, in_memory);
        set(&mut file, number, ALIGN, if kind == 1 { 4096 } else { 8 });
    }
    set_dynamic(&mut file, 0, 36, RELR_AT as u64); // DT_RELR
    set_dynamic(&mut file, 1, 35, 8 * RELR.len() as u64); // DT_RELRSZ
    set_dynamic(&mut file, 2, 37, 8); // DT_RELRENT
    set_dynamic(&mut file, 3, 8, 0); // DT_RELASZ: no others
    set_dynamic(&mut file, 4, 30, 8); // DT_FLAGS: DF_BIND_NOW
    for (number, entry) in RELR.into_iter().enumerate() {
        set_relr(&mut file, number, entry);
    }
    for (at, value) in RELOCATIONS {
        put(&mut file, at as usize, 8, value);
    }
    file
}
