//! Where the TCG event log ends.
//!
//! The firmware says where its log starts and where the last event starts, not where that ends, and events
//! after the log was fetched (the end of boot services itself is one) go to a second place, the final events
//! table. To hand over one whole log both are measured out here, event by event (TCG PC Client Platform
//! Firmware Profile 1.06, 10.2; TCG EFI Protocol Specification 1.00, 7.1). Nothing is interpreted beyond sizes.

/// Most hash algorithms in a log.
const ALGORITHMS: usize = 16;

/// Bytes of the final events table before its events: version and number of events.
const FINAL_HEADER_BYTES: usize = 16;

/// Sizes of the digests in a log, from its first event.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Algorithm and bytes of its digests.
    digests: [(u16, u16); ALGORITHMS],
    count: usize,
}

/// Reads the first event of a log, which describes the others; also says how long it is.
pub fn format(log: &[u8]) -> Option<(Format, usize)> {
    let mut header = Fields(log);
    header.skip(4 + 4 + 20)?; // PCR, type, SHA-1 digest
    let event_bytes = header.u32()?;
    let mut event = Fields(header.bytes(event_bytes as usize)?);
    if event.bytes(16)? != b"Spec ID Event03\0" {
        return None;
    }
    event.skip(8)?; // platform class, version, size of UINTN
    let mut format = Format {
        digests: [(0, 0); ALGORITHMS],
        count: event.u32()? as usize,
    };
    for digest in format.digests.get_mut(..format.count)? {
        *digest = (event.u16()?, event.u16()?);
    }
    Some((format, log.len() - header.0.len()))
}

/// Bytes of a whole log whose last event starts at `last` (0 when there is none after the first).
///
/// `log` starts with the log and may go on after it.
pub fn log_bytes(log: &[u8], last: usize) -> Option<usize> {
    let (format, mut position) = format(log)?;
    if last == 0 {
        return Some(position);
    }
    loop {
        let end = position.checked_add(event_bytes(&format, log.get(position..)?)?)?;
        if position == last {
            return Some(end);
        }
        if end > last {
            return None;
        }
        position = end;
    }
}

/// The events in a final events table. `table` starts with it and may go on after it.
pub fn final_events<'a>(format: &Format, table: &'a [u8]) -> Option<&'a [u8]> {
    let mut header = Fields(table);
    header.skip(8)?; // version
    let count = header.u32()?;
    header.skip(4)?; // upper half of the count: no table is that long
    let mut end = FINAL_HEADER_BYTES;
    for _ in 0..count {
        end = end.checked_add(event_bytes(format, table.get(end..)?)?)?;
    }
    table.get(FINAL_HEADER_BYTES..end)
}

/// Bytes of the event (TCG_PCR_EVENT2) at the start of `bytes`.
fn event_bytes(format: &Format, bytes: &[u8]) -> Option<usize> {
    let mut fields = Fields(bytes);
    fields.skip(4 + 4)?; // PCR, type
    let digests = fields.u32()? as usize;
    if digests > ALGORITHMS {
        return None;
    }
    for _ in 0..digests {
        let algorithm = fields.u16()?;
        let known = format.digests.iter().take(format.count);
        let (_, size) = known.into_iter().find(|(known, _)| *known == algorithm)?;
        fields.skip((*size).into())?;
    }
    let event = fields.u32()?;
    fields.skip(event as usize)?;
    Some(bytes.len() - fields.0.len())
}

/// Little-endian fields, read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.bytes(count).map(|_| ())
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first_event() -> Vec<u8> {
        let mut event = b"Spec ID Event03\0".to_vec();
        event.extend([0, 0, 0, 0, 0, 2, 2, 2]);
        event.extend([2, 0, 0, 0]);
        event.extend([4, 0, 20, 0, 0x0B, 0, 32, 0]);
        event.push(0);
        let mut log = vec![0; 8 + 20];
        log[4] = 3;
        log.extend((event.len() as u32).to_le_bytes());
        log.extend(event);
        log
    }

    fn event(data: &[u8]) -> Vec<u8> {
        let mut event = vec![11, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 0, 4, 0];
        event.extend([1; 20]);
        event.extend([0x0B, 0]);
        event.extend([2; 32]);
        event.extend((data.len() as u32).to_le_bytes());
        event.extend(data);
        event
    }

    #[test]
    fn a_log_ends_where_its_last_event_ends() {
        let first = first_event();
        let (a, b) = (event(b"one"), event(b"and another"));
        let log = [&first[..], &a, &b, &[0xEE; 100]].concat();
        assert_eq!(log_bytes(&log, 0), Some(first.len()));
        assert_eq!(log_bytes(&log, first.len()), Some(first.len() + a.len()));
        let last = first.len() + a.len();
        assert_eq!(log_bytes(&log, last), Some(last + b.len()));
    }

    #[test]
    fn a_last_event_that_no_walk_reaches_is_an_error() {
        let first = first_event();
        let log = [&first[..], &event(b"one"), &event(b"two")].concat();
        assert_eq!(log_bytes(&log, first.len() + 1), None);
        assert_eq!(log_bytes(&log, first.len() - 1), None);
        assert_eq!(log_bytes(&log, log.len()), None);
    }

    #[test]
    fn final_events_are_counted_out() {
        let (format, _) = format(&first_event()).unwrap();
        let mut table = vec![1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        let events = [event(b"exit"), event(b"exited")].concat();
        table.extend(&events);
        table.extend([9; 50]);
        assert_eq!(final_events(&format, &table), Some(&events[..]));
        table[8] = 3;
        assert_eq!(final_events(&format, &table), None);
    }

    proptest! {
        #[test]
        fn hostile_logs_never_panic(
            at in 0usize..200, value: u8, last in 0usize..300, cut in 0usize..200
        ) {
            let mut log = [first_event(), event(b"one"), event(b"two")].concat();
            if let Some(byte) = log.get_mut(at) {
                *byte = value;
            }
            log.truncate(log.len() - cut.min(log.len()));
            if let Some(end) = log_bytes(&log, last) {
                prop_assert!(end <= log.len());
            }
            if let Some((format, _)) = format(&log) {
                let _ = final_events(&format, &log);
            }
        }
    }
}
