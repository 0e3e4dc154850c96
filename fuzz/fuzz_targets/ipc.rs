//! Bytes as a message: as a request to a server, and as the reply to each kind of call of a client.
#![no_main]

use std::cell::Cell;

use nonos_abi::{Error, Handle, Message, MessageInfo, Name};
use nonos_proto::console::{self, Console, LONGEST_TEXT, Size};
use nonos_proto::{Bytes, Caller, Lease, Lent, Refusal, Ticket, Transport, init};

/// Takes whatever it is asked.
struct Server;

impl Console for Server {
    fn write(&mut self, _: Caller, text: Bytes) -> Result<(), Refusal> {
        assert!(text.as_slice().len() <= Bytes::MOST);
        Ok(())
    }
    fn write_part(&mut self, caller: Caller, text: Bytes) -> Result<(), Refusal> {
        self.write(caller, text)
    }
    fn write_long(&mut self, _: Caller, text: Lease) -> Result<(), Refusal> {
        match text.length <= LONGEST_TEXT {
            true => Ok(()),
            false => Err(Refusal::Full),
        }
    }
    fn fresh_line(&mut self, _: Caller) -> Result<(), Refusal> {
        Ok(())
    }
    fn read(&mut self, _: Caller, ticket: Ticket<Bytes>) {
        let _ = ticket.message(Ok(Bytes::prefix_of(b"typed")));
    }
    fn poll(&mut self, _: Caller) -> Result<Bytes, Refusal> {
        Ok(Bytes::prefix_of(b"typed"))
    }
    fn watch(&mut self, _: Caller, _: Handle, _: u64) -> Result<(), Refusal> {
        Ok(())
    }
    fn size(&mut self, _: Caller) -> Result<Size, Refusal> {
        Ok(Size {
            columns: 80,
            rows: 25,
        })
    }
}

/// Answers every call with the same message.
struct Hostile {
    reply: Message,
    closed: Cell<usize>,
}

impl Transport for &Hostile {
    fn call(&self, _: &Message) -> Result<Message, Error> {
        Ok(self.reply)
    }
    fn call_lending(&self, _: &Message, _: &mut [Lent<'_>]) -> Result<Message, Error> {
        Ok(self.reply)
    }
    fn close(&self, _: Handle) {
        self.closed.set(self.closed.get() + 1);
    }
}

fn message(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let (words, rest) = bytes.split_first_chunk::<88>()?;
    let (words, _) = words.as_chunks();
    let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
    let info = MessageInfo(words.next()?);
    let mut message = Message {
        info,
        ..Message::default()
    };
    message.words.fill_with(|| words.next().unwrap_or_default());
    for (handle, raw) in message.handles.iter_mut().zip(rest) {
        *handle = Handle::from_raw(u32::from(*raw));
    }
    Some((message, rest))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((message, _)) = message(bytes) else {
        return;
    };
    let _ = console::dispatch(
        &mut Server,
        Caller {
            badge: message.words[7],
        },
        &message,
    );

    let hostile = Hostile {
        reply: message,
        closed: Cell::new(0),
    };
    let service = Name::new("console").expect("a valid name");
    let console = console::Client(&hostile);
    let init = init::Client(&hostile);
    let failed = [
        console.write(Bytes::prefix_of(b"text")).is_err(),
        console.write_long(b"text").is_err(),
        console.poll().is_err(),
        console.size().is_err(),
        init.connect(service).is_err(),
        init.spawn(service).is_err(),
        init.service(0).is_err(),
    ];
    // Handles of a reply that is not taken are closed.
    let arrived = message
        .handles
        .iter()
        .filter(|&&handle| handle != Handle::NONE);
    let dropped = failed.iter().filter(|&&failed| failed).count();
    assert_eq!(hostile.closed.get(), dropped * arrived.count());
});
