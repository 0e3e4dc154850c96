//! The text that describes a module to whoever signs it.
//!
//! ```toml
//! name = "console"            # letters, digits, - _ . ; at most 32
//! publisher = "nonos"         # a trust anchor of the system image
//! version = "0.1.0"
//! security-version = 1        # grows when older versions must not run any more
//! priority = 20               # ceiling, 0 (lowest) to 31
//! quota-pages = 256           # most memory, in pages of 4096 bytes
//! needs = ["serial", "ps2"]   # most it may be granted
//! ```
//!
//! All keys are required but `needs`; others are errors.

use nonos_abi::Name;
use nonos_abi::info::needs;
use nonos_image::module::{Description, PRIORITY_MAX};
use serde::Deserialize;

use crate::error::Reason;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Text {
    name: String,
    publisher: String,
    version: String,
    security_version: u64,
    priority: u8,
    quota_pages: u64,
    #[serde(default)]
    needs: Vec<String>,
}

/// Reads a manifest.
///
/// # Errors
/// [`Reason::Manifest`] says what is wrong.
pub fn parse(text: &str) -> Result<Description, Reason> {
    let text: Text = toml::from_str(text).map_err(|error| {
        let lines: Vec<_> = error.message().lines().map(str::trim).collect();
        Reason::Manifest(lines.join("; "))
    })?;
    if text.priority > PRIORITY_MAX {
        return Err(Reason::Manifest(format!(
            "priority {} is above {PRIORITY_MAX}",
            text.priority
        )));
    }
    let mut bits = 0;
    for need in &text.needs {
        bits |= need_bit(need)?;
    }
    let checked =
        |what, text: &str| name(text).map_err(|error| Reason::Manifest(format!("{what}: {error}")));
    Ok(Description {
        name: checked("name", &text.name)?,
        publisher: checked("publisher", &text.publisher)?,
        version: checked("version", &text.version)?,
        security_version: text.security_version,
        priority: text.priority,
        quota_pages: text.quota_pages,
        needs: bits,
    })
}

/// A name, or what is wrong with it.
pub fn name(text: &str) -> Result<Name, String> {
    let rule = || {
        format!(
            "{text:?} is not 1 to {} letters, digits, - _ .",
            Name::BYTES
        )
    };
    Name::new(text).ok_or_else(rule)
}

/// The words for a set of needs.
pub fn needs_text(bits: u64) -> String {
    let names = needs::NAMES
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 != 0);
    let words: Vec<_> = names.map(|(_, name)| *name).collect();
    if words.is_empty() {
        "nothing".into()
    } else {
        words.join(", ")
    }
}

fn need_bit(word: &str) -> Result<u64, Reason> {
    let bit = needs::NAMES.iter().position(|name| *name == word);
    bit.map(|bit| 1 << bit).ok_or_else(|| {
        Reason::Manifest(format!(
            "need {word:?} does not exist; there are: {}",
            needs::NAMES.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "console"
        publisher = "nonos"
        version = "0.1.0"
        security-version = 1
        priority = 20
        quota-pages = 256
        needs = ["serial", "ps2"]
    "#;

    #[test]
    fn a_manifest_becomes_what_is_signed() {
        let description = parse(GOOD).unwrap();
        assert_eq!(description.name.as_str(), "console");
        assert_eq!(description.needs, needs::SERIAL | needs::PS2);
        assert_eq!(
            (
                description.priority,
                description.quota_pages,
                description.security_version
            ),
            (20, 256, 1)
        );
        assert_eq!(needs_text(description.needs), "serial, ps2");
        assert_eq!(needs_text(0), "nothing");
    }

    #[test]
    fn a_bad_manifest_is_refused_with_the_reason() {
        for (from, to, says) in [
            (
                "\"serial\"",
                "\"everything\"",
                "need \"everything\" does not exist",
            ),
            ("priority = 20", "priority = 32", "priority 32 is above 31"),
            ("priority = 20", "priority = -1", "invalid value"),
            ("priority = 20", "", "missing field `priority`"),
            (
                "priority = 20",
                "priority = 20\ncolour = 1",
                "unknown field `colour`",
            ),
            (
                "\"console\"",
                "\"../console\"",
                "name: \"../console\" is not",
            ),
            ("\"console\"", "\"\"", "name: \"\" is not"),
            ("\"console\"", "console", ""),
        ] {
            let error = parse(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(
                error.starts_with("bad manifest: ") && error.contains(says),
                "{error}"
            );
            assert!(!error.contains('\n'), "one line: {error}");
        }
    }
}
