//! The clock of the bar: UTC by the firmware's clock at boot, shown in the zone that the user chose.

use alloc::format;
use alloc::string::String;

use nonos_abi::date::{Date, weekday};
use nonos_proto::settings::ZONES;

const NS_PER_SECOND: u64 = 1_000_000_000;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Which minute it shows, and of which zone.
#[derive(Debug)]
pub struct Clock {
    /// Seconds since 1970, UTC, when the kernel's clock started; nothing when that is unknown.
    started: Option<u64>,
    /// Minutes since 1970, UTC.
    minute: u64,
    /// Place in [`ZONES`].
    zone: usize,
}

impl Clock {
    /// A clock that shows UTC.
    pub fn new(started: Option<u64>) -> Self {
        Self {
            started,
            minute: started.unwrap_or(0) / 60,
            zone: 0,
        }
    }

    /// Place of the zone in [`ZONES`].
    pub fn zone(&self) -> usize {
        self.zone
    }

    /// Shows the time of another zone.
    pub fn set_zone(&mut self, zone: usize) {
        self.zone = zone.min(ZONES.len() - 1);
    }

    /// Time went by, on the kernel's clock. Tells whether it is another minute.
    pub fn tick(&mut self, now_ns: u64) -> bool {
        let Some(started) = self.started else {
            return false;
        };
        let minute = started.saturating_add(now_ns / NS_PER_SECOND) / 60;
        core::mem::replace(&mut self.minute, minute) != minute
    }

    /// When the next minute begins, on the kernel's clock.
    pub fn next_ns(&self) -> Option<u64> {
        let next = self.minute.saturating_add(1).saturating_mul(60);
        let seconds = next.saturating_sub(self.started?);
        Some(seconds.saturating_mul(NS_PER_SECOND))
    }

    /// What it shows, with the day or without: `Fri 27 Nov 13:05`. In UTC it says so. Nothing when the time is unknown.
    pub fn text(&self, with_day: bool) -> Option<String> {
        self.started?;
        let local = ZONES[self.zone].local(self.minute.saturating_mul(60));
        let date = Date::from_seconds(local);
        let utc = if self.zone == 0 { " UTC" } else { "" };
        let time = format!("{:02}:{:02}{utc}", date.hour, date.minute);
        if !with_day {
            return Some(time);
        }
        let day = DAYS[weekday(local) as usize];
        let month = MONTHS[date.month as usize - 1];
        Some(format!("{day} {} {month} {time}", date.day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 27th of November 2026, 23:58:30 UTC.
    const STARTED: u64 = 1_795_823_910;

    #[test]
    fn it_shows_each_minute_when_it_begins() {
        let mut clock = Clock::new(Some(STARTED));
        assert!(!clock.tick(29 * NS_PER_SECOND));
        assert_eq!(clock.text(false).unwrap(), "23:58 UTC");
        assert_eq!(clock.next_ns(), Some(30 * NS_PER_SECOND));
        assert!(!clock.tick(30 * NS_PER_SECOND - 1));
        assert!(clock.tick(30 * NS_PER_SECOND));
        assert_eq!(clock.text(true).unwrap(), "Fri 27 Nov 23:59 UTC");
        assert_eq!(clock.next_ns(), Some(90 * NS_PER_SECOND));
        // A minute that nobody was woken for.
        assert!(clock.tick(200 * NS_PER_SECOND));
        assert_eq!(clock.text(true).unwrap(), "Sat 28 Nov 00:01 UTC");
    }

    #[test]
    fn it_shows_the_time_of_its_zone() {
        let mut clock = Clock::new(Some(STARTED));
        let of = |places: &str| ZONES.iter().position(|zone| zone.places.contains(places));
        clock.set_zone(of("Berlin").unwrap());
        assert_eq!(clock.text(true).unwrap(), "Sat 28 Nov 00:58");
        clock.set_zone(of("New York").unwrap());
        assert_eq!(clock.text(true).unwrap(), "Fri 27 Nov 18:58");
        clock.set_zone(usize::MAX);
        assert!(clock.zone() < ZONES.len());
    }

    #[test]
    fn a_time_that_nobody_knows_is_not_shown() {
        let mut clock = Clock::new(None);
        assert!(!clock.tick(90 * NS_PER_SECOND));
        assert_eq!((clock.text(true), clock.next_ns()), (None, None));
    }

    #[test]
    fn no_time_is_too_much() {
        for started in [0, 1, STARTED, u64::MAX / 2, u64::MAX] {
            let mut clock = Clock::new(Some(started));
            for now_ns in [0, 1, 60 * NS_PER_SECOND, u64::MAX] {
                clock.tick(now_ns);
                clock.next_ns();
                assert!(clock.text(true).is_some());
            }
        }
    }
}
