//! Calling and serving the interfaces of `nonos-proto`.

use nonos_abi::message::{LEASE_READ, LEASE_WRITE, MESSAGE_WORDS};
use nonos_abi::{Error, Handle, Message, MessageInfo};
use nonos_proto::{Caller, Refusal, Ticket, Transport, Value};

use crate::object::Endpoint;
use crate::syscall;
pub use crate::syscall::Lent;

/// Calls go through the endpoint.
impl Transport for Endpoint {
    fn call(&self, request: &Message) -> Result<Message, Error> {
        syscall::call(self.handle(), request)
    }

    fn close(&self, handle: Handle) {
        let _ = syscall::handle_close(handle);
    }
}

/// A call that lends memory for as long as it takes: the last words of the request describe it.
impl Endpoint {
    /// Sends a request and waits for the reply; the receiver may use the memory meanwhile.
    pub fn call_lending(&self, request: &Message, lent: &mut [Lent<'_>]) -> Result<Message, Error> {
        syscall::call_lending(self.handle(), request, lent)
    }
}

/// Memory that the caller of a request lends until it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    reply: Handle,
    number: u64,
    length: u64,
}

impl Lease {
    /// Lease `number` of a request that arrived; `None` when it lends no such.
    pub fn of(request: &Message, number: usize) -> Option<Self> {
        let length = (number < request.info.leases())
            .then(|| request.words.get(MESSAGE_WORDS - 2 - 2 * number))??;
        Some(Self {
            reply: request.info.reply(),
            number: number as u64,
            length: length & !(LEASE_READ | LEASE_WRITE),
        })
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Copies from it.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        syscall::lease_read(self.reply, self.number, offset, out)
    }

    /// Copies to it.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        syscall::lease_write(self.reply, self.number, offset, bytes)
    }
}

/// A server: what it does with requests and with signals.
pub trait Server {
    /// Decodes a request and does it: the `dispatch` of its interface.
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal>;

    /// Bits of the bound notification were signalled.
    fn signal(&mut self, bits: u64);
}

/// Serves an endpoint for ever. Returns when the endpoint is no more.
pub fn serve(endpoint: &Endpoint, server: &mut impl Server) -> Error {
    let mut answer: Option<(Handle, Message)> = None;
    loop {
        let arrived = match answer.take() {
            // Handles that are not delivered must be closed here, so that an answer with handles goes alone.
            Some((to, message)) if message.info.handles() > 0 => {
                if syscall::reply(to, &message).is_err() {
                    discard(to, &message);
                }
                syscall::receive(endpoint.handle())
            }
            Some((to, message)) => {
                syscall::reply_receive(endpoint.handle(), to, &message).or_else(|_| {
                    discard(to, &message);
                    syscall::receive(endpoint.handle())
                })
            }
            None => syscall::receive(endpoint.handle()),
        };
        let arrived = match arrived {
            Ok(arrived) => arrived,
            Err(error) => return error,
        };
        if arrived.message.info.is_notification() {
            server.signal(arrived.badge);
            continue;
        }
        let to = arrived.message.info.reply();
        answer = match server.request(
            Caller {
                badge: arrived.badge,
            },
            &arrived.message,
        ) {
            Ok(reply) => reply.map(|reply| (to, reply)),
            Err(refusal) => {
                close_all(&arrived.message);
                let info = MessageInfo::new(refusal.label(), 0, 0);
                Some((
                    to,
                    Message {
                        info,
                        ..Message::default()
                    },
                ))
            }
        };
    }
}

/// Answers a call that was kept.
pub fn answer<T: Value>(ticket: Ticket<T>, result: Result<T, Refusal>) -> Result<(), Error> {
    let message = ticket.message(result);
    let sent = syscall::reply(ticket.reply(), &message);
    if sent.is_err() {
        discard(ticket.reply(), &message);
    }
    sent
}

/// After a reply that was not delivered: answers with the error where the caller still waits, and closes what
/// would have been moved.
fn discard(to: Handle, message: &Message) {
    let info = MessageInfo::new(Refusal::Full.label(), 0, 0);
    let _ = syscall::reply(
        to,
        &Message {
            info,
            ..Message::default()
        },
    );
    let _ = syscall::handle_close(to);
    close_all(message);
}

fn close_all(message: &Message) {
    for handle in message
        .handles
        .into_iter()
        .filter(|&handle| handle != Handle::NONE)
    {
        let _ = syscall::handle_close(handle);
    }
}
