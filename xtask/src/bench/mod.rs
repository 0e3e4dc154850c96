//! `cargo xtask bench`: what the system costs, in instructions and in memory, against its goals and against Linux.
//!
//! QEMU counts time in instructions here (`-icount`): one tick of the time-stamp counter each, so that the figures do
//! not depend on how fast or busy this computer is. Three machines are measured: one that boots to the shell ([`boot`]), one
//! that runs a program of system calls and nothing else ([`calls`]), and with `--linux` one that boots a Linux of Debian with
//! the like of that program ([`linux`]). [`figures`] keeps what was measured last in `bench/`: a call that got
//! worse than that is an error, so that nobody makes one slower without saying so in the same change. Cryptography is another
//! matter ([`crypto`]), and so are files beside bare encryption ([`files`]).

pub mod boot;
pub mod calls;
pub mod crypto;
pub mod figures;
pub mod files;
pub mod goals;
pub mod linux;
pub mod machine;
pub mod mitigations;
pub mod report;

use anyhow::{Result, ensure};
use serde::Serialize;

use self::boot::BootCost;
use self::calls::Calls;
use self::figures::Kept;
use self::mitigations::Variant;
use crate::image::{self, ImageSpec};
use crate::modules::SystemKind;
use crate::packages;
use crate::process::progress;
use crate::qemu::TpmKind;
use crate::size::Sizes;

/// What to measure, and what to do with it.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// How the machine's TPM is attached
    #[arg(long, value_enum, default_value_t = TpmKind::Crb)]
    tpm: TpmKind,
    /// Boot this often and take the best figures
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    boots: u32,
    /// Measure the system calls only
    #[arg(long, conflicts_with = "write")]
    calls: bool,
    /// Leave out the machine with four CPUs
    #[arg(long)]
    one_cpu: bool,
    /// QEMU's `-cpu` for the system calls: what another CPU makes them cost is shown and compared with nothing
    #[arg(
        long,
        value_name = "MODEL",
        requires = "calls",
        conflicts_with = "linux"
    )]
    cpu: Option<String>,
    /// Measure what each mitigation costs, too: kernels without some, signed with keys that nothing else knows, and other CPU models
    #[arg(long, conflicts_with = "cpu")]
    mitigations: bool,
    /// Measure a Linux of Debian too, for the ratios
    #[arg(long)]
    linux: bool,
    /// Measure `lib/crypto` against OpenSSL, in ring 3 and on this computer, and nothing else
    #[arg(long, conflicts_with_all = ["calls", "linux", "mitigations", "one_cpu"])]
    crypto: bool,
    /// Measure what files cost, and nothing else
    #[arg(long, conflicts_with_all = ["calls", "linux", "mitigations", "one_cpu", "crypto", "json"])]
    files: bool,
    /// Keep the figures: as ceilings for later changes, and in docs/performance.md
    #[arg(long)]
    write: bool,
}

/// All that was measured.
#[derive(Serialize, Debug)]
pub struct Results {
    /// The boot to the shell, and what memory the system then uses.
    #[serde(flatten)]
    pub boot: Option<BootCost>,
    /// Sizes of the parts.
    pub sizes: Option<Sizes>,
    /// System calls with one CPU.
    pub calls: Calls,
    /// The same with four, of which three have nothing to do.
    pub calls_4_cpus: Option<Calls>,
    /// The same with one CPU and other mitigations.
    pub mitigations: Vec<Variant>,
}

/// Measures, prints, compares.
///
/// # Errors
/// When a machine does not do its part, a goal of the boot is missed, a limit is passed, or a call costs more than it
/// did.
pub fn run(options: &Options) -> Result<()> {
    if options.crypto {
        return crypto::speed(options.json, options.write);
    }
    if options.files {
        return files::run(options.write);
    }
    let toolchain = packages::ensure(false)?;
    progress(format!("compiler: {toolchain}"));
    let image = image::build_image(&calls::image("bench-image")?)?;
    let mut results = Results {
        boot: None,
        sizes: None,
        calls: calls::measure(&image, 1, options.cpu.as_deref())?,
        calls_4_cpus: None,
        mitigations: Vec::new(),
    };
    if !options.one_cpu {
        results.calls_4_cpus = Some(calls::measure(&image, 4, options.cpu.as_deref())?);
    }
    if options.mitigations {
        results.mitigations = mitigations::measure(&image, &results.calls)?;
    }
    if !options.calls {
        let system = image::build_image(&ImageSpec::usual(SystemKind::Console))?;
        results.boot = Some(boot::best(&system, options.tpm, options.boots)?);
        results.sizes = Some(Sizes::of(&system)?);
    }
    let mut kept = Kept::read()?;
    if options.linux {
        kept.linux = linux::measure()?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", report::text(&results, &kept));
    }
    let worse = match options.cpu {
        Some(_) => Vec::new(),
        None => kept.worse(&results.calls),
    };
    if options.write {
        kept.calls = results.calls.least();
        kept.write()?;
        report::write(&results, &kept)?;
    }
    check(&results, &worse, options.write)
}

fn check(results: &Results, worse: &[String], accepted: bool) -> Result<()> {
    ensure!(
        accepted || worse.is_empty(),
        "calls cost more than they did; `--write` keeps the new figures: {}",
        worse.join("; ")
    );
    if let Some(boot) = &results.boot {
        ensure!(
            boot.within_goals(),
            "a boot takes more instructions, or the system more memory, than its goal"
        );
    }
    if let Some(sizes) = &results.sizes {
        ensure!(sizes.within_limits(), "a part is larger than its limit");
    }
    Ok(())
}
