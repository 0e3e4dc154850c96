//! What libraries take: the code of each crate, in all programs that it is linked into.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};
use serde::Serialize;

/// The code of a crate.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Library {
    /// Bytes, in all programs together, not compressed.
    pub bytes: u64,
    /// Programs that have some of it.
    pub programs: u64,
}

/// Libraries by the names of their crates.
#[derive(Default)]
pub struct Libraries(BTreeMap<String, Library>);

impl Libraries {
    /// Adds the functions of a linked program but for those of its own crate, which has this name.
    ///
    /// # Errors
    /// When it is no ELF file.
    pub fn add(&mut self, own: &str, linked: &[u8]) -> Result<()> {
        let file = ElfFile64::<LittleEndian>::parse(linked).context("not an ELF file")?;
        let own = own.replace('-', "_");
        let mut seen = BTreeSet::new();
        for symbol in file.symbols() {
            if symbol.kind() != SymbolKind::Text || !symbol.is_definition() {
                continue;
            }
            let name = symbol.name().context("a symbol's name")?;
            let name = format!("{:#}", rustc_demangle::demangle(name));
            let Some(library) = crate_of(&name).filter(|&library| library != own) else {
                continue;
            };
            let entry = self.0.entry(library.to_owned()).or_default();
            entry.bytes += symbol.size();
            entry.programs += u64::from(seen.insert(library.to_owned()));
        }
        Ok(())
    }

    /// All of them.
    pub fn into_map(self) -> BTreeMap<String, Library> {
        self.0
    }
}

/// The crate whose function this is: the first in its path; of a trait's function that of the type which it is for, and of a type
/// without a crate, such as a slice, that of the trait.
fn crate_of(function: &str) -> Option<&str> {
    let (before, _) = function.split_once("::")?;
    let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let name = &before[start.map_or(0, |at| at + 1)..];
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_the_crate_that_their_path_begins_with() {
        let crates = [
            ("nonos_ui::text::fit", Some("nonos_ui")),
            ("<nonos_ui::ui::Ui>::button", Some("nonos_ui")),
            ("core::ptr::drop_in_place::<nonos_ui::ui::Ui>", Some("core")),
            ("<[u8] as core::fmt::Debug>::fmt", Some("core")),
            (
                "<&mut editor::Editor as nonos_ui::App>::view",
                Some("editor"),
            ),
            ("memcpy", None),
            ("<u8>::x", None),
        ];
        for (function, expected) in crates {
            assert_eq!(crate_of(function), expected, "{function}");
        }
    }
}
