//! A signed system image with small modules, good and bad.

use std::sync::OnceLock;
use std::vec::Vec;

use nonos_abi::info::needs;
use nonos_abi::{Name, PAGE_BYTES};
use nonos_image::keys::PublicKeys;
use nonos_image::module::Description;
use nonos_image::sign::SecretKeys;
use nonos_image::{anchors, archive, module};

/// Highest priority that the manifests of `worker` and `init` allow.
pub const MODULE_PRIORITY: u8 = 20;
/// Largest quota that the manifests of `worker` and `init` allow.
pub const MODULE_QUOTA_PAGES: u64 = 256;

const PUBLISHER: &str = "tests";
/// Parts of a signed file: the header, the Ed25519 signature, the ML-DSA signature, the body.
const ED25519_AT: usize = 512;
const ML_DSA_AT: usize = ED25519_AT + 64;
const BODY_AT: usize = 4096;

/// The unpacked payload, made once. Modules: `init`, `worker`, `small` (the same with a quota too small to load);
/// refused: `bad-ed25519`, `bad-ml-dsa`, `bad-hash`, `bad-manifest`, `bad-elf`, `other-name`, `other-publisher`,
/// `other-keys`, `truncated`.
pub fn payload() -> &'static [u8] {
    static PAYLOAD: OnceLock<Vec<u8>> = OnceLock::new();
    PAYLOAD.get_or_init(build)
}

fn build() -> Vec<u8> {
    let keys = SecretKeys::from_seeds([1; 32], [2; 32]);
    let foreign = SecretKeys::from_seeds([3; 32], [4; 32]);
    let elf = executable();
    let describe = |text: &str| Description {
        name: name(text),
        publisher: name(PUBLISHER),
        version: name("1.0"),
        security_version: 7,
        priority: MODULE_PRIORITY,
        quota_pages: MODULE_QUOTA_PAGES,
        needs: needs::CONSOLE,
    };
    let sign = |description: &Description, elf: &[u8], keys: &SecretKeys| {
        module::build(description, elf, keys).expect("the description is valid")
    };
    let good = |text: &str| sign(&describe(text), &elf, &keys);
    let flipped = |text: &str, at: usize| {
        let mut file = good(text);
        file[at] ^= 1;
        file
    };
    let mut truncated = good("truncated");
    truncated.pop();
    let small = Description {
        quota_pages: 8,
        ..describe("small")
    };
    let other = Description {
        publisher: name("nobody"),
        ..describe("other-publisher")
    };
    let modules = [
        ("init", good("init")),
        ("worker", good("worker")),
        ("small", sign(&small, &elf, &keys)),
        ("bad-ed25519", flipped("bad-ed25519", ED25519_AT)),
        ("bad-ml-dsa", flipped("bad-ml-dsa", ML_DSA_AT)),
        ("bad-hash", flipped("bad-hash", BODY_AT + PAGE_BYTES)),
        ("bad-manifest", flipped("bad-manifest", 120)),
        ("bad-elf", sign(&describe("bad-elf"), &elf[1..], &keys)),
        ("other-name", good("worker")),
        ("other-publisher", sign(&other, &elf, &keys)),
        ("other-keys", sign(&describe("other-keys"), &elf, &foreign)),
        ("truncated", truncated),
    ];
    let public: PublicKeys = keys.public();
    let anchors = anchors::build(&[(name(PUBLISHER), public)]).expect("one name");
    let mut entries: Vec<(Name, &[u8])> = modules
        .iter()
        .map(|(text, file)| (name(text), file.as_slice()))
        .collect();
    entries.push((name(archive::ANCHORS), &anchors));
    archive::build(&entries).expect("names are distinct")
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

/// A static position-independent executable: tables R, code RX, RELRO and data and zeros RW.
fn executable() -> Vec<u8> {
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
