//! Revocation: undoing what was derived from a handle.
//!
//! When it is complete, nothing below the handle works on any CPU: handles are tombstones, mappings are gone and forgotten,
//! bindings undone, and threads that waited through one of the handles have their answer. Leases and queued messages end
//! with the call that they belong to.

use nonos_abi::{Error, Rights};

use crate::arena::{ProcessId, ThreadId};
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::lineage::{Derived, NEVER, NodeId};
use crate::machine::Machine;
use crate::object::Object;

/// Nodes that one stay in the kernel removes.
const NODES_AT_ONCE: usize = 256;

impl Kernel {
    /// Removes what was derived from a node, the youngest first; says whether nothing is left. If something is, call again.
    pub(crate) fn revoke(&mut self, root: NodeId, machine: &mut impl Machine) -> bool {
        let mut node = root;
        for _ in 0..NODES_AT_ONCE {
            let leaf = self.lineage.leaf_below(node);
            if leaf == root {
                return true;
            }
            let Some(parent) = self.lineage.parent(leaf) else {
                return true;
            };
            self.lineage.unlink_leaf(leaf, parent);
            self.remove_derived(leaf, machine);
            node = parent;
        }
        self.lineage.leaf_below(root) == root
    }

    /// Undoes what a node stands for. It has no links any more.
    fn remove_derived(&mut self, node: NodeId, machine: &mut impl Machine) {
        match self.lineage.derived(node) {
            Some(Derived::Slot(process, index)) => {
                self.revoke_slot(process, index, node, machine);
            }
            Some(Derived::Region(process, number)) => {
                self.unmap_numbered_region(process, number, machine);
            }
            Some(Derived::Interrupt(id, _)) => self.unbind_interrupt(id, machine),
            Some(Derived::Watch(id, _)) => self.cancel_watch(id, machine),
            Some(Derived::Timer(id, _)) => self.unset_timer(id, machine),
            Some(Derived::Bound(thread)) => self.unbind_notification(thread, machine),
            None => {}
        }
    }

    fn revoke_slot(
        &mut self,
        process: ProcessId,
        index: u16,
        node: NodeId,
        machine: &mut impl Machine,
    ) {
        let Some(slot) = self.slot_mut(process, index) else {
            return;
        };
        let Some(capability) = slot.capability else {
            return;
        };
        let tombstone = Object::Revoked(capability.object.kind());
        slot.capability = Some(Capability::new(tombstone, Rights::NONE));
        slot.deadline_ns = NEVER;
        while let Some(thread) = self.waiting_through(process, node) {
            self.denied.set(crate::audit::Denied {
                handle: self.threads[thread].context.rdi & u64::from(u32::MAX),
                object: Some(capability.object),
            });
            self.end_wait(thread, Error::Revoked, machine);
        }
        self.release(&capability, machine);
    }

    /// A thread of a process that waits through a handle.
    fn waiting_through(&self, process: ProcessId, node: NodeId) -> Option<ThreadId> {
        let mut threads = self.threads_of(process);
        threads.find(|&thread| self.threads[thread].waits_through(node))
    }
}
