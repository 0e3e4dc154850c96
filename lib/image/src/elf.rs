//! Executables: static position-independent ELF files for x86_64, the kernel's and the modules'.
//!
//! [`Executable::parse`] checks all that a loader relies on, so that loading is copying and adding:
//!
//! - segments are page-aligned in memory, ascending, apart by whole pages, and inside the file and
//!   [`MEMORY_BYTES_MAX`]; none is writable and executable; in the file they lie as they say that they are aligned;
//! - the entry lies in the file-backed part of an executable segment;
//! - relocations are packed relative ones (DT_RELR) and nothing else, ascending; each names an 8-byte aligned word (so
//!   never across pages) in the file-backed part of a writable segment, whose contents point into the image;
//! - the RELRO range is whole pages of a writable segment;
//! - nothing asks for what a loader here does not do: interpreter, libraries, thread-local storage,
//!   initialisers, text relocations, executable stack.
//!
//! Sections are ignored. Link with `-z separate-loadable-segments` (page alignment in memory),
//! `-z max-page-size=4096` and `-z pack-relative-relocs`. References: System V gABI chapters 4 and 5, with DT_RELR of
//! version 4.3 draft, AMD64 psABI 4.4.

mod packed;
mod refusal;

use core::ops::Range;

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader};
use elf::parse::{ParseAt, ParsingTable};
use elf::segment::ProgramHeader;
use nonos_abi::PAGE_BYTES;

use packed::{ENTRY_BYTES, Packed, WORD_BYTES};
pub use refusal::Refusal;

/// Most load segments.
pub const SEGMENTS_MAX: usize = 16;
/// Most memory that an executable may take.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;

const PAGE: u64 = PAGE_BYTES as u64;
/// ELF64, little-endian, current version, System V ABI.
const IDENT: [u8; abi::EI_NIDENT] = [
    0x7F,
    b'E',
    b'L',
    b'F',
    abi::ELFCLASS64,
    abi::ELFDATA2LSB,
    abi::EV_CURRENT,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
];
const HEADER_BYTES: usize = abi::EI_NIDENT + elf::file::ELF64_EHDR_TAILSIZE;
const PROGRAM_HEADER_BYTES: usize = 56;
/// Tags of the packed relocations' table: its bytes, where it is, bytes of an entry.
const DT_RELRSZ: i64 = 35;
const DT_RELR: i64 = 36;
const DT_RELRENT: i64 = 37;

/// How a segment may be accessed once it is loaded. There is no writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

/// A load segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Where it starts in memory, from the base of the executable. Page-aligned.
    pub virtual_offset: u64,
    /// Where its contents start in the file.
    pub file_offset: usize,
    /// Bytes of its contents in the file; not more than `memory_bytes`.
    pub file_bytes: usize,
    /// Bytes in memory; what the file does not fill is zero, as is the rest of the last page.
    pub memory_bytes: u64,
    /// How it may be accessed.
    pub access: Access,
}

impl Segment {
    const EMPTY: Self = Self {
        virtual_offset: 0,
        file_offset: 0,
        file_bytes: 0,
        memory_bytes: 0,
        access: Access::Read,
    };

    /// Its contents in the file.
    pub fn file_range(&self) -> Range<usize> {
        self.file_offset..self.file_offset + self.file_bytes
    }

    /// Whole pages that it takes in memory.
    pub fn pages(&self) -> u64 {
        self.memory_bytes.div_ceil(PAGE)
    }

    /// First byte after its last page, from the base of the executable.
    pub fn page_end(&self) -> u64 {
        self.virtual_offset + self.pages() * PAGE
    }

    fn holds_in_file(&self, offset: u64, bytes: u64) -> bool {
        within(self.virtual_offset, self.file_bytes as u64, offset, bytes)
    }
}

/// Whether `bytes` from `offset` on lie in `length` from `start` on.
fn within(start: u64, length: u64, offset: u64, bytes: u64) -> bool {
    offset
        .checked_sub(start)
        .and_then(|from| from.checked_add(bytes))
        .is_some_and(|end| end <= length)
}

/// A checked executable.
#[derive(Clone)]
pub struct Executable<'a> {
    file: &'a [u8],
    entry: u64,
    segments: [Segment; SEGMENTS_MAX],
    segment_count: usize,
    relocations: &'a [u8],
    relro: Option<(u64, u64)>,
}

impl<'a> Executable<'a> {
    /// Checks a whole file.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn parse(file: &'a [u8]) -> Result<Self, Refusal> {
        let header = file_header(file)?;
        let headers = program_headers(file, &header)?;
        let mut executable = Self {
            file,
            entry: header.e_entry,
            segments: [Segment::EMPTY; SEGMENTS_MAX],
            segment_count: 0,
            relocations: &[],
            relro: None,
        };
        headers
            .iter()
            .filter(|h| h.p_type == abi::PT_LOAD)
            .try_for_each(|h| executable.add_segment(&h))?;
        executable.check_entry()?;

        let mut dynamic = None;
        for header in headers.iter() {
            match header.p_type {
                abi::PT_LOAD | abi::PT_NOTE | abi::PT_PHDR | abi::PT_NULL => {}
                abi::PT_GNU_EH_FRAME | abi::PT_GNU_PROPERTY => {}
                abi::PT_GNU_STACK if header.p_flags & abi::PF_X == 0 => {}
                abi::PT_GNU_STACK => return Err(Refusal::ExecutableStack),
                abi::PT_INTERP => return Err(Refusal::Interpreter),
                abi::PT_TLS => return Err(Refusal::ThreadLocal),
                abi::PT_GNU_RELRO => executable.set_relro(&header)?,
                abi::PT_DYNAMIC if dynamic.is_none() => dynamic = Some(header),
                abi::PT_DYNAMIC => return Err(Refusal::Dynamic),
                kind => return Err(Refusal::HeaderKind(kind)),
            }
        }
        if let Some(header) = dynamic {
            let bytes = executable
                .contents_at(header.p_vaddr, header.p_filesz)
                .ok_or(Refusal::Dynamic)?;
            executable.relocations = executable.relocation_table(bytes)?;
            executable.check_relocations()?;
        }
        Ok(executable)
    }

    /// Where execution starts, from the base.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Load segments, ascending.
    pub fn segments(&self) -> &[Segment] {
        self.segments.get(..self.segment_count).unwrap_or_default()
    }

    /// Contents of one of [`Self::segments`] in the file.
    pub fn contents(&self, segment: &Segment) -> &'a [u8] {
        self.file.get(segment.file_range()).unwrap_or_default()
    }

    /// Bytes of memory from the base to the end of the last segment, whole pages.
    pub fn memory_bytes(&self) -> u64 {
        self.segments().last().map_or(0, Segment::page_end)
    }

    /// For each relocation, ascending: the offset of an aligned 64-bit word in a writable segment, and what the file
    /// has there. The loader adds the base.
    pub fn relocations(&self) -> impl Iterator<Item = (u64, u64)> {
        // All words are there: that was checked.
        Packed::new(self.relocations).filter_map(|offset| Some((offset, self.word(offset)?)))
    }

    /// Pages that become read-only after relocation, as offsets from the base.
    pub fn relro(&self) -> Option<Range<u64>> {
        self.relro.map(|(start, end)| start..end)
    }

    fn add_segment(&mut self, header: &ProgramHeader) -> Result<(), Refusal> {
        let number = self.segment_count;
        let slot = self.segments.get_mut(number).ok_or(Refusal::SegmentCount)?;
        let aligned = header.p_vaddr.is_multiple_of(PAGE)
            && header.p_align.is_power_of_two()
            && header.p_vaddr.is_multiple_of(header.p_align)
            && header.p_offset.is_multiple_of(header.p_align);
        if !aligned {
            return Err(Refusal::SegmentAlignment(number));
        }
        let access = match header.p_flags {
            abi::PF_R => Access::Read,
            flags if flags == abi::PF_R | abi::PF_W => Access::ReadWrite,
            flags if flags == abi::PF_R | abi::PF_X => Access::ReadExecute,
            flags => return Err(Refusal::SegmentAccess(number, flags)),
        };
        if header.p_memsz == 0 || !within(0, MEMORY_BYTES_MAX, header.p_vaddr, header.p_memsz) {
            return Err(Refusal::SegmentMemory(number));
        }
        let in_file = within(0, self.file.len() as u64, header.p_offset, header.p_filesz);
        if !in_file || header.p_filesz > header.p_memsz {
            return Err(Refusal::SegmentFile(number));
        }
        let segment = Segment {
            virtual_offset: header.p_vaddr,
            file_offset: header.p_offset as usize,
            file_bytes: header.p_filesz as usize,
            memory_bytes: header.p_memsz,
            access,
        };
        *slot = segment;
        if segment.virtual_offset < self.memory_bytes() {
            return Err(Refusal::SegmentOverlap(number));
        }
        self.segment_count += 1;
        Ok(())
    }

    fn check_entry(&self) -> Result<(), Refusal> {
        let executable =
            |s: &Segment| s.access == Access::ReadExecute && s.holds_in_file(self.entry, 1);
        if self.segments().iter().any(executable) {
            Ok(())
        } else {
            Err(Refusal::Entry(self.entry))
        }
    }

    fn set_relro(&mut self, header: &ProgramHeader) -> Result<(), Refusal> {
        let (start, bytes) = (header.p_vaddr, header.p_memsz);
        let holds = |s: &Segment| {
            s.access == Access::ReadWrite
                && within(s.virtual_offset, s.pages() * PAGE, start, bytes)
        };
        let aligned = start % PAGE == 0 && bytes % PAGE == 0;
        if self.relro.is_some() || !aligned || !self.segments().iter().any(holds) {
            return Err(Refusal::Relro);
        }
        self.relro = Some((start, start + bytes));
        Ok(())
    }

    /// Bytes of the file that are loaded at `offset`.
    fn contents_at(&self, offset: u64, bytes: u64) -> Option<&'a [u8]> {
        let segment = self
            .segments()
            .iter()
            .find(|s| s.holds_in_file(offset, bytes))?;
        let from = segment.file_offset + (offset - segment.virtual_offset) as usize;
        self.file.get(from..from + bytes as usize)
    }

    /// The word of the file that is loaded at `offset`.
    fn word(&self, offset: u64) -> Option<u64> {
        let bytes = self.contents_at(offset, WORD_BYTES)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Finds the relocation table; refuses a dynamic section that asks for more.
    fn relocation_table(&self, dynamic: &[u8]) -> Result<&'a [u8], Refusal> {
        let (mut offset, mut bytes, mut entry_bytes, mut ended) = (0, 0, ENTRY_BYTES, false);
        for entry in table::<elf::dynamic::Dyn>(dynamic).iter() {
            match entry.d_tag {
                abi::DT_NULL => {
                    ended = true;
                    break;
                }
                DT_RELR => offset = entry.d_ptr(),
                DT_RELRSZ => bytes = entry.d_val(),
                DT_RELRENT => entry_bytes = entry.d_val(),
                abi::DT_RELASZ if entry.d_val() != 0 => return Err(Refusal::NotPacked),
                abi::DT_RELA | abi::DT_RELASZ | abi::DT_RELAENT => {}
                // Tables of symbols are there but nothing refers to them; the flags say how eager to be.
                abi::DT_SYMTAB | abi::DT_SYMENT | abi::DT_STRTAB | abi::DT_STRSZ | abi::DT_HASH => {
                }
                abi::DT_GNU_HASH | abi::DT_DEBUG | abi::DT_FLAGS_1 => {}
                abi::DT_FLAGS
                    if entry.d_val() & !(abi::DF_BIND_NOW | abi::DF_SYMBOLIC) as u64 == 0 => {}
                tag => return Err(Refusal::DynamicTag(tag)),
            }
        }
        if !ended {
            return Err(Refusal::Dynamic);
        }
        if bytes == 0 {
            return Ok(&[]);
        }
        let whole = entry_bytes == ENTRY_BYTES && bytes % ENTRY_BYTES == 0;
        self.contents_at(offset, bytes)
            .filter(|_| whole)
            .ok_or(Refusal::RelocationTable)
    }

    fn check_relocations(&self) -> Result<(), Refusal> {
        let image_bytes = self.memory_bytes();
        let mut end = 0;
        for (number, at) in Packed::new(self.relocations).enumerate() {
            let writable =
                |s: &Segment| s.access == Access::ReadWrite && s.holds_in_file(at, WORD_BYTES);
            if at % WORD_BYTES != 0 || !self.segments().iter().any(writable) {
                return Err(Refusal::RelocationTarget(number, at));
            }
            // Twice in one word would make another pointer of it.
            if at < end {
                return Err(Refusal::RelocationOrder(number, at));
            }
            end = at + WORD_BYTES;
            match self.word(at) {
                Some(addend) if addend <= image_bytes => {}
                addend => {
                    return Err(Refusal::RelocationAddend(
                        number,
                        addend.unwrap_or(u64::MAX),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn file_header(file: &[u8]) -> Result<FileHeader<LittleEndian>, Refusal> {
    let tail = file.strip_prefix(&IDENT).ok_or(Refusal::Ident)?;
    let ident = (LittleEndian, Class::ELF64, 0, 0);
    let header = FileHeader::parse_tail(ident, tail).map_err(|_| Refusal::Ident)?;
    if usize::from(header.e_ehsize) != HEADER_BYTES || header.version != u32::from(abi::EV_CURRENT)
    {
        return Err(Refusal::Ident);
    }
    if header.e_type != abi::ET_DYN {
        return Err(Refusal::Type(header.e_type));
    }
    if header.e_machine != abi::EM_X86_64 {
        return Err(Refusal::Machine(header.e_machine));
    }
    Ok(header)
}

fn program_headers<'a>(
    file: &'a [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<ParsingTable<'a, LittleEndian, ProgramHeader>, Refusal> {
    let start = usize::try_from(header.e_phoff).map_err(|_| Refusal::ProgramHeaders)?;
    // PN_XNUM, "too many to count", is far above the limit here.
    let bytes = usize::from(header.e_phnum) * PROGRAM_HEADER_BYTES;
    let right_size =
        usize::from(header.e_phentsize) == PROGRAM_HEADER_BYTES && header.e_phnum < abi::PN_XNUM;
    let end = start.checked_add(bytes).filter(|_| right_size && bytes > 0);
    let bytes = end
        .and_then(|end| file.get(start..end))
        .ok_or(Refusal::ProgramHeaders)?;
    Ok(table(bytes))
}

fn table<P: ParseAt>(bytes: &[u8]) -> ParsingTable<'_, LittleEndian, P> {
    ParsingTable::new(LittleEndian, Class::ELF64, bytes)
}
