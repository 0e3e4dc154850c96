//! A process that the referee has run: it does what its role says, with what it was given and nothing else.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use adversaries::calls::{self, MS, NEVER, READ, clock, peek};
use adversaries::roles::{NEW, OLD, OTHER, Role, SHARED, Shared, THING, Word};
use adversaries::threads::{self, Job};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights, Syscall};
use nonos_rt::syscall;

// Its own entry, which keeps the two words that it is started with.
// SAFETY: the process starts here with a stack, and `main` finds it aligned as functions expect it.
global_asm!(
    ".pushsection .text._start, \"ax\", @progbits",
    ".global _start",
    "_start:",
    "endbr64",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    ".popsection",
    main = sym main,
);

/// Exit code of a partner that could not play its role.
const UNFIT: u64 = 3;

/// Where the shared page is mapped.
static PAGE: AtomicU64 = AtomicU64::new(0);
/// The second word it was started with.
static PARAMETER: AtomicU64 = AtomicU64::new(0);

extern "C" fn main(role: u64, parameter: u64) -> ! {
    PARAMETER.store(parameter, SeqCst);
    let role = Role::from_raw(role).unwrap_or(Role::Idle);
    if role == Role::Idle {
        syscall::exit(0);
    }
    let Ok(shared) = Shared::map(SHARED) else {
        syscall::exit(UNFIT)
    };
    PAGE.store(shared.address(), SeqCst);
    match play(role, parameter, shared) {
        Ok(()) => syscall::exit(0),
        Err(error) => {
            shared.keep::<()>(Word::Second, Err(error));
            syscall::exit(UNFIT)
        }
    }
}

/// The page, for a thread.
fn shared() -> Shared {
    Shared::at_address(PAGE.load(SeqCst))
}

fn play(role: Role, parameter: u64, shared: Shared) -> calls::Result<()> {
    match role {
        Role::Idle => {}
        Role::Signal => on_all_cpus(shared, signal_until_denied)?,
        Role::Read => {
            PARAMETER.store(calls::map(THING, READ)?, SeqCst);
            on_all_cpus(shared, read_for_ever)?;
        }
        Role::Spin => on_all_cpus(shared, spin)?,
        Role::Yield => on_all_cpus(shared, yield_for_ever)?,
        Role::Sleep => on_all_cpus(shared, nap_for_ever)?,
        Role::Threads => {
            for cpu in 0..threads::cpus() {
                threads::start(cpu, Job::Run(spin, cpu as u64))?.pin(cpu)?;
            }
            shared.set(Word::Ready, 1);
            loop {
                for slot in 8..12 {
                    let _ = threads::start(slot, Job::Run(spin, slot as u64)).and_then(|thread| {
                        calls::sleep(1);
                        thread.end()
                    });
                }
            }
        }
        Role::Parent => {
            shared.keep(Word::First, child_without_limit());
            on_all_cpus(shared, spin)?;
        }
        Role::Wait => {
            shared.set(Word::Ready, 1);
            shared.keep(Word::First, calls::wait(THING));
        }
        Role::Call => {
            shared.set(Word::Ready, 1);
            shared.keep(Word::First, calls::call(THING, &Message::default()));
        }
        Role::Foreign => {
            let handle = Handle::from_raw(parameter as u32);
            shared.keep(Word::First, calls::signal(handle, 1));
            shared.keep(Word::Second, calls::info(handle));
            shared.set(Word::Ready, 1);
        }
        Role::PassOn => {
            shared.keep(Word::First, calls::copy(THING, Rights::ALL, NEVER));
            let mut message = Message {
                info: MessageInfo::new(1, 0, 1),
                ..Message::default()
            };
            message.handles[0] = THING;
            shared.keep(Word::Second, calls::call(OTHER, &message));
            shared.set(Word::Ready, 1);
        }
        Role::Flood => loop {
            shared.set(Word::Ready, 1);
            let _ = calls::call(THING, &Message::default());
            shared.count(0);
        },
        Role::Outlive => {
            let address = calls::map(THING, READ)?;
            shared.set(Word::Ready, 1);
            while shared.get(Word::Breaches) < 1000 {
                // A timer may come a little late, but not that much.
                let late = clock() > parameter + 20 * MS;
                peek(address);
                shared.add(Word::Breaches, late.into());
                shared.count(0);
            }
        }
        Role::Clocks => {
            let past = (0..100).map(|_| clock() % MS).max();
            shared.set(Word::First, past.unwrap_or(0));
            shared.set(Word::Ready, 1);
            // SAFETY: reads a counter, or ends this process.
            shared.set(Word::Second, unsafe { core::arch::x86_64::_rdtsc() });
        }
    }
    Ok(())
}

/// Runs a function in a thread on each CPU, with its number, and waits for ever.
fn on_all_cpus(shared: Shared, body: fn(u64)) -> calls::Result<()> {
    let cpus = threads::cpus();
    shared.set(Word::Cpus, cpus as u64);
    let mut all = [None; threads::CPUS_MAX];
    for (cpu, thread) in all.iter_mut().enumerate().take(cpus) {
        let started = threads::start(cpu, Job::Run(body, cpu as u64))?;
        started.pin(cpu)?;
        *thread = Some(started);
    }
    shared.set(Word::Ready, 1);
    while all
        .iter()
        .flatten()
        .any(|thread| thread.outcome().is_none())
    {
        calls::sleep(MS);
    }
    Ok(())
}

fn signal_until_denied(cpu: u64) {
    let shared = shared();
    loop {
        // Read before: when it is set, the revoke returned before this use began.
        let late = shared.get(Word::Flag) != 0;
        match calls::signal(THING, 1) {
            Ok(()) if late => {
                shared.add(Word::Breaches, 1);
                return;
            }
            Ok(()) => shared.count(cpu as usize),
            result if late => return shared.keep(Word::First, result),
            // Denied a moment before the referee knows it: for the same reason.
            Err(Error::Revoked) => calls::yield_now(),
            result => return shared.keep(Word::First, result),
        }
    }
}

fn read_for_ever(cpu: u64) {
    let shared = shared();
    let address = PARAMETER.load(SeqCst);
    loop {
        let late = shared.get(Word::Flag) != 0;
        let value = peek(address);
        if late || value != OLD {
            shared.add(Word::Breaches, if value == NEW { 1 << 32 } else { 1 });
        }
        shared.count(cpu as usize);
    }
}

fn spin(thread: u64) {
    let shared = shared();
    loop {
        shared.count(thread as usize);
    }
}

fn yield_for_ever(thread: u64) {
    let shared = shared();
    loop {
        shared.count(thread as usize);
        calls::yield_now();
    }
}

fn nap_for_ever(thread: u64) {
    let shared = shared();
    let mut woken = clock();
    loop {
        shared.count(thread as usize);
        // Just before its slice could be over, so that no tick ever finds it running.
        if clock() > woken + MS / 2 {
            calls::sleep(1);
            woken = clock();
        }
    }
}

/// Has a module run that spins, with no limit on its CPU time, and hands it to the referee, to be ended.
fn child_without_limit() -> calls::Result<()> {
    let (child, _) = calls::make(Syscall::ProcessCreate, [calls::word(THING), 8, 256, 0, 0])?;
    let shared = [child, calls::word(SHARED), Rights::ALL.bits(), NEVER];
    calls::make(Syscall::ProcessGrant, shared)?;
    calls::make(Syscall::ProcessStart, [child, Role::Spin as u64, 0])?;
    let mut message = Message {
        info: MessageInfo::new(1, 0, 1),
        ..Message::default()
    };
    message.handles[0] = Handle::from_raw(child as u32);
    calls::call(OTHER, &message).map(drop)
}
