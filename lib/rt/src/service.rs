//! Calling and serving the interfaces of `nonos-proto`.

use nonos_abi::{Error, Handle, Message, MessageInfo};
pub use nonos_proto::Lent;
use nonos_proto::{CallError, Caller, Lease, Refusal, Ticket, Transport, Value};

use crate::object::Endpoint;
use crate::{log, parent, syscall};

/// Calls go through the endpoint.
impl Transport for Endpoint {
    fn call(&self, request: &Message) -> Result<Message, Error> {
        syscall::call(self.handle(), request)
    }

    fn call_lending(&self, request: &Message, lent: &mut [Lent<'_>]) -> Result<Message, Error> {
        syscall::call_lending(self.handle(), request, lent)
    }

    fn close(&self, handle: Handle) {
        let _ = syscall::handle_close(handle);
    }
}

/// Copies from memory that a caller lent.
pub fn read_lent(lease: Lease, offset: u64, out: &mut [u8]) -> Result<(), Error> {
    syscall::lease_read(lease.reply, lease.number, offset, out)
}

/// Copies to memory that a caller lent.
pub fn write_lent(lease: Lease, offset: u64, bytes: &[u8]) -> Result<(), Error> {
    syscall::lease_write(lease.reply, lease.number, offset, bytes)
}

/// `main` of a program that is a service: `run` starts it and serves until that fails. What fails is said in the log.
pub fn main(run: impl FnOnce() -> Result<Error, CallError>) -> u64 {
    if let Ok(log) = parent::log() {
        log::set(log);
    }
    match run() {
        Ok(error) => log!("cannot serve: {error}"),
        Err(error) => log!("cannot start: {error}"),
    }
    1
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
