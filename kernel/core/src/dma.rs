//! What devices were stopped from doing: counted, said in the log, and in the state of the system.

use nonos_abi::info::DmaStatus;

use crate::kernel::Kernel;
use crate::machine::{DMA_FAULTS_MAX, DmaFault, Machine};

/// So many are all in the log; after that, one when the count doubles. A device cannot push everything else out of it.
const LOGGED: u64 = 16;

/// How often, and the last time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stopped {
    count: u64,
    last: DmaFault,
}

impl Kernel {
    /// Counts and reports what devices were stopped from doing since the last time, within a bound: they may do more meanwhile.
    pub(crate) fn report_dma(&mut self, machine: &mut impl Machine) {
        for _ in 0..DMA_FAULTS_MAX {
            let Some(last) = machine.dma_fault() else {
                return;
            };
            let count = self.dma.count + 1;
            self.dma = Stopped { count, last };
            if count <= LOGGED || count.is_power_of_two() {
                let DmaFault {
                    device,
                    address,
                    reason,
                    ..
                } = last;
                // As words: their formatting is there already.
                let [device, reason] = [u64::from(device), u64::from(reason)];
                let (bus, slot, function) = (device >> 8, device >> 3 & 31, device & 7);
                let what = match (reason, last.write) {
                    // VT-d 4.1, table 29.
                    (0x20..=0x2F, _) => "interrupting",
                    (_, true) => "writing",
                    (_, false) => "reading",
                };
                self.log(
                    format_args!(
                        "device {bus:02x}:{slot:02x}.{function} was stopped {what} at {address:#x}, VT-d reason {reason:#x}, {count} so far"
                    ),
                    machine,
                );
            }
        }
    }

    /// What is on, and what was stopped up to now.
    pub(crate) fn dma_status(&mut self, machine: &mut impl Machine) -> DmaStatus {
        self.report_dma(machine);
        let Stopped { count, last } = self.dma;
        DmaStatus {
            stopped: count,
            device: last.device.into(),
            address: last.address,
            reason: last.reason.into(),
            write: last.write.into(),
            ..machine.dma_status()
        }
    }
}
