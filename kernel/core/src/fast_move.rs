//! Handles on the fast path (`fast_path`): those of a message that moves all of them to another process.
//!
//! The same meaning as the plain path (`message`), which gets what is not usual: copies, handles with a deadline or without GRANT, or for
//! the receiver only, one that a thread may wait through, one that is in the message twice, a receiver without room.
//!
//! The handles are checked before anything else and moved after everything else, by what [`Kernel::check_moving`] noted: a message without
//! handles passes by both, and between them nothing happens to the tables that this depends on.

use nonos_abi::message::{MESSAGE_HANDLES, MESSAGE_WORDS};
use nonos_abi::{Handle, MessageInfo, Rights};

use crate::arena::{ProcessId, ThreadId};
use crate::fast_path::{PLAIN_BITS, is_usable, slot_at};
use crate::handle::NO_SLOT;
use crate::kernel::Kernel;
use crate::lineage::NodeId;
use crate::machine::{CpuId, UserContext};
use crate::message;
use crate::object::Object;

/// Bits of a message's info that count its handles.
const COUNT_BITS: u64 = 0x70;

/// The handles of the message that was checked last.
pub(crate) struct Moving {
    /// Where they are among all slots, and where they go.
    slots: [[u32; 2]; MESSAGE_HANDLES],
    /// What they are called there.
    handles: [Handle; MESSAGE_HANDLES],
    /// The free slot after the last of those.
    next_free: u16,
    /// How many there are.
    count: usize,
    /// Whose they are.
    from: Option<ProcessId>,
    /// Who gets them.
    receiver: Option<ThreadId>,
}

impl Moving {
    /// None yet.
    pub const NONE: Self = Self {
        slots: [[0; 2]; MESSAGE_HANDLES],
        handles: [Handle::NONE; MESSAGE_HANDLES],
        next_free: NO_SLOT,
        count: 0,
        from: None,
        receiver: None,
    };
}

impl Kernel {
    /// Checks the info of a message, with `rdi`, and its handles: that all of them can be moved to who waits behind the handle `to`, if
    /// that does wait for the message. Returns the info that arrives.
    #[cold]
    #[inline(never)]
    pub(crate) fn check_moving(
        &mut self,
        cpu: CpuId,
        sent: u64,
        through: u32,
        to: u32,
    ) -> Option<MessageInfo> {
        let info = MessageInfo(sent & (PLAIN_BITS | COUNT_BITS));
        let usual = info.words() <= MESSAGE_WORDS
            && info.handles() <= MESSAGE_HANDLES
            && sent == info.moving((1 << info.handles()) - 1).0;
        if !usual {
            return None;
        }
        let (slots, mask) = (&mut *self.slots, self.handle_mask);
        let sender = &self.threads[self.scheduler.running_at(cpu)?];
        let receiver = match slots[slot_at(slots, mask, sender, to)?].capability?.object {
            Object::Endpoint(endpoint) => self.endpoints[endpoint].receivers.head?,
            Object::Reply(caller) => caller?,
            _ => return None,
        };
        let moving = &mut self.moving;
        moving.count = info.handles();
        moving.from = sender.process;
        moving.receiver = Some(receiver);
        let receiver = &self.threads[receiver];
        let to = receiver.process?;
        if sender.process == Some(to) {
            return None;
        }
        // A handle that has come already, or that the message goes through, looks like one that a thread may wait through: not usual, and
        // else of no consequence.
        let endpoint = &mut slots[slot_at(slots, mask, sender, through)?];
        if !matches!(endpoint.capability?.object, Object::Endpoint(_)) {
            return None;
        }
        endpoint.waited = true;
        let mut free = self.processes[to].first_free_slot;
        let mut handles = message::handles_in_a_row(&sender.context);
        for at in &mut moving.slots[..info.handles()] {
            let raw = handles as u32;
            handles >>= u32::BITS;
            let old = slot_at(slots, mask, sender, raw)?;
            let slot = &mut slots[old];
            if !is_usable(slot, raw.into(), Rights::GRANT) || slot.waited || free == NO_SLOT {
                return None;
            }
            slot.waited = true;
            let new = receiver.first_slot.wrapping_add(free.into());
            *at = [old as u32, new];
            free = slots[new as usize].next_free();
        }
        moving.next_free = free;
        Some(info)
    }

    /// Moves the handles that were checked, once the fast path has done all else, and leaves them in the registers of the receiver,
    /// which runs now.
    #[cold]
    #[inline(never)]
    pub fn finish_moving(&mut self) -> Option<&mut UserContext> {
        let moving = &mut self.moving;
        let receiver = &mut self.threads[moving.receiver?];
        let (from, to) = (moving.from?, receiver.process?);
        let mut emptied = self.processes[from].first_free_slot;
        moving.handles = [Handle::NONE; MESSAGE_HANDLES];
        let moved = moving.handles.iter_mut().zip(&moving.slots[..moving.count]);
        for (handle, &[old, new]) in moved {
            let content = self.slots[old as usize];
            *handle = self.slots[new as usize].take_over(&content);
            self.slots[old as usize].empty(&mut emptied);
            if !self.lineage.is_alone(old as usize) {
                self.lineage.replace(NodeId::at(old), NodeId::at(new));
            }
        }
        self.processes[from].first_free_slot = emptied;
        self.processes[to].first_free_slot = moving.next_free;
        let context = &mut receiver.context;
        [context.rbx, context.rbp] = message::registers(moving.handles);
        Some(context)
    }
}
