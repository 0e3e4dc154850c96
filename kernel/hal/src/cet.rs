//! Control-flow enforcement (CET; SDM vol. 1, chapter 17): an indirect branch lands on `endbr64` or faults, and a `ret` that goes
//! elsewhere than its `call` came from faults.
//!
//! # User space
//!
//! Used where the CPU has shadow stacks; indirect branch tracking comes with them on all Intel CPUs that have either. The CPU
//! keeps a thread's shadow-stack pointer in IA32_PL3_SSP while the kernel runs, and in IA32_U_CET whether the next instruction
//! must be `endbr64`: an interrupt may come right after an indirect branch. Both are stored with the thread's other registers
//! whenever it enters the kernel, in one word: the pointer, and in its lowest bit, which is always 0, the other.
//!
//! # The kernel
//!
//! Each CPU has a shadow stack for its kernel stack and one for each stack that gates
//! select, in a page that is mapped as this and in no other way: nothing but `call` and the CPU writes there once it is complete, but
//! for the one instruction in `thunks.s`. At the top of each lies a token, its own address, which the CPU
//! marks as busy when it takes the shadow stack and frees when it leaves it; one that is not there or is busy is a fault.
//!
//! In user space that of the kernel stack is empty and free, and every way in takes it so: an interrupt by IA32_PL0_SSP, `syscall` by
//! `setssbsy` (`entry.s`). That fits because the loop in `run.rs` never returns. It goes to user space by a jump and is jumped back
//! to, so what it called has returned by then, and nothing is left to return from. On the way out `iretq` frees the token, and
//! before `sysretq` `clrssbsy` does.
//!
//! A retpoline is a `ret` to where no `call` came from. On Intel's CPUs that track branches a far jump takes its place, which is tracked.
//! On all others it stays and writes on the shadow stack, too, where it goes (`thunks.s`).

use core::arch::asm;

use nonos_abi::PAGE_BYTES;
use nonos_kernel_core::machine::{CPUS_MAX, UserContext};

use crate::cpu::pinned::Register;
use crate::cpu::{self, Msr};
use crate::cpus::CpuBlock;
use crate::private::Window;
use crate::region::Region;
use crate::table::index;
use crate::{audit, entry, isolation, protection};

/// Bits of IA32_U_CET and IA32_S_CET (SDM vol. 1, 17.2). The second, with which `wrss` writes to shadow stacks, is on in `thunks.s` alone.
pub const SHADOW_STACK: u64 = 1;
pub const WRITABLE: u64 = 1 << 1;
const ENDBRANCH: u64 = 1 << 2;
/// The next instruction must be `endbr64`.
const TRACKER_BIT: u32 = 11;

/// In [`UserContext::control_flow`]: as the tracker. The pointer is a multiple of four.
const AWAITS_ENDBRANCH: u64 = 1;
const POINTER: u64 = !3;

/// See [`mark`].
const MARK: u64 = 1 << 63;

/// In the page of a CPU: the token of the kernel stack's, then those of the stacks that gates select, each with room below it, and at
/// the end the table in which the CPU finds the latter (SDM vol. 1, 17.2.3). Below the first the page ends, and a push faults.
const TOKENS: usize = 1 + 4;
const FIRST_TOKEN: usize = (248 - 1) * WORD;
const STEP: usize = 64 * WORD;
const TABLE: usize = PAGE_BYTES - 8 * WORD;
const WORD: usize = size_of::<u64>();
const _: () = assert!(FIRST_TOKEN + (TOKENS - 1) * STEP < TABLE);

/// Sets this CPU up. CR4.CET is set afterwards. False where it stays off.
///
/// # Panics
/// When a register does not hold what was written.
///
/// # Safety
/// Called at boot, with CR4.CET clear.
pub unsafe fn enable() -> bool {
    // Isolated page tables lack what the way in would need; no CPU that has shadow stacks needs those tables.
    if !protection::has_shadow_stacks() || isolation::is_on() {
        return false;
    }
    let branches = u64::from(protection::has_branch_tracking()) * ENDBRANCH;
    // SAFETY: the CPU has these registers. Programs are built with landing pads, and no thread runs before `load`. In the kernel all is off
    // until `start`.
    let held = unsafe {
        cpu::write_msr(Msr::SupervisorCet, 0);
        Register::UserCet.pin(SHADOW_STACK | branches)
    };
    assert!(held, "a register does not hold what was written");
    true
}

/// Whether threads have shadow stacks.
#[inline(always)]
pub fn is_on() -> bool {
    Register::UserCet.pinned() != 0
}

/// Whether the kernel's own branches are tracked, once [`start`]ed: where it can jump far, which Intel's CPUs alone do to 64 bits. Its returns
/// are checked wherever those of threads are.
#[inline(never)]
pub fn tracks_kernel() -> bool {
    Register::UserCet.pinned() & ENDBRANCH != 0 && protection::is_intel()
}

/// Stores what this CPU has of a thread that an exception or an interrupt took from user space. After `syscall`, `entry.s` did.
#[inline(always)]
pub fn save(context: &mut UserContext) {
    if is_on() {
        // The bits above are 0: `load_registers` wrote them.
        let tracker = cpu::read_msr(Msr::UserCet) >> TRACKER_BIT;
        context.control_flow = cpu::read_msr(Msr::UserShadowStack) | tracker;
    }
}

/// The top bit of all numbers of loads of the FPU registers ([`CpuBlock::number_fpu_load`]) where threads have shadow stacks: who has just
/// got one need not look elsewhere.
pub fn mark() -> u64 {
    u64::from(is_on()) * MARK
}

/// Loads what a thread that ran elsewhere or earlier has of it, whose FPU registers were loaded.
#[inline(always)]
pub fn load(context: &UserContext) {
    if context.fpu_state & MARK != 0 {
        load_registers(context.control_flow);
    }
}

#[inline(never)]
fn load_registers(control_flow: u64) {
    let tracker = (control_flow & AWAITS_ENDBRANCH) << TRACKER_BIT;
    // SAFETY: a pointer that the CPU stored or the logic chose in user space; the CPU uses it in ring 3 only, with the rights of ring 3.
    unsafe {
        cpu::write_msr(Msr::UserShadowStack, control_flow & POINTER);
        cpu::write_msr(Msr::UserCet, Register::UserCet.pinned() | tracker);
    }
}

/// Makes the kernel's shadow stacks of all CPUs, where it has any.
///
/// # Safety
/// Called once, at boot, on the boot page tables at `root`.
pub unsafe fn make_stacks(region: &mut Region, root: u64, window: &mut Window) {
    if !is_on() {
        return;
    }
    for cpu in 0..CPUS_MAX {
        let page = entry::shadow_stacks(cpu);
        let Some((table, entry, 1)) = audit::leaf(region, root, page) else {
            crate::stop!("no page of 4 KiB")
        };
        let fill = |bytes: &mut [u8; PAGE_BYTES]| {
            for number in 0..TOKENS {
                let token = FIRST_TOKEN + number * STEP;
                let address = page.wrapping_add(token as u64).to_le_bytes();
                for place in [token, TABLE + number * WORD] {
                    bytes[place..][..WORD].copy_from_slice(&address);
                }
            }
        };
        // SAFETY: a page for this alone, which is never accessed from Rust. It is read-only and stays so.
        unsafe {
            window.with(entry.frame(), fill);
            region.write_boot(table, index(page, 1), entry.as_shadow_stack());
        }
        cpu::invalidate_page(page);
    }
}

/// Turns control-flow enforcement on in the kernel, on this CPU, where it is to be on.
///
/// # Safety
/// The caller never returns and is the loop that goes to user space; the block is this CPU's. [`make_stacks`] and [`crate::mitigations::divert`] were
/// called.
#[inline(always)]
pub unsafe fn start(block: &CpuBlock) {
    let value = give_stacks(block);
    if value != 0 {
        // SAFETY: the CPU was given its shadow stacks. No function that began before this returns.
        unsafe {
            asm!(
                "wrmsr",
                "setssbsy",
                in("ecx") Msr::SupervisorCet as u32,
                in("eax") value,
                in("edx") 0,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Tells this CPU where its shadow stacks are. Returns what IA32_S_CET is to hold from then on: 0 where it has none.
#[inline(never)]
fn give_stacks(block: &CpuBlock) -> u32 {
    if !is_on() {
        return 0;
    }
    let (kernel, interrupts) = stacks(block);
    // SAFETY: the shadow stacks are complete and nobody's.
    unsafe {
        cpu::write_msr(Msr::KernelShadowStack, kernel);
        cpu::write_msr(Msr::InterruptShadowStacks, interrupts);
    }
    let value = SHADOW_STACK | (u64::from(tracks_kernel()) * ENDBRANCH);
    Register::SupervisorCet.holds(value);
    value as u32
}

/// Of a CPU: the token of the kernel stack's shadow stack, and the table of the others.
fn stacks(block: &CpuBlock) -> (u64, u64) {
    let page = entry::shadow_stacks(block.id().0.into());
    (
        page.wrapping_add(FIRST_TOKEN as u64),
        page.wrapping_add(TABLE as u64),
    )
}

/// Looks whether this CPU still has the shadow stacks that it was given.
///
/// # Panics
/// When it has others.
#[inline(always)]
pub fn check(block: &CpuBlock) {
    if Register::SupervisorCet.pinned() != 0 {
        check_stacks(block);
    }
}

#[inline(never)]
fn check_stacks(block: &CpuBlock) {
    let (kernel, interrupts) = stacks(block);
    if cpu::read_msr(Msr::KernelShadowStack) != kernel
        || cpu::read_msr(Msr::InterruptShadowStacks) != interrupts
    {
        crate::stop!("the kernel's shadow stack was replaced");
    }
}
