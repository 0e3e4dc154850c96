//! AES-128 in cipher feedback mode (SP 800-38A, 6.3), for TPMs, which encrypt parameters with it. It says nothing about
//! who encrypted: the caller checks a message authentication code first.

use aes::Aes128;
use aes::cipher::KeyIvInit;

use crate::Secret;

/// Encrypts in place.
pub fn encrypt(key: &Secret<16>, iv: &[u8; 16], bytes: &mut [u8]) {
    cfb_mode::Encryptor::<Aes128>::new(key.expose().into(), iv.into()).encrypt(bytes);
}

/// Decrypts in place.
pub fn decrypt(key: &Secret<16>, iv: &[u8; 16], bytes: &mut [u8]) {
    cfb_mode::Decryptor::<Aes128>::new(key.expose().into(), iv.into()).decrypt(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_is_met() {
        // SP 800-38A, F.3.13: CFB128-AES128, first two blocks.
        let key = 0x2b7e1516_28aed2a6_abf71588_09cf4f3c_u128.to_be_bytes();
        let key = Secret::written_by(|bytes| *bytes = key);
        let iv = core::array::from_fn(|i| i as u8);
        let plain = [
            0x6bc1bee2_2e409f96_e93d7e11_7393172a_u128,
            0xae2d8a57_1e03ac9c_9eb76fac_45af8e51,
        ];
        let sealed = [
            0x3b3fd92e_b72dad20_333449f8_e83cfb4a_u128,
            0xc8a64537_a0b3a93f_cde3cdad_9f1ce58b,
        ];
        let mut bytes = plain.map(u128::to_be_bytes).concat();
        encrypt(&key, &iv, &mut bytes);
        assert_eq!(bytes, sealed.map(u128::to_be_bytes).concat());
        decrypt(&key, &iv, &mut bytes[..20]);
        assert_eq!(bytes[..20], plain.map(u128::to_be_bytes).concat()[..20]);
    }
}
