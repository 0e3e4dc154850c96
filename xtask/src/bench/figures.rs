//! Figures that are kept in the tree: the ceilings of system calls, and what a Linux costs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::calls::Calls;
use crate::paths;

/// How much more than its ceiling a call may cost, percent: a change elsewhere moves code about.
const TOLERANCE: u64 = 5;

const HEADING: &str = "\
# What `cargo xtask bench --write` measured last, instructions. `cargo xtask bench` fails when a call costs over 5 %
# more than it does here.
";

/// `bench/figures.toml`.
#[derive(Deserialize, Default, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// System calls, one CPU.
    #[serde(default)]
    pub calls: BTreeMap<String, u64>,
    /// A Linux of Debian.
    #[serde(default)]
    pub linux: Linux,
}

/// What a Linux costs.
#[derive(Deserialize, Clone, PartialEq, Eq, Default, Debug)]
#[serde(deny_unknown_fields)]
pub struct Linux {
    /// Version of the package.
    pub version: String,
    /// As Debian starts it.
    pub default: BTreeMap<String, u64>,
    /// With `mitigations=off`.
    pub mitigations_off: BTreeMap<String, u64>,
}

impl Kept {
    /// Reads the file; empty when there is none.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn read() -> Result<Self> {
        let path = path();
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<()> {
        let path = path();
        fs::write(&path, self.text()).with_context(|| format!("write {}", path.display()))
    }

    fn text(&self) -> String {
        let table = |name: &str, figures: &BTreeMap<String, u64>| {
            let lines = figures
                .iter()
                .map(|(name, value)| format!("{name} = {value}\n"));
            format!("\n[{name}]\n{}", lines.collect::<String>())
        };
        let mut text = HEADING.to_owned();
        text += &table("calls", &self.calls);
        text += &format!("\n[linux]\nversion = \"{}\"\n", self.linux.version);
        text += &table("linux.default", &self.linux.default);
        text + &table("linux.mitigations_off", &self.linux.mitigations_off)
    }

    /// Calls that cost more than they may, or were not measured any more.
    pub fn worse(&self, calls: &Calls) -> Vec<String> {
        let judge = |(name, &ceiling): (&String, &u64)| match calls.figures.get(name) {
            None => Some(format!("{name} was not measured")),
            Some(figure) => {
                let most = ceiling + ceiling * TOLERANCE / 100;
                (figure.least > most).then(|| format!("{name}: {} after {ceiling}", figure.least))
            }
        };
        self.calls.iter().filter_map(judge).collect()
    }
}

fn path() -> PathBuf {
    paths::root().join("bench/figures.toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::calls;

    fn kept() -> Kept {
        Kept {
            calls: [("null".to_owned(), 100)].into(),
            ..Kept::default()
        }
    }

    fn measured(null: u64) -> Calls {
        calls::parse(&format!("bench: overhead 9\nbench: null {null} 900 900"), 9).unwrap()
    }

    #[test]
    fn five_percent_more_are_tolerated_and_no_more() {
        assert!(kept().worse(&measured(105)).is_empty());
        assert_eq!(kept().worse(&measured(106)), ["null: 106 after 100"]);
    }

    #[test]
    fn a_figure_that_is_gone_is_worse() {
        assert_eq!(kept().worse(&Calls::default()), ["null was not measured"]);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut kept = kept();
        kept.linux.version = "6.1.0-1-cloud-amd64".to_owned();
        kept.linux.default.insert("getppid".to_owned(), 341);
        assert_eq!(toml::from_str::<Kept>(&kept.text()).unwrap(), kept);
    }

    #[test]
    fn the_file_in_the_tree_is_understood() {
        Kept::read().unwrap();
    }
}
