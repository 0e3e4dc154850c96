//! The packages of the project and those they depend on, with what is unsafe in their source.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write;
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;

use super::source::{self, Kind, Site};
use crate::build::{BOOT_LOADER, BOOT_STUB, KERNEL};
use crate::modules::SystemKind;
use crate::process::capture;
use crate::{modules, paths};

/// A package of the project.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its source, by path.
    pub files: Vec<SourceFile>,
}

/// A source file of the project.
pub struct SourceFile {
    /// Path from the root of the repository.
    pub path: String,
    /// Whether a crate begins with it.
    pub is_root: bool,
    /// Whether it says that nothing in its crate is unsafe.
    pub forbids: bool,
    /// What is unsafe.
    pub sites: Vec<Site>,
}

/// How often what is unsafe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts([usize; Kind::ALL.len()]);

impl Counts {
    /// The head of a table.
    pub fn header(first: &str) -> String {
        let mut header = format!("| {first} | total |");
        for kind in Kind::ALL {
            let _ = write!(header, " {kind} |");
        }
        header += "\n|---|---|";
        header += &"---|".repeat(Kind::ALL.len());
        header + "\n"
    }

    /// A row of the table.
    pub fn row(&self, name: &str) -> String {
        let mut row = format!("| {name} | {} |", self.total());
        for count in self.0 {
            let _ = write!(row, " {count} |");
        }
        row + "\n"
    }

    /// All.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }
}

impl FromIterator<Kind> for Counts {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let mut counts = Self::default();
        kinds
            .into_iter()
            .for_each(|kind| counts.0[kind as usize] += 1);
        counts
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(own, more)| *own += more);
    }
}

/// What `cargo metadata` says.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<CargoPackage>,
    resolve: Option<Resolve>,
}

#[derive(Deserialize)]
struct CargoPackage {
    id: String,
    name: String,
    version: String,
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
}

#[derive(Deserialize)]
struct CargoTarget {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// Nothing for what is linked, else `dev` or `build`.
    kind: Option<String>,
}

/// All packages of the project, by name, with all of their source.
///
/// # Errors
/// When a file cannot be read or is no Rust.
pub fn of_project() -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let found = metadata(&["--no-deps", "--manifest-path", manifest])?.packages;
        for package in &found {
            // Test programs are left out: nothing is built on them.
            let is_test = |target: &&CargoTarget| target.kind.iter().any(|kind| kind == "test");
            let roots = package.targets.iter().filter(|target| !is_test(target));
            let roots: BTreeSet<&Path> = roots.map(|target| target.src_path.as_path()).collect();
            let files = files_of(package)?;
            let files: Result<_> = files
                .iter()
                .map(|path| SourceFile::read(path, roots.contains(path.as_path())))
                .collect();
            packages.push(Package {
                name: package.name.clone(),
                files: files?,
            });
        }
    }
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

impl SourceFile {
    fn read(path: &Path, is_root: bool) -> Result<Self> {
        let text = String::from_utf8(paths::read(path)?)?;
        Ok(Self {
            path: path.strip_prefix(paths::root())?.display().to_string(),
            is_root,
            forbids: forbids(&text),
            sites: source::sites(&text).with_context(|| path.display().to_string())?,
        })
    }
}

/// Whether this is the first file of a crate in which nothing is unsafe.
pub fn forbids(text: &str) -> bool {
    text.lines().any(|line| line == "#![forbid(unsafe_code)]")
}

/// Crates from outside that are linked into boot loader, kernel or programs, with what is unsafe in them.
///
/// # Errors
/// When their source is not here or cannot be read.
pub fn dependencies_of_system() -> Result<BTreeMap<String, Counts>> {
    let mut names: Vec<String> = [BOOT_LOADER, BOOT_STUB, KERNEL].map(str::to_owned).to_vec();
    let modules = modules::of_system(&paths::root(), SystemKind::Desktop)?;
    names.extend(modules.into_iter().map(|module| module.program.package));
    let mut counted = BTreeMap::new();
    for platform in ["x86_64-unknown-uefi", "x86_64-unknown-none"] {
        let metadata = metadata(&["--filter-platform", platform])?;
        for package in linked(&metadata, &names)? {
            let mut kinds = Vec::new();
            for file in files_of(package)? {
                let text = String::from_utf8(paths::read(&file)?)?;
                let sites = source::sites(&text).with_context(|| file.display().to_string())?;
                kinds.extend(sites.into_iter().map(|site| site.kind));
            }
            let name = format!("{} {}", package.name, package.version);
            counted.insert(name, kinds.into_iter().collect());
        }
    }
    Ok(counted)
}

/// The packages from outside that are linked into those with these names.
fn linked<'a>(metadata: &'a Metadata, names: &[String]) -> Result<Vec<&'a CargoPackage>> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo resolved nothing")?;
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let packages: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package))
        .collect();
    let is_own =
        |package: &&CargoPackage| package.source.is_none() && names.contains(&package.name);
    let mut open: Vec<_> = metadata
        .packages
        .iter()
        .filter(is_own)
        .map(|package| &package.id)
        .collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let package = packages
            .get(id)
            .ok_or_else(|| anyhow!("{id}: no such package"))?;
        // What runs in the compiler is not in the image.
        if package
            .targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
        {
            continue;
        }
        if package.source.is_some() {
            found.push(*package);
        }
        let dependencies = nodes
            .get(id)
            .map(|node| node.deps.as_slice())
            .unwrap_or_default();
        let linked =
            |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        open.extend(
            dependencies
                .iter()
                .filter(linked)
                .map(|dependency| &dependency.pkg),
        );
    }
    Ok(found)
}

fn metadata(arguments: &[&str]) -> Result<Metadata> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root());
    cargo
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(arguments);
    serde_json::from_str(&capture(&mut cargo)?).context("read what `cargo metadata` says")
}

/// The source of a package, by path: all for one of the project, the library for one from outside.
fn files_of(package: &CargoPackage) -> Result<Vec<PathBuf>> {
    let folder = package
        .manifest_path
        .parent()
        .context("a manifest in no folder")?;
    let mut files = Vec::new();
    match package.source {
        Some(_) => collect(&folder.join("src"), &mut files)?,
        None => collect(folder, &mut files)?,
    }
    files.sort();
    Ok(files)
}

/// Adds the source files in a folder, but not those of packages inside it nor what was built.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let is_other = || path.join("Cargo.toml").exists() || path.ends_with("target");
        if path.is_dir() && !is_other() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
