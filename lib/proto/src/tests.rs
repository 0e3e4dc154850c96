//! Client and server against each other, and the server against requests that no client sends.

extern crate std;

use std::cell::RefCell;
use std::vec::Vec;

use nonos_abi::{Error, Handle, Message, MessageInfo, Name};

use crate::console::{self, Console, Size};
use crate::init::{self, Init, Ps2, Screen, Serial, Spawned};
use crate::{Bytes, CallError, Caller, Refusal, Ticket, Transport};

/// A console that remembers.
#[derive(Default)]
struct Recorder {
    text: Vec<u8>,
    waiting: Vec<Ticket<Bytes>>,
    watched: Option<(Handle, u64)>,
}

impl Console for Recorder {
    fn write(&mut self, _: Caller, text: Bytes) -> Result<(), Refusal> {
        self.text.extend_from_slice(text.as_slice());
        Ok(())
    }

    fn write_part(&mut self, caller: Caller, text: Bytes) -> Result<(), Refusal> {
        self.write(caller, text)
    }

    fn fresh_line(&mut self, _: Caller) -> Result<(), Refusal> {
        Err(Refusal::Full)
    }

    fn read(&mut self, _: Caller, ticket: Ticket<Bytes>) {
        self.waiting.push(ticket);
    }

    fn poll(&mut self, caller: Caller) -> Result<Bytes, Refusal> {
        if caller.badge & console::BADGE_INPUT == 0 {
            return Err(Refusal::NotGranted);
        }
        Ok(Bytes::prefix_of(b"typed"))
    }

    fn watch(&mut self, _: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        self.watched = Some((notification, bits));
        Ok(())
    }

    fn size(&mut self, _: Caller) -> Result<Size, Refusal> {
        Ok(Size {
            columns: 80,
            rows: 25,
        })
    }
}

/// Carries calls straight to a server; a deferred call is answered with `later`.
struct Direct<S> {
    server: RefCell<S>,
    badge: u64,
    closed: RefCell<Vec<Handle>>,
}

impl<S> Direct<S> {
    fn new(server: S, badge: u64) -> Self {
        Self {
            server: RefCell::new(server),
            badge,
            closed: RefCell::default(),
        }
    }
}

impl Transport for &Direct<Recorder> {
    fn call(&self, request: &Message) -> Result<Message, Error> {
        let mut request = *request;
        request.info = request.info.with_reply(Handle::new(9, 1));
        let server = &mut *self.server.borrow_mut();
        match console::dispatch(server, Caller { badge: self.badge }, &request) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => {
                let ticket = server.waiting.pop().unwrap();
                assert_eq!(ticket.reply(), Handle::new(9, 1));
                Ok(ticket.message(Ok(Bytes::prefix_of(b"later"))))
            }
            Err(refusal) => Ok(crate::interface::reply_message::<()>(Err(refusal))),
        }
    }

    fn close(&self, handle: Handle) {
        self.closed.borrow_mut().push(handle);
    }
}

#[test]
fn arguments_and_results_arrive_as_they_were_sent() {
    let direct = Direct::new(Recorder::default(), console::BADGE_INPUT);
    let client = console::Client(&direct);
    let longest = [b'x'; Bytes::MOST];
    client.write(Bytes::prefix_of(b"")).unwrap();
    client.write(Bytes::prefix_of(&longest)).unwrap();
    client.watch(Handle::new(5, 3), 1 << 63).unwrap();
    assert_eq!(
        client.size(),
        Ok(Size {
            columns: 80,
            rows: 25
        })
    );
    assert_eq!(client.poll().unwrap().as_slice(), b"typed");
    assert_eq!(client.read().unwrap().as_slice(), b"later");
    assert_eq!(direct.server.borrow().text, longest);
    assert_eq!(
        direct.server.borrow().watched,
        Some((Handle::new(5, 3), 1 << 63))
    );
}

#[test]
fn refusals_arrive_with_their_reason() {
    let direct = Direct::new(Recorder::default(), 0);
    let client = console::Client(&direct);
    assert_eq!(client.poll(), Err(CallError::Refused(Refusal::NotGranted)));
    assert_eq!(client.fresh_line(), Err(CallError::Refused(Refusal::Full)));
}

#[test]
fn every_refusal_has_a_label_of_its_own() {
    let mut seen = Vec::new();
    for label in 0..=u16::MAX {
        if let Some(refusal) = Refusal::from_label(label) {
            assert_eq!(refusal.label(), label);
            assert_ne!(label, 0);
            seen.push(refusal);
        }
    }
    assert!(seen.contains(&Refusal::Kernel(Error::ModuleMlDsa)));
    assert!(seen.contains(&Refusal::NoSuchDevice));
}

fn refused(request: &Message) -> Option<Refusal> {
    console::dispatch(
        &mut Recorder::default(),
        Caller { badge: u64::MAX },
        request,
    )
    .err()
}

#[test]
fn a_request_with_other_counts_is_malformed() {
    let words = [0; 8];
    for count in 0..8 {
        let request = Message {
            info: MessageInfo::new(1, count, 0),
            words,
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::Malformed), "{count} words");
    }
    let extra = Message {
        info: MessageInfo::new(6, 0, 1),
        handles: [Handle::new(1, 0); 4],
        ..Message::default()
    };
    assert_eq!(
        refused(&extra),
        Some(Refusal::Malformed),
        "a handle nobody asked for"
    );
    let missing = Message {
        info: MessageInfo::new(5, 1, 0),
        ..Message::default()
    };
    assert_eq!(refused(&missing), Some(Refusal::Malformed), "no handle");
    let none = Message {
        info: MessageInfo::new(5, 1, 1),
        ..Message::default()
    };
    assert_eq!(
        refused(&none),
        Some(Refusal::Malformed),
        "a handle that did not arrive"
    );
}

#[test]
fn a_length_beyond_the_bytes_and_bytes_beyond_the_length_are_malformed() {
    for (length, last) in [(57, 0), (u64::MAX, 0), (55, 1 << 56)] {
        let mut words = [0; 8];
        words[0] = length;
        words[7] = last;
        let request = Message {
            info: MessageInfo::new(1, 8, 0),
            words,
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::Malformed), "{length}");
    }
}

#[test]
fn unknown_operations_are_refused() {
    for label in [0, 8, 0x100, u16::MAX] {
        let request = Message {
            info: MessageInfo::new(label, 0, 0),
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::UnknownOperation));
    }
}

#[test]
fn requests_of_random_bits_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..100_000 {
        let mut message = Message {
            info: MessageInfo(next() & 0x000F_FFFF),
            ..Message::default()
        };
        message.words = core::array::from_fn(|_| next());
        message.handles = core::array::from_fn(|_| Handle::from_raw(next() as u32));
        let _ = console::dispatch(&mut Recorder::default(), Caller { badge: next() }, &message);
        let _ = init::dispatch(&mut Refuser, Caller { badge: next() }, &message);
    }
}

/// A transport whose replies are fixed.
struct Fixed(Message, RefCell<Vec<Handle>>);

impl Transport for &Fixed {
    fn call(&self, _: &Message) -> Result<Message, Error> {
        Ok(self.0)
    }

    fn close(&self, handle: Handle) {
        self.1.borrow_mut().push(handle);
    }
}

#[test]
fn handles_of_a_reply_that_does_not_fit_are_closed() {
    let handles = [
        Handle::new(7, 1),
        Handle::new(8, 1),
        Handle::NONE,
        Handle::NONE,
    ];
    let name = Name::new("console").unwrap();
    for info in [
        MessageInfo::new(0, 0, 2),
        MessageInfo::new(0x102, 0, 2),
        MessageInfo::new(0xFFFF, 0, 2),
    ] {
        let fixed = Fixed(
            Message {
                info,
                handles,
                ..Message::default()
            },
            RefCell::default(),
        );
        assert!(init::Client(&fixed).connect(name).is_err());
        assert_eq!(*fixed.1.borrow(), handles[..2]);
    }
}

#[test]
fn an_answer_moves_its_handles() {
    let screen = Screen {
        memory: Handle::new(3, 1),
        offset: 0,
        width: 1,
        height: 2,
        stride_bytes: 3,
        format: 0,
    };
    let reply = crate::interface::reply_message(Ok(screen));
    assert!(reply.info.moves(0) && !reply.info.moves(1));
    let fixed = Fixed(reply, RefCell::default());
    assert_eq!(init::Client(&fixed).screen(), Ok(screen));
}

/// An `init` that grants nothing.
struct Refuser;

impl Init for Refuser {
    fn connect(&mut self, _: Caller, _: Name) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn serve(&mut self, _: Caller, _: Name) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn spawn(&mut self, _: Caller, _: Name) -> Result<Spawned, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn system_info(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn kernel_layout(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn power(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn log(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn serial(&mut self, _: Caller) -> Result<Serial, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn ps2(&mut self, _: Caller) -> Result<Ps2, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn screen(&mut self, _: Caller) -> Result<Screen, Refusal> {
        Err(Refusal::NotGranted)
    }
}
