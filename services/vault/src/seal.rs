//! What the vault wants of a TPM, in a few words; [`Absent`] is a machine without one.

use nonos_crypto::Secret;
use nonos_proto::Refusal;
use nonos_proto::vault::APPROVAL_BYTES;

/// Most bytes of what a TPM makes of a secret.
pub const OBJECT_BYTES: usize = 608;
/// Bytes that the TPM keeps for the vault over restarts.
pub const KEPT_BYTES: usize = 832;

/// That the holder of the update key approves of a system: a signature, checked by the TPM. Not secret.
pub type Approval = [u8; APPROVAL_BYTES];

/// A secret, sealed by a TPM. Nothing in it is secret.
#[derive(Clone, Copy)]
pub struct Object {
    bytes: [u8; OBJECT_BYTES],
    length: u16,
}

impl Object {
    /// What no TPM made.
    pub const NONE: Self = Self {
        bytes: [0; OBJECT_BYTES],
        length: 0,
    };

    /// What a TPM made.
    ///
    /// # Errors
    /// [`Refusal::TooLong`].
    pub fn new(made: &[u8]) -> Result<Self, Refusal> {
        let mut object = Self::NONE;
        object
            .bytes
            .get_mut(..made.len())
            .ok_or(Refusal::TooLong)?
            .copy_from_slice(made);
        object.length = made.len() as u16;
        Ok(object)
    }

    /// What the TPM made.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// A TPM. Sealed is to the boot chain as it is now: PCR 7, and PCR 11 or what the holder of the update key approves in its place. And to
/// the value that authorises it when one is given: wrong ones are counted by the TPM, which bars further tries for a time.
pub trait Seal {
    /// Whether there is one.
    fn present(&self) -> bool;

    /// Seals a secret.
    ///
    /// # Errors
    /// [`Refusal::NoSuchDevice`], [`Refusal::DeviceFailed`].
    fn seal(&mut self, secret: &Secret<32>, auth: Option<&Secret<32>>) -> Result<Object, Refusal>;

    /// The secret.
    ///
    /// # Errors
    /// [`Refusal::PolicyMismatch`] when another boot chain runs, and the approval is not of it, [`Refusal::WrongPassphrase`] when another
    /// value authorises it, [`Refusal::LockedOut`] after too many of those, [`Refusal::NoSuchDevice`], [`Refusal::DeviceFailed`].
    fn unseal(
        &mut self,
        object: &Object,
        auth: Option<&Secret<32>>,
        approval: Option<&Approval>,
    ) -> Result<Secret<32>, Refusal>;

    /// What was kept last; `None` when nothing ever was.
    ///
    /// # Errors
    /// [`Refusal::NoSuchDevice`], [`Refusal::DeviceFailed`].
    fn load(&mut self) -> Result<Option<[u8; KEPT_BYTES]>, Refusal>;

    /// Keeps this over restarts, in place of what was kept before.
    ///
    /// # Errors
    /// [`Refusal::NoSuchDevice`], [`Refusal::DeviceFailed`].
    fn store(&mut self, kept: &[u8; KEPT_BYTES]) -> Result<(), Refusal>;
}

/// No TPM.
pub struct Absent;

impl Seal for Absent {
    fn present(&self) -> bool {
        false
    }

    fn seal(&mut self, _: &Secret<32>, _: Option<&Secret<32>>) -> Result<Object, Refusal> {
        Err(Refusal::NoSuchDevice)
    }

    fn unseal(
        &mut self,
        _: &Object,
        _: Option<&Secret<32>>,
        _: Option<&Approval>,
    ) -> Result<Secret<32>, Refusal> {
        Err(Refusal::NoSuchDevice)
    }

    fn load(&mut self) -> Result<Option<[u8; KEPT_BYTES]>, Refusal> {
        Err(Refusal::NoSuchDevice)
    }

    fn store(&mut self, _: &[u8; KEPT_BYTES]) -> Result<(), Refusal> {
        Err(Refusal::NoSuchDevice)
    }
}
