//! What happens when a process ends: the log says how, and a boot program starts again, within bounds.

use nonos_rt::abi::Name;
use nonos_rt::abi::info::exit_kind;
use nonos_rt::{log, syscall};

use crate::child::Child;
use crate::policy::{MODULES, Policy};
use crate::server::Init;

/// Most restarts of one program within [`WINDOW_NS`].
const RESTARTS: u32 = 5;
/// One minute.
const WINDOW_NS: u64 = 60_000_000_000;
/// Most modules of the policy that restarts are counted for.
const COUNTED: usize = 32;

/// Restarts of one program in the current window.
#[derive(Clone, Copy)]
struct Count {
    since_ns: u64,
    restarts: u32,
}

/// Counts of all programs, in the order of the policy's boot programs.
pub struct Supervisor {
    counts: [Count; COUNTED],
}

impl Supervisor {
    /// No restarts.
    pub const fn new() -> Self {
        Self {
            counts: [Count {
                since_ns: 0,
                restarts: 0,
            }; COUNTED],
        }
    }

    /// Counts a restart, unless the program has used up those of this window.
    fn may_restart(&mut self, policy: &Policy, now_ns: u64) -> bool {
        let boot = MODULES.iter().filter(|policy| policy.boot);
        let Some(index) = boot.into_iter().position(|other| other.name == policy.name) else {
            return false;
        };
        let Some(count) = self.counts.get_mut(index) else {
            return false;
        };
        if now_ns.saturating_sub(count.since_ns) > WINDOW_NS {
            *count = Count {
                since_ns: now_ns,
                restarts: 0,
            };
        }
        count.restarts += 1;
        count.restarts <= RESTARTS
    }
}

impl Init {
    /// Starts a boot program; a failure goes to the log and the rest of the system runs without it.
    pub fn start_at_boot(&mut self, policy: &'static Policy) {
        let Some(name) = Name::new(policy.name) else {
            return;
        };
        match self.start(name, policy) {
            Ok(child) => log!("started {} as process {}", name, child.id),
            Err(refusal) => {
                log!("cannot start {name}: {refusal}");
                self.give_up(policy);
            }
        }
    }

    /// Processes ended: their bits are set.
    pub fn reap(&mut self, mut bits: u64) {
        while let Some(child) = self.children.take(&mut bits) {
            report(&child);
            let Child {
                policy, process, ..
            } = child;
            // The kernel keeps the record of a process as long as someone holds a handle to it.
            drop(process);
            if !policy.restart {
                continue;
            }
            if self.supervisor.may_restart(policy, syscall::clock_ns()) {
                self.start_at_boot(policy);
            } else {
                log!(
                    "{} was restarted {RESTARTS} times within a minute: not started again",
                    policy.name
                );
                self.give_up(policy);
            }
        }
    }

    /// The program will not run again: whoever waits for its service is told.
    fn give_up(&mut self, policy: &Policy) {
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
