//! Processes and threads that end at the worst moment, many times: nothing of them goes on, nothing is left.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use adversaries::calls::{self, MS, NEVER, Result};
use adversaries::roles::{Role, Word};
use adversaries::threads::{self, Job};
use adversaries::verdict::Verdicts;
use nonos_abi::info::{MemoryStatus, Topic, exit_kind, process_state};
use nonos_abi::{Handle, Rights, start};

use crate::partner::{self, Partner};
use crate::{Log, read};

/// What must be the same before and after.
#[derive(PartialEq, Eq, Debug, Clone, Copy)]
struct Stock {
    free_pages: u64,
    table_frames: u64,
    processes: u64,
    own_pages: u64,
    own_objects: u64,
    own_handles: u64,
    own_threads: u64,
}

fn stock() -> Result<Stock> {
    let memory: MemoryStatus = read(Topic::Memory, 0)?;
    let own = partner::info(start::SELF)?;
    Ok(Stock {
        free_pages: memory.free_pages,
        table_frames: memory.kernel_free_pages,
        processes: memory.processes,
        own_pages: own.pages,
        own_objects: own.objects,
        own_handles: own.handles,
        own_threads: own.threads,
    })
}

/// Threads of this process, ended while they run on another CPU.
pub fn threads_ended(verdicts: &mut Verdicts<Log>, _: Handle) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    const ROUNDS: usize = 200;
    let cpus = threads::cpus();
    let before = stock()?;
    let mut late = 0;
    for round in 0..ROUNDS {
        let thread = threads::start(1, Job::Run(threads::count, COUNTER.as_ptr() as u64))?;
        thread.pin(round % cpus)?;
        let first = COUNTER.load(SeqCst);
        while COUNTER.load(SeqCst) == first {
            calls::sleep(MS / 10);
        }
        thread.end()?;
        let last = COUNTER.load(SeqCst);
        for _ in 0..1000 {
            core::hint::spin_loop();
        }
        late += u64::from(COUNTER.load(SeqCst) != last);
    }
    verdicts.equal("no thread goes on after it was ended", late, 0);
    verdicts.equal("ended threads leave nothing", stock()?, before);
    Ok(())
}

/// Processes, killed while threads of theirs run on all CPUs.
pub fn killed_running(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    const ROUNDS: usize = 60;
    let before = stock()?;
    let (mut late, mut alive) = (0, 0);
    for round in 0..ROUNDS {
        let child = Partner::new(module)?;
        let role = [Role::Spin, Role::Yield, Role::Threads][round % 3];
        child.start(role, 0)?;
        child.all_count(threads::cpus())?;
        partner::kill(child.process)?;
        let counts = || {
            (0..threads::MOST)
                .map(|thread| child.shared.counter(thread))
                .sum::<u64>()
        };
        let last = counts();
        let end = child.info()?;
        alive +=
            usize::from((end.state, end.exit_kind) != (process_state::ENDED, exit_kind::KILLED));
        calls::sleep(MS / 4);
        late += u64::from(counts() != last);
        child.finish()?;
    }
    verdicts.equal("no thread goes on after its process was killed", late, 0);
    verdicts.equal("a killed process has ended when the call returns", alive, 0);
    verdicts.equal("killed processes leave nothing", stock()?, before);
    Ok(())
}

/// Ten thousand processes, killed before, at and after their first instruction.
pub fn ten_thousand(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    const ROUNDS: usize = 10_000;
    let (notification, endpoint, memory) = (
        calls::notification()?,
        calls::endpoint()?,
        calls::memory(1)?,
    );
    let idler = nonos_rt::syscall::module_admit(start::ARCHIVE, "idler")?;
    let once = |round: usize| -> Result<()> {
        let child = partner::create(idler, 8, 0, 0)?;
        partner::grant(child, memory, Rights::ALL, NEVER)?;
        if !round.is_multiple_of(4) {
            partner::grant(child, notification, Rights::ALL, calls::clock() + MS)?;
            partner::grant(child, endpoint, Rights::ALL, NEVER)?;
            partner::start(child, Role::Idle, 0)?;
        }
        if round % 64 == 63 {
            calls::sleep(MS / 2);
        }
        partner::kill(child)?;
        calls::close(child)
    };
    // The first makes what stays: pages of the module, tables.
    (0..64).try_for_each(once)?;
    let before = stock()?;
    let done = (0..ROUNDS).position(|round| once(round).is_err());
    verdicts.equal("ten thousand processes can be made and killed", done, None);
    verdicts.equal("they leave nothing", stock()?, before);
    let child = Partner::new(module)?;
    child.start(Role::Spin, 0)?;
    verdicts.works(
        "one more runs",
        child.all_count(child.shared.get(Word::Cpus) as usize),
    );
    child.finish()
}
