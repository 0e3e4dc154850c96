//! The last steps: end of boot services, final memory map, own page tables, jump.
//!
//! The kernel's entry runs at its high address under the loader's transition tables, in which the kernel's half is the
//! final one already; its first instruction loads the final tables, and with that the identity map is gone
//! (see [`nonos_abi::boot`]).

use core::arch::asm;
use core::fmt::Write;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use nonos_abi::boot::{BootInfo, MemoryRange};
use nonos_boot::kernel_image::LoadedKernel;
use nonos_boot::memory_map::{self, TooManyRanges};
use nonos_boot::{PAGE, Refusal, vm_generation};
use uefi::boot;

use super::pages::Pages;
use super::region::Region;
use super::serial::Serial;
use super::tcg::EventLog;
use super::{cpu, memory, power_off};

/// Memory that stays the kernel's.
pub type HandedOver = [MemoryRange; 6];

/// Set when the firmware's boot services must not be called any more.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Whether only runtime services are left.
pub fn boot_services_ended() -> bool {
    ENDED.load(Ordering::Relaxed)
}

/// Everything that the last steps need.
pub struct Jump {
    /// The hand-over, complete but for memory map and length of the event log.
    pub info: &'static mut BootInfo,
    /// What it names.
    pub handed_over: HandedOver,
    /// The event log, to be completed.
    pub log: Option<EventLog>,
    /// The kernel region.
    pub region: Region,
    /// The final page tables, to be copied to the start of the region; the first is the top-level one.
    pub tables: Pages,
    /// Physical address of the transition tables.
    pub transition_root: u64,
    /// The kernel.
    pub kernel: LoadedKernel,
    /// Virtual address of the hand-over.
    pub info_address: u64,
    /// Virtual address of the end of the stack.
    pub stack_top: u64,
}

/// Zeroed pages as the hand-over's record.
pub fn boot_info(pages: Pages) -> &'static mut BootInfo {
    let bytes = pages.into_bytes();
    assert!(bytes.len() >= size_of::<BootInfo>());
    // SAFETY: the pages are long enough, page-aligned, referred to by nothing else, and zeroed: every field is
    // a number or an enum that has the value 0.
    unsafe { &mut *bytes.as_mut_ptr().cast::<BootInfo>() }
}

/// Ends boot services and starts the kernel.
pub fn start(mut jump: Jump) -> ! {
    ENDED.store(true, Ordering::Relaxed);
    // SAFETY: protocols and firmware buffers are not used any more: the display is drawn on through its own
    // address, the TPM was closed, and memory in use is this program's own.
    let map = unsafe { boot::exit_boot_services(None) };
    if let Some(log) = &mut jump.log {
        log.complete();
        jump.info.event_log_bytes = log.bytes();
    }
    let sources = memory::ranges(&map)
        .chain(jump.handed_over)
        .chain([memory_map::LOW_MEMORY]);
    match memory_map::convert(sources, &mut jump.info.memory) {
        Ok(count) => jump.info.memory_count = count as u64,
        Err(TooManyRanges) => refuse_late(&Refusal::MemoryRanges),
    }
    let generation = &mut jump.info.acpi.vm_generation_physical;
    let memory = &jump.info.memory[..jump.info.memory_count as usize];
    *generation = vm_generation::confirmed(*generation, memory);
    let startup_page = memory_map::startup_page(memory::ranges(&map));
    jump.info.acpi.startup_page_physical = startup_page.unwrap_or(0);
    let region = jump.region.range();
    if !jump.region.is_free(&map) {
        refuse_late(&Refusal::Memory {
            what: "kernel region",
            pages: region.pages,
        });
    }
    core::mem::forget(map);

    // SAFETY: boot services have ended.
    unsafe { cpu::prepare_for_kernel() };
    // SAFETY: the transition tables map this code, its data and its stack where they are, as the firmware's do.
    unsafe { cpu::load_page_tables(jump.transition_root) };
    fill_region(&region, &mut jump.tables);
    // SAFETY: the kernel's half of the transition tables is the final one, complete now. The entry is that of a kernel
    // that went through every check, relocated and mapped there; the registers are as its contract says.
    // Nothing of this program runs after.
    unsafe {
        asm!(
            "xor ebp, ebp",
            "jmp {entry}",
            entry = in(reg) jump.kernel.entry(),
            in("rdi") jump.info_address,
            in("rsi") region.physical,
            in("rdx") jump.stack_top,
            options(noreturn),
        )
    }
}

/// Makes the region the page tables, then zeros.
fn fill_region(region: &MemoryRange, tables: &mut Pages) {
    let first = region.physical as *mut u8;
    let bytes = (region.pages * PAGE) as usize;
    let tables = tables.bytes();
    assert!(tables.len() <= bytes);
    // SAFETY: the region is memory that nothing uses, `Region::is_free` said; the transition tables map it
    // writable where it is. The page tables in use are elsewhere, in pages of this program.
    unsafe {
        ptr::write_bytes(first, 0, bytes);
        ptr::copy_nonoverlapping(tables.as_ptr(), first, tables.len());
    }
}

/// A refusal after the end of boot services: there is neither screen nor keyboard, but the firmware can power off.
fn refuse_late(refusal: &Refusal) -> ! {
    let _ = write!(Serial, "nonos boot: REFUSED: {refusal}\r\n");
    power_off()
}
