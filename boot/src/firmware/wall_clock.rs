//! The firmware's clock.

use nonos_abi::date::Date;
use nonos_boot::wall_clock;
use uefi::runtime;

/// Seconds since 1970, UTC, now; 0 when it is unknown.
pub fn seconds() -> u64 {
    let Ok(time) = runtime::get_time() else {
        return 0;
    };
    let date = Date {
        year: time.year().into(),
        month: time.month().into(),
        day: time.day().into(),
        hour: time.hour().into(),
        minute: time.minute().into(),
        second: time.second().into(),
    };
    wall_clock::seconds(date, time.time_zone())
}
