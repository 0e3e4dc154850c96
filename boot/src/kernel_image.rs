//! The kernel in memory: copied, relocated, and which access each page gets.
//!
//! Parsing and all checks are [`nonos_image::elf`]'s; here its segments are copied to zeroed memory and the
//! relocations applied. RELRO (constants with pointers in them) is mapped read-only from the start, since
//! nothing but the loader ever writes it.

use nonos_image::archive;
use nonos_image::elf::{self, Executable};

use crate::page_tables::Access;
use crate::payload::Payload;
use crate::{PAGE, Refusal};

/// A checked kernel out of a checked payload.
pub struct KernelImage<'m> {
    executable: Executable<'m>,
}

/// A kernel that is ready to run: made only by [`KernelImage::load`].
pub struct LoadedKernel {
    entry: u64,
}

impl LoadedKernel {
    /// Virtual address of the first instruction.
    pub fn entry(&self) -> u64 {
        self.entry
    }
}

/// Pages of the kernel that get the same access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// First byte, from the kernel's base; page-aligned.
    pub offset: u64,
    /// How many pages.
    pub pages: u64,
    /// Access.
    pub access: Access,
}

impl<'m> KernelImage<'m> {
    /// The kernel in a payload.
    ///
    /// # Errors
    /// When there is none, or it is no executable that can be loaded safely.
    pub fn find(payload: &Payload<'m>) -> Result<Self, Refusal> {
        let file = payload.get(archive::KERNEL).ok_or(Refusal::NoKernel)?;
        let executable = Executable::parse(file).map_err(Refusal::Kernel)?;
        Ok(Self { executable })
    }

    /// Bytes of memory that it takes, whole pages.
    pub fn memory_bytes(&self) -> u64 {
        self.executable.memory_bytes()
    }

    /// Writes the kernel, relocated for `base`, to zeroed memory of [`Self::memory_bytes`].
    ///
    /// # Errors
    /// When `memory` is too short for a segment or relocation; that does not happen for memory of the
    /// right size.
    pub fn load(&self, memory: &mut [u8], base: u64) -> Result<LoadedKernel, Refusal> {
        const OUT_OF_RANGE: Refusal = Refusal::KernelMemory;
        for segment in self.executable.segments() {
            let contents = self.executable.contents(segment);
            let start = segment.virtual_offset as usize;
            let target = memory
                .get_mut(start..)
                .and_then(|memory| memory.get_mut(..contents.len()));
            target.ok_or(OUT_OF_RANGE)?.copy_from_slice(contents);
        }
        for (offset, addend) in self.executable.relocations() {
            let target = memory
                .get_mut(offset as usize..)
                .and_then(|memory| memory.get_mut(..8));
            let value = base.wrapping_add(addend);
            target
                .ok_or(OUT_OF_RANGE)?
                .copy_from_slice(&value.to_le_bytes());
        }
        Ok(LoadedKernel {
            entry: base.wrapping_add(self.executable.entry()),
        })
    }

    /// What to map, ascending; gaps between segments are not mapped.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let relro = self.executable.relro().unwrap_or(0..0);
        self.executable
            .segments()
            .iter()
            .flat_map(move |segment| split(segment, &relro))
    }
}

/// A segment, cut in up to three where the RELRO range begins and ends.
fn split(
    segment: &elf::Segment,
    relro: &core::ops::Range<u64>,
) -> impl Iterator<Item = Part> + use<> {
    let (start, end) = (segment.virtual_offset, segment.page_end());
    let access = match segment.access {
        elf::Access::Read => Access::Read,
        elf::Access::ReadWrite => Access::ReadWrite,
        elf::Access::ReadExecute => Access::ReadExecute,
    };
    let (cut, resume) = (relro.start.clamp(start, end), relro.end.clamp(start, end));
    let read_only = if access == Access::ReadWrite {
        Access::Read
    } else {
        access
    };
    [
        (start, cut, access),
        (cut, resume, read_only),
        (resume.max(cut), end, access),
    ]
    .into_iter()
    .filter(|(from, to, _)| from < to)
    .map(|(from, to, access)| Part {
        offset: from,
        pages: (to - from) / PAGE,
        access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(access: elf::Access, relro: core::ops::Range<u64>) -> Vec<(u64, u64, Access)> {
        let segment = elf::Segment {
            virtual_offset: 0x4000,
            file_offset: 0,
            file_bytes: 0,
            memory_bytes: 0x3001,
            access,
        };
        split(&segment, &relro)
            .map(|part| (part.offset, part.pages, part.access))
            .collect()
    }

    #[test]
    fn relro_is_cut_out_of_data_and_read_only() {
        use elf::Access::ReadWrite;
        assert_eq!(
            parts(ReadWrite, 0x4000..0x5000),
            [(0x4000, 1, Access::Read), (0x5000, 3, Access::ReadWrite)]
        );
        assert_eq!(
            parts(ReadWrite, 0x5000..0x6000),
            [
                (0x4000, 1, Access::ReadWrite),
                (0x5000, 1, Access::Read),
                (0x6000, 2, Access::ReadWrite)
            ]
        );
        assert_eq!(
            parts(ReadWrite, 0x4000..0x8000),
            [(0x4000, 4, Access::Read)]
        );
    }

    #[test]
    fn segments_without_relro_stay_whole() {
        assert_eq!(
            parts(elf::Access::ReadWrite, 0..0),
            [(0x4000, 4, Access::ReadWrite)]
        );
        assert_eq!(
            parts(elf::Access::ReadWrite, 0x9000..0xA000),
            [(0x4000, 4, Access::ReadWrite)]
        );
        assert_eq!(
            parts(elf::Access::ReadExecute, 0..0),
            [(0x4000, 4, Access::ReadExecute)]
        );
        assert_eq!(
            parts(elf::Access::Read, 0x1000..0x2000),
            [(0x4000, 4, Access::Read)]
        );
    }
}
