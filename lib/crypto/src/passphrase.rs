//! Keys from passphrases: Argon2id (RFC 9106).
//!
//! A passphrase can be guessed; this makes each guess cost memory and time. The memory is lent by the caller, who has as many
//! [`Block`]s as the cost says, and wiped before it is given back.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroize;

pub use argon2::Block;

use crate::{Error, Secret};

/// Bytes of a salt, at least (RFC 9106, 3.1).
pub const SALT_BYTES: usize = 16;

/// What one guess costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    blocks: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// The second choice that RFC 9106, 4 recommends, for machines that have not 2 GiB to spare: 64 MiB, 3 passes, 4 lanes.
    pub const RECOMMENDED: Self = Self {
        blocks: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    /// The least that this crate makes keys with: 19 MiB, 2 passes (what OWASP calls the minimum).
    pub const LEAST: Self = Self {
        blocks: 19 << 10,
        passes: 2,
        lanes: 1,
    };

    /// A cost in KiB of memory, passes over it, and lanes.
    ///
    /// # Errors
    /// [`Error::BadCost`] when it is less than [`Self::LEAST`], or no cost (RFC 9106, 3.1).
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, Error> {
        let least = Self::LEAST;
        if memory_kib < least.blocks || passes < least.passes {
            return Err(Error::BadCost);
        }
        match Params::new(memory_kib, passes, lanes, None) {
            Ok(_) => Ok(Self {
                blocks: memory_kib,
                passes,
                lanes,
            }),
            Err(_) => Err(Error::BadCost),
        }
    }

    /// [`Block`]s of memory that it takes.
    pub const fn blocks(self) -> usize {
        self.blocks as usize
    }
}

/// The key that follows from a passphrase and a salt, which is random, kept beside what the key protects, and no secret.
///
/// # Errors
/// [`Error::SaltTooShort`], [`Error::MemoryTooSmall`]; [`Error::MessageTooLong`] for a passphrase or salt of 4 GiB.
pub fn derive_key(
    passphrase: &[u8],
    salt: &[u8],
    cost: Cost,
    memory: &mut [Block],
) -> Result<Secret<32>, Error> {
    if salt.len() < SALT_BYTES {
        return Err(Error::SaltTooShort);
    }
    if memory.len() < cost.blocks() {
        return Err(Error::MemoryTooSmall);
    }
    derive(passphrase, salt, cost, memory)
}

fn derive(
    passphrase: &[u8],
    salt: &[u8],
    cost: Cost,
    memory: &mut [Block],
) -> Result<Secret<32>, Error> {
    let params =
        Params::new(cost.blocks, cost.passes, cost.lanes, Some(32)).map_err(|_| Error::BadCost)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut result = Ok(());
    let key = Secret::<32>::written_by(|key| {
        result = argon2.hash_password_into_with_memory(passphrase, salt, key, &mut *memory);
    });
    memory.iter_mut().for_each(Zeroize::zeroize);
    result.map(|()| key).map_err(|_| Error::MessageTooLong)
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::vec;

    use super::*;

    fn hex(bytes: &[u8]) -> alloc::string::String {
        bytes
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect()
    }

    /// The vectors of the reference implementation (`src/test.c` in P-H-C/phc-winner-argon2), which are for 8-byte salts.
    #[test]
    fn keys_are_those_of_the_reference_implementation() {
        for (blocks, passes, lanes, expected) in [
            (
                1 << 16,
                2,
                1,
                "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
            ),
            (
                1 << 8,
                2,
                1,
                "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
            ),
            (
                1 << 8,
                2,
                2,
                "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
            ),
        ] {
            let cost = Cost {
                blocks,
                passes,
                lanes,
            };
            let mut memory = vec![Block::new(); cost.blocks()];
            let key = derive(b"password", b"somesalt", cost, &mut memory)
                .ok()
                .unwrap();
            assert_eq!(hex(key.expose()), expected, "{cost:?}");
            let wiped = memory
                .iter()
                .all(|block| block.as_ref().iter().all(|word| *word == 0));
            assert!(wiped, "the memory is wiped");
        }
    }

    #[test]
    fn short_salts_little_memory_and_cheap_hashes_are_refused() {
        let refused = |salt: &[u8], blocks| {
            let mut memory = vec![Block::new(); blocks];
            derive_key(b"password", salt, Cost::LEAST, &mut memory).err()
        };
        assert_eq!(refused(&[0; 15], 0), Some(Error::SaltTooShort));
        let one_short = Cost::LEAST.blocks() - 1;
        assert_eq!(refused(&[0; 16], one_short), Some(Error::MemoryTooSmall));
        for (memory_kib, passes, lanes) in [
            (Cost::LEAST.blocks - 1, 2, 1),
            (Cost::LEAST.blocks, 1, 1),
            (Cost::LEAST.blocks, 2, 0),
            (Cost::LEAST.blocks, 2, 1 << 24),
        ] {
            assert_eq!(Cost::new(memory_kib, passes, lanes), Err(Error::BadCost));
        }
        assert_eq!(Cost::new(64 << 10, 3, 4), Ok(Cost::RECOMMENDED));
    }
}
