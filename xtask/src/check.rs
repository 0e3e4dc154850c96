//! `cargo xtask check`: what must hold besides the tests: format, lints for every target, dependencies, documentation.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::build::{BOOT_LOADER, BOOT_STUB, Builder, KERNEL, Target, Tree};
use crate::keys::{Keys, Signer};
use crate::modules::SystemKind;
use crate::process::{find_program, progress, run};
use crate::{abi, audit, fuzz, modules, packages, paths};

/// The documentation is for those who read the code, so it shows private items and may link to them.
const RUSTDOC_FLAGS: &str = "-Dwarnings -Arustdoc::private-intra-doc-links";

type Check = fn() -> Result<()>;

/// Runs all checks, also after one failed, and says at the end which did.
///
/// # Errors
/// When a check fails or a tool is missing.
pub fn all() -> Result<()> {
    let checks: [(&str, Check); 9] = [
        ("format", format),
        ("docs/abi.md", || abi::PAGE.check()),
        ("unsafe code", audit::check),
        ("lints, host", lint_host),
        ("lints, system", lint_system),
        ("dependencies", dependencies),
        ("documentation, host", document_host),
        ("documentation, system", document_system),
        ("fuzzing, briefly", fuzz::briefly),
    ];
    let mut failed = Vec::new();
    for (title, check) in checks {
        progress(title);
        if let Err(error) = check() {
            progress(format!("{title}: {error:#}"));
            failed.push(title);
        }
    }
    ensure!(failed.is_empty(), "checks failed: {}", failed.join("; "));
    Ok(())
}

fn format() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"])).context("`cargo fmt --all` mends it")
}

fn lint_host() -> Result<()> {
    for packages in [&[][..], &["--package", "system-tests"]] {
        let mut clippy = cargo(&["clippy", "--locked", "--all-targets"]);
        run(clippy.args(packages).args(["--", "-Dwarnings"]))?;
    }
    Ok(())
}

/// Programs are left out: one of them has its library's name.
fn document_host() -> Result<()> {
    let mut doc = cargo(&[
        "doc",
        "--locked",
        "--no-deps",
        "--document-private-items",
        "--lib",
    ]);
    run(doc.env("RUSTDOCFLAGS", RUSTDOC_FLAGS))
}

fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root()).args(args);
    cargo
}

/// Lints of boot loader, kernel and user space, each for its own target.
fn lint_system() -> Result<()> {
    for_each_target("clippy", |clippy| clippy.args(["--", "-Dwarnings"]))
}

/// Documentation is no code, so it need not have the flags that all code of a program must share.
fn document_system() -> Result<()> {
    const SHARED: &str = "-Zunstable-options -Cunsafe-allow-abi-mismatch=retpoline,retpoline-external-thunk,sanitizer";
    for_each_target("doc", |doc| {
        let doc = doc.args(["--no-deps", "--document-private-items"]);
        doc.env("RUSTDOCFLAGS", format!("{RUSTDOC_FLAGS} {SHARED}"))
    })
}

fn for_each_target(subcommand: &str, add: fn(&mut Command) -> &mut Command) -> Result<()> {
    let tree = Tree {
        root: paths::root(),
        target: paths::target().join("check"),
    };
    let builder = Builder::new(packages::ensure(false)?, tree)?;
    let keys = Keys::developer()?;
    for target in Target::ALL {
        progress(format!("{subcommand}, {}", target.title()));
        let mut cargo = builder.cargo(subcommand, target);
        for package in packages_of(target)? {
            cargo.args(["--package", &package]);
        }
        cargo.env("NONOS_IMAGE_KEYS", keys.public_file(Signer::Image));
        cargo.env("NONOS_UPDATE_KEY", keys.update_key());
        // Some file: nothing is run of this.
        cargo.env("NONOS_PACKED_BOOT_LOADER", paths::root().join("Cargo.toml"));
        run(add(&mut cargo)).with_context(|| target.title())?;
    }
    Ok(())
}

fn packages_of(target: Target) -> Result<Vec<String>> {
    let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Ok(match target {
        Target::BootLoader => own(&[BOOT_LOADER, BOOT_STUB, "bochs-firmware"]),
        Target::Kernel => own(&[KERNEL, "nonos-hal", "nonos-kernel-core"]),
        Target::User => {
            let mut packages: Vec<String> = own(&[
                "nonos-rt",
                "nonos-proto",
                "nonos-crypto",
                "adversaries",
                "bench-calls",
                "bench-crypto-target",
                "bench-files",
                "crypto-vectors",
            ]);
            packages.extend(
                modules::of_system(&paths::root(), SystemKind::Desktop)?
                    .into_iter()
                    .map(|module| module.program.package),
            );
            packages
        }
    })
}

/// Licences, bans and sources always; known vulnerabilities where the database can be had.
fn dependencies() -> Result<()> {
    if find_program("cargo-deny").is_none() {
        bail!("cargo-deny is not installed: run `cargo install --locked cargo-deny`");
    }
    let check = |what: &[&str]| run(cargo(&["deny", "--locked", "check"]).args(what));
    check(&["licenses", "bans", "sources"]).context("dependencies")?;
    let mut fuzz = cargo(&[
        "deny",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "check",
    ]);
    run(fuzz.args(["licenses", "bans", "sources"])).context("dependencies of fuzz/")?;
    let fetched = cargo(&["deny", "--locked", "fetch", "db"])
        .output()
        .context("start cargo deny")?;
    if !fetched.status.success() {
        progress("the database of known vulnerabilities cannot be reached: NOT checked");
        return Ok(());
    }
    check(&["advisories"]).context("known vulnerabilities in dependencies")
}
