//! Why something was refused. Errors tell what was wrong and never anything of a secret.

use core::fmt;

/// Why something was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The tag does not fit key, nonce, associated data and ciphertext: one of them is another than at sealing.
    NotAuthentic,
    /// The signature is not one of this key over this message.
    BadSignature,
    /// The public key is not an encoding of one.
    BadPublicKey,
    /// The public key is a point of small order: whatever the secret is, what is agreed on is known to everyone.
    WeakPublicKey,
    /// The message is longer than the algorithm allows.
    MessageTooLong,
    /// The context is longer than 255 bytes (FIPS 204, algorithm 2).
    ContextTooLong,
    /// More bytes are wanted than the algorithm can make.
    OutputTooLong,
    /// This key has sealed as many messages as it may.
    KeyUsedUp,
    /// The salt is shorter than 16 bytes (RFC 9106, 3.1).
    SaltTooShort,
    /// A passphrase hash is asked for that is cheaper than allowed, or that the algorithm does not have.
    BadCost,
    /// The memory lent for a passphrase hash is smaller than its cost says.
    MemoryTooSmall,
    /// The signing key is not one that signs (FIPS 204, appendix C): no key that was made from a seed.
    BadSigningKey,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAuthentic => {
                "not authentic: key, nonce, associated data or ciphertext differ from what was sealed"
            }
            Self::BadSignature => "the signature is not one of this key over this message",
            Self::BadPublicKey => "not the encoding of a public key",
            Self::WeakPublicKey => "the public key is a point of small order",
            Self::MessageTooLong => "the message is longer than the algorithm allows",
            Self::ContextTooLong => "the context is longer than 255 bytes",
            Self::OutputTooLong => "more bytes are wanted than the algorithm can make",
            Self::KeyUsedUp => "the key has sealed as many messages as it may: use another",
            Self::SaltTooShort => "the salt is shorter than 16 bytes",
            Self::BadCost => "the cost of the passphrase hash is out of bounds",
            Self::MemoryTooSmall => "the memory for the passphrase hash is smaller than its cost",
            Self::BadSigningKey => "the signing key does not sign",
        })
    }
}

impl core::error::Error for Error {}
