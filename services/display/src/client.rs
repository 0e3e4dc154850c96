//! Programs with windows: who they are, what they may have, and what waits for them.

use alloc::collections::VecDeque;

use nonos_abi::Name;
use nonos_proto::display::event;

/// Most windows of a program.
pub const WINDOWS: usize = 16;

/// Most events that wait for a program; later ones are lost.
pub const EVENTS: usize = 256;

/// How long after a key or button a program may put text on the clipboard, nanoseconds.
const ACT_NS: u64 = 2_000_000_000;

/// An event's words.
pub type Event = [u64; event::WORDS];

/// Who a program is, as `init` and its signed manifest say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Its module.
    pub module: Name,
    /// Whose key the module is signed with.
    pub publisher: Name,
    /// Number of its process.
    pub process: u64,
}

/// A program.
#[derive(Debug)]
pub struct Client {
    /// What it is known by: its badge.
    pub key: u64,
    /// Who it is.
    pub identity: Identity,
    events: VecDeque<Event>,
    /// Whether it is to be told that there are events.
    pub signal: bool,
    /// When the user pressed a key or button in one of its windows.
    acted_ns: Option<u64>,
    /// When it told the user something.
    pub notified_ns: Option<u64>,
    /// Whether it may take what is on the clipboard, once.
    pub pastes: bool,
    /// Whether a window of it showed before.
    pub showed: bool,
}

impl Client {
    /// One that has nothing yet.
    pub fn new(key: u64, identity: Identity) -> Self {
        Self {
            key,
            identity,
            events: VecDeque::new(),
            signal: false,
            acted_ns: None,
            notified_ns: None,
            pastes: false,
            showed: false,
        }
    }

    /// Adds an event for a window. Where the pointer is now replaces where it was, and the size that is wanted now the one before.
    pub fn push(&mut self, kind: u64, window: u32, [a, b, c]: [u64; 3]) {
        let event = [kind | u64::from(window) << 8, a, b, c];
        if let Some(last) = self.events.back_mut()
            && last[0] == event[0]
        {
            let moved = kind == event::POINTER && last[2] == b && last[3] == 0 && c == 0;
            if moved || kind == event::RESIZE {
                *last = event;
                return;
            }
        }
        if self.events.len() < EVENTS {
            self.events.push_back(event);
            self.signal = true;
        }
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Forgets events of a window that is no more.
    pub fn forget(&mut self, window: u32) {
        self.events
            .retain(|event| event[0] >> 8 != u64::from(window));
    }

    /// The user pressed a key or button in one of its windows.
    pub fn act(&mut self, now_ns: u64) {
        self.acted_ns = Some(now_ns);
    }

    /// Whether that was just before.
    pub fn acted(&self, now_ns: u64) -> bool {
        self.acted_ns
            .is_some_and(|at| now_ns.saturating_sub(at) <= ACT_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_takes_no_events_has_a_bounded_queue() {
        let mut client = Client::new(1, Identity::default());
        for index in 0..10_000 {
            client.push(event::KEY, 1, [index, 0, 0]);
        }
        assert_eq!(client.events.len(), EVENTS);
        assert_eq!(client.pop().unwrap()[1], 0, "in their order");
    }

    #[test]
    fn motion_is_joined_and_presses_are_not() {
        let mut client = Client::new(1, Identity::default());
        for x in 0..100 {
            client.push(event::POINTER, 1, [x, 0, 0]);
        }
        client.push(event::POINTER, 1, [99, 1, 0]);
        client.push(event::POINTER, 1, [99, 1, 2]);
        client.push(event::POINTER, 1, [99, 1, 1]);
        assert_eq!(client.pop().unwrap()[1], 99);
        assert_eq!(
            client.events.len(),
            3,
            "a button, and each turn of the wheel"
        );
    }

    #[test]
    fn events_of_a_closed_window_are_forgotten() {
        let mut client = Client::new(1, Identity::default());
        client.push(event::CLOSE, 1, [0; 3]);
        client.push(event::CLOSE, 2, [0; 3]);
        client.forget(1);
        assert_eq!(client.pop(), Some([event::CLOSE | 2 << 8, 0, 0, 0]));
        assert_eq!(client.pop(), None);
    }

    #[test]
    fn an_act_counts_for_a_while() {
        let mut client = Client::new(1, Identity::default());
        assert!(!client.acted(5));
        client.act(5);
        assert!(client.acted(5 + ACT_NS) && !client.acted(6 + ACT_NS));
    }
}
