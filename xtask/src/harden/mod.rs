//! `cargo xtask harden-check`: reads the binaries of an image and says, item by item, which protections are in them.
//!
//! What the compiler was asked for does not count, only what is there: [`code`] disassembles every function, [`mod@format`] reads
//! headers, segments and relocations. The files are those that are signed and run, stripped; where functions begin is read from
//! the same files as they were linked. [`reproducible`] builds them in another folder. An item that does not hold names the first places.

pub mod code;
pub mod format;
pub mod reproducible;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::image::ImageFiles;
use crate::paths;

use code::{Code, Indirect};

/// One protection of one binary.
#[derive(Serialize, Clone, Debug)]
pub struct Item {
    /// `kernel`, `boot loader`, or a module's name.
    pub binary: String,
    /// What is claimed.
    pub claim: &'static str,
    /// Whether it is so.
    pub holds: bool,
    /// What was counted, or where it does not hold.
    pub found: String,
}

/// All that was looked at.
#[derive(Serialize, Default, Debug)]
pub struct Report {
    /// Binary by binary.
    pub items: Vec<Item>,
}

/// A claim, whether it holds, and what was found: what a check returns.
pub type Finding = (&'static str, bool, String);

/// Places shown where an item does not hold.
const SHOWN: usize = 4;

impl Report {
    /// Looks at the binaries of an image.
    ///
    /// # Errors
    /// When one cannot be read at all. An item that does not hold is no error.
    pub fn of(image: &ImageFiles) -> Result<Self> {
        let mut report = Self::default();
        let boot_loader = paths::read(&image.boot_loader_unsigned)?;
        report.add("boot loader", format::boot_loader(&boot_loader)?);
        report.add("boot loader", format::no_paths(&boot_loader));
        let program = paths::read(&image.boot_program)?;
        report.add("  unpacked", format::boot_loader(&program)?);
        report.add("  unpacked", format::no_paths(&program));
        report.add("  unpacked", vec![format::packed(&boot_loader, &program)?]);

        let kernel = paths::read(&image.kernel)?;
        report.add_executable("kernel", &kernel);
        let linked = paths::read(&image.kernel_debug)?;
        report.add(
            "kernel",
            code::check(&Code::read(&linked)?, Indirect::ThroughThunks),
        );

        ensure!(!image.linked_modules.is_empty(), "the image has no modules");
        for (name, path) in &image.linked_modules {
            let linked = paths::read(path)?;
            report.add_executable(name, &crate::elf::strip(&linked)?);
            report.add(name, code::check(&Code::read(&linked)?, Indirect::Direct));
        }
        Ok(report)
    }

    /// Adds an item about the image as a whole.
    pub fn add_of_image(&mut self, finding: Finding) {
        self.add("image", vec![finding]);
    }

    /// Whether every item holds.
    pub fn holds(&self) -> bool {
        !self.items.is_empty() && self.items.iter().all(|item| item.holds)
    }

    /// For a person.
    pub fn table(&self) -> String {
        let lines = self.items.iter().map(|item| {
            let verdict = if item.holds { "yes" } else { "NO" };
            format!(
                "{:<14} {:<52} {verdict:<3}  {}\n",
                item.binary, item.claim, item.found
            )
        });
        lines.collect()
    }

    fn add_executable(&mut self, binary: &str, stripped: &[u8]) {
        self.add(binary, format::executable(stripped));
        self.add(binary, format::no_paths(stripped));
    }

    fn add(&mut self, binary: &str, findings: Vec<Finding>) {
        let item = |(claim, holds, found)| Item {
            binary: binary.to_owned(),
            claim,
            holds,
            found,
        };
        self.items.extend(findings.into_iter().map(item));
    }
}

/// A claim that holds when nothing contradicts it.
fn without(claim: &'static str, counted: String, contradictions: &[String]) -> Finding {
    let found = match contradictions.split_at_checked(SHOWN) {
        Some((first, [])) => first.join(", "),
        Some((first, rest)) => format!("{} and {} more", first.join(", "), rest.len()),
        None if contradictions.is_empty() => counted,
        None => contradictions.join(", "),
    };
    (claim, contradictions.is_empty(), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_that_does_not_hold_is_enough() {
        let mut report = Report::default();
        assert!(!report.holds(), "nothing was looked at");
        report.add("kernel", vec![("a", true, String::new())]);
        assert!(report.holds());
        report.add("kernel", vec![("b", false, "here".to_owned())]);
        assert!(!report.holds() && report.table().contains("NO   here"));
    }

    #[test]
    fn places_are_named_up_to_a_number() {
        let places: Vec<_> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        let found = |count: usize| without("claim", "counted".to_owned(), &places[..count]);
        assert_eq!(found(0), ("claim", true, "counted".to_owned()));
        assert_eq!(found(2), ("claim", false, "a, b".to_owned()));
        assert_eq!(found(4), ("claim", false, "a, b, c, d".to_owned()));
        assert_eq!(
            found(5),
            ("claim", false, "a, b, c, d and 1 more".to_owned())
        );
    }
}
