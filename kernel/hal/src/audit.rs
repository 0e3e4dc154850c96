//! The walk of all page tables of the kernel's half at boot: write xor execute, nothing for user space, no
//! mapping in the lower half. Tested on the host with tables that break each rule.

use core::fmt;

use nonos_abi::boot::BootInfo;

use crate::region::Region;
use crate::space::KERNEL_ENTRY;
use crate::table::{ENTRIES, Entry};

/// What the walk found wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// A page is writable and executable.
    WritableAndExecutable(u64),
    /// A page outside the kernel image is executable.
    Executable(u64),
    /// User space could access a page.
    User(u64),
    /// Something is mapped outside the kernel's half.
    LowerHalf(usize),
    /// A page table lies outside the kernel region.
    Table(u64),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WritableAndExecutable(page) => {
                write!(f, "page {page:#x} is writable and executable")
            }
            Self::Executable(page) => {
                write!(f, "page {page:#x} is executable and not the kernel's")
            }
            Self::User(page) => write!(f, "page {page:#x} of the kernel is for user space"),
            Self::LowerHalf(entry) => write!(f, "entry {entry} maps the lower half"),
            Self::Table(table) => {
                write!(f, "a page table at {table:#x} is outside the kernel region")
            }
        }
    }
}

/// Permissions of all levels on the way to an entry.
#[derive(Clone, Copy)]
struct Path {
    writable: bool,
    executable: bool,
    user: bool,
}

/// Walks the tables below `root` (physical).
///
/// # Errors
/// The first violation found.
pub fn walk(region: &Region, root: u64, info: &BootInfo) -> Result<(), Violation> {
    let entry = |index| {
        region
            .read_kernel(root, index)
            .ok_or(Violation::Table(root))
    };
    for index in 0..ENTRIES {
        if index != KERNEL_ENTRY && entry(index)?.is_present() {
            return Err(Violation::LowerHalf(index));
        }
    }
    let all = Path {
        writable: true,
        executable: true,
        user: true,
    };
    walk_entry(
        region,
        entry(KERNEL_ENTRY)?,
        all,
        address_of(0, 4, KERNEL_ENTRY),
        4,
        info,
    )
}

fn walk_entry(
    region: &Region,
    entry: Entry,
    path: Path,
    address: u64,
    level: u32,
    info: &BootInfo,
) -> Result<(), Violation> {
    if !entry.is_present() {
        return Ok(());
    }
    let path = Path {
        writable: path.writable && entry.is_writable(),
        executable: path.executable && entry.is_executable(),
        user: path.user && entry.is_user(),
    };
    if level == 1 || level < 4 && entry.is_large() {
        return check_page(path, address, info);
    }
    for index in 0..ENTRIES {
        let lower = region
            .read_kernel(entry.physical(), index)
            .ok_or(Violation::Table(entry.physical()))?;
        walk_entry(
            region,
            lower,
            path,
            address_of(address, level - 1, index),
            level - 1,
            info,
        )?;
    }
    Ok(())
}

fn check_page(path: Path, address: u64, info: &BootInfo) -> Result<(), Violation> {
    let in_kernel = (info.kernel_base..info.kernel_base + info.kernel_bytes).contains(&address);
    match path {
        Path { user: true, .. } => Err(Violation::User(address)),
        Path {
            writable: true,
            executable: true,
            ..
        } => Err(Violation::WritableAndExecutable(address)),
        Path {
            executable: true, ..
        } if !in_kernel => Err(Violation::Executable(address)),
        _ => Ok(()),
    }
}

/// Address that entry `index` of a table of `level` maps, in a table that maps from `base` on.
fn address_of(base: u64, level: u32, index: usize) -> u64 {
    let offset = (index as u64) << (12 + 9 * (level - 1));
    // The upper half is sign-extended.
    if level == 4 && index >= ENTRIES / 2 {
        offset | 0xFFFF << 48
    } else {
        base + offset
    }
}

#[inline(never)]
/// Physical address of a mapped address of the kernel's half, in 4 KiB or 2 MiB pages.
pub fn translate(region: &Region, root: u64, address: u64) -> Option<u64> {
    let (_, entry, level) = leaf(region, root, address)?;
    let inside = (1 << (12 + 9 * (level - 1))) - 1;
    Some((entry.physical() & !inside) + (address & inside))
}

/// The entry that maps an address of the kernel's half, behind the physical address of its table, and its level: 1 for 4 KiB, 2 for 2 MiB.
pub fn leaf(region: &Region, root: u64, address: u64) -> Option<(u64, Entry, u32)> {
    let mut table = root;
    for level in (1..=4).rev() {
        let entry = region.read_kernel(table, crate::table::index(address, level))?;
        if !entry.is_present() {
            return None;
        }
        if level == 1 || level == 2 && entry.is_large() {
            return Some((table, entry, level));
        }
        table = entry.physical();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::tests::region;
    use crate::table::index;

    /// Frames of the boot page tables that the test region has.
    const ROOT: u64 = 0x50_0000;
    const POINTERS: u64 = 0x50_1000;
    const DIRECTORY: u64 = 0x50_2000;
    const TABLE: u64 = 0x50_3000;

    const KERNEL: u64 = 0xFFFF_FFFF_8040_0000;
    const READ: u64 = 1 | 1 << 63;
    const WRITE: u64 = READ | 2;
    const EXECUTE: u64 = 1;
    const LARGE: u64 = 1 << 7;

    fn set(region: &mut Region, table: u64, index: usize, value: u64) {
        // SAFETY: the test region's tables map nothing for real.
        unsafe { region.write_boot(table, index, Entry(value)) };
    }

    /// A region whose boot tables map the kernel image: a page of code, one of constants, one of data.
    fn mapped() -> (Region, Box<BootInfo>) {
        let mut region = region();
        for table in [ROOT, POINTERS, DIRECTORY, TABLE] {
            (0..ENTRIES).for_each(|index| set(&mut region, table, index, 0));
        }
        set(&mut region, ROOT, KERNEL_ENTRY, POINTERS | 3);
        set(&mut region, POINTERS, index(KERNEL, 3), DIRECTORY | 3);
        set(&mut region, DIRECTORY, index(KERNEL, 2), TABLE | 3);
        set(&mut region, TABLE, 0, 0x10_0000 | EXECUTE);
        set(&mut region, TABLE, 1, 0x10_1000 | READ);
        set(&mut region, TABLE, 2, 0x10_2000 | WRITE);
        // SAFETY: all fields are numbers or arrays of numbers; 0 is `RollbackStore::None`.
        let mut info: Box<BootInfo> = unsafe { Box::new_zeroed().assume_init() };
        (info.kernel_base, info.kernel_bytes) = (KERNEL, 0x3000);
        (region, info)
    }

    fn violation(table: u64, index: usize, value: u64) -> Option<Violation> {
        let (mut region, info) = mapped();
        set(&mut region, table, index, value);
        walk(&region, ROOT, &info).err()
    }

    #[test]
    fn a_kernel_with_separate_permissions_passes() {
        let (region, info) = mapped();
        assert_eq!(walk(&region, ROOT, &info), Ok(()));
    }

    #[test]
    fn each_broken_rule_is_found_where_it_is_broken() {
        let both = EXECUTE | 2;
        assert_eq!(
            violation(TABLE, 2, both),
            Some(Violation::WritableAndExecutable(KERNEL + 0x2000))
        );
        let large = KERNEL + 0x20_0000;
        assert_eq!(
            violation(DIRECTORY, index(large, 2), both | LARGE),
            Some(Violation::WritableAndExecutable(large))
        );
        assert_eq!(
            violation(TABLE, 3, EXECUTE),
            Some(Violation::Executable(KERNEL + 0x3000))
        );
        assert_eq!(
            violation(ROOT, 0, POINTERS | 3),
            Some(Violation::LowerHalf(0))
        );
        assert_eq!(violation(ROOT, 510, READ), Some(Violation::LowerHalf(510)));
        assert_eq!(
            violation(DIRECTORY, 0, 0x1234_5000 | 3),
            Some(Violation::Table(0x1234_5000))
        );
    }

    #[test]
    fn permissions_need_every_level() {
        // Writable and executable at the last level, but not above.
        let (mut region, info) = mapped();
        set(&mut region, TABLE, 2, 0x10_2000 | EXECUTE | 2);
        set(&mut region, DIRECTORY, index(KERNEL, 2), TABLE | 1);
        assert_eq!(walk(&region, ROOT, &info), Ok(()));
        // For user space at all levels.
        let (mut region, info) = mapped();
        for (table, index, value) in [
            (ROOT, KERNEL_ENTRY, POINTERS | 7),
            (POINTERS, index(KERNEL, 3), DIRECTORY | 7),
            (DIRECTORY, index(KERNEL, 2), TABLE | 7),
        ] {
            set(&mut region, table, index, value);
        }
        assert_eq!(walk(&region, ROOT, &info), Ok(()));
        set(&mut region, TABLE, 1, 0x10_1000 | READ | 4);
        assert_eq!(
            walk(&region, ROOT, &info),
            Err(Violation::User(KERNEL + 0x1000))
        );
    }

    #[test]
    fn addresses_are_translated_through_both_page_sizes() {
        let (mut region, _) = mapped();
        set(
            &mut region,
            DIRECTORY,
            index(KERNEL + 0x20_0000, 2),
            0x4000_0000 | WRITE | LARGE,
        );
        assert_eq!(translate(&region, ROOT, KERNEL + 0x1234), Some(0x10_1234));
        assert_eq!(
            translate(&region, ROOT, KERNEL + 0x21_2345),
            Some(0x4001_2345)
        );
        assert_eq!(translate(&region, ROOT, KERNEL + 0x3000), None);
    }
}
