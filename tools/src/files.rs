//! Files: keys and everything else.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use nonos_image::keys::{PUBLIC_KEYS_BYTES, PublicKeys, SecretKeys};
use zeroize::Zeroizing;

use crate::error::{At, Error, Reason};

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).at(path)
}

/// Writes a file; replaces one that is there.
pub fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    fs::write(path, contents).at(path)
}

/// Reads a secret key file ([`nonos_image::sign`] describes it).
pub fn read_secret_keys(path: &Path) -> Result<SecretKeys, Error> {
    let text = Zeroizing::new(fs::read_to_string(path).at(path)?);
    SecretKeys::from_text(&text).at(path)
}

/// Writes a secret key file that only its owner can read.
///
/// # Errors
/// [`Reason::Exists`] rather than replacing a file.
pub fn write_secret_keys(path: &Path, keys: &SecretKeys) -> Result<(), Error> {
    create(path, keys.to_text().as_bytes(), 0o600)
}

/// Reads a public key file: [`PUBLIC_KEYS_BYTES`] bytes, the Ed25519 key, then the ML-DSA-65 key.
pub fn read_public_keys(path: &Path) -> Result<PublicKeys, Error> {
    let bytes = read(path)?;
    let bytes: &[u8; PUBLIC_KEYS_BYTES] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| Reason::PublicKeyLength(bytes.len()).at(path))?;
    Ok(PublicKeys::from_bytes(bytes))
}

/// Writes a public key file.
///
/// # Errors
/// [`Reason::Exists`] rather than replacing a file.
pub fn write_public_keys(path: &Path, keys: &PublicKeys) -> Result<(), Error> {
    create(path, &keys.to_bytes(), 0o644)
}

/// Writes a file that must not exist.
fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Reason::Exists.at(path),
        _ => Reason::Io(error).at(path),
    })?;
    file.write_all(contents)
        .and_then(|()| file.sync_all())
        .at(path)
}

/// Whether others than the owner may read a file.
pub fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
