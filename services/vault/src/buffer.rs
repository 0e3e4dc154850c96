//! Where messages lie while they are worked on. Wiped after each request.

use nonos_proto::vault::LONGEST_MESSAGE;
use nonos_proto::{Lease, Refusal};
use nonos_rt::service::read_lent;
use zeroize::Zeroize;

/// A message.
pub struct Buffer {
    bytes: [u8; LONGEST_MESSAGE],
    used: usize,
}

impl Buffer {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            bytes: [0; LONGEST_MESSAGE],
            used: 0,
        }
    }

    /// As many bytes as the caller lent, for what is to be written there.
    ///
    /// # Errors
    /// [`Refusal::TooLong`].
    pub fn room(&mut self, lease: Lease) -> Result<&mut [u8], Refusal> {
        let length = usize::try_from(lease.length).map_err(|_| Refusal::TooLong)?;
        let room = self.bytes.get_mut(..length).ok_or(Refusal::TooLong)?;
        self.used = self.used.max(length);
        Ok(room)
    }

    /// What the caller lent.
    ///
    /// # Errors
    /// [`Refusal::TooLong`]; when the caller did not lend it for reading.
    pub fn read(&mut self, lease: Lease) -> Result<&mut [u8], Refusal> {
        let bytes = self.room(lease)?;
        if !bytes.is_empty() {
            read_lent(lease, 0, bytes)?;
        }
        Ok(bytes)
    }

    /// Forgets it.
    pub fn wipe(&mut self) {
        self.bytes[..self.used].zeroize();
        self.used = 0;
    }
}
