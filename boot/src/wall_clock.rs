//! What time it is, by the firmware's word. Nothing here decides on anything.

use nonos_abi::date::Date;

/// Most minutes between a local time and UTC (UEFI 2.10, 8.3, `EFI_TIME`).
const ZONE_MINUTES_MAX: i16 = 1440;

/// Seconds since 1970, UTC, of a local time, with the minutes that UTC is ahead of it; 0 for what cannot be. Without a time zone it
/// is taken for UTC.
pub fn seconds(local: Date, zone_minutes: Option<i16>) -> u64 {
    let zone = zone_minutes.unwrap_or(0);
    let is_zone = (-ZONE_MINUTES_MAX..=ZONE_MINUTES_MAX).contains(&zone);
    let seconds = local.seconds().filter(|_| is_zone);
    let utc = seconds.and_then(|seconds| seconds.checked_add_signed(i64::from(zone) * 60));
    utc.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Date = Date {
        year: 2026,
        month: 2,
        day: 28,
        hour: 12,
        minute: 34,
        second: 56,
    };

    #[test]
    fn a_time_zone_is_added_to_local_time() {
        assert_eq!(seconds(NOON, None), 1_772_282_096);
        assert_eq!(seconds(NOON, Some(0)), 1_772_282_096);
        assert_eq!(seconds(NOON, Some(-60)), 1_772_282_096 - 3600);
        assert_eq!(seconds(NOON, Some(1440)), 1_772_282_096 + 86_400);
    }

    #[test]
    fn what_cannot_be_is_unknown() {
        for zone in [1441, -1441, i16::MIN, i16::MAX] {
            assert_eq!(seconds(NOON, Some(zone)), 0, "{zone}");
        }
        assert_eq!(seconds(Date { day: 29, ..NOON }, None), 0);
        assert_eq!(seconds(Date { year: 2000, ..NOON }, None), 0);
    }
}
