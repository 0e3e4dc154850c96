//! Which modules are in the system image, and what their manifests say: the `[[module]]` tables of `system.toml`.
//!
//! Only what the signer needs is read here; the policy in the same file (who is started, who is granted what) is `init`'s.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nonos_abi::Name;
use nonos_abi::info::needs;
use nonos_image::keys::SecretKeys;
use nonos_image::module::{self, Description};
use serde::Deserialize;

use crate::build::Program;
use crate::keys::PUBLISHER;

/// A module to build and sign.
#[derive(Clone, Debug)]
pub struct ModuleSpec {
    /// Name in the archive and in the manifest.
    pub name: String,
    /// The program.
    pub program: Program,
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
    /// A module with the program of this name, security version 1, a low priority, a quota of 1 MiB, and no needs.
    pub fn new(package: &str, binary: &str) -> Self {
        Self {
            name: binary.to_owned(),
            program: Program {
                package: package.to_owned(),
                binary: binary.to_owned(),
            },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            security_version: 1,
            priority: 8,
            quota_pages: 256,
            needs: 0,
        }
    }

    /// The module file: manifest and ELF, signed. `elf` is stripped already.
    ///
    /// # Errors
    /// When the manifest cannot say what this says.
    pub fn sign(&self, elf: &[u8], keys: &SecretKeys) -> Result<Vec<u8>> {
        let description = Description {
            name: name(&self.name)?,
            publisher: name(PUBLISHER)?,
            version: name(&self.version)?,
            security_version: self.security_version,
            priority: self.priority,
            quota_pages: self.quota_pages,
            needs: self.needs,
        };
        module::build(&description, elf, keys)
            .map_err(|refusal| anyhow!("module {}: {refusal}", self.name))
    }
}

/// A name as records hold it.
///
/// # Errors
/// When the text is none.
pub fn name(text: &str) -> Result<Name> {
    Name::new(text).with_context(|| format!("{text:?} is no name: 1 to 32 letters, digits, - _ ."))
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    module: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    package: Option<String>,
    #[serde(default = "one")]
    security_version: u64,
    priority: u8,
    quota_pages: u64,
    #[serde(default)]
    needs: Vec<String>,
}

fn one() -> u64 {
    1
}

/// The modules that `system.toml` in this checkout lists.
///
/// # Errors
/// When the file is missing or malformed.
pub fn of_system(root: &Path) -> Result<Vec<ModuleSpec>> {
    let path = root.join("system.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<Vec<ModuleSpec>> {
    let file: File = toml::from_str(text)?;
    ensure!(!file.module.is_empty(), "no [[module]]");
    file.module
        .into_iter()
        .map(|entry| {
            let package = entry.package.as_deref().unwrap_or(&entry.name);
            Ok(ModuleSpec {
                security_version: entry.security_version,
                priority: entry.priority,
                quota_pages: entry.quota_pages,
                needs: need_bits(&entry.name, &entry.needs)?,
                name: entry.name.clone(),
                ..ModuleSpec::new(package, package)
            })
        })
        .collect()
}

fn need_bits(module: &str, names: &[String]) -> Result<u64> {
    let mut bits = 0;
    for name in names {
        match needs::NAMES.iter().position(|known| known == name) {
            Some(bit) => bits |= 1 << bit,
            None => bail!(
                "module {module} needs {name:?}, which does not exist; there are: {}",
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
    fn needs_become_bits() {
        let text = "[[module]]\nname = \"console\"\npriority = 20\nquota_pages = 9\nneeds = [\"serial\", \"ps2\"]\nstart = true\n";
        let modules = parse(text).unwrap();
        assert_eq!(modules[0].needs, needs::SERIAL | needs::PS2);
        assert_eq!(modules[0].program, Program::of_package("console"));
    }

    #[test]
    fn an_unknown_need_is_an_error_that_names_it() {
        let text = "[[module]]\nname = \"a\"\npriority = 1\nquota_pages = 9\nneeds = [\"world\"]\n";
        assert!(parse(text).unwrap_err().to_string().contains("\"world\""));
    }
}
