//! Budgets: how much CPU time a process may use in each period.
//!
//! A CPU reserves time before it runs a thread at a process's cost, and gives back what it did not use. So the CPUs together
//! never use more than the budget, without looking at each other. No reservation reaches past the end of its period: in each
//! period, counted from the start of the clock, a process uses at most its budget. What a CPU that was late used beyond its
//! reservation is taken from what comes next.
//!
//! Invariant: what is left and what is reserved in a period are together at most the budget.

use nonos_abi::Error;

/// The shortest budget, so that switching and timers do not take more time than the process.
const BUDGET_NS_MIN: u64 = 100_000;

/// The shortest part of a budget that is shared by several threads.
const PART_NS_MIN: u64 = 100_000;

/// Less than this is not worth a switch: it counts as nothing.
const GRAIN_NS: u64 = 10_000;

/// CPU time that a process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// In each period; 0 for no limit.
    pub budget_ns: u64,
    pub period_ns: u64,
    /// Start of the current period.
    start_ns: u64,
    /// Neither used nor reserved in the current period.
    left_ns: u64,
    /// Reserved in the current period.
    reserved_ns: u64,
    /// Used too much, to be taken from the next periods.
    overdrawn_ns: u64,
    /// Of the budget, what processes have that this one made.
    lent_ns: u64,
}

/// CPU time that one CPU may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reservation {
    pub ns: u64,
    /// The period that it is taken from.
    start_ns: u64,
}

impl Budget {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        budget_ns: 0,
        period_ns: 0,
        start_ns: 0,
        left_ns: 0,
        reserved_ns: 0,
        overdrawn_ns: 0,
        lent_ns: 0,
    };

    /// So much CPU time in each period; a budget of 0 is no limit.
    ///
    /// # Errors
    /// `InvalidArgument` for a budget that is longer than its period, or too short.
    pub fn new(budget_ns: u64, period_ns: u64) -> Result<Self, Error> {
        if budget_ns == 0 {
            return Ok(Self::UNLIMITED);
        }
        if !(BUDGET_NS_MIN..=period_ns).contains(&budget_ns) {
            return Err(Error::InvalidArgument);
        }
        Ok(Self {
            budget_ns,
            period_ns,
            left_ns: budget_ns,
            ..Self::UNLIMITED
        })
    }

    /// Whether there is a limit.
    #[inline(always)]
    pub fn is_limited(&self) -> bool {
        self.budget_ns != 0
    }

    /// Gives a part to a process that this one makes: what has a limit cannot make anything without one. The part counts from
    /// the next period on.
    ///
    /// # Errors
    /// `QuotaExceeded` when there is a limit and the part has none or another period, or takes too much.
    pub fn lend(&mut self, part: &mut Self) -> Result<(), Error> {
        if !self.is_limited() {
            return Ok(());
        }
        let own_ns = (self.budget_ns - self.lent_ns).checked_sub(part.budget_ns);
        let enough = own_ns.is_some_and(|own_ns| own_ns >= BUDGET_NS_MIN);
        if !part.is_limited() || part.period_ns != self.period_ns || !enough {
            return Err(Error::QuotaExceeded);
        }
        self.lent_ns += part.budget_ns;
        (part.start_ns, part.left_ns) = (self.start_ns, 0);
        Ok(())
    }

    /// Takes a part back whose process has ended; it counts from the next period on.
    pub fn take_back(&mut self, part: &Self) {
        if self.is_limited() {
            self.lent_ns -= part.budget_ns;
        }
    }

    /// When there is time again.
    pub fn period_end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.period_ns)
    }

    /// Whether enough is left to run.
    pub fn has_some(&self) -> bool {
        self.left_ns >= GRAIN_NS
    }

    /// What one of so many threads may reserve at once, so that all of them that run get some.
    pub fn part_ns(&self, threads: u16) -> u64 {
        match threads {
            0 | 1 => u64::MAX,
            threads => (self.budget_ns / (2 * u64::from(threads))).max(PART_NS_MIN),
        }
    }

    /// Starts a new period if the current one is over.
    fn renew(&mut self, now_ns: u64) {
        if now_ns < self.period_end_ns() {
            return;
        }
        self.start_ns = now_ns - now_ns % self.period_ns;
        let own_ns = self.budget_ns - self.lent_ns;
        self.left_ns = own_ns.saturating_sub(self.overdrawn_ns);
        self.overdrawn_ns = self.overdrawn_ns.saturating_sub(own_ns);
        // Reservations of the last period cannot be given back any more.
        self.reserved_ns = 0;
    }

    /// Reserves what is left, at most `most_ns`. `None` when there is nothing.
    pub fn reserve(&mut self, most_ns: u64, now_ns: u64) -> Option<Reservation> {
        self.renew(now_ns);
        let until_end_ns = self.period_end_ns() - now_ns;
        let ns = self.left_ns.min(most_ns).min(until_end_ns);
        if ns < GRAIN_NS {
            return None;
        }
        self.left_ns -= ns;
        self.reserved_ns += ns;
        Some(Reservation {
            ns,
            start_ns: self.start_ns,
        })
    }

    /// Ends a reservation, of which so much was used.
    pub fn give_back(&mut self, reservation: Reservation, used_ns: u64, now_ns: u64) {
        self.renew(now_ns);
        if reservation.start_ns == self.start_ns {
            self.reserved_ns -= reservation.ns;
            self.left_ns += reservation.ns.saturating_sub(used_ns);
        }
        let over_ns = used_ns.saturating_sub(reservation.ns);
        let taken_ns = over_ns.min(self.left_ns);
        self.left_ns -= taken_ns;
        self.overdrawn_ns = self.overdrawn_ns.saturating_add(over_ns - taken_ns);
    }
}

#[cfg(any(test, feature = "testing"))]
impl Budget {
    /// What is left and what is reserved in the current period.
    pub fn left_and_reserved_ns(&self) -> (u64, u64) {
        (self.left_ns, self.reserved_ns)
    }

    /// Whether a reservation is of the current period.
    pub fn is_current(&self, reservation: Reservation) -> bool {
        reservation.start_ns == self.start_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_is_reserved_and_not_used_can_be_reserved_again() {
        let mut budget = Budget::new(10 * MS, 100 * MS).unwrap();
        let first = budget.reserve(6 * MS, 0).unwrap();
        let second = budget.reserve(6 * MS, 0).unwrap();
        assert_eq!((first.ns, second.ns), (6 * MS, 4 * MS));
        assert_eq!(budget.reserve(6 * MS, 0), None);
        budget.give_back(first, MS, MS);
        assert_eq!(budget.reserve(6 * MS, MS).map(|r| r.ns), Some(5 * MS));
    }

    #[test]
    fn a_new_period_starts_with_the_whole_budget_whatever_was_left() {
        let mut budget = Budget::new(10 * MS, 100 * MS).unwrap();
        let first = budget.reserve(6 * MS, 0).unwrap();
        assert_eq!(
            budget.reserve(u64::MAX, 250 * MS).map(|r| r.ns),
            Some(10 * MS)
        );
        budget.give_back(first, MS, 250 * MS);
        assert_eq!(budget.reserve(u64::MAX, 250 * MS), None);
        assert_eq!(budget.period_end_ns(), 300 * MS);
    }

    #[test]
    fn no_reservation_reaches_past_the_end_of_its_period() {
        let mut budget = Budget::new(60 * MS, 100 * MS).unwrap();
        assert_eq!(
            budget.reserve(u64::MAX, 70 * MS).map(|r| r.ns),
            Some(30 * MS)
        );
        assert_eq!(budget.reserve(u64::MAX, 100 * MS - 1), None);
    }

    #[test]
    fn time_used_beyond_a_reservation_is_taken_from_what_comes_next() {
        let mut budget = Budget::new(10 * MS, 100 * MS).unwrap();
        let all = budget.reserve(u64::MAX, 0).unwrap();
        budget.give_back(all, 23 * MS, 23 * MS);
        assert!(!budget.has_some());
        assert_eq!(budget.reserve(u64::MAX, 100 * MS), None);
        assert_eq!(
            budget.reserve(u64::MAX, 200 * MS).map(|r| r.ns),
            Some(7 * MS)
        );
    }

    #[test]
    fn time_used_past_the_end_of_a_period_is_taken_from_the_new_one() {
        let mut budget = Budget::new(10 * MS, 100 * MS).unwrap();
        let until_end = budget.reserve(u64::MAX, 95 * MS).unwrap();
        budget.give_back(until_end, 8 * MS, 103 * MS);
        let next = budget.reserve(u64::MAX, 103 * MS);
        assert_eq!(next.map(|r| r.ns), Some(7 * MS));
    }

    #[test]
    fn what_is_lent_to_children_is_missing_from_the_next_period_on_until_they_end() {
        let mut budget = Budget::new(10 * MS, 100 * MS).unwrap();
        let mut child = Budget::new(4 * MS, 100 * MS).unwrap();
        budget.lend(&mut child).unwrap();
        assert_eq!(child.reserve(u64::MAX, MS), None);
        let mut left = |now_ns| budget.reserve(u64::MAX, now_ns).map(|r| r.ns);
        assert_eq!(left(MS), Some(10 * MS));
        assert_eq!(left(100 * MS), Some(6 * MS));
        assert_eq!(
            child.reserve(u64::MAX, 100 * MS).map(|r| r.ns),
            Some(4 * MS)
        );
        budget.take_back(&child);
        let mut left = |now_ns| budget.reserve(u64::MAX, now_ns).map(|r| r.ns);
        assert_eq!(left(200 * MS), Some(10 * MS));
    }

    #[test]
    fn a_limited_process_lends_only_a_part_with_the_same_period() {
        let limited = Budget::new(10 * MS, 100 * MS).unwrap();
        let parts = [
            Budget::UNLIMITED,
            Budget::new(MS, 50 * MS).unwrap(),
            Budget::new(10 * MS, 100 * MS).unwrap(),
            Budget::new(10 * MS - 1, 100 * MS).unwrap(),
        ];
        for mut part in parts {
            let refused = limited.clone().lend(&mut part);
            assert_eq!(refused, Err(Error::QuotaExceeded), "{part:?}");
        }
        let mut unlimited = Budget::UNLIMITED;
        assert_eq!(unlimited.lend(&mut Budget::UNLIMITED.clone()), Ok(()));
    }

    #[test]
    fn budgets_are_at_most_their_period_and_not_absurdly_short() {
        for (budget, period) in [(1, 1), (MS, 0), (2 * MS, MS), (99_999, MS), (u64::MAX, 1)] {
            assert!(Budget::new(budget, period).is_err(), "{budget} in {period}");
        }
        assert!(Budget::new(100_000, 100_000).unwrap().is_limited());
        assert!(Budget::new(u64::MAX, u64::MAX).unwrap().is_limited());
        assert!(!Budget::new(0, 0).unwrap().is_limited());
    }
}
