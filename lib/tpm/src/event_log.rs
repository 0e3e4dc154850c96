//! The TCG event log: where it ends, and what it says of the PCRs.
//!
//! The firmware says where its log starts and where the last event starts, not where that ends, and events
//! after the log was fetched (the end of boot services itself is one) go to a second place, the final events
//! table. To hand over one whole log both are measured out here, event by event (TCG PC Client Platform
//! Firmware Profile 1.06, 10.2; TCG EFI Protocol Specification 1.00, 7.1). Nothing is interpreted beyond sizes.
//!
//! [`replay`] computes from such a log what the PCRs must be.

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

impl Format {
    /// Bytes of a digest.
    fn digest_bytes(&self, algorithm: u16) -> Option<u16> {
        let known = self.digests.iter().take(self.count);
        let (_, size) = known.into_iter().find(|(known, _)| *known == algorithm)?;
        Some(*size)
    }
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
        fields.skip(format.digest_bytes(algorithm)?.into())?;
    }
    let event = fields.u32()?;
    fields.skip(event as usize)?;
    Some(bytes.len() - fields.0.len())
}

/// The log, read piece by piece: it may be longer than what a driver has room for.
#[cfg(feature = "sessions")]
pub trait Log {
    /// Copies bytes from `offset` on; `None` when the log ends before.
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Option<()>;

    /// Bytes of the log.
    fn bytes(&self) -> u64;
}

/// What the PCRs of the SHA-256 bank must be after all events of a log.
#[cfg(feature = "sessions")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Values of the PCRs.
    pub pcrs: [crate::Digest; crate::PCRS],
    /// Which of them the log extends: bit n is PCR n.
    pub extended: u32,
    /// Number of events.
    pub events: u64,
}

#[cfg(feature = "sessions")]
impl Replayed {
    /// Which of the PCRs that the log extends have the value that follows from it.
    pub fn matching(&self, found: &[crate::Digest; crate::PCRS]) -> u32 {
        let pairs = self.pcrs.iter().zip(found).enumerate();
        let same = pairs.filter(|(_, (replayed, found))| replayed == found);
        same.fold(0, |mask, (index, _)| mask | 1 << index) & self.extended
    }
}

/// Replays a log (PC Client Platform Firmware Profile 1.06, 10.2); `None` when it is damaged or has no SHA-256 digests.
#[cfg(feature = "sessions")]
pub fn replay(log: &mut dyn Log) -> Option<Replayed> {
    let mut first = [0; FIRST_BYTES_MAX];
    let first = first.get_mut(..log.bytes().min(FIRST_BYTES_MAX as u64) as usize)?;
    log.read(0, first)?;
    let (format, start) = format(first)?;
    let mut replayed = Replayed {
        pcrs: core::array::from_fn(|pcr| [if (17..=22).contains(&pcr) { 0xFF } else { 0 }; 32]),
        extended: 0,
        events: 1,
    };
    let mut position = start as u64;
    while position < log.bytes() {
        position = replay_event(log, position, &format, &mut replayed)?;
        replayed.events += 1;
    }
    (position == log.bytes()).then_some(replayed)
}

/// Longest first event: what a format can take up, and what a vendor may add.
#[cfg(feature = "sessions")]
const FIRST_BYTES_MAX: usize = 512;

/// Replays the event (TCG_PCR_EVENT2) at a position and returns that of the next.
#[cfg(feature = "sessions")]
fn replay_event(
    log: &mut dyn Log,
    mut position: u64,
    format: &Format,
    replayed: &mut Replayed,
) -> Option<u64> {
    const NO_ACTION: u32 = 3;
    const SHA256: u16 = crate::constant::SHA256;
    let mut head = [0; 12];
    log.read(position, &mut head)?;
    position += head.len() as u64;
    let mut head = Fields(&head);
    let (pcr, kind, digests) = (head.u32()?, head.u32()?, head.u32()?);
    if digests > ALGORITHMS as u32 {
        return None;
    }
    let mut extension = None;
    for _ in 0..digests {
        let mut algorithm = [0; 2];
        log.read(position, &mut algorithm)?;
        let algorithm = u16::from_le_bytes(algorithm);
        if algorithm == SHA256 {
            let mut digest = [0; 32];
            log.read(position + 2, &mut digest)?;
            extension = Some(digest);
        }
        position += 2 + u64::from(format.digest_bytes(algorithm)?);
    }
    let mut size = [0; 4];
    log.read(position, &mut size)?;
    position += 4;
    let size = u64::from(u32::from_le_bytes(size));
    if kind == NO_ACTION {
        start_of_pcr_0(log, position, size, replayed)?;
    } else {
        let value = replayed.pcrs.get_mut(pcr as usize)?;
        let mut hash = nonos_crypto::hash::Sha256::new();
        hash.update(value);
        hash.update(&extension?);
        *value = hash.finish();
        replayed.extended |= 1 << pcr;
    }
    position += size;
    (position <= log.bytes()).then_some(position)
}

/// An event that extends nothing can say from which locality the TPM was started, which PCR 0 begins with (10.4.5.3).
#[cfg(feature = "sessions")]
fn start_of_pcr_0(log: &mut dyn Log, at: u64, bytes: u64, replayed: &mut Replayed) -> Option<()> {
    const SIGNATURE: &[u8; 16] = b"StartupLocality\0";
    let mut event = [0; SIGNATURE.len() + 1];
    if bytes == event.len() as u64 {
        log.read(at, &mut event)?;
        if let (signature, [locality]) = event.split_at(SIGNATURE.len())
            && signature == SIGNATURE
            && replayed.extended & 1 == 0
        {
            replayed.pcrs[0][31] = *locality;
        }
    }
    Some(())
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
    use std::vec;
    use std::vec::Vec;

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

    #[cfg(feature = "sessions")]
    impl Log for Vec<u8> {
        fn read(&mut self, offset: u64, out: &mut [u8]) -> Option<()> {
            let start = usize::try_from(offset).ok()?;
            let bytes = self.get(start..start.checked_add(out.len())?)?;
            out.copy_from_slice(bytes);
            Some(())
        }

        fn bytes(&self) -> u64 {
            self.len() as u64
        }
    }

    #[cfg(feature = "sessions")]
    #[test]
    fn a_replay_extends_each_pcr_by_the_digests_of_its_events() {
        let mut log = [first_event(), event(b"one"), event(b"two")].concat();
        let replayed = replay(&mut log).unwrap();
        let step = |old: [u8; 32]| nonos_crypto::hash::sha256(&[old, [2; 32]].concat());
        assert_eq!(replayed.pcrs[11], step(step([0; 32])));
        assert_eq!((replayed.extended, replayed.events), (1 << 11, 3));
        let mut found = replayed.pcrs;
        assert_eq!(replayed.matching(&found), 1 << 11);
        found[11][0] ^= 1;
        assert_eq!(replayed.matching(&found), 0);
    }

    #[cfg(feature = "sessions")]
    #[test]
    fn a_log_that_is_cut_or_goes_on_is_refused() {
        let good = [first_event(), event(b"one"), event(b"two")].concat();
        let whole = [
            0,
            first_event().len(),
            first_event().len() + event(b"one").len(),
        ];
        for length in 0..good.len() {
            let cut = replay(&mut good[..length].to_vec());
            assert_eq!(cut.is_some(), whole[1..].contains(&length), "{length}");
        }
        assert_eq!(replay(&mut [&good[..], &[0]].concat()), None);
    }

    #[cfg(feature = "sessions")]
    #[test]
    fn an_event_without_action_extends_nothing_but_can_say_where_pcr_0_starts() {
        let mut start = event(b"StartupLocality\0\x03");
        start[0] = 0;
        start[4] = 3;
        let mut log = [first_event(), start].concat();
        let replayed = replay(&mut log).unwrap();
        assert_eq!((replayed.extended, replayed.pcrs[0][31]), (0, 3));
        // An event for a PCR that no TPM has.
        let mut event = event(b"one");
        event[0] = 24;
        assert_eq!(replay(&mut [first_event(), event].concat()), None);
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
            #[cfg(feature = "sessions")]
            let _ = replay(&mut log);
        }
    }
}
