//! Developer keys: made on first use under `target/keys`, readable for their owner only, never committed.
//!
//! Image and publisher keys are pairs of Ed25519 and ML-DSA-65 (`nonos-image`); the Secure Boot keys PK, KEK and db
//! are RSA-2048 with self-signed certificates, made by `openssl`, because that is what every firmware knows. The update key,
//! which approves of systems towards TPMs (`docs/keys.md`), is on P-256, because that is what every TPM knows.
//! A key that exists is never made again: machines and images would no longer fit together.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nonos_image::keys::{PublicKeys, SecretKeys};

use crate::process::{capture, program, progress};

/// Name under which the developer's modules are published.
pub const PUBLISHER: &str = "nonos";

/// Bytes of the public update key: both coordinates of a point on P-256. They end its SubjectPublicKeyInfo (RFC 5480, 2.2).
const UPDATE_KEY_BYTES: usize = 64;

/// A folder with one set of keys.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

/// Which pair of image format keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signer {
    /// Signs system images; the boot loader has the public keys.
    Image,
    /// Signs modules; the system image has the public keys.
    Publisher,
}

/// Which Secure Boot key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecureBootKey {
    /// Platform key.
    Pk,
    /// Key exchange key.
    Kek,
    /// Signs boot loaders.
    Db,
}

impl Signer {
    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Publisher => "publisher",
        }
    }
}

impl SecureBootKey {
    const ALL: [Self; 3] = [Self::Pk, Self::Kek, Self::Db];

    fn name(self) -> &'static str {
        match self {
            Self::Pk => "PK",
            Self::Kek => "KEK",
            Self::Db => "db",
        }
    }
}

impl Keys {
    /// The developer's keys.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn developer() -> Result<Self> {
        Self::at(&crate::paths::keys())
    }

    /// The keys in `folder`; those that are missing are made. Safe to call from several processes at once.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn at(folder: &Path) -> Result<Self> {
        let keys = Self {
            folder: folder.to_path_buf(),
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("make {}", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        for signer in [Signer::Image, Signer::Publisher] {
            if !keys.public_file(signer).exists() {
                progress(format!(
                    "making the {} keys (Ed25519 and ML-DSA-65)",
                    signer.name()
                ));
                keys.make_pair(signer)?;
            }
        }
        if !keys.update_key().exists() {
            progress("making the update key");
            keys.make_update_key()?;
        }
        for key in SecureBootKey::ALL {
            if !keys.certificate(key).exists() {
                progress(format!("making the Secure Boot key {}", key.name()));
                keys.make_certificate(key)?;
            }
        }
        Ok(keys)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file with both public keys (1984 bytes).
    pub fn public_file(&self, signer: Signer) -> PathBuf {
        self.folder.join(format!("{}.pub", signer.name()))
    }

    /// Public keys.
    ///
    /// # Errors
    /// When the file cannot be read or has another length.
    pub fn public(&self, signer: Signer) -> Result<PublicKeys> {
        let path = self.public_file(signer);
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let bytes = bytes
            .as_slice()
            .try_into()
            .map_err(|_| anyhow!("{} is no public key file", path.display()))?;
        Ok(PublicKeys::from_bytes(bytes))
    }

    /// Secret keys.
    ///
    /// # Errors
    /// When the file cannot be read or is malformed.
    pub fn secret(&self, signer: Signer) -> Result<SecretKeys> {
        let path = self.secret_file(signer);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        SecretKeys::from_text(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
    }

    /// Certificate of a Secure Boot key (X.509, PEM).
    pub fn certificate(&self, key: SecureBootKey) -> PathBuf {
        self.folder.join(format!("{}.crt", key.name()))
    }

    /// Certificate of a Secure Boot key (X.509, DER).
    ///
    /// # Errors
    /// When `openssl` cannot convert it.
    pub fn certificate_der(&self, key: SecureBootKey) -> Result<Vec<u8>> {
        let der = self.folder.join(format!("{}.der", key.name()));
        let mut openssl = program("openssl")?;
        openssl
            .args(["x509", "-outform", "DER", "-in"])
            .arg(self.certificate(key))
            .arg("-out")
            .arg(&der);
        capture(&mut openssl)?;
        fs::read(&der).with_context(|| format!("read {}", der.display()))
    }

    /// Signs a boot loader for Secure Boot with the db key.
    ///
    /// # Errors
    /// When `sbsign` fails.
    pub fn sign_boot_loader(&self, unsigned: &Path, signed: &Path) -> Result<()> {
        let mut sbsign = program("sbsign")?;
        sbsign
            .arg("--key")
            .arg(self.secure_boot_secret(SecureBootKey::Db));
        sbsign
            .arg("--cert")
            .arg(self.certificate(SecureBootKey::Db));
        sbsign.arg("--output").arg(signed).arg(unsigned);
        capture(&mut sbsign).context("sign the boot loader")?;
        Ok(())
    }

    /// The file with the public update key.
    pub fn update_key(&self) -> PathBuf {
        self.folder.join("update.pub")
    }

    /// Has the holder of the update key approve a digest (`nonos_tpm::policy::approval_digest`): an ECDSA signature, r and s.
    ///
    /// # Errors
    /// When `openssl` fails.
    pub fn approve(&self, digest: &[u8; 32]) -> Result<[u8; 64]> {
        let file = self.folder.join("approved.digest");
        fs::write(&file, digest)?;
        let mut openssl = program("openssl")?;
        openssl.args(["pkeyutl", "-sign", "-inkey"]);
        openssl.arg(self.update_secret()).arg("-in").arg(&file);
        let signature = file.with_extension("signature");
        openssl.arg("-out").arg(&signature);
        capture(&mut openssl).context("sign with the update key")?;
        let der = fs::read(&signature)?;
        raw_signature(&der).with_context(|| format!("{der:02x?} is no ECDSA signature"))
    }

    fn update_secret(&self) -> PathBuf {
        self.folder.join("update.key")
    }

    /// The public file is written last: while it is missing, the key is not there.
    fn make_update_key(&self) -> Result<()> {
        let secret = self.update_secret();
        write_secret(&secret, b"")?;
        let mut openssl = program("openssl")?;
        openssl.args(["genpkey", "-algorithm", "EC", "-pkeyopt"]);
        openssl
            .args(["ec_paramgen_curve:P-256", "-out"])
            .arg(&secret);
        capture(&mut openssl)?;
        let der = self.folder.join("update.der");
        let mut openssl = program("openssl")?;
        openssl.args(["pkey", "-pubout", "-outform", "DER", "-in"]);
        openssl.arg(&secret).arg("-out").arg(&der);
        capture(&mut openssl)?;
        let public = fs::read(&der)?;
        let point = public.last_chunk::<UPDATE_KEY_BYTES>();
        fs::write(self.update_key(), point.context("openssl wrote no key")?)?;
        Ok(())
    }

    fn secret_file(&self, signer: Signer) -> PathBuf {
        self.folder.join(format!("{}.key", signer.name()))
    }

    fn secure_boot_secret(&self, key: SecureBootKey) -> PathBuf {
        self.folder.join(format!("{}.key", key.name()))
    }

    /// The public file is written last: while it is missing, the pair is not there.
    fn make_pair(&self, signer: Signer) -> Result<()> {
        let secret =
            SecretKeys::generate().map_err(|error| anyhow!("no random numbers: {error}"))?;
        write_secret(&self.secret_file(signer), secret.to_text().as_bytes())?;
        fs::write(self.public_file(signer), secret.public().to_bytes())?;
        Ok(())
    }

    fn make_certificate(&self, key: SecureBootKey) -> Result<()> {
        let secret = self.secure_boot_secret(key);
        write_secret(&secret, b"")?;
        let mut openssl = program("openssl")?;
        openssl.args([
            "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650",
        ]);
        openssl.args(["-subj", &format!("/CN=NONOS developer {}/", key.name())]);
        openssl
            .arg("-keyout")
            .arg(&secret)
            .arg("-out")
            .arg(self.certificate(key));
        capture(&mut openssl)?;
        Ok(())
    }
}

/// Both numbers of an ECDSA signature in DER (RFC 3279, 2.2.3); `None` when it is none.
fn raw_signature(der: &[u8]) -> Option<[u8; 64]> {
    let mut rest = match der {
        [0x30, length, rest @ ..] if usize::from(*length) == rest.len() => rest,
        _ => return None,
    };
    let mut raw = [0; 64];
    for half in raw.chunks_mut(32) {
        let [2, length, after @ ..] = rest else {
            return None;
        };
        let (number, after) = after.split_at_checked(usize::from(*length))?;
        // At most one zero leads, so that it does not look negative.
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        let start = half.len().checked_sub(number.len())?;
        half[start..].copy_from_slice(number);
        rest = after;
    }
    rest.is_empty().then_some(raw)
}

/// Writes a file that is readable for its owner only from the moment it exists.
fn write_secret(path: &Path, contents: &[u8]) -> Result<()> {
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("make {}", path.display()))?;
    file.write_all(contents)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_whatever_their_numbers_lengths() {
        let number = |first: u8, length: usize| [vec![first], vec![7; length - 1]].concat();
        for (r, s) in [
            (number(1, 32), number(2, 31)),
            (number(0, 33), number(0, 33)),
            (number(5, 1), number(9, 32)),
        ] {
            let body = [&[2, r.len() as u8][..], &r, &[2, s.len() as u8], &s].concat();
            let der = [&[0x30, body.len() as u8][..], &body].concat();
            let raw = raw_signature(&der).unwrap();
            for (half, number) in raw.chunks(32).zip([&r, &s]) {
                let number = number.strip_prefix(&[0]).unwrap_or(number);
                assert!(half.ends_with(number));
                assert!(half[..32 - number.len()].iter().all(|&byte| byte == 0));
            }
            assert_eq!(raw_signature(&der[..der.len() - 1]), None);
            assert_eq!(raw_signature(&[&der[..], &[0]].concat()), None);
        }
        let long = [&[0x30, 38, 2, 33][..], &[1; 33], &[2, 1, 1]].concat();
        assert_eq!(raw_signature(&long), None);
    }
}
