//! Memory of programs' surfaces: made here, drawn in by them, read here. No program can take one away while it is read.

use alloc::vec::Vec;

use display::scene;
use nonos_rt::abi::{Error, Handle, PAGE_BYTES, Rights};
use nonos_rt::mapping::ReadOnly;
use nonos_rt::object::Memory;

/// A surface.
struct Surface {
    id: u32,
    mapping: ReadOnly,
    /// What the program's handle is derived from.
    shared: Memory,
}

/// All of them.
#[derive(Default)]
pub struct Surfaces {
    surfaces: Vec<Surface>,
    last: u32,
}

impl Surfaces {
    /// Makes a surface for so many pixels: its number, and a handle for the program.
    pub fn make(&mut self, pixels: u64) -> Result<(u32, Handle), Error> {
        let pages = (pixels * 4).div_ceil(PAGE_BYTES as u64);
        let memory = Memory::create(pages)?;
        let mapping = memory.map_to_read()?;
        let access = Rights::READ.or(Rights::WRITE);
        let shared = memory.copy(access.or(Rights::GRANT).or(Rights::REVOKE))?;
        // It takes GRANT to leave by message, and arrives without.
        let handle = shared.copy(access.or(Rights::GRANT))?;
        self.last = self.last.wrapping_add(1);
        self.surfaces.push(Surface {
            id: self.last,
            mapping,
            shared,
        });
        Ok((self.last, handle.into_handle()))
    }

    /// Gives a surface up: the program's handle and mapping are gone.
    pub fn release(&mut self, id: u32) {
        if let Some(index) = self.surfaces.iter().position(|surface| surface.id == id) {
            let surface = self.surfaces.swap_remove(index);
            let _ = surface.shared.revoke();
        }
    }
}

impl scene::Surfaces for Surfaces {
    fn read(&self, surface: u32, first: usize, out: &mut [u32]) {
        if let Some(surface) = self.surfaces.iter().find(|other| other.id == surface) {
            surface.mapping.read(first, out);
        }
    }
}
