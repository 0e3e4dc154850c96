//! A signed system image with small modules, good and bad.

use std::sync::OnceLock;
use std::vec::Vec;

use nonos_abi::info::needs;
use nonos_abi::{Name, PAGE_BYTES};
use nonos_image::module::Description;
use nonos_image::sign::SecretKeys;
use nonos_image::{anchors, archive, list};

/// Highest priority that the manifests of `worker` and `init` allow.
pub const MODULE_PRIORITY: u8 = 20;
/// Largest quota that the manifests of `worker` and `init` allow.
pub const MODULE_QUOTA_PAGES: u64 = 256;

const PUBLISHER: &str = "tests";

/// Parts of an archive that tests damage.
#[derive(Clone)]
pub(crate) struct Parts {
    /// Entries beside the trust anchors: modules and lists of them.
    pub entries: Vec<(&'static str, Vec<u8>)>,
}

/// The unpacked payload, made once. Modules: `init`, `worker`, `small` (the same with a quota too small to load);
/// refused: `bad-hash`, `bad-elf`, `truncated`, `swapped` (the ELF of another), `unlisted`.
pub fn payload() -> &'static [u8] {
    static PAYLOAD: OnceLock<Vec<u8>> = OnceLock::new();
    PAYLOAD.get_or_init(|| Parts::usual().archive())
}

impl Parts {
    /// Those of [`payload`].
    pub fn usual() -> Self {
        let elf = executable();
        let other = [&elf[..], &[0]].concat();
        let mut bad_hash = elf.clone();
        bad_hash[PAGE_BYTES] ^= 1;
        let describe = |text| description(PUBLISHER, text);
        let small = Description {
            quota_pages: 8,
            ..describe("small")
        };
        let listed = [
            (describe("init"), &elf[..]),
            (describe("worker"), &elf),
            (small, &elf),
            (describe("bad-hash"), &elf),
            (describe("bad-elf"), &elf[1..]),
            (describe("truncated"), &elf),
            (describe("swapped"), &other),
            (describe("absent"), &elf),
        ];
        let entries = [
            ("init", elf.clone()),
            ("worker", elf.clone()),
            ("small", elf.clone()),
            ("bad-hash", bad_hash),
            ("bad-elf", elf[1..].to_vec()),
            ("truncated", elf[..elf.len() - 1].to_vec()),
            ("swapped", elf.clone()),
            ("unlisted", elf.clone()),
            ("modules.tests", list(PUBLISHER, &listed, &keys())),
        ];
        Self {
            entries: entries.into(),
        }
    }

    /// The archive.
    pub fn archive(&self) -> Vec<u8> {
        let trusted = [
            (name(PUBLISHER), keys().public()),
            (name("other"), other_keys().public()),
        ];
        let anchors = anchors::build(&trusted).expect("two names");
        let mut entries: Vec<(Name, &[u8])> = Vec::new();
        for (text, file) in &self.entries {
            entries.push((name(text), file));
        }
        entries.push((name(archive::ANCHORS), &anchors));
        archive::build(&entries).expect("names are distinct")
    }
}

/// Keys of the publisher `tests`.
pub(crate) fn keys() -> SecretKeys {
    SecretKeys::from_seeds([1; 32], [2; 32])
}

/// Keys of the publisher `other`, who has no list in [`payload`].
pub(crate) fn other_keys() -> SecretKeys {
    SecretKeys::from_seeds([3; 32], [4; 32])
}

/// A signed list.
pub(crate) fn list(
    publisher: &str,
    modules: &[(Description, &[u8])],
    keys: &SecretKeys,
) -> Vec<u8> {
    list::build(name(publisher), modules, keys).expect("the descriptions are valid")
}

/// What a publisher's manifest of a module says.
pub(crate) fn description(publisher: &str, text: &str) -> Description {
    Description {
        name: name(text),
        publisher: name(publisher),
        version: name("1.0"),
        security_version: 7,
        priority: MODULE_PRIORITY,
        quota_pages: MODULE_QUOTA_PAGES,
        needs: needs::CONSOLE,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

/// Where the parts of [`executable`] lie, from its base.
pub(crate) mod layout {
    /// Headers and tables.
    pub const TABLES: u64 = 0;
    /// Code, one page; the entry is its first byte.
    pub const CODE: u64 = 0x1000;
    /// Read-only after relocation, one page.
    pub const RELRO: u64 = 0x2000;
    /// Data, one page.
    pub const DATA: u64 = 0x3000;
    /// Zeros, two pages.
    pub const ZEROS: u64 = 0x4000;
    /// End.
    pub const END: u64 = 0x6000;
    /// Relocations: where, and the addend.
    pub const RELOCATIONS: [(u64, u64); 4] = [
        (RELRO, CODE),
        (RELRO + 8, DATA),
        (DATA, RELRO),
        (ZEROS - 8, DATA + 0x10),
    ];
}

/// The ELF of the good modules: a static position-independent executable; tables R, code RX, RELRO and data and zeros RW.
pub(crate) fn executable() -> Vec<u8> {
    use layout::{CODE, DATA, END, RELOCATIONS, RELRO, TABLES};
    const PHDR_BYTES: u64 = 56;
    const EHDR_BYTES: u64 = 64;
    const DYNAMIC_AT: u64 = 0x400;
    const RELR_AT: u64 = 0x500;
    const DYNAMIC: [(u64, u64); 4] = [
        (36, RELR_AT),
        (35, 8 * RELOCATIONS.len() as u64),
        (37, 8),
        (0, 0),
    ];
    const DYNAMIC_BYTES: u64 = 16 * DYNAMIC.len() as u64;
    // Type, flags, offset, virtual address, bytes in the file, bytes in memory, alignment.
    let data_file = DATA + 0x1000 - RELRO;
    let headers: [(u32, u32, u64, u64, u64, u64, u64); 5] = [
        (1, 4, TABLES, TABLES, 0x1000, 0x1000, 0x1000),
        (1, 5, CODE, CODE, 0x1000, 0x1000, 0x1000),
        (1, 6, RELRO, RELRO, data_file, END - RELRO, 0x1000),
        (
            2,
            4,
            DYNAMIC_AT,
            DYNAMIC_AT,
            DYNAMIC_BYTES,
            DYNAMIC_BYTES,
            8,
        ),
        (0x6474_E552, 4, RELRO, RELRO, 0x1000, 0x1000, 1),
    ];

    let mut file = Vec::from(*b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend([3, 0, 62, 0, 1, 0, 0, 0]);
    for word in [CODE, EHDR_BYTES, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [
        EHDR_BYTES as u16,
        PHDR_BYTES as u16,
        headers.len() as u16,
        64,
        0,
        0,
    ] {
        file.extend(half.to_le_bytes());
    }
    for (kind, flags, offset, address, file_bytes, memory_bytes, align) in headers {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, address, address, file_bytes, memory_bytes, align] {
            file.extend(word.to_le_bytes());
        }
    }
    file.resize(DYNAMIC_AT as usize, 0);
    for (tag, value) in DYNAMIC {
        file.extend(tag.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.resize(RELR_AT as usize, 0);
    for (offset, _) in RELOCATIONS {
        file.extend(offset.to_le_bytes());
    }
    file.resize(CODE as usize, 0);
    file.resize(RELRO as usize, 0xCC);
    file.resize(DATA as usize, 0x11);
    file.resize(layout::ZEROS as usize, 0x22);
    for (offset, addend) in RELOCATIONS {
        file[offset as usize..][..8].copy_from_slice(&addend.to_le_bytes());
    }
    file
}
