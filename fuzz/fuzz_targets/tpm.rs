//! Bytes as what a TPM answers to each command of the boot loader.
//!
//! Each answer is one byte for its length and one that says how it begins: as it is, or with a header that fits the length, without and
//! with a session.
#![no_main]

use nonos_boot::tpm::{self, Transport};

struct Answers<'a>(&'a [u8]);

impl Transport for Answers<'_> {
    fn submit(&mut self, _: &[u8], response: &mut [u8]) -> Result<(), u64> {
        let [length, how, rest @ ..] = self.0 else {
            return Err(7);
        };
        let (body, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        self.0 = rest;
        let mut answer = Vec::new();
        if how % 3 > 0 {
            answer.extend([0x80, how % 3]);
            answer.extend((10 + body.len() as u32).to_be_bytes());
            answer.extend([0; 4]);
        }
        answer.extend(body);
        let used = answer.len().min(response.len());
        response[..used].copy_from_slice(&answer[..used]);
        Ok(())
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, answers)) = bytes.split_first() else {
        return;
    };
    let tpm: &mut dyn Transport = &mut Answers(answers);
    // Each is first for some input.
    for number in 0..7 {
        match (first.wrapping_add(number)) % 7 {
            0 => drop(tpm::read_counter_state(tpm)),
            1 => drop(tpm::define_counter(tpm)),
            2 => drop(tpm::increment_counter(tpm)),
            3 => drop(tpm::read_counter(tpm)),
            4 => drop(tpm::write_lock(tpm)),
            5 => {
                let mut out = [0; 32];
                if let Ok(bytes) = tpm::get_random(tpm, &mut out) {
                    assert!(bytes <= out.len());
                }
            }
            _ => drop(tpm::read_pcrs(tpm)),
        }
    }
});
