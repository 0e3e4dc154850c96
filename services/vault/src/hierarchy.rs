//! The root: 32 random bytes that every key of the vault hangs on, and what is derived from it by HKDF-SHA-256.

use nonos_abi::Name;
use nonos_crypto::kdf::HkdfSha256;
use nonos_crypto::{CryptoRng, Secret};

/// Keys that seeds are encrypted with.
const WRAP: &[u8] = b"nonos.vault.wrap.v1";
/// Keys that modules have for themselves, with the module's name behind it.
const MODULE: &[u8] = b"nonos.vault.module.v1";

/// The root.
pub struct Root(Secret<32>);

impl Root {
    /// A new one.
    pub fn new(random: &mut dyn CryptoRng) -> Self {
        Self(Secret::random(random))
    }

    /// The root that was sealed.
    pub fn from_secret(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The root, to seal it.
    pub fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The key that seeds are encrypted with.
    pub fn wrapping_key(&self) -> Secret<32> {
        self.derive(WRAP)
    }

    /// The key that a module has for itself, the same for as long as the root is the same.
    pub fn module_key(&self, module: Name) -> Secret<32> {
        let mut label = [0; MODULE.len() + Name::BYTES];
        label[..MODULE.len()].copy_from_slice(MODULE);
        label[MODULE.len()..].copy_from_slice(&module.to_bytes());
        self.derive(&label)
    }

    fn derive(&self, label: &[u8]) -> Secret<32> {
        labelled(&HkdfSha256::extract(&[], self.0.expose()), label)
    }
}

/// A key for what a label says.
pub fn labelled(from: &HkdfSha256, label: &[u8]) -> Secret<32> {
    from.expand(label)
        .expect("32 bytes are less than 255 hashes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels are part of what is stored: this is RFC 5869 over them, made with Python's `hmac`.
    #[test]
    fn keys_follow_from_the_root_as_documented() {
        let root = Root::from_secret(Secret::written_by(|bytes| bytes.fill(7)));
        let hex = |secret: Secret<32>| -> String {
            let bytes = secret.expose().iter();
            bytes.map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(hex(root.wrapping_key()), WRAPPING);
        let ramfs = Name::new("ramfs").unwrap();
        assert_eq!(hex(root.module_key(ramfs)), RAMFS);
        let other = Name::new("ramfs2").unwrap();
        assert_ne!(hex(root.module_key(other)), RAMFS);
    }

    const WRAPPING: &str = "7b6072c883cfe32957b3ba533ee319ce7b4413d7f94e49a9b0a52efe67b58314";
    const RAMFS: &str = "02ceb99c310d63714fa735a01aab0e39503753b78bc035924b41914b2dbbbb78";
}
