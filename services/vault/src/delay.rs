//! How long wrong passphrases bar others, where no TPM counts them: a second after the first, twice as long after each
//! further one, an hour at most.
//!
//! The count lives as long as the vault's process, and so does the root that it protects.

use nonos_proto::Refusal;

/// After the first wrong passphrase.
const FIRST_NS: u64 = 1_000_000_000;
/// The longest.
const MOST_NS: u64 = 3600 * FIRST_NS;

/// Wrong passphrases in a row.
#[derive(Default)]
pub struct Delay {
    wrong: u32,
    until_ns: u64,
}

impl Delay {
    /// Whether a passphrase may be tried now.
    ///
    /// # Errors
    /// [`Refusal::TooSoon`].
    pub fn check(&self, now_ns: u64) -> Result<(), Refusal> {
        match self.left_ns(now_ns) {
            0 => Ok(()),
            _ => Err(Refusal::TooSoon),
        }
    }

    /// Until the next try, nanoseconds.
    pub fn left_ns(&self, now_ns: u64) -> u64 {
        self.until_ns.saturating_sub(now_ns)
    }

    /// Wrong ones in a row.
    pub fn wrong(&self) -> u64 {
        self.wrong.into()
    }

    /// A passphrase was wrong. When it `bars`, the next one has to wait: no TPM did count it.
    pub fn count(&mut self, now_ns: u64, bars: bool) {
        if bars {
            // 2¹² seconds are more than an hour.
            let delay_ns = FIRST_NS << self.wrong.min(12);
            self.until_ns = now_ns.saturating_add(delay_ns.min(MOST_NS));
        }
        self.wrong = self.wrong.saturating_add(1);
    }

    /// One was right.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour_and_a_right_passphrase_ends_them() {
        let mut delay = Delay::default();
        let mut now_ns = 5;
        assert_eq!(delay.check(now_ns), Ok(()));
        for tries in 0..100 {
            delay.count(now_ns, true);
            let seconds = if tries < 12 { 1 << tries } else { 3600 };
            assert_eq!(delay.left_ns(now_ns), seconds * FIRST_NS, "{tries}");
            assert_eq!(delay.check(now_ns), Err(Refusal::TooSoon));
            now_ns += seconds * FIRST_NS - 1;
            assert_eq!(delay.check(now_ns), Err(Refusal::TooSoon));
            now_ns += 1;
            assert_eq!(delay.check(now_ns), Ok(()));
        }
        delay.clear();
        assert_eq!((delay.wrong(), delay.check(0)), (0, Ok(())));
        delay.count(u64::MAX, true);
        delay.count(0, false);
        assert_eq!(delay.wrong(), 2);
    }
}
