//! Rights that a handle carries.

use core::fmt;

/// A set of rights. What each means for an object stands at [`crate::ObjectKind`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Rights(u8);

impl Rights {
    /// No rights.
    pub const NONE: Self = Self(0);
    /// Read, receive, see.
    pub const READ: Self = Self(1);
    /// Write, send, change.
    pub const WRITE: Self = Self(2);
    /// Run.
    pub const EXECUTE: Self = Self(4);
    /// Pass on: copy the handle, send it to another process.
    pub const GRANT: Self = Self(8);
    /// Take back what was passed on.
    pub const REVOKE: Self = Self(16);
    /// Every right.
    pub const ALL: Self = Self(31);

    /// The set in these bits; bits that name no right are dropped.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits as u8 & Self::ALL.0)
    }

    /// The bits of the set.
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// Whether every right of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The rights that both sets have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The rights of this set that `other` does not have.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The rights that either set has.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Five letters, `-` for each right that is missing: `rwxgv` (v: revoke).
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (Self::READ, 'r'),
            (Self::WRITE, 'w'),
            (Self::EXECUTE, 'x'),
            (Self::GRANT, 'g'),
            (Self::REVOKE, 'v'),
        ];
        letters.iter().try_for_each(|&(right, letter)| {
            write!(f, "{}", if self.contains(right) { letter } else { '-' })
        })
    }
}
