//! Bytes as the firmware's event log and as its final events; also as AML with a sleep type.
#![no_main]

use nonos_boot::sleep_state;
use nonos_boot::tpm::event_log;

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
    if let Some((a, b)) = sleep_state::soft_off(log) {
        assert!(a <= 7 && b <= 7);
    }
});
