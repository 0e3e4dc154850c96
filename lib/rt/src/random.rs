//! Random numbers for keys, nonces and everything else that nobody may guess.
//!
//! [`fill`] and [`Kernel`] ask the kernel each time: for a few bytes now and then. [`Generator`] is for who needs many: it
//! asks the kernel for a key, again after [`RESEED_BYTES`] and when the epoch is another, because the machine was restored
//! from a snapshot. None of them gives bytes that the kernel could not vouch for: where it gives none, the process panics.

use core::convert::Infallible;

use nonos_abi::RANDOM_BYTES_MAX;
use nonos_random::KEY_BYTES;
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::syscall;

/// Bytes that a [`Generator`] gives with one key of the kernel's.
pub const RESEED_BYTES: usize = 1 << 20;

/// Fills with random bytes of the kernel.
///
/// # Panics
/// When the buffer cannot be written any more, because its mapping was revoked.
pub fn fill(bytes: &mut [u8]) {
    for part in bytes.chunks_mut(RANDOM_BYTES_MAX) {
        from_kernel(part);
    }
}

/// Fills at most [`RANDOM_BYTES_MAX`] bytes and says the epoch.
fn from_kernel(bytes: &mut [u8]) -> u64 {
    syscall::random(bytes).expect("the kernel gives random bytes")
}

/// The kernel's generator, as functions take it that need randomness.
#[derive(Clone, Copy, Default, Debug)]
pub struct Kernel;

impl Kernel {
    fn fill(&mut self, bytes: &mut [u8]) {
        fill(bytes);
    }
}

/// A generator of this process (ChaCha20 with fast key erasure). One system call for each use looks at the epoch.
///
/// What a snapshot holds is the present key: between the look at the epoch and the use of the bytes the machine may be restored,
/// and where no generation id says so (`docs/entropy.md`), the copies give the same bytes up to the next key.
pub struct Generator {
    inner: nonos_random::Generator,
    epoch: u64,
    /// Bytes until the next key.
    left: usize,
}

impl Generator {
    /// A generator with a key of the kernel's.
    ///
    /// # Panics
    /// Never, while this process has a stack.
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let epoch = from_kernel(&mut *key);
        Self {
            inner: nonos_random::Generator::new(&key),
            epoch,
            left: RESEED_BYTES,
        }
    }

    /// Fills with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(RESEED_BYTES) {
            if part.len() > self.left || from_kernel(&mut []) != self.epoch {
                *self = Self::new();
            }
            self.left -= part.len();
            self.inner.fill(part);
        }
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! rand_core {
    ($($generator:ty)+) => { $(
        impl TryRng for $generator {
            type Error = Infallible;

            fn try_next_u32(&mut self) -> Result<u32, Infallible> {
                let mut bytes = [0; 4];
                self.fill(&mut bytes);
                Ok(u32::from_le_bytes(bytes))
            }

            fn try_next_u64(&mut self) -> Result<u64, Infallible> {
                let mut bytes = [0; 8];
                self.fill(&mut bytes);
                Ok(u64::from_le_bytes(bytes))
            }

            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
                self.fill(bytes);
                Ok(())
            }
        }

        impl TryCryptoRng for $generator {}
    )+ };
}

rand_core!(Kernel Generator);
