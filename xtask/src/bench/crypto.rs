//! `cargo xtask bench --crypto` and `cargo xtask dudect`: `lib/crypto` on this computer, by the programs of `bench/crypto`, which are compiled as
//! the system's programs are.
//!
//! Speed is given as a ratio to OpenSSL, measured in turns with it: first one, then the other, for one algorithm after the other, both in CPU
//! time. The figures are of this computer at this moment, and no test looks at them.

use std::env;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::build::VERIFIED_ARITHMETIC;
use crate::paths;
use crate::process::{capture, program, progress, run};

/// What `openssl speed` has of an algorithm.
#[derive(Clone, Copy)]
enum OpenSsl {
    /// Bytes in a second, by these arguments.
    Bytes(&'static [&'static str]),
    /// Operations in a second, by this argument: line of the output by its start, and which of its fields.
    Operations(&'static str, &'static str, usize),
    /// Nothing, in the version of Debian 12.
    Nothing,
}

/// Algorithms by the names that `crypto-speed` knows.
const ALGORITHMS: [(&str, OpenSsl); 15] = [
    (
        "aes-256-gcm",
        OpenSsl::Bytes(&["-aead", "-evp", "aes-256-gcm"]),
    ),
    (
        "chacha20-poly1305",
        OpenSsl::Bytes(&["-aead", "-evp", "chacha20-poly1305"]),
    ),
    ("sha256", OpenSsl::Bytes(&["-evp", "sha256"])),
    ("sha512", OpenSsl::Bytes(&["-evp", "sha512"])),
    ("sha3-256", OpenSsl::Bytes(&["-evp", "sha3-256"])),
    ("hmac-sha256", OpenSsl::Bytes(&["-hmac", "sha256"])),
    ("blake3", OpenSsl::Nothing),
    ("ed25519-sign", OpenSsl::Operations("ed25519", "+F6:", 4)),
    ("ed25519-verify", OpenSsl::Operations("ed25519", "+F6:", 5)),
    ("x25519", OpenSsl::Operations("ecdhx25519", "+F5:", 3)),
    ("ml-kem-768-encapsulate", OpenSsl::Nothing),
    ("ml-kem-768-decapsulate", OpenSsl::Nothing),
    ("x-wing-decapsulate", OpenSsl::Nothing),
    ("ml-dsa-65-sign", OpenSsl::Nothing),
    ("ml-dsa-65-verify", OpenSsl::Nothing),
];

/// Bytes of a message, as `crypto-speed` has it.
const MESSAGE_BYTES: &str = "16384";

/// How fast an algorithm is.
#[derive(Serialize, Debug)]
struct Rate {
    name: &'static str,
    /// `bytes` or `operations` in a second.
    unit: &'static str,
    /// By `lib/crypto`.
    own: f64,
    /// By OpenSSL.
    openssl: Option<f64>,
    /// The first as a part of the second.
    ratio: Option<f64>,
}

/// Measures how fast `lib/crypto` is and prints that.
///
/// # Errors
/// When a program is missing or says what is not understood.
pub fn speed(json: bool) -> Result<()> {
    let own = built("crypto-speed")?;
    let version = capture(program("openssl")?.arg("version"))?;
    let mut rates = Vec::new();
    for (name, openssl) in ALGORITHMS {
        progress(format!("measuring {name}"));
        let own = capture(Command::new(&own).arg(name))?;
        let own: f64 = own.trim().parse().with_context(|| own.clone())?;
        let openssl_rate = openssl.measure()?;
        let is_bytes = matches!(openssl, OpenSsl::Bytes(_)) || name == "blake3";
        rates.push(Rate {
            name,
            unit: if is_bytes { "bytes" } else { "operations" },
            own,
            openssl: openssl_rate,
            ratio: openssl_rate.map(|openssl| own / openssl),
        });
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rates)?);
    } else {
        print!("{}", table(&rates, version.trim()));
    }
    Ok(())
}

/// Looks for secrets in the time that `lib/crypto` takes.
///
/// # Errors
/// When one is found, or the leak that must be found is not.
pub fn leaks(measurements: u64) -> Result<()> {
    let program = built("crypto-leaks")?;
    run(Command::new(program).arg(measurements.to_string()))
        .context("a leak was found, or the one that must be found was not")
}

/// A program of `bench/crypto`, compiled as images are and with the field arithmetic that programs have.
fn built(program: &str) -> Result<PathBuf> {
    progress(format!("building {program}"));
    let target = paths::target().join("crypto");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(paths::root())
        .env("CARGO_TARGET_DIR", &target)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            format!("--cfg\x1f{VERIFIED_ARITHMETIC}"),
        )
        .args(["build", "--quiet", "--release", "--package", "bench-crypto"])
        .args(["--bin", program]);
    run(&mut cargo)?;
    Ok(target.join("release").join(program))
}

impl OpenSsl {
    fn measure(self) -> Result<Option<f64>> {
        let speed = |arguments: &[&str]| {
            let mut openssl = program("openssl")?;
            openssl.args(["speed", "-mr", "-seconds", "1"]);
            capture(openssl.args(arguments))
        };
        let (output, rate) = match self {
            Self::Nothing => return Ok(None),
            Self::Bytes(arguments) => {
                let output = speed(&[&["-bytes", MESSAGE_BYTES], arguments].concat())?;
                let rate = field(&output, "+F:", 3);
                (output, rate)
            }
            Self::Operations(argument, start, number) => {
                let output = speed(&[argument])?;
                let rate = field(&output, start, number);
                (output, rate)
            }
        };
        rate.map(Some)
            .with_context(|| format!("openssl speed: not understood: {output}"))
    }
}

/// A field of the line that starts so; fields are parted by colons and counted from 0.
fn field(output: &str, start: &str, number: usize) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with(start))?;
    line.split(':').nth(number)?.trim().parse().ok()
}

fn table(rates: &[Rate], version: &str) -> String {
    let mut text = format!(
        "{:<24} {:>16} {:>16} {:>6}\n",
        "per second of CPU time", "lib/crypto", "OpenSSL", "ratio"
    );
    for rate in rates {
        let shown = |value: f64| match rate.unit {
            "bytes" => format!("{:.0} MB", value / 1e6),
            _ => format!("{value:.0}"),
        };
        let openssl = rate.openssl.map_or("–".to_owned(), shown);
        let ratio = rate
            .ratio
            .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(
            text,
            "{:<24} {:>16} {openssl:>16} {ratio:>6}",
            rate.name,
            shown(rate.own)
        );
    }
    let _ = writeln!(text, "messages of {MESSAGE_BYTES} bytes; {version}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openssl_prints_is_understood() {
        let bytes = "+H:16384\n+F:25:AES-256-GCM:4190868645.16\n";
        assert_eq!(field(bytes, "+F:", 3), Some(4_190_868_645.16));
        let curves =
            "+F5:22:253:31827.173913:0.000031\n+F6:0:253:Ed25519:27379.120879:9791.578947\n";
        assert_eq!(field(curves, "+F5:", 3), Some(31_827.173_913));
        assert_eq!(field(curves, "+F6:", 4), Some(27_379.120_879));
        assert_eq!(field(curves, "+F6:", 5), Some(9_791.578_947));
        assert_eq!(field("speed: Unknown algorithm", "+F:", 3), None);
    }
}
