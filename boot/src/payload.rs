//! From a measured image to its unpacked payload.
//!
//! Invariant: a [`Payload`] is made only from a [`MeasuredImage`], so its contents were verified, checked
//! against rollback and measured; [`crate::kernel_image::KernelImage`] is made only from a payload.

use nonos_abi::Name;
use nonos_image::archive::Archive;

use crate::Refusal;
use crate::measure::MeasuredImage;

/// The unpacked contents of a system image.
pub struct Payload<'m> {
    archive: Archive<'m>,
}

/// Unpacks an image to `out`, which has exactly as many bytes as the signed header says.
///
/// # Errors
/// When what was signed is not a stream of that length or no archive.
pub fn unpack<'m>(image: &MeasuredImage<'_>, out: &'m mut [u8]) -> Result<Payload<'m>, Refusal> {
    image.accepted().unpack(out).map_err(Refusal::Unpack)?;
    let archive = Archive::parse(out).map_err(Refusal::Archive)?;
    Ok(Payload { archive })
}

impl<'m> Payload<'m> {
    /// Contents of an entry.
    pub fn get(&self, name: &str) -> Option<&'m [u8]> {
        self.archive.get(name)
    }

    /// Names of all entries.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.archive.iter().map(|entry| entry.name)
    }
}
