//! What one process may have: what its manifest asks for, as far as the policy or the user allows it.
//!
//! Invariant: nothing is ever granted that the manifest does not ask for.

use nonos_abi::info::needs;
use nonos_proto::Refusal;

/// Needs that exist.
const COUNT: usize = needs::NAMES.len();

/// The bit of a need, by its name. Nobody can be given `init`, which stands for all that `init` itself holds.
pub fn need(name: &str) -> Option<u64> {
    let index = needs::NAMES.iter().position(|&known| known == name)?;
    Some(1 << index).filter(|&bit| bit != needs::INIT)
}

/// What a process may have. Sets are bits of [`needs`].
#[derive(Clone, Debug)]
pub struct Grants {
    asked: u64,
    granted: u64,
    /// When each need ends; 0 for never.
    until_ns: [u64; COUNT],
}

impl Grants {
    /// What a manifest asks for, as far as it is allowed.
    pub fn new(asked: u64, allowed: u64) -> Self {
        Self {
            asked,
            granted: asked & allowed & !needs::INIT,
            until_ns: [0; COUNT],
        }
    }

    /// What the manifest asks for.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// What the process may have at this time.
    pub fn at(&self, now_ns: u64) -> u64 {
        (0..COUNT)
            .filter(|&index| self.until_ns[index] == 0 || now_ns < self.until_ns[index])
            .fold(0, |bits, index| bits | self.granted & 1 << index)
    }

    /// Until when the process may have all of these, 0 for no end; or that it may not.
    ///
    /// # Errors
    /// [`Refusal::NotGranted`].
    pub fn check(&self, needs: u64, now_ns: u64) -> Result<u64, Refusal> {
        if self.at(now_ns) & needs != needs {
            return Err(Refusal::NotGranted);
        }
        let ends = (0..COUNT)
            .filter(|&index| needs >> index & 1 != 0)
            .map(|index| self.until_ns[index]);
        Ok(ends.filter(|&until_ns| until_ns != 0).min().unwrap_or(0))
    }

    /// The user allows a need, until a time (0: for good). Whoever asks for the user holds `held`.
    ///
    /// # Errors
    /// When the manifest does not ask for it, who asks does not hold it, or the process may have it already.
    pub fn allow(
        &mut self,
        need: u64,
        held: u64,
        until_ns: u64,
        now_ns: u64,
    ) -> Result<(), Refusal> {
        match () {
            () if self.asked & need != need || need & needs::INIT != 0 => {
                return Err(Refusal::NotAsked);
            }
            () if held & need != need => return Err(Refusal::NotHeld),
            () if self.at(now_ns) & need == need => return Err(Refusal::AlreadyGranted),
            () => {}
        }
        self.granted |= need;
        self.set_end(need, until_ns);
        Ok(())
    }

    /// The user takes a need back. Returns whether the process could have it at this time.
    pub fn revoke(&mut self, need: u64, now_ns: u64) -> bool {
        let had = self.at(now_ns) & need != 0;
        self.granted &= !need;
        self.set_end(need, 0);
        had
    }

    fn set_end(&mut self, need: u64, end_ns: u64) {
        for (index, until_ns) in self.until_ns.iter_mut().enumerate() {
            if need >> index & 1 != 0 {
                *until_ns = end_ns;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: u64 = needs::CONSOLE | needs::POWER | needs::SYSTEM_INFO;

    fn grants() -> Grants {
        Grants::new(ASKED, needs::CONSOLE | needs::SERIAL)
    }

    #[test]
    fn a_process_gets_what_its_manifest_asks_for_and_the_policy_allows() {
        assert_eq!(grants().at(0), needs::CONSOLE);
        assert_eq!(grants().check(needs::CONSOLE, 5), Ok(0));
        assert_eq!(grants().check(needs::SERIAL, 5), Err(Refusal::NotGranted));
        assert_eq!(
            grants().check(needs::CONSOLE | needs::POWER, 5),
            Err(Refusal::NotGranted),
            "all of them"
        );
        assert_eq!(Grants::new(u64::MAX, u64::MAX).at(0) & needs::INIT, 0);
    }

    #[test]
    fn the_user_can_allow_what_the_manifest_asks_for_and_who_asks_holds() {
        let held = needs::POWER | needs::CONSOLE | needs::LOG_READ;
        let mut grants = grants();
        assert_eq!(
            grants.allow(needs::LOG_READ, held, 0, 1),
            Err(Refusal::NotAsked)
        );
        assert_eq!(
            grants.allow(needs::SYSTEM_INFO, held, 0, 1),
            Err(Refusal::NotHeld)
        );
        assert_eq!(
            grants.allow(needs::CONSOLE, held, 0, 1),
            Err(Refusal::AlreadyGranted)
        );
        assert_eq!(grants.allow(needs::POWER, held, 0, 1), Ok(()));
        assert_eq!(grants.check(needs::POWER, u64::MAX), Ok(0));
    }

    #[test]
    fn what_is_allowed_for_a_time_ends_then() {
        let mut grants = grants();
        grants.allow(needs::POWER, u64::MAX, 100, 1).unwrap();
        assert_eq!(grants.check(needs::POWER, 99), Ok(100));
        assert_eq!(grants.check(needs::POWER | needs::CONSOLE, 99), Ok(100));
        assert_eq!(grants.check(needs::POWER, 100), Err(Refusal::NotGranted));
        assert_eq!(grants.check(needs::CONSOLE, 100), Ok(0), "the rest stays");
        assert_eq!(grants.allow(needs::POWER, u64::MAX, 0, 100), Ok(()));
        assert_eq!(grants.check(needs::POWER, u64::MAX), Ok(0), "for good now");
    }

    #[test]
    fn what_is_taken_back_is_gone_until_it_is_allowed_again() {
        let mut grants = grants();
        assert!(grants.revoke(needs::CONSOLE, 1));
        assert!(!grants.revoke(needs::CONSOLE, 1));
        assert_eq!(grants.check(needs::CONSOLE, 2), Err(Refusal::NotGranted));
        assert_eq!(grants.allow(needs::CONSOLE, u64::MAX, 50, 2), Ok(()));
        assert_eq!(grants.check(needs::CONSOLE, 3), Ok(50));
    }

    #[test]
    fn whatever_happens_nothing_is_granted_that_was_not_asked_for() {
        let mut draw = crate::draws();
        for _ in 0..2000 {
            let asked = draw() & ((1 << COUNT) - 1);
            let mut grants = Grants::new(asked, draw());
            for now_ns in 0..20 {
                let need = 1 << (draw() % COUNT as u64);
                match draw() % 3 {
                    0 => drop(grants.allow(need, draw(), draw() % 40, now_ns)),
                    1 => drop(grants.revoke(need, now_ns)),
                    _ => {}
                }
                assert_eq!(grants.at(now_ns) & !asked, 0);
                assert_eq!(grants.at(now_ns) & needs::INIT, 0);
            }
        }
    }

    #[test]
    fn needs_are_known_by_name_but_for_that_of_init() {
        assert_eq!(need("power"), Some(needs::POWER));
        assert_eq!(need("supervise"), Some(needs::SUPERVISE));
        assert_eq!(need("init"), None);
        assert_eq!(need("everything"), None);
    }
}
