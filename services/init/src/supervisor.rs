//! What happens when a process ends: the log says how, and a program that the system runs itself starts again, later each
//! time, until it stays down. See [`init::backoff`].

use init::backoff::{Backoff, MOST_IN_A_ROW, Next};
use init::policy::{self, Device, Policy};
use nonos_proto::Refusal;
use nonos_proto::init::{ServiceState, service_state};
use nonos_rt::abi::Name;
use nonos_rt::abi::info::exit_kind;
use nonos_rt::object::Timer;
use nonos_rt::{log, syscall};

use crate::child::Child;
use crate::server::Init;

/// Most programs that are supervised.
const MOST: usize = 32;

/// Bit of the timer among the signals of `init`, above those of children.
const TIMER_BIT: u64 = 1 << 63;

/// A program that the system runs itself.
struct Program {
    policy: &'static Policy,
    name: Name,
    backoff: Backoff,
    state: State,
    process: u64,
    restarts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// Starts at this time.
    Waiting(u64),
    Down,
    Ended,
}

/// All programs that the system runs itself, in the order of their start.
pub struct Supervisor {
    programs: [Option<Program>; MOST],
    timer: Option<Timer>,
    /// Nothing is started any more.
    closed: bool,
}

impl Supervisor {
    /// The programs of the policy, to be started now, without those for a screen that is shown by something else.
    pub fn new(mut shows: impl FnMut(Device) -> bool) -> Self {
        let mut programs = [const { None }; MOST];
        let policies = policy::supervised().filter(|policy| policy.device.is_none_or(&mut shows));
        for (slot, policy) in programs.iter_mut().zip(policies) {
            *slot = Name::new(policy.name).map(|name| Program {
                policy,
                name,
                backoff: Backoff::new(),
                state: State::Waiting(0),
                process: 0,
                restarts: 0,
            });
        }
        Self {
            programs,
            timer: Timer::create().ok(),
            closed: false,
        }
    }

    /// From now on nothing is started any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether nothing is started any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Program `index`, for whoever asks.
    pub fn state(&self, index: u64) -> Option<ServiceState> {
        let program = self.programs.get(usize::try_from(index).ok()?)?.as_ref()?;
        let (state, next_start_ns) = match program.state {
            State::Running => (service_state::RUNNING, 0),
            State::Waiting(at_ns) => (service_state::WAITING, at_ns),
            State::Down => (service_state::DOWN, 0),
            State::Ended => (service_state::ENDED, 0),
        };
        Some(ServiceState {
            name: program.name,
            state,
            process: program.process,
            restarts: program.restarts,
            next_start_ns,
        })
    }

    fn program(&mut self, name: Name) -> Option<&mut Program> {
        self.programs
            .iter_mut()
            .flatten()
            .find(|program| program.name == name)
    }

    /// A program that is to be started now.
    fn due(&self, now_ns: u64) -> Option<(Name, &'static Policy)> {
        let due = |program: &&Program| {
            !self.closed && matches!(program.state, State::Waiting(at) if at <= now_ns)
        };
        let program = self.programs.iter().flatten().find(due)?;
        Some((program.name, program.policy))
    }

    /// The time of the next start.
    fn next_start_ns(&self) -> Option<u64> {
        let starts = self.programs.iter().flatten();
        let starts = starts.filter_map(|program| match program.state {
            State::Waiting(at_ns) if !self.closed => Some(at_ns),
            _ => None,
        });
        starts.min()
    }
}

impl Init {
    /// Starts what is due, and has the rest start in time.
    pub fn start_due(&mut self) {
        loop {
            let now_ns = syscall::clock_ns();
            while let Some((name, policy)) = self.supervisor.due(now_ns) {
                self.start_supervised(name, policy);
            }
            let Some(next_ns) = self.supervisor.next_start_ns() else {
                return;
            };
            let timer = self.supervisor.timer.as_ref();
            if timer.is_some_and(|timer| timer.set(&self.signals, TIMER_BIT, next_ns).is_ok()) {
                return;
            }
            // Without a timer nothing would wake `init`: better too soon than never.
            log!("no timer: what waits starts now");
            for program in self.supervisor.programs.iter_mut().flatten() {
                if let State::Waiting(at_ns) = &mut program.state {
                    *at_ns = 0;
                }
            }
        }
    }

    /// Starts a program; a failure goes to the log and the rest of the system runs without it.
    fn start_supervised(&mut self, name: Name, policy: &'static Policy) {
        let started = self.start(name, policy, policy.needs);
        let started = started.map(|child| child.id);
        match &started {
            Ok(id) => log!("started {name} as process {id}"),
            Err(refusal) => log!("cannot start {name}: {refusal}"),
        }
        let Some(program) = self.supervisor.program(name) else {
            return;
        };
        match started {
            Ok(id) => {
                if program.process != 0 {
                    program.restarts = program.restarts.saturating_add(1);
                }
                program.process = id;
                program.state = State::Running;
            }
            // The machine may have more to give later; the module stays what it is.
            Err(Refusal::Full | Refusal::Kernel(nonos_rt::abi::Error::OutOfMemory)) => {
                let now_ns = syscall::clock_ns();
                self.start_later(name, now_ns, now_ns);
            }
            Err(_) => self.give_up(name, policy),
        }
    }

    /// Processes ended: their bits are set.
    pub fn reap(&mut self, mut bits: u64) {
        while let Some(mut child) = self.children.take(&mut bits) {
            report(&child);
            child.forget();
            if let Some(service) = child.policy.serves {
                let others = self.children.iter_mut();
                others.for_each(|other| other.service_ended(service));
            }
            let Child {
                name,
                id,
                started_ns,
                policy,
                ..
            } = child;
            let closed = self.supervisor.closed;
            let Some(program) = self.supervisor.program(name) else {
                continue;
            };
            if program.process != id {
                continue;
            }
            if policy.restart && !closed {
                self.start_later(name, started_ns, syscall::clock_ns());
            } else {
                program.state = State::Ended;
                self.close_service(policy);
            }
        }
    }

    /// A program that was started at `started_ns` ended: it starts again in a while, or not.
    fn start_later(&mut self, name: Name, started_ns: u64, now_ns: u64) {
        let Some(program) = self.supervisor.program(name) else {
            return;
        };
        match program.backoff.ended(started_ns, now_ns) {
            Next::At(at_ns) => {
                program.state = State::Waiting(at_ns);
                let wait_ms = at_ns.saturating_sub(now_ns) / 1_000_000;
                log!("{name} starts again in {wait_ms} ms");
            }
            Next::Never => {
                log!(
                    "{name} was started again {MOST_IN_A_ROW} times in a row and keeps ending: it stays down"
                );
                let policy = program.policy;
                self.give_up(name, policy);
            }
        }
    }

    /// The program will not run again.
    fn give_up(&mut self, name: Name, policy: &Policy) {
        if let Some(program) = self.supervisor.program(name) {
            program.state = State::Down;
        }
        self.close_service(policy);
    }

    /// Whoever waits for a program's service is told that it is gone.
    fn close_service(&mut self, policy: &Policy) {
        if let Some(service) = policy.serves.and_then(Name::new) {
            self.directory.close(service);
        }
    }
}

/// How a process ended, for the log.
fn report(child: &Child) {
    let Ok(info) = child.process.read() else {
        log!("{} (process {}) ended", child.name, child.id);
        return;
    };
    let who = format_args!("{} (process {})", child.name, child.id);
    match info.exit_kind {
        exit_kind::EXIT => log!("{who} ended with exit code {}", info.exit_code),
        // The kernel's own line before this one has the details.
        exit_kind::FAULT => log!("{who} ended by a fault"),
        exit_kind::KILLED => log!("{who} was ended by request"),
        _ => log!("{who} ended"),
    }
}
