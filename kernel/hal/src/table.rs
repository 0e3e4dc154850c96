//! Page-table entries: what a 64-bit word in a page table says (SDM vol. 3, 4.5). Pure, tested on the host.

use nonos_abi::PAGE_BYTES;
use nonos_kernel_core::machine::{Access, Caching, FrameNumber};

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// Bytes that a page directory entry spans.
pub const DIRECTORY_SPAN: u64 = (PAGE_BYTES * ENTRIES) as u64;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// IA32_PAT as the kernel sets it: the reset value with write combining in place of write-through at
/// index 1, which an entry selects with its PWT bit (SDM vol. 3, 13.12).
pub const PAT: u64 = 0x0007_0406_0007_0106;

/// An entry of a page table of any level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Entry(pub u64);

impl Entry {
    /// Nothing mapped.
    pub const EMPTY: Self = Self(0);

    /// A lower table for user space. What may be done is decided by the last level.
    pub const fn user_table(frame: FrameNumber) -> Self {
        Self((frame.0 as u64) << 12 | PRESENT | WRITABLE | USER | ACCESSED)
    }

    /// A lower table of the kernel.
    pub const fn kernel_table(frame: FrameNumber) -> Self {
        Self((frame.0 as u64) << 12 | PRESENT | WRITABLE | ACCESSED)
    }

    /// A page of user space. Dirty and not writable makes a shadow stack (SDM vol. 1, 17.2.5), so no other page is both.
    pub const fn user_page(frame: FrameNumber, access: Access, caching: Caching) -> Self {
        let access = match access {
            Access::Read => NO_EXECUTE,
            Access::ReadWrite => NO_EXECUTE | WRITABLE | DIRTY,
            Access::ReadExecute => 0,
            Access::ShadowStack => NO_EXECUTE | DIRTY,
        };
        let caching = match caching {
            Caching::WriteBack => 0,
            Caching::WriteCombining => WRITE_THROUGH,
            Caching::Uncached => CACHE_DISABLE | WRITE_THROUGH,
        };
        Self((frame.0 as u64) << 12 | PRESENT | USER | ACCESSED | access | caching)
    }

    /// A writable page of the kernel, never executable.
    pub const fn kernel_page(frame: FrameNumber) -> Self {
        Self((frame.0 as u64) << 12 | PRESENT | WRITABLE | ACCESSED | DIRTY | NO_EXECUTE)
    }

    /// The same page as a shadow stack; it is one that the kernel only reads.
    pub const fn as_shadow_stack(self) -> Self {
        Self(self.0 | DIRTY)
    }

    /// A page that the kernel only reads.
    pub const fn kernel_constant(frame: FrameNumber) -> Self {
        Self((frame.0 as u64) << 12 | PRESENT | ACCESSED | NO_EXECUTE)
    }

    /// A page of code of the kernel, never writable.
    pub const fn kernel_code(frame: FrameNumber) -> Self {
        Self((frame.0 as u64) << 12 | PRESENT | ACCESSED)
    }

    /// The same entry, but nothing below it is executable.
    pub const fn without_execution(self) -> Self {
        Self(self.0 | NO_EXECUTE)
    }

    /// Registers of a device: as `kernel_page`, uncached.
    pub const fn kernel_device(frame: FrameNumber) -> Self {
        Self(Self::kernel_page(frame).0 | CACHE_DISABLE | WRITE_THROUGH)
    }

    /// A frame buffer: as `kernel_page`, write-combining.
    pub const fn kernel_framebuffer(frame: FrameNumber) -> Self {
        Self(Self::kernel_page(frame).0 | WRITE_THROUGH)
    }

    /// Whether anything is mapped.
    pub const fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    /// Whether writes are allowed at this level.
    pub const fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Whether user space is allowed at this level.
    pub const fn is_user(self) -> bool {
        self.0 & USER != 0
    }

    /// Whether execution is allowed at this level.
    pub const fn is_executable(self) -> bool {
        self.0 & NO_EXECUTE == 0
    }

    /// Whether an entry of level 2 or 3 maps a large page and not a table.
    pub const fn is_large(self) -> bool {
        self.0 & LARGE != 0
    }

    /// Physical address of the table or (not large) page.
    pub const fn physical(self) -> u64 {
        self.0 & ADDRESS
    }

    /// The frame of the table or page.
    pub const fn frame(self) -> FrameNumber {
        FrameNumber((self.physical() >> 12) as u32)
    }

    /// How user space may access the page. A shadow stack is one to read.
    pub const fn access(self) -> Access {
        match (self.is_writable(), self.is_executable()) {
            (true, _) => Access::ReadWrite,
            (false, true) => Access::ReadExecute,
            (false, false) => Access::Read,
        }
    }
}

/// Index into the table of `level` (4 is the top) on the way to `address`.
pub const fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * (level - 1))) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: FrameNumber = FrameNumber(0x1234_5678);

    #[test]
    fn no_access_is_writable_and_executable() {
        for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
            let entry = Entry::user_page(FRAME, access, Caching::WriteBack);
            assert!(entry.is_present() && entry.is_user());
            assert!(!(entry.is_writable() && entry.is_executable()));
            assert_eq!(entry.access(), access);
            assert_eq!(entry.frame(), FRAME);
        }
    }

    #[test]
    fn only_shadow_stacks_are_dirty_and_not_writable() {
        for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
            let entry = Entry::user_page(FRAME, access, Caching::WriteBack);
            assert!(entry.is_writable() || entry.0 & DIRTY == 0, "{access:?}");
        }
        let entry = Entry::user_page(FRAME, Access::ShadowStack, Caching::WriteBack);
        assert!(!entry.is_writable() && !entry.is_executable() && entry.0 & DIRTY != 0);
        assert_eq!(entry.access(), Access::Read);
    }

    #[test]
    fn kernel_pages_are_not_for_users_and_not_executable() {
        for entry in [
            Entry::kernel_page(FRAME),
            Entry::kernel_device(FRAME),
            Entry::kernel_framebuffer(FRAME),
        ] {
            assert!(entry.is_present() && !entry.is_user() && !entry.is_executable());
            assert_eq!(entry.frame(), FRAME);
        }
    }

    #[test]
    fn kernel_code_is_not_for_users_and_not_writable() {
        let entry = Entry::kernel_code(FRAME);
        assert!(entry.is_present() && !entry.is_user() && !entry.is_writable());
        assert!(entry.is_executable());
        assert_eq!(entry.frame(), FRAME);
    }

    #[test]
    fn write_combining_selects_the_pat_entry_that_says_so() {
        let entry = Entry::user_page(FRAME, Access::ReadWrite, Caching::WriteCombining);
        let selected = entry.0 >> 3 & 3;
        assert_eq!(
            PAT >> (8 * selected) & 7,
            1,
            "memory type 1 is write combining"
        );
        assert_eq!(PAT & 7, 6, "memory type 6 is write back");
        let selected = Entry::kernel_device(FRAME).0 >> 3 & 3;
        assert_eq!(PAT >> (8 * selected) & 7, 0, "memory type 0 is uncached");
    }

    #[test]
    fn indices_follow_the_address() {
        let address = 0xFFFF_FFFF_8020_3000;
        assert_eq!(
            [4, 3, 2, 1].map(|level| index(address, level)),
            [511, 510, 1, 3]
        );
    }
}
