//! Isolated page tables (KPTI): tables for user mode that hold nothing of the kernel but what the CPU needs to get into it.
//!
//! On CPUs with Meltdown a program can read whatever its page tables map, whoever may. There each address space has a second
//! top-level table for user mode. Its lower half refers to the same tables (`space.rs`); of the kernel's half it has, in tables that
//! all address spaces share, the trampoline (`entry.s`), the IDT, the CPUs' blocks with their descriptors, and the topmost
//! page of each stack that an entry from user mode may begin on. The trampoline changes CR3 on each way in and out.
//!
//! With process-context identifiers the kernel's tables have number 0 and user mode's have number 1, so that neither way forgets what
//! is cached. Both numbers change hands with the address space: loading one forgets 0 at once, and 1 on the next way out, and so
//! does a shootdown (`CpuBlock::forget_user`). INVPCID is not needed for that. Without identifiers, each change of CR3 forgets all.
//!
//! On all other CPUs nothing of this is there: the jumps to it are put into the trampoline at boot (`mitigations.rs`).

use core::sync::atomic::{AtomicU64, Ordering};

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{BootInfo, remedy};
use nonos_abi::info::isolation as why;
use nonos_image::archive::{Archive, KPTI};

use crate::cpu::cr3;
use crate::cpus::{CpuBlock, Cpus};
use crate::region::Region;
use crate::space::{self, KERNEL_ENTRY};
use crate::{audit, entry, interrupts, protection};

/// What [`why()`] returns, decided once at boot.
static WHY: AtomicU64 = AtomicU64::new(why::OFF);

/// Decides whether user mode gets tables of its own: when the CPU has Meltdown, or the signed image says so. Nothing says that it does
/// not on a CPU that needs it. Returns what else is to be done, and this ([`remedy`]). Not inlined: the bench replaces it.
#[inline(never)]
pub fn decide(info: &BootInfo, payload: &[u8]) -> u64 {
    // An archive that cannot be read stops the kernel later, before any program runs.
    let is_asked = || Archive::parse(payload).is_ok_and(|archive| archive.get(KPTI).is_some());
    let why = match info.remedies & remedy::ISOLATE_TABLES {
        0 if is_asked() => why::ASKED,
        0 => return info.remedies,
        _ => why::AFFECTED,
    };
    WHY.store(why, Ordering::Relaxed);
    info.remedies | remedy::ISOLATE_TABLES
}

/// Why user mode has tables of its own: a value of [`nonos_abi::info::isolation`].
pub fn why() -> u64 {
    WHY.load(Ordering::Relaxed)
}

/// Whether user mode has tables of its own.
pub fn is_on() -> bool {
    why() != why::OFF
}

/// Whether cached translations get identifiers.
pub fn has_identifiers() -> bool {
    is_on() && protection::has_pcid()
}

/// Makes the part of the kernel's half that user mode has, from the boot page tables at `root`. Returns where it can be walked from:
/// a top-level table with nothing else.
pub fn isolate(region: &mut Region, root: u64) -> Option<u64> {
    if !is_on() {
        return None;
    }
    let keep_cached = match has_identifiers() {
        true => cr3::KEEP_CACHED,
        false => 0,
    };
    let top = region.table_create().unwrap_or_else(|| no_room());
    // With the rights that it has in the kernel.
    let mut show = |address: u64| match audit::leaf(region, root, address) {
        Some((_, entry, 1)) => {
            space::map_for_kernel(region, top, address, entry).unwrap_or_else(|| no_room());
        }
        _ => crate::stop!("no page of 4 KiB"),
    };
    show(entry::trampoline());
    show(entry::idt());
    CpuBlock::pages().for_each(&mut show);
    for block in (0..Cpus::count()).map(CpuBlock::of) {
        block.keep_cached.store(keep_cached, Ordering::Relaxed);
        interrupts::entry_stacks(block)
            .into_iter()
            .for_each(&mut show);
    }
    let user_half = region.read(top, KERNEL_ENTRY);
    region.isolate(user_half);
    Some(u64::from(top.0) * PAGE_BYTES as u64)
}

#[cold]
fn no_room() -> ! {
    crate::stop!("the kernel region is too small")
}
