//! Why a file is refused as an executable, in words.

use core::fmt;

use elf::abi;

#[cfg(doc)]
use super::MEMORY_BYTES_MAX;
use super::SEGMENTS_MAX;

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
    /// More than [`SEGMENTS_MAX`] load segments.
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ident => f.write_str("not a 64-bit little-endian ELF file"),
            Self::Type(found) => {
                write!(f, "not position-independent: ELF type {found}, expected 3")
            }
            Self::Machine(found) => write!(f, "not for x86_64: ELF machine {found}, expected 62"),
            Self::ProgramHeaders => f.write_str("program header table is missing or out of range"),
            Self::HeaderKind(kind) => write!(f, "unknown program header of type {kind:#x}"),
            Self::SegmentCount => write!(f, "more than {SEGMENTS_MAX} load segments"),
            Self::SegmentAlignment(number) => write!(
                f,
                "segment {number} is not page-aligned (-z separate-loadable-segments -z max-page-size=4096)"
            ),
            Self::SegmentAccess(number, flags)
                if flags & (abi::PF_W | abi::PF_X) == abi::PF_W | abi::PF_X =>
            {
                write!(f, "segment {number} is writable and executable")
            }
            Self::SegmentAccess(number, flags) => {
                write!(f, "segment {number} has flags {flags:#x}")
            }
            Self::SegmentFile(number) => write!(f, "segment {number} is out of range in the file"),
            Self::SegmentMemory(number) => {
                write!(f, "segment {number} is empty or too large in memory")
            }
            Self::SegmentOverlap(number) => write!(f, "segment {number} overlaps the one before"),
            Self::Entry(entry) => {
                write!(f, "entry point {entry:#x} is not in an executable segment")
            }
            Self::ExecutableStack => f.write_str("asks for an executable stack"),
            Self::Interpreter => f.write_str("asks for an interpreter: not statically linked"),
            Self::ThreadLocal => f.write_str("uses thread-local storage"),
            Self::Relro => f.write_str("RELRO range is not whole pages of one writable segment"),
            Self::Dynamic => f.write_str("dynamic section is out of range or does not end"),
            Self::DynamicTag(tag) => write!(f, "dynamic section has unsupported tag {tag:#x}"),
            Self::RelocationTable => f.write_str("relocation table is out of range"),
            Self::NotPacked => f.write_str(
                "has relocations other than packed relative ones (-z pack-relative-relocs)",
            ),
            Self::RelocationTarget(number, offset) => {
                write!(
                    f,
                    "relocation {number} at {offset:#x} is not an aligned word of a writable segment"
                )
            }
            Self::RelocationOrder(number, offset) => {
                write!(f, "relocation {number} at {offset:#x} is out of order")
            }
            Self::RelocationAddend(number, addend) => {
                write!(
                    f,
                    "relocation {number} points out of the image: {addend:#x}"
                )
            }
        }
    }
}

impl core::error::Error for Refusal {}
