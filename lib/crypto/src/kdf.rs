//! Keys from keys: HKDF (RFC 5869).

use crate::{Error, Secret};

macro_rules! kdfs {
    ($($(#[$doc:meta])* $name:ident, $hash:ty;)+) => {$(
        $(#[$doc])*
        pub struct $name(hkdf::Hkdf<$hash>);

        impl $name {
            /// What is random in the key material, whose length and distribution do not matter (RFC 5869, 2.2). The salt need
            /// not be secret and may be empty.
            pub fn extract(salt: &[u8], key_material: &[u8]) -> Self {
                Self(hkdf::Hkdf::new(Some(salt), key_material))
            }

            /// A key for the purpose that `info` names (RFC 5869, 2.3).
            ///
            /// # Errors
            /// [`Error::OutputTooLong`] for more than 255 times the hash.
            pub fn expand<const BYTES: usize>(&self, info: &[u8]) -> Result<Secret<BYTES>, Error> {
                let mut result = Ok(());
                let secret = Secret::written_by(|bytes| result = self.fill(info, bytes));
                result.map(|()| secret)
            }

            /// The same for a length that is known at run time only.
            ///
            /// # Errors
            /// As [`Self::expand`]; nothing is written then.
            pub fn fill(&self, info: &[u8], out: &mut [u8]) -> Result<(), Error> {
                self.0.expand(info, out).map_err(|_| Error::OutputTooLong)
            }
        }
    )+};
}

kdfs! {
    /// HKDF with SHA-256.
    HkdfSha256, sha2::Sha256;
    /// HKDF with SHA-512.
    HkdfSha512, sha2::Sha512;
}
