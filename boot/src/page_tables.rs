//! The final page tables: 4-level paging (SDM vol. 3, 4.5), built as plain data.
//!
//! Tables are physically contiguous, so a table's index gives its physical address. The final tables are built in
//! memory of the loader, for the addresses at the start of the kernel region that they are copied to at the end. Invariant: no entry is both writable and executable, because [`Access`]
//! cannot say so; no entry is reachable from user mode; nothing is mapped twice.

use crate::{LARGE_PAGE, PAGE};

/// One table of 512 entries.
pub type Table = [u64; 512];

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
/// Bits 51 to 12: the physical address in an entry.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// How a page may be accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

impl Access {
    const fn bits(self) -> u64 {
        match self {
            Self::Read => NO_EXECUTE,
            Self::ReadWrite => NO_EXECUTE | WRITABLE,
            Self::ReadExecute => 0,
        }
    }
}

/// Why something could not be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The memory for page tables is used up.
    OutOfTables,
    /// A page is mapped already.
    Mapped,
    /// An address is not page-aligned, not canonical or too large.
    Address,
}

/// Page tables under construction.
pub struct PageTables<'a> {
    tables: &'a mut [Table],
    physical: u64,
    used: usize,
}

impl<'a> PageTables<'a> {
    /// Starts with an empty top-level table, which becomes the first of `tables`.
    ///
    /// `physical` is the page-aligned physical address of the first table.
    ///
    /// # Errors
    /// When there is no room for the first table or the address is bad.
    pub fn new(tables: &'a mut [Table], physical: u64) -> Result<Self, Error> {
        if physical & !ADDRESS != 0 {
            return Err(Error::Address);
        }
        let mut new = Self {
            tables,
            physical,
            used: 0,
        };
        new.new_table()?;
        Ok(new)
    }

    /// Physical address of the top-level table, for CR3.
    pub fn root(&self) -> u64 {
        self.physical
    }

    /// Bytes that the tables take so far.
    pub fn used_bytes(&self) -> u64 {
        self.used as u64 * PAGE
    }

    /// The entry of the top-level table that covers an address.
    pub fn root_entry(&self, address: u64) -> u64 {
        self.tables[0][index_at(address, 4)]
    }

    /// Has the top-level table refer to what another one does for an address.
    ///
    /// # Errors
    /// When something is mapped there already.
    pub fn share_root_entry(&mut self, address: u64, entry: u64) -> Result<(), Error> {
        let slot = &mut self.tables[0][index_at(address, 4)];
        if *slot & PRESENT != 0 {
            return Err(Error::Mapped);
        }
        *slot = entry;
        Ok(())
    }

    /// Maps `pages` pages from `virtual_address` on to memory from `physical` on, with large pages where both sides are
    /// aligned for one.
    ///
    /// # Errors
    /// See [`Error`]; what was mapped before the error stays mapped.
    pub fn map(
        &mut self,
        virtual_address: u64,
        physical: u64,
        pages: u64,
        access: Access,
    ) -> Result<(), Error> {
        let bytes = pages.checked_mul(PAGE).ok_or(Error::Address)?;
        check_range(virtual_address, bytes)?;
        if physical & !ADDRESS != 0 || (physical + bytes) & !ADDRESS != 0 {
            return Err(Error::Address);
        }
        let mut done = 0;
        while done < bytes {
            let (at, to) = (virtual_address + done, physical + done);
            if (at | to).is_multiple_of(LARGE_PAGE) && bytes - done >= LARGE_PAGE {
                self.map_at(at, to | LARGE | access.bits(), 2)?;
                done += LARGE_PAGE;
            } else {
                self.map_at(at, to | access.bits(), 1)?;
                done += PAGE;
            }
        }
        Ok(())
    }

    /// Writes an entry at a level: 1 for a page, 2 for a large page.
    fn map_at(&mut self, address: u64, entry: u64, level: u32) -> Result<(), Error> {
        let mut table = 0;
        for above in (level + 1..=4).rev() {
            table = self.next_table(table, index_at(address, above))?;
        }
        let slot = &mut self.tables[table][index_at(address, level)];
        if *slot & PRESENT != 0 {
            return Err(Error::Mapped);
        }
        *slot = entry | PRESENT;
        Ok(())
    }

    /// The table that an entry refers to; made when the entry is empty.
    fn next_table(&mut self, table: usize, index: usize) -> Result<usize, Error> {
        let entry = self.tables[table][index];
        if entry & PRESENT == 0 {
            let new = self.new_table()?;
            // Write and execute permission is the last level's business.
            self.tables[table][index] = (self.physical + new as u64 * PAGE) | WRITABLE | PRESENT;
            return Ok(new);
        }
        if entry & LARGE != 0 {
            return Err(Error::Mapped);
        }
        Ok((((entry & ADDRESS) - self.physical) / PAGE) as usize)
    }

    fn new_table(&mut self) -> Result<usize, Error> {
        let table = self.tables.get_mut(self.used).ok_or(Error::OutOfTables)?;
        *table = [0; 512];
        self.used += 1;
        Ok(self.used - 1)
    }
}

fn check_range(address: u64, bytes: u64) -> Result<(), Error> {
    let last = address
        .checked_add(bytes.saturating_sub(1))
        .ok_or(Error::Address)?;
    let canonical = |address: u64| ((address as i64) << 16 >> 16) as u64 == address;
    let one_half = address >> 63 == last >> 63;
    let good = address.is_multiple_of(PAGE) && canonical(address) && canonical(last) && one_half;
    if good { Ok(()) } else { Err(Error::Address) }
}

/// Index into the table of a level: 4 for the top-level table, 1 for the last.
fn index_at(address: u64, level: u32) -> usize {
    ((address >> (12 + 9 * (level - 1))) & 511) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PHYSICAL: u64 = 0x4000_0000;
    const HALF: u64 = 0xFFFF_FFFF_8000_0000;

    /// What the CPU would find: (physical address, writable, executable).
    fn walk(tables: &[Table], address: u64) -> Option<(u64, bool, bool)> {
        let mut table = 0;
        let (mut writable, mut executable) = (true, true);
        for level in (1..=4).rev() {
            let entry = tables[table][index_at(address, level)];
            if entry & PRESENT == 0 {
                return None;
            }
            assert_eq!(entry & 4, 0, "reachable from user mode");
            writable &= entry & WRITABLE != 0;
            executable &= entry & NO_EXECUTE == 0;
            let offset_bits = 12 + 9 * (level - 1);
            if level == 1 || entry & LARGE != 0 {
                let base = entry & ADDRESS;
                return Some((
                    base + (address & ((1 << offset_bits) - 1)),
                    writable,
                    executable,
                ));
            }
            table = ((entry & ADDRESS) - PHYSICAL) as usize / 4096;
        }
        None
    }

    #[test]
    fn each_access_yields_exactly_its_permissions() {
        let mut tables = vec![[0; 512]; 8];
        let mut built = PageTables::new(&mut tables, PHYSICAL).unwrap();
        built.map(HALF, 0x1000, 1, Access::Read).unwrap();
        built
            .map(HALF + 0x1000, 0x2000, 1, Access::ReadWrite)
            .unwrap();
        built
            .map(HALF + 0x2000, 0x3000, 1, Access::ReadExecute)
            .unwrap();
        assert_eq!(built.used_bytes(), 4 * PAGE);
        assert_eq!(walk(&tables, HALF), Some((0x1000, false, false)));
        assert_eq!(walk(&tables, HALF + 0x1234), Some((0x2234, true, false)));
        assert_eq!(walk(&tables, HALF + 0x2000), Some((0x3000, false, true)));
        assert_eq!(walk(&tables, HALF + 0x3000), None);
    }

    #[test]
    fn aligned_memory_gets_large_pages_between_small_ones() {
        let mut tables = vec![[0; 512]; 8];
        let mut built = PageTables::new(&mut tables, PHYSICAL).unwrap();
        let start = HALF + LARGE_PAGE - PAGE;
        built
            .map(start, 3 * LARGE_PAGE - PAGE, 1 + 512 + 1, Access::ReadWrite)
            .unwrap();
        // top, directory pointers, directory, one table on each side of the large page
        assert_eq!(built.used_bytes(), 5 * PAGE);
        for page in 0..514 {
            let expected = Some((3 * LARGE_PAGE - PAGE + page * PAGE, true, false));
            assert_eq!(walk(&tables, start + page * PAGE), expected);
        }
    }

    #[test]
    fn nothing_is_mapped_twice() {
        let mut tables = vec![[0; 512]; 8];
        let mut built = PageTables::new(&mut tables, PHYSICAL).unwrap();
        built.map(HALF, 0, 512, Access::ReadWrite).unwrap();
        assert_eq!(built.map(HALF, 0, 512, Access::Read), Err(Error::Mapped));
        assert_eq!(
            built.map(HALF + PAGE, 0x9000, 1, Access::Read),
            Err(Error::Mapped)
        );
    }

    #[test]
    fn a_shared_half_is_seen_through_both_tables() {
        let (mut first, mut second) = (vec![[0; 512]; 4], vec![[0; 512]; 4]);
        let mut built = PageTables::new(&mut first, PHYSICAL).unwrap();
        built.map(HALF, 0x5000, 1, Access::Read).unwrap();
        let mut other = PageTables::new(&mut second, PHYSICAL + 0x10_0000).unwrap();
        other.map(0x1000, 0x1000, 1, Access::ReadWrite).unwrap();
        other
            .share_root_entry(HALF, built.root_entry(HALF))
            .unwrap();
        assert_eq!(other.share_root_entry(HALF, 0), Err(Error::Mapped));
        first[0] = second[0];
        assert_eq!(walk(&first, HALF), Some((0x5000, false, false)));
    }

    #[test]
    fn running_out_of_tables_is_an_error() {
        let mut tables = vec![[0; 512]; 3];
        let mut built = PageTables::new(&mut tables, PHYSICAL).unwrap();
        assert_eq!(
            built.map(HALF, 0x1000, 1, Access::Read),
            Err(Error::OutOfTables)
        );
        assert!(PageTables::new(&mut [], PHYSICAL).is_err());
    }

    #[test]
    fn bad_addresses_are_errors() {
        let mut tables = vec![[0; 512]; 8];
        let mut built = PageTables::new(&mut tables, PHYSICAL).unwrap();
        assert_eq!(built.map(HALF + 1, 0, 1, Access::Read), Err(Error::Address));
        assert_eq!(built.map(HALF, 1, 1, Access::Read), Err(Error::Address));
        assert_eq!(built.map(1 << 47, 0, 1, Access::Read), Err(Error::Address));
        assert_eq!(
            built.map(u64::MAX - 4095, 0, 2, Access::Read),
            Err(Error::Address)
        );
        assert_eq!(
            built.map(0x7FFF_FFFF_F000, 0, 2, Access::Read),
            Err(Error::Address)
        );
        assert_eq!(
            built.map(HALF, 0, u64::MAX, Access::Read),
            Err(Error::Address)
        );
    }

    proptest! {
        #[test]
        fn every_page_leads_where_it_should(
            first in 0u64..2000, physical in 0u64..2000, pages in 1u64..1500
        ) {
            let mut tables = vec![[0; 512]; 16];
            let mut built = PageTables::new(&mut tables, PHYSICAL).unwrap();
            let start = HALF + first * PAGE;
            built.map(start, physical * PAGE, pages, Access::ReadWrite).unwrap();
            for page in 0..pages {
                prop_assert_eq!(
                    walk(&tables, start + page * PAGE),
                    Some(((physical + page) * PAGE, true, false))
                );
            }
            prop_assert_eq!(walk(&tables, start - PAGE), None);
            prop_assert_eq!(walk(&tables, start + pages * PAGE), None);
        }
    }
}
