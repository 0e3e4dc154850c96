//! Client and server against each other, and the server against requests that no client sends.

extern crate std;

use std::cell::RefCell;
use std::vec::Vec;

use nonos_abi::message::{LEASE_READ, LEASE_WRITE};
use nonos_abi::{Error, Handle, Message, MessageInfo, Name};

use crate::console::{self, Console, Size};
use crate::init::{self, ClientOf, Init, Needs, Ps2, Screen, Serial, ServiceState, Spawned, Tpm};
use crate::{Bytes, CallError, Caller, Lease, Lent, Passable, Refusal, Ticket, Transport};

/// A console that remembers.
#[derive(Default)]
struct Recorder {
    text: Vec<u8>,
    waiting: Vec<Ticket<Bytes>>,
    watched: Option<(Handle, u64)>,
    lent: u64,
}

impl Console for Recorder {
    fn write(&mut self, _: Caller, text: Bytes) -> Result<(), Refusal> {
        self.text.extend_from_slice(text.as_slice());
        Ok(())
    }

    fn write_part(&mut self, caller: Caller, text: Bytes) -> Result<(), Refusal> {
        self.write(caller, text)
    }

    fn write_long(&mut self, _: Caller, text: Lease) -> Result<(), Refusal> {
        assert_eq!((text.reply, text.number), (Handle::new(9, 1), 0));
        self.lent = text.length;
        Ok(())
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

/// A request with the words that describe its leases, as they arrive.
fn with_leases(request: &Message, lent: &[Lent<'_>]) -> Message {
    let mut request = *request;
    request.info = request.info.lending(lent.len());
    for (index, lease) in lent.iter().enumerate() {
        request.words[6 - 2 * index] = match lease {
            Lent::Read(bytes) => bytes.len() as u64 | LEASE_READ,
            Lent::Write(bytes) => bytes.len() as u64 | LEASE_WRITE,
            Lent::ReadWrite(bytes) => bytes.len() as u64 | LEASE_READ | LEASE_WRITE,
        };
    }
    request
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
    /// As the kernel does it: the length arrives, the address does not.
    fn call_lending(&self, request: &Message, lent: &mut [Lent<'_>]) -> Result<Message, Error> {
        self.call(&with_leases(request, lent))
    }

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
    client.write_long(&[b'x'; 1000]).unwrap();
    assert_eq!(direct.server.borrow().lent, 1000);
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
            info: MessageInfo::new(console::label(1), count, 0),
            words,
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::Malformed), "{count} words");
    }
    let extra = Message {
        info: MessageInfo::new(console::label(6), 0, 1),
        handles: [Handle::new(1, 0); 4],
        ..Message::default()
    };
    assert_eq!(
        refused(&extra),
        Some(Refusal::Malformed),
        "a handle nobody asked for"
    );
    let missing = Message {
        info: MessageInfo::new(console::label(5), 1, 0),
        ..Message::default()
    };
    assert_eq!(refused(&missing), Some(Refusal::Malformed), "no handle");
    let none = Message {
        info: MessageInfo::new(console::label(5), 1, 1),
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
            info: MessageInfo::new(console::label(1), 8, 0),
            words,
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::Malformed), "{length}");
    }
}

#[test]
fn unknown_operations_are_refused() {
    for operation in [0, 9, u8::MAX] {
        let request = Message {
            info: MessageInfo::new(console::label(operation), 0, 0),
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::UnknownOperation));
    }
}

#[test]
fn a_request_for_another_version_is_refused_as_such() {
    for version in (0..=u8::MAX).filter(|&version| version != console::VERSION) {
        let request = Message {
            info: MessageInfo::new(crate::interface::request_label(version, 6), 0, 0),
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::WrongVersion), "{version}");
    }
}

#[test]
fn a_request_that_lends_memory_nobody_asked_for_is_malformed() {
    for leases in 1..8 {
        let request = Message {
            info: MessageInfo::new(console::label(6), 0, 0).lending(leases),
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::Malformed), "{leases}");
    }
    for leases in (0..8).filter(|&leases| leases != 1) {
        let request = Message {
            info: MessageInfo::new(console::label(8), 0, 0).lending(leases),
            ..Message::default()
        };
        assert_eq!(refused(&request), Some(Refusal::Malformed), "{leases}");
    }
}

/// xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A message of random bits, or one that is close to what a client could send.
    fn message(&mut self, version: u8) -> Message {
        let mut message = Message {
            info: MessageInfo(self.draw() & 0x000F_FFFF),
            words: core::array::from_fn(|_| self.draw()),
            handles: core::array::from_fn(|_| Handle::from_raw(self.draw() as u32)),
        };
        let bits = self.draw();
        if bits & 1 == 0 {
            let label = crate::interface::request_label(version, (bits >> 8) as u8 % 20);
            message.info =
                MessageInfo::new(label, (bits >> 16) as usize % 9, (bits >> 24) as usize % 5);
        }
        if bits & 2 == 0 {
            // Small numbers are lengths and indices, text is a name or something to show.
            message.words[0] = self.draw() % 64;
            message.words[1..].fill(u64::from_le_bytes(*b"some.txt"));
        }
        message.words[message.info.words().min(8)..].fill(0);
        message
    }
}

/// A server that sends each request on to another, as a client of it.
struct Forwarder<'a>(&'a Sent);

/// Keeps the last request.
#[derive(Default)]
struct Sent(RefCell<Option<Message>>);

impl Transport for &Sent {
    fn call_lending(&self, request: &Message, _: &mut [Lent<'_>]) -> Result<Message, Error> {
        self.call(request)
    }

    fn call(&self, request: &Message) -> Result<Message, Error> {
        self.0.replace(Some(*request));
        Err(Error::PeerGone)
    }

    fn close(&self, _: Handle) {}
}

impl Forwarder<'_> {
    fn client(&self) -> console::Client<&Sent> {
        console::Client(self.0)
    }
}

const FORWARDED: Refusal = Refusal::Kernel(Error::PeerGone);

impl Console for Forwarder<'_> {
    fn write(&mut self, _: Caller, text: Bytes) -> Result<(), Refusal> {
        self.client().write(text).map_err(|_| FORWARDED)
    }
    fn write_part(&mut self, _: Caller, text: Bytes) -> Result<(), Refusal> {
        self.client().write_part(text).map_err(|_| FORWARDED)
    }
    fn write_long(&mut self, _: Caller, _: Lease) -> Result<(), Refusal> {
        self.client().write_long(&[]).map_err(|_| FORWARDED)
    }
    fn fresh_line(&mut self, _: Caller) -> Result<(), Refusal> {
        self.client().fresh_line().map_err(|_| FORWARDED)
    }
    fn read(&mut self, _: Caller, _: Ticket<Bytes>) {
        let _ = self.client().read();
    }
    fn poll(&mut self, _: Caller) -> Result<Bytes, Refusal> {
        self.client().poll().map_err(|_| FORWARDED)
    }
    fn watch(&mut self, _: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        self.client()
            .watch(notification, bits)
            .map_err(|_| FORWARDED)
    }
    fn size(&mut self, _: Caller) -> Result<Size, Refusal> {
        self.client().size().map_err(|_| FORWARDED)
    }
}

#[test]
fn random_messages_are_refused_or_mean_exactly_what_a_client_would_send() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut understood = 0;
    for _ in 0..200_000 {
        let message = random.message(console::VERSION);
        let sent = Sent::default();
        let caller = Caller {
            badge: random.draw(),
        };
        let outcome = console::dispatch(&mut Forwarder(&sent), caller, &message);
        let sent = sent.0.take();
        match outcome {
            Err(_) => assert_eq!(sent, None, "refused, but the server was asked"),
            Ok(_) => {
                let sent = sent.expect("the server was asked");
                assert_eq!(sent.info.label(), message.info.label());
                let words = message.info.words();
                assert_eq!(sent.words[..words], message.words[..words]);
                let handles = message.info.handles();
                assert_eq!(sent.handles[..handles], message.handles[..handles]);
                understood += 1;
            }
        }
    }
    assert!(understood > 300, "{understood}");
}

#[test]
fn random_messages_never_crash_init() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut understood = 0;
    for _ in 0..200_000 {
        let message = random.message(init::VERSION);
        let caller = Caller {
            badge: random.draw(),
        };
        if init::dispatch(&mut Refuser, caller, &message).is_ok() {
            understood += 1;
        }
    }
    assert!(understood > 300, "{understood}");
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
    let serial = Serial {
        ports: Handle::new(3, 1),
        interrupt: Handle::new(4, 0),
    };
    let reply = crate::interface::reply_message(Ok(serial));
    assert!(reply.info.moves(0) && reply.info.moves(1) && !reply.info.moves(2));
    assert!(reply.info.is_for_receiver_only(1) && !reply.info.is_for_receiver_only(2));
    let fixed = Fixed(reply, RefCell::default());
    assert_eq!(init::Client(&fixed).serial(), Ok(serial));
}

#[test]
fn handles_can_be_passed_on_only_where_the_interface_says_so() {
    use crate::{Packer, Passable, Value};
    let mut out = Packer::default();
    Handle::new(1, 0).pack(&mut out);
    Passable(Handle::new(2, 0)).pack(&mut out);
    Handle::new(3, 0).pack(&mut out);
    let info = out.request(0).info;
    assert_eq!(
        [0, 1, 2, 3].map(|index| info.is_for_receiver_only(index)),
        [true, false, true, false]
    );
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
    fn spawn_on(&mut self, _: Caller, _: Name, _: Passable) -> Result<Spawned, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn launch(&mut self, _: Caller, _: Name) -> Result<Spawned, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn system_info(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn kernel_layout(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn power_off(&mut self, _: Caller, _: u64) -> Result<(), Refusal> {
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
    fn tpm(&mut self, _: Caller) -> Result<Tpm, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn gpu(&mut self, _: Caller) -> Result<init::Gpu, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn wind_down(&mut self, _: Caller, _: u64) -> Result<(), Refusal> {
        Err(Refusal::NotGranted)
    }
    fn audit(&mut self, _: Caller) -> Result<Handle, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn kill(&mut self, _: Caller, _: u64) -> Result<(), Refusal> {
        Err(Refusal::NotGranted)
    }
    fn allow(&mut self, _: Caller, _: u64, _: Name, _: u64) -> Result<(), Refusal> {
        Err(Refusal::NotGranted)
    }
    fn revoke(&mut self, _: Caller, _: u64, _: Name) -> Result<(), Refusal> {
        Err(Refusal::NotGranted)
    }
    fn service(&mut self, _: Caller, _: u64) -> Result<ServiceState, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn issue(&mut self, _: Caller, _: Name) -> Result<Passable, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn client(&mut self, _: Caller, _: u64) -> Result<ClientOf, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn needs(&mut self, _: Caller, _: u64) -> Result<Needs, Refusal> {
        Err(Refusal::NotGranted)
    }
    fn client_end(&mut self, _: Caller, _: u64, _: Handle, _: u64) -> Result<(), Refusal> {
        Err(Refusal::NotGranted)
    }
    fn service_end(&mut self, _: Caller, _: Name, _: Handle, _: u64) -> Result<(), Refusal> {
        Err(Refusal::NotGranted)
    }
}

mod lending {
    use crate::interface::interface;

    interface! {
        /// What is lent memory beside an argument.
        pub trait Lender, version 1;

        /// Three leases.
        1 => answered three(number: u64; source: read, target: write, both: change) -> u64;
    }
}

/// Adds up what it is given.
struct Adder;

impl lending::Lender for Adder {
    fn three(
        &mut self,
        _: Caller,
        number: u64,
        source: Lease,
        target: Lease,
        both: Lease,
    ) -> Result<u64, Refusal> {
        let numbers = [source, target, both].map(|lease| lease.number);
        assert_eq!(numbers, [0, 1, 2]);
        Ok(number + source.length * 10 + target.length * 100 + both.length * 1000)
    }
}

/// Carries calls to [`Adder`].
struct ToAdder;

impl Transport for ToAdder {
    fn call(&self, request: &Message) -> Result<Message, Error> {
        let reply = lending::dispatch(&mut Adder, Caller { badge: 1 }, request);
        Ok(reply
            .unwrap_or_else(|refusal| Some(crate::interface::reply_message::<()>(Err(refusal))))
            .unwrap())
    }

    fn call_lending(&self, request: &Message, lent: &mut [Lent<'_>]) -> Result<Message, Error> {
        self.call(&with_leases(request, lent))
    }

    fn close(&self, _: Handle) {}
}

#[test]
fn memory_is_lent_beside_arguments_and_as_often_as_the_operation_says() {
    let client = lending::Client(ToAdder);
    let sum = client.three(5, &[0; 1], &mut [0; 2], &mut [0; 3]);
    assert_eq!(sum, Ok(3215));
    let mut request = Message {
        info: MessageInfo::new(lending::label(1), 1, 0),
        ..Message::default()
    };
    for leases in [0, 1, 2, 4] {
        request.info = MessageInfo::new(lending::label(1), 1, 0).lending(leases);
        let refused = lending::dispatch(&mut Adder, Caller { badge: 1 }, &request);
        assert_eq!(refused, Err(Refusal::Malformed), "{leases}");
    }
}
