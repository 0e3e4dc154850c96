//! The vault's memory, as an attacker would look at it who has a dump: by trying all of it on a key at rest.

use crate::machine::Machine;
use crate::paging::Mapping;
use crate::shell::bytes;
use nonos_crypto::Secret;
use nonos_crypto::aead::{Aes256Gcm, Sealed};
use nonos_crypto::kdf::HkdfSha256;
use std::collections::HashSet;

/// The longest run of hexadecimal digits.
pub fn hex_of(output: &str) -> String {
    let runs = output.split(|c: char| !c.is_ascii_hexdigit());
    runs.max_by_key(|run| run.len()).unwrap_or("").to_owned()
}

/// The key that seeds are encrypted with (`docs/keys.md`).
pub fn wrapping_key(root: &[u8]) -> Secret<32> {
    let key = HkdfSha256::extract(&[], root).expand(b"nonos.vault.wrap.v1");
    key.unwrap_or_else(|_| unreachable!("32 bytes are few"))
}

/// Whether a key at rest (`docs/keys.md`) opens under a root.
fn opens(blob: &[u8], root: &[u8]) -> bool {
    let cipher = Aes256Gcm::for_protocol(wrapping_key(root), [0; 12]);
    let sealed = Sealed {
        nonce: blob[76..88].try_into().expect("12 bytes"),
        tag: blob[88..104].try_into().expect("16 bytes"),
    };
    let mut seed = blob[104..136].to_vec();
    cipher.open(&sealed, &blob[..76], &mut seed).is_ok()
}

/// Physical addresses of the frames that a set of mappings leads to.
pub fn frames<'a>(mappings: impl Iterator<Item = &'a Mapping>) -> impl Iterator<Item = u64> {
    mappings.flat_map(|page| (page.physical..page.physical + page.bytes).step_by(4096))
}

fn frame(dump: &[u8], address: u64) -> &[u8] {
    let from = address as usize;
    dump.get(from..from + 4096).unwrap_or_default()
}

fn holds(memory: &[u8], bytes: &[u8]) -> bool {
    memory.windows(bytes.len()).any(|window| window == bytes)
}

fn looks_random(window: &[u8]) -> bool {
    let different: HashSet<&u8> = window.iter().collect();
    different.len() > 16
}

/// What a stopped machine has in memory, and where the vault's is.
pub struct Seen {
    dump: Vec<u8>,
    /// The mappings of each address space.
    pub spaces: Vec<Vec<Mapping>>,
    /// Which of the spaces is the vault's.
    pub vault: usize,
}

impl Seen {
    /// Looks while the machine stands still.
    pub fn look(machine: &mut Machine) -> Self {
        machine.stop_at_level(0);
        let dump = machine.dump_memory();
        let spaces = machine.address_spaces(&dump);
        machine.go_on();
        let mut seen = Self {
            dump,
            spaces,
            vault: 0,
        };
        seen.vault = seen.space_with(b"nonos.vault.wrap.v1");
        seen
    }

    /// The one address space whose program has this label.
    pub fn space_with(&self, label: &[u8]) -> usize {
        let has_it = |space: &Vec<Mapping>| {
            let code = space.iter().filter(|page| page.user && !page.writable);
            frames(code).any(|at| holds(frame(&self.dump, at), label))
        };
        let all = 0..self.spaces.len();
        let found: Vec<usize> = all.filter(|&index| has_it(&self.spaces[index])).collect();
        assert_eq!(found.len(), 1, "address spaces with the label");
        found[0]
    }

    /// The key that wraps those of files, wherever in the memory of `ramfs` it is: it follows from the vault's key and a salt that is there,
    /// too.
    pub fn wrapping_key_of_files(&self, key: &Secret<32>) -> Option<[u8; 32]> {
        const LABEL: &[u8] = b"nonos ramfs wrap";
        let space = &self.spaces[self.space_with(LABEL)];
        let pages = space.iter().filter(|page| page.user && page.writable);
        let memory: Vec<&[u8]> = frames(pages).map(|at| frame(&self.dump, at)).collect();
        let windows = memory.iter().flat_map(|frame| frame.windows(32));
        let random: HashSet<&[u8]> = windows.filter(|window| looks_random(window)).collect();
        random.iter().find_map(|salt| {
            let derived = blake3::keyed_hash(key.expose(), &[LABEL, salt].concat());
            random
                .contains(&derived.as_bytes()[..])
                .then(|| derived.into())
        })
    }

    /// The memory that the vault writes to.
    pub fn of_vault(&self) -> HashSet<u64> {
        let pages = self.spaces[self.vault].iter();
        frames(pages.filter(|page| page.user && page.writable)).collect()
    }

    /// Where in memory bytes stand.
    pub fn frames_with(&self, bytes: &[u8]) -> Vec<u64> {
        let windows = self.dump.windows(bytes.len()).enumerate();
        let found = windows.filter(|(_, window)| *window == bytes);
        found.map(|(at, _)| at as u64 & !0xFFF).collect()
    }

    /// The root that a key at rest opens under, wherever in the vault's memory it is.
    pub fn root(&self, blob: &[u8]) -> Option<Vec<u8>> {
        self.of_vault().into_iter().find_map(|at| {
            let mut windows = frame(&self.dump, at).windows(32);
            let root = windows.find(|window| looks_random(window) && opens(blob, window));
            root.map(<[u8]>::to_vec)
        })
    }
}

/// Makes a key and finds the root that it hangs on.
#[track_caller]
pub fn find_root(machine: &mut Machine) -> Vec<u8> {
    machine.command("vault new probe hkdf");
    let blob = bytes(&hex_of(&machine.command("vault wrap probe")));
    machine.check_equal(blob.len(), 136, "length of a key at rest");
    let root = Seen::look(machine).root(&blob);
    root.unwrap_or_else(|| machine.fail("the root is not in the open vault's memory"))
}

/// The key that `ramfs` has of the vault (`docs/keys.md`).
pub fn key_of_files(root: &[u8]) -> Secret<32> {
    let mut label = b"nonos.vault.module.v1".to_vec();
    label.extend(b"ramfs");
    label.resize(label.len() + 32 - b"ramfs".len(), 0);
    let key = HkdfSha256::extract(&[], root).expand(&label);
    key.unwrap_or_else(|_| unreachable!("32 bytes are few"))
}
