//! Secret keys and signing: host only.
//!
//! A secret key is two 32-byte seeds, from which both key pairs follow. Signatures are deterministic (RFC 8032;
//! FIPS 204, 3.4, deterministic variant), so that an image is reproducible by whoever holds the keys.
//!
//! Secrets are wiped when dropped, cannot be copied or printed, and leave this module only as the text of a
//! key file, by [`SecretKeys::to_text`]:
//!
//! ```text
//! nonos secret keys v1
//! ed25519 0001020304050607...   64 hexadecimal digits: the seed of RFC 8032, 5.1.5
//! ml-dsa-65 0001020304050607... 64 hexadecimal digits: the seed of FIPS 204, algorithm 6
//! ```
//!
//! Exactly these three lines, in this order, each ended by one newline.

use alloc::string::String;
use core::fmt::{self, Write};

use nonos_crypto::{Secret, ed25519, ml_dsa};
use zeroize::Zeroizing;

use crate::bytes::Hex;
use crate::keys::PublicKeys;
use crate::signature::{ED25519_SIGNATURE_BYTES, ML_DSA_SIGNATURE_BYTES};

const TITLE: &str = "nonos secret keys v1";
const ED25519: &str = "ed25519 ";
const ML_DSA: &str = "ml-dsa-65 ";
/// Bytes of a seed.
pub const SEED_BYTES: usize = 32;

/// A pair of secret keys. Cannot be printed or copied:
///
/// ```
/// fn any<T>() {}
/// any::<nonos_image::keys::SecretKeys>();
/// ```
/// ```compile_fail,E0277
/// fn printable<T: core::fmt::Debug>() {}
/// printable::<nonos_image::keys::SecretKeys>();
/// ```
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<nonos_image::keys::SecretKeys>();
/// ```
pub struct SecretKeys {
    ed25519: Secret<SEED_BYTES>,
    ml_dsa: Secret<SEED_BYTES>,
}

/// Why a text is no secret key file. Says nothing of its contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFileError {
    /// The first line is another.
    Title,
    /// The line with the Ed25519 seed is missing or malformed.
    Ed25519,
    /// The line with the ML-DSA-65 seed is missing or malformed.
    MlDsa,
    /// Something follows, or the last newline is missing.
    End,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Title => write!(f, "not a secret key file: line 1 is not \"{TITLE}\""),
            Self::Ed25519 => write!(
                f,
                "line 2 is not \"{ED25519}\" and {} hexadecimal digits",
                2 * SEED_BYTES
            ),
            Self::MlDsa => write!(
                f,
                "line 3 is not \"{ML_DSA}\" and {} hexadecimal digits",
                2 * SEED_BYTES
            ),
            Self::End => f.write_str("the file does not end after line 3"),
        }
    }
}

impl core::error::Error for KeyFileError {}

impl SecretKeys {
    /// New keys from the operating system's random numbers.
    ///
    /// # Errors
    /// When the operating system has none.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let seed = || {
            let mut filled = Ok(());
            let seed = Secret::written_by(|bytes| filled = getrandom::fill(bytes));
            filled.map(|()| seed)
        };
        Ok(Self {
            ed25519: seed()?,
            ml_dsa: seed()?,
        })
    }

    /// The keys that follow from two seeds.
    pub fn from_seeds(mut ed25519: [u8; SEED_BYTES], mut ml_dsa: [u8; SEED_BYTES]) -> Self {
        Self {
            ed25519: Secret::taken_from(&mut ed25519),
            ml_dsa: Secret::taken_from(&mut ml_dsa),
        }
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn from_text(text: &str) -> Result<Self, KeyFileError> {
        let rest = line(text, TITLE).filter(|(rest, _)| rest.is_empty());
        let (_, text) = rest.ok_or(KeyFileError::Title)?;
        let (ed25519, text) = line(text, ED25519).ok_or(KeyFileError::Ed25519)?;
        let (ml_dsa, text) = line(text, ML_DSA).ok_or(KeyFileError::MlDsa)?;
        let keys = Self {
            ed25519: seed(ed25519).ok_or(KeyFileError::Ed25519)?,
            ml_dsa: seed(ml_dsa).ok_or(KeyFileError::MlDsa)?,
        };
        if text.is_empty() {
            Ok(keys)
        } else {
            Err(KeyFileError::End)
        }
    }

    /// The text of a key file. Whoever writes it keeps it readable for its owner only.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Large enough never to move: a move would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(256));
        let (ed25519, ml_dsa) = (Hex(self.ed25519.expose()), Hex(self.ml_dsa.expose()));
        write!(text, "{TITLE}\n{ED25519}{ed25519}\n{ML_DSA}{ml_dsa}\n")
            .expect("a String takes any text");
        text
    }

    /// The public keys.
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            ed25519: ed25519::SigningKey::from_seed(&self.ed25519).public(),
            ml_dsa: ml_dsa::SigningKey::from_seed(&self.ml_dsa).public(),
        }
    }

    pub(crate) fn sign_ed25519(&self, message: &[u8]) -> [u8; ED25519_SIGNATURE_BYTES] {
        ed25519::SigningKey::from_seed(&self.ed25519).sign(message)
    }

    pub(crate) fn sign_ml_dsa(
        &self,
        message: &[u8],
        context: &[u8],
    ) -> [u8; ML_DSA_SIGNATURE_BYTES] {
        ml_dsa::SigningKey::from_seed(&self.ml_dsa)
            .sign_deterministic(message, context)
            .expect("a key from a seed signs, and contexts are shorter than 256 bytes")
    }
}

/// The rest of the first line after `start`, and the lines after it.
fn line<'a>(text: &'a str, start: &str) -> Option<(&'a str, &'a str)> {
    text.split_once('\n')
        .and_then(|(line, rest)| Some((line.strip_prefix(start)?, rest)))
}

fn seed(digits: &str) -> Option<Secret<SEED_BYTES>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != SEED_BYTES {
        return None;
    }
    let mut are_digits = true;
    let seed = Secret::<SEED_BYTES>::written_by(|seed| {
        for (byte, [high, low]) in seed.iter_mut().zip(pairs) {
            let mut digit = |digit: u8| {
                let value = (digit as char).to_digit(16);
                are_digits &= value.is_some();
                value.unwrap_or(0) as u8
            };
            *byte = digit(*high) << 4 | digit(*low);
        }
    });
    are_digits.then_some(seed)
}
