//! The walk of all page tables of the kernel's half at boot: write xor execute, nothing for user space, no
//! mapping in the lower half.

use core::fmt;

use nonos_abi::boot::BootInfo;

use crate::region::Region;
use crate::space::KERNEL_ENTRY;
use crate::table::{ENTRIES, Entry};

/// What the walk found wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// A page is both writable and executable.
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
                write!(f, "page {page:#x} is both writable and executable")
            }
            Self::Executable(page) => {
                write!(f, "page {page:#x} is executable and not the kernel's")
            }
            Self::User(page) => write!(
                f,
                "page {page:#x} of the kernel is accessible to user space"
            ),
            Self::LowerHalf(entry) => write!(f, "top-level entry {entry} maps the lower half"),
            Self::Table(table) => write!(
                f,
                "a page table lies at {table:#x}, outside the kernel region"
            ),
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

/// Physical address of a mapped address of the kernel's half, in 4 KiB or 2 MiB pages.
pub fn translate(region: &Region, root: u64, address: u64) -> Option<u64> {
    let mut table = root;
    for level in (1..=4).rev() {
        let entry = region.read_kernel(table, crate::table::index(address, level))?;
        if !entry.is_present() {
            return None;
        }
        if level == 1 || level == 2 && entry.is_large() {
            let offset = address & ((1 << (12 + 9 * (level - 1))) - 1);
            return Some((entry.physical() & !((1 << (12 + 9 * (level - 1))) - 1)) + offset);
        }
        table = entry.physical();
    }
    None
}
