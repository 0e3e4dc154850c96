//! Statistics of times: whether two kinds of input take different ones.

/// Times of two kinds of input, by kind.
#[derive(Default, Debug)]
pub struct Times {
    /// By kind.
    pub of: [Vec<u64>; 2],
}

/// Shares of the times that are looked at, from the shortest: what comes after is more and more the noise of the machine.
const SHARES: [f64; 8] = [1.0, 0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25];

impl Times {
    /// The greatest |t| of Welch's test over some shares of the times ("dude, is my code constant time?", Reparaz, Balasch and
    /// Verbauwhede, 2016): how sure it is that the two kinds take different times.
    pub fn difference(&self) -> f64 {
        let mut all: Vec<u64> = self.of.concat();
        all.sort_unstable();
        let shares = SHARES.iter().map(|share| {
            let last = (all.len() as f64 * share) as usize;
            all.get(last.saturating_sub(1)).copied().unwrap_or(0)
        });
        shares
            .map(|longest| {
                let [first, second] = self.of.each_ref().map(|times| Moments::of(times, longest));
                first.welch(second).abs()
            })
            .fold(0.0, f64::max)
    }
}

#[derive(Clone, Copy)]
struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(times: &[u64], longest: u64) -> Self {
        let kept = || {
            times
                .iter()
                .filter(|&&time| time <= longest)
                .map(|&time| time as f64)
        };
        let count = kept().count() as f64;
        let mean = kept().sum::<f64>() / count;
        let variance = kept().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self {
            count,
            mean,
            variance,
        }
    }

    fn welch(self, other: Self) -> f64 {
        // Too few of a kind are left to say anything.
        if self.count < 100.0 || other.count < 100.0 {
            return 0.0;
        }
        let spread = self.variance / self.count + other.variance / other.count;
        match spread > 0.0 {
            true => (self.mean - other.mean) / spread.sqrt(),
            // Each kind takes one time, to the tick.
            false if self.mean == other.mean => 0.0,
            false => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Noise;

    fn times(of: impl Fn(usize, u64) -> u64) -> Times {
        let mut noise = Noise::new(1);
        let mut times = Times::default();
        for _ in 0..10_000 {
            let kind = (noise.number() >> 63) as usize;
            times.of[kind].push(of(kind, noise.number() >> 40));
        }
        times
    }

    #[test]
    fn two_kinds_that_take_the_same_times_do_not_differ() {
        let found = times(|_, noise| 1000 + noise % 100).difference();
        assert!(found < 4.5, "{found}");
    }

    #[test]
    fn a_small_difference_is_found_in_noise() {
        let found = times(|kind, noise| 1000 + noise % 100 + 10 * kind as u64).difference();
        assert!(found > 10.0, "{found}");
    }

    #[test]
    fn a_difference_is_found_below_interruptions() {
        let interrupted = |noise: u64| {
            if noise.is_multiple_of(50) {
                1_000_000 * (noise % 7)
            } else {
                0
            }
        };
        let of = |kind, noise| 1000 + noise % 100 + 10 * kind as u64 + interrupted(noise);
        let found = times(of).difference();
        assert!(found > 10.0, "{found}");
    }

    #[test]
    fn times_without_any_noise_differ_or_do_not() {
        assert_eq!(times(|_, _| 7).difference(), 0.0);
        assert_eq!(times(|kind, _| 7 + kind as u64).difference(), f64::INFINITY);
    }
}
