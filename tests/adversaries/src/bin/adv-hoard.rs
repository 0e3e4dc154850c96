//! Takes all it can get of everything: handles, objects, threads, memory, mappings, timers. Each must end in an error
//! that says that this process has enough, and never in one that says that the system has none left. Then it sits on
//! its hoard, and others must go on.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use adversaries::calls::{self, NEVER, READ, Result, clock, close, copy, make};
use adversaries::verdict::{Output, Verdicts};
use nonos_abi::{Error, Handle, Rights, Syscall};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

/// Longest hoard; more than any table has room for.
const MOST: usize = 8192;

/// What the last hoard got.
static TAKEN: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];

/// Errors that concern this process alone.
const OWN_LIMITS: [Error; 2] = [Error::QuotaExceeded, Error::OutOfHandles];

// A thread without a stack, so that there can be many: it sleeps until a time that does not come.
// SAFETY: needs no stack, touches no memory, does not return.
global_asm!(
    ".pushsection .text.nonos_adv_park, \"ax\", @progbits",
    ".global nonos_adv_park",
    "nonos_adv_park:",
    "endbr64",
    "2: mov eax, {sleep}",
    "mov rdi, -1",
    "syscall",
    "jmp 2b",
    ".popsection",
    sleep = const Syscall::Sleep as u64,
);

// SAFETY: the assembly above defines it; it is never called.
unsafe extern "C" {
    fn nonos_adv_park();
}

fn main() -> u64 {
    let mut verdicts = Verdicts::new(adversaries::console());
    for (what, take) in [
        (
            "notifications",
            &mut calls::notification as &mut dyn FnMut() -> Result<Handle>,
        ),
        ("endpoints", &mut calls::endpoint),
        ("timers", &mut calls::timer),
        ("small memories", &mut || calls::memory(1)),
        ("large memories", &mut || calls::memory(1 << 20)),
        ("threads", &mut park),
    ] {
        let taken = hoard(&mut verdicts, what, take);
        for handle in TAKEN[..taken]
            .iter()
            .map(|raw| Handle::from_raw(raw.load(Relaxed)))
        {
            let _ = calls::end(handle);
            let _ = close(handle);
        }
    }
    verdicts.part("mappings", mappings);
    verdicts.part("after each hoard", |verdicts| {
        let again = calls::notification()?;
        verdicts.works(
            "what was given back can be had again",
            calls::signal(again, 1),
        );
        close(again)
    });
    // All at once, and kept.
    let root = verdicts.works("a notification to copy", calls::notification());
    let root = root.unwrap_or(Handle::NONE);
    let kept = [
        hoard(&mut verdicts, "memories, kept", &mut || calls::memory(1)),
        hoard(&mut verdicts, "threads, kept", &mut park),
        hoard(&mut verdicts, "handles, kept", &mut || {
            copy(root, Rights::ALL, NEVER)
        }),
    ];
    let code = verdicts.finish();
    let mut terminal = adversaries::console();
    terminal.line(format_args!("holding {kept:?}, code {code}"));
    loop {
        calls::sleep(1000 * calls::MS);
    }
}

/// Takes until it is refused: how many it got, which are in [`TAKEN`].
fn hoard(
    verdicts: &mut Verdicts<Terminal>,
    what: &str,
    take: &mut dyn FnMut() -> Result<Handle>,
) -> usize {
    let mut count = 0;
    let refused = loop {
        match take() {
            Ok(handle) if count < MOST => {
                TAKEN[count].store(handle.raw(), Relaxed);
                count += 1;
            }
            other => break other,
        }
    };
    verdicts.denied_one_of(format_args!("hoarding {what}"), refused, &OWN_LIMITS);
    count
}

fn park() -> Result<Handle> {
    let entry = nonos_adv_park as *const () as u64;
    make(Syscall::ThreadCreate, [entry, 0, 0, 1]).map(|(handle, _)| Handle::from_raw(handle as u32))
}

fn mappings(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let memory = calls::memory(1)?;
    let (mut last, mut count) = (0, 0);
    let refused = loop {
        match calls::map(memory, READ) {
            Ok(address) if count < MOST => (last, count) = (address, count + 1),
            other => break other,
        }
    };
    verdicts.denied_one_of(
        "hoarding mappings",
        refused,
        &[Error::QuotaExceeded, Error::OutOfObjects],
    );
    verdicts.works("unmapping one", calls::unmap(last));
    verdicts.works("mapping again", calls::map(memory, READ));
    let before = clock();
    verdicts.works("giving them back", close(memory));
    verdicts.held("the clock goes on", clock() > before);
    Ok(())
}
