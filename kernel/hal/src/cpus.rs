//! What the kernel keeps for each CPU, and how CPUs make one another leave user space and forget translations.
//!
//! A block is its CPU's, and the CPU's descriptors lie in it, so `sgdt` finds it where GS cannot be trusted. Behind all blocks, at the
//! distance [`BLOCK_TO_GS`] from its block, each CPU has a few words more, to which GS.base points in the kernel. The distance keeps them
//! off the page of the blocks: isolated page tables show programs that page, and not the stack protector's value. Of the rest, `state` and `drop_space` are the protocol between CPUs; everything else is
//! written by its own CPU, or by the holder of the kernel lock.
//!
//! # Why waiting for another CPU ends
//!
//! Only the holder of the kernel lock waits for another CPU, in [`Cpus::stop`], [`Cpus::forget`] and [`Cpus::drop_space`],
//! and what it waits for needs no lock:
//!
//! - `state` becomes [`USER`] or [`IDLE`] only while its CPU holds the lock. So while another CPU holds it, `state` can only
//!   become [`KERNEL`], and nobody can miss a CPU that is about to enter user space.
//! - A CPU in state `USER` or `IDLE` has interrupts off for the few instructions that lead there and on from then on.
//!   So it takes the IPI, its entry code stores the registers, and it sets `state` to `KERNEL` before it asks for the
//!   lock. Exceptions and system calls lead the same way, but for the null call: its CPU goes back to user space with its state
//!   as it is (`run.rs`), and takes the IPI there.
//! - A CPU in state `KERNEL` that does not hold the lock is on its way to [`CpuBlock::lock`] with interrupts off, and waits there
//!   until the lock is released. While it waits it does what `drop_space` asks for.
//!
//! The kernel never uses user translations (SMAP, and no mapping of its own in the lower half), so a CPU in state
//! `KERNEL` or `IDLE` may keep stale ones as long as it forgets them before it enters user space: `loaded` is cleared
//! for that, which makes it load CR3 anew. Page tables themselves are freed only when no CPU has their root in CR3 (all of
//! a space) or no CPU is in user space with it (a table that became empty).

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use nonos_abi::PAGE_BYTES;
use nonos_kernel_core::machine::{AddressSpace, CPUS_MAX, CpuId};

use crate::apic::LocalApic;
use crate::cet;
use crate::cpu::{self, Msr, cr3};
use crate::interrupts::{TaskState, vector};
use crate::lock::Lock;
use crate::protection;
use crate::region::Kind;
use crate::stack_guard::Guarded;
use crate::stop;

/// [`CpuBlock::state`]: in the kernel, or on the way to the kernel lock.
pub const KERNEL: u8 = 0;
/// In user space, or on the way there.
pub const USER: u8 = 1;
/// Waits for an interrupt.
pub const IDLE: u8 = 2;

/// The lock that makes one CPU at a time run the kernel. The boot CPU takes it before there are others.
static LOCK: Lock = Lock::new();

/// [`CpuBlock::loaded`] and [`CpuBlock::held`]: no address space. Frame 0 is never a page table.
const NONE: u32 = 0;

/// What a CPU has for itself. All zero at the start.
#[repr(C, align(512))]
pub struct CpuBlock {
    /// `entry.s`: kernel stack to return on.
    pub kernel_rsp: AtomicU64,
    /// `entry.s`: context of the thread in user space.
    pub context: AtomicU64,
    /// `entry.s`: holds the user's stack pointer for three instructions.
    pub user_rsp: AtomicU64,
    /// `entry.s`, with isolated page tables: CR3 in user space and in the kernel, for the address space that is loaded.
    pub user_cr3: AtomicU64,
    /// See `user_cr3`.
    pub kernel_cr3: AtomicU64,
    /// `entry.s`: the bit of CR3 that keeps cached translations, or 0 on a CPU without identifiers for them.
    pub keep_cached: AtomicU64,
    /// Where the CPU is.
    pub state: AtomicU8,
    /// Asks the CPU to load the boot page tables, which clears it.
    drop_space: AtomicBool,
    /// Address space that user space can be entered with as it is, or [`NONE`].
    loaded: AtomicU32,
    /// Address space whose tables CR3 points to, or [`NONE`] for the boot page tables.
    held: AtomicU32,
    /// Address space that was in CR3 before the one that is, if all that is to be done to go back to it is to load it, or [`NONE`].
    previous: AtomicU32,
    /// The kind of address space that this CPU is set up for (`mitigations.rs`).
    space_kind: AtomicU16,
    /// Interrupts are addressed with this.
    pub apic_id: AtomicU32,
    /// Number of the last load of the FPU registers, different on all CPUs. The context with the same number in
    /// `UserContext::fpu_state` holds what the registers hold.
    pub fpu_state: AtomicU64,
    /// When the next timer event is due; `u64::MAX` for never.
    pub deadline_ns: AtomicU64,
    /// Page-table entry of the first window, and its address.
    pub window_entry: AtomicU64,
    /// See `window_entry`.
    pub window_address: AtomicU64,
    /// Kernel stack, for reports.
    pub stack_base: AtomicU64,
    /// See `stack_base`.
    pub stack_top: AtomicU64,
    /// Top of a stack on which the machine is stopped; 0 before there is one.
    pub stop_stack: AtomicU64,
    /// Steps of the CPU's start (`smp.rs`).
    pub start_step: AtomicU32,
    /// Answer of a step.
    pub start_answer: AtomicU64,
    /// Global descriptor table. Writable: `ltr` sets a bit in the task's descriptor.
    pub segments: UnsafeCell<[u64; 7]>,
    /// Task state segment. The block is aligned, so no page boundary lies in it.
    pub task: UnsafeCell<TaskState>,
}

const _: () = assert!(size_of::<CpuBlock>() == 512);

// SAFETY: `segments` and `task` are written by their own CPU before it loads them, then by the CPU alone.
unsafe impl Sync for CpuBlock {}

/// All blocks, in pages of their own: with isolated page tables programs' tables have these pages, too. They hold addresses, counts
/// and states, and no contents of anybody's memory. What is behind them programs' tables have not.
#[repr(C, align(4096))]
pub struct Blocks {
    shown: [CpuBlock; CPUS_MAX],
    hidden: [Guarded; CPUS_MAX],
}

/// Bytes from a block to where GS.base points on its CPU.
pub const BLOCK_TO_GS: usize = offset_of!(Blocks, hidden);

const _: () = assert!(
    BLOCK_TO_GS.is_multiple_of(PAGE_BYTES)
        && size_of::<Guarded>() == size_of::<CpuBlock>()
        && size_of::<Blocks>().is_multiple_of(PAGE_BYTES)
);

/// The boot CPU's block comes first (`entry.s`).
pub static BLOCKS: Blocks = Blocks {
    shown: [const { CpuBlock::new() }; CPUS_MAX],
    hidden: [const { Guarded::new() }; CPUS_MAX],
};

/// CPUs that run beside the boot CPU.
static OTHERS: AtomicU32 = AtomicU32::new(0);

impl CpuBlock {
    const fn new() -> Self {
        Self {
            kernel_rsp: AtomicU64::new(0),
            context: AtomicU64::new(0),
            user_rsp: AtomicU64::new(0),
            user_cr3: AtomicU64::new(0),
            kernel_cr3: AtomicU64::new(0),
            keep_cached: AtomicU64::new(0),
            state: AtomicU8::new(KERNEL),
            drop_space: AtomicBool::new(false),
            loaded: AtomicU32::new(NONE),
            held: AtomicU32::new(NONE),
            previous: AtomicU32::new(NONE),
            space_kind: AtomicU16::new(0),
            apic_id: AtomicU32::new(0),
            fpu_state: AtomicU64::new(0),
            deadline_ns: AtomicU64::new(0),
            window_entry: AtomicU64::new(0),
            window_address: AtomicU64::new(0),
            stack_base: AtomicU64::new(0),
            stack_top: AtomicU64::new(0),
            stop_stack: AtomicU64::new(0),
            start_step: AtomicU32::new(0),
            start_answer: AtomicU64::new(0),
            segments: UnsafeCell::new([0; 7]),
            task: UnsafeCell::new(TaskState::EMPTY),
        }
    }

    /// Says, once, that there is no alarm, that the FPU registers hold no thread's, and that the CPU is set up for no address space.
    pub fn nothing_set(&self) {
        self.set_space_kind(Kind::NONE);
        self.deadline_ns.store(u64::MAX, Ordering::Relaxed);
        // No context has this number, as no load of any CPU has.
        let first = (u64::from(self.id().0) + 1) | cet::mark();
        self.fpu_state.store(first, Ordering::Relaxed);
    }

    /// A number for a load of the FPU registers that no other load on any CPU has, after `last` on this one. Nothing is loaded
    /// 2^60 times. All are marked ([`cet::mark`]) or none is.
    #[inline(always)]
    pub fn number_fpu_load(&self, last: u64) -> u64 {
        let number = last.wrapping_add(CPUS_MAX as u64);
        self.fpu_state.store(number, Ordering::Relaxed);
        number
    }

    /// The block of a CPU.
    ///
    /// # Panics
    /// When there can be no such CPU.
    pub fn of(cpu: usize) -> &'static Self {
        &BLOCKS.shown[cpu]
    }

    /// What the CPU has behind GS.base.
    #[inline(always)]
    pub fn guarded(&self) -> &'static Guarded {
        &BLOCKS.hidden[usize::from(self.id().0)]
    }

    /// The pages that all blocks lie in.
    pub fn pages() -> impl Iterator<Item = u64> {
        let start = (&raw const BLOCKS) as u64;
        (start..start + BLOCK_TO_GS as u64).step_by(PAGE_BYTES)
    }

    /// The block of this CPU, wherever it is.
    pub fn of_this_cpu() -> &'static Self {
        let first = (&raw const BLOCKS.hidden) as u64;
        let index = cpu::read_msr(Msr::GsBase).wrapping_sub(first) / size_of::<Guarded>() as u64;
        BLOCKS.shown.get(index as usize).unwrap_or(&BLOCKS.shown[0])
    }

    /// The CPU's number.
    #[inline(always)]
    pub fn id(&self) -> CpuId {
        let offset = (core::ptr::from_ref(self) as u64).wrapping_sub((&raw const BLOCKS) as u64);
        CpuId((offset / size_of::<Self>() as u64) as u8)
    }

    /// Takes the kernel lock. `state` says where the CPU is since before.
    #[inline(always)]
    pub fn lock(&self) {
        if !LOCK.try_take() {
            self.wait_for_lock();
        }
    }

    /// Keeps all registers of its caller, who seldom has to wait and is on a short way.
    #[cold]
    #[inline(never)]
    extern "rust-cold" fn wait_for_lock(&self) {
        LOCK.wait(|| self.drop_space_when_asked());
    }

    /// Releases the kernel lock, on the way to where `state` says.
    #[inline(always)]
    pub fn unlock(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
        LOCK.release();
    }

    /// Says that the CPU is in the kernel again: what the entry code stored is seen by who sees this.
    #[inline(always)]
    pub fn entered(&self) {
        self.state.store(KERNEL, Ordering::Release);
    }

    /// Whether user space can be entered with this address space as it is.
    #[inline(always)]
    pub fn has_loaded(&self, space: AddressSpace) -> bool {
        self.loaded.load(Ordering::Relaxed) == space.0.0
    }

    /// Notes the tables of an address space, for `entry.s`: the kernel's, which is about to be loaded, and user mode's, which the next
    /// way out loads and forgets what is cached of others.
    pub fn set_tables(&self, kernel_cr3: u64, user_cr3: u64) {
        let keep = self.keep_cached.load(Ordering::Relaxed);
        let user_id = if keep == 0 { 0 } else { cr3::USER_ID };
        self.kernel_cr3.store(kernel_cr3 | keep, Ordering::Relaxed);
        self.user_cr3.store(user_cr3 | user_id, Ordering::Relaxed);
    }

    /// Has the next way out to user space forget all translations that are cached for isolated user mode.
    #[inline(always)]
    fn forget_user(&self) {
        let user_cr3 = self.user_cr3.load(Ordering::Relaxed);
        self.user_cr3
            .store(user_cr3 & !cr3::KEEP_CACHED, Ordering::Relaxed);
    }

    /// Whether an address space was in CR3 before the one that is, exists still, and needs nothing but to be loaded.
    #[inline(always)]
    pub fn can_go_back(&self, space: AddressSpace) -> bool {
        self.previous.load(Ordering::Relaxed) == space.0.0
    }

    /// Notes that it was: the CPU can go back to the one that it leaves.
    #[inline(always)]
    pub fn set_back(&self, space: AddressSpace) {
        let left = self.held.load(Ordering::Relaxed);
        self.previous.store(left, Ordering::Relaxed);
        self.set_loaded(space);
    }

    /// Notes that an address space is about to be loaded, and whether the CPU is set up for it as it is for the one that it leaves.
    #[inline(always)]
    pub fn note_leaving(&self, space: AddressSpace, is_same: bool) {
        let left = self.held.load(Ordering::Relaxed);
        let can_go_back = is_same && left != space.0.0;
        let previous = if can_go_back { left } else { NONE };
        self.previous.store(previous, Ordering::Relaxed);
    }

    /// Notes that CR3 was loaded with an address space just now.
    #[inline(always)]
    pub fn set_loaded(&self, space: AddressSpace) {
        self.loaded.store(space.0.0, Ordering::Relaxed);
        self.held.store(space.0.0, Ordering::Relaxed);
    }

    /// Has the CPU check an address space, which is about to end, before it loads it again.
    fn forget_previous(&self, space: AddressSpace) {
        if self.can_go_back(space) {
            self.previous.store(NONE, Ordering::Relaxed);
        }
    }

    /// Whether CR3 points to the tables of this address space.
    pub fn held(&self, space: AddressSpace) -> bool {
        self.held.load(Ordering::Relaxed) == space.0.0
    }

    /// The kind of address space that this CPU is set up for.
    #[inline(always)]
    pub fn space_kind(&self) -> Kind {
        Kind(self.space_kind.load(Ordering::Relaxed))
    }

    /// Notes the kind of address space that this CPU is set up for.
    pub fn set_space_kind(&self, kind: Kind) {
        self.space_kind.store(kind.0, Ordering::Relaxed);
    }

    fn is_in(&self, state: u8) -> bool {
        self.state.load(Ordering::Acquire) == state
    }

    /// While another CPU has the lock.
    fn drop_space_when_asked(&self) {
        if self.drop_space.load(Ordering::Acquire) {
            self.load_boot_tables();
            self.drop_space.store(false, Ordering::Release);
        }
    }

    fn load_boot_tables(&self) {
        // SAFETY: the boot page tables map the kernel's half, as every address space does.
        unsafe { cpu::write_cr3(stop::root()) };
        self.loaded.store(NONE, Ordering::Relaxed);
        self.held.store(NONE, Ordering::Relaxed);
    }
}

/// The other CPUs, as the one that holds the kernel lock reaches them.
#[derive(Clone, Copy)]
pub struct Cpus {
    /// The CPU that holds the lock.
    pub this: &'static CpuBlock,
    /// Sends interrupts.
    pub apic: LocalApic,
}

impl Cpus {
    /// How many run.
    pub fn count() -> usize {
        OTHERS.load(Ordering::Relaxed) as usize + 1
    }

    /// Counts one more.
    pub fn add() {
        if protection::is_virtual() {
            LOCK.make_unfair();
        }
        OTHERS.fetch_add(1, Ordering::Relaxed);
    }

    /// All that run but this one.
    pub fn others(&self) -> impl Iterator<Item = &'static CpuBlock> + use<> {
        let this = self.this;
        BLOCKS.shown[..Self::count().min(CPUS_MAX)]
            .iter()
            .filter(move |block| !core::ptr::eq(*block, this))
    }

    /// Has a CPU enter the kernel, if it is not there.
    pub fn kick(&self, other: &CpuBlock) {
        if !core::ptr::eq(other, self.this) && !other.is_in(KERNEL) {
            self.interrupt(other);
        }
    }

    /// Has a CPU leave user space, and waits until it has.
    pub fn stop(&self, other: &CpuBlock) {
        if !core::ptr::eq(other, self.this) && other.is_in(USER) {
            self.interrupt(other);
            Self::wait_while_in_user(other);
        }
    }

    /// Has all other CPUs forget the translations of an address space before they use it again, and waits until none is
    /// in user space with it. This CPU forgets what its user mode has cached under isolated page tables.
    #[inline(always)]
    pub fn forget(&self, space: AddressSpace) {
        self.this.forget_user();
        if Self::count() > 1 {
            self.forget_elsewhere(space);
        }
    }

    #[inline(never)]
    fn forget_elsewhere(&self, space: AddressSpace) {
        let mut stopped = [false; CPUS_MAX];
        for other in self.others().filter(|other| other.has_loaded(space)) {
            other.loaded.store(NONE, Ordering::Relaxed);
            if other.is_in(USER) {
                self.interrupt(other);
                stopped[usize::from(other.id().0)] = true;
            }
        }
        for (block, _) in BLOCKS
            .shown
            .iter()
            .zip(stopped)
            .filter(|(_, stopped)| *stopped)
        {
            Self::wait_while_in_user(block);
        }
    }

    /// Has all CPUs take an address space out of CR3 and go back to it no more, and waits until they have.
    pub fn drop_space(&self, space: AddressSpace) {
        let holds = |block: &CpuBlock| block.held.load(Ordering::Relaxed) == space.0.0;
        BLOCKS
            .shown
            .iter()
            .for_each(|block| block.forget_previous(space));
        for other in self.others().filter(|other| holds(other)) {
            other.drop_space.store(true, Ordering::Release);
            self.kick(other);
        }
        if holds(self.this) {
            self.this.load_boot_tables();
        }
        for other in self.others() {
            while other.drop_space.load(Ordering::Acquire) {
                spin_loop();
            }
        }
    }

    fn interrupt(&self, other: &CpuBlock) {
        self.apic
            .interrupt(other.apic_id.load(Ordering::Relaxed), vector::KICK.into());
    }

    fn wait_while_in_user(other: &CpuBlock) {
        while other.is_in(USER) {
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_kernel_core::machine::FrameNumber;

    #[test]
    fn a_cpu_goes_back_to_the_address_space_before_and_to_no_other() {
        let block = CpuBlock::new();
        let [a, b, c] = [7, 8, 9].map(|frame| AddressSpace(FrameNumber(frame)));
        let back = || [a, b, c].map(|space| block.can_go_back(space));
        let load = |space, is_same| {
            block.note_leaving(space, is_same);
            block.set_loaded(space);
        };
        load(a, false);
        assert_eq!(back(), [false; 3]);
        load(b, true);
        assert_eq!(back(), [true, false, false]);
        block.set_back(a);
        assert_eq!(back(), [false, true, false]);
        assert!(block.has_loaded(a) && block.held(a));
        load(c, true);
        assert_eq!(back(), [true, false, false]);
        load(c, true);
        assert_eq!(back(), [false; 3], "it would be loaded at each entry");
        load(a, true);
        assert_eq!(back(), [false, false, true]);
        load(b, false);
        assert_eq!(back(), [false; 3], "a is of another kind");
        load(a, true);
        block.forget_previous(a);
        assert_eq!(back(), [false, true, false]);
        block.forget_previous(b);
        assert_eq!(back(), [false; 3], "b has ended");
    }
}
