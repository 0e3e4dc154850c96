//! The page tables between the firmware's and the kernel's.
//!
//! The firmware's own tables lie in memory that is free once boot services have ended, so the last steps run under
//! tables of the loader: the first 4 GiB where they are, and the loader itself wherever it was loaded. They are
//! W^X as well: of the identity map only the loader's code is executable.

use core::ops::Range;

use crate::PAGE;
use crate::page_tables::{Access, Error, PageTables};
use crate::placement::PHYSICAL_END;

/// Tables that [`map_identity`] takes at most: top level, directory pointers, four directories, one table for each
/// end of the code, and as many again for a loader above 4 GiB.
pub const TABLES: u64 = 16;

/// Maps memory where it is: all below 4 GiB, and the loader. `image` and `code` are page-aligned addresses of the
/// loader and its code.
///
/// # Errors
/// When there are too few tables, or the loader lies across the limit.
pub fn map_identity(
    tables: &mut PageTables<'_>,
    image: Range<u64>,
    code: Range<u64>,
) -> Result<(), Error> {
    if image.start >= PHYSICAL_END {
        map_from(tables, 0..PHYSICAL_END, Access::ReadWrite)?;
        return map_around(tables, image, code);
    }
    map_around(tables, 0..PHYSICAL_END, code)
}

/// Maps a range: the code executable, all the rest writable.
fn map_around(
    tables: &mut PageTables<'_>,
    range: Range<u64>,
    code: Range<u64>,
) -> Result<(), Error> {
    if code.start < range.start || code.end > range.end {
        return Err(Error::Address);
    }
    map_from(tables, range.start..code.start, Access::ReadWrite)?;
    map_from(tables, code.clone(), Access::ReadExecute)?;
    map_from(tables, code.end..range.end, Access::ReadWrite)
}

fn map_from(tables: &mut PageTables<'_>, range: Range<u64>, access: Access) -> Result<(), Error> {
    tables.map(
        range.start,
        range.start,
        (range.end - range.start) / PAGE,
        access,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_anywhere_is_mapped_with_few_tables() {
        let images = [
            0x10_0000,
            0x15A9_1000,
            0xFFF0_0000,
            0x1_0000_0000,
            0x7F_FFFF_F000,
        ];
        for start in images {
            let mut memory = vec![[0; 512]; TABLES as usize];
            let mut tables = PageTables::new(&mut memory, 0x1000).unwrap();
            let (image, code) = (start..start + 0x8_0000, start + 0x1000..start + 0x2_1000);
            assert_eq!(map_identity(&mut tables, image, code), Ok(()), "{start:#x}");
            // Room for the entry of the kernel's half is in the top-level table.
            assert!(tables.used_bytes() <= TABLES * PAGE);
        }
    }

    #[test]
    fn a_loader_across_the_limit_is_refused() {
        let mut memory = vec![[0; 512]; TABLES as usize];
        let mut tables = PageTables::new(&mut memory, 0x1000).unwrap();
        let start = PHYSICAL_END - 0x2000;
        let result = map_identity(
            &mut tables,
            start..start + 0x8_0000,
            start + 0x1000..start + 0x5000,
        );
        assert_eq!(result, Err(Error::Address));
    }
}
