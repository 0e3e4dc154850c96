//! What can stand behind `vault`: one table for help, completion and parsing.

use nonos_abi::Name;
use nonos_proto::vault::{kind, uses};

use crate::command::Entry;

macro_rules! words {
    ($($name:literal $arguments:literal $help:literal;)+) => {
        /// All words, in the order of the help.
        pub const WORDS: &[Entry] =
            &[$(Entry { name: $name, arguments: $arguments, help: $help },)+];
    };
}

words! {
    "status" "" "its state; also when left out";
    "help" "" "this list";
    "unlock" "" "open it with the passphrase";
    "lock" "" "lock it: no secret is left in memory";
    "passphrase" "" "set the passphrase, or none";
    "duress" "" "set a passphrase that destroys everything";
    "auto-lock" "SECONDS" "lock it when nobody uses it; 0 for never";
    "keep" "on|off" "keep the root in the TPM over restarts";
    "approve" "" "take the approval of another system";
    "wipe" "" "destroy all keys";
    "log" "" "what was done and refused, the newest last";
    "keys" "" "your keys";
    "new" "NAME KIND [export]" "make a key";
    "import" "NAME KIND [export]" "make a key of a secret that you type";
    "public" "NAME" "show the public key";
    "sign" "NAME TEXT" "sign a text";
    "verify" "NAME TEXT" "verify the last signature";
    "rotate" "NAME" "make a new version";
    "export" "NAME" "show the secret key";
    "wrap" "NAME" "show the key at rest, encrypted";
    "unwrap" "" "take a key at rest back";
    "destroy" "NAME" "destroy a key";
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task<'a> {
    /// `status`
    Status,
    /// `help`
    Help,
    /// `unlock`
    Unlock,
    /// `lock`
    Lock,
    /// `passphrase`
    Passphrase,
    /// `duress`
    Duress,
    /// `auto-lock`, seconds
    AutoLock(u64),
    /// `keep`
    Keep(bool),
    /// `approve`
    Approve,
    /// `wipe`
    Wipe,
    /// `log`
    Log,
    /// `keys`
    Keys,
    /// `new` and `import`
    New {
        /// The key's name.
        name: Name,
        /// One of [`kind`].
        kind: u64,
        /// Bits of [`uses`].
        uses: u64,
        /// The secret is typed.
        typed: bool,
    },
    /// What is done with a key.
    With(Name, Act<'a>),
    /// `unwrap`
    Unwrap,
}

/// What is done with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act<'a> {
    /// `public`
    Public,
    /// `sign`
    Sign(&'a str),
    /// `verify`
    Verify(&'a str),
    /// `rotate`
    Rotate,
    /// `export`
    Export,
    /// `wrap`
    Wrap,
    /// `destroy`
    Destroy,
}

/// Reads what stands behind `vault`; `None` when it is nothing of the list.
pub fn parse(line: &str) -> Option<Task<'_>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = text.trim_start();
    Some(match (word, first, text) {
        ("" | "status", "", _) => Task::Status,
        ("help", "", _) => Task::Help,
        ("unlock", "", _) => Task::Unlock,
        ("lock", "", _) => Task::Lock,
        ("passphrase", "", _) => Task::Passphrase,
        ("duress", "", _) => Task::Duress,
        ("approve", "", _) => Task::Approve,
        ("wipe", "", _) => Task::Wipe,
        ("log", "", _) => Task::Log,
        ("keys", "", _) => Task::Keys,
        ("unwrap", "", _) => Task::Unwrap,
        ("auto-lock", seconds, "") => Task::AutoLock(seconds.parse().ok()?),
        ("keep", "on", "") => Task::Keep(true),
        ("keep", "off", "") => Task::Keep(false),
        ("new" | "import", name, kind) => {
            let (kind, export) = kind.split_once(' ').unwrap_or((kind, ""));
            let export = match export.trim() {
                "" => 0,
                "export" => uses::EXPORT,
                _ => return None,
            };
            let (kind, own) = kind_of(kind)?;
            Task::New {
                name: Name::new(name)?,
                kind,
                uses: own | export,
                typed: word == "import",
            }
        }
        ("sign", name, text) if !text.is_empty() => Task::With(Name::new(name)?, Act::Sign(text)),
        ("verify", name, text) if !text.is_empty() => {
            Task::With(Name::new(name)?, Act::Verify(text))
        }
        ("public", name, "") => Task::With(Name::new(name)?, Act::Public),
        ("rotate", name, "") => Task::With(Name::new(name)?, Act::Rotate),
        ("export", name, "") => Task::With(Name::new(name)?, Act::Export),
        ("wrap", name, "") => Task::With(Name::new(name)?, Act::Wrap),
        ("destroy", name, "") => Task::With(Name::new(name)?, Act::Destroy),
        _ => return None,
    })
}

/// A kind by its name, and what keys of it are used for.
fn kind_of(name: &str) -> Option<(u64, u64)> {
    let index = kind::NAMES.iter().position(|&known| known == name)?;
    let kind = index as u64 + 1;
    let own = match kind {
        kind::AES_256_GCM => uses::ENCRYPT | uses::DECRYPT,
        kind::X_WING => uses::DECAPSULATE,
        kind::HKDF => uses::DERIVE,
        _ => uses::SIGN,
    };
    Some((kind, own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::HELP_COLUMN;

    #[test]
    fn the_help_fits_in_80_columns_and_every_word_is_understood() {
        for Entry {
            name,
            arguments,
            help,
        } in WORDS
        {
            assert!(2 + name.len() + 1 + arguments.len() < HELP_COLUMN, "{name}");
            assert!(HELP_COLUMN + help.len() < 80, "{name}");
            let sample = |word: &str| match word {
                "KIND" => "hybrid".to_owned(),
                "SECONDS" => "60".to_owned(),
                "on|off" => "off".to_owned(),
                word => word.trim_matches(['[', ']']).to_owned(),
            };
            let words: Vec<_> = arguments.split(' ').map(sample).collect();
            let line = format!("{name} {}", words.join(" "));
            assert!(parse(line.trim()).is_some(), "{line}");
        }
    }

    #[test]
    fn arguments_are_checked() {
        assert_eq!(parse(""), Some(Task::Status));
        let name = Name::new("k").unwrap();
        assert_eq!(
            parse("sign k some  text"),
            Some(Task::With(name, Act::Sign("some  text")))
        );
        let (kind, typed) = (kind::HKDF, true);
        let uses = uses::DERIVE | uses::EXPORT;
        assert_eq!(
            parse("import k hkdf export"),
            Some(Task::New {
                name,
                kind,
                uses,
                typed
            })
        );
        for wrong in [
            "unlock secret",
            "passphrase secret",
            "auto-lock",
            "auto-lock soon",
            "keep",
            "keep maybe",
            "new k",
            "new k rsa",
            "new k/l hybrid",
            "new k hybrid please",
            "sign k",
            "destroy",
            "destroy k l",
            "frobnicate",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
