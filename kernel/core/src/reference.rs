//! References from handles: what happens when a handle comes and goes.

use nonos_abi::{Error, Rights};

use crate::arena::ProcessId;
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::lineage::{Derived, NodeId};
use crate::machine::Machine;
use crate::object::Object;
use crate::process::Exit;

impl Kernel {
    /// Another handle has this capability. Reply handles are never copied.
    pub(crate) fn retain(&mut self, capability: &Capability) {
        match capability.object {
            Object::Process(id) => self.processes.retain(id),
            Object::Thread(id) => self.threads.retain(id),
            Object::Memory(id) => self.memories.retain(id),
            Object::Endpoint(id) => {
                self.endpoints.retain(id);
                if capability.rights.contains(Rights::READ) {
                    self.endpoints[id].receiving_handles += 1;
                }
            }
            Object::Notification(id) => self.notifications.retain(id),
            Object::Timer(id) => self.timers.retain(id),
            Object::Interrupt(id) => self.interrupts.retain(id),
            Object::Module(id) => self.modules.retain(id),
            Object::Reply(_)
            | Object::IoPorts { .. }
            | Object::Device(_)
            | Object::Hardware
            | Object::Archive
            | Object::SystemInfo
            | Object::KernelLayout
            | Object::Power
            | Object::Log
            | Object::Audit
            | Object::Revoked(_) => {}
        }
    }

    /// A handle with this capability is gone. What each kind of object does lies in functions of its own, so that this, which a revocation
    /// does for every handle, has no registers to keep.
    pub(crate) fn release(&mut self, capability: &Capability, machine: &mut impl Machine) {
        match capability.object {
            Object::Process(id) => self.release_process_handle(id, machine),
            Object::Thread(id) => self.release_thread(id),
            Object::Memory(id) => self.release_memory(id, machine),
            Object::Endpoint(id) => self.release_endpoint(id, capability.rights, machine),
            Object::Reply(Some(thread)) => self.wake_with_error(thread, Error::PeerGone, machine),
            Object::Notification(id) => self.release_notification(id, machine),
            Object::Timer(id) => self.release_timer(id, machine),
            Object::Interrupt(id) => self.release_interrupt(id, machine),
            Object::Module(id) => self.release_module(id, machine),
            Object::Reply(None)
            | Object::IoPorts { .. }
            | Object::Device(_)
            | Object::Hardware
            | Object::Archive
            | Object::SystemInfo
            | Object::KernelLayout
            | Object::Power
            | Object::Log
            | Object::Audit
            | Object::Revoked(_) => {}
        }
    }

    #[inline(never)]
    fn release_process_handle(&mut self, id: ProcessId, machine: &mut impl Machine) {
        // Left: that it is alive, and its handle to itself.
        if self.is_new(id) && self.processes.references(id) == 3 {
            self.end_process(id, Exit::Killed, machine);
        }
        self.release_process(id);
    }

    /// The thread that a reply handle would answer does not wait any more, and does not pay for the server any more.
    pub(crate) fn orphan_reply(&mut self, slot: NodeId) {
        let Some(Derived::Slot(server, slot)) = self.lineage.derived(slot) else {
            return;
        };
        let capability = self.slots_of(server)[usize::from(slot)].capability;
        if let Some(Object::Reply(Some(caller))) = capability.map(|capability| capability.object) {
            self.end_donations(server, self.threads[caller].account);
        }
        let orphan = Capability::new(Object::Reply(None), Rights::NONE);
        self.table(server).replace(slot, orphan);
    }

    /// Has the threads of a server that work at the cost of this account work at their own.
    fn end_donations(&mut self, server: ProcessId, account: Option<ProcessId>) {
        let mut next = self.processes[server].threads.head;
        while let Some(thread) = next {
            next = self.threads[thread].siblings.next;
            if self.threads[thread].account == account {
                self.scheduler.end_donation(&mut self.threads, thread);
            }
        }
    }
}
