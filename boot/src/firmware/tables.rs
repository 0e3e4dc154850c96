//! Builds the page tables: the kernel's final ones, and those of the loader's last steps.
#![forbid(unsafe_code)]

use nonos_abi::boot::KERNEL_SPACE_START;
use nonos_boot::Refusal;
use nonos_boot::kernel_image::KernelImage;
use nonos_boot::page_tables::{Access, PageTables};
use nonos_boot::transition::{self, map_identity};
use nonos_boot_stub::program::Start;

use super::load::{Place, Places};
use super::pages::Pages;

/// Tables above the last level in the kernel's half: top level, directory pointers, two directories.
const UPPER_TABLES: u64 = 4;

/// The final page tables, complete, and what of them the hand-over says.
pub struct FinalTables {
    /// In memory of the loader, for their place at the start of the region.
    pub pages: Pages,
    /// Bytes that they take there.
    pub used_bytes: u64,
    kernel_half: u64,
}

/// Builds the final page tables, for a place at the start of the region.
pub fn build_final(kernel: &KernelImage<'_>, places: &Places) -> Result<FinalTables, Refusal> {
    let data = [
        (places.region, Access::ReadWrite),
        (places.payload, Access::Read),
        (places.stack, Access::ReadWrite),
        (places.info, Access::Read),
        (places.log, Access::Read),
    ];
    // An area reaches into at most two tables more than it fills.
    let most = |place: &Place| place.range.pages / 512 + 2;
    let last_level: u64 = data.iter().map(|(place, _)| most(place)).sum();
    let count = UPPER_TABLES + last_level + most(&places.kernel);
    let mut pages = Pages::anywhere("page tables", count)?;

    let mut tables = PageTables::new(pages.tables(), places.region.range.physical)?;
    for part in kernel.parts() {
        let Place { range, base } = places.kernel;
        let physical = range.physical + part.offset;
        tables.map(base + part.offset, physical, part.pages, part.access)?;
    }
    for (Place { range, base }, access) in data {
        tables.map(base, range.physical, range.pages, access)?;
    }
    let (used_bytes, kernel_half) = (tables.used_bytes(), tables.root_entry(KERNEL_SPACE_START));
    Ok(FinalTables {
        pages,
        used_bytes,
        kernel_half,
    })
}

/// Builds the tables of the loader's last steps and says where they are.
pub fn build_transition(last: &FinalTables, start: &Start) -> Result<u64, Refusal> {
    let mut pages = Pages::anywhere("page tables", transition::TABLES)?;
    let root = pages.physical();
    let mut tables = PageTables::new(pages.tables(), root)?;
    let loader = start.base..start.base + start.bytes;
    map_identity(&mut tables, loader, start.code..start.code_end)?;
    tables.share_root_entry(KERNEL_SPACE_START, last.kernel_half)?;
    Ok(root)
}
