//! Leases: memory that a caller lends for the time of its call.
//!
//! Nothing is stored: the lease is described in the registers of the blocked caller, which nobody changes until it is
//! answered. So it ends with the call, however the call ends, and there is nothing to revoke. Every copy looks the pages up
//! in both address spaces, as any other copy from and to user memory.

use nonos_abi::message::{
    LEASE_ACCESS, LEASE_BYTES_MAX, LEASE_READ, LEASE_WRITE, MESSAGE_LEASES, MESSAGE_WORDS,
};
use nonos_abi::{Error, MessageInfo, PAGE_BYTES};

use crate::arena::{ProcessId, ThreadId};
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::message::Arrival;
use crate::user::Allegation;

/// What a server does with a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transfer {
    /// Copies from the caller.
    Read,
    /// Copies to the caller.
    Write,
}

/// A range of the caller's memory, as its registers describe it.
#[derive(Clone, Copy, Debug)]
struct Lease {
    address: u64,
    bytes: u64,
    access: u64,
}

impl Lease {
    /// Lease `index` of a message with so many words. There are as many.
    fn of(words: &[u64; MESSAGE_WORDS], index: usize) -> Self {
        let [length, address] = [length_word(index), length_word(index) + 1].map(|at| words[at]);
        Self {
            address,
            bytes: length & !LEASE_ACCESS,
            access: length & LEASE_ACCESS,
        }
    }

    fn allows(&self, transfer: Transfer) -> bool {
        let needed = match transfer {
            Transfer::Read => LEASE_READ,
            Transfer::Write => LEASE_WRITE,
        };
        self.access & needed != 0
    }
}

/// Where the length of a lease stands among the words; its address is the next.
const fn length_word(index: usize) -> usize {
    MESSAGE_WORDS - 2 - 2 * index
}

impl Kernel {
    /// Checks the leases in a caller's registers: they do not overlap the words, lie in user space and allow something.
    pub(crate) fn check_leases(&self, caller: ThreadId, info: MessageInfo) -> Result<(), Error> {
        let leases = info.leases();
        if leases == 0 {
            return Ok(());
        }
        if leases > MESSAGE_LEASES || info.words() + 2 * leases > MESSAGE_WORDS {
            return Err(Error::InvalidArgument);
        }
        let words = self.threads[caller].context.words();
        for index in 0..leases {
            let lease = Lease::of(&words, index);
            if lease.access == 0 {
                return Err(Error::InvalidArgument);
            }
            Allegation::new(lease.address, bytes(lease.bytes)?)?;
        }
        Ok(())
    }

    /// Has the lengths of a caller's leases arrive.
    pub(crate) fn lend(&self, caller: ThreadId, arrival: &mut Arrival) {
        let context = &self.threads[caller].context;
        let leases = MessageInfo(context.rsi).leases();
        let words = context.words();
        for index in 0..leases {
            arrival.words[length_word(index)] = words[length_word(index)];
        }
        arrival.info = arrival.info.lending(leases);
    }

    /// Copies between a server's memory and what the thread that it will answer has lent it.
    #[expect(clippy::too_many_arguments, reason = "those of the system call")]
    pub(crate) fn use_lease(
        &mut self,
        server: ProcessId,
        caller: ThreadId,
        index: u64,
        offset: u64,
        pointer: u64,
        length: u64,
        transfer: Transfer,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let from = self.threads[caller].process.ok_or(Error::PeerGone)?;
        let context = &self.threads[caller].context;
        let leases = MessageInfo(context.rsi).leases();
        if index >= leases as u64 || length > LEASE_BYTES_MAX {
            return Err(Error::InvalidArgument);
        }
        // Not past the registers, whatever was predicted (`speculation`): the compiler sees through a mask of so few.
        let lease = Lease::of(&context.words(), index as usize % MESSAGE_LEASES);
        let end = offset.checked_add(length).ok_or(Error::InvalidArgument)?;
        if end > lease.bytes || !lease.allows(transfer) {
            return Err(Error::InvalidArgument);
        }
        let lent = Allegation::new(lease.address + offset, bytes(length)?)?;
        let own = Allegation::new(pointer, bytes(length)?)?;
        match transfer {
            Transfer::Read => self.copy_across((from, lent), (server, own), machine),
            Transfer::Write => self.copy_across((server, own), (from, lent), machine),
        }
    }

    /// Copies from one process to another, or within one. The lengths are the same. What was copied when a page turns
    /// out not to allow it stays copied.
    fn copy_across(
        &mut self,
        from: (ProcessId, Allegation),
        to: (ProcessId, Allegation),
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let source = self.processes[from.0].space.ok_or(Error::PeerGone)?;
        let target = self.processes[to.0].space.ok_or(Error::PeerGone)?;
        let mut done = 0;
        while let Some((from_page, from_offset, left)) = from.1.at(done) {
            let (to_page, to_offset, _) = to.1.at(done).ok_or(Error::BadAddress)?;
            let from_frame = self.user_frame(source, from_page?, false, machine)?;
            let to_frame = self.user_frame(target, to_page?, true, machine)?;
            let count = left
                .min(PAGE_BYTES - from_offset)
                .min(PAGE_BYTES - to_offset);
            machine.copy(from_frame, from_offset, to_frame, to_offset, count);
            done += count;
        }
        Ok(())
    }
}

fn bytes(length: u64) -> Result<usize, Error> {
    usize::try_from(length).map_err(|_| Error::BadAddress)
}
