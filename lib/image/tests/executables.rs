//! What [`nonos_image::elf`] accepts and what it refuses.

mod common;

use common::sample::{self, *};
use nonos_image::elf::{Access, Executable, Refusal};
use proptest::prelude::*;

/// The refusal of the sample after some damage.
fn refusal(damage: impl FnOnce(&mut Vec<u8>)) -> Refusal {
    let mut file = sample::executable();
    damage(&mut file);
    Executable::parse(&file).map(|_| ()).expect_err("damaged")
}

/// Damages one field of a program header.
fn header(number: usize, field: (usize, usize), value: u64) -> Refusal {
    refusal(|file| set(file, number, field, value))
}

#[test]
fn a_well_formed_executable_is_described_as_it_is() {
    let file = sample::executable();
    let executable = Executable::parse(&file).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(executable.entry(), ENTRY);
    assert_eq!(executable.memory_bytes(), 0x8000);
    assert_eq!(executable.relro(), Some(0x2000..0x3000));
    let relocations: Vec<_> = executable.relocations().collect();
    assert_eq!(relocations, RELOCATIONS);
    let segments: Vec<_> = executable
        .segments()
        .iter()
        .map(|s| (s.virtual_offset, s.file_range(), s.memory_bytes, s.access))
        .collect();
    assert_eq!(
        segments,
        [
            (0, 0..0x900, 0x900, Access::Read),
            (0x1000, 0x1000..0x1800, 0x800, Access::ReadExecute),
            (0x2000, 0x2000..0x3000, 0x1000, Access::ReadWrite),
            (0x3000, 0x3000..0x3800, 0x5000, Access::ReadWrite),
        ]
    );
    assert_eq!(
        executable.contents(&executable.segments()[1]),
        &file[0x1000..0x1800]
    );
}

#[test]
fn writable_and_executable_is_refused() {
    for number in [R, RX, RELRO_DATA, DATA] {
        for flags in [3, 7] {
            assert_eq!(
                header(number, FLAGS, flags),
                Refusal::SegmentAccess(number, flags as u32)
            );
        }
    }
    assert_eq!(
        Refusal::SegmentAccess(1, 7).to_string(),
        "segment 1 is writable and executable: found 0x7"
    );
    for flags in [0, 1, 2, 12, 0x1000_0005] {
        assert_eq!(
            header(RX, FLAGS, flags),
            Refusal::SegmentAccess(RX, flags as u32)
        );
    }
    assert_eq!(header(STACK, FLAGS, 7), Refusal::ExecutableStack);
}

#[test]
fn overlapping_and_unordered_segments_are_refused() {
    assert_eq!(
        header(R, MEMSZ, 0x1001),
        Refusal::SegmentOverlap(RX),
        "the last page is shared"
    );
    assert_eq!(header(RX, VADDR, 0), Refusal::SegmentOverlap(RX));
    assert_eq!(
        header(RX, VADDR, 0x9000),
        Refusal::SegmentOverlap(RELRO_DATA)
    );
}

#[test]
fn segments_out_of_range_are_refused() {
    for field in [OFFSET, VADDR] {
        assert_eq!(header(RX, field, 0x1010), Refusal::SegmentAlignment(RX));
    }
    for alignment in [0, 3, 24, 0x20_0000, u64::MAX] {
        assert_eq!(header(RX, ALIGN, alignment), Refusal::SegmentAlignment(RX));
    }
    assert_eq!(
        header(DATA, FILESZ, 0x801),
        Refusal::SegmentFile(DATA),
        "past the end of the file"
    );
    assert_eq!(
        header(RX, FILESZ, 0x801),
        Refusal::SegmentFile(RX),
        "more in the file than in memory"
    );
    for offset in [0x4000, 1 << 32, !0xFFF] {
        assert_eq!(header(RX, OFFSET, offset), Refusal::SegmentFile(RX));
    }
    for address in [1 << 30, 1 << 63, !0xFFF] {
        assert_eq!(header(DATA, VADDR, address), Refusal::SegmentMemory(DATA));
    }
    for bytes in [0, 1 << 31, u64::MAX] {
        assert_eq!(header(DATA, MEMSZ, bytes), Refusal::SegmentMemory(DATA));
    }
}

#[test]
fn an_entry_outside_code_is_refused() {
    for entry in [0, 0xFFF, 0x1800, 0x2000, 0x7000, u64::MAX] {
        assert_eq!(
            refusal(|file| put(file, 24, 8, entry)),
            Refusal::Entry(entry)
        );
    }
    assert_eq!(
        header(RX, FLAGS, 4),
        Refusal::Entry(ENTRY),
        "no code at all"
    );
}

#[test]
fn other_kinds_of_file_are_refused() {
    assert_eq!(refusal(|file| file.truncate(63)), Refusal::Ident);
    assert_eq!(refusal(Vec::clear), Refusal::Ident);
    for at in 0..16 {
        assert_eq!(refusal(|file| file[at] ^= 3), Refusal::Ident, "byte {at}");
    }
    assert_eq!(refusal(|file| put(file, 16, 2, 2)), Refusal::Type(2));
    assert_eq!(refusal(|file| put(file, 18, 2, 183)), Refusal::Machine(183));
    for (at, value) in [
        (32, u64::MAX),
        (32, 1 << 20),
        (54, 32),
        (56, 0),
        (56, 0xFFFF),
    ] {
        let bytes = if at == 32 { 8 } else { 2 };
        assert_eq!(
            refusal(|file| put(file, at, bytes, value)),
            Refusal::ProgramHeaders,
            "{at} {value}"
        );
    }
}

#[test]
fn what_no_loader_here_does_is_refused() {
    assert_eq!(header(STACK, TYPE, 3), Refusal::Interpreter);
    assert_eq!(header(STACK, TYPE, 7), Refusal::ThreadLocal);
    assert_eq!(header(STACK, TYPE, 5), Refusal::HeaderKind(5));
    // Libraries, REL, PLT, initialisers, text relocations.
    for tag in [1, 17, 23, 12, 25, 22, 0x7FFF_FFFF] {
        assert_eq!(
            refusal(|file| set_dynamic(file, 3, tag, 8)),
            Refusal::DynamicTag(tag as i64)
        );
    }
    assert_eq!(
        refusal(|file| set_dynamic(file, 4, 30, 4)),
        Refusal::DynamicTag(30),
        "DF_TEXTREL"
    );
}

#[test]
fn bad_dynamic_sections_are_refused() {
    assert_eq!(header(DYNAMIC, VADDR, 0x2FF8), Refusal::Dynamic);
    assert_eq!(header(DYNAMIC, VADDR, u64::MAX), Refusal::Dynamic);
    assert_eq!(header(DYNAMIC, FILESZ, u64::MAX), Refusal::Dynamic);
    assert_eq!(header(DYNAMIC, FILESZ, 0x50), Refusal::Dynamic, "no end");
    assert_eq!(header(STACK, TYPE, 2), Refusal::Dynamic, "two of them");
    for (entry, value) in [
        (0, 0x5000),
        (0, u64::MAX),
        (1, 33),
        (1, u64::MAX - 7),
        (2, 24),
        (2, 0),
    ] {
        let tag = [36, 35, 37][entry];
        assert_eq!(
            refusal(|file| set_dynamic(file, entry, tag, value)),
            Refusal::RelocationTable,
            "{tag} {value}"
        );
    }
}

#[test]
fn bad_relocations_are_refused() {
    let relr = |number, entry| refusal(|file| set_relr(file, number, entry));
    assert_eq!(
        refusal(|file| set_dynamic(file, 3, 8, 24)),
        Refusal::NotPacked,
        "a table of relocations of any kind"
    );
    // Unaligned; in constants, in code, in no segment, at the end, past what the file has, past all.
    for offset in [
        0x3002,
        0x37FC,
        0x100,
        0x1000,
        0x1900,
        0x3800,
        0x7FF8,
        0x8000,
        u64::MAX - 7,
    ] {
        assert_eq!(relr(1, offset), Refusal::RelocationTarget(1, offset));
    }
    assert_eq!(
        relr(0, 0b11),
        Refusal::RelocationTarget(0, 0),
        "a bitmap of nothing"
    );
    let past_the_file = refusal(|file| {
        set_relr(file, 1, 0x3700);
        set_relr(file, 2, 1 << 63 | 1);
    });
    assert_eq!(past_the_file, Refusal::RelocationTarget(2, 0x38F8));
    for offset in [0x2000, 0x3008, 0x3010, 0x3018] {
        assert_eq!(relr(3, offset), Refusal::RelocationOrder(3, offset));
    }
    for addend in [0x8001, i64::MAX as u64, u64::MAX] {
        assert_eq!(
            refusal(|file| put(file, 0x3018, 8, addend)),
            Refusal::RelocationAddend(2, addend)
        );
    }
}

#[test]
fn a_bad_relro_range_is_refused() {
    for (field, value) in [
        (VADDR, 0x2008),
        (VADDR, 0x1000),
        (VADDR, !0xFFF),
        (MEMSZ, 0xFF8),
        (MEMSZ, 0x2000),
        (MEMSZ, !0xFFF),
    ] {
        assert_eq!(header(RELRO, field, value), Refusal::Relro, "{value:#x}");
    }
    assert_eq!(
        header(STACK, TYPE, 0x6474_E552),
        Refusal::Relro,
        "two of them"
    );
}

/// What a loader relies on, whatever the file.
fn check_promises(file: &[u8]) {
    let Ok(executable) = Executable::parse(file) else {
        return;
    };
    let segments = executable.segments();
    let mut end = 0;
    for segment in segments {
        assert!(segment.virtual_offset >= end && segment.virtual_offset % 4096 == 0);
        assert!(segment.file_bytes as u64 <= segment.memory_bytes);
        assert_eq!(executable.contents(segment).len(), segment.file_bytes);
        end = segment.page_end();
    }
    assert_eq!(executable.memory_bytes(), end);
    let mut relocated = 0;
    for (offset, addend) in executable.relocations() {
        assert!(addend <= end && offset % 8 == 0);
        assert!(segments.iter().any(|s| {
            s.access == Access::ReadWrite
                && offset >= s.virtual_offset
                && offset + 8 <= s.virtual_offset + s.file_bytes as u64
        }));
        assert!(offset >= relocated, "twice in one word");
        relocated = offset + 8;
    }
    if let Some(relro) = executable.relro() {
        assert!(relro.end <= end && relro.start % 4096 == 0 && relro.end % 4096 == 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damaged_executables_keep_the_promises_or_are_refused(
        damage in prop::collection::vec((0_usize..0x900, any::<u8>()), 1..8),
        dynamic in prop::collection::vec((DYNAMIC_AT..DYNAMIC_AT + 0x60, any::<u8>()), 0..4),
        length in 0_usize..=0x3800,
        truncate in any::<bool>(),
    ) {
        let mut file = sample::executable();
        // Half of the damage goes to the headers, where most of the checks are.
        for (number, (at, value)) in damage.into_iter().chain(dynamic).enumerate() {
            let at = if number % 2 == 0 && at < 0x900 { at % (64 + 56 * 7) } else { at };
            file[at] = value;
        }
        if truncate {
            file.truncate(length);
        }
        check_promises(&file);
    }

    #[test]
    fn extreme_numbers_keep_the_promises_or_are_refused(
        fields in prop::collection::vec((0_usize..7, 0_usize..7, 0_usize..8, any::<u64>()), 1..5),
    ) {
        const FIELDS: [(usize, usize); 7] = [TYPE, FLAGS, OFFSET, VADDR, FILESZ, MEMSZ, ALIGN];
        let mut file = sample::executable();
        for (number, field, extreme, random) in fields {
            let values = [0, 1, 0x1000, 0x3000, 0x7000, 1 << 30, u64::MAX - 0xFFF, random];
            set(&mut file, number, FIELDS[field], values[extreme]);
        }
        check_promises(&file);
    }

    #[test]
    fn any_table_of_relocations_keeps_the_promises_or_is_refused(
        entries in prop::collection::vec(
            prop_oneof![any::<u64>(), (0x2000_u64..0x3810), any::<u8>().prop_map(|bits| u64::from(bits) | 1)],
            4,
        ),
        words in prop::collection::vec((0x2000_usize..0x37F8, 0_u64..0x9000), 0..4),
    ) {
        let mut file = sample::executable();
        for (number, entry) in entries.into_iter().enumerate() {
            set_relr(&mut file, number, entry);
        }
        // Not in the dynamic section, which names the table.
        for (at, value) in words.into_iter().filter(|(at, _)| !(0x20F8..0x2160).contains(at)) {
            put(&mut file, at, 8, value);
        }
        check_promises(&file);
    }

    #[test]
    fn random_bytes_are_no_executable(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Executable::parse(&bytes).is_err());
        let mut file = sample::executable();
        let length = bytes.len().min(file.len() - 16);
        file[16..16 + length].copy_from_slice(&bytes[..length]);
        check_promises(&file);
    }
}
