//! Time on the CPUs: everyone gets what is theirs, however they try.

use adversaries::calls::{self, MS, NEVER, Result, clock};
use adversaries::roles::{Role, Word};
use adversaries::verdict::Verdicts;
use nonos_abi::info::{CpuStatus, Topic};
use nonos_abi::{Handle, Rights};

use crate::partner::{self, Partner};
use crate::{Log, read};

/// Threads run on every CPU, and a process of lower priority still gets one that is free.
pub fn everywhere(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let cpus = read::<CpuStatus>(Topic::Cpu, 0)?.cpus;
    let spinner = Partner::new(module)?;
    spinner.start(Role::Spin, 0)?;
    verdicts.equal(
        "a thread can be sent to each CPU that runs",
        spinner.shared.get(Word::Cpus),
        cpus,
    );
    verdicts.works("a thread runs on each", spinner.all_count(cpus as usize));
    let other = Partner::new(module)?;
    other.start(Role::Spin, 0)?;
    verdicts.works(
        "two processes share all CPUs",
        other.all_count(cpus as usize),
    );
    let before = [spinner.info()?.cpu_ns, other.info()?.cpu_ns];
    let start = clock();
    calls::sleep(400 * MS);
    let all = (clock() - start) * cpus;
    let used = [
        spinner.info()?.cpu_ns - before[0],
        other.info()?.cpu_ns - before[1],
    ];
    verdicts.held(
        format_args!(
            "each gets a fair share: {} and {} of {} ms",
            used[0] / MS,
            used[1] / MS,
            all / MS
        ),
        used.iter()
            .all(|&used| used > all / 4 && used < all * 3 / 4),
    );
    spinner.finish()?;
    other.finish()
}

/// A budget of a tenth of one CPU.
const BUDGET: u64 = MS;
const PERIOD: u64 = 10 * MS;
const WINDOW: u64 = 500 * MS;

/// A process with a budget tries to use more, at the cost of one with a lower priority.
pub fn theft(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let ways = [
        ("spinning on all CPUs", Role::Spin),
        ("yielding", Role::Yield),
        ("making threads", Role::Threads),
        ("sleeping for an instant", Role::Sleep),
    ];
    thieves(verdicts, module, &ways)
}

/// It has others use what it may not.
pub fn theft_by_children(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let ways = [("having a child without a limit", Role::Parent)];
    thieves(verdicts, module, &ways)
}

fn thieves(verdicts: &mut Verdicts<Log>, module: Handle, ways: &[(&str, Role)]) -> Result<()> {
    let cpus = read::<CpuStatus>(Topic::Cpu, 0)?.cpus;
    for &(what, role) in ways {
        let victim = Partner::limited(module, 2, 0, 0)?;
        victim.start(Role::Spin, 0)?;
        let thief = Partner::limited(module, 8, BUDGET, PERIOD)?;
        let child = match role {
            Role::Parent => Some(start_parent(&thief, module)?),
            _ => {
                thief.start(role, 0)?;
                None
            }
        };
        let info = thief.info()?;
        verdicts.equal(
            "the budget is on record",
            (info.budget_ns, info.period_ns),
            (BUDGET, PERIOD),
        );
        let start = clock();
        let before = [thief.info()?.cpu_ns, victim.info()?.cpu_ns];
        calls::sleep(WINDOW);
        let after = [thief.info()?.cpu_ns, victim.info()?.cpu_ns];
        let window = clock() - start;
        let [stolen, left] = [after[0] - before[0], after[1] - before[1]];
        // A tenth is allowed. A processor that its host halts in the middle of a slice makes that slice longer: hence the
        // margin, which is still far from what a thief without a limit gets, all of every CPU.
        let most = window * 4 / 10;
        verdicts.held(
            format_args!(
                "{what} brings no more than the budget: {} of {} ms",
                stolen / MS,
                window / MS
            ),
            stolen <= most,
        );
        verdicts.held(
            format_args!(
                "{what} leaves the others theirs: {} of {} ms",
                left / MS,
                cpus * window / MS
            ),
            left >= cpus * window / 2,
        );
        verdicts.held(format_args!("{what} is not stopped for good"), stolen > 0);
        verdicts.works("the other goes on", victim.all_count(cpus as usize));
        thief.finish()?;
        victim.finish()?;
        if let Some(child) = child.flatten() {
            partner::kill(child)?;
            calls::close(child)?;
        }
    }
    Ok(())
}

/// Starts a thief that makes a child; the child, if it could.
fn start_parent(thief: &Partner, module: Handle) -> Result<Option<Handle>> {
    let endpoint = calls::endpoint()?;
    thief.grant(module, Rights::ALL, NEVER)?;
    thief.grant(endpoint, Rights::WRITE, NEVER)?;
    partner::start(thief.process, Role::Parent, 0)?;
    let child = calls::receive_at_most(endpoint, 1000 * MS).ok();
    if let Some(arrived) = &child {
        calls::reply(arrived.message.info.reply())?;
    }
    calls::close(endpoint)?;
    thief.until(10_000, |thief| thief.shared.get(Word::Ready) != 0)?;
    Ok(child.map(|arrived| arrived.message.handles[0]))
}
