//! A text that a user types, what a file holds and keys, and looking for them in the machine's memory.

use crate::machine::Machine;
use crate::vault::{self, Seen};
use std::time::{SystemTime, UNIX_EPOCH};

/// A planted text, and the memory that user space had when it was planted.
pub struct Canary {
    text: String,
    /// What else must not be left, and what it is.
    secrets: Vec<(&'static str, Vec<u8>)>,
    /// Physical addresses of the frames of RAM that were mapped for user space and held something.
    frames: Vec<usize>,
}

impl Canary {
    /// Types a new text at the prompt and finds it in memory, so that looking for it means something.
    #[track_caller]
    pub fn plant(machine: &mut Machine) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let text = format!("canary{:x}{:x}", std::process::id(), now.as_nanos());
        machine.command(&format!("echo {text}"));
        machine.stop();
        let dump = machine.dump_memory();
        let spaces = machine.address_spaces(&dump).concat();
        let written = spaces.iter().filter(|page| page.user && page.writable);
        let mut frames: Vec<usize> = written
            .filter_map(|page| usize::try_from(page.physical).ok())
            .collect();
        frames.retain(|frame| dump.get(*frame..frame + 4096).is_some_and(is_used));
        machine.go_on();
        let canary = Self {
            text,
            secrets: Vec::new(),
            frames,
        };
        machine.check(
            canary.is_in(&dump),
            "a typed text is not in memory although the shell remembers it",
        );
        machine.check(
            !canary.frames.is_empty(),
            "user space has no memory that it wrote to",
        );
        canary
    }

    /// The same, and also finds what nobody types: what a file holds, the root of the vault's keys, and the key that wraps those of files.
    #[track_caller]
    pub fn plant_with_secrets(machine: &mut Machine) -> Self {
        machine.command("echo some text | hash > kept");
        let contents = blake3::hash(b"some text\n").to_hex();
        let root = vault::find_root(machine);
        let mut canary = Self::plant(machine);
        let shown = machine.command("cat kept");
        machine.check_contains(&shown, &contents);
        let seen = Seen::look(machine);
        let wrapping = seen.wrapping_key_of_files(&vault::key_of_files(&root));
        canary.secrets = vec![
            ("what a file holds", contents.as_bytes().to_vec()),
            ("the root of the vault's keys", root),
            (
                "the key that wraps those of files",
                wrapping.unwrap_or_default().to_vec(),
            ),
        ];
        for (what, secret) in &canary.secrets {
            let found =
                !seen.frames_with(secret).is_empty() && secret.iter().any(|&byte| byte != 0);
            machine.check(found, &format!("{what} is not in memory"));
        }
        canary
    }

    /// Whether the text stands anywhere in a dump of memory.
    pub fn is_in(&self, dump: &[u8]) -> bool {
        self.places(dump).next().is_some()
    }

    /// The frames of a dump that the text stands in.
    pub fn frames_with_it(&self, dump: &[u8]) -> Vec<u64> {
        self.places(dump).map(|at| at as u64 & !0xFFF).collect()
    }

    /// Where in a dump the text stands.
    fn places<'a>(&'a self, dump: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let windows = dump.windows(self.text.len()).enumerate();
        let found = windows.filter(|(_, window)| *window == self.text.as_bytes());
        found.map(|(at, _)| at)
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Expects that neither the text, nor what else was planted, nor anything of user space's memory is left.
    #[track_caller]
    pub fn expect_wiped(&self, machine: &mut Machine) {
        let dump = machine.dump_memory();
        machine.check(!self.is_in(&dump), "a typed text is still in memory");
        for (what, secret) in &self.secrets {
            let left = dump.windows(secret.len()).any(|window| window == secret);
            machine.check(!left, &format!("{what} is still in memory"));
        }
        let left = self
            .frames
            .iter()
            .filter(|frame| is_used(&dump[**frame..**frame + 4096]))
            .count();
        let all = self.frames.len();
        machine.check(
            left == 0,
            &format!("{left} of {all} frames of user space still hold something"),
        );
    }
}

fn is_used(frame: &[u8]) -> bool {
    frame.iter().any(|byte| *byte != 0)
}
