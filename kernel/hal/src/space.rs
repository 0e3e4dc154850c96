//! Address spaces of processes: page tables in the kernel region, with the kernel's half shared.
//!
//! Only page tables change here; forgetting cached translations is the caller's part (`machine.rs`). Tables
//! that become empty are freed at once, so what a process holds of the region follows from what it maps.

use nonos_abi::PAGE_BYTES;
use nonos_kernel_core::machine::{Access, AddressSpace, Caching, FrameNumber, MapError, UserPage};

use crate::region::Region;
use crate::table::{ENTRIES, Entry, index};

/// Levels of page tables.
const LEVELS: u32 = 4;

/// The entry of the top-level table that maps the kernel's half.
pub const KERNEL_ENTRY: usize = ENTRIES - 1;

/// Makes an address space with the kernel's half and nothing else, without the time-stamp counter or with it; `None` when the region
/// is used up.
pub fn create(
    region: &mut Region,
    kernel_half: Entry,
    without_counter: bool,
) -> Option<AddressSpace> {
    let root = region.table_create()?;
    if !region.table_make_root(root, without_counter) {
        region.table_free(root);
        return None;
    }
    region.write(root, KERNEL_ENTRY, kernel_half);
    Some(AddressSpace(root))
}

/// Makes an address space for starting another CPU: a page of code at its physical address, and the kernel's half.
/// Nothing in it is for user space.
pub fn create_startup(
    region: &mut Region,
    kernel_half: Entry,
    page: FrameNumber,
) -> Option<AddressSpace> {
    if region.table_frames().0 < u64::from(LEVELS) {
        return None;
    }
    let space = create(region, kernel_half, false)?;
    let address = u64::from(page.0) * PAGE_BYTES as u64;
    map_for_kernel(region, space.0, address, Entry::kernel_code(page))?;
    Some(space)
}

/// Maps a page below a top-level table for the kernel alone; `None` when the region is used up.
pub fn map_for_kernel(
    region: &mut Region,
    root: FrameNumber,
    address: u64,
    entry: Entry,
) -> Option<()> {
    let mut table = root;
    for level in (2..=LEVELS).rev() {
        let slot = index(address, level);
        table = match present(region, table, slot) {
            Some(lower) => lower,
            None => {
                let lower = region.table_create()?;
                region.write(table, slot, Entry::kernel_table(lower));
                lower
            }
        };
    }
    region.write(table, index(address, 1), entry);
    Some(())
}

/// Frees an address space and its tables, not the frames mapped. It is not loaded.
pub fn destroy(region: &mut Region, space: AddressSpace) {
    check(region, space);
    if let Some(user_root) = region.user_root(space.0) {
        region.table_free(user_root);
    }
    region.write(space.0, KERNEL_ENTRY, Entry::EMPTY);
    free_tables(region, space.0, LEVELS);
}

fn free_tables(region: &mut Region, table: FrameNumber, level: u32) {
    if level > 1 {
        let mut left = region.used_entries(table);
        let mut entry = 0;
        while left > 0 {
            let lower = region.read(table, entry);
            if lower.is_present() {
                free_tables(region, lower.frame(), level - 1);
                left -= 1;
            }
            entry += 1;
        }
    }
    region.table_free(table);
}

/// Maps a frame.
///
/// # Errors
/// When the page is mapped or the region is used up; then nothing changed.
#[inline(always)]
pub fn map(
    region: &mut Region,
    space: AddressSpace,
    page: UserPage,
    frame: FrameNumber,
    access: Access,
    caching: Caching,
) -> Result<(), MapError> {
    let address = page.address();
    let table = match region.found(space.0, address) {
        Some(table) => table,
        None => make_way(region, space, address)?,
    };
    let entry = Entry::user_page(frame, access, caching);
    if region.fill(table, index(address, 1), entry) {
        Ok(())
    } else {
        Err(MapError::Mapped)
    }
}

/// Makes the tables on the way to an address that are missing, and notes the lowest.
#[inline(never)]
fn make_way(
    region: &mut Region,
    space: AddressSpace,
    address: u64,
) -> Result<FrameNumber, MapError> {
    check(region, space);
    let (mut table, level) = descend(region, space, address);
    if level > 1 {
        table = create_tables(region, table, level, address)?;
    }
    region.note_found(space.0, address, table);
    Ok(table)
}

/// Makes the tables below the one of `level` on the way to an address; returns the lowest.
fn create_tables(
    region: &mut Region,
    mut table: FrameNumber,
    level: u32,
    address: u64,
) -> Result<FrameNumber, MapError> {
    if region.table_frames().0 < u64::from(level - 1) {
        return Err(MapError::OutOfTables);
    }
    for level in (2..=level).rev() {
        let lower = region.table_create().ok_or(MapError::OutOfTables)?;
        link(
            region,
            table,
            index(address, level),
            Entry::user_table(lower),
        );
        table = lower;
    }
    Ok(table)
}

/// Writes an entry that refers to a lower table or to nothing. When user mode has a top-level table of its own, it goes there, and
/// the kernel's own has nothing of user space to execute.
fn link(region: &mut Region, table: FrameNumber, slot: usize, entry: Entry) {
    let mut own = entry;
    if let Some(user_root) = region.user_root(table) {
        region.write(user_root, slot, entry);
        if entry.is_present() {
            own = entry.without_execution();
        }
    }
    region.write(table, slot, own);
}

/// Unmaps a page and frees tables that are empty then, after `before_free`, which has every CPU forget that they were
/// tables of this address space. `None` when nothing was mapped.
#[inline(always)]
pub fn unmap(
    region: &mut Region,
    space: AddressSpace,
    page: UserPage,
    before_free: impl FnOnce(AddressSpace, UserPage),
) -> Option<FrameNumber> {
    let address = page.address();
    let table = match region.found(space.0, address) {
        Some(table) => table,
        None => find_way(region, space, address)?,
    };
    let (old, left) = region.empty(table, index(address, 1))?;
    if left == 0 {
        unmap_tables(region, space, page, before_free);
    }
    Some(old.frame())
}

/// The lowest table on the way to an address, if it exists, which is noted.
#[inline(never)]
fn find_way(region: &mut Region, space: AddressSpace, address: u64) -> Option<FrameNumber> {
    let table = lowest_table(region, space, address)?;
    region.note_found(space.0, address, table);
    Some(table)
}

/// Unmaps and frees the lowest of the tables on the way to an address, which is empty, and those that are empty then.
#[inline(never)]
fn unmap_tables(
    region: &mut Region,
    space: AddressSpace,
    page: UserPage,
    before_free: impl FnOnce(AddressSpace, UserPage),
) {
    let address = page.address();
    let mut path = [space.0; LEVELS as usize];
    for (depth, level) in (2..=LEVELS).rev().enumerate() {
        let lower = region.read(path[depth], index(address, level));
        path[depth + 1] = lower.frame();
    }
    let mut empty = 0;
    // The top-level table always holds the entry of the kernel's half, so it stays.
    for (level, &table) in (2..).zip(path.iter().rev().skip(1)) {
        link(region, table, index(address, level), Entry::EMPTY);
        empty += 1;
        if region.used_entries(table) > 0 {
            break;
        }
    }
    before_free(space, page);
    let tables = path.iter().rev().take(empty);
    tables.for_each(|&table| region.table_free(table));
}

/// What an entry refers to, if it is present.
#[inline(always)]
fn present(region: &Region, table: FrameNumber, entry: usize) -> Option<FrameNumber> {
    let entry = region.read(table, entry);
    entry.is_present().then(|| entry.frame())
}

/// The frame a page is mapped to, and how.
pub fn translate(
    region: &Region,
    space: AddressSpace,
    page: UserPage,
) -> Option<(FrameNumber, Access)> {
    let address = page.address();
    let table = lowest_table(region, space, address)?;
    let entry = region.read(table, index(address, 1));
    entry.is_present().then(|| (entry.frame(), entry.access()))
}

/// The lowest table on the way to an address, if it exists.
#[inline(always)]
fn lowest_table(region: &Region, space: AddressSpace, address: u64) -> Option<FrameNumber> {
    if let Some(table) = region.found(space.0, address) {
        return Some(table);
    }
    check(region, space);
    let (table, level) = descend(region, space, address);
    (level == 1).then_some(table)
}

/// The lowest table on the way to an address, and its level.
fn descend(region: &Region, space: AddressSpace, address: u64) -> (FrameNumber, u32) {
    let Some(third) = present(region, space.0, index(address, 4)) else {
        return (space.0, 4);
    };
    let Some(second) = present(region, third, index(address, 3)) else {
        return (third, 3);
    };
    let Some(first) = present(region, second, index(address, 2)) else {
        return (second, 2);
    };
    (first, 1)
}

fn check(region: &Region, space: AddressSpace) {
    assert!(region.is_root(space.0), "not an address space");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::tests::region;

    const FRAME: FrameNumber = FrameNumber(0x9999);

    fn page(address: u64) -> UserPage {
        UserPage::new(address).unwrap()
    }

    fn map_at(
        region: &mut Region,
        space: AddressSpace,
        address: u64,
        access: Access,
    ) -> Result<(), MapError> {
        map(
            region,
            space,
            page(address),
            FRAME,
            access,
            Caching::WriteBack,
        )
    }

    #[test]
    fn a_mapped_page_is_found_with_its_access_until_it_is_unmapped() {
        let mut region = region();
        let space = create(&mut region, Entry(1), false).unwrap();
        for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
            assert_eq!(map_at(&mut region, space, 0x40_0000, access), Ok(()));
            assert_eq!(
                map_at(&mut region, space, 0x40_0000, access),
                Err(MapError::Mapped)
            );
            assert_eq!(
                translate(&region, space, page(0x40_0000)),
                Some((FRAME, access))
            );
            assert_eq!(translate(&region, space, page(0x40_1000)), None);
            assert_eq!(
                unmap(&mut region, space, page(0x40_0000), |_, _| ()),
                Some(FRAME)
            );
            assert_eq!(unmap(&mut region, space, page(0x40_0000), |_, _| ()), None);
            assert_eq!(translate(&region, space, page(0x40_0000)), None);
        }
    }

    #[test]
    fn tables_follow_what_is_mapped() {
        let mut region = region();
        let free = region.table_frames().0;
        let space = create(&mut region, Entry(1), false).unwrap();
        assert_eq!(region.table_frames().0, free - 1);
        map_at(&mut region, space, 0x40_0000, Access::Read).unwrap();
        map_at(&mut region, space, 0x7FFF_FFFF_E000, Access::Read).unwrap();
        assert_eq!(region.table_frames().0, free - 7);
        unmap(&mut region, space, page(0x7FFF_FFFF_E000), |_, _| ()).unwrap();
        assert_eq!(region.table_frames().0, free - 4);
        map_at(&mut region, space, 0x40_1000, Access::Read).unwrap();
        unmap(&mut region, space, page(0x40_0000), |_, _| ()).unwrap();
        assert_eq!(region.table_frames().0, free - 4);
        destroy(&mut region, space);
        assert_eq!(region.table_frames().0, free);
    }

    #[test]
    fn tables_are_freed_only_after_every_cpu_was_told() {
        let mut region = region();
        let space = create(&mut region, Entry(1), false).unwrap();
        let told = core::cell::Cell::new(0);
        let tell = |_, _| told.set(told.get() + 1);
        for address in [0x40_0000, 0x40_1000] {
            map_at(&mut region, space, address, Access::Read).unwrap();
        }
        unmap(&mut region, space, page(0x40_1000), tell).unwrap();
        assert_eq!(told.get(), 0, "no table became empty");
        unmap(&mut region, space, page(0x40_1000), tell);
        unmap(&mut region, space, page(0x40_0000), tell).unwrap();
        assert_eq!(told.get(), 1);
    }

    #[test]
    fn a_table_that_was_freed_is_not_found_again() {
        let mut region = region();
        let space = create(&mut region, Entry(1), false).unwrap();
        map_at(&mut region, space, 0x40_0000, Access::Read).unwrap();
        unmap(&mut region, space, page(0x40_0000), |_, _| ()).unwrap();
        // The three frames, for something else.
        let others = [(); 3].map(|()| create(&mut region, Entry(1), false).unwrap());
        assert_eq!(translate(&region, space, page(0x40_0000)), None);
        map_at(&mut region, space, 0x40_0000, Access::Read).unwrap();
        assert!(others.iter().all(|other| region.used_entries(other.0) == 1));
    }

    #[test]
    fn a_space_for_starting_holds_its_page_and_the_kernels_half_alone() {
        let mut region = region();
        let free = region.table_frames().0;
        let space = create_startup(&mut region, Entry(1), FrameNumber(0x9F)).unwrap();
        assert_eq!(region.table_frames().0, free - 4);
        let mut table = space.0;
        assert_eq!(region.used_entries(table), 2);
        for level in (1..LEVELS).rev() {
            let entry = region.read(table, index(0x9_F000, level + 1));
            assert!(entry.is_present() && !entry.is_user());
            table = entry.frame();
            assert_eq!(region.used_entries(table), 1);
        }
        let code = region.read(table, 0x9F);
        assert_eq!(code, Entry::kernel_code(FrameNumber(0x9F)));
        destroy(&mut region, space);
        assert_eq!(region.table_frames().0, free);
    }

    /// A region in which user mode has top-level tables of its own, with `USER_HALF` for the kernel's part.
    fn isolated() -> Region {
        let mut region = region();
        region.isolate(USER_HALF);
        region
    }

    const USER_HALF: Entry = Entry(0x7777_0001);

    #[test]
    fn user_mode_has_the_same_pages_below_a_top_of_its_own() {
        let mut region = isolated();
        let free = region.table_frames().0;
        let space = create(&mut region, Entry(1), false).unwrap();
        let user_root = region.user_root(space.0).unwrap();
        assert_eq!(region.read(space.0, KERNEL_ENTRY), Entry(1));
        assert_eq!(region.read(user_root, KERNEL_ENTRY), USER_HALF);
        assert!(region.is_root(space.0) && region.user_root(space.0).is_some());
        assert!(!region.is_root(user_root), "no address space by itself");

        map_at(&mut region, space, 0x40_0000, Access::ReadExecute).unwrap();
        let (own, users) = (region.read(space.0, 0), region.read(user_root, 0));
        assert!(users.is_present() && users.is_executable() && users.is_user());
        assert_eq!(own, users.without_execution());
        unmap(&mut region, space, page(0x40_0000), |_, _| ()).unwrap();
        assert_eq!(region.read(space.0, 0), Entry::EMPTY);
        assert_eq!(region.read(user_root, 0), Entry::EMPTY);

        map_at(&mut region, space, 0x40_0000, Access::Read).unwrap();
        destroy(&mut region, space);
        assert_eq!(region.table_frames().0, free);
        // The frame is a table of another kind now.
        let other = region.table_create().unwrap();
        assert_eq!(region.user_root(other), None);
    }

    #[test]
    fn a_space_without_room_for_both_tops_is_not_made() {
        let mut region = isolated();
        let spare: Vec<_> = core::iter::from_fn(|| region.table_create()).collect();
        region.table_free(spare[0]);
        assert_eq!(create(&mut region, Entry(1), false), None);
        assert_eq!(region.table_frames().0, 1);
    }

    #[test]
    fn running_out_of_tables_changes_nothing() {
        let mut region = region();
        let space = create(&mut region, Entry(1), false).unwrap();
        let spare: Vec<_> = core::iter::from_fn(|| region.table_create()).collect();
        region.table_free(spare[0]);
        region.table_free(spare[1]);
        assert_eq!(
            map_at(&mut region, space, 0x40_0000, Access::Read),
            Err(MapError::OutOfTables)
        );
        assert_eq!(region.table_frames().0, 2);
        assert_eq!(region.used_entries(space.0), 1);
        assert!(create(&mut region, Entry(1), false).is_some());
    }

    #[test]
    fn spaces_do_not_share_pages() {
        let mut region = region();
        let (a, b) = (
            create(&mut region, Entry(1), false).unwrap(),
            create(&mut region, Entry(1), false).unwrap(),
        );
        map_at(&mut region, a, 0x40_0000, Access::ReadWrite).unwrap();
        assert_eq!(translate(&region, b, page(0x40_0000)), None);
        assert_eq!(
            region.read(a.0, KERNEL_ENTRY),
            region.read(b.0, KERNEL_ENTRY)
        );
    }

    #[test]
    #[should_panic(expected = "not an address space")]
    fn a_destroyed_space_is_refused() {
        let mut region = region();
        let space = create(&mut region, Entry(1), false).unwrap();
        destroy(&mut region, space);
        translate(&region, space, page(0x40_0000));
    }
}
