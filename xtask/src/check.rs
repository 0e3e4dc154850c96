//! `cargo xtask check`: what must hold besides the tests: format, lints for every target, dependencies, documentation.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{BOOT_LOADER, Builder, KERNEL, Target, Tree};
use crate::keys::{Keys, Signer};
use crate::process::{find_program, progress, run};
use crate::{modules, packages, paths};

/// Runs all checks; the first that fails ends it.
///
/// # Errors
/// When a check fails or a tool is missing.
pub fn all() -> Result<()> {
    progress("format");
    run(&mut cargo(&["fmt", "--all", "--check"])).context("cargo fmt --all mends the format")?;
    progress("lints, host");
    run(&mut cargo(&[
        "clippy",
        "--locked",
        "--all-targets",
        "--",
        "-Dwarnings",
    ]))
    .context("lints")?;
    run(&mut cargo(&[
        "clippy",
        "--locked",
        "--package",
        "system-tests",
        "--all-targets",
        "--",
        "-Dwarnings",
    ]))
    .context("lints")?;
    lint_system()?;
    dependencies()?;
    progress("documentation");
    let mut doc = cargo(&["doc", "--locked", "--no-deps", "--document-private-items"]);
    run(doc.env("RUSTDOCFLAGS", "-Dwarnings")).context("documentation")
}

fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root()).args(args);
    cargo
}

/// Lints of boot loader, kernel and user space, each for its own target.
fn lint_system() -> Result<()> {
    let tree = Tree {
        root: paths::root(),
        target: paths::target().join("check"),
    };
    let builder = Builder::new(packages::ensure(false)?, tree)?;
    let keys = Keys::developer()?;
    for target in Target::ALL {
        progress(format!("lints, {}", target.title()));
        let mut clippy = builder.cargo("clippy", target);
        for package in packages_of(target)? {
            clippy.args(["--package", &package]);
        }
        clippy
            .env("NONOS_IMAGE_KEYS", keys.public_file(Signer::Image))
            .args(["--", "-Dwarnings"]);
        run(&mut clippy).with_context(|| format!("lints of the {}", target.title()))?;
    }
    Ok(())
}

fn packages_of(target: Target) -> Result<Vec<String>> {
    let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Ok(match target {
        Target::BootLoader => own(&[BOOT_LOADER]),
        Target::Kernel => own(&[KERNEL, "nonos-hal", "nonos-kernel-core"]),
        Target::User => {
            let mut packages: Vec<String> = own(&["nonos-rt", "nonos-proto", "adversaries"]);
            packages.extend(
                modules::of_system(&paths::root())?
                    .into_iter()
                    .map(|module| module.program.package),
            );
            packages
        }
    })
}

/// Licences, bans and sources always; known vulnerabilities where the database can be had.
fn dependencies() -> Result<()> {
    progress("dependencies");
    if find_program("cargo-deny").is_none() {
        bail!("cargo-deny is not installed: run `cargo install --locked cargo-deny`");
    }
    let check = |what: &[&str]| run(cargo(&["deny", "--locked", "check"]).args(what));
    check(&["licenses", "bans", "sources"]).context("dependencies")?;
    let fetched = cargo(&["deny", "--locked", "fetch", "db"])
        .output()
        .context("start cargo deny")?;
    if !fetched.status.success() {
        progress("the database of known vulnerabilities cannot be reached: NOT checked");
        return Ok(());
    }
    check(&["--disable-fetch", "advisories"]).context("known vulnerabilities in dependencies")
}
