//! Commands that look after other programs, with what `init` does for a supervisor.

use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::Name;
use nonos_rt::abi::info::{AuditRecord, needs};
use nonos_rt::{parent, syscall};
use shell::report;

use crate::session::Session;

/// Most denials that `audit` shows.
const SHOWN: usize = 20;
/// Most reads of the record.
const READS: usize = 1024;

impl Session {
    /// `services`
    pub(crate) fn services(&mut self) {
        let now_ns = syscall::clock_ns();
        for index in 0.. {
            match parent::service(index) {
                Ok(state) => {
                    if index == 0 {
                        let _ = report::services_heading(&mut self.terminal);
                    }
                    let _ = report::service(&mut self.terminal, &state, now_ns);
                }
                Err(CallError::Refused(Refusal::NoSuchService)) => return,
                Err(error) => return self.fail(format_args!("cannot ask for services: {error}")),
            }
        }
    }

    /// `grant`
    pub(crate) fn grant(&mut self, process: u64, need: &str, seconds: u64) {
        let Some(name) = self.need(need) else {
            return;
        };
        match (parent::allow(process, name, seconds), seconds) {
            (Ok(()), 0) => self.print(format_args!(
                "process {process} may have {need} until it ends or you revoke it\n"
            )),
            (Ok(()), _) => self.print(format_args!(
                "process {process} may have {need} for {seconds} s\n"
            )),
            (Err(error), _) => self.fail(format_args!(
                "cannot grant {need} to process {process}: {error}"
            )),
        }
    }

    /// `revoke`
    pub(crate) fn revoke(&mut self, process: u64, need: &str) {
        let Some(name) = self.need(need) else {
            return;
        };
        match parent::revoke(process, name) {
            Ok(()) => self.print(format_args!(
                "process {process} has lost {need}: its handles are dead\n"
            )),
            Err(error) => self.fail(format_args!(
                "cannot revoke {need} from process {process}: {error}"
            )),
        }
    }

    /// The need that was typed, or `None` and a line that says which there are.
    fn need(&mut self, typed: &str) -> Option<Name> {
        if let Some(need) = needs::NAMES.iter().find(|&&name| name == typed) {
            return Name::new(need);
        }
        self.fail(format_args!("there is no need named {typed}"));
        let all = (1 << needs::NAMES.len()) - 1;
        let _ = report::all_needs(&mut self.terminal, all & !needs::INIT);
        None
    }

    /// `audit`
    pub(crate) fn audit(&mut self) {
        let audit = match parent::audit() {
            Ok(audit) => audit,
            Err(error) => return self.fail(format_args!("the record of denials: {error}")),
        };
        let mut newest = [AuditRecord::default(); SHOWN];
        let (mut position, mut seen) = (0, 0);
        let mut part = [AuditRecord::default(); 8];
        // Records may come faster than they are read.
        for _ in 0..READS {
            match audit.read(position, &mut part) {
                Ok((0, _)) => break,
                Ok((count, next)) => {
                    position = next;
                    for record in &part[..count] {
                        newest[seen % SHOWN] = *record;
                        seen += 1;
                    }
                }
                Err(error) => return self.fail(format_args!("the record of denials: {error}")),
            }
        }
        if seen == 0 {
            return self.print(format_args!("no system call was denied\n"));
        }
        let _ = report::denials_heading(&mut self.terminal);
        for index in seen.saturating_sub(SHOWN)..seen {
            let _ = report::denial(&mut self.terminal, &newest[index % SHOWN]);
        }
        let last = newest[(seen - 1) % SHOWN].sequence;
        let shown = seen.min(SHOWN) as u64;
        let earlier = last.saturating_add(1).saturating_sub(shown);
        if earlier != 0 {
            self.print(format_args!("and {earlier} before these\n"));
        }
    }
}
