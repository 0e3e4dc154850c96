//! System calls as an attacker makes them: numbers in registers, nothing that a wrapper would check before.
//!
//! Safe to call here, because attackers keep to it that memory that a call could change is atomics or is not used by them:
//! pointers among the arguments name [`Buffer`]s, the kernel, or nothing.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nonos_abi::{Error, Handle, Message, ObjectKind, Rights, Syscall};
use nonos_rt::syscall;

/// What a call returned.
pub type Result<T> = core::result::Result<T, Error>;

/// A time that does not come.
pub const NEVER: u64 = 0;

/// A millisecond, in the kernel's unit.
pub const MS: u64 = 1_000_000;

/// Words that the kernel may read and write while others look at them.
pub struct Buffer<const WORDS: usize>(pub [AtomicU64; WORDS]);

impl<const WORDS: usize> Buffer<WORDS> {
    /// All zero.
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }

    /// Its address.
    pub fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// Its size.
    pub const fn bytes(&self) -> u64 {
        WORDS as u64 * 8
    }

    /// Fills it with one word.
    pub fn fill(&self, word: u64) {
        self.0.iter().for_each(|each| each.store(word, Relaxed));
    }

    /// The words now.
    pub fn words(&self) -> [u64; WORDS] {
        core::array::from_fn(|index| self.0[index].load(Relaxed))
    }
}

impl<const WORDS: usize> Default for Buffer<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes any call with any arguments.
pub fn make<const N: usize>(call: Syscall, given: [u64; N]) -> Result<(u64, u64)> {
    let mut arguments = [0; 6];
    arguments[..N].copy_from_slice(&given);
    // SAFETY: see the head of this file.
    match unsafe { syscall::raw(call as u64, arguments) } {
        (0, first, second) => Ok((first, second)),
        (error, ..) => Err(Error::from_raw(error).unwrap_or(Error::NotSupported)),
    }
}

fn done(result: Result<(u64, u64)>) -> Result<()> {
    result.map(drop)
}

fn handle_of(result: Result<(u64, u64)>) -> Result<Handle> {
    result.map(|(handle, _)| Handle::from_raw(handle as u32))
}

/// A handle as an argument.
pub fn word(handle: Handle) -> u64 {
    handle.raw().into()
}

/// `ClockRead`.
pub fn clock() -> u64 {
    make(Syscall::ClockRead, []).map_or(0, |(time, _)| time)
}

/// Sleeps that long.
pub fn sleep(ns: u64) {
    let _ = make(Syscall::Sleep, [clock() + ns]);
}

/// `Yield`.
pub fn yield_now() {
    let _ = make(Syscall::Yield, []);
}

/// `HandleClose`.
pub fn close(handle: Handle) -> Result<()> {
    done(make(Syscall::HandleClose, [word(handle)]))
}

/// `HandleCopy`.
pub fn copy(handle: Handle, rights: Rights, deadline: u64) -> Result<Handle> {
    let arguments = [word(handle), rights.bits(), deadline];
    handle_of(make(Syscall::HandleCopy, arguments))
}

/// `HandleInfo`.
pub fn info(handle: Handle) -> Result<(ObjectKind, Rights)> {
    let (kind, rights) = make(Syscall::HandleInfo, [word(handle)])?;
    let kind = ObjectKind::from_raw(kind).ok_or(Error::NotSupported)?;
    Ok((kind, Rights::from_bits(rights)))
}

/// `HandleRevoke`.
pub fn revoke(handle: Handle) -> Result<()> {
    done(make(Syscall::HandleRevoke, [word(handle)]))
}

/// `MemoryCreate`.
pub fn memory(pages: u64) -> Result<Handle> {
    handle_of(make(Syscall::MemoryCreate, [pages]))
}

/// `MemoryMap` with any access: the address.
pub fn map(memory: Handle, access: u64) -> Result<u64> {
    make(Syscall::MemoryMap, [word(memory), access]).map(|(address, _)| address)
}

/// `MemoryUnmap`.
pub fn unmap(address: u64) -> Result<()> {
    done(make(Syscall::MemoryUnmap, [address]))
}

/// Memory of its own, mapped for reading and writing.
pub fn mapped(pages: u64) -> Result<(Handle, u64)> {
    let memory = memory(pages)?;
    Ok((memory, map(memory, READ_WRITE)?))
}

/// Access for [`map`].
pub const READ: u64 = Rights::READ.bits();
/// Access for [`map`].
pub const READ_WRITE: u64 = Rights::READ.or(Rights::WRITE).bits();

/// `EndpointCreate`.
pub fn endpoint() -> Result<Handle> {
    handle_of(make(Syscall::EndpointCreate, []))
}

/// `EndpointBadge`.
pub fn badge(endpoint: Handle, badge: u64, rights: Rights, deadline: u64) -> Result<Handle> {
    let arguments = [word(endpoint), badge, rights.bits(), deadline];
    handle_of(make(Syscall::EndpointBadge, arguments))
}

/// `Call`, with the leases that the message's words describe.
pub fn call(endpoint: Handle, message: &Message) -> Result<Message> {
    // SAFETY: see the head of this file.
    unsafe { syscall::call_raw(endpoint, message) }
}

/// `Receive`.
pub fn receive(endpoint: Handle) -> Result<syscall::Arrived> {
    syscall::receive(endpoint)
}

/// `Reply` with an empty message.
pub fn reply(reply: Handle) -> Result<()> {
    syscall::reply(reply, &Message::default())
}

/// `LeaseRead` and `LeaseWrite`.
pub fn lease(call: Syscall, reply: Handle, of: [u64; 4]) -> Result<()> {
    let [index, offset, pointer, length] = of;
    done(make(call, [word(reply), index, offset, pointer, length]))
}

/// `NotificationCreate`.
pub fn notification() -> Result<Handle> {
    handle_of(make(Syscall::NotificationCreate, []))
}

/// `NotificationSignal`.
pub fn signal(notification: Handle, bits: u64) -> Result<()> {
    done(make(
        Syscall::NotificationSignal,
        [word(notification), bits],
    ))
}

/// `NotificationWait`.
pub fn wait(notification: Handle) -> Result<u64> {
    make(Syscall::NotificationWait, [word(notification)]).map(|(bits, _)| bits)
}

/// `NotificationWait` that ends after that long at the latest, through a copy that expires then.
pub fn wait_at_most(notification: Handle, ns: u64) -> Result<u64> {
    let expiring = copy(notification, Rights::READ, clock() + ns)?;
    let result = wait(expiring);
    close(expiring)?;
    result
}

/// `Receive` that ends after that long at the latest, through a copy that expires then.
pub fn receive_at_most(endpoint: Handle, ns: u64) -> Result<syscall::Arrived> {
    let expiring = copy(endpoint, Rights::READ, clock() + ns)?;
    let result = receive(expiring);
    close(expiring)?;
    result
}

/// `NotificationBind`.
pub fn bind(notification: Handle) -> Result<()> {
    done(make(Syscall::NotificationBind, [word(notification)]))
}

/// `TimerCreate`.
pub fn timer() -> Result<Handle> {
    handle_of(make(Syscall::TimerCreate, []))
}

/// `TimerSet` with bit 0.
pub fn timer_set(timer: Handle, notification: Handle, deadline: u64, period: u64) -> Result<()> {
    let arguments = [word(timer), word(notification), 1, deadline, period];
    done(make(Syscall::TimerSet, arguments))
}

/// `ThreadSchedule`.
pub fn schedule(thread: Handle, priority: u64, affinity: u64) -> Result<()> {
    done(make(
        Syscall::ThreadSchedule,
        [word(thread), priority, affinity],
    ))
}

/// `ThreadEnd`.
pub fn end(thread: Handle) -> Result<()> {
    done(make(Syscall::ThreadEnd, [word(thread)]))
}

/// Reads a word, wherever it is; faults where nothing is mapped.
pub fn peek(address: u64) -> u64 {
    let value;
    // SAFETY: reads only; where it may not, the process ends.
    unsafe {
        core::arch::asm!("mov {}, [{}]", out(reg) value, in(reg) address, options(nostack, readonly));
    }
    value
}

/// Writes a word of a mapping that only raw addresses refer to; faults where none is.
pub fn poke(address: u64, value: u64) {
    // SAFETY: callers give addresses that `map` returned, which no reference covers.
    unsafe {
        core::arch::asm!("mov [{}], {}", in(reg) address, in(reg) value, options(nostack));
    }
}
