//! `cargo xtask bench --crypto` and `cargo xtask dudect`: `lib/crypto` by the programs of `bench/crypto`, which are compiled as the system's
//! programs are.
//!
//! Two ratios to OpenSSL come out of one run. In instructions: ours in ring 3, alone on the machine, to OpenSSL on a Linux in which nothing else
//! runs, both on the same emulated CPU. In time: the same code on this computer, in turns with OpenSSL, one algorithm after the other, both in CPU
//! time; these figures are of this computer at this moment. No test looks at either.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use super::calls::{self, Calls};
use super::{linux, report};
use crate::build::VERIFIED_ARITHMETIC;
use crate::image;
use crate::modules::ModuleSpec;
use crate::packages;
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
const MESSAGE_BYTES: usize = 16384;

/// What an algorithm costs.
#[derive(Serialize, Debug)]
struct Rate {
    name: &'static str,
    /// `byte` or `operation`.
    unit: &'static str,
    /// Instructions for one of these by `lib/crypto` in ring 3, with AVX and without.
    ring_3: [Option<f64>; 2],
    /// The same by OpenSSL on Linux, in the same emulator.
    linux: Option<f64>,
    /// How many of these in a second by `lib/crypto` on this computer.
    own: f64,
    /// By OpenSSL.
    openssl: Option<f64>,
}

/// CPUs for ring 3: the usual one, and the same without AVX.
const CPUS: [&str; 2] = ["max", "max,-xsave"];

/// Counts of the program's loop (`bench/crypto-target`): two for each turn, and the first reading and two moves.
const LOOP: u64 = 2 * 1000 + 3;

/// Measures what `lib/crypto` costs here and in ring 3, prints that, and keeps it in `docs/performance.md` when told to.
///
/// # Errors
/// When a program is missing, says what is not understood, or does not come to its end.
pub fn speed(json: bool, write: bool) -> Result<()> {
    let own = built("crypto-speed")?;
    let version = capture(program("openssl")?.arg("version"))?;
    let ring_3 = in_ring_3()?;
    let lines: BTreeSet<String> = ALGORITHMS
        .iter()
        .filter_map(|(_, openssl)| openssl.line())
        .collect();
    let lines: Vec<_> = lines.into_iter().collect();
    let said = linux::openssl(&lines)?;
    let mut rates = Vec::new();
    for (name, openssl) in ALGORITHMS {
        progress(format!("measuring {name}"));
        let own = capture(Command::new(&own).arg(name))?;
        let own: f64 = own.trim().parse().with_context(|| own.clone())?;
        let is_bytes = matches!(openssl, OpenSsl::Bytes(_)) || name == "blake3";
        let each = if is_bytes { MESSAGE_BYTES } else { 1 };
        let on_linux = openssl.line().map(|line| {
            let mut parts = said.split("bench: openssl ");
            let output = parts.find(|part| part.starts_with(&line));
            openssl.rate(output.unwrap_or_default())
        });
        rates.push(Rate {
            name,
            unit: if is_bytes { "byte" } else { "operation" },
            ring_3: ring_3.each_ref().map(|calls| {
                let figure = calls.figures.get(name)?;
                Some(figure.least as f64 / each as f64)
            }),
            linux: on_linux.transpose()?.map(|rate| INSTRUCTIONS / rate),
            own,
            openssl: openssl.measure()?,
        });
    }
    let table = table(&rates, version.trim());
    if json {
        println!("{}", serde_json::to_string_pretty(&rates)?);
    } else {
        print!("{table}");
    }
    if write {
        report::write_crypto(&table)?;
    }
    Ok(())
}

/// Instructions in a second of a Linux whose instructions are counted.
const INSTRUCTIONS: f64 = 1e9;

/// Boots an image in which nothing but the program runs, on each of [`CPUS`].
fn in_ring_3() -> Result<[Calls; 2]> {
    packages::ensure(false)?;
    let image = image::build_image(&calls::image_of(
        "bench-crypto-image",
        ModuleSpec::of_package("bench-crypto-target", "crypto-bench")?,
    ))?;
    let measure = |cpu_model| {
        progress(format!("measuring cryptography in ring 3 on {cpu_model}"));
        calls::measure_with(&image, 1, Some(cpu_model), LOOP)
    };
    Ok([measure(CPUS[0])?, measure(CPUS[1])?])
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
    /// Arguments of `openssl`; `None` for nothing.
    fn arguments(self) -> Option<Vec<String>> {
        let message = MESSAGE_BYTES.to_string();
        let usual = ["speed", "-mr", "-seconds", "1", "-bytes", &message];
        let own: &[&str] = match &self {
            Self::Nothing => return None,
            Self::Bytes(arguments) => arguments,
            Self::Operations(argument, ..) => &[argument],
        };
        Some(usual.iter().chain(own).map(ToString::to_string).collect())
    }

    /// The same as a line for a Linux in which nothing else runs: its clock is better than its count of CPU time.
    fn line(self) -> Option<String> {
        Some(
            self.arguments()?
                .join(" ")
                .replacen("speed", "speed -elapsed", 1),
        )
    }

    fn measure(self) -> Result<Option<f64>> {
        let Some(arguments) = self.arguments() else {
            return Ok(None);
        };
        let output = capture(program("openssl")?.args(arguments))?;
        self.rate(&output).map(Some)
    }

    /// Bytes or operations in a second, from what it printed.
    fn rate(self, output: &str) -> Result<f64> {
        let rate = match self {
            Self::Nothing => None,
            Self::Bytes(_) => field(output, "+F:", 3),
            Self::Operations(_, start, number) => field(output, start, number),
        };
        rate.with_context(|| format!("openssl speed: not understood: {output}"))
    }
}

/// A field of the line that starts so; fields are parted by colons and counted from 0.
fn field(output: &str, start: &str, number: usize) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with(start))?;
    line.split(':').nth(number)?.trim().parse().ok()
}

/// In Markdown: what the ratios say is the same everywhere, how much faster OpenSSL is.
fn table(rates: &[Rate], version: &str) -> String {
    let mut rows = vec![report::row(&[
        "cryptography",
        "instructions in ring 3",
        "without AVX",
        "OpenSSL on Linux",
        "ratio",
        "a second here",
        "OpenSSL",
        "ratio",
    ])];
    let shown = |value: Option<f64>| match value {
        None => "–".to_owned(),
        Some(value) if value < 100.0 => format!("{value:.2}"),
        Some(value) => report::grouped(value as u64),
    };
    let ratio = |of: Option<f64>, to: Option<f64>| {
        of.zip(to)
            .map_or("–".to_owned(), |(of, to)| format!("{:.2}", of / to))
    };
    for rate in rates {
        let per_second = |value: f64| match rate.unit {
            "byte" => format!("{} MB", report::grouped((value / 1e6) as u64)),
            _ => report::grouped(value as u64),
        };
        let [with_avx, without] = rate.ring_3;
        rows.push(vec![
            format!("{}, {}", rate.name, rate.unit),
            shown(with_avx),
            shown(without),
            shown(rate.linux),
            ratio(rate.linux, with_avx),
            per_second(rate.own),
            rate.openssl.map_or("–".to_owned(), per_second),
            ratio(Some(rate.own), rate.openssl),
        ]);
    }
    let table = report::table(&rows);
    format!("{table}\nMessages of {MESSAGE_BYTES} bytes; {version}.\n")
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

    #[test]
    fn on_linux_the_clock_counts_and_the_rest_is_the_same() {
        let aead = OpenSsl::Bytes(&["-aead", "-evp", "aes-256-gcm"]);
        assert_eq!(
            aead.line().unwrap(),
            "speed -elapsed -mr -seconds 1 -bytes 16384 -aead -evp aes-256-gcm"
        );
        assert_eq!(OpenSsl::Nothing.line(), None);
    }

    #[test]
    fn ratios_say_how_ours_compares() {
        let rate = Rate {
            name: "sha256",
            unit: "byte",
            ring_3: [Some(20.0), None],
            linux: Some(10.0),
            own: 1.5e9,
            openssl: Some(2e9),
        };
        let table = table(&[rate], "OpenSSL 3");
        let cells: Vec<_> = table
            .lines()
            .nth(2)
            .unwrap()
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(
            cells[1..9],
            [
                "sha256, byte",
                "20.00",
                "–",
                "10.00",
                "0.50",
                "1,500 MB",
                "2,000 MB",
                "0.75"
            ]
        );
    }
}
