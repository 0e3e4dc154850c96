//! Measured boot: what is about to run goes into PCR 11 (where unified kernel images are measured, UAPI
//! Linux TPM PCR registry) before anything of it is unpacked.
//!
//! Three events, each with a text in the log that says what was hashed, so that a verifier can recompute them:
//! the payload's BLAKE3 hash, version and security version, and the public keys that the image was
//! verified with.
//!
//! Invariant: a [`MeasuredImage`] is made only here. Without a TPM there is nothing to measure to and
//! [`MeasuredImage::measured`] says so; with one, a failure is a refusal.

use core::fmt::Write;

use nonos_image::Hex;
use nonos_image::image::Header;
use nonos_image::keys::PublicKeys;

use crate::Refusal;
use crate::rollback::AcceptedImage;
use crate::text::Text;

/// The PCR that everything here goes to.
pub const PCR: u32 = 11;

/// Extends PCR [`PCR`] and writes to the event log: EFI_TCG2_PROTOCOL.HashLogExtendEvent.
pub trait Measurer {
    /// Extends by the hash of `data`, and logs an event of type EV_IPL with `description`.
    ///
    /// # Errors
    /// The firmware's status.
    fn measure(&mut self, data: &[u8], description: &[u8]) -> Result<(), u64>;
}

/// A verified, accepted image that was measured wherever there is something to measure to.
pub struct MeasuredImage<'a> {
    image: AcceptedImage<'a>,
    measured: bool,
}

/// Measures an image; `None` where the machine has no TPM.
///
/// # Errors
/// When the firmware or TPM fails.
pub fn measure<'a>(
    image: AcceptedImage<'a>,
    keys: &PublicKeys,
    measurer: Option<&mut dyn Measurer>,
) -> Result<MeasuredImage<'a>, Refusal> {
    let Some(measurer) = measurer else {
        return Ok(MeasuredImage {
            image,
            measured: false,
        });
    };
    for_each_event(image.header(), keys, &mut |data, description| {
        measurer.measure(data, description.as_bytes())
    })
    .map_err(|status| Refusal::Firmware {
        check: "measured boot",
        status,
    })?;
    Ok(MeasuredImage {
        image,
        measured: true,
    })
}

/// Takes what is hashed, and its description.
pub type EventSink<'s> = dyn FnMut(&[u8], &str) -> Result<(), u64> + 's;

/// What is measured of an image that these keys verify. PCR 11 follows from it, so that another system can be approved before it is booted.
///
/// # Errors
/// The first of the sink.
pub fn for_each_event(
    header: &Header,
    keys: &PublicKeys,
    sink: &mut EventSink<'_>,
) -> Result<(), u64> {
    let mut text = Text::<128>::new();
    let _ = write!(text, "nonos: payload BLAKE3 {}", Hex(&header.payload_hash));
    sink(&header.payload_hash, text.as_str())?;

    text.clear();
    let (version, security) = (header.version.as_str(), header.security_version);
    let _ = write!(
        text,
        "nonos: version {version}, security version {security}"
    );
    sink(text.as_str().as_bytes(), text.as_str())?;

    text.clear();
    let _ = write!(text, "nonos: public keys BLAKE3 {}", Hex(&keys.hash()));
    sink(&keys.to_bytes(), text.as_str())
}

impl<'a> MeasuredImage<'a> {
    /// The image.
    pub fn accepted(&self) -> &AcceptedImage<'a> {
        &self.image
    }

    /// Whether it is in PCR 11.
    pub fn measured(&self) -> bool {
        self.measured
    }
}
