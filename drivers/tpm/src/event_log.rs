//! The event log, as the boot loader handed it over.

use nonos_rt::abi::info::{BootStatus, EVENT_LOG_PART_BYTES, EventLogPart, Topic};
use nonos_rt::object::SystemInfo;
use nonos_tpm::event_log::Log;

/// The log, with the part that was read last.
pub struct EventLog<'a> {
    system: &'a SystemInfo,
    bytes: u64,
    part: Option<(u64, EventLogPart)>,
}

impl<'a> EventLog<'a> {
    /// The log; `None` when there is none.
    pub fn find(system: &'a SystemInfo) -> Option<Self> {
        let boot: BootStatus = system.read(Topic::Boot, 0).ok()?;
        (boot.event_log_bytes > 0).then_some(Self {
            system,
            bytes: boot.event_log_bytes,
            part: None,
        })
    }

    fn byte(&mut self, offset: u64) -> Option<u8> {
        let index = offset / EVENT_LOG_PART_BYTES as u64;
        let at = (offset % EVENT_LOG_PART_BYTES as u64) as usize;
        let part = match &self.part {
            Some((known, part)) if *known == index => part,
            _ => {
                let part = self.system.read(Topic::EventLog, index).ok()?;
                &self.part.insert((index, part)).1
            }
        };
        Some(part.words.get(at / 8)?.to_le_bytes()[at % 8])
    }
}

impl Log for EventLog<'_> {
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Option<()> {
        let end = offset.checked_add(out.len() as u64)?;
        if end > self.bytes {
            return None;
        }
        for (position, byte) in (offset..end).zip(out) {
            *byte = self.byte(position)?;
        }
        Some(())
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
