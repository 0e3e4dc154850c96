//! `cargo xtask audit`: all that is `unsafe` in the project, with the reason why it is sound, as `docs/unsafe.md`.
//!
//! Fails when something has no reason, when a package that is not listed here has any, and when one of those forgets
//! `#![forbid(unsafe_code)]`. What the compiler calls unsafe is found in the source (`source.rs`), tests and bodies of macros included;
//! assembly outside functions counts, too. Dependencies are counted the same way, without a look at their reasons.

mod packages;
mod source;

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, ensure};

use crate::page::Page;
use packages::{Counts, Package, SourceFile};

/// Groups of the page, and the folders and files that are in them; of several that fit a file, the longest counts. A package
/// that has nothing here may have nothing unsafe.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Hardware access", &["kernel/hal/"]),
    (
        "Memory management",
        &[
            "kernel/hal/src/audit.rs",
            "kernel/hal/src/boot_info.rs",
            "kernel/hal/src/machine.rs",
            "kernel/hal/src/memory.rs",
            "kernel/hal/src/private.rs",
            "kernel/hal/src/region.rs",
            "kernel/hal/src/space.rs",
            "kernel/hal/src/stop.rs",
        ],
    ),
    (
        "Entry code",
        &[
            "kernel/hal/src/cet.rs",
            "kernel/hal/src/entry.rs",
            "kernel/hal/src/interrupts.rs",
            "kernel/hal/src/run.rs",
            "kernel/hal/src/smp.rs",
            "kernel/hal/src/stack_guard.rs",
            "kernel/hal/src/start.rs",
            "kernel/hal/src/thunks.rs",
        ],
    ),
    ("Boot loader: the firmware and the hand-over", &["boot/"]),
    ("User-space runtime", &["lib/rt/"]),
    (
        "Tests and measurements, in no image for users",
        &["bench/", "fuzz/", "tests/adversaries/", "tests/bochs/"],
    ),
];

/// Packages with cryptography of the project.
const CRYPTOGRAPHY: [&str; 2] = ["nonos-crypto", "nonos-image"];

/// The page.
const PAGE: Page = Page {
    file: "docs/unsafe.md",
    command: "cargo xtask audit",
    text: page,
};

/// Writes the page.
///
/// # Errors
/// When something unsafe has no reason or is where nothing unsafe may be.
pub fn write() -> Result<()> {
    check_rules()?;
    PAGE.write()
}

/// Whether all rules are kept and the page is what the source says.
///
/// # Errors
/// When a rule is not kept or the page is old.
pub fn check() -> Result<()> {
    check_rules()?;
    PAGE.check()
}

fn check_rules() -> Result<()> {
    let mut broken = Vec::new();
    for package in packages::of_project()? {
        broken.extend(breaches(&package));
    }
    ensure!(broken.is_empty(), "unsafe code:\n{}", broken.join("\n"));
    Ok(())
}

/// What a package does that the rules do not allow, a line each.
fn breaches(package: &Package) -> Vec<String> {
    let mut broken = Vec::new();
    let allowed = package.files.iter().any(|file| group(&file.path).is_some());
    for SourceFile { path, sites, .. } in &package.files {
        for site in sites {
            let place = format!("{path}:{}: {} in `{}`", site.line, site.kind, site.item);
            if !allowed {
                broken.push(format!("{place}: {} may have nothing unsafe", package.name));
            } else if site.reason.is_none() {
                broken.push(format!("{place}: no SAFETY comment, no section # Safety"));
            }
        }
    }
    for SourceFile { path, .. } in package
        .files
        .iter()
        .filter(|file| file.is_root && !file.forbids && !allowed)
    {
        broken.push(format!("{path}: no #![forbid(unsafe_code)]"));
    }
    broken
}

/// The group of a file, by its place in [`GROUPS`].
fn group(path: &str) -> Option<usize> {
    let all = GROUPS.iter().enumerate();
    let fitting =
        all.flat_map(|(group, (_, places))| places.iter().map(move |place| (group, place)));
    let fitting = fitting.filter(|(_, place)| path.starts_with(**place));
    fitting
        .max_by_key(|(_, place)| place.len())
        .map(|(group, _)| group)
}

fn page() -> Result<String> {
    let packages = packages::of_project()?;
    let mut page = String::from("# Unsafe code\n\n");
    page += "Written by `cargo xtask audit` from the source; to change it, change that. `cargo xtask check` fails when it is old, when something unsafe has no \
             reason, and when a package has any that may not have.\n\n";
    page += "For each file: the item, what is unsafe in it, and why that is sound; for functions, what callers must see to.\n";
    for (number, (title, _)) in GROUPS.iter().enumerate() {
        let _ = write!(page, "\n## {title}\n");
        let files = packages.iter().flat_map(|package| &package.files);
        for file in files.filter(|file| group(&file.path) == Some(number)) {
            page += &section(file);
        }
    }
    page += &own_counts(&packages);
    page += &dependency_counts(&packages::dependencies_of_system()?);
    Ok(page)
}

/// All of a file; what is said twice of an item is written once.
fn section(file: &SourceFile) -> String {
    if file.sites.is_empty() {
        return String::new();
    }
    let mut rows: Vec<(String, usize)> = Vec::new();
    for site in &file.sites {
        let item = match site.item.as_str() {
            "" => String::new(),
            name => format!("`{name}`, "),
        };
        let reason = site.reason.as_deref().unwrap_or("**no reason**");
        let row = format!("{item}{}: {reason}", site.kind);
        match rows.iter_mut().find(|(other, _)| *other == row) {
            Some((_, times)) => *times += 1,
            None => rows.push((row, 1)),
        }
    }
    let mut section = format!("\n### {}\n\n", file.path);
    for (row, times) in rows {
        let _ = match times {
            1 => writeln!(section, "- {row}"),
            times => writeln!(section, "- ({times} times) {row}"),
        };
    }
    section
}

fn own_counts(packages: &[Package]) -> String {
    let mut text = String::from("\n## Counts\n\n");
    text += &Counts::header("package");
    let mut sum = Counts::default();
    let mut without = Vec::new();
    for package in packages {
        let sites = package.files.iter().flat_map(|file| &file.sites);
        let counts: Counts = sites.map(|site| site.kind).collect();
        let mut roots = package.files.iter().filter(|file| file.is_root);
        match roots.all(|file| file.forbids) {
            true => without.push(format!("`{}`", package.name)),
            false => text += &counts.row(&package.name),
        }
        sum += counts;
    }
    text += &sum.row("all");
    let _ = write!(
        text,
        "\nNone, by `forbid(unsafe_code)`: {}.\n",
        without.join(", ")
    );
    let cryptography: usize = packages
        .iter()
        .filter(|package| CRYPTOGRAPHY.contains(&package.name.as_str()))
        .flat_map(|package| &package.files)
        .map(|file| file.sites.len())
        .sum();
    let _ = write!(
        text,
        "\nCryptography of the project (`{}`): {cryptography}.\n",
        CRYPTOGRAPHY.join("`, `")
    );
    text
}

fn dependency_counts(dependencies: &BTreeMap<String, Counts>) -> String {
    let mut text = String::from("\n## Dependencies\n\n");
    text += "Crates from outside that are in the image, or that `nonos-crypto` has for programs that come to need them, counted in all of their source, also in what their features leave out here. `core`, `alloc` and \
             `compiler_builtins` are not counted.\n\n";
    text += &Counts::header("crate");
    let mut without = Vec::new();
    for (name, counts) in dependencies {
        match counts.total() {
            0 => without.push(name.as_str()),
            _ => text += &counts.row(name),
        }
    }
    let _ = write!(text, "\nNone: {}.\n", without.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use source::{Kind, sites};

    fn package(name: &str, path: &str, source: &str) -> Package {
        let sites = sites(source).unwrap();
        Package {
            name: name.to_owned(),
            files: vec![SourceFile {
                path: path.to_owned(),
                is_root: true,
                forbids: packages::forbids(source),
                sites,
            }],
        }
    }

    /// What is found, as `kind item: reason`.
    fn found(source: &str) -> Vec<String> {
        let sites = sites(source).unwrap();
        let line = |site: &source::Site| {
            format!(
                "{} {}: {}",
                site.kind,
                site.item,
                site.reason.as_deref().unwrap_or("?")
            )
        };
        sites.iter().map(line).collect()
    }

    #[test]
    fn blocks_functions_and_others_are_found_with_their_reasons() {
        let source = r#"
//! unsafe { in a comment }
impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let text = "unsafe { in a string }";
        // SAFETY: nobody else
        // has it.
        let x = call(
            unsafe { *self.0 },
        );
    }
}

/// Reads.
///
/// # Safety
/// The pointer is valid.
///
/// # Panics
/// Never.
#[inline]
pub const unsafe fn read<const N: usize>(pointer: *const u8, _: unsafe fn(), _: unsafe extern "C" fn()) {}

// SAFETY: it has no state.
unsafe impl Sync for Guard<'_, u8> {}

// SAFETY: entry.s defines them so.
unsafe extern "C" {
    unsafe fn enter();
}

// SAFETY: it returns.
global_asm!("ret");

// SAFETY: no other has this name.
#[unsafe(no_mangle)]
static HERE: u8 = unsafe { 0 };

fn second(_: *const Guard<'static, u8>) -> [u8; 2] {
    // SAFETY: so.
    unsafe { third() }
}
"#;
        assert_eq!(
            found(source),
            [
                "block Guard::drop: nobody else has it.",
                "function read: The pointer is valid.",
                "implementation Guard: it has no state.",
                "declarations : entry.s defines them so.",
                "assembly : it returns.",
                "attribute : no other has this name.",
                "block HERE: no other has this name.",
                "block second: so.",
            ]
        );
    }

    #[test]
    fn what_hides_in_a_macro_is_found() {
        let source = "macro_rules! hide { ($x:expr) => { fn f() { unsafe { $x } } } }\nmod m { thread_local! { static A: u8 = unsafe { 1 }; } }";
        assert_eq!(found(source), ["block hide!::f: ?", "block m::A: ?"]);
    }

    #[test]
    fn a_reason_of_something_else_does_not_count() {
        for source in [
            "fn f() {\n// SAFETY: of g.\ng();\nunsafe { h() }\n}",
            "// SAFETY: of all.\nfn f() {\nunsafe { h() }\n}",
            "fn f() {\n// SAFETY: far away.\n\nunsafe { h() }\n}",
            "fn f() {\n// It is fine.\nunsafe { h() }\n}",
            "fn f() {\n// SAFETY:\nunsafe { h() }\n}",
            "/// Reads.\nunsafe fn f() {}",
        ] {
            let sites = sites(source).unwrap();
            assert_eq!(sites.len(), 1, "{source}");
            assert_eq!(sites[0].reason, None, "{source}");
        }
    }

    #[test]
    fn rules_are_enforced() {
        let bad = "fn f() {\n    unsafe { g() }\n}";
        let good = "fn f() {\n    // SAFETY: so.\n    unsafe { g() }\n}";
        let breaches = |name, path, source| breaches(&package(name, path, source)).join("\n");
        let broken = breaches("nonos-hal", "kernel/hal/src/lib.rs", bad);
        assert!(
            broken.contains("lib.rs:2: block in `f`: no SAFETY"),
            "{broken}"
        );
        assert_eq!(breaches("nonos-hal", "kernel/hal/src/lib.rs", good), "");
        let broken = breaches("nonos-image", "lib/image/src/lib.rs", good);
        assert!(
            broken.contains("nonos-image may have nothing unsafe"),
            "{broken}"
        );
        assert!(
            broken.contains("lib.rs: no #![forbid(unsafe_code)]"),
            "{broken}"
        );
        let safe = "#![no_std]\n#![forbid(unsafe_code)]\nfn f() {}";
        assert_eq!(breaches("nonos-image", "lib/image/src/lib.rs", safe), "");
        let denied = "#![deny(unsafe_code)]\n// #![forbid(unsafe_code)]";
        let broken = breaches("nonos-image", "lib/image/src/lib.rs", denied);
        assert!(broken.contains("no #![forbid(unsafe_code)]"), "{broken}");
    }

    #[test]
    fn the_more_exact_place_says_the_group() {
        let title = |path| group(path).map(|number| GROUPS[number].0);
        assert_eq!(title("kernel/hal/src/apic.rs"), Some("Hardware access"));
        assert_eq!(title("kernel/hal/src/region.rs"), Some("Memory management"));
        assert_eq!(title("kernel/core/src/lib.rs"), None);
    }

    #[test]
    fn the_project_keeps_the_rules() {
        check_rules().unwrap();
        let packages = packages::of_project().unwrap();
        let hal = packages
            .iter()
            .find(|package| package.name == "nonos-hal")
            .unwrap();
        assert!(
            hal.files
                .iter()
                .any(|file| file.sites.iter().any(|site| site.kind == Kind::Assembly))
        );
    }
}
