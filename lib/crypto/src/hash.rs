//! Hashes. BLAKE3 wherever the choice is ours; SHA-2 and SHA-3 for formats and protocols that name them.
//!
//! A hash of a secret, or made with one, is no more secret here than the caller treats it: compare it with
//! [`crate::secret::equal`].

/// BLAKE3 of all the bytes.
pub fn blake3(bytes: &[u8]) -> [u8; 32] {
    *::blake3::hash(bytes).as_bytes()
}

/// BLAKE3 of all the bytes that only holders of the key can make: a message authentication code, or a key for a purpose that
/// the bytes name.
#[cfg(feature = "sign")]
pub fn blake3_keyed(key: &crate::Secret<32>, bytes: &[u8]) -> [u8; 32] {
    *::blake3::keyed_hash(key.expose(), bytes).as_bytes()
}

#[cfg(feature = "full")]
pub use full::{
    Blake3, Sha3_256, Sha3_512, Sha256, Sha384, Sha512, sha3_256, sha3_512, sha256, sha384, sha512,
};

#[cfg(feature = "full")]
mod full {
    use sha2::Digest;

    use crate::Secret;

    /// BLAKE3 of bytes that come in pieces; hash, keyed hash or key derivation.
    pub struct Blake3(::blake3::Hasher);

    impl Blake3 {
        /// A hash.
        #[allow(clippy::new_without_default, reason = "there are three kinds")]
        pub fn new() -> Self {
            Self(::blake3::Hasher::new())
        }

        /// A hash that only holders of the key can make: a message authentication code, too.
        pub fn keyed(key: &Secret<32>) -> Self {
            Self(::blake3::Hasher::new_keyed(key.expose()))
        }

        /// A key from key material, which is what is hashed. The context is a constant of the program that says what
        /// the key is for, and that nobody else uses.
        pub fn derive_key(context: &'static str) -> Self {
            Self(::blake3::Hasher::new_derive_key(context))
        }

        /// More bytes.
        pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
            self.0.update(bytes);
            self
        }

        /// The hash of all bytes so far.
        pub fn finish(&self) -> [u8; 32] {
            *self.0.finalize().as_bytes()
        }

        /// The hash of all bytes so far, as a key.
        pub fn finish_secret(&self) -> Secret<32> {
            Secret::written_by(|bytes| self.fill(bytes))
        }

        /// The hash of all bytes so far, as long as wanted.
        pub fn fill(&self, out: &mut [u8]) {
            self.0.finalize_xof().fill(out);
        }
    }

    impl Drop for Blake3 {
        fn drop(&mut self) {
            zeroize::Zeroize::zeroize(&mut self.0);
        }
    }

    macro_rules! hashes {
        ($($(#[$doc:meta])* $name:ident, $function:ident, $library:ty, $bytes:literal;)+) => {$(
            $(#[$doc])*
            #[derive(Default)]
            pub struct $name($library);

            impl $name {
                /// No bytes yet.
                pub fn new() -> Self {
                    Self::default()
                }

                /// More bytes.
                pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
                    Digest::update(&mut self.0, bytes);
                    self
                }

                /// The hash of all bytes.
                pub fn finish(self) -> [u8; $bytes] {
                    self.0.finalize().into()
                }
            }

            $(#[$doc])*
            pub fn $function(bytes: &[u8]) -> [u8; $bytes] {
                <$library>::digest(bytes).into()
            }
        )+};
    }

    hashes! {
        /// SHA-256 (FIPS 180-4).
        Sha256, sha256, sha2::Sha256, 32;
        /// SHA-384 (FIPS 180-4).
        Sha384, sha384, sha2::Sha384, 48;
        /// SHA-512 (FIPS 180-4).
        Sha512, sha512, sha2::Sha512, 64;
        /// SHA3-256 (FIPS 202).
        Sha3_256, sha3_256, sha3::Sha3_256, 32;
        /// SHA3-512 (FIPS 202).
        Sha3_512, sha3_512, sha3::Sha3_512, 64;
    }
}
