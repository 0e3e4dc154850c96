//! Updates: the approval by which a vault that was sealed to another system opens under this one (`docs/keys.md`).

use anyhow::{Result, anyhow};
use nonos_boot::measure;
use nonos_crypto::hash::sha256;
use nonos_image::image;
use nonos_image::keys::PublicKeys;
use nonos_tpm::{Digest, PCRS, policy};

use crate::keys::{Keys, Signer};

/// The update key's approval of a system image: a signature, r and s.
///
/// # Errors
/// When the image key did not sign the image, or a key is missing.
pub fn approval(system_image: &[u8], keys: &Keys) -> Result<[u8; 64]> {
    let public = keys.public(Signer::Image)?;
    let mut values = [[0; 32]; PCRS];
    values[policy::APPROVED_PCR as usize] = booted(system_image, &public)?;
    keys.approve(&policy::approval_digest(&values))
}

/// PCR 11 when the boot loader with these keys has booted an image.
fn booted(system_image: &[u8], keys: &PublicKeys) -> Result<Digest> {
    let image = image::verify(system_image, keys).map_err(|refusal| anyhow!("{refusal}"))?;
    let mut pcr = [0; 32];
    let mut extend = |data: &[u8], _: &str| {
        pcr = sha256(&[pcr, sha256(data)].concat());
        Ok(())
    };
    measure::for_each_event(image.header(), keys, &mut extend)
        .map_err(|status| anyhow!("measuring: {status:#x}"))?;
    Ok(pcr)
}
