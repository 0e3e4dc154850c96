//! Bytes as the firmware's event log, which the driver replays, and as its final events; also as AML with a sleep type.
#![no_main]

use nonos_boot::sleep_state;
use nonos_tpm::event_log;

struct Whole<'a>(&'a [u8]);

impl event_log::Log for Whole<'_> {
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Option<()> {
        let from = self.0.get(usize::try_from(offset).ok()?..)?;
        out.copy_from_slice(from.get(..out.len())?);
        Some(())
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((last, log)) = bytes.split_first_chunk() else {
        return;
    };
    let last = usize::from(u16::from_le_bytes(*last));
    if let Some(end) = event_log::log_bytes(log, last) {
        assert!(last < end && end <= log.len());
    }
    if let Some((format, end)) = event_log::format(log) {
        assert!(end <= log.len());
        if let Some(events) = event_log::final_events(&format, &log[end..]) {
            assert!(events.len() <= log.len() - end);
        }
    }
    let mut whole = Whole(log);
    if let Some(replayed) = event_log::replay(&mut whole) {
        assert_ne!(replayed.events, 0);
    }
    if let Some((a, b)) = sleep_state::soft_off(log) {
        assert!(a <= 7 && b <= 7);
    }
});
