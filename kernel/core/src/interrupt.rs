//! Interrupt lines, each held by at most one object.
//!
//! A line is let through once: when it fires, the machine has masked it, the bound notification is signalled, and it
//! stays masked until the driver acknowledges.

use nonos_abi::Error;

use crate::arena::{Empty, InterruptId, ProcessId};
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::notification::Signal;

/// One line.
pub struct Interrupt {
    /// Global system interrupt number.
    pub(crate) global: u32,
    /// What to signal; holds a reference.
    pub(crate) signal: Option<Signal>,
}

impl Empty for Interrupt {
    const EMPTY: Self = Self {
        global: 0,
        signal: None,
    };
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
            signal: None,
        };
        let id = self
            .interrupts
            .insert(interrupt, Some(payer))
            .ok_or(Error::OutOfObjects)?;
        self.charge_object(payer);
        Ok(id)
    }

    /// Has a line signal a notification from now on, and enables it.
    pub(crate) fn bind_interrupt(
        &mut self,
        id: InterruptId,
        signal: Signal,
        machine: &mut impl Machine,
    ) {
        self.notifications.retain(signal.notification);
        if let Some(old) = self.interrupts[id].signal.replace(signal) {
            self.release_notification(old.notification);
        }
        machine.interrupt_enable(self.interrupts[id].global);
    }

    /// A line fired.
    pub(crate) fn interrupt(&mut self, global: u32) {
        let found = self
            .interrupts
            .iter()
            .find(|(_, interrupt)| interrupt.global == global);
        let signal = found.and_then(|(_, interrupt)| interrupt.signal);
        if let Some(signal) = signal {
            self.signal(signal);
        }
    }

    /// Drops a reference; with the last one, masks the line.
    pub(crate) fn release_interrupt(&mut self, id: InterruptId, machine: &mut impl Machine) {
        if self.interrupts.release(id) > 0 {
            return;
        }
        let Interrupt { global, signal } =
            core::mem::replace(&mut self.interrupts[id], Interrupt::EMPTY);
        machine.interrupt_disable(global);
        if let Some(signal) = signal {
            self.release_notification(signal.notification);
        }
        let payer = self.interrupts.payer(id);
        self.interrupts.remove(id);
        self.uncharge_object(payer);
    }
}
