//! Makes a million system calls with random arguments, from threads on all CPUs at once.
//!
//! Every call may come, also those that block and those that end a thread: the main thread watches, ends what
//! makes no progress and starts another with the next seed. Left out is only what would end the process by its own wish,
//! what would power it off if that were allowed, and closing the handles that it reports through.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use adversaries::calls::{self, Buffer, MS, clock};
use adversaries::threads::{self, Job, Thread};
use adversaries::{KERNEL_ADDRESS, console, say, succeeded};
use nonos_abi::message::{LEASE_READ, LEASE_WRITE};
use nonos_abi::{Handle, Message, MessageInfo, Rights, Syscall, USER_END, start};
use nonos_rt::syscall;

nonos_rt::entry!(main);

const CALLS: u64 = 1_000_000;
/// One more than the last system call.
const NUMBERS: u64 = Syscall::ThreadEnd as u64 + 1;
/// Slots below hold what the program needs to report and to watch.
const KEPT_SLOTS: u64 = 12;
/// A thread that made no call for so long is blocked.
const STUCK_NS: u64 = 40 * MS;
/// Most handles that a call may block through live this long; through the others it blocks until it is ended.
const BRIEF_NS: u64 = 200_000;
/// The whole takes much less.
const LIMIT_NS: u64 = 280_000 * MS;

/// What pointers may name: the kernel reads and writes it.
static BUFFER: Buffer<12288> = Buffer::new();
/// Addresses from the start of it on that are used, bytes: the kernel may write 64 KiB behind each.
const USED_BYTES: u64 = 16 * 1024;
static MADE: [AtomicU64; threads::MOST] = [const { AtomicU64::new(0) }; threads::MOST];
/// Handles of the threads.
static KEPT: [AtomicU32; threads::MOST] = [const { AtomicU32::new(0) }; threads::MOST];
static ALLOWED: AtomicU64 = AtomicU64::new(0);

// Where a thread of a random call starts, whatever its stack is: it ends at once.
// SAFETY: needs no stack, touches no memory, does not return.
core::arch::global_asm!(
    ".pushsection .text.nonos_adv_end, \"ax\", @progbits",
    ".global nonos_adv_end",
    "nonos_adv_end:",
    "endbr64",
    "2: mov eax, {end}",
    "xor edi, edi",
    "syscall",
    "jmp 2b",
    ".popsection",
    end = const Syscall::ThreadEnd as u64,
);

// SAFETY: the assembly above defines it; it is never called.
unsafe extern "C" {
    fn nonos_adv_end();
}

/// xorshift64* (Vigna 2016).
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.draw() >> 16) % limit
    }
}

fn main() -> u64 {
    let mut terminal = console();
    let cpus = threads::cpus();
    let count = cpus + 1;
    let first_seed = 0x004E_4F4E_4F53 + (cpus as u64) * 1_000_000;
    say(
        &mut terminal,
        format_args!(
            "trying: {CALLS} random calls, {count} threads on {cpus} CPUs, seeds from {first_seed:#x}"
        ),
    );
    let mut seed = first_seed;
    let mut workers: [Worker; 9] = core::array::from_fn(|_| Worker::default());
    let workers = &mut workers[..count];
    let mut next_slot = 0;
    let end = clock() + LIMIT_NS;
    while made() < CALLS {
        for (number, worker) in workers.iter_mut().enumerate() {
            if !worker.is_stuck() {
                continue;
            }
            // It is blocked, or a random call has ended it.
            match worker.thread.take().map(|thread| thread.end()) {
                None | Some(Ok(())) => {}
                // Its handle is gone: it may still run, so its slot stays its own.
                Some(Err(_)) => worker.slot = None,
            }
            let slot = worker.slot.unwrap_or_else(|| {
                next_slot += 1;
                next_slot - 1
            });
            if slot == threads::MOST {
                say(
                    &mut terminal,
                    format_args!("BROKEN: no slot is left, seed {seed:#x}"),
                );
                return adversaries::SUCCEEDED;
            }
            worker.slot = Some(slot);
            seed += 1;
            worker.thread = start(slot, number % cpus, seed);
            if worker.thread.is_none() {
                // The calls have used up everything.
                free_some(seed);
            }
        }
        if clock() > end {
            let made = made();
            let what = format_args!("stuck after {made} calls, seed {seed:#x}");
            return succeeded(&mut terminal, what);
        }
        calls::sleep(MS);
    }
    for thread in workers.iter_mut().filter_map(|worker| worker.thread.take()) {
        let _ = thread.end();
    }
    let (made, allowed) = (made(), ALLOWED.load(Relaxed));
    say(
        &mut terminal,
        format_args!("survived: {made} calls, {allowed} allowed, seeds up to {seed:#x}"),
    );
    0
}

/// A thread that makes calls, and when it was last seen to.
#[derive(Default)]
struct Worker {
    slot: Option<usize>,
    thread: Option<Thread>,
    made: u64,
    seen_ns: u64,
}

impl Worker {
    /// Whether it made no call for a while, or is not there.
    fn is_stuck(&mut self) -> bool {
        let now = clock();
        let made = self.slot.map_or(0, |slot| MADE[slot].load(Relaxed));
        if self.thread.is_some() && made != self.made {
            (self.made, self.seen_ns) = (made, now);
        }
        let stuck = self.thread.is_none() || now > self.seen_ns + STUCK_NS;
        if stuck {
            (self.made, self.seen_ns) = (made, now);
        }
        stuck
    }
}

/// Starts a thread on a CPU, with a handle that no call can move, copy or revoke through, and that none closes.
fn start(slot: usize, cpu: usize, seed: u64) -> Option<Thread> {
    let job = Job::Run(fuzz, slot as u64 | seed << 8);
    let mut thread = threads::start(slot, job).ok()?;
    let _ = thread.pin(cpu);
    let rights = Rights::WRITE.or(Rights::EXECUTE);
    if let Ok(kept) = calls::copy(thread.handle, rights, calls::NEVER) {
        let _ = calls::close(core::mem::replace(&mut thread.handle, kept));
    }
    KEPT[slot].store(thread.handle.raw(), Relaxed);
    Some(thread)
}

/// Whether a random call may close a handle.
fn may_close(handle: Handle) -> bool {
    let kept = |kept: &AtomicU32| kept.load(Relaxed) == handle.raw();
    u64::from(handle.index()) >= KEPT_SLOTS && !KEPT.iter().any(kept)
}

fn made() -> u64 {
    MADE.iter().map(|made| made.load(Relaxed)).sum()
}

/// Closes handles at random.
fn free_some(seed: u64) {
    let mut random = Random(seed | 1);
    for slot in KEPT_SLOTS..4096 {
        if random.below(2) == 0 {
            for generation in 0..64 {
                let handle = Handle::new(slot as u16, generation);
                if may_close(handle) && calls::close(handle).is_ok() {
                    break;
                }
            }
        }
    }
}

fn fuzz(argument: u64) {
    let slot = (argument & 0xFF) as usize;
    let mut random = Random(argument >> 8 | 1 << 63);
    // Handles that this thread was given, so that calls get further than the first check.
    let mut own = [Handle::NONE; 32];
    let mut next = 0;
    while made() < CALLS {
        if let Some(handle) = one(&mut random, &own, slot) {
            own[next % own.len()] = handle;
            next += 1;
        }
    }
}

/// Makes a call; the handle that it gave.
fn one(random: &mut Random, own: &[Handle; 32], slot: usize) -> Option<Handle> {
    let number = match random.below(64) {
        0 => random.draw(),
        1..8 => Syscall::HandleCopy as u64,
        8..12 => Syscall::HandleClose as u64,
        12..14 => Syscall::HandleRevoke as u64,
        14..18 => Syscall::NotificationCreate as u64 + random.below(6),
        18..22 => Syscall::EndpointCreate as u64 + random.below(8),
        _ => random.below(NUMBERS + 4),
    };
    let mut arguments: [u64; 6] = core::array::from_fn(|_| argument(random, own));
    let handle = Handle::from_raw(arguments[0] as u32);
    let mut temporary = None;
    match Syscall::from_raw(number) {
        Some(Syscall::Exit | Syscall::PowerOff) => return None,
        Some(Syscall::ProcessKill) if arguments[0] as u32 == start::SELF.raw() => return None,
        Some(Syscall::HandleClose) if !may_close(handle) => return None,
        Some(Syscall::Sleep) => arguments[0] = clock() + random.below(20_000),
        Some(Syscall::MemoryCreate) => arguments[0] &= 7,
        // Times of the near future, half of the times.
        Some(Syscall::HandleCopy) if random.below(2) == 0 => {
            arguments[2] = clock() + random.below(1_000_000);
        }
        Some(Syscall::TimerSet) if random.below(2) == 0 => {
            arguments[3] = clock() + random.below(1_000_000);
        }
        // Where a thread starts at random it faults, and the process with it.
        Some(Syscall::ThreadCreate) => arguments[0] = nonos_adv_end as *const () as u64,
        Some(Syscall::NotificationWait) => {
            temporary = brief(random, arguments[0]);
            arguments[0] = temporary.map_or(arguments[0], calls::word);
        }
        // What arrives changes more registers than other calls do.
        Some(Syscall::Receive | Syscall::Call | Syscall::Reply | Syscall::ReplyReceive) => {
            MADE[slot].fetch_add(1, Relaxed);
            message(random, own, number);
            return None;
        }
        _ => {}
    }
    MADE[slot].fetch_add(1, Relaxed);
    // SAFETY: pointers among the arguments name BUFFER, this program's code (which the kernel must not write) or
    // nothing that is mapped here; nothing refers to memory that the calls map and unmap.
    let (error, first, _) = unsafe { syscall::raw(number, arguments) };
    if let Some(temporary) = temporary {
        let _ = calls::close(temporary);
    }
    if error != 0 {
        return None;
    }
    ALLOWED.fetch_add(1, Relaxed);
    let gives = matches!(
        Syscall::from_raw(number),
        Some(
            Syscall::HandleCopy
                | Syscall::MemoryCreate
                | Syscall::EndpointCreate
                | Syscall::EndpointBadge
                | Syscall::NotificationCreate
                | Syscall::TimerCreate
                | Syscall::ThreadCreate
        )
    );
    gives.then(|| Handle::from_raw(first as u32))
}

/// A copy of a handle that expires soon, mostly.
fn brief(random: &mut Random, handle: u64) -> Option<Handle> {
    let deadline = clock() + random.below(BRIEF_NS);
    let wanted = random.below(8) > 0;
    wanted
        .then(|| calls::copy(Handle::from_raw(handle as u32), Rights::ALL, deadline).ok())
        .flatten()
}

/// A message with leases, handles and words of all sorts.
fn message(random: &mut Random, own: &[Handle; 32], number: u64) {
    let mut words = core::array::from_fn(|_| argument(random, own));
    if random.below(2) == 0 {
        words[7] = BUFFER.address() + random.below(USED_BYTES);
        words[6] = random.below(2 * USED_BYTES) | LEASE_READ | LEASE_WRITE;
    }
    let message = Message {
        info: MessageInfo(match random.below(4) {
            0 => random.draw(),
            // Operation 1 of the console writes to the screen: left out, the report shall stay readable.
            _ => random.draw() & 0xF_0000_7777 | 0x0200_0000,
        }),
        words,
        handles: core::array::from_fn(|_| Handle::from_raw(argument(random, own) as u32)),
    };
    let (target, temporary) = match random.below(4) {
        0 => (start::PARENT, None),
        _ => {
            let target = argument(random, own);
            let temporary = brief(random, target);
            let target = Handle::from_raw(target as u32);
            (temporary.unwrap_or(target), temporary)
        }
    };
    let reply = Handle::from_raw(argument(random, own) as u32);
    let result = match Syscall::from_raw(number) {
        Some(Syscall::Receive) => calls::receive(target).map(drop),
        Some(Syscall::Call) => calls::call(target, &message).map(drop),
        Some(Syscall::Reply) => syscall::reply(target, &message),
        _ => syscall::reply_receive(target, reply, &message).map(drop),
    };
    if let Some(temporary) = temporary {
        let _ = calls::close(temporary);
    }
    ALLOWED.fetch_add(u64::from(result.is_ok()), Relaxed);
}

/// Something that a check could overlook, or that is right.
fn argument(random: &mut Random, own: &[Handle; 32]) -> u64 {
    match random.below(16) {
        0 => random.draw(),
        1 => KERNEL_ADDRESS + random.below(1 << 24),
        2 => u64::MAX - random.below(4096),
        3 => (1 << 47) - 8 + random.below(16),
        4 => USER_END - random.below(64),
        5 => BUFFER.address() + random.below(USED_BYTES),
        6 => main as *const () as u64,
        7 => random.below(64) << Handle::INDEX_BITS | random.below(256),
        8 => 1 << random.below(64),
        9 => random.below(8) << 32 | random.below(32),
        10 => random.below(40),
        _ => own[random.below(32) as usize].raw().into(),
    }
}
