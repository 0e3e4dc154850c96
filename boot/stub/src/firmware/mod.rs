//! The stub under UEFI. What goes wrong is said on the firmware's console and returned to the firmware, which goes on without.
//!
//! `unsafe` is in this file, where the program begins and ends, and in [`services`], which calls the firmware.

mod services;

use core::arch::asm;
use core::arch::x86_64::_rdtsc;
use core::ffi::c_void;
use core::mem;

use nonos_boot_stub::program::{Damaged, Layout, Packed, Start};
use uefi_raw::table::system::SystemTable;
use uefi_raw::{Handle, Status};

use services::Services;

/// The boot loader, as the build packed it.
static PACKED: &[u8] = include_bytes!(env!("NONOS_PACKED_BOOT_LOADER"));

const DAMAGED: &str =
    "\r\nnonos boot: REFUSED: boot loader: found it damaged, expected it as it was packed\r\n";
const NO_MEMORY: &str = "\r\nnonos boot: REFUSED: boot loader: found no memory for it\r\n";
const NO_ACCESS: &str =
    "\r\nnonos boot: REFUSED: boot loader: found firmware that does not protect its pages\r\n";

/// The boot loader's entry: what the firmware gave, and where it is.
type Entry = extern "efiapi" fn(Handle, *mut SystemTable, &Start) -> Status;

/// Why the boot loader does not run: in words, and for the firmware.
struct Refusal(&'static str, Status);

impl From<Damaged> for Refusal {
    fn from(Damaged: Damaged) -> Self {
        Self(DAMAGED, Status::COMPROMISED_DATA)
    }
}

// SAFETY: the entry's name on this target, which no other function of the program has.
#[unsafe(export_name = "efi_main")]
extern "efiapi" fn main(image: Handle, table: *mut SystemTable) -> Status {
    // SAFETY: reads a counter; every CPU with long mode has it.
    let tsc_at_entry = unsafe { _rdtsc() };
    // SAFETY: the firmware calls this once, with its table, while it gives boot services.
    let services = unsafe { Services::new(table) };
    match load(&services, tsc_at_entry) {
        Ok((entry, start)) => entry(image, table, &start),
        Err(Refusal(words, status)) => {
            services.say(words);
            status
        }
    }
}

/// Unpacks the boot loader to memory of its own, protected.
fn load(services: &Services, tsc_at_entry: u64) -> Result<(Entry, Start), Refusal> {
    let packed = Packed::parse(PACKED)?;
    let layout = packed.layout();
    let memory = services
        .pages(packed.unpacked_bytes())
        .map_err(|status| Refusal(NO_MEMORY, status))?;
    let base = memory.as_mut_ptr();
    let start = Start::new(layout, base as u64, tsc_at_entry);
    packed.unpack(memory, start.base)?;
    protect(services, start.base, layout).map_err(|status| Refusal(NO_ACCESS, status))?;
    let entry = base.wrapping_add(layout.entry).cast::<c_void>();
    // SAFETY: `Packed` says that all is as it was packed. That was the boot loader, whose entry has this type: it is at its place, moved
    // there, and nothing refers to its memory any more.
    let entry = unsafe { mem::transmute::<*mut c_void, Entry>(entry) };
    Ok((entry, start))
}

/// Code is made executable when it can no longer be written, and nothing else.
fn protect(services: &Services, base: u64, layout: &Layout) -> Result<(), Status> {
    let at = |range: core::ops::Range<usize>| base + range.start as u64..base + range.end as u64;
    let Some(access) = services.memory_access() else {
        return Ok(());
    };
    access.forbid_writing(at(0..layout.data.start))?;
    access.forbid_writing(at(layout.data.end..layout.bytes))?;
    access.allow_execution(at(layout.code.clone()))
}

/// A mistake of this program: it stays where it is. Panics here are of arithmetic and indices, and no input leads to one.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: waits for an interrupt.
        unsafe { asm!("hlt", options(nomem, nostack)) };
    }
}
