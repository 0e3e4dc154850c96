//! `tpm`: the TPM, through its driver.

use nonos_proto::tpm::{Client, QUOTE_BYTES_MAX, Quote};
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::Endpoint;
use nonos_rt::parent;
use shell::hex::{self, Hex};
use shell::report;

use crate::session::Session;

/// PCRs of a bank.
const PCRS: u64 = 24;
/// PCRs that are quoted: the firmware's, and the image's.
const QUOTED: u64 = 0xFF | 1 << 11;
/// Most bytes of a nonce.
const NONCE_BYTES_MAX: usize = 32;
/// Bytes in a line of hexadecimal digits.
const LINE_BYTES: usize = 32;

fn connect(service: &str) -> Result<Client<Endpoint>, CallError> {
    parent::connect(service).map(Client)
}

impl Session {
    /// `tpm`
    pub(crate) fn tpm(&mut self) {
        if let Err(error) = self.show_tpm() {
            self.fail(format_args!("the TPM: {error}"));
        }
    }

    fn show_tpm(&mut self) -> Result<(), CallError> {
        let tpm = connect("tpm")?;
        let _ = report::tpm(&mut self.terminal, &tpm.state()?);
        let replayed = match tpm.replay() {
            Ok(replayed) => {
                let _ = report::event_log(&mut self.terminal, &replayed);
                Some(replayed)
            }
            Err(error) => {
                self.fail(format_args!("event log: {error}"));
                None
            }
        };
        for number in 0..PCRS {
            let value = tpm.pcr(number)?;
            let value = value.as_slice();
            let _ = report::pcr(&mut self.terminal, number, value, replayed.as_ref());
        }
        Ok(())
    }

    /// `tpm quote`
    pub(crate) fn tpm_quote(&mut self, nonce: &str) {
        let mut bytes = [0; NONCE_BYTES_MAX];
        let Some(nonce) = hex::parse(nonce.as_bytes(), &mut bytes) else {
            return self.fail(format_args!(
                "a nonce is up to {NONCE_BYTES_MAX} bytes in hexadecimal digits"
            ));
        };
        if let Err(error) = self.show_quote(nonce) {
            self.fail(format_args!("the TPM: {error}"));
        }
    }

    fn show_quote(&mut self, nonce: &[u8]) -> Result<(), CallError> {
        let mut made = [0; QUOTE_BYTES_MAX];
        let Quote {
            public_bytes,
            attested_bytes,
            signature_bytes,
        } = connect("tpm-quote")?.quote(QUOTED, nonce, &mut made)?;
        let mut rest = &made[..];
        for (name, bytes) in [
            ("public", public_bytes),
            ("attested", attested_bytes),
            ("signature", signature_bytes),
        ] {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let parts = rest.split_at_checked(bytes);
            let (part, after) = parts.ok_or(CallError::Refused(Refusal::Damaged))?;
            rest = after;
            self.print(format_args!("{name}\n"));
            for line in part.chunks(LINE_BYTES) {
                self.print(format_args!("  {}\n", Hex(line)));
            }
        }
        Ok(())
    }
}
