//! Messages in registers: how they are read from a sender and written to a receiver, and how handles travel.
//!
//! Nothing is buffered: a message stays in the registers of the blocked sender until it is delivered. Delivery is
//! atomic: it checks everything first, and a delivery that fails leaves both handle tables as they were.

use nonos_abi::message::{MESSAGE_HANDLES, MESSAGE_WORDS};
use nonos_abi::{Error, Handle, MessageInfo, Rights};

use crate::arena::{ProcessId, ThreadId};
use crate::kernel::Kernel;
use crate::lineage::NEVER;
use crate::machine::{Machine, UserContext};

/// What a receiver finds in its registers.
pub(crate) struct Arrival {
    /// Badge of the caller, or bits of a notification.
    pub sender: u64,
    pub info: MessageInfo,
    pub words: [u64; MESSAGE_WORDS],
    pub handles: [Handle; MESSAGE_HANDLES],
}

impl Arrival {
    /// Without words and handles.
    pub fn new(info: MessageInfo) -> Self {
        Self {
            sender: 0,
            info,
            words: [0; MESSAGE_WORDS],
            handles: [Handle::NONE; MESSAGE_HANDLES],
        }
    }
}

/// Writes an arrival to the receiver's registers.
pub(crate) fn arrive(context: &mut UserContext, arrival: &Arrival) {
    context.rax = 0;
    context.rdi = arrival.sender;
    context.rsi = arrival.info.0;
    context.set_words(arrival.words);
    [context.rbx, context.rbp] = registers(arrival.handles);
}

/// The registers that handles arrive in.
#[inline(always)]
pub(crate) fn registers([h0, h1, h2, h3]: [Handle; MESSAGE_HANDLES]) -> [u64; 2] {
    let pair = |low: Handle, high: Handle| u64::from(low.raw()) + (u64::from(high.raw()) << 32);
    [pair(h0, h1), pair(h2, h3)]
}

/// The raw handles in the sender's registers, the first one lowest; those beyond the count mean nothing.
#[inline(always)]
pub(crate) fn handles_in_a_row(context: &UserContext) -> u128 {
    (u128::from(context.rbp) << 64) + u128::from(context.rbx)
}

/// The same one by one.
fn handles(context: &UserContext) -> [u64; MESSAGE_HANDLES] {
    let row = handles_in_a_row(context);
    [0, 32, 64, 96].map(|from| u64::from((row >> from) as u32))
}

impl Kernel {
    /// Checks the message in a sender's registers: its counts, and that its handles may be passed on.
    pub(crate) fn check_message(
        &self,
        sender: ThreadId,
        process: ProcessId,
        machine: &impl Machine,
    ) -> Result<MessageInfo, Error> {
        let context = &self.threads[sender].context;
        let info = MessageInfo(context.rsi);
        if info.words() > MESSAGE_WORDS || info.handles() > MESSAGE_HANDLES {
            return Err(Error::InvalidArgument);
        }
        if info.handles() != 0 {
            // The handle that the message goes through.
            let through = context.rdi & u64::from(u32::MAX);
            self.check_handles(process, info, &handles(context), through, machine)?;
        }
        Ok(info)
    }

    fn check_handles(
        &self,
        process: ProcessId,
        info: MessageInfo,
        raw: &[u64; MESSAGE_HANDLES],
        through: u64,
        machine: &impl Machine,
    ) -> Result<(), Error> {
        for (i, &handle) in raw.iter().take(info.handles()).enumerate() {
            let slot = self.slot_to_pass_on(process, handle, machine)?;
            // A handle that is moved is in the message once.
            let twice = raw[..i].iter().position(|&other| other == handle);
            if twice.is_some_and(|other| info.moves(i) || info.moves(other)) {
                return Err(Error::InvalidArgument);
            }
            let index = Handle::from_raw(handle as u32).index();
            if !info.moves(i) {
                self.lineage
                    .check_depth(self.lineage.slot(process, index))?;
            } else if handle == through {
                return Err(Error::Busy);
            } else if slot.waited {
                self.check_not_in_use(process, index)?;
            }
        }
        Ok(())
    }

    /// Moves a message that was checked in this event, and nothing has changed since, from the sender's registers to an arrival: the
    /// handles go to the receiving process.
    pub(crate) fn transfer(
        &mut self,
        sender: ThreadId,
        info: MessageInfo,
        from: ProcessId,
        to: ProcessId,
    ) -> Result<Arrival, Error> {
        let context = &self.threads[sender].context;
        let mut arrival =
            Arrival::new(MessageInfo::new(info.label(), info.words(), info.handles()));
        arrival.words = context.words_of(info);
        if info.handles() != 0 {
            let raw = handles(context);
            arrival.handles = self.transfer_handles(from, to, info, &raw)?;
        }
        Ok(arrival)
    }

    /// The handles were checked; only room in the receiver's table can be missing.
    fn transfer_handles(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        info: MessageInfo,
        raw: &[u64; MESSAGE_HANDLES],
    ) -> Result<[Handle; MESSAGE_HANDLES], Error> {
        if !self.has_free_slots(to, info.handles()) {
            return Err(Error::OutOfHandles);
        }
        let mut arrived = [Handle::NONE; MESSAGE_HANDLES];
        for (i, new) in arrived.iter_mut().take(info.handles()).enumerate() {
            let kept = if info.is_for_receiver_only(i) {
                Rights::ALL.without(Rights::GRANT)
            } else {
                Rights::ALL
            };
            *new = if info.moves(i) {
                let index = Handle::from_raw(raw[i] as u32).index();
                self.move_handle(from, index, to, kept)?
            } else {
                let found = self.find(from, raw[i])?;
                let copy = found.capability.narrowed(kept);
                self.insert_copy(to, &found, copy, NEVER)?
            };
        }
        Ok(arrived)
    }
}
