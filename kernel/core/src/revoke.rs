//! Revocation: undoing what was derived from a handle.
//!
//! When it is complete, nothing below the handle works on any CPU: handles are tombstones, mappings are gone and forgotten,
//! bindings undone, and threads that waited through one of the handles have their answer. Leases and queued messages end
//! with the call that they belong to.

use nonos_abi::{Error, Rights};

use crate::audit::Denied;
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::lineage::{Derived, NEVER, NodeId};
use crate::machine::Machine;
use crate::object::Object;

/// Nodes that one stay in the kernel removes.
const NODES_AT_ONCE: usize = 256;

impl Kernel {
    /// Removes what was derived from a node; says whether nothing is left. If something is, call again.
    pub(crate) fn revoke(&mut self, root: NodeId, machine: &mut impl Machine) -> bool {
        for _ in 0..NODES_AT_ONCE {
            let Some(node) = self.lineage.take_child(root) else {
                return true;
            };
            self.remove_derived(node, machine);
        }
        self.lineage.children(root).next().is_none()
    }

    /// Undoes what a node stands for. It has no links any more.
    fn remove_derived(&mut self, node: NodeId, machine: &mut impl Machine) {
        // The nodes of all slots come first, in the order of the slots.
        let Some(slot) = self.slots.get_mut(node.position()) else {
            return self.remove_other(node, machine);
        };
        let Some(capability) = slot.capability else {
            return;
        };
        let tombstone = Object::Revoked(capability.object.kind());
        slot.fill(Capability::new(tombstone, Rights::NONE), NEVER);
        if core::mem::take(&mut slot.waited) {
            self.end_waits(node, capability.object, machine);
        }
        self.release(&capability, machine);
    }

    #[inline(never)]
    fn remove_other(&mut self, node: NodeId, machine: &mut impl Machine) {
        match self.lineage.derived(node) {
            Some(Derived::Region(process, number)) => {
                self.unmap_numbered_region(process, number, machine);
            }
            Some(Derived::Interrupt(id, _)) => self.unbind_interrupt(id, machine),
            Some(Derived::Watch(id, _)) => self.cancel_watch(id, machine),
            Some(Derived::Timer(id, _)) => self.unset_timer(id, machine),
            Some(Derived::Window(number, _)) => self.close_window(number, machine),
            Some(Derived::Bound(thread)) => self.unbind_notification(thread, machine),
            Some(Derived::Slot(..)) | None => {}
        }
    }

    /// Answers the threads that wait through a handle.
    #[cold]
    fn end_waits(&mut self, node: NodeId, object: Object, machine: &mut impl Machine) {
        let Some(Derived::Slot(process, _)) = self.lineage.derived(node) else {
            return;
        };
        while let Some(thread) = self.waiting_through(process, node) {
            self.denied.set(Denied {
                handle: self.threads[thread].context.rdi & u64::from(u32::MAX),
                object: Some(object),
            });
            self.end_wait(thread, Error::Revoked, machine);
        }
    }
}
