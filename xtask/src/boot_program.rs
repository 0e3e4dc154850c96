//! From the boot loader as it was linked to what its stub unpacks (`boot/stub`).

use anyhow::{Context, Result, bail, ensure};
use nonos_boot_stub::program::{self, Layout, PAGE};
use object::LittleEndian as LE;
use object::pe;
use object::read::coff::SectionTable;
use object::read::pe::{DataDirectories, ImageNtHeaders, ImageOptionalHeader};

/// A program for the firmware as it lies in memory, moved to address 0.
pub struct Program {
    /// What its pages are.
    pub layout: Layout,
    /// All of them.
    pub memory: Vec<u8>,
    /// Where addresses stand.
    pub addresses: Vec<u32>,
}

/// Lays a PE file out and packs it.
///
/// # Errors
/// When it is not one that the stub can start.
pub fn pack(file: &[u8]) -> Result<Vec<u8>> {
    let Program {
        layout,
        memory,
        addresses,
    } = Program::read(file)?;
    Ok(program::pack(&layout, &memory, &addresses))
}

/// Headers, directories and sections of a PE file.
///
/// # Errors
/// When it is none.
pub fn parse(
    file: &[u8],
) -> Result<(&pe::ImageNtHeaders64, DataDirectories<'_>, SectionTable<'_>)> {
    let dos = pe::ImageDosHeader::parse(file).context("not a PE file")?;
    let mut offset = dos.nt_headers_offset().into();
    let (headers, directories) =
        pe::ImageNtHeaders64::parse(file, &mut offset).context("PE headers")?;
    let sections = headers.sections(file, offset).context("PE sections")?;
    Ok((headers, directories, sections))
}

impl Program {
    /// Lays a PE file out as the firmware would (Microsoft PE format): one piece of code, one of data that changes, all else constant.
    ///
    /// # Errors
    /// When it is no PE file, or has other pieces.
    pub fn read(file: &[u8]) -> Result<Self> {
        let (headers, directories, sections) = parse(file)?;
        let optional = headers.optional_header();
        let bytes = (optional.size_of_image() as usize).next_multiple_of(PAGE);
        let mut memory = vec![0; bytes];
        let (mut code, mut data) = (None, None);
        for section in sections.iter() {
            let start = section.virtual_address.get(LE) as usize;
            let length = section.virtual_size.get(LE) as usize;
            let contents = section.pe_data(file).context("a section's contents")?;
            let contents = &contents[..contents.len().min(length)];
            let place = memory
                .get_mut(start..)
                .and_then(|m| m.get_mut(..contents.len()));
            place
                .context("a section is outside the image")?
                .copy_from_slice(contents);
            let pages = start..(start + length).next_multiple_of(PAGE);
            let has = |flag| section.characteristics.get(LE) & flag == flag;
            let kind = match (has(pe::IMAGE_SCN_MEM_EXECUTE), has(pe::IMAGE_SCN_MEM_WRITE)) {
                (true, true) => bail!("a section is writable and executable"),
                (true, false) => &mut code,
                (false, true) => &mut data,
                (false, false) => continue,
            };
            ensure!(kind.replace(pages).is_none(), "two sections of a kind");
        }
        let directory = directories
            .get(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC)
            .context("not relocatable")?;
        let (start, length) = directory.address_range();
        let table = start as usize..(start + length) as usize;
        let addresses = relocations(memory.get(table.clone()).context("relocations")?)?;
        // They are in the stub's own form now.
        memory[table].fill(0);
        for &at in &addresses {
            let place = memory
                .get_mut(at as usize..)
                .and_then(|m| m.first_chunk_mut());
            let place = place.context("a relocation is outside the image")?;
            let address = u64::from_le_bytes(*place).checked_sub(optional.image_base());
            *place = address
                .context("an address before the image")?
                .to_le_bytes();
        }
        let code = code.context("no code")?;
        let layout = Layout {
            bytes,
            entry: optional.address_of_entry_point() as usize,
            data: data.unwrap_or(code.end..code.end),
            code,
        };
        Ok(Self {
            layout,
            memory,
            addresses,
        })
    }
}

/// Where a table of base relocations says that there are addresses.
fn relocations(table: &[u8]) -> Result<Vec<u32>> {
    let mut blocks = object::read::pe::RelocationBlockIterator::new(table);
    let mut addresses = Vec::new();
    while let Some(block) = blocks.next().context("relocations")? {
        for relocation in block {
            match relocation.typ {
                pe::IMAGE_REL_BASED_DIR64 => addresses.push(relocation.virtual_address),
                pe::IMAGE_REL_BASED_ABSOLUTE => {}
                other => bail!("a relocation of kind {other:?}"),
            }
        }
    }
    ensure!(
        addresses.is_sorted_by(|one, next| one < next),
        "relocations are not sorted"
    );
    Ok(addresses)
}
