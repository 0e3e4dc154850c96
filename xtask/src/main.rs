//! The command line of [`xtask`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use xtask::harden::{self, Report};
use xtask::image::{self, ImageFiles, ImageSpec};
use xtask::keys::Keys;
use xtask::modules::SystemKind;
use xtask::size::Sizes;
use xtask::{abi, audit, bench, check, fuzz, mutants, packages, paths, process, run, test, update};

/// Build, sign, run, test and measure NØNOS
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the system, boot it in QEMU with Secure Boot and a TPM, and end on its desktop, with a shell on the serial line
    Run(run::Options),
    /// Run all tests, on the host and on booted machines
    Test,
    /// Write the bootable disk image and its parts, print their sizes and BLAKE3 sums
    Image,
    /// Print the shell lines that start the machine of `run`; QEMU's command line is the last
    QemuCommand(run::Options),
    /// Print the approval by which vaults that were sealed to another system open under this image
    Approve {
        /// System image
        file: std::path::PathBuf,
    },
    /// Print what each part of the system takes
    Size {
        /// Print JSON: kernel_bytes, boot_loader_bytes, image_bytes, modules, libraries
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        system: run::SystemOption,
    },
    /// Read the binaries and say which protections are in them; build them in another folder and compare
    HardenCheck {
        /// Print JSON: items, each with binary, claim, holds, found
        #[arg(long)]
        json: bool,
    },
    /// Count what a boot and the system calls cost, and the memory in use; or compare cryptography with OpenSSL
    Bench(bench::Options),
    /// Look for secrets in the time that cryptography takes, on the host
    Dudect {
        /// Measure so often; slow calls less
        #[arg(long, value_name = "COUNT", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(10_000..))]
        measurements: u64,
    },
    /// Check format, lints for every target, dependencies and documentation
    Check,
    /// Write docs/abi.md from the doc comments of abi/
    Abi,
    /// Write docs/unsafe.md: all that is unsafe, and why it is sound
    Audit,
    /// Make random system calls on the host, with all invariants checked after each
    Random {
        /// This many
        #[arg(long, value_name = "COUNT", default_value_t = fuzz::CALLS)]
        calls: u64,
    },
    /// Fuzz the kernel's logic and the parsers of bytes from outside, on the host
    Fuzz {
        /// These fuzz targets; all, one after the other, when none is given
        targets: Vec<String>,
        /// Each for this long
        #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
        seconds: u64,
        /// Only list the fuzz targets
        #[arg(long)]
        list: bool,
    },
    /// Change the kernel's checks one by one and see that a test fails each time
    Mutants {
        /// Files in kernel/core/src; all that decide who may do what when none is given
        files: Vec<String>,
    },
    /// Install what is missing, make the developer keys, and stop
    Setup,
}

fn main() -> ExitCode {
    match execute(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::progress(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(task: Task) -> Result<()> {
    match task {
        Task::Run(options) => {
            run::run(&build(&options.system.image(), options.window())?, &options)
        }
        Task::Test => test::run(),
        Task::Image => {
            print!(
                "{}",
                build(&ImageSpec::usual(SystemKind::Desktop), false)?.table()?
            );
            Ok(())
        }
        Task::QemuCommand(options) => {
            run::commands(&build(&options.system.image(), options.window())?, &options)?
                .iter()
                .for_each(|line| println!("{line}"));
            Ok(())
        }
        Task::Approve { file } => {
            let keys = Keys::developer()?;
            let approval = update::approval(&paths::read(&file)?, &keys)?;
            println!("{}", nonos_image::Hex(&approval));
            Ok(())
        }
        Task::Size { json, system } => {
            let sizes = Sizes::of(&build(&system.image(), false)?)?;
            print_figures(json, &sizes, &sizes.table())?;
            ensure!(sizes.within_limits(), "a part is larger than its limit");
            Ok(())
        }
        Task::HardenCheck { json } => {
            let mut report = Report::of(&build(&ImageSpec::usual(SystemKind::Desktop), false)?)?;
            report.add_of_image(harden::reproducible::check(&Keys::developer()?)?);
            print_figures(json, &report, &report.table())?;
            ensure!(report.holds(), "a protection is missing");
            Ok(())
        }
        Task::Bench(options) => bench::run(&options),
        Task::Dudect { measurements } => bench::crypto::leaks(measurements),
        Task::Check => check::all(),
        Task::Abi => abi::PAGE.write(),
        Task::Audit => audit::write(),
        Task::Random { calls } => process::run(&mut fuzz::random_calls(calls)),
        Task::Fuzz { list: true, .. } => {
            println!("{}", fuzz::targets()?.join("\n"));
            Ok(())
        }
        Task::Fuzz {
            targets, seconds, ..
        } => fuzz::fuzz(&targets, seconds),
        Task::Mutants { files } => mutants::run_on(&files),
        Task::Setup => {
            let toolchain = packages::ensure(packages::has_display())?;
            process::progress(format!("compiler: {toolchain}"));
            Keys::developer().map(|_| ())
        }
    }
}

/// An image of this checkout; says which compiler builds it.
fn build(spec: &ImageSpec, window: bool) -> Result<ImageFiles> {
    let toolchain = packages::ensure(window)?;
    process::progress(format!("compiler: {toolchain}"));
    image::build_image(spec)
}

fn print_figures(json: bool, figures: &impl serde::Serialize, table: &str) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(figures)?);
    } else {
        print!("{table}");
    }
    Ok(())
}
