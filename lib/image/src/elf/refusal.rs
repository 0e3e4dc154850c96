//! Why a file is refused as an executable, in words.

use core::fmt;

use elf::abi;

#[cfg(doc)]
use super::{MEMORY_BYTES_MAX, SEGMENTS_MAX};

/// Why a file is no executable for this system: the first check that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No 64-bit little-endian ELF file, or shorter than its header.
    Ident,
    /// Not a shared object (position-independent executable): the type found.
    Type(u16),
    /// Not for x86_64: the machine found.
    Machine(u16),
    /// The program header table is missing, too long, or not inside the file.
    ProgramHeaders,
    /// A program header of a kind that a loader here does not know.
    HeaderKind(u32),
    /// More load segments than [`SEGMENTS_MAX`].
    SegmentCount,
    /// This load segment is not aligned to pages of 4096 bytes in file or memory.
    SegmentAlignment(usize),
    /// This load segment has other flags than read, read+write, read+execute: the flags.
    SegmentAccess(usize, u32),
    /// This load segment reaches past the end of the file or is larger there than in memory.
    SegmentFile(usize),
    /// This load segment is empty or reaches past [`MEMORY_BYTES_MAX`].
    SegmentMemory(usize),
    /// This load segment overlaps the pages of the one before, or is out of order.
    SegmentOverlap(usize),
    /// The entry point does not lie in an executable segment.
    Entry(u64),
    /// The program wants an executable stack.
    ExecutableStack,
    /// The program wants an interpreter.
    Interpreter,
    /// The program wants thread-local storage.
    ThreadLocal,
    /// The RELRO range occurs twice or is not whole pages of one writable segment.
    Relro,
    /// The dynamic section occurs twice, or is not inside a segment's contents, or does not end.
    Dynamic,
    /// An entry of the dynamic section asks for what a loader here does not do: its tag.
    DynamicTag(i64),
    /// The relocation table is not inside a segment's contents or has the wrong entry size.
    RelocationTable,
    /// There are relocations other than packed relative ones.
    NotPacked,
    /// This relocation does not change an aligned word of a writable segment's contents: where.
    RelocationTarget(usize, u64),
    /// This relocation does not stand behind the one before it: where.
    RelocationOrder(usize, u64),
    /// This relocation makes a pointer out of the image: the addend.
    RelocationAddend(usize, u64),
}

impl Refusal {
    /// Which segment or relocation it is, what is wrong, and what was found. One form for all, because the kernel has them, too.
    fn parts(&self) -> (Option<(&'static str, usize)>, &'static str, Option<u64>) {
        let segment = |number| Some(("segment", number));
        let relocation = |number| Some(("relocation", number));
        match *self {
            Self::Ident => (None, "not a 64-bit little-endian ELF file", None),
            Self::Type(found) => (
                None,
                "ELF type is not 3, position-independent",
                Some(found.into()),
            ),
            Self::Machine(found) => (None, "ELF machine is not 62, x86_64", Some(found.into())),
            Self::ProgramHeaders => (
                None,
                "program header table is missing or out of range",
                None,
            ),
            Self::HeaderKind(kind) => (None, "unknown program header", Some(kind.into())),
            Self::SegmentCount => (None, "too many load segments", None),
            Self::SegmentAlignment(number) => (
                segment(number),
                "is not page-aligned (-z separate-loadable-segments -z max-page-size=4096)",
                None,
            ),
            Self::SegmentAccess(number, flags) => {
                let both = abi::PF_W | abi::PF_X;
                let words = if flags & both == both {
                    "is writable and executable"
                } else {
                    "has unknown flags"
                };
                (segment(number), words, Some(flags.into()))
            }
            Self::SegmentFile(number) => (segment(number), "is out of range in the file", None),
            Self::SegmentMemory(number) => {
                (segment(number), "is empty or too large in memory", None)
            }
            Self::SegmentOverlap(number) => (segment(number), "overlaps the one before", None),
            Self::Entry(entry) => (
                None,
                "entry point is not in an executable segment",
                Some(entry),
            ),
            Self::ExecutableStack => (None, "asks for an executable stack", None),
            Self::Interpreter => (None, "asks for an interpreter: not statically linked", None),
            Self::ThreadLocal => (None, "uses thread-local storage", None),
            Self::Relro => (
                None,
                "RELRO range is not whole pages of one writable segment",
                None,
            ),
            Self::Dynamic => (
                None,
                "dynamic section is out of range or does not end",
                None,
            ),
            Self::DynamicTag(tag) => (
                None,
                "unsupported tag in the dynamic section",
                Some(tag as u64),
            ),
            Self::RelocationTable => (None, "relocation table is out of range", None),
            Self::NotPacked => (
                None,
                "has relocations other than packed relative ones (-z pack-relative-relocs)",
                None,
            ),
            Self::RelocationTarget(number, offset) => (
                relocation(number),
                "does not change an aligned word of a writable segment",
                Some(offset),
            ),
            Self::RelocationOrder(number, offset) => {
                (relocation(number), "is out of order", Some(offset))
            }
            Self::RelocationAddend(number, addend) => {
                (relocation(number), "points out of the image", Some(addend))
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, words, found) = self.parts();
        if let Some((kind, number)) = part {
            write!(f, "{kind} {number} ")?;
        }
        f.write_str(words)?;
        match found {
            Some(found) => write!(f, ": found {found:#x}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Refusal {}
