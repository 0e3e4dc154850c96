//! Page tables, read from outside.
//!
//! The walk starts at a CR3 and reads the tables from physical memory, as the processor would (SDM vol. 3,
//! 4.5: 4-level paging). It believes nothing that the guest says about itself. Rights are those in effect:
//! a page is writable or open to user space only when every level allows it, executable when none forbids it.

/// Bytes of a page and of a page table.
pub const PAGE_BYTES: u64 = 4096;

/// First address of the upper half, the kernel's.
pub const UPPER_HALF: u64 = 0xFFFF_8000_0000_0000;

/// First address of the top 2 GiB: everything of the kernel lies there.
pub const KERNEL_SPACE_START: u64 = 0xFFFF_FFFF_8000_0000;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED_AND_DIRTY: u64 = 0b110_0000;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// Entry of the top-level table that covers the top 2 GiB.
const KERNEL_ENTRY: usize = 511;

/// Physical memory of a machine.
pub trait PhysicalMemory {
    /// The page table at a page-aligned physical address; `None` where there is no memory.
    fn table(&mut self, physical: u64) -> Option<[u64; 512]>;
}

/// A mapped page, 4 KiB, 2 MiB or 1 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// Virtual address.
    pub address: u64,
    /// Physical address.
    pub physical: u64,
    /// Size.
    pub bytes: u64,
    /// May be written.
    pub writable: bool,
    /// May be used by ring 3.
    pub user: bool,
    /// May be executed.
    pub executable: bool,
}

impl Mapping {
    /// Whether the page holds a virtual address.
    pub fn holds(&self, address: u64) -> bool {
        address
            .checked_sub(self.address)
            .is_some_and(|offset| offset < self.bytes)
    }
}

impl std::fmt::Display for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:#018x}+{:#x} -> {:#x} {}r{}{}",
            self.address,
            self.bytes,
            self.physical,
            if self.user { 'u' } else { 'k' },
            if self.writable { 'w' } else { '-' },
            if self.executable { 'x' } else { '-' },
        )
    }
}

/// A page table lies where there is no memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableOutsideMemory {
    /// Its physical address.
    pub physical: u64,
}

/// Every mapping under a top-level table, in ascending order.
///
/// # Errors
/// When a table lies outside physical memory.
pub fn walk(
    memory: &mut impl PhysicalMemory,
    cr3: u64,
) -> Result<Vec<Mapping>, TableOutsideMemory> {
    let mut mappings = Vec::new();
    let everything = Mapping {
        address: 0,
        physical: 0,
        bytes: 0,
        writable: true,
        user: true,
        executable: true,
    };
    walk_table(memory, cr3 & ADDRESS, 4, everything, &mut mappings)?;
    Ok(mappings)
}

/// Walks a table of `level` (4 is the top); `parent` holds its first address and the rights so far.
fn walk_table(
    memory: &mut impl PhysicalMemory,
    physical: u64,
    level: u32,
    parent: Mapping,
    mappings: &mut Vec<Mapping>,
) -> Result<(), TableOutsideMemory> {
    let table = memory
        .table(physical)
        .ok_or(TableOutsideMemory { physical })?;
    let bytes = PAGE_BYTES << (9 * (level - 1));
    for (index, entry) in (0u64..).zip(table) {
        if entry & PRESENT == 0 {
            continue;
        }
        let mut address = parent.address + index * bytes;
        if level == 4 && index >= 256 {
            address |= UPPER_HALF;
        }
        let here = Mapping {
            address,
            physical: entry & ADDRESS & !(bytes - 1),
            bytes,
            writable: parent.writable && entry & WRITABLE != 0,
            user: parent.user && entry & USER != 0,
            executable: parent.executable && entry & NO_EXECUTE == 0,
        };
        if level == 1 || (level < 4 && entry & LARGE != 0) {
            mappings.push(here);
        } else {
            walk_table(memory, entry & ADDRESS, level - 1, here, mappings)?;
        }
    }
    Ok(())
}

/// The physical addresses of all top-level tables in a dump of memory from address 0 on that share the
/// kernel half with the one at `cr3`: one per address space, `cr3` itself among them.
pub fn address_spaces(dump: &[u8], cr3: u64) -> Vec<u64> {
    let (pages, _) = dump.as_chunks::<{ PAGE_BYTES as usize }>();
    let kernel_entry = |page: &[u8; PAGE_BYTES as usize]| {
        let (entries, _) = page.as_chunks::<8>();
        u64::from_le_bytes(entries[KERNEL_ENTRY]) & !ACCESSED_AND_DIRTY
    };
    let Some(wanted) = usize::try_from((cr3 & ADDRESS) / PAGE_BYTES)
        .ok()
        .and_then(|page| pages.get(page))
    else {
        return Vec::new();
    };
    let wanted = kernel_entry(wanted);
    let same = (0u64..)
        .zip(pages)
        .filter(|(_, page)| wanted & PRESENT != 0 && kernel_entry(page) == wanted);
    same.map(|(number, _)| number * PAGE_BYTES).collect()
}

/// What is wrong with the mappings of one address space; empty when nothing is.
pub fn violations(mappings: &[Mapping]) -> Vec<String> {
    let mut found = Vec::new();
    for mapping in mappings {
        let lower = mapping.address < UPPER_HALF;
        let mut complain = |wrong: bool, what: &str| {
            if wrong {
                found.push(format!("{what}: {mapping}"));
            }
        };
        complain(
            mapping.writable && mapping.executable,
            "writable and executable",
        );
        complain(lower && !mapping.user, "kernel page in the lower half");
        complain(
            !lower && mapping.user,
            "open to user space in the upper half",
        );
        complain(
            !lower && mapping.address < KERNEL_SPACE_START,
            "kernel page outside the top 2 GiB",
        );
        complain(
            lower && mapping.address == mapping.physical,
            "identity-mapped",
        );
    }
    found
}

/// Memory that one mapping may write and another may execute, in the same or another address space.
pub fn writable_aliases_of_code(mappings: &[Mapping]) -> Vec<String> {
    let end = |mapping: &Mapping| mapping.physical.saturating_add(mapping.bytes);
    let mut code: Vec<&Mapping> = mappings
        .iter()
        .filter(|mapping| mapping.executable)
        .collect();
    code.sort_by_key(|mapping| mapping.physical);
    // Only what reaches further than all before it: then the ends ascend, too.
    let mut reach = 0;
    code.retain(|mapping| {
        let further = end(mapping) > reach;
        reach = reach.max(end(mapping));
        further
    });
    let writable = mappings.iter().filter(|mapping| mapping.writable);
    let alias = |mapping: &Mapping| {
        let first = code.partition_point(|code| end(code) <= mapping.physical);
        let alias = code
            .get(first)
            .filter(|code| code.physical < end(mapping))?;
        Some(format!("{mapping} can write what {alias} executes"))
    };
    writable.filter_map(alias).collect()
}

/// A run of neighbouring pages with the same rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// Its first page, with `bytes` of the whole run.
    pub whole: Mapping,
}

/// Neighbouring pages with the same rights, put together.
pub fn regions(mappings: &[Mapping]) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for mapping in mappings {
        let rights = |m: &Mapping| (m.writable, m.user, m.executable);
        match regions.last_mut() {
            Some(Region { whole })
                if whole.address.checked_add(whole.bytes) == Some(mapping.address)
                    && rights(whole) == rights(mapping) =>
            {
                whole.bytes += mapping.bytes;
            }
            _ => regions.push(Region { whole: *mapping }),
        }
    }
    regions
}

/// The kernel's code: executable regions of the upper half.
pub fn kernel_code(mappings: &[Mapping]) -> Vec<Region> {
    let mut regions = regions(mappings);
    regions.retain(|region| region.whole.address >= UPPER_HALF && region.whole.executable);
    regions
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Page tables by number of their frame.
    #[derive(Default)]
    struct Synthetic(HashMap<u64, [u64; 512]>);

    impl PhysicalMemory for Synthetic {
        fn table(&mut self, physical: u64) -> Option<[u64; 512]> {
            self.0.get(&physical).copied()
        }
    }

    const ALL: u64 = PRESENT | WRITABLE | USER;

    /// Tables at 0x1000 to 0x4000 that lead to `leaf` at the virtual address with these indices.
    fn chain(indices: [usize; 4], flags: [u64; 3], leaf: u64) -> Synthetic {
        let mut memory = Synthetic::default();
        for level in 0..4 {
            let mut table = [0; 512];
            let next = (level as u64 + 2) * PAGE_BYTES;
            table[indices[level]] = if level < 3 { next | flags[level] } else { leaf };
            memory.0.insert((level as u64 + 1) * PAGE_BYTES, table);
        }
        memory
    }

    #[test]
    fn a_page_has_the_rights_that_every_level_gives() {
        let mut memory = chain(
            [1, 2, 3, 4],
            [ALL, ALL & !WRITABLE, ALL | NO_EXECUTE],
            0xABC_D000 | ALL,
        );
        let mappings = walk(&mut memory, 0x1000 | 0b11000).unwrap();
        let address = (1 << 39) | (2 << 30) | (3 << 21) | (4 << 12);
        let expected = Mapping {
            address,
            physical: 0xABC_D000,
            bytes: 4096,
            writable: false,
            user: true,
            executable: false,
        };
        assert_eq!(mappings, [expected]);
        assert_eq!(violations(&mappings), [""; 0]);
    }

    #[test]
    fn large_pages_are_one_mapping() {
        let mut memory = chain([0, 1, 2, 0], [ALL, ALL, 0x1220_1000 | PRESENT | LARGE], 0);
        memory.0.get_mut(&0x3000).unwrap()[2] = 0x1220_1000 | PRESENT | LARGE | NO_EXECUTE;
        let mappings = walk(&mut memory, 0x1000).unwrap();
        assert_eq!(mappings.len(), 1);
        assert_eq!(
            (mappings[0].address, mappings[0].bytes),
            ((1 << 30) | (2 << 21), 2 << 20)
        );
        assert_eq!(mappings[0].physical, 0x1220_0000);
        assert!(mappings[0].holds(mappings[0].address + (2 << 20) - 1));
        assert!(!mappings[0].holds(mappings[0].address + (2 << 20)));
    }

    #[test]
    fn the_upper_half_is_sign_extended() {
        let flags = [PRESENT | WRITABLE; 3];
        let mut memory = chain([511, 510, 0, 0], flags, 0x5000 | PRESENT);
        assert_eq!(
            walk(&mut memory, 0x1000).unwrap()[0].address,
            KERNEL_SPACE_START
        );
    }

    #[test]
    fn a_table_outside_memory_is_an_error() {
        let mut memory = chain([0; 4], [ALL; 3], 0);
        memory.0.remove(&0x3000);
        assert_eq!(
            walk(&mut memory, 0x1000),
            Err(TableOutsideMemory { physical: 0x3000 })
        );
    }

    #[test]
    fn every_violation_is_found() {
        let page = Mapping {
            address: KERNEL_SPACE_START,
            physical: 0x9000,
            bytes: 4096,
            writable: false,
            user: false,
            executable: true,
        };
        assert_eq!(violations(&[page]), [""; 0]);
        let starts_with = |mapping: Mapping, what: &str| {
            let found = violations(&[mapping]);
            assert!(found.len() == 1 && found[0].starts_with(what), "{found:?}");
        };
        starts_with(
            Mapping {
                writable: true,
                ..page
            },
            "writable and executable",
        );
        starts_with(Mapping { user: true, ..page }, "open to user space");
        starts_with(
            Mapping {
                address: 0x40_0000,
                ..page
            },
            "kernel page in the lower half",
        );
        starts_with(
            Mapping {
                address: UPPER_HALF,
                ..page
            },
            "kernel page outside",
        );
        starts_with(
            Mapping {
                address: 0x9000,
                user: true,
                ..page
            },
            "identity-mapped",
        );
    }

    #[test]
    fn a_writable_alias_of_code_is_found_across_page_sizes() {
        let code = Mapping {
            address: 0x40_0000,
            physical: 0x20_1000,
            bytes: 4096,
            writable: false,
            user: true,
            executable: true,
        };
        let data = Mapping {
            physical: 0x20_0000,
            bytes: 2 << 20,
            writable: true,
            executable: false,
            ..code
        };
        assert_eq!(writable_aliases_of_code(&[code, data]).len(), 1);
        assert_eq!(writable_aliases_of_code(&[data, code]).len(), 1);
        let before = Mapping {
            physical: 0x20_0000,
            bytes: 4096,
            ..data
        };
        let after = Mapping {
            physical: 0x20_2000,
            bytes: 4096,
            ..data
        };
        assert_eq!(writable_aliases_of_code(&[before, code, after]), [""; 0]);
        let elsewhere = Mapping {
            physical: 0x40_0000,
            ..data
        };
        assert_eq!(writable_aliases_of_code(&[code, elsewhere]), [""; 0]);
    }

    #[test]
    fn neighbours_with_equal_rights_are_one_region() {
        let first = Mapping {
            address: 0x1000,
            physical: 0,
            bytes: 4096,
            writable: true,
            user: true,
            executable: false,
        };
        let second = Mapping {
            address: 0x2000,
            physical: 0x9000,
            ..first
        };
        let other = Mapping {
            address: 0x3000,
            writable: false,
            ..first
        };
        let regions = regions(&[first, second, other]);
        assert_eq!(regions.len(), 2);
        assert_eq!(regions[0].whole.bytes, 8192);
    }

    #[test]
    fn address_spaces_are_the_tables_that_share_the_kernel_half() {
        let mut dump = vec![0; 4 * 4096];
        let mut put = |page: usize, entry: u64| {
            dump[page * 4096 + 4088..(page + 1) * 4096].copy_from_slice(&entry.to_le_bytes());
        };
        put(1, 0x7000 | PRESENT | WRITABLE);
        put(2, 0x8000 | PRESENT | WRITABLE);
        put(3, 0x7000 | PRESENT | WRITABLE | ACCESSED_AND_DIRTY);
        assert_eq!(address_spaces(&dump, 0x1000), [0x1000, 0x3000]);
        assert!(address_spaces(&dump, 0x9000).is_empty());
    }
}
