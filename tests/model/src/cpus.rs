//! What two CPUs do to each other: entering and leaving the kernel, stop, shootdown, kick, halt.
//!
//! The kernel has one lock. A CPU that leaves user space stores the registers, clears its flag "in user space" and then
//! waits for the lock, with interrupts off. Whoever holds the lock and needs another CPU out of user space sends it an
//! interrupt and waits for that flag: those waited for need nothing, so nobody waits in a circle. A CPU sets its flag, after it
//! has reloaded its translations if it was told to, before it gives the lock back. An idle CPU says so under the lock, and takes
//! no interrupt between there and its halt: one that comes in between ends the halt at once.
//!
//! `loom` runs every order of the steps, and every value that a load may see. It reports waiting without end, so it finds
//! circles of waiting and wake-ups that are lost.

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

/// What is wrong with the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// The flag "in user space" is cleared when the CPU has the lock, not before it waits for it.
    FlagClearedLate,
    /// The flag is cleared before the registers are stored.
    FlagClearedEarly,
    /// The flag is set when the lock was given back.
    FlagSetLate,
    /// A CPU on its way to user space does not reload its translations.
    NoReload,
    /// A shootdown does not wait for the other CPU.
    NoWait,
    /// A CPU says that it is idle when it has given the lock back.
    IdleSaidLate,
    /// Interrupts are on between the look at the queue and the halt.
    InterruptBeforeHalt,
}

/// The interrupt line of a CPU: what comes in while interrupts are off is there when they are on again.
#[derive(Default)]
struct Line(AtomicBool);

impl Line {
    fn send(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Takes an interrupt if one is there.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    /// Waits for an interrupt: `sti; hlt`, which no interrupt comes between.
    fn halt(&self) {
        while !self.0.load(Ordering::Acquire) {
            thread::yield_now();
        }
        self.take();
    }
}

#[derive(Default)]
struct Cpu {
    in_user: AtomicBool,
    reload: AtomicBool,
    /// Registers of the thread that ran here, as they were stored.
    stored: AtomicUsize,
    /// Under the lock.
    idle: AtomicBool,
    /// Threads that are ready here. Under the lock.
    ready: AtomicUsize,
    line: Line,
}

/// Two CPUs, the lock, and an address space with a page for each CPU.
struct Machine {
    fault: Fault,
    lock: Mutex<()>,
    cpus: [Cpu; 2],
    mapped: [AtomicBool; 2],
    /// The frames of the pages belong to somebody else by now.
    given_away: [AtomicBool; 2],
}

impl Machine {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            lock: Mutex::default(),
            cpus: Default::default(),
            mapped: [AtomicBool::new(true), AtomicBool::new(true)],
            given_away: Default::default(),
        })
    }

    /// Under the lock: has a CPU leave user space; it waits for the lock then.
    fn stop(&self, cpu: usize) {
        let other = &self.cpus[cpu];
        if !other.in_user.load(Ordering::Acquire) {
            return;
        }
        other.line.send();
        while other.in_user.load(Ordering::Acquire) && self.fault != Fault::NoWait {
            thread::yield_now();
        }
    }

    /// Under the lock: has the other CPU forget what was unmapped.
    fn shootdown(&self, cpu: usize) {
        self.cpus[cpu].reload.store(true, Ordering::Relaxed);
        self.stop(cpu);
    }

    /// Under the lock: unmaps a page, and gives its frame to somebody else.
    fn unmap(&self, page: usize, other: usize) {
        self.mapped[page].store(false, Ordering::Relaxed);
        self.shootdown(other);
        self.given_away[page].store(true, Ordering::Relaxed);
    }
}

/// What a CPU has for itself.
struct Running {
    machine: Arc<Machine>,
    cpu: usize,
    /// Which pages it remembers as mapped.
    translations: [bool; 2],
    registers: usize,
}

impl Running {
    fn new(machine: &Arc<Machine>, cpu: usize) -> Self {
        let machine = Arc::clone(machine);
        machine.cpus[cpu].in_user.store(true, Ordering::Release);
        Self {
            machine,
            cpu,
            translations: [true; 2],
            registers: 0,
        }
    }

    fn own(&self) -> &Cpu {
        &self.machine.cpus[self.cpu]
    }

    /// User code: changes registers and reads a page; an interrupt comes between two of its steps.
    fn user_step(&mut self, page: usize) {
        if self.own().line.take() {
            self.kernel(|_| ());
        }
        self.registers += 1;
        if self.translations[page] {
            let lost = self.machine.given_away[page].load(Ordering::Relaxed);
            assert!(!lost, "user code reads a frame through a stale translation");
        } else {
            self.translations[page] = self.machine.mapped[page].load(Ordering::Relaxed);
        }
    }

    /// Leaves user space, does something under the lock, goes back.
    fn kernel(&mut self, act: impl FnOnce(&Machine)) {
        let fault = self.machine.fault;
        let machine = Arc::clone(&self.machine);
        let own = &machine.cpus[self.cpu];
        if fault == Fault::FlagClearedEarly {
            own.in_user.store(false, Ordering::Release);
        }
        own.stored.store(self.registers, Ordering::Relaxed);
        if fault != Fault::FlagClearedLate {
            own.in_user.store(false, Ordering::Release);
        }
        let lock = machine.lock.lock().unwrap();
        own.in_user.store(false, Ordering::Release);
        act(&machine);
        if own.reload.swap(false, Ordering::Relaxed) && fault != Fault::NoReload {
            self.translations = [false; 2];
        }
        if fault == Fault::FlagSetLate {
            drop(lock);
            own.in_user.store(true, Ordering::Release);
        } else {
            own.in_user.store(true, Ordering::Release);
            drop(lock);
        }
    }

    /// The thread ends: the CPU does not come back to user space.
    fn end(mut self) {
        let machine = Arc::clone(&self.machine);
        let cpu = self.cpu;
        self.kernel(|_| ());
        machine.cpus[cpu].in_user.store(false, Ordering::Release);
    }
}

/// One CPU unmaps a page that user code on the other reads, before and after a system call of its own.
fn one_shootdown(fault: Fault) {
    loom::model(move || {
        let machine = Machine::new(fault);
        let mut other = Running::new(&machine, 1);
        let user = thread::spawn(move || {
            other.user_step(0);
            other.kernel(|_| ());
            other.user_step(0);
            other.end();
        });
        let lock = machine.lock.lock().unwrap();
        machine.unmap(0, 1);
        drop(lock);
        user.join().unwrap();
    });
}

/// How often a CPU is held up between any two of its steps while both shoot down each other; without a bound it takes too long.
const PREEMPTIONS: usize = 3;

/// Both CPUs unmap a page that the other reads.
fn two_shootdowns(fault: Fault) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let machine = Machine::new(fault);
        let running = |cpu| {
            let mut running = Running::new(&machine, cpu);
            move || {
                running.kernel(|machine| machine.unmap(cpu, 1 - cpu));
                running.user_step(1 - cpu);
                running.end();
            }
        };
        let (first, second) = (running(0), running(1));
        let second = thread::spawn(second);
        first();
        second.join().unwrap();
    });
}

/// One CPU stops the other and looks at the registers of the thread that ran there.
fn one_stop(fault: Fault) {
    loom::model(move || {
        let machine = Machine::new(fault);
        let mut other = Running::new(&machine, 1);
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&steps);
        let user = thread::spawn(move || {
            for _ in 0..2 {
                other.user_step(0);
                counted.fetch_add(1, Ordering::Relaxed);
            }
            other.end();
        });
        let lock = machine.lock.lock().unwrap();
        machine.stop(1);
        let (stored, done) = (
            machine.cpus[1].stored.load(Ordering::Relaxed),
            steps.load(Ordering::Relaxed),
        );
        assert!(
            stored >= done,
            "the registers are those of {stored} steps after {done}"
        );
        drop(lock);
        user.join().unwrap();
    });
}

/// One CPU has nothing to do and halts; the other makes a thread ready there.
fn one_wake_up(fault: Fault) {
    loom::model(move || {
        let machine = Machine::new(fault);
        let sleeper = Arc::clone(&machine);
        let idle = thread::spawn(move || {
            let own = &sleeper.cpus[1];
            loop {
                let lock = sleeper.lock.lock().unwrap();
                own.idle.store(false, Ordering::Relaxed);
                if own.ready.load(Ordering::Relaxed) > 0 {
                    break;
                }
                if fault != Fault::IdleSaidLate {
                    own.idle.store(true, Ordering::Relaxed);
                }
                drop(lock);
                if fault == Fault::IdleSaidLate {
                    own.idle.store(true, Ordering::Relaxed);
                }
                if fault == Fault::InterruptBeforeHalt {
                    own.line.take();
                }
                own.line.halt();
            }
        });
        let lock = machine.lock.lock().unwrap();
        let other = &machine.cpus[1];
        other.ready.store(1, Ordering::Relaxed);
        if other.idle.load(Ordering::Relaxed) {
            other.line.send();
        }
        drop(lock);
        idle.join().unwrap();
    });
}

#[test]
fn no_user_code_reads_through_a_stale_translation_after_a_shootdown() {
    one_shootdown(Fault::None);
}

#[test]
fn two_cpus_that_shoot_down_each_other_do_not_deadlock() {
    two_shootdowns(Fault::None);
}

#[test]
fn a_stopped_cpu_has_stored_its_registers() {
    one_stop(Fault::None);
}

#[test]
fn no_wake_up_of_a_halting_cpu_is_lost() {
    one_wake_up(Fault::None);
}

#[test]
#[should_panic = "stale translation"]
fn a_missing_reload_is_found() {
    one_shootdown(Fault::NoReload);
}

#[test]
#[should_panic = "stale translation"]
fn a_shootdown_that_does_not_wait_is_found() {
    one_shootdown(Fault::NoWait);
}

#[test]
#[should_panic = "stale translation"]
fn a_flag_set_after_the_lock_was_given_back_is_found() {
    one_shootdown(Fault::FlagSetLate);
}

#[test]
#[should_panic]
fn a_flag_cleared_after_the_lock_was_taken_is_found() {
    two_shootdowns(Fault::FlagClearedLate);
}

#[test]
#[should_panic = "the registers are those of"]
fn a_flag_cleared_before_the_registers_are_stored_is_found() {
    one_stop(Fault::FlagClearedEarly);
}

#[test]
#[should_panic = "exceeded maximum number of branches"]
fn a_halt_after_a_check_with_interrupts_on_is_found() {
    one_wake_up(Fault::InterruptBeforeHalt);
}

#[test]
#[should_panic = "exceeded maximum number of branches"]
fn an_idle_flag_set_without_the_lock_is_found() {
    one_wake_up(Fault::IdleSaidLate);
}
