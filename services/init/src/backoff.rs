//! When a program that ended is started again: at once is too soon when it ends at once, and never is right when it goes on
//! like that.

/// Wait before the first restart.
const FIRST_NS: u64 = 100_000_000;
/// Longest wait; each is twice the one before.
const LONGEST_NS: u64 = 10_000_000_000;
/// A program that ran for so long is healthy: its earlier ends count no more.
const HEALTHY_NS: u64 = 60_000_000_000;
/// Most restarts in a row of a program that is not healthy.
pub const MOST_IN_A_ROW: u32 = 8;

/// What follows on the end of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It is started again at this time.
    At(u64),
    /// It keeps ending: it stays down.
    Never,
}

/// How often one program ended in a row.
#[derive(Clone, Copy, Default, Debug)]
pub struct Backoff {
    in_a_row: u32,
}

impl Backoff {
    /// No end yet.
    pub const fn new() -> Self {
        Self { in_a_row: 0 }
    }

    /// The program that was started at `started_ns` ended now.
    pub fn ended(&mut self, started_ns: u64, now_ns: u64) -> Next {
        if now_ns.saturating_sub(started_ns) >= HEALTHY_NS {
            self.in_a_row = 0;
        }
        if self.in_a_row >= MOST_IN_A_ROW {
            return Next::Never;
        }
        let wait_ns = (FIRST_NS << self.in_a_row).min(LONGEST_NS);
        self.in_a_row += 1;
        Next::At(now_ns.saturating_add(wait_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..MOST_IN_A_ROW)
            .map(|_| match backoff.ended(0, SECOND_NS) {
                Next::At(at_ns) => (at_ns - SECOND_NS) / 1_000_000,
                Next::Never => panic!("too early"),
            })
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
    }

    #[test]
    fn a_program_that_keeps_ending_stays_down() {
        let mut backoff = Backoff::new();
        for _ in 0..MOST_IN_A_ROW {
            assert_ne!(backoff.ended(0, HEALTHY_NS - 1), Next::Never);
        }
        assert_eq!(backoff.ended(0, HEALTHY_NS - 1), Next::Never);
        assert_eq!(backoff.ended(0, 0), Next::Never, "and stays so");
    }

    #[test]
    fn a_minute_of_health_makes_up_for_earlier_ends() {
        let mut backoff = Backoff::new();
        for _ in 0..MOST_IN_A_ROW {
            backoff.ended(0, 1);
        }
        let now_ns = 5 * HEALTHY_NS;
        assert_eq!(
            backoff.ended(now_ns - HEALTHY_NS, now_ns),
            Next::At(now_ns + FIRST_NS)
        );
    }

    #[test]
    fn times_at_the_end_of_the_clock_do_not_overflow() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.ended(u64::MAX, u64::MAX), Next::At(u64::MAX));
        assert_ne!(
            backoff.ended(u64::MAX, 0),
            Next::Never,
            "a clock that went back"
        );
    }
}
