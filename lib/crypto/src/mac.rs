//! HMAC (RFC 2104), for protocols that name it. Where the choice is ours, [`crate::hash::Blake3::keyed`] does the same.

use hmac::{Hmac, KeyInit, Mac};

use crate::Error;

macro_rules! macs {
    ($($(#[$doc:meta])* $name:ident, $hash:ty, $bytes:literal;)+) => {$(
        $(#[$doc])*
        pub struct $name(Hmac<$hash>);

        impl $name {
            /// With a key, which may have any length.
            #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
            pub fn new(key: &[u8]) -> Self {
                Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
            }

            /// More of the message.
            pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
                Mac::update(&mut self.0, bytes);
                self
            }

            /// The tag.
            pub fn finish(self) -> [u8; $bytes] {
                self.0.finalize().into_bytes().into()
            }

            /// Whether this is the tag, in constant time.
            ///
            /// # Errors
            /// [`Error::NotAuthentic`] when it is another.
            pub fn verify(self, tag: &[u8; $bytes]) -> Result<(), Error> {
                self.0.verify(tag.into()).map_err(|_| Error::NotAuthentic)
            }
        }
    )+};
}

macs! {
    /// HMAC with SHA-256.
    HmacSha256, sha2::Sha256, 32;
    /// HMAC with SHA-512.
    HmacSha512, sha2::Sha512, 64;
}
