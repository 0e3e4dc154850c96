//! Time zones: by how much clocks on a wall differ from UTC, and when they go by summer time.
//!
//! The offsets and rules are those of 2026, and are taken to hold for all years: there is no table of what was or what laws will change.

use nonos_abi::date::{DAY_SECONDS, Date, weekday};

/// Places with the same time.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    /// What they are called.
    pub places: &'static str,
    /// Minutes after UTC, without summer time.
    standard_minutes: i16,
    summer: Option<&'static Summer>,
}

/// When clocks go by summer time, which is an hour ahead.
#[derive(Debug)]
struct Summer {
    begin: Change,
    end: Change,
    /// Whether hours of changes are hours of UTC; they are hours of the zone's standard time otherwise.
    at_utc: bool,
}

/// When clocks are changed: at an hour of a Sunday.
#[derive(Debug)]
struct Change {
    month: u64,
    /// It is the first Sunday from this day of the month on.
    day: u64,
    hour: u64,
}

const fn change(month: u64, day: u64, hour: u64) -> Change {
    Change { month, day, hour }
}

/// European Union (directive 2000/84/EC) and United Kingdom: last Sundays of March and October, 1:00 UTC.
const EUROPE: Summer = Summer {
    begin: change(3, 25, 1),
    end: change(10, 25, 1),
    at_utc: true,
};

/// United States (15 U.S.C. § 260a) and Canada: second Sunday of March, 2:00, to the first of November, 2:00 of summer time.
const AMERICA: Summer = Summer {
    begin: change(3, 8, 2),
    end: change(11, 1, 1),
    at_utc: false,
};

/// The south-east of Australia: first Sunday of October, 2:00, to the first of April, 3:00 of summer time.
const AUSTRALIA: Summer = Summer {
    begin: change(10, 1, 2),
    end: change(4, 1, 2),
    at_utc: false,
};

/// New Zealand: last Sunday of September, 2:00, to the first of April, 3:00 of summer time.
const NEW_ZEALAND: Summer = Summer {
    begin: change(9, 24, 2),
    end: change(4, 1, 2),
    at_utc: false,
};

const fn zone(
    standard_minutes: i16,
    summer: Option<&'static Summer>,
    places: &'static str,
) -> Zone {
    Zone {
        places,
        standard_minutes,
        summer,
    }
}

/// The zones that can be chosen: UTC, then from west to east.
pub const ZONES: [Zone; 40] = [
    zone(0, None, "UTC"),
    zone(-600, None, "Honolulu"),
    zone(-540, Some(&AMERICA), "Anchorage"),
    zone(-480, Some(&AMERICA), "Los Angeles, Vancouver"),
    zone(-420, None, "Phoenix"),
    zone(-420, Some(&AMERICA), "Denver, Calgary"),
    zone(-360, None, "Mexico City"),
    zone(-360, Some(&AMERICA), "Chicago, Winnipeg"),
    zone(-300, None, "Bogotá, Lima"),
    zone(-300, Some(&AMERICA), "New York, Toronto"),
    zone(-240, None, "Caracas"),
    zone(-240, Some(&AMERICA), "Halifax"),
    zone(-210, Some(&AMERICA), "St. John’s"),
    zone(-180, None, "Buenos Aires, São Paulo"),
    zone(0, None, "Accra, Reykjavík"),
    zone(0, Some(&EUROPE), "Dublin, Lisbon, London"),
    zone(60, None, "Lagos"),
    zone(60, Some(&EUROPE), "Berlin, Madrid, Paris, Rome"),
    zone(120, None, "Johannesburg"),
    zone(120, Some(&EUROPE), "Athens, Helsinki, Kyiv"),
    zone(180, None, "Istanbul, Moscow, Nairobi"),
    zone(210, None, "Tehran"),
    zone(240, None, "Dubai"),
    zone(300, None, "Karachi, Tashkent"),
    zone(330, None, "Delhi, Mumbai"),
    zone(345, None, "Kathmandu"),
    zone(360, None, "Dhaka"),
    zone(390, None, "Yangon"),
    zone(420, None, "Bangkok, Hanoi, Jakarta"),
    zone(480, None, "Beijing, Perth, Singapore"),
    zone(540, None, "Seoul, Tokyo"),
    zone(570, None, "Darwin"),
    zone(570, Some(&AUSTRALIA), "Adelaide"),
    zone(600, None, "Brisbane"),
    zone(600, Some(&AUSTRALIA), "Melbourne, Sydney"),
    zone(660, None, "Nouméa"),
    zone(720, None, "Suva"),
    zone(720, Some(&NEW_ZEALAND), "Auckland"),
    zone(780, None, "Apia"),
    zone(840, None, "Kiritimati"),
];

impl Zone {
    /// Whether its clocks go by summer time in a part of the year.
    pub const fn has_summer_time(&self) -> bool {
        self.summer.is_some()
    }

    /// Minutes after UTC, without summer time.
    pub fn standard_minutes(&self) -> i64 {
        self.standard_minutes.into()
    }

    /// What clocks show at a second since 1970 of UTC, as a second since 1970.
    pub fn local(&self, utc_seconds: u64) -> u64 {
        let standard = self.standard(utc_seconds);
        match self.summer {
            Some(summer) if summer.holds(utc_seconds, standard) => standard.saturating_add(3600),
            _ => standard,
        }
    }

    fn standard(&self, utc_seconds: u64) -> u64 {
        utc_seconds.saturating_add_signed(self.standard_minutes() * 60)
    }
}

impl Summer {
    /// Whether it is summer at this second of UTC, which is that one of the zone's standard time.
    fn holds(&self, utc: u64, standard: u64) -> bool {
        let year = Date::from_seconds(standard).year;
        let (Some(begin), Some(end)) = (self.begin.in_year(year), self.end.in_year(year)) else {
            return false;
        };
        let now = if self.at_utc { utc } else { standard };
        if begin < end {
            (begin..end).contains(&now)
        } else {
            !(end..begin).contains(&now)
        }
    }
}

impl Change {
    /// The second of a year; nothing for years that [`Date`] does not know.
    fn in_year(&self, year: u64) -> Option<u64> {
        let first = Date {
            year,
            month: self.month,
            day: self.day,
            hour: self.hour,
            minute: 0,
            second: 0,
        };
        let first = first.seconds()?;
        Some(first + (7 - weekday(first)) % 7 * DAY_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::format;
    use std::string::String;

    /// What the clocks of a place show a second before, and at, a time of UTC: year, month, day, hour, minute.
    fn around(places: &str, [year, month, day, hour, minute]: [u64; 5]) -> [String; 2] {
        let date = Date {
            year,
            month,
            day,
            hour,
            minute,
            second: 0,
        };
        let utc = date.seconds().unwrap();
        let zone = ZONES.iter().find(|zone| zone.places.contains(places));
        [utc - 1, utc].map(|utc| format!("{}", Date::from_seconds(zone.unwrap().local(utc))))
    }

    #[test]
    fn summer_time_begins_and_ends_as_the_eu_has_it() {
        for (places, begin, end) in [
            ("London", ["00:59:59", "02:00:00"], ["01:59:59", "01:00:00"]),
            ("Berlin", ["01:59:59", "03:00:00"], ["02:59:59", "02:00:00"]),
            ("Athens", ["02:59:59", "04:00:00"], ["03:59:59", "03:00:00"]),
        ] {
            let on = |day: &str, times: [&str; 2]| times.map(|time| format!("{day} {time}"));
            let found = around(places, [2026, 3, 29, 1, 0]);
            assert_eq!(found, on("2026-03-29", begin));
            let found = around(places, [2026, 10, 25, 1, 0]);
            assert_eq!(found, on("2026-10-25", end));
            // The last Sunday is the 31st, too.
            let found = around(places, [2024, 3, 31, 1, 0]);
            assert_eq!(found, on("2024-03-31", begin));
            let found = around(places, [2027, 10, 31, 1, 0]);
            assert_eq!(found, on("2027-10-31", end));
        }
    }

    #[test]
    fn summer_time_begins_and_ends_as_the_us_has_it() {
        let begin = ["2026-03-08 01:59:59", "2026-03-08 03:00:00"];
        assert_eq!(around("New York", [2026, 3, 8, 7, 0]), begin);
        assert_eq!(around("Los Angeles", [2026, 3, 8, 10, 0]), begin);
        assert_eq!(around("St. John", [2026, 3, 8, 5, 30]), begin);
        let end = ["2026-11-01 01:59:59", "2026-11-01 01:00:00"];
        assert_eq!(around("New York", [2026, 11, 1, 6, 0]), end);
        assert_eq!(around("Los Angeles", [2026, 11, 1, 9, 0]), end);
        assert_eq!(around("St. John", [2026, 11, 1, 4, 30]), end);
        // As late as it can be.
        let late = ["2027-03-14 01:59:59", "2027-03-14 03:00:00"];
        assert_eq!(around("Denver", [2027, 3, 14, 9, 0]), late);
        let late = ["2027-11-07 01:59:59", "2027-11-07 01:00:00"];
        assert_eq!(around("Denver", [2027, 11, 7, 8, 0]), late);
    }

    #[test]
    fn in_the_south_summer_is_around_new_year() {
        let begin = ["2026-10-04 01:59:59", "2026-10-04 03:00:00"];
        assert_eq!(around("Sydney", [2026, 10, 3, 16, 0]), begin);
        assert_eq!(around("Adelaide", [2026, 10, 3, 16, 30]), begin);
        let end = ["2026-04-05 02:59:59", "2026-04-05 02:00:00"];
        assert_eq!(around("Sydney", [2026, 4, 4, 16, 0]), end);
        assert_eq!(around("Auckland", [2026, 4, 4, 14, 0]), end);
        let begin = ["2026-09-27 01:59:59", "2026-09-27 03:00:00"];
        assert_eq!(around("Auckland", [2026, 9, 26, 14, 0]), begin);
        let new_year = ["2026-12-31 23:59:59", "2027-01-01 00:00:00"];
        assert_eq!(around("Sydney", [2026, 12, 31, 13, 0]), new_year);
    }

    #[test]
    fn zones_without_summer_time_have_one_offset() {
        let found = around("Kathmandu", [2026, 7, 1, 18, 15]);
        assert_eq!(found, ["2026-07-01 23:59:59", "2026-07-02 00:00:00"]);
        let found = around("Phoenix", [2026, 7, 1, 7, 0]);
        assert_eq!(found, ["2026-06-30 23:59:59", "2026-07-01 00:00:00"]);
    }

    #[test]
    fn zones_go_from_west_to_east_and_no_second_is_too_much() {
        for pair in ZONES[1..].windows(2) {
            assert!(pair[0].standard_minutes <= pair[1].standard_minutes);
        }
        for zone in ZONES {
            for seconds in [0, 1, 4_102_444_799, 7_258_118_399, 1 << 40, u64::MAX] {
                let hours = zone.local(seconds).abs_diff(seconds) / 3600;
                assert!(hours <= 14, "{zone:?}");
            }
        }
    }
}
