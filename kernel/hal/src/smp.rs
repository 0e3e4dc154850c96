//! Starting the other CPUs, one after the other, and what each does before it runs the kernel.
//!
//! A CPU starts in real mode in a page below 1 MiB (`startup.s`), under page tables made for this, in which that page is
//! the only one outside the kernel's half. When all run, the tables are freed and the page is zeroed. A CPU that does not
//! come up in time is reset, which leaves it waiting for another start, and is left out: the others go on.

use core::arch::global_asm;
use core::fmt::Write;
use core::hint::spin_loop;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicPtr, Ordering};

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::BootInfo;
use nonos_kernel_core::machine::{AddressSpace, CPUS_MAX, FrameNumber};

use crate::apic::LocalApic;
use crate::clock::Clock;
use crate::cpu;
use crate::cpu::pinned::{self, Register};
use crate::cpus::{CpuBlock, Cpus};
use crate::entry;
use crate::gdt;
use crate::interrupts;
use crate::mitigations;
use crate::private::{PrivateArea, Window};
use crate::protection;
use crate::region::Region;
use crate::serial::Serial;
use crate::space;
use crate::table::Entry;

const PAGE: u64 = PAGE_BYTES as u64;

/// The other CPUs' stacks and tables take at most this part of the kernel region.
const REGION_SHARE: u64 = 3;

/// Pages of a CPU outside its kernel stack: page table, stacks for interrupts.
const OTHER_PAGES: u64 = 16;

/// A 64-bit code segment's selector in the page's descriptor table.
const STARTUP_CODE: u32 = 1 << 3;

/// After a reset, before the start (SDM vol. 3, 8.4.4.1).
const RESET_US: u64 = 10_000;
/// After the first start, before the second.
const RESTART_US: u64 = 200;
/// How long a CPU may take to come up and to answer; an emulated one runs only now and then.
const UP_US: u64 = 2_000_000;

/// Rounds in which clocks are compared.
const CLOCK_ROUNDS: u32 = 3;
/// Clocks that differ by less are as good as equal.
const CLOCK_US: u64 = 1;

/// [`CpuBlock::start_answer`] of a CPU that is up: whether it is like the first.
const ALIKE: u64 = 1;
const DIFFERENT: u64 = 2;

/// Data of the page, behind the code.
#[repr(C)]
struct StartupData {
    segments: [u64; 2],
    /// Operand of `lgdt`: limit, base.
    gdt_pointer: [u16; 3],
    reserved: u16,
    /// Operand of the far jump.
    long_offset: u32,
    long_selector: u32,
    cr0: u32,
    cr4: u32,
    efer: u32,
    startup_root: u32,
    stack_top: u64,
    block: u64,
    root: u64,
    entry: u64,
}

/// Where [`StartupData`] lies in the page.
const DATA: usize = 0x100;

// SAFETY: no CPU runs it here, where it is constant data; the copy in its own page finds all it needs at the offsets given here.
global_asm!(
    include_str!("startup.s"),
    data = const DATA,
    gdt_pointer = const DATA + offset_of!(StartupData, gdt_pointer),
    long_mode = const DATA + offset_of!(StartupData, long_offset),
    cr0 = const DATA + offset_of!(StartupData, cr0),
    cr4 = const DATA + offset_of!(StartupData, cr4),
    efer = const DATA + offset_of!(StartupData, efer),
    startup_root = const DATA + offset_of!(StartupData, startup_root),
    stack_top = const DATA + offset_of!(StartupData, stack_top),
    block = const DATA + offset_of!(StartupData, block),
    root = const DATA + offset_of!(StartupData, root),
    entry = const DATA + offset_of!(StartupData, entry),
    efer_number = const pinned::EFER,
);

// SAFETY: `startup.s` defines them, as marks in constant data; nothing is read through them but bytes between first and last.
unsafe extern "C" {
    static nonos_startup: [u8; 0];
    static nonos_startup_long: [u8; 0];
    static nonos_startup_end: [u8; 0];
}

/// What the other CPUs run once the kernel is built, with the kernel lock held.
#[derive(Clone, Copy)]
pub struct Job {
    /// Runs the kernel on a CPU.
    pub function: unsafe fn(system: *mut (), this: &'static CpuBlock) -> !,
    /// Its argument.
    pub system: *mut (),
}

static JOB: AtomicPtr<Job> = AtomicPtr::new(core::ptr::null_mut());

/// What starting takes.
pub struct Starter<'a> {
    /// The boot loader's record.
    pub info: &'a BootInfo,
    /// Physical address of the boot page tables.
    pub root: u64,
    /// The kernel's half of every address space.
    pub kernel_half: Entry,
    /// Memory for stacks and tables.
    pub region: &'a mut Region,
    /// Sends the interrupts.
    pub apic: LocalApic,
    /// Bounds the waiting.
    pub clock: &'a Clock,
}

impl Starter<'_> {
    /// Starts the other CPUs, as many as there is room for. When this returns, those that run wait for [`run`].
    ///
    /// # Safety
    /// Called once, on the boot CPU, which has its descriptors, with interrupts off. The record is true.
    pub unsafe fn start_all(&mut self) {
        let acpi = &self.info.acpi;
        let listed = acpi.cpus[..acpi.cpu_count as usize]
            .get(1..)
            .unwrap_or_default();
        if listed.is_empty() {
            return;
        }
        let each = self.info.stack_bytes + OTHER_PAGES * PAGE;
        let room = (self.info.region_bytes / REGION_SHARE / each).min(CPUS_MAX as u64 - 1);
        let apic = self.apic;
        let ids = || {
            let reached = listed.iter().copied().filter(|&id| apic.reaches(id));
            reached.take(room as usize)
        };
        let page = acpi.startup_page_physical;
        let frame = FrameNumber((page / PAGE) as u32);
        let space = (page != 0)
            .then(|| space::create_startup(self.region, self.kernel_half, frame))
            .flatten();
        if let Some(space) = space {
            ids().for_each(|id| self.apic.reset(id));
            self.wait(RESET_US, || false);
            for id in ids() {
                // SAFETY: as the caller says; the tables map the page.
                if unsafe { self.start(id, page, space) } {
                    Cpus::add();
                } else {
                    self.apic.reset(id);
                    self.wait(RESET_US, || false);
                    say(format_args!("the CPU with APIC id {id} did not start"));
                }
            }
            // SAFETY: kept back by the boot loader for this; no CPU executes it any more.
            unsafe { with_page(frame, |bytes| bytes.fill(0)) };
            // Every CPU has loaded the boot tables, or was reset.
            space::destroy(self.region, space);
        }
        let left_out = listed.len() + 1 - Cpus::count();
        if left_out > 0 {
            say(format_args!("{left_out} CPUs left out"));
        }
    }

    /// Starts one CPU. False when it does not come up.
    ///
    /// # Safety
    /// As [`Self::start_all`]; the address space is that of [`space::create_startup`] for the page. The CPU was reset.
    unsafe fn start(&mut self, id: u32, page: u64, space: AddressSpace) -> bool {
        let block = CpuBlock::of(Cpus::count());
        // SAFETY: the block's CPU does not run: it is new, or one that used it was reset.
        unsafe { self.make_block(block, id) };
        let root = u64::from(space.0.0) * PAGE;
        if root > u32::MAX.into() {
            return false;
        }
        // SAFETY: kept back by the boot loader for this; no CPU executes it now.
        unsafe {
            with_page(FrameNumber((page / PAGE) as u32), |bytes| {
                self.fill(bytes, page, root, block)
            })
        };
        let is_up = || block.start_answer.load(Ordering::Acquire) != 0;
        self.apic.start(id, page);
        // One that started already ignores the second.
        if !self.wait(RESTART_US, is_up) {
            self.apic.start(id, page);
        }
        if !self.wait(UP_US, is_up) {
            return false;
        }
        // What is said and done about the flaws of CPUs must be true of all.
        if block.start_answer.load(Ordering::Acquire) == DIFFERENT {
            say(format_args!(
                "the CPU with APIC id {id} is not like the first"
            ));
            return false;
        }
        self.compare_clocks(block)
    }

    /// Makes what a CPU has for itself.
    ///
    /// # Safety
    /// The CPU does not run.
    unsafe fn make_block(&mut self, block: &CpuBlock, id: u32) {
        if !Window::exists(block) {
            // SAFETY: once for the block, whose CPU does not run.
            unsafe {
                let mut area = PrivateArea::new(self.region, self.root, block);
                interrupts::make_stacks(block, self.region, &mut area);
                let bytes = self.info.stack_bytes;
                let top = area.make_stack(self.region, (bytes / PAGE) as usize);
                block.stack_base.store(top - bytes, Ordering::Relaxed);
                block.stack_top.store(top, Ordering::Relaxed);
            }
        }
        let guard = self.info.stack_guards[usize::from(block.id().0)];
        block.guarded().set_stack_guard(guard);
        block.apic_id.store(id, Ordering::Relaxed);
        block.nothing_set();
        block.start_step.store(0, Ordering::Relaxed);
        block.start_answer.store(0, Ordering::Relaxed);
    }

    /// Writes code and data of the page at `page`.
    fn fill(&self, bytes: &mut [u8; PAGE_BYTES], page: u64, startup_root: u64, block: &CpuBlock) {
        let code = &raw const nonos_startup;
        // SAFETY: the code lies between its labels, in constants.
        let code = unsafe {
            let length = (&raw const nonos_startup_end as usize) - code as usize;
            core::slice::from_raw_parts(code.cast::<u8>(), length)
        };
        let gdt = page + DATA as u64;
        let long_offset = (&raw const nonos_startup_long as u64) - code.as_ptr() as u64;
        let data = StartupData {
            segments: [0, gdt::SEGMENTS[usize::from(gdt::KERNEL_CODE >> 3)]],
            gdt_pointer: [
                size_of::<[u64; 2]>() as u16 - 1,
                gdt as u16,
                (gdt >> 16) as u16,
            ],
            reserved: 0,
            long_offset: (page + long_offset) as u32,
            long_selector: STARTUP_CODE,
            cr0: Register::Cr0.pinned() as u32,
            // Only 64-bit mode takes PCIDE, and CET goes with write protection (SDM vol. 3, 2.5); `protection::enable` sets them there.
            cr4: (Register::Cr4.pinned() & !(cpu::cr4::PCIDE | cpu::cr4::CET)) as u32,
            efer: (Register::Efer.pinned() & !cpu::efer::LMA) as u32,
            startup_root: startup_root as u32,
            stack_top: block.stack_top.load(Ordering::Relaxed),
            block: core::ptr::from_ref(block) as u64,
            root: self.root,
            entry: entry::cpu_start(),
        };
        bytes.fill(0);
        bytes[..DATA][..code.len()].copy_from_slice(code);
        // SAFETY: the data fits behind the code.
        unsafe {
            const { assert!(DATA + size_of::<StartupData>() <= PAGE_BYTES) };
            bytes
                .as_mut_ptr()
                .add(DATA)
                .cast::<StartupData>()
                .write_unaligned(data);
        }
    }

    /// Compares a CPU's clock with this one's: what it reads must lie between what this one reads before and after.
    /// False when it does not answer.
    fn compare_clocks(&self, block: &CpuBlock) -> bool {
        let mut difference = 0;
        for round in 1..=CLOCK_ROUNDS {
            block.start_answer.store(0, Ordering::Relaxed);
            let before = cpu::read_tsc();
            block.start_step.store(round, Ordering::Release);
            if !self.wait(UP_US, || block.start_answer.load(Ordering::Acquire) != 0) {
                return false;
            }
            let after = cpu::read_tsc();
            let there = block.start_answer.load(Ordering::Relaxed);
            difference = before
                .saturating_sub(there)
                .max(there.saturating_sub(after))
                .max(difference);
        }
        if difference > CLOCK_US * self.clock.tsc_hz / 1_000_000 {
            let cpu = block.id().0;
            say(format_args!(
                "the clock of CPU {cpu} differs by {difference} ticks"
            ));
        }
        true
    }

    /// Waits until `done` or until this many microseconds have passed; whether it is done.
    fn wait(&self, us: u64, done: impl Fn() -> bool) -> bool {
        let (start, ticks) = (cpu::read_tsc(), self.clock.tsc_hz / 1_000_000 * us);
        loop {
            if done() {
                return true;
            }
            if cpu::read_tsc().wrapping_sub(start) > ticks {
                return false;
            }
            spin_loop();
        }
    }
}

/// Runs `f` with the page for start-up code.
///
/// # Safety
/// The frame is that page, and no CPU executes it.
unsafe fn with_page(frame: FrameNumber, f: impl FnOnce(&mut [u8; PAGE_BYTES])) {
    // SAFETY: nobody uses the boot CPU's window, on which this runs; the caller answers for the frame.
    unsafe { Window::first(CpuBlock::of(0)).with(frame, f) }
}

fn say(text: core::fmt::Arguments<'_>) {
    // Writing to the port cannot fail.
    let _ = writeln!(Serial, "nonos: {text}");
}

/// Has the other CPUs run a job, as soon as they get the kernel lock.
///
/// # Safety
/// The job stays where it is. Its function can be called with its argument on any of them with the lock held, for ever.
pub unsafe fn run(job: *const Job, apic: LocalApic) {
    JOB.store(job.cast_mut(), Ordering::Release);
    for index in 1..Cpus::count() {
        let id = CpuBlock::of(index).apic_id.load(Ordering::Relaxed);
        apic.interrupt(id, interrupts::vector::KICK.into());
    }
}

/// Called by `nonos_cpu_start`, on another CPU's own stack with interrupts off.
///
/// # Safety
/// The block is this CPU's and complete.
pub unsafe extern "C" fn start_cpu(block: &'static CpuBlock) -> ! {
    let apic = LocalApic::shared()
        .unwrap_or_else(|| crate::stop!("started before the boot CPU was ready"));
    // SAFETY: all once on this CPU, with interrupts off.
    unsafe {
        // First, for far jumps, should something be said (`thunks.s`).
        interrupts::load(block);
        protection::enable();
        apic.enable_here();
    }
    Clock::start_alarm(&apic);
    // The plan is for CPUs like the first. Another waits here, for good.
    let answer = match mitigations::is_like_first() {
        true => {
            // SAFETY: once on this CPU, after the other protections.
            unsafe { mitigations::enable() };
            ALIKE
        }
        false => DIFFERENT,
    };
    block.start_answer.store(answer, Ordering::Release);
    for round in 1..=CLOCK_ROUNDS {
        while block.start_step.load(Ordering::Acquire) != round {
            spin_loop();
        }
        block.start_answer.store(cpu::read_tsc(), Ordering::Release);
    }
    // An interrupt between the look and the wait wakes from the wait: interrupts are off in between.
    while JOB.load(Ordering::Acquire).is_null() {
        // SAFETY: set up just now.
        unsafe { entry::idle() };
        apic.end_of_interrupt();
    }
    // SAFETY: set for good; the function wants the lock held.
    unsafe {
        let Job { function, system } = *JOB.load(Ordering::Acquire);
        block.lock();
        function(system, block)
    }
}
