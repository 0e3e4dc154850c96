//! The loop that every CPU runs: a thread or a wait, then the kernel's logic with what ended it.
//!
//! # Why this is sound
//!
//! `Hal` and the logic are one value that all CPUs reach by the same pointer, and make references to only while they hold
//! the kernel lock. The registers of a running thread lie in that value, too, and `entry.s` loads and stores them
//! without the lock. No reference is in the way: `Logic` gives the context of a thread to the CPU that runs it,
//! which keeps a raw pointer, and from the moment the CPU's state says "user space" until it says "kernel" again
//! nobody reads or writes that context. The logic keeps to that by the contract of `Machine`: the thread is that CPU's
//! until `Machine::stop` returned, which waits for the state, and the state is written after the registers (release) and
//! read before they are used (acquire).
//!
//! The context stays where it is: it lies in memory carved for good.
//!
//! # A system call without the lock
//!
//! `Null` asks nothing of the logic, so `entry.s` goes straight back to user space. The CPU's state says "user space" all the while, and
//! that is as good as true: the context is still its own; the kernel's code uses no translation of user space, nor does it change the
//! address space or the FPU registers that were loaded for the thread; and interrupts are off for these few instructions as for those
//! of every way out, so whoever waits for this CPU sent an interrupt that comes right after the return and leads to the lock. What
//! `syscall` stored anew is checked on every way out: the instruction pointer and the flags.
//!
//! # Words that go from register to register
//!
//! A call on the fast path leaves the words of its message where `syscall` stored them, in the context of the thread that made it.
//! They are read from there while the lock is held, so that nobody has changed them, and loaded for the thread that goes on. What that
//! one's own context says of these registers is out of date then, as all of it is while it runs.

use core::arch::asm;

use nonos_abi::message::MESSAGE_WORDS;
use nonos_kernel_core::machine::{CpuId, Current, Event, Switch, UserContext};

use crate::cet;
use crate::cpu::pinned;
use crate::cpus::{self, CpuBlock};
use crate::entry::{self, Exit};
use crate::machine::Hal;
use crate::smp::{self, Job};
use crate::stop;

/// The kernel's logic, as the loop needs it. All functions return what the CPU that `machine` names runs from now on. No other CPU is
/// given the same thread until this one was stopped, and the registers lie in memory that lives as long as the kernel.
pub trait Logic: Send + 'static {
    /// Does the system call of the thread that this CPU ran last, if it is a usual one, by its `rax`, `rdi` and `rsi`. Else nothing
    /// has changed. Few need the machine, which names the CPU from then on.
    fn fast_syscall<'a>(
        &mut self,
        registers: [u64; 3],
        cpu: CpuId,
        machine: impl FnOnce() -> &'a mut Hal,
    ) -> Option<Switch<'_>>;

    /// Ends what [`Self::fast_syscall`] began, when it returned a message with handles.
    fn finish_moving(&mut self) -> Option<&mut UserContext>;

    /// Does the system call of the thread that the CPU ran last.
    fn syscall(&mut self, machine: &mut Hal) -> Current<'_>;

    /// Deals with what else ended the last stay in user space, or with what ended the last wait.
    fn handle(&mut self, event: Event, machine: &mut Hal) -> Current<'_>;
}

/// What the kernel lock guards.
struct System<L> {
    hal: Hal,
    logic: L,
}

impl Hal {
    /// Runs the kernel on all CPUs, for ever.
    pub fn run(self, logic: impl Logic) -> ! {
        run_all(System { hal: self, logic })
    }
}

fn run_all<L: Logic>(mut system: System<L>) -> ! {
    let (this, apic) = (system.hal.cpus.this, system.hal.cpus.apic);
    this.lock();
    let pointer = &raw mut system;
    let job = Job {
        function: run_cpu::<L>,
        system: pointer.cast(),
    };
    stop::set_iommus(&raw const system.hal.iommus);
    // SAFETY: this never returns, so both values live as long as the kernel; this CPU has the lock, and the others get it by taking
    // it.
    unsafe {
        smp::run(&raw const job, apic);
        run_cpu::<L>(pointer.cast(), this)
    }
}

/// Runs the kernel on a CPU. Never inlined: there is one copy of the place that user space is left to (`entry.rs`).
///
/// # Safety
/// The CPU is set up and holds the kernel lock. `system` is a [`System<L>`] that lives as long as the kernel.
#[inline(never)]
unsafe fn run_cpu<L: Logic>(system: *mut (), this: &'static CpuBlock) -> ! {
    // SAFETY: this never returns, and the loop below is the one that goes to user space.
    unsafe { cet::start(this) };
    let system = system.cast::<System<L>>();
    // SAFETY: the lock is held, so this is the one reference; it ends before the lock is released.
    let System { hal, logic } = unsafe { &mut *system };
    hal.cpus.this = this;
    // What was asked of this CPU before it came here.
    let mut next = logic.handle(Event::Spurious, hal);
    loop {
        let Some((context, space)) = next else {
            pinned::check();
            cet::check(this);
            this.unlock(cpus::IDLE);
            // SAFETY: set up at boot. Interrupts are off until it waits, so none is lost.
            let exit = unsafe { entry::idle() };
            // SAFETY: this CPU entered the kernel, from a wait.
            next = unsafe { event::<L>(system, this, exit, 0) };
            continue;
        };
        let mut switch = Switch::to(context, space);
        // Where the registers for words come from.
        let mut source: *const UserContext = switch.context;
        next = loop {
            // SAFETY: the lock is held; the context is no part of this.
            let hal = unsafe { &mut (*in_register(system)).hal };
            hal.prepare(this, switch.context, switch.space);
            let context: *mut UserContext = switch.context;
            // SAFETY: the lock is held, and no thread's registers go while there is the kernel.
            let words = unsafe { &*source }.words();
            this.unlock(cpus::USER);
            // SAFETY: set up at boot, the thread's part by `prepare`; the header says why the context is ours.
            let registers = match unsafe { entry::enter_user(context, words) } {
                Ok(registers) => registers,
                Err(exit) => {
                    // SAFETY: this CPU entered the kernel; the context is its own until it says so.
                    cet::save(unsafe { &mut *context });
                    // SAFETY: as above.
                    break unsafe { event::<L>(system, this, exit, (*context).rip) };
                }
            };
            this.entered();
            this.lock();
            // SAFETY: the lock is held again.
            let System { hal, logic } = unsafe { &mut *in_register(system) };
            let machine = || {
                hal.cpus.this = this;
                hal
            };
            let Some(fast) = logic.fast_syscall(registers, this.id(), machine) else {
                // SAFETY: as above; the references from before are not used any more.
                let System { hal, logic } = unsafe { &mut *system };
                hal.cpus.this = this;
                break logic.syscall(hal);
            };
            switch = fast;
            source = match switch.message {
                Some(info) if info.is_words_only(MESSAGE_WORDS) => context,
                Some(info) => {
                    if info.handles() > 0 {
                        // SAFETY: as above.
                        let logic = unsafe { &mut (*system).logic };
                        switch.context = logic.finish_moving().unwrap_or(switch.context);
                    }
                    if info.words() < MESSAGE_WORDS {
                        // SAFETY: the lock is held; the thread that made the call is another.
                        switch.context.take_words(unsafe { &*context }, info);
                        switch.context
                    } else {
                        context
                    }
                }
                None => switch.context,
            };
        };
    }
}

/// The same pointer, of which the compiler does not know that it is the same. The stay in user space takes all registers, and it would
/// load the pointer from the stack again for each use on the fast path.
#[expect(
    clippy::pointers_in_nomem_asm_block,
    reason = "there is no instruction that could follow it"
)]
#[inline(always)]
fn in_register<T>(mut pointer: *mut T) -> *mut T {
    // SAFETY: no instruction.
    unsafe { asm!("/* {} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
    pointer
}

/// Takes the lock and deals with what ended a stay in user space or a wait, but for system calls.
///
/// # Safety
/// As for [`run_cpu`], but for the lock: the CPU entered the kernel and does not hold it.
#[inline(never)]
unsafe fn event<'a, L: Logic>(
    system: *mut System<L>,
    this: &'static CpuBlock,
    exit: Exit,
    instruction: u64,
) -> Current<'a> {
    this.entered();
    this.lock();
    // SAFETY: the lock is held; the system lives as long as the kernel.
    let System { hal, logic } = unsafe { &mut *system };
    hal.cpus.this = this;
    let event = hal.event(exit, instruction);
    logic.handle(event, hal)
}
