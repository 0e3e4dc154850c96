//! What was done and what was refused, the last [`MOST`] of it, and how much of both there ever was. Nothing secret is in it.

use nonos_abi::Name;
use nonos_proto::Refusal;
use nonos_proto::vault::Event;

/// Events that are kept.
const MOST: usize = 64;

/// The record.
pub struct Journal {
    events: [Event; MOST],
    /// Events ever recorded.
    recorded: u64,
    uses: u64,
    denials: u64,
}

impl Journal {
    /// Nothing happened yet.
    pub const fn new() -> Self {
        const NONE: Event = Event {
            sequence: 0,
            time_ns: 0,
            operation: 0,
            outcome: 0,
            module: Name::NONE,
        };
        Self {
            events: [NONE; MOST],
            recorded: 0,
            uses: 0,
            denials: 0,
        }
    }

    /// Adds what came of an operation.
    pub fn add(&mut self, time_ns: u64, operation: u8, module: Name, outcome: Result<(), Refusal>) {
        match outcome {
            Ok(()) => self.uses += 1,
            Err(_) => self.denials += 1,
        }
        self.events[(self.recorded % MOST as u64) as usize] = Event {
            sequence: self.recorded,
            time_ns,
            operation: operation.into(),
            outcome: outcome.err().map_or(0, |refusal| refusal.label().into()),
            module,
        };
        self.recorded += 1;
    }

    /// Operations that used a secret, and those that were refused.
    pub fn counts(&self) -> (u64, u64) {
        (self.uses, self.denials)
    }

    /// The first event from this number on that is still there.
    pub fn from(&self, sequence: u64) -> Option<Event> {
        let oldest = self.recorded.saturating_sub(MOST as u64);
        let sequence = sequence.max(oldest);
        (sequence < self.recorded).then(|| self.events[(sequence % MOST as u64) as usize])
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_are_there_and_all_are_counted() {
        let mut journal = Journal::new();
        assert_eq!(journal.from(0), None);
        for number in 0..100 {
            let outcome = if number % 4 == 0 {
                Err(Refusal::Locked)
            } else {
                Ok(())
            };
            journal.add(number, 34, Name::new("app").unwrap(), outcome);
        }
        assert_eq!(journal.counts(), (75, 25));
        let oldest = journal.from(0).unwrap();
        assert_eq!((oldest.sequence, oldest.time_ns), (36, 36));
        assert_eq!(oldest.outcome, u64::from(Refusal::Locked.label()));
        assert_eq!(journal.from(99).map(|event| event.outcome), Some(0));
        assert_eq!(journal.from(100), None);
        assert_eq!(journal.from(u64::MAX), None);
    }
}
