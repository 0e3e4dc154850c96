//! Randomness, time and memory of this system.

use nonos_crypto::passphrase::{Block, Cost, derive_key};
use nonos_crypto::{CryptoRng, Secret};
use nonos_proto::Refusal;
use nonos_rt::mapping::Private;
use nonos_rt::random::Kernel;
use nonos_rt::syscall;
use vault::World;
use vault::lock::SALT_BYTES;

/// What a guess of a passphrase costs: little enough for machines with 64 MB.
const COST: Cost = Cost::LEAST;

/// The stack that is used at most: signing with ML-DSA-65.
const DEEPEST_BYTES: usize = 640 << 10;

/// The system.
pub struct System {
    random: Kernel,
}

impl System {
    /// The system.
    pub fn new() -> Self {
        Self { random: Kernel }
    }
}

impl World for System {
    fn random(&mut self) -> &mut dyn CryptoRng {
        &mut self.random
    }

    fn now_ns(&self) -> u64 {
        syscall::clock_ns()
    }

    /// In memory that is there for this alone. The kernel zeroes it when it is given back.
    fn stretch(
        &mut self,
        passphrase: &[u8],
        salt: &[u8; SALT_BYTES],
    ) -> Result<Secret<32>, Refusal> {
        let words = COST.blocks() * (size_of::<Block>() / size_of::<u32>());
        let mut memory = Private::new(words)?;
        let blocks = memory.filled(Block::new());
        derive_key(passphrase, salt, COST, blocks).map_err(|_| Refusal::Malformed)
    }
}

/// Overwrites what functions that returned left on the stack.
pub fn scrub() {
    nonos_rt::scrub::scrub::<DEEPEST_BYTES>();
}
