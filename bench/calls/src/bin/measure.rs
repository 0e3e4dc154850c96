//! Measures and prints one line for each figure to the kernel's log, which goes to the serial port:
//! `bench: NAME min MEDIAN max`, or `bench: NAME failed: WHY`. Runs as `init`, alone but for its partners.
#![no_std]
#![no_main]

use core::arch::global_asm;

use bench_calls::role;
use bench_calls::timed::Timed;
use nonos_abi::{Error, Handle, MessageInfo, PAGE_BYTES, Rights, Syscall, start};
use nonos_rt::log;
use nonos_rt::object::Log;

nonos_rt::entry!(main);

// Where the thread that measures begins: on a stack of its own.
// SAFETY: the thread starts here with a stack of its own, whose top is aligned as `on_first_cpu` expects it.
global_asm!(
    ".pushsection .text.nonos_bench_thread, \"ax\", @progbits",
    ".type nonos_bench_thread, @function",
    "nonos_bench_thread:",
    "endbr64",
    "xor ebp, ebp",
    "call {on_first_cpu}",
    "ud2",
    ".size nonos_bench_thread, . - nonos_bench_thread",
    ".popsection",
    on_first_cpu = sym on_first_cpu,
);

// SAFETY: the assembly above defines it; it is never called.
unsafe extern "C" {
    fn nonos_bench_thread();
}

/// Rounds of cheap figures.
const ROUNDS: usize = 101;
/// Rounds of those that make processes.
const FEW_ROUNDS: usize = 11;
/// Priority of partners that are equals. The manifest of this program has the same.
const EQUAL: u64 = 16;
/// Priority of partners that run at once when they can.
const HIGHER: u64 = 20;
/// Memory quota of a partner, pages.
const QUOTA: u64 = 64;
/// Stack of the thread that measures, pages.
const STACK_PAGES: u64 = 16;
/// Long enough for whatever another CPU has to do.
const SETTLED_NS: u64 = 20_000_000;
/// Handles that one process takes when descendants are spread.
const SPREAD: u64 = 200;

/// Has a thread measure that stays on CPU 0.
fn main() {
    log::set(Log::from_handle(start::LOG));
    if let Err(error) = pinned() {
        log!("bench: no thread: {}", error.text());
        finish();
    }
    let _ = ask(Syscall::ThreadEnd, [handle(Handle::NONE), 0, 0, 0, 0, 0]);
}

fn pinned() -> Result<(), Error> {
    let stack = ask(Syscall::MemoryCreate, [STACK_PAGES, 0, 0, 0, 0, 0])?;
    let access = Rights::READ.or(Rights::WRITE).bits();
    let bottom = ask(Syscall::MemoryMap, [stack, access, 0, 0, 0, 0])?;
    let top = bottom + STACK_PAGES * PAGE_BYTES as u64;
    let entry = nonos_bench_thread as *const () as u64;
    let thread = ask(Syscall::ThreadCreate, [entry, top, 0, HIGHER, 0, 0])?;
    let arguments = [thread, HIGHER, role::FIRST_CPU, 0, 0, 0];
    ask(Syscall::ThreadSchedule, arguments).map(drop)
}

extern "C" fn on_first_cpu() -> ! {
    // The thread that made this one, above all.
    let _ = settle();
    let mut nothing = Timed::new(Syscall::Null, [0; 6]);
    nothing.skip();
    log!("bench: overhead {}", nothing.between());
    match admit() {
        Ok(module) => measure_all(module),
        Err(error) => log!("bench: no partner: {}", error.text()),
    }
    finish()
}

/// Waits until whatever the other CPUs still do is over.
fn settle() -> Result<(), Error> {
    let until_ns = nonos_rt::syscall::clock_ns() + SETTLED_NS;
    ask(Syscall::Sleep, [until_ns, 0, 0, 0, 0, 0]).map(drop)
}

fn finish() -> ! {
    log!("bench: end");
    let _ = ask(Syscall::PowerOff, [handle(start::POWER), 0, 0, 0, 0, 0]);
    nonos_rt::syscall::exit(0)
}

fn measure_all(module: u64) {
    let null = print("null", null());
    print("handle-info", handle_info());
    print("look-up", look_up());
    print("call-reply", call_reply(module, 0));
    print("call-reply-4-handles", call_reply(module, 4));
    print("notify", notify(module));
    print("map-unmap", map_unmap());
    print("process-create", process_create(module));
    let round_trip = print("yield-round-trip", yield_round_trip(module));
    if let (Some(round_trip), Some(null)) = (round_trip, null) {
        log!("bench: switch {}", (round_trip / 2).saturating_sub(null));
    }
    print("revoke-250", revoke(module, 250));
    print("revoke-500", revoke(module, 500));
    print("revoke-1000", revoke(module, 1000));
}

/// Figures of several rounds.
struct Samples<const N: usize>([u64; N]);

impl<const N: usize> Samples<N> {
    /// The results of as many rounds; one more, before them, warms up.
    fn take(mut round: impl FnMut() -> Result<u64, Error>) -> Result<Self, Error> {
        round()?;
        let mut samples = [0; N];
        for sample in &mut samples {
            *sample = round()?;
        }
        samples.sort_unstable();
        Ok(Self(samples))
    }
}

/// Prints a figure; returns the smallest of its samples.
fn print<const N: usize>(name: &str, samples: Result<Samples<N>, Error>) -> Option<u64> {
    match samples {
        Ok(Samples(sorted)) => {
            let (least, median, most) = (sorted[0], sorted[N / 2], sorted[N - 1]);
            log!("bench: {name} {least} {median} {most}");
            Some(least)
        }
        Err(error) => {
            log!("bench: {name} failed: {}", error.text());
            None
        }
    }
}

fn null() -> Result<Samples<ROUNDS>, Error> {
    Samples::take(|| instructions(Timed::new(Syscall::Null, [0; 6])))
}

fn handle_info() -> Result<Samples<ROUNDS>, Error> {
    let arguments = [handle(start::SELF), 0, 0, 0, 0, 0];
    Samples::take(|| instructions(Timed::new(Syscall::HandleInfo, arguments)))
}

/// Two calls that look up two handles and are denied, one at the first, one at the second: the second looked up one
/// handle more, with all checks.
fn look_up() -> Result<Samples<ROUNDS>, Error> {
    let denied = |first| {
        let mut call = Timed::new(Syscall::ProcessWatch, [first, 0, 1, 0, 0, 0]);
        // SAFETY: the call touches no memory.
        match unsafe { call.make() } {
            Err(Error::NoHandle) => Ok(call.instructions()),
            Err(error) => Err(error),
            Ok(()) => Err(Error::InvalidArgument),
        }
    };
    Samples::take(|| Ok(denied(handle(start::SELF))?.saturating_sub(denied(0)?)))
}

fn call_reply(module: u64, handles: usize) -> Result<Samples<ROUNDS>, Error> {
    let info = MessageInfo::new(0, 8, handles).moving(if handles == 0 { 0 } else { 0xF });
    let endpoint = ask(Syscall::EndpointCreate, [0; 6])?;
    let server = Partner::start(
        module,
        [role::SERVE, info.0],
        EQUAL,
        &[(endpoint, Rights::READ)],
    )?;
    let mut moved = [Handle::NONE; 4];
    for handle in moved.iter_mut().take(handles) {
        *handle = Handle::from_raw(ask(Syscall::NotificationCreate, [0; 6])? as u32);
    }
    let samples = Samples::take(|| {
        let mut call = Timed::message(Syscall::Call, endpoint, info, moved);
        let sent = call.words;
        // SAFETY: IPC without leases touches no memory.
        unsafe { call.make()? };
        moved = call.handles();
        let arrived = call.info();
        if call.words != sent || arrived.words() != 8 || arrived.handles() != handles {
            return Err(Error::InvalidArgument);
        }
        Ok(call.instructions())
    });
    server.end()?;
    for handle in moved.into_iter().take(handles) {
        close(handle.raw().into())?;
    }
    close(endpoint)?;
    samples
}

fn notify(module: u64) -> Result<Samples<ROUNDS>, Error> {
    let notification = ask(Syscall::NotificationCreate, [0; 6])?;
    let endpoint = ask(Syscall::EndpointCreate, [0; 6])?;
    let waiter = Partner::start(
        module,
        [role::WAIT | role::PINNED, 0],
        HIGHER,
        &[(notification, Rights::READ), (endpoint, Rights::WRITE)],
    )?;
    let samples = Samples::take(|| {
        let mut signal = Timed::new(Syscall::NotificationSignal, [notification, 1, 0, 0, 0, 0]);
        // SAFETY: the call touches no memory.
        unsafe { signal.make()? };
        Ok(signal.until(report(endpoint)?))
    });
    waiter.end()?;
    close(endpoint)?;
    close(notification)?;
    samples
}

/// Answers the one call that waits at an endpoint; returns its first word.
fn report(endpoint: u64) -> Result<u64, Error> {
    let none = [Handle::NONE; 4];
    let mut receive = Timed::message(Syscall::Receive, endpoint, MessageInfo(0), none);
    // SAFETY: IPC without leases touches no memory.
    unsafe { receive.make()? };
    let to = u64::from(receive.info().reply().raw());
    let mut reply = Timed::message(Syscall::Reply, to, MessageInfo(0), none);
    // SAFETY: as above.
    unsafe { reply.make()? };
    Ok(receive.words[0])
}

fn map_unmap() -> Result<Samples<ROUNDS>, Error> {
    let memory = ask(Syscall::MemoryCreate, [1, 0, 0, 0, 0, 0])?;
    let access = Rights::READ.or(Rights::WRITE).bits();
    let samples = Samples::take(|| {
        let mut map = Timed::new(Syscall::MemoryMap, [memory, access, 0, 0, 0, 0]);
        // SAFETY: the kernel maps where nothing is mapped.
        unsafe { map.make()? };
        let mut unmap = Timed::new(Syscall::MemoryUnmap, [map.first(), 0, 0, 0, 0, 0]);
        // SAFETY: nothing refers to the mapping.
        unsafe { unmap.make()? };
        Ok(map.instructions() + unmap.instructions())
    });
    close(memory)?;
    samples
}

fn process_create(module: u64) -> Result<Samples<FEW_ROUNDS>, Error> {
    let endpoint = ask(Syscall::EndpointCreate, [0; 6])?;
    let samples = Samples::take(|| {
        let mut create = Timed::new(Syscall::ProcessCreate, [module, HIGHER, QUOTA, 0, 0, 0]);
        // SAFETY: the call touches no memory of this process.
        unsafe { create.make()? };
        let child = Partner(create.first());
        grant(child.0, endpoint, Rights::WRITE)?;
        child.run([role::REPORT, 0])?;
        let first_instruction = report(endpoint)?;
        child.end()?;
        Ok(create.until(first_instruction))
    });
    close(endpoint)?;
    samples
}

fn yield_round_trip(module: u64) -> Result<Samples<ROUNDS>, Error> {
    let other = Partner::start(module, [role::YIELD | role::PINNED, 0], EQUAL, &[])?;
    // Another CPU starts it, and it is not seen when its thread is here.
    settle()?;
    let samples = Samples::take(|| instructions(Timed::new(Syscall::Yield, [0; 6])));
    other.end()?;
    samples
}

/// Revokes what was derived from a handle: so many copies in several processes, which never run.
fn revoke(module: u64, descendants: u64) -> Result<Samples<3>, Error> {
    Samples::take(|| {
        let notification = ask(Syscall::NotificationCreate, [0; 6])?;
        let mut holders = [0; 8];
        for (index, holder) in holders.iter_mut().enumerate() {
            let before = index as u64 * SPREAD;
            if before >= descendants {
                break;
            }
            *holder = Partner::create(module, EQUAL)?.0;
            for _ in before..descendants.min(before + SPREAD) {
                grant(*holder, notification, Rights::READ)?;
            }
        }
        let mut revoke = Timed::new(Syscall::HandleRevoke, [notification, 0, 0, 0, 0, 0]);
        // SAFETY: no mapping was derived from the handle.
        let result = unsafe { revoke.make() };
        for holder in holders.into_iter().filter(|&holder| holder != 0) {
            Partner(holder).end()?;
        }
        close(notification)?;
        result.map(|()| revoke.instructions())
    })
}

/// Another process; ended by hand, so that an error of that is seen.
struct Partner(u64);

impl Partner {
    fn create(module: u64, priority: u64) -> Result<Self, Error> {
        ask(Syscall::ProcessCreate, [module, priority, QUOTA, 0, 0, 0]).map(Self)
    }

    fn start(
        module: u64,
        arguments: [u64; 2],
        priority: u64,
        grants: &[(u64, Rights)],
    ) -> Result<Self, Error> {
        let partner = Self::create(module, priority)?;
        for &(handle, rights) in grants {
            grant(partner.0, handle, rights)?;
        }
        partner.run(arguments)?;
        Ok(partner)
    }

    fn run(&self, [first, second]: [u64; 2]) -> Result<(), Error> {
        ask(Syscall::ProcessStart, [self.0, first, second, 0, 0, 0]).map(drop)
    }

    fn end(self) -> Result<(), Error> {
        ask(Syscall::ProcessKill, [self.0, 0, 0, 0, 0, 0])?;
        close(self.0)
    }
}

fn admit() -> Result<u64, Error> {
    let name = "bench-partner";
    let arguments = [
        handle(start::ARCHIVE),
        name.as_ptr() as u64,
        name.len() as u64,
        0,
        0,
        0,
    ];
    ask(Syscall::ModuleAdmit, arguments)
}

fn grant(process: u64, handle: u64, rights: Rights) -> Result<(), Error> {
    ask(
        Syscall::ProcessGrant,
        [process, handle, rights.bits(), 0, 0, 0],
    )
    .map(drop)
}

fn close(handle: u64) -> Result<(), Error> {
    ask(Syscall::HandleClose, [handle, 0, 0, 0, 0, 0]).map(drop)
}

fn instructions(mut call: Timed) -> Result<u64, Error> {
    // SAFETY: called with system calls that touch no memory.
    unsafe { call.make()? };
    Ok(call.instructions())
}

/// Makes a system call that is not timed.
fn ask(call: Syscall, arguments: [u64; 6]) -> Result<u64, Error> {
    let mut call = Timed::new(call, arguments);
    // SAFETY: called with system calls that read memory at most.
    unsafe { call.make()? };
    Ok(call.first())
}

fn handle(handle: Handle) -> u64 {
    handle.raw().into()
}
