//! Dates of the Gregorian calendar and seconds since 1970, in one time zone, without leap seconds.

/// The first year that is taken for true: a clock that lost its power starts before.
const FIRST_YEAR: u64 = 2024;
/// The last.
const LAST_YEAR: u64 = 2199;

/// Seconds of a day.
pub const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Day of the week of a second since 1970: 0 is Sunday.
pub const fn weekday(seconds: u64) -> u64 {
    // The first of January 1970 was a Thursday.
    (seconds / DAY_SECONDS + 4) % 7
}

/// A second of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date {
    /// Year.
    pub year: u64,
    /// Month, 1 to 12.
    pub month: u64,
    /// Day of the month, 1 to 31.
    pub day: u64,
    /// Hour, 0 to 23.
    pub hour: u64,
    /// Minute, 0 to 59.
    pub minute: u64,
    /// Second, 0 to 59.
    pub second: u64,
}

impl Date {
    /// Seconds since the first of January 1970; `None` for what is no date, or of no year from 2024 to 2199.
    pub fn seconds(&self) -> Option<u64> {
        let exists = (FIRST_YEAR..=LAST_YEAR).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        if !exists {
            return None;
        }
        let months = (1..self.month).map(|month| days_of_month(self.year, month));
        let days = days_before(self.year) + months.sum::<u64>() + self.day - 1;
        Some(days * DAY_SECONDS + self.hour * 3600 + self.minute * 60 + self.second)
    }

    /// The date of a second since 1970.
    pub fn from_seconds(seconds: u64) -> Self {
        let mut day = seconds / DAY_SECONDS;
        // 400 years have 146,097 days; the year before or after it may be the right one.
        let mut year = 1970 + day * 400 / 146_097;
        if days_before(year) > day {
            year -= 1;
        } else if days_before(year + 1) <= day {
            year += 1;
        }
        day -= days_before(year);
        let mut month = 1;
        while day >= days_of_month(year, month) {
            day -= days_of_month(year, month);
            month += 1;
        }
        let second = seconds % DAY_SECONDS;
        Self {
            year,
            month,
            day: day + 1,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }
}

/// `2026-02-28 12:34:56`
impl core::fmt::Display for Date {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:04}-{:02}-{:02} ", self.year, self.month, self.day)?;
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// Days from 1970 to the first day of a year after it.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn date(year: u64, month: u64, day: u64, hour: u64, minute: u64, second: u64) -> Date {
        Date {
            year,
            month,
            day,
            hour,
            minute,
            second,
        }
    }

    #[test]
    fn known_seconds_and_dates_belong_together() {
        for (seconds, known) in [
            (1_704_067_200, date(2024, 1, 1, 0, 0, 0)),
            (1_709_251_199, date(2024, 2, 29, 23, 59, 59)),
            (1_772_282_096, date(2026, 2, 28, 12, 34, 56)),
            (4_107_542_399, date(2100, 2, 28, 23, 59, 59)),
            (4_107_542_400, date(2100, 3, 1, 0, 0, 0)),
            (7_258_118_399, date(2199, 12, 31, 23, 59, 59)),
        ] {
            assert_eq!(known.seconds(), Some(seconds), "{known}");
            assert_eq!(Date::from_seconds(seconds), known);
        }
        assert_eq!(Date::from_seconds(0), date(1970, 1, 1, 0, 0, 0));
        assert_eq!(
            Date::from_seconds(253_402_300_799),
            date(9999, 12, 31, 23, 59, 59)
        );
        let last = Date::from_seconds(u64::MAX);
        assert!(last.year > 500_000_000_000 && (1..=12).contains(&last.month));
    }

    #[test]
    fn known_days_of_the_week() {
        for (known, day) in [
            (date(2024, 2, 29, 23, 59, 59), 4),
            (date(2026, 11, 27, 0, 0, 0), 5),
            (date(2026, 11, 29, 12, 0, 0), 0),
            (date(2100, 3, 1, 0, 0, 0), 1),
        ] {
            assert_eq!(known.seconds().map(weekday), Some(day), "{known}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let first = date(2024, 1, 1, 6, 7, 8);
        let start = first.seconds().unwrap();
        let mut expected = first;
        for day in 0..176 * 366 {
            let seconds = start + day * DAY_SECONDS;
            let found = Date::from_seconds(seconds);
            assert_eq!(found, expected);
            let in_range = found.year <= LAST_YEAR;
            assert_eq!(found.seconds(), in_range.then_some(seconds), "{found}");
            expected.day += 1;
            if expected.day > days_of_month(expected.year, expected.month) {
                (expected.month, expected.day) = (expected.month + 1, 1);
            }
            if expected.month > 12 {
                (expected.year, expected.month) = (expected.year + 1, 1);
            }
        }
    }

    #[test]
    fn what_is_no_date_has_no_seconds() {
        for wrong in [
            date(2023, 12, 31, 23, 59, 59),
            date(2200, 1, 1, 0, 0, 0),
            date(0, 0, 0, 0, 0, 0),
            date(2026, 0, 1, 0, 0, 0),
            date(2026, 13, 1, 0, 0, 0),
            date(2026, 1, 0, 0, 0, 0),
            date(2026, 1, 32, 0, 0, 0),
            date(2026, 4, 31, 0, 0, 0),
            date(2026, 2, 29, 0, 0, 0),
            date(2100, 2, 29, 0, 0, 0),
            date(2026, 1, 1, 24, 0, 0),
            date(2026, 1, 1, 0, 60, 0),
            date(2026, 1, 1, 0, 0, 60),
            date(u64::MAX, u64::MAX, u64::MAX, 0, 0, 0),
        ] {
            assert_eq!(wrong.seconds(), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_date_is_written_largest_part_first() {
        extern crate std;
        let text = std::format!("{}", date(2026, 2, 3, 4, 5, 6));
        assert_eq!(text, "2026-02-03 04:05:06");
    }
}
