//! What the driver does with answers that are given beforehand: recorded ones of `swtpm` in `fuzz/corpus/tpm_sessions`, and what a fuzzer makes of
//! them. The first byte says which operation; then each answer follows its length. The random numbers are those of the recording, so that
//! the recorded answers are authentic.
#![allow(dead_code, reason = "not every program uses all of it")]

use nonos_crypto::CryptoRng;
use nonos_tpm::Transport;
use nonos_tpm::device::{Device, Failure};
use nonos_tpm::seal::{BLOB_BYTES_MAX, Conditions, DATA_BYTES_MAX};

const AUTH: &[u8] = b"0123456789abcdef";

/// An update key.
const POINT: [u8; 64] = [
    0x1e, 0x18, 0x53, 0x2f, 0xd4, 0x75, 0x4c, 0x02, 0xf3, 0x04, 0x1d, 0x9c, 0x75, 0xce, 0xb3, 0x3b,
    0x83, 0xff, 0xd8, 0x1a, 0xc7, 0xce, 0x4f, 0xe8, 0x82, 0xcc, 0xb1, 0xc9, 0x8b, 0xc5, 0x89, 0x6e,
    0xa4, 0x6c, 0x31, 0x1c, 0x4e, 0x2f, 0xf4, 0x0d, 0xd9, 0x6a, 0x36, 0x53, 0xe6, 0xe4, 0x54, 0x45,
    0xd3, 0x2d, 0xfe, 0x48, 0x6e, 0xce, 0xd7, 0x5c, 0x7a, 0x90, 0xc6, 0xa1, 0x88, 0x81, 0xc0, 0xa3,
];

/// Answers that are left.
struct Answers<'a>(&'a [u8]);

impl Transport for Answers<'_> {
    fn submit(&mut self, _: &[u8], response: &mut [u8]) -> Result<(), u64> {
        let (length, rest) = self.0.split_first_chunk().ok_or(7u64)?;
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (answer, rest) = rest.split_at(length);
        self.0 = rest;
        let used = answer.len().min(response.len());
        response[..used].copy_from_slice(&answer[..used]);
        Ok(())
    }
}

/// Does an operation of the driver; `None` when there is not even its number.
pub fn operation(bytes: &[u8]) -> Option<Result<(), Failure>> {
    let (number, answers) = bytes.split_first()?;
    let mut device = Device::new(Answers(answers), Rng(1));
    Some(match number % 8 {
        0 => device.random().map(|(_, given)| assert!(given <= 32)),
        1 => seal_and_unseal(&mut device),
        2 => device.quote(1 << 11, &[3; 20]).map(drop),
        3 => device
            .certificate(0, &mut [0; 64])
            .map(|(bytes, _)| assert!(bytes <= 64)),
        4 => device
            .activate(&[0; 64])
            .map(|(_, bytes)| assert!(bytes <= 32)),
        5 => device.increment().and_then(|_| device.counter()).map(drop),
        6 => device
            .store(0, &[5; 64])
            .and_then(|()| device.load(0, &mut [0; 64])),
        _ => device
            .state()
            .and_then(|_| device.pcrs())
            .and_then(|_| device.extend(16, &[1; 32])),
    })
}

fn seal_and_unseal(device: &mut Device<Answers<'_>, Rng>) -> Result<(), Failure> {
    let mut blob = [0; BLOB_BYTES_MAX];
    let conditions = Conditions {
        selection: 1 << 7 | 1 << 11,
        auth: AUTH,
        update_key: Some(&POINT),
    };
    let bytes = device.seal(&conditions, &[7; 32], &mut blob)?;
    let mut data = [0; DATA_BYTES_MAX];
    let bytes = device.unseal(&blob[..bytes], AUTH, None, &mut data)?;
    assert!(bytes <= data.len());
    Ok(())
}

/// Numbers that look random.
pub struct Rng(pub u64);

impl rand_core::TryRng for Rng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(1);
        let hash = nonos_crypto::hash::sha256(&self.0.to_le_bytes());
        Ok(u64::from_le_bytes(hash[..8].try_into().unwrap()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Rng {}

const _: fn(&mut Rng) -> &mut dyn CryptoRng = |rng| rng;
