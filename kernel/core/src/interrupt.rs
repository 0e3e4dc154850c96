//! Interrupt lines, each held by at most one object.
//!
//! A line is let through once: when it fires, the machine has masked it, the bound notification is signalled, and it
//! stays masked until the driver acknowledges.

use nonos_abi::Error;

use crate::arena::{Empty, InterruptId, ProcessId};
use crate::handle::Found;
use crate::kernel::Kernel;
use crate::lineage::{Derived, NEVER, Side};
use crate::machine::Machine;
use crate::notification::Signal;

/// One line.
pub struct Interrupt {
    /// Global system interrupt number.
    pub(crate) global: u32,
    /// What to signal; holds a reference.
    pub(crate) signal: Option<Signal>,
    /// When one of the handles expires that it was bound with.
    pub(crate) expires_ns: u64,
}

impl Empty for Interrupt {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            global: 0,
            signal: None,
            expires_ns: NEVER,
        }
    }
}

impl Kernel {
    /// Makes the object of a line, with one reference. The line stays masked until it is bound.
    pub(crate) fn create_interrupt(
        &mut self,
        payer: ProcessId,
        global: u32,
    ) -> Result<InterruptId, Error> {
        if self
            .interrupts
            .iter()
            .any(|(_, interrupt)| interrupt.global == global)
        {
            return Err(Error::Busy);
        }
        self.check_object_quota(payer)?;
        let interrupt = Interrupt {
            global,
            ..Interrupt::unused()
        };
        let id = self
            .interrupts
            .insert(interrupt, Some(payer))
            .ok_or(Error::OutOfObjects)?;
        self.charge_object(payer);
        Ok(id)
    }

    /// Has a line signal a notification from now on, by the authority of both handles, and enables it.
    pub(crate) fn bind_interrupt(
        &mut self,
        id: InterruptId,
        source: &Found,
        sink: &Found,
        signal: Signal,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        self.lineage.check_depth(source.node)?;
        self.lineage.check_depth(sink.node)?;
        self.unbind_interrupt(id, machine);
        self.notifications.retain(signal.notification);
        self.interrupts[id].signal = Some(signal);
        self.interrupts[id].expires_ns = source.deadline_ns.min(sink.deadline_ns);
        for (side, handle) in [(Side::Source, source), (Side::Notification, sink)] {
            let node = self.lineage.node(Derived::Interrupt(id, side));
            self.lineage.link(node, handle.node);
        }
        machine.interrupt_enable(self.interrupts[id].global);
        Ok(())
    }

    /// Undoes a binding, and masks the line.
    pub(crate) fn unbind_interrupt(&mut self, id: InterruptId, machine: &mut impl Machine) {
        let Some(signal) = self.interrupts[id].signal.take() else {
            return;
        };
        machine.interrupt_disable(self.interrupts[id].global);
        for side in [Side::Source, Side::Notification] {
            let node = self.lineage.node(Derived::Interrupt(id, side));
            self.lineage.unlink(node);
        }
        self.release_notification(signal.notification, machine);
    }

    /// A line fired.
    pub(crate) fn interrupt(&mut self, global: u32, machine: &mut impl Machine) {
        let mut interrupts = self.interrupts.iter();
        let found = interrupts.find(|(_, interrupt)| interrupt.global == global);
        let Some((id, found)) = found else { return };
        let (signal, expires_ns) = (found.signal, found.expires_ns);
        drop(interrupts);
        if expires_ns != NEVER && machine.now_ns() >= expires_ns {
            self.unbind_interrupt(id, machine);
        } else if let Some(signal) = signal {
            self.signal(signal, machine);
        }
    }

    /// Drops a reference; with the last one, masks the line.
    #[inline(never)]
    pub(crate) fn release_interrupt(&mut self, id: InterruptId, machine: &mut impl Machine) {
        if self.interrupts.release(id) > 0 {
            return;
        }
        self.unbind_interrupt(id, machine);
        machine.interrupt_disable(self.interrupts[id].global);
        let payer = self.interrupts.payer(id);
        self.interrupts.remove(id);
        self.uncharge_object(payer);
    }
}
