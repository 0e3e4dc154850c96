//! The last steps: end of boot services, final memory map, jump.
//!
//! The kernel's entry runs at its high address under a copy of the firmware's top-level page table, in which only
//! entry 511 is ours; its first instruction loads the final tables, and with that the identity map is gone
//! (see [`nonos_abi::boot`]).

use core::arch::asm;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use nonos_abi::boot::{BootInfo, MemoryRange};
use nonos_boot::memory_map;
use nonos_boot::page_tables::Table;
use uefi::boot;

use super::pages::Pages;
use super::serial::Serial;
use super::tcg::EventLog;
use super::{cpu, memory, power_off};

/// Memory that stays the kernel's.
pub type HandedOver = [MemoryRange; 6];

/// Entry of the top-level page table that covers the kernel's half.
pub const KERNEL_HALF: usize = 511;

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
    /// Physical address of the final top-level page table.
    pub page_table_root: u64,
    /// Its entry for the kernel's half.
    pub kernel_half: u64,
    /// Virtual address of the kernel's first instruction.
    pub entry: u64,
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
pub fn start(jump: Jump) -> ! {
    let Ok(transition) = Pages::anywhere("transition", 1) else {
        power_off()
    };
    let transition_root = transition.physical();
    fill_transition_table(transition, jump.kernel_half);

    let Jump {
        info,
        handed_over,
        mut log,
        ..
    } = jump;
    ENDED.store(true, Ordering::Relaxed);
    // SAFETY: protocols and firmware buffers are not used any more: the display is drawn on through its own
    // address, the TPM was closed, and memory in use is this program's own.
    let map = unsafe { boot::exit_boot_services(None) };
    if let Some(log) = &mut log {
        log.complete();
        info.event_log_bytes = log.bytes();
    }
    let sources = memory::ranges(&map).chain(handed_over);
    match memory_map::convert(sources, &mut info.memory) {
        Ok(count) => info.memory_count = count as u64,
        Err(_) => {
            let refusal = nonos_boot::Refusal::MemoryRanges;
            let _ = write!(Serial, "nonos boot: REFUSED: {refusal}\r\n");
            power_off()
        }
    }
    core::mem::forget(map);

    // SAFETY: boot services have ended.
    unsafe { cpu::prepare_for_kernel() };
    // SAFETY: the transition table maps this code where it is, as the firmware's table did, and the
    // kernel's half as the final tables do. The entry is that of a kernel that went through every check,
    // relocated and mapped there; the registers are as its contract says. Nothing of this program runs after.
    unsafe {
        asm!(
            "mov cr3, {transition}",
            "xor ebp, ebp",
            "jmp {entry}",
            transition = in(reg) transition_root,
            entry = in(reg) jump.entry,
            in("rdi") jump.info_address,
            in("rsi") jump.page_table_root,
            in("rdx") jump.stack_top,
            options(noreturn),
        )
    }
}

/// Makes a page a copy of the firmware's top-level page table with the kernel's half replaced.
fn fill_transition_table(pages: Pages, kernel_half: u64) {
    let root = cpu::page_table_root() as *const Table;
    // SAFETY: the firmware's top-level page table, which it maps at its physical address like all memory.
    let firmware = unsafe { root.read() };
    let bytes = pages.into_bytes();
    // SAFETY: one page, aligned, initialised, referred to by nothing else.
    let table = unsafe { &mut *bytes.as_mut_ptr().cast::<Table>() };
    *table = firmware;
    table[KERNEL_HALF] = kernel_half;
}
