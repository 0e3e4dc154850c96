//! Archive, trust anchors, symbols, manifest and key files: round trips, and hostile input.

mod common;

use common::{keys, name, noise};
use nonos_image::anchors::{self, Anchors, AnchorsError};
use nonos_image::archive::{self, Archive, ArchiveError};
use nonos_image::image::{self, UnpackError};
use nonos_image::keys::{PublicKeys, SecretKeys};
use nonos_image::list::{self, List};
use nonos_image::sign::KeyFileError;
use nonos_image::symbols::{self, Symbols, SymbolsError};
use proptest::prelude::*;

fn sample_archive() -> Vec<u8> {
    let big = noise(5000);
    let entries = [
        ("shell", &big[..]),
        ("kernel", b"k"),
        ("anchors", b""),
        ("kernel.symbols", b"0123"),
    ];
    archive::build(&entries.map(|(text, contents)| (name(text), contents))).expect("archive")
}

#[test]
fn an_archive_gives_back_its_entries_at_page_boundaries() {
    let bytes = sample_archive();
    let archive = Archive::parse(&bytes).expect("archive");
    let names: Vec<_> = archive
        .iter()
        .map(|entry| entry.name.as_str().to_owned())
        .collect();
    assert_eq!(names, ["anchors", "kernel", "kernel.symbols", "shell"]);
    assert_eq!(archive.get("shell"), Some(&noise(5000)[..]));
    assert_eq!(archive.get("anchors"), Some(&[][..]));
    assert_eq!(archive.get("shel"), None);
    assert!(archive.iter().all(|entry| entry.offset % 4096 == 0));
    let modules: Vec<_> = archive.modules().map(|entry| entry.name).collect();
    assert_eq!(modules, [name("shell")]);
    let entries = [
        "modules.",
        "modules.nonos",
        "modules",
        "modulesx",
        "kernel.kpti",
    ];
    let entries = entries.map(|text| (name(text), &b""[..]));
    let bytes = archive::build(&entries).expect("archive");
    let archive = Archive::parse(&bytes).expect("archive");
    let lists: Vec<_> = archive.lists().map(|entry| entry.name).collect();
    assert_eq!(lists, [name("modules."), name("modules.nonos")]);
    let modules: Vec<_> = archive.modules().map(|entry| entry.name).collect();
    assert_eq!(modules, [name("modules"), name("modulesx")]);
    assert_eq!(
        Archive::parse(&archive::build(&[]).expect("empty"))
            .expect("empty")
            .iter()
            .count(),
        0
    );
}

#[test]
fn archives_with_one_fault_are_refused() {
    let bytes = sample_archive();
    let refusal = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        damage(&mut bytes);
        Archive::parse(&bytes).map(|_| ()).expect_err("damaged")
    };
    let number = |bytes: &mut Vec<u8>, at: usize, value: u64| {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes())
    };
    let (offset_at, length_at) = (16 + 48 + 32, 16 + 48 + 40);
    assert_eq!(refusal(&|b| b[0] = 0), ArchiveError::Magic);
    assert_eq!(refusal(&Vec::clear), ArchiveError::Magic);
    assert_eq!(refusal(&|b| number(b, 8, u64::MAX)), ArchiveError::Table);
    assert_eq!(refusal(&|b| number(b, 8, 1000)), ArchiveError::Table);
    assert_eq!(
        refusal(&|b| b[16 + 48] = b'/'),
        ArchiveError::Name { entry: 1 }
    );
    assert_eq!(
        refusal(&|b| b[16 + 48] = b'A'),
        ArchiveError::Order { entry: 1 }
    );
    for offset in [0, 4097, 8192, u64::MAX, !0xFFF] {
        assert_eq!(
            refusal(&|b| number(b, offset_at, offset)),
            ArchiveError::Offset { entry: 1 }
        );
    }
    for length in [1 << 20, u64::MAX] {
        assert_eq!(
            refusal(&|b| number(b, length_at, length)),
            ArchiveError::Length { entry: 1 }
        );
    }
    assert_eq!(refusal(&|b| b[300] = 1), ArchiveError::Gap { entry: 0 });
    assert_eq!(refusal(&|b| b[4097] = 1), ArchiveError::Gap { entry: 2 });
    assert_eq!(refusal(&|b| b.push(0)), ArchiveError::Trailing { bytes: 1 });
    assert_eq!(
        refusal(&|b| b.truncate(b.len() - 1)),
        ArchiveError::Length { entry: 3 }
    );
    assert_eq!(
        archive::build(&[(name("a"), b""), (name("a"), b"")]),
        Err(ArchiveError::Order { entry: 1 })
    );
}

#[test]
fn anchors_give_back_the_keys() {
    let (a, b) = (keys(1).public(), keys(2).public());
    let bytes =
        anchors::build(&[(name("zeta"), b.clone()), (name("alpha"), a.clone())]).expect("anchors");
    let anchors = Anchors::parse(&bytes).expect("anchors");
    assert!(anchors.find(name("alpha")).is_some_and(|keys| keys == a));
    assert!(anchors.find(name("zeta")).is_some_and(|keys| keys == b));
    assert!(anchors.find(name("beta")).is_none());
    assert_eq!(anchors.iter().count(), 2);
    for length in 0..bytes.len() {
        assert!(Anchors::parse(&bytes[..length]).is_err(), "length {length}");
    }
    let mut unordered = bytes.clone();
    unordered[16] = b'z';
    unordered[17] = b'z';
    assert_eq!(
        Anchors::parse(&unordered).err(),
        Some(AnchorsError::Order { entry: 1 })
    );
    let twice = anchors::build(&[(name("x"), a.clone()), (name("x"), b)]);
    assert_eq!(twice, Err(AnchorsError::Order { entry: 1 }));
}

#[test]
fn symbols_resolve_to_the_one_before() {
    let bytes = symbols::build(&[
        (0x40, "handle"),
        (0x10, "start"),
        (0x40, "zz_alias"),
        (0x100, "naïve::<T>"),
    ]);
    let bytes = bytes.expect("symbols");
    let symbols = Symbols::parse(&bytes).expect("symbols");
    assert_eq!(symbols.count(), 3);
    assert_eq!(symbols.resolve(0xF), None);
    assert_eq!(symbols.resolve(0x10), Some(("start", 0)));
    assert_eq!(symbols.resolve(0x3F), Some(("start", 0x2F)));
    assert_eq!(symbols.resolve(0x40), Some(("handle", 0)));
    assert_eq!(
        symbols.resolve(u32::MAX),
        Some(("naïve::<T>", u32::MAX - 0x100))
    );
    for length in 0..bytes.len() {
        assert!(Symbols::parse(&bytes[..length]).is_err(), "length {length}");
    }
    let mut unordered = bytes.clone();
    unordered[16] = 0xFF;
    assert_eq!(
        Symbols::parse(&unordered).err(),
        Some(SymbolsError::Order { symbol: 1 })
    );
    assert_eq!(
        symbols::build(&[(0, "a\0b")]),
        Err(SymbolsError::Unrepresentable)
    );
    let empty = symbols::build(&[]).expect("symbols");
    assert_eq!(Symbols::parse(&empty).expect("symbols").resolve(5), None);
}

#[test]
fn key_files_round_trip_and_malformed_ones_are_refused() {
    let keys = keys(3);
    let text = keys.to_text();
    assert_eq!(text.lines().next(), Some("nonos secret keys v1"));
    assert_eq!(
        text.lines().nth(1),
        Some(format!("ed25519 {}", "03".repeat(32)).as_str())
    );
    let read = SecretKeys::from_text(&text).unwrap_or_else(|error| panic!("{error}"));
    assert!(read.public() == keys.public());
    let refusal = |text: &str| {
        SecretKeys::from_text(text)
            .map(|_| ())
            .expect_err("malformed")
    };
    assert_eq!(refusal(""), KeyFileError::Title);
    assert_eq!(refusal(&text.replace("v1", "v2")), KeyFileError::Title);
    assert_eq!(refusal(&text.replace("v1", "v1 ")), KeyFileError::Title);
    assert_eq!(
        refusal(&text.replacen("03", "0g", 1)),
        KeyFileError::Ed25519
    );
    assert_eq!(refusal(&text.replacen("03", "", 1)), KeyFileError::Ed25519);
    assert_eq!(
        refusal(&text.replacen("fc", "fcfc", 1)),
        KeyFileError::MlDsa
    );
    assert_eq!(refusal(&format!("{}\n", text.as_str())), KeyFileError::End);
    assert_eq!(refusal(text.trim_end()), KeyFileError::MlDsa);
}

#[test]
fn generated_keys_differ() {
    let (a, b) = (
        SecretKeys::generate().expect("random"),
        SecretKeys::generate().expect("random"),
    );
    assert!(a.public() != b.public() && a.public().hash() != b.public().hash());
    assert!(PublicKeys::from_bytes(&a.public().to_bytes()) == a.public());
}

#[test]
fn streams_that_do_not_fill_the_signed_size_are_errors() {
    let archive = [noise(70_000), vec![0xE8; 30_000]].concat();
    let file = image::build(name("1"), 0, &archive, &keys(1));
    let public = keys(1).public();
    let image = image::verify(&file, &public).unwrap_or_else(|refusal| panic!("{refusal}"));
    let mut out = vec![0; archive.len()];
    assert_eq!(image.unpack(&mut out), Ok(()));
    assert!(out == archive);
    for length in [0, archive.len() - 1, archive.len() + 1] {
        let found = image.unpack(&mut vec![0; length]);
        assert_eq!(
            found,
            Err(UnpackError::Buffer {
                found: length,
                expected: archive.len()
            })
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn parsers_survive_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2200), at in any::<u32>()) {
        for magic in [&b"NONOSARC"[..], b"NONOSANC", b"NONOSSYM"] {
            let bytes = [magic, &bytes].concat();
            let _ = Archive::parse(&bytes).map(|archive| archive.iter().count());
            let _ = Anchors::parse(&bytes).map(|anchors| anchors.iter().count());
            let _ = Symbols::parse(&bytes).map(|symbols| symbols.resolve(at).is_some());
        }
    }

    #[test]
    fn symbol_tables_with_random_names_never_panic(
        table in prop::collection::vec((any::<u32>(), any::<u32>()), 0..20),
        names in prop::collection::vec(any::<u8>(), 0..40),
        at in any::<u32>(),
    ) {
        let mut table = table;
        table.sort_unstable();
        table.dedup_by_key(|(offset, _)| *offset);
        let mut bytes = b"NONOSSYM".to_vec();
        bytes.extend((table.len() as u32).to_le_bytes());
        bytes.extend((names.len() as u32).to_le_bytes());
        for (offset, name) in &table {
            bytes.extend(offset.to_le_bytes());
            bytes.extend((name % 50).to_le_bytes());
        }
        bytes.extend(&names);
        let symbols = Symbols::parse(&bytes).expect("well-formed");
        if let Some((_, behind)) = symbols.resolve(at) {
            prop_assert!(table.iter().any(|(offset, _)| offset + behind == at));
        }
    }

    #[test]
    fn damaged_archives_are_refused_or_stay_in_bounds(
        damage in prop::collection::vec((0_usize..16 + 4 * 48, any::<u8>()), 1..6),
        length in 0_usize..30_000,
    ) {
        let mut bytes = sample_archive();
        for (at, value) in damage {
            bytes[at] = value;
        }
        bytes.truncate(length.max(1));
        if let Ok(archive) = Archive::parse(&bytes) {
            for entry in archive.iter() {
                prop_assert_eq!(entry.contents, &bytes[entry.offset..entry.offset + entry.contents.len()]);
            }
        }
    }

    #[test]
    fn lists_and_headers_of_random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 496)) {
        for magic in [list::MAGIC, image::MAGIC] {
            let mut header = [0; 512];
            header[..8].copy_from_slice(&magic);
            header[8] = 1;
            header[16..].copy_from_slice(&bytes);
            for _ in 0..2 {
                let _ = list::Header::read(&header);
                let _ = image::Header::read(&header);
                header[88..].fill(0);
            }
        }
        let publisher = name("nonos");
        let _ = List::read(publisher, &bytes).map(|list| list.iter().count());
        let mut named = bytes;
        named.truncate(3 * 128);
        for (record, letter) in named.chunks_mut(128).zip([b'a', b'b', b'c']) {
            record[..64].fill(0);
            record[0] = letter;
            record[32] = letter;
            record[72..96].fill(0);
        }
        prop_assert_eq!(List::read(publisher, &named).map(|list| list.iter().count()), Ok(3));
    }

    #[test]
    fn archives_round_trip(entries in prop::collection::btree_map("[a-z0-9._-]{1,32}", prop::collection::vec(any::<u8>(), 0..5000), 0..6)) {
        let list: Vec<_> = entries.iter().map(|(text, contents)| (name(text), &contents[..])).collect();
        let bytes = archive::build(&list).expect("archive");
        let archive = Archive::parse(&bytes).expect("archive");
        prop_assert_eq!(archive.iter().count(), entries.len());
        for (text, contents) in &entries {
            prop_assert_eq!(archive.get(text), Some(&contents[..]));
        }
    }
}
