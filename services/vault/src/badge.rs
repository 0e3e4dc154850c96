//! What a handle to a key says: which key it is, and what its holder may do with it.
//!
//! The kernel keeps the badge beside the handle and shows it to the vault at each call, so it needs no table here, and no holder can
//! change it. A key that was destroyed leaves its place to others with another generation.

use nonos_proto::Refusal;
use nonos_proto::console::BADGE_INPUT;
use nonos_proto::vault::{BADGE_LENDER, uses};

/// In the badge of every handle to a key; in none that `init` makes.
const KEY: u64 = 1 << 62;
/// Where the uses lie.
const USES_SHIFT: u32 = 40;
/// Where the place lies.
const PLACE_SHIFT: u32 = 32;

/// A caller, by its badge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Badge {
    /// A process that `init` connected.
    Client {
        /// What `init` knows it by.
        badge: u64,
        /// It reads what the user types: it acts for the user.
        user: bool,
    },
    /// The process that asks the user which keys others may use, by what `init` knows it by.
    Lender(u64),
    /// The holder of a handle to a key.
    Key(KeyBadge),
}

/// What a handle to a key says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyBadge {
    /// Place of the key.
    pub place: u8,
    /// Which of the keys that had this place.
    pub generation: u32,
    /// What the holder may do: bits of [`uses`].
    pub uses: u64,
}

impl Badge {
    /// What a badge says.
    pub fn read(raw: u64) -> Self {
        if raw & KEY == 0 && raw & BADGE_LENDER != 0 {
            return Self::Lender(raw & !(BADGE_LENDER | BADGE_INPUT));
        }
        if raw & KEY == 0 {
            return Self::Client {
                badge: raw & !BADGE_INPUT,
                user: raw & BADGE_INPUT != 0,
            };
        }
        Self::Key(KeyBadge {
            place: (raw >> PLACE_SHIFT) as u8,
            generation: raw as u32,
            uses: raw >> USES_SHIFT & uses::ALL,
        })
    }

    /// A process that `init` connected.
    ///
    /// # Errors
    /// [`Refusal::NotGranted`] for a handle to a key: it stands for the key and for no program.
    pub fn client(self) -> Result<u64, Refusal> {
        match self {
            Self::Client { badge, .. } => Ok(badge),
            Self::Key(_) | Self::Lender(_) => Err(Refusal::NotGranted),
        }
    }

    /// The process that lends keys, by what `init` knows it by.
    ///
    /// # Errors
    /// [`Refusal::NotGranted`].
    pub fn lender(self) -> Result<u64, Refusal> {
        match self {
            Self::Lender(badge) => Ok(badge),
            Self::Client { .. } | Self::Key(_) => Err(Refusal::NotGranted),
        }
    }

    /// Whoever acts for the user.
    ///
    /// # Errors
    /// [`Refusal::NotGranted`].
    pub fn user(self) -> Result<(), Refusal> {
        match self {
            Self::Client { user: true, .. } => Ok(()),
            _ => Err(Refusal::NotGranted),
        }
    }

    /// The holder of a handle to a key that allows all of these uses.
    ///
    /// # Errors
    /// [`Refusal::NoSuchKey`] for another handle, [`Refusal::UseNotAllowed`].
    pub fn key(self, wanted: u64) -> Result<KeyBadge, Refusal> {
        match self {
            Self::Key(key) if key.uses & wanted == wanted => Ok(key),
            Self::Key(_) => Err(Refusal::UseNotAllowed),
            Self::Client { .. } | Self::Lender(_) => Err(Refusal::NoSuchKey),
        }
    }
}

impl KeyBadge {
    /// The key's number for who lends it.
    pub fn number(self) -> u64 {
        u64::from(self.place) << PLACE_SHIFT | u64::from(self.generation)
    }

    /// What a number stands for, without uses. Numbers that were made up stand for no key that is there.
    pub fn of_number(number: u64) -> Option<Self> {
        let key = Self {
            place: (number >> PLACE_SHIFT) as u8,
            generation: number as u32,
            uses: uses::NONE,
        };
        (key.number() == number).then_some(key)
    }

    /// The badge for the kernel.
    pub fn raw(self) -> u64 {
        KEY | self.number() | (self.uses & uses::ALL) << USES_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_of_keys_are_read_as_they_were_made_and_are_none_of_inits() {
        let key = KeyBadge {
            place: 0xFE,
            generation: u32::MAX - 1,
            uses: uses::SIGN | uses::MANAGE,
        };
        assert_eq!(Badge::read(key.raw()), Badge::Key(key));
        assert_eq!(key.raw() & BADGE_INPUT, 0);
        assert_eq!(
            KeyBadge::of_number(key.number()).map(KeyBadge::number),
            Some(key.number())
        );
        assert_eq!(KeyBadge::of_number(key.raw()), None);
        // Badges of `init` count processes.
        for raw in [1, 77, u64::from(u32::MAX)] {
            let (badge, user) = (raw, true);
            assert_eq!(
                Badge::read(raw | BADGE_INPUT),
                Badge::Client { badge, user }
            );
            let user = false;
            assert_eq!(Badge::read(raw), Badge::Client { badge, user });
            let lender = Badge::read(raw | BADGE_LENDER | BADGE_INPUT);
            assert_eq!(lender, Badge::Lender(raw));
            assert_eq!(
                (lender.user(), lender.client().is_err()),
                (Err(Refusal::NotGranted), true)
            );
        }
    }

    #[test]
    fn a_handle_allows_what_it_says_and_stands_for_no_program() {
        let key = KeyBadge {
            place: 1,
            generation: 2,
            uses: uses::SIGN | uses::DERIVE,
        };
        let holder = Badge::read(key.raw());
        assert_eq!(holder.key(uses::SIGN), Ok(key));
        assert_eq!(holder.key(uses::NONE), Ok(key));
        assert_eq!(
            holder.key(uses::SIGN | uses::EXPORT),
            Err(Refusal::UseNotAllowed)
        );
        assert_eq!(holder.client(), Err(Refusal::NotGranted));
        assert_eq!(holder.user(), Err(Refusal::NotGranted));
        let client = Badge::read(5);
        assert_eq!(client.key(uses::NONE), Err(Refusal::NoSuchKey));
        assert_eq!(client.user(), Err(Refusal::NotGranted));
        assert_eq!(client.client(), Ok(5));
        assert_eq!(Badge::read(5 | BADGE_INPUT).user(), Ok(()));
    }
}
