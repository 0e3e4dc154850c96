//! Anti-rollback: an image whose security version is below the stored minimum does not boot, and an image
//! above it raises the minimum.
//!
//! Invariant: an [`AcceptedImage`] is made only by [`accept`], out of a verified image. A store that cannot be
//! read, or does not hold afterwards what was written, is a refusal and never "no minimum".
//!
//! The TPM counter can only grow. Before the kernel starts it is locked until the machine starts anew, so
//! nothing that runs later can make the present image unbootable by raising it.

use core::fmt;

use nonos_abi::boot::RollbackStore;
use nonos_image::image::{UnpackError, VerifiedImage};

use crate::tpm::{self, Transport};

/// Most that one boot raises the minimum: every step is a write to the TPM's non-volatile memory.
pub const MAX_STEPS: u64 = 256;

/// Why an image was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The image is older than one that has booted here.
    Older {
        /// Security version of the image.
        found: u64,
        /// Stored minimum.
        minimum: u64,
    },
    /// Raising the minimum to the image's security version would take more than [`MAX_STEPS`].
    TooFarAhead {
        /// Security version of the image.
        found: u64,
        /// Stored minimum.
        minimum: u64,
    },
    /// The store holds another value than the one it was raised to.
    NotRaised {
        /// What it holds.
        found: u64,
        /// What it should hold.
        expected: u64,
    },
    /// The TPM failed.
    Tpm(tpm::Error),
    /// The counter was used before and is locked although the machine has started anew.
    Locked,
    /// The UEFI variable is not what the loader makes.
    Variable {
        /// Its attributes, unless it is far too long.
        attributes: Option<u32>,
        /// Its bytes.
        bytes: usize,
    },
    /// The firmware failed to read or write the UEFI variable; its status.
    Firmware(u64),
}

impl From<tpm::Error> for Refusal {
    fn from(error: tpm::Error) -> Self {
        Self::Tpm(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { found, minimum } => {
                write!(f, "rollback: found security version {found}, expected at least {minimum}")
            }
            Self::TooFarAhead { found, minimum } => {
                let most = minimum.saturating_add(MAX_STEPS);
                write!(f, "rollback: found security version {found}, expected at most {most} after {minimum}")
            }
            Self::NotRaised { found, expected } => {
                write!(f, "rollback counter: found {found} after raising it, expected {expected}")
            }
            Self::Tpm(error) => write!(f, "rollback counter: {error}"),
            Self::Locked => f.write_str(
                "rollback counter: found it locked, expected it unlocked after a start of the machine",
            ),
            Self::Variable { attributes, bytes } => {
                write!(f, "rollback variable: found {bytes} bytes")?;
                if let Some(attributes) = attributes {
                    write!(f, " with attributes {attributes:#x}")?;
                }
                f.write_str(", expected 8 with attributes 0x3")
            }
            Self::Firmware(status) => {
                write!(f, "rollback variable: found firmware status {status:#x}, expected success")
            }
        }
    }
}

impl core::error::Error for Refusal {}

/// Where the minimum is kept.
pub trait Store {
    /// For the hand-over.
    fn kind(&self) -> RollbackStore;

    /// The stored minimum; 0 when nothing was ever stored.
    fn read(&mut self) -> Result<u64, Refusal>;

    /// Raises the minimum, at most [`MAX_STEPS`] up.
    fn raise(&mut self, to: u64) -> Result<(), Refusal>;

    /// Keeps the minimum from being raised by anything that runs later, where the store can do that.
    fn lock(&mut self) -> Result<(), Refusal>;
}

/// A verified image that is recent enough.
pub struct AcceptedImage<'a> {
    image: VerifiedImage<'a>,
    minimum: u64,
    raised_from: u64,
    store: RollbackStore,
}

/// Checks an image against the store and brings the store up to date.
///
/// # Errors
/// Then the image must not run.
pub fn accept<'a>(
    image: VerifiedImage<'a>,
    store: &mut dyn Store,
) -> Result<AcceptedImage<'a>, Refusal> {
    let (raised_from, minimum) = enforce(image.header().security_version, store)?;
    Ok(AcceptedImage {
        image,
        minimum,
        raised_from,
        store: store.kind(),
    })
}

/// The minimum before and after.
fn enforce(version: u64, store: &mut dyn Store) -> Result<(u64, u64), Refusal> {
    let minimum = store.read()?;
    if version < minimum {
        return Err(Refusal::Older {
            found: version,
            minimum,
        });
    }
    if version - minimum > MAX_STEPS {
        return Err(Refusal::TooFarAhead {
            found: version,
            minimum,
        });
    }
    if version > minimum {
        store.raise(version)?;
        let found = store.read()?;
        if found != version {
            return Err(Refusal::NotRaised {
                found,
                expected: version,
            });
        }
    }
    store.lock()?;
    Ok((minimum, version))
}

impl<'a> AcceptedImage<'a> {
    /// The signed header.
    pub fn header(&self) -> &nonos_image::image::Header {
        self.image.header()
    }

    /// Bytes that [`Self::unpack`] needs.
    pub fn unpacked_bytes(&self) -> usize {
        self.image.unpacked_bytes()
    }

    /// Decompresses the payload; see [`VerifiedImage::unpack`].
    ///
    /// # Errors
    /// When the payload is no stream that fills `out` exactly.
    pub fn unpack(&self, out: &mut [u8]) -> Result<(), UnpackError> {
        self.image.unpack(out)
    }

    /// Stored minimum, after this boot's update.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Stored minimum before.
    pub fn raised_from(&self) -> u64 {
        self.raised_from
    }

    /// Where the minimum is kept.
    pub fn store(&self) -> RollbackStore {
        self.store
    }
}

/// The NV counter of a TPM.
pub struct TpmCounter<'a>(pub &'a mut dyn Transport);

impl Store for TpmCounter<'_> {
    fn kind(&self) -> RollbackStore {
        RollbackStore::Tpm
    }

    fn read(&mut self) -> Result<u64, Refusal> {
        match tpm::read_counter_state(self.0)? {
            Some(state) if state.written => Ok(tpm::read_counter(self.0)?),
            _ => Ok(0),
        }
    }

    fn raise(&mut self, to: u64) -> Result<(), Refusal> {
        match tpm::read_counter_state(self.0)? {
            None => tpm::define_counter(self.0)?,
            Some(state) if state.write_locked => return Err(Refusal::Locked),
            Some(_) => (),
        }
        // The first increment of a new counter takes it above every counter this TPM ever had (part 1,
        // 37.2.3); when that is above the image, the comparison that follows refuses it.
        for _ in 0..MAX_STEPS {
            tpm::increment_counter(self.0)?;
            if tpm::read_counter(self.0)? >= to {
                break;
            }
        }
        Ok(())
    }

    fn lock(&mut self) -> Result<(), Refusal> {
        match tpm::read_counter_state(self.0)? {
            Some(state) if state.written && !state.write_locked => Ok(tpm::write_lock(self.0)?),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpm::fake::FakeTpm;

    fn boot(tpm: &mut FakeTpm, version: u64) -> Result<(u64, u64), Refusal> {
        enforce(version, &mut TpmCounter(tpm))
    }

    /// What a start of the machine does to a TPM.
    fn restart(tpm: &mut FakeTpm) {
        if let Some((attributes, _)) = &mut tpm.counter {
            *attributes &= !(1 << 11);
        }
        tpm.seen.clear();
    }

    #[test]
    fn the_first_boot_defines_and_raises_the_counter() {
        let mut tpm = FakeTpm::new();
        assert_eq!(boot(&mut tpm, 3), Ok((0, 3)));
        assert_eq!(tpm.counter.unwrap().1, 3);
    }

    #[test]
    fn an_older_image_is_refused_and_the_counter_stays() {
        let mut tpm = FakeTpm::new();
        boot(&mut tpm, 5).unwrap();
        restart(&mut tpm);
        assert_eq!(
            boot(&mut tpm, 4),
            Err(Refusal::Older {
                found: 4,
                minimum: 5
            })
        );
        assert_eq!(tpm.counter.unwrap().1, 5);
    }

    #[test]
    fn the_same_version_boots_again_without_a_write() {
        let mut tpm = FakeTpm::new();
        boot(&mut tpm, 2).unwrap();
        restart(&mut tpm);
        assert_eq!(boot(&mut tpm, 2), Ok((2, 2)));
        assert!(!tpm.seen.contains(&0x134) && !tpm.seen.contains(&0x12A));
    }

    #[test]
    fn after_the_check_the_counter_is_locked_until_the_next_start() {
        let mut tpm = FakeTpm::new();
        boot(&mut tpm, 1).unwrap();
        assert_eq!(boot(&mut tpm, 2), Err(Refusal::Locked));
        restart(&mut tpm);
        assert_eq!(boot(&mut tpm, 2), Ok((1, 2)));
    }

    #[test]
    fn a_jump_that_takes_too_many_steps_is_refused_before_any_write() {
        let mut tpm = FakeTpm::new();
        let expected = Refusal::TooFarAhead {
            found: MAX_STEPS + 1,
            minimum: 0,
        };
        assert_eq!(boot(&mut tpm, MAX_STEPS + 1), Err(expected));
        assert_eq!(tpm.counter, None);
        assert_eq!(boot(&mut tpm, MAX_STEPS), Ok((0, MAX_STEPS)));
    }

    #[test]
    fn a_counter_that_starts_above_the_image_is_a_refusal() {
        let mut tpm = FakeTpm::new();
        tpm.first_value = 40;
        assert_eq!(
            boot(&mut tpm, 3),
            Err(Refusal::NotRaised {
                found: 40,
                expected: 3
            })
        );
    }

    #[test]
    fn a_failure_of_any_command_is_a_refusal() {
        for command in [0x169, 0x12A, 0x134, 0x14E, 0x138] {
            let mut tpm = FakeTpm::new();
            tpm.tamper = Box::new(move |code, response| {
                if code == command {
                    *response = vec![0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 1];
                }
            });
            assert!(
                matches!(boot(&mut tpm, 1), Err(Refusal::Tpm(_))),
                "{command:#x}"
            );
        }
    }

    #[test]
    fn every_refusal_says_what_was_found_and_expected() {
        let refusals = [
            Refusal::Older {
                found: 1,
                minimum: 2,
            },
            Refusal::TooFarAhead {
                found: 1000,
                minimum: 2,
            },
            Refusal::NotRaised {
                found: 1,
                expected: 2,
            },
            Refusal::Locked,
            Refusal::Variable {
                attributes: Some(7),
                bytes: 9,
            },
            Refusal::Variable {
                attributes: None,
                bytes: 900,
            },
            Refusal::Firmware(3),
        ];
        for refusal in refusals {
            let text = refusal.to_string();
            assert!(
                text.contains(": found ") && text.contains(", expected "),
                "{text}"
            );
        }
    }
}
