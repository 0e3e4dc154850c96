//! Which modules are in the system image, and what their manifests say.
//!
//! `system.toml` lists the modules; `module.toml` beside a package's `Cargo.toml` is the manifest that gets signed: the
//! most the module can ever be given. What it is given in fact, `init` decides by the rest of `system.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nonos_abi::Name;
use nonos_abi::info::needs;
use nonos_image::module::Description;
use serde::Deserialize;

use crate::build::Program;
use crate::keys::PUBLISHER;
use crate::paths;

/// A module to build and list.
#[derive(Clone, Debug)]
pub struct ModuleSpec {
    /// Name in the archive and in the manifest.
    pub name: String,
    /// The program.
    pub program: Program,
    /// Name of the publisher in the manifest.
    pub publisher: String,
    /// Version for people.
    pub version: String,
    /// Security version.
    pub security_version: u64,
    /// Highest priority it may have, 0 to 31.
    pub priority: u8,
    /// Memory quota, pages.
    pub quota_pages: u64,
    /// Bits of [`needs`].
    pub needs: u64,
}

impl ModuleSpec {
    /// A program of a package of this checkout, with the package's manifest and the binary's name.
    ///
    /// # Errors
    /// When the package or its manifest is missing or malformed.
    pub fn of_package(package: &str, binary: &str) -> Result<Self> {
        Self::read(&paths::root(), package, binary)
    }

    fn read(root: &Path, package: &str, binary: &str) -> Result<Self> {
        let path = package_folder(root, package)?.join("module.toml");
        let manifest: Manifest = parse(&path)?;
        let named = manifest.name.as_deref().unwrap_or(binary);
        ensure!(
            named == binary,
            "{}: the name is {named:?}, not {binary:?}",
            path.display()
        );
        Ok(Self {
            name: binary.to_owned(),
            program: Program {
                package: package.to_owned(),
                binary: binary.to_owned(),
            },
            publisher: manifest.publisher,
            version: manifest.version,
            security_version: manifest.security_version,
            priority: manifest.priority,
            quota_pages: manifest.quota_pages,
            needs: need_bits(&manifest.needs).with_context(|| path.display().to_string())?,
        })
    }

    /// What its manifest says.
    ///
    /// # Errors
    /// When a name is none.
    pub fn description(&self) -> Result<Description> {
        Ok(Description {
            name: name(&self.name)?,
            publisher: name(&self.publisher)?,
            version: name(&self.version)?,
            security_version: self.security_version,
            priority: self.priority,
            quota_pages: self.quota_pages,
            needs: self.needs,
        })
    }
}

/// A name as records hold it.
///
/// # Errors
/// When the text is none.
pub fn name(text: &str) -> Result<Name> {
    Name::new(text).with_context(|| format!("{text:?} is no name: 1 to 32 letters, digits, - _ ."))
}

/// Which system an image holds: what runs beside the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemKind {
    /// One terminal on screen and serial line.
    Console,
    /// The desktop; the terminal is on the serial line alone.
    Desktop,
}

impl SystemKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Desktop => "desktop",
        }
    }
}

/// `system.toml`, as far as the signer needs it.
#[derive(Deserialize)]
struct System {
    module: Vec<Listed>,
    #[serde(default)]
    kernel: KernelSettings,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct KernelSettings {
    #[serde(default)]
    kpti: Kpti,
}

/// When programs have page tables of their own.
#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kpti {
    /// On CPUs that need it.
    #[default]
    Auto,
    /// On every CPU.
    On,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    package: Option<String>,
    /// The system that alone has it.
    system: Option<SystemKind>,
}

/// `module.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: Option<String>,
    #[serde(default = "developer")]
    publisher: String,
    version: String,
    security_version: u64,
    priority: u8,
    quota_pages: u64,
    needs: Vec<String>,
}

fn developer() -> String {
    PUBLISHER.to_owned()
}

/// The modules that a system of a checkout has.
///
/// # Errors
/// When a file is missing or malformed.
pub fn of_system(root: &Path, kind: SystemKind) -> Result<Vec<ModuleSpec>> {
    let system: System = parse(&root.join("system.toml"))?;
    let of_kind = |listed: &&Listed| listed.system.is_none_or(|only| only == kind);
    let read = |Listed { name, package, .. }: &Listed| {
        let package = package.as_ref().unwrap_or(name);
        ModuleSpec::read(root, package, name)
    };
    system.module.iter().filter(of_kind).map(read).collect()
}

/// Whether `system.toml` of a checkout wants programs to have page tables of their own on every CPU.
///
/// # Errors
/// When the file is missing or malformed.
pub fn kpti_is_on(root: &Path) -> Result<bool> {
    let system: System = parse(&root.join("system.toml"))?;
    Ok(system.kernel.kpti == Kpti::On)
}

#[derive(Deserialize)]
struct Workspace {
    workspace: Members,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    package: PackageName,
}

#[derive(Deserialize)]
struct PackageName {
    name: String,
}

/// Where a package of the workspace lies.
fn package_folder(root: &Path, package: &str) -> Result<PathBuf> {
    let workspace: Workspace = parse(&root.join("Cargo.toml"))?;
    for member in workspace.workspace.members {
        let folder = root.join(member);
        let found: Package = parse(&folder.join("Cargo.toml"))?;
        if found.package.name == package {
            return Ok(folder);
        }
    }
    bail!("the workspace has no package {package}")
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

fn need_bits(names: &[String]) -> Result<u64> {
    let mut bits = 0;
    for name in names {
        match needs::NAMES.iter().position(|known| known == name) {
            Some(bit) => bits |= 1 << bit,
            None => bail!(
                "needs {name:?}, which does not exist; there are: {}",
                needs::NAMES.join(", ")
            ),
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_of_the_system_has_a_manifest() {
        let modules = of_system(&paths::root(), SystemKind::Desktop).unwrap();
        let console = modules
            .iter()
            .find(|module| module.name == "console")
            .unwrap();
        assert_eq!(console.program, Program::of_package("console"));
        assert!(modules.iter().all(|module| module.publisher == PUBLISHER));
    }

    #[test]
    fn isolated_page_tables_can_be_asked_for_and_not_be_turned_off() {
        let kpti = |text: &str| toml::from_str::<KernelSettings>(text).map(|read| read.kpti);
        assert!(kpti("").unwrap() == Kpti::Auto);
        assert!(kpti("kpti = \"auto\"").unwrap() == Kpti::Auto);
        assert!(kpti("kpti = \"on\"").unwrap() == Kpti::On);
        assert!(kpti("kpti = \"off\"").is_err() && kpti("ktpi = \"on\"").is_err());
    }

    #[test]
    fn needs_become_bits_and_an_unknown_one_is_named() {
        let bits = need_bits(&["serial".to_owned(), "ps2".to_owned()]);
        assert_eq!(bits.unwrap(), needs::SERIAL | needs::PS2);
        assert!(
            need_bits(&["world".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("\"world\"")
        );
    }

    #[test]
    fn a_package_that_does_not_exist_is_an_error_that_names_it() {
        assert!(
            package_folder(&paths::root(), "nothing")
                .unwrap_err()
                .to_string()
                .contains("nothing")
        );
    }
}
