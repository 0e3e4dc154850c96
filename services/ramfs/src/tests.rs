//! Tests: random operations against a model, tampering, nonces, keys, quotas, handles.

use std::collections::{BTreeMap, BTreeSet};

use nonos_abi::{Error, Name, PAGE_BYTES};
use nonos_proto::Refusal;
use nonos_proto::files::{how, rights};

use crate::blocks::{BLOCK_BYTES, FILE_BYTES_MOST};
use crate::keys::Key;
use crate::node::{Kind, Node};
use crate::objects::{Objects, index_of};
use crate::pages::Supply;
use crate::volume::{Hint, Volume};

/// Memory of the host, up to so many pieces.
struct Host {
    pieces: usize,
    state: u64,
    /// All random bytes that were given: the keys are among them.
    given: Vec<Vec<u8>>,
}

impl Supply for Host {
    const PIECE_PAGES: usize = 64;

    fn memory(&mut self) -> Option<&'static mut [u8]> {
        self.pieces = self.pieces.checked_sub(1)?;
        Some(vec![0; Self::PIECE_PAGES * PAGE_BYTES].leak())
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in &mut *bytes {
            *byte = draw(&mut self.state) as u8;
        }
        self.given.push(bytes.to_vec());
    }
}

fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 24
}

fn root_key(byte: u8) -> Key {
    Key::written_by(|bytes| bytes.fill(byte))
}

fn app(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn volume(pieces: usize, most: u64) -> (Volume<Host>, Node) {
    let mut volume = Volume::new(Host {
        pieces,
        state: 0x9E37_79B9_7F4A_7C15,
        given: Vec::new(),
    });
    volume.unlock(&root_key(1)).unwrap();
    let home = volume.home(app("app"), most).unwrap();
    (volume, home)
}

fn write(volume: &mut Volume<Host>, file: Node, from: u64, bytes: &[u8]) -> Result<u64, Refusal> {
    volume.write(file, from, bytes.len() as u64, &mut |offset, out| {
        let from = offset as usize;
        out.copy_from_slice(&bytes[from..from + out.len()]);
        Ok(())
    })
}

fn read(volume: &mut Volume<Host>, file: Node, from: u64, bytes: u64) -> Result<Vec<u8>, Refusal> {
    let mut all = Vec::new();
    let count = volume.read(file, from, bytes, &mut |offset, part| {
        assert_eq!(offset as usize, all.len());
        all.extend_from_slice(part);
        Ok(())
    })?;
    assert_eq!(count as usize, all.len());
    Ok(all)
}

fn list(volume: &mut Volume<Host>, directory: Node) -> Vec<(String, Kind, u64)> {
    let (mut all, mut after, mut hint) = (Vec::new(), 0, Hint::NONE);
    loop {
        let mut room = 3;
        let next = volume.list(directory, after, &mut hint, &mut |kind, size, name| {
            room -= 1;
            if room < 0 {
                return false;
            }
            all.push((String::from_utf8(name.to_vec()).unwrap(), kind, size));
            true
        });
        let next = next.unwrap();
        if next == after {
            return all;
        }
        after = next;
    }
}

/// Whether bytes stand anywhere in the memory of the file system.
fn is_in_memory(volume: &Volume<Host>, bytes: &[u8]) -> bool {
    let (total, _) = volume.pages.count();
    let mut all = Vec::new();
    for page in 1..=total as u32 {
        all.extend_from_slice(volume.pages.page(page));
    }
    all.windows(bytes.len()).any(|window| window == bytes)
}

/// Pages that are in use, beside those of nodes and of the index, which are kept.
fn used(volume: &Volume<Host>) -> u64 {
    let (total, free) = volume.pages.count();
    total - free
}

#[test]
fn what_is_written_is_read_in_any_part() {
    let (mut volume, home) = volume(40, 2000);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n / 3) as u8).collect();
    assert_eq!(write(&mut volume, file, 0, &bytes), Ok(700_000));
    for (from, count) in [
        (0, 700_000),
        (1, 4096),
        (4095, 2),
        (8190, 10_000),
        (699_999, 5),
    ] {
        let end = (from + count).min(700_000);
        assert_eq!(
            read(&mut volume, file, from as u64, count as u64).unwrap(),
            bytes[from..end]
        );
    }
    assert!(read(&mut volume, file, 700_000, 1).unwrap().is_empty());
    assert!(
        read(&mut volume, file, u64::MAX, u64::MAX)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn holes_read_as_zeros_and_take_no_memory_and_what_is_cut_off_never_comes_back() {
    let (mut volume, home) = volume(4, 100);
    let file = volume.create(home, b"sparse", Kind::File).unwrap();
    let far = FILE_BYTES_MOST - 5;
    write(&mut volume, file, far, b"there").unwrap();
    assert_eq!(volume.size(file), (FILE_BYTES_MOST, 3), "two maps, a block");
    assert_eq!(read(&mut volume, file, 5, 5000).unwrap(), [0; 5000]);
    assert_eq!(read(&mut volume, file, far, 9).unwrap(), b"there");
    assert_eq!(
        write(&mut volume, file, far, b"beyond"),
        Err(Refusal::TooLarge)
    );
    volume.resize(file, far + 2).unwrap();
    volume.resize(file, far + 5).unwrap();
    assert_eq!(read(&mut volume, file, far, 9).unwrap(), b"th\0\0\0");
    volume.resize(file, 0).unwrap();
    assert_eq!(volume.size(file), (0, 0));
    assert_eq!(
        volume.resize(file, FILE_BYTES_MOST + 1),
        Err(Refusal::TooLarge)
    );
}

#[test]
fn neither_contents_nor_names_nor_keys_stand_in_memory() {
    let (mut volume, home) = volume(4, 100);
    let directory = volume
        .create(home, b"secret-directory", Kind::Directory)
        .unwrap();
    let file = volume
        .create(directory, b"secret-name", Kind::File)
        .unwrap();
    write(&mut volume, file, 10, b"secret-contents").unwrap();
    // Also not of what was overwritten, cut off and read.
    write(&mut volume, file, 10, b"SECRET-CONTENTS").unwrap();
    read(&mut volume, file, 0, 100).unwrap();
    list(&mut volume, directory);
    volume.resize(file, 12).unwrap();
    for text in [
        "secret-",
        "SECRET-",
        "-contents",
        "-CONTENTS",
        "-name",
        "-directory",
    ] {
        assert!(!is_in_memory(&volume, text.as_bytes()), "{text}");
    }
    for key in volume.pages.supply.given.clone() {
        assert!(!is_in_memory(&volume, &key));
    }
}

#[test]
fn the_key_of_a_file_is_there_while_it_is_open_and_gone_when_it_is_removed() {
    let (mut volume, home) = volume(4, 100);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    write(&mut volume, file, 0, b"text").unwrap();
    assert_eq!(volume.keys.in_clear(), 0, "nobody has it open");
    volume.keys.hold(file).unwrap();
    volume.keys.hold(file).unwrap();
    read(&mut volume, file, 0, 4).unwrap();
    assert_eq!(volume.keys.in_clear(), 1);
    volume.keys.release(file);
    assert_eq!(volume.keys.in_clear(), 1);
    volume.keys.release(file);
    assert_eq!(volume.keys.in_clear(), 0);

    volume.keys.hold(file).unwrap();
    read(&mut volume, file, 0, 4).unwrap();
    let wrapped = volume.pages.wrapped(file);
    assert!(is_in_memory(&volume, &wrapped));
    volume.remove(home, b"file").unwrap();
    assert_eq!(volume.keys.in_clear(), 0, "although it was open");
    assert!(!is_in_memory(&volume, &wrapped[..16]));
}

#[test]
fn locked_everything_is_refused_and_no_key_is_there() {
    let (mut volume, home) = volume(4, 100);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    write(&mut volume, file, 0, b"text").unwrap();
    volume.keys.hold(file).unwrap();
    read(&mut volume, file, 0, 4).unwrap();
    volume.lock();
    assert_eq!(volume.keys.in_clear(), 0);
    let locked = Refusal::Locked;
    assert_eq!(read(&mut volume, file, 0, 4), Err(locked));
    assert_eq!(write(&mut volume, file, 0, b"x"), Err(locked));
    assert_eq!(volume.find(home, b"file"), Err(locked));
    assert_eq!(volume.create(home, b"new", Kind::File), Err(locked));
    assert_eq!(volume.remove(home, b"file"), Err(locked));
    let listed = volume.list(home, 0, &mut Hint::NONE.clone(), &mut |_, _, _| true);
    assert_eq!(listed, Err(locked));
    assert_eq!(volume.home(app("other"), 1), Err(locked));
    assert_eq!(volume.unlock(&root_key(2)), Err(locked), "another key");
    assert_eq!(read(&mut volume, file, 0, 4), Err(locked));
    volume.unlock(&root_key(1)).unwrap();
    assert_eq!(read(&mut volume, file, 0, 4).unwrap(), b"text");
    assert_eq!(volume.keys.in_clear(), 1);
}

#[test]
fn what_is_erased_is_gone_and_the_next_files_have_other_keys() {
    let (mut volume, home) = volume(4, 100);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    write(&mut volume, file, 0, &[7; 9000]).unwrap();
    let mut objects = Objects::new();
    objects.add_client(0, 5, home);
    let badge = objects.add(&mut volume, 0, file, rights::ALL).unwrap();
    let offered = objects.add(&mut volume, 0, home, rights::ALL).unwrap();
    let offer = objects.offer(&mut volume, offered, b"file").unwrap();
    let (wrapped, id) = (volume.pages.wrapped(file), volume.id(file));
    assert!(is_in_memory(&volume, &wrapped[..16]));
    volume.erase();
    objects.close_all();

    assert!(!is_in_memory(&volume, &wrapped[..16]));
    assert_eq!(volume.keys.in_clear(), 0);
    assert_eq!(volume.check(file, id), Err(Refusal::Gone));
    assert_eq!(volume.home(app("app"), 100), Err(Refusal::Locked));
    assert_eq!(objects.get(&volume, badge).err(), Some(Refusal::Gone));
    // Any key unlocks, as the first time; under the one before there is nothing either.
    volume.unlock(&root_key(1)).unwrap();
    let home = volume.home(app("app"), 100).unwrap();
    assert_eq!(volume.find(home, b"file"), Ok(None));
    assert_eq!(volume.usage(home).pages, 0);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    assert!(volume.id(file) > id, "no number comes twice");
    assert_eq!(objects.get(&volume, badge).err(), Some(Refusal::Gone));
    assert_eq!(objects.root(0), Ok(Node::NONE));
    objects.add_client(0, 5, home);
    let directory = objects.add(&mut volume, 0, home, rights::ALL).unwrap();
    let taken = objects.accept(&mut volume, directory, b"taken", offer);
    assert_eq!(taken, Err(Refusal::Gone));
    write(&mut volume, file, 0, b"text").unwrap();
    assert_eq!(read(&mut volume, file, 0, 9).unwrap(), b"text");
}

#[test]
fn a_change_of_any_byte_that_is_stored_is_an_error_and_never_data() {
    let (mut volume, home) = volume(4, 100);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    write(&mut volume, file, 0, &[7; 100]).unwrap();
    let (page, at) = volume.pages.direct(file, 0);
    let block = volume.pages.u32(page, at);
    let damaged = Refusal::Damaged;
    // Contents, number of the message, tag.
    for (page, at) in [
        (block, 0),
        (block, 50),
        (block, 4095),
        (page, at + 8),
        (page, at + 31),
    ] {
        let [byte] = volume.pages.bytes(page, at);
        volume.pages.set_bytes(page, at, &[byte ^ 1]);
        assert_eq!(read(&mut volume, file, 0, 100), Err(damaged), "{page} {at}");
        assert_eq!(
            write(&mut volume, file, 3, b"x"),
            Err(damaged),
            "it is read for that"
        );
        volume.pages.set_bytes(page, at, &[byte]);
    }
    assert_eq!(read(&mut volume, file, 0, 100).unwrap(), [7; 100]);

    // Blocks change places.
    write(&mut volume, file, BLOCK_BYTES, &[8; 100]).unwrap();
    let [one, other] = [0, 1].map(|block| {
        let (page, at) = volume.pages.direct(file, block);
        (page, at, volume.pages.bytes::<32>(page, at))
    });
    volume.pages.set_bytes(one.0, one.1, &other.2);
    volume.pages.set_bytes(other.0, other.1, &one.2);
    assert_eq!(read(&mut volume, file, 0, 1), Err(damaged));
    assert_eq!(read(&mut volume, file, BLOCK_BYTES, 1), Err(damaged));

    // The name, and the wrapped key.
    let name = volume.pages.name(file).to_vec();
    volume
        .pages
        .set_name(file, &[name[0] ^ 1, name[1], name[2], name[3]]);
    assert_eq!(volume.find(home, b"file"), Err(damaged));
    let listed = volume.list(home, 0, &mut Hint::NONE.clone(), &mut |_, _, _| true);
    assert_eq!(listed, Err(damaged));
    assert_eq!(volume.remove(home, b"file"), Err(damaged));
    volume.pages.set_name(file, &name);
    let mut wrapped = volume.pages.wrapped(file);
    wrapped[0] ^= 1;
    volume.pages.set_wrapped(file, &wrapped);
    assert_eq!(read(&mut volume, file, 0, 1), Err(damaged));
}

#[test]
fn a_write_that_fails_half_way_leaves_what_was_there() {
    let (mut volume, home) = volume(4, 100);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    write(&mut volume, file, 0, &[7; 10_000]).unwrap();
    let before = used(&volume);
    let failed = volume.write(file, 0, 10_000, &mut |offset, out| {
        out[..4].copy_from_slice(b"half");
        if offset == 0 {
            Ok(())
        } else {
            Err(Refusal::Malformed)
        }
    });
    assert_eq!(failed, Err(Refusal::Malformed));
    assert_eq!(used(&volume), before);
    assert_eq!(read(&mut volume, file, 4096, 5904).unwrap(), [7; 5904]);
    assert!(!is_in_memory(&volume, b"half"));
    // In a new file, far away: nothing stays charged when it is removed.
    let far = volume.create(home, b"far", Kind::File).unwrap();
    let failed = volume.write(far, 2_000_000, 10, &mut |_, _| Err(Refusal::Malformed));
    assert_eq!(failed, Err(Refusal::Malformed));
    assert_eq!(volume.size(far).0, 0);
    volume.remove(home, b"far").unwrap();
    assert_eq!(used(&volume), before);
    assert_eq!(volume.usage(home).pages, 5, "three blocks, two maps");
}

#[test]
fn a_program_stores_no_more_than_it_may_and_others_are_not_hurt() {
    let (mut volume, home) = volume(4, 5);
    let other = volume.home(app("other"), 50).unwrap();
    let file = volume.create(home, b"file", Kind::File).unwrap();
    assert_eq!(
        write(&mut volume, file, 0, &[1; 30_000]),
        Err(Refusal::StorageFull)
    );
    let usage = volume.usage(home);
    assert_eq!((usage.pages, usage.pages_most, usage.files), (5, 5, 1));
    let size = volume.size(file).0;
    assert_eq!(
        read(&mut volume, file, 0, u64::MAX).unwrap(),
        vec![1; size as usize]
    );
    for name in [b"1", b"2", b"3", b"4"] {
        volume.create(home, name, Kind::File).unwrap();
    }
    assert_eq!(
        volume.create(home, b"5", Kind::File),
        Err(Refusal::StorageFull)
    );
    let theirs = volume.create(other, b"file", Kind::File).unwrap();
    write(&mut volume, theirs, 0, &[1; 30_000]).unwrap();
    assert_eq!(
        volume.relocate(theirs, home, b"moved", true),
        Err(Refusal::OtherStorage)
    );
    volume.resize(file, 0).unwrap();
    assert_eq!(volume.usage(home).pages, 0);
    write(&mut volume, file, 0, &[1; 20_000]).unwrap_err();
}

#[test]
fn out_of_memory_is_an_error_and_what_is_stored_stays() {
    let (mut volume, home) = volume(1, 1000);
    let file = volume.create(home, b"file", Kind::File).unwrap();
    assert_eq!(
        write(&mut volume, file, 0, &[1; 300_000]),
        Err(Refusal::OutOfStorage)
    );
    let (size, pages) = volume.size(file);
    assert!(size > 200_000 && size % BLOCK_BYTES == 0, "{size}");
    assert_eq!(
        read(&mut volume, file, 0, size).unwrap(),
        vec![1; size as usize]
    );
    assert_eq!(volume.usage(home).pages, pages);
    let mut made = 0;
    while volume
        .create(home, format!("{made}").as_bytes(), Kind::File)
        .is_ok()
    {
        made += 1;
    }
    volume.remove(home, b"file").unwrap();
    volume.create(home, b"again", Kind::File).unwrap();
    assert_eq!(list(&mut volume, home).len(), made + 1);
}

#[test]
fn names_are_checked() {
    let (mut volume, home) = volume(2, 100);
    let long = [b'a'; 256];
    for bad in [
        &b""[..],
        b".",
        b"..",
        b"a/b",
        b"a\n",
        b"\x7F",
        b"\xFF",
        "\u{85}".as_bytes(),
        &long,
    ] {
        assert_eq!(volume.create(home, bad, Kind::File), Err(Refusal::BadName));
        assert_eq!(volume.find(home, bad), Err(Refusal::BadName));
    }
    for good in [&long[..255], "ÆØÅ …".as_bytes(), b"..."] {
        let file = volume.create(home, good, Kind::File).unwrap();
        assert_eq!(volume.find(home, good), Ok(Some(file)));
    }
    assert_eq!(list(&mut volume, home).len(), 3);
}

#[test]
fn a_directory_cannot_go_into_itself_and_a_file_takes_the_place_of_a_file() {
    let (mut volume, home) = volume(2, 100);
    let outer = volume.create(home, b"outer", Kind::Directory).unwrap();
    let inner = volume.create(outer, b"inner", Kind::Directory).unwrap();
    for directory in [outer, inner] {
        assert_eq!(
            volume.relocate(outer, directory, b"x", true),
            Err(Refusal::IntoItself)
        );
    }
    let file = volume.create(home, b"file", Kind::File).unwrap();
    write(&mut volume, file, 0, b"text").unwrap();
    let replaced = volume.create(inner, b"other", Kind::File).unwrap();
    let exists = Err(Refusal::NameExists);
    assert_eq!(volume.relocate(file, inner, b"other", false), exists);
    assert_eq!(volume.relocate(file, home, b"outer", true), exists);
    assert_eq!(volume.relocate(inner, home, b"file", true), exists);
    let id = volume.id(replaced);
    volume.relocate(file, inner, b"other", true).unwrap();
    assert_eq!(volume.check(replaced, id), Err(Refusal::Gone));
    assert_eq!(volume.find(inner, b"other"), Ok(Some(file)));
    assert_eq!(volume.find(home, b"file"), Ok(None));
    assert_eq!(read(&mut volume, file, 0, 9).unwrap(), b"text");
    assert_eq!(
        volume.remove(outer, b"inner"),
        Err(Refusal::DirectoryNotEmpty)
    );
    assert_eq!(volume.find(file, b"x"), Err(Refusal::NotADirectory));
    assert_eq!(read(&mut volume, inner, 0, 9), Err(Refusal::IsADirectory));
}

/// What a file system should hold.
#[derive(Clone, Debug)]
enum Model {
    File(Vec<u8>),
    Directory(BTreeMap<String, Model>),
}

impl Model {
    fn entries(&mut self) -> &mut BTreeMap<String, Model> {
        match self {
            Model::Directory(entries) => entries,
            Model::File(_) => panic!("no directory"),
        }
    }

    fn at(&mut self, path: &[String]) -> &mut Self {
        match path.split_first() {
            None => self,
            Some((first, rest)) => self.entries().get_mut(first).unwrap().at(rest),
        }
    }

    /// Paths of all directories.
    fn directories(&self, path: &[String], out: &mut Vec<Vec<String>>) {
        if let Model::Directory(entries) = self {
            out.push(path.to_vec());
            for (name, entry) in entries {
                entry.directories(&[path, std::slice::from_ref(name)].concat(), out);
            }
        }
    }
}

/// Everything below a directory is as in the model.
fn compare(volume: &mut Volume<Host>, node: Node, model: &Model) {
    match model {
        Model::File(bytes) => {
            assert_eq!(volume.size(node).0, bytes.len() as u64);
            assert_eq!(&read(volume, node, 0, u64::MAX).unwrap(), bytes);
        }
        Model::Directory(entries) => {
            let mut listed = list(volume, node);
            listed.sort_by(|one, other| one.0.cmp(&other.0));
            let names: Vec<_> = listed.iter().map(|entry| entry.0.clone()).collect();
            assert_eq!(names, entries.keys().cloned().collect::<Vec<_>>());
            for (name, entry) in entries {
                let child = volume.find(node, name.as_bytes()).unwrap().unwrap();
                compare(volume, child, entry);
            }
        }
    }
}

/// For each node that seals something, by its number: how many messages its key has sealed, and the numbers of those that are
/// there, by what they hold.
type Seals = BTreeMap<u64, (u64, BTreeMap<u64, u64>)>;

fn seals(volume: &mut Volume<Host>, node: Node, out: &mut Seals) {
    let number = |kept: &[u8]| u64::from_le_bytes(kept[..8].try_into().unwrap());
    let mut there = BTreeMap::new();
    if volume.pages.kind(node) == Some(Kind::File) {
        for block in 0..volume.size(node).0.div_ceil(BLOCK_BYTES) {
            if let Some((_, kept)) = volume.entry(node, block) {
                there.insert(block, number(&kept));
            }
        }
    } else {
        for (name, ..) in list(volume, node) {
            let child = volume.find(node, name.as_bytes()).unwrap().unwrap();
            there.insert(volume.id(child), number(&volume.pages.name_seal(child)));
            seals(volume, child, out);
        }
    }
    out.insert(volume.id(node), (volume.pages.sealed(node), there));
}

/// What was sealed since has numbers that its key had not used before.
fn check_nonces(before: &Seals, after: &Seals) {
    for (node, (sealed, there)) in after {
        let none = (0, BTreeMap::new());
        let (used, old) = before.get(node).unwrap_or(&none);
        assert!(sealed >= used, "the count of node {node} went back");
        let numbers: BTreeSet<_> = there.values().collect();
        assert_eq!(
            numbers.len(),
            there.len(),
            "one number twice in node {node}"
        );
        for (what, number) in there {
            assert!(number < sealed);
            let kept = old.get(what) == Some(number);
            assert!(
                kept || number >= used,
                "number {number} again in node {node}"
            );
        }
    }
}

/// Random operations, compared with a model after every few. No nonce comes twice.
fn play(seed: u64, steps: u32) {
    let state = &mut (seed | 1);
    let (mut volume, home) = volume(16, 100_000);
    let mut model = Model::Directory(BTreeMap::new());
    let mut before = Seals::new();
    for step in 0..steps {
        let mut paths = Vec::new();
        model.directories(&[], &mut paths);
        let path = paths[draw(state) as usize % paths.len()].clone();
        let mut directory = home;
        for name in &path {
            directory = volume.find(directory, name.as_bytes()).unwrap().unwrap();
        }
        let name = format!("n{}", draw(state) % 6);
        let there = model.at(&path).entries().get(&name).cloned();
        let node = volume.find(directory, name.as_bytes()).unwrap();
        assert_eq!(node.is_some(), there.is_some());
        match draw(state) % 10 {
            0..=1 => {
                let (kind, new) = match draw(state) % 3 {
                    0 => (Kind::Directory, Model::Directory(BTreeMap::new())),
                    _ => (Kind::File, Model::File(Vec::new())),
                };
                let made = volume.create(directory, name.as_bytes(), kind);
                match there {
                    Some(_) => assert_eq!(made, Err(Refusal::NameExists)),
                    None => {
                        made.unwrap();
                        model.at(&path).entries().insert(name, new);
                    }
                }
            }
            2 => {
                let removed = volume.remove(directory, name.as_bytes());
                match there {
                    None => assert_eq!(removed, Err(Refusal::Kernel(Error::NotFound))),
                    Some(Model::Directory(entries)) if !entries.is_empty() => {
                        assert_eq!(removed, Err(Refusal::DirectoryNotEmpty));
                    }
                    Some(_) => {
                        removed.unwrap();
                        model.at(&path).entries().remove(&name);
                    }
                }
            }
            3 => {
                let target = paths[draw(state) as usize % paths.len()].clone();
                let mut to = home;
                for part in &target {
                    to = volume.find(to, part.as_bytes()).unwrap().unwrap();
                }
                let new = format!("n{}", draw(state) % 6);
                let (Some(node), Some(moved)) = (node, there) else {
                    continue;
                };
                let own = [&path[..], std::slice::from_ref(&name)].concat();
                let replaced = model.at(&target).entries().get(&new).cloned();
                let outcome = volume.relocate(node, to, new.as_bytes(), true);
                if own == [&target[..], std::slice::from_ref(&new)].concat() {
                    outcome.unwrap();
                } else if target.starts_with(&own) {
                    assert_eq!(outcome, Err(Refusal::IntoItself));
                } else if !matches!(
                    (&moved, &replaced),
                    (_, None) | (Model::File(_), Some(Model::File(_)))
                ) {
                    assert_eq!(outcome, Err(Refusal::NameExists));
                } else {
                    outcome.unwrap();
                    model.at(&path).entries().remove(&name);
                    model.at(&target).entries().insert(new, moved);
                }
            }
            4..=7 => {
                let Some((Model::File(mut bytes), node)) = there.zip(node) else {
                    continue;
                };
                let from = draw(state) % 14_000;
                let text: Vec<u8> = (0..draw(state) % 9000).map(|_| draw(state) as u8).collect();
                assert_eq!(write(&mut volume, node, from, &text), Ok(text.len() as u64));
                let end = from as usize + text.len();
                if !text.is_empty() {
                    bytes.resize(bytes.len().max(end), 0);
                    bytes[from as usize..end].copy_from_slice(&text);
                }
                model.at(&path).entries().insert(name, Model::File(bytes));
            }
            8 => {
                let Some((Model::File(mut bytes), node)) = there.zip(node) else {
                    continue;
                };
                let size = draw(state) % 20_000;
                volume.resize(node, size).unwrap();
                bytes.resize(size as usize, 0);
                model.at(&path).entries().insert(name, Model::File(bytes));
            }
            _ => {
                volume.lock();
                volume.unlock(&root_key(1)).unwrap();
            }
        }
        let mut after = Seals::new();
        seals(&mut volume, home, &mut after);
        check_nonces(&before, &after);
        before = after;
        if step % 16 == 0 {
            compare(&mut volume, home, &model);
        }
    }
    compare(&mut volume, home, &model);
    let mut files = 0;
    let pages = count(&mut volume, home, &mut files);
    let usage = volume.usage(home);
    assert_eq!((usage.files, usage.pages), (files, pages));
}

/// Pages and files below a directory.
fn count(volume: &mut Volume<Host>, directory: Node, files: &mut u64) -> u64 {
    let mut pages = 0;
    for (name, kind, _) in list(volume, directory) {
        *files += 1;
        let node = volume.find(directory, name.as_bytes()).unwrap().unwrap();
        pages += volume.size(node).1;
        if kind == Kind::Directory {
            pages += count(volume, node, files);
        }
    }
    pages
}

#[test]
fn random_operations_do_what_they_do_in_a_model_and_use_no_nonce_twice() {
    for seed in 1..60 {
        play(seed * 0x9E37_79B9, 200);
    }
}

#[test]
fn ten_thousand_files_are_made_found_listed_and_removed() {
    let (mut volume, home) = volume(20, 12_000);
    let name = |number: u32| format!("file number {number}");
    for number in 0..6000 {
        volume
            .create(home, name(number).as_bytes(), Kind::File)
            .unwrap();
    }
    // No list of the index is long.
    assert!(volume.longest_list() <= 12, "{}", volume.longest_list());
    assert_eq!(list(&mut volume, home).len(), 6000);
    for number in (0..6000).rev() {
        volume.remove(home, name(number).as_bytes()).unwrap();
    }
    assert!(list(&mut volume, home).is_empty());
}

/// A client with its home open.
fn client(objects: &mut Objects, volume: &mut Volume<Host>, badge: u64, name: &str) -> u64 {
    let root = volume.home(app(name), 100).unwrap();
    let place = objects.free_client().unwrap();
    objects.add_client(place, badge, root);
    objects.add(volume, place, root, rights::ALL).unwrap()
}

#[test]
fn what_is_opened_has_no_more_rights_than_the_directory_it_is_opened_through() {
    let (mut volume, _) = volume(4, 100);
    let mut objects = Objects::new();
    let home = client(&mut objects, &mut volume, 5, "app");
    let missing = Err(Refusal::MissingRight);
    let all = rights::ALL | how::CREATE | how::DIRECTORY;
    let (directory, node, made) = objects.open(&mut volume, home, b"d", all).unwrap();
    assert!(made);
    let shared = rights::READ | rights::LIST;
    let narrow = objects.share(&mut volume, directory, shared).unwrap();
    for (with, name) in [
        (rights::WRITE, &b"x"[..]),
        (rights::GRANT, b"x"),
        (rights::READ | how::CREATE, b"x"),
    ] {
        assert_eq!(objects.open(&mut volume, narrow, name, with), missing);
    }
    assert_eq!(
        objects.share(&mut volume, narrow, shared),
        missing.map(|_: (u64, Node, bool)| 0)
    );
    assert_eq!(
        objects.offer(&mut volume, narrow, b"x"),
        Err(Refusal::MissingRight)
    );
    assert_eq!(
        objects.accept(&mut volume, narrow, b"x", 1),
        Err(Refusal::MissingRight)
    );
    let with = rights::ALL | how::CREATE;
    objects.open(&mut volume, directory, b"f", with).unwrap();
    let emptied = objects.open(&mut volume, narrow, b"f", rights::READ | how::EMPTY);
    assert_eq!(emptied, missing);
    let (file, ..) = objects
        .open(&mut volume, narrow, b"f", rights::READ)
        .unwrap();
    assert_eq!(objects.get(&volume, file).unwrap().0.rights, rights::READ);
    assert_eq!(volume.find(node, b"x"), Ok(None));
}

#[test]
fn what_is_written_for_a_files_place_is_the_file_at_once_or_not_at_all() {
    let (mut volume, _) = volume(4, 100);
    let mut objects = Objects::new();
    let home = client(&mut objects, &mut volume, 5, "app");
    let root = objects.get(&volume, home).unwrap().0.node;
    let all = rights::ALL | how::CREATE;
    let (writer, file, _) = objects.open(&mut volume, home, b"file", all).unwrap();
    let (reader, ..) = objects
        .open(&mut volume, home, b"file", rights::READ)
        .unwrap();
    write(&mut volume, file, 0, &[1; 9000]).unwrap();
    let (before, files) = (used(&volume), volume.usage(root).files);
    let there = |objects: &mut Objects, volume: &mut Volume<Host>| {
        let node = objects.get(volume, reader).unwrap().0.node;
        assert_eq!(volume.find(root, b"file"), Ok(Some(node)));
        read(volume, node, 0, 100_000).unwrap()
    };
    let staged = |objects: &mut Objects, volume: &mut Volume<Host>| {
        objects.get(volume, writer).unwrap().0.staged
    };

    // It may not without the right, and nothing was begun.
    let refused = Err(Refusal::MissingRight);
    assert_eq!(objects.begin(&mut volume, reader), refused);
    assert_eq!(objects.commit(&mut volume, reader), refused.map(|()| file));
    let not_begun = Err(Refusal::NotStored);
    assert_eq!(objects.commit(&mut volume, writer), not_begun);

    // What fails half-way, or is begun again or closed, leaves nothing but the file.
    objects.begin(&mut volume, writer).unwrap();
    let new = staged(&mut objects, &mut volume);
    write(&mut volume, new, 0, &[2; 5000]).unwrap();
    let full = write(&mut volume, new, 5000, &[2; 500_000]);
    assert_eq!(full, Err(Refusal::StorageFull));
    assert_eq!(there(&mut objects, &mut volume), [1; 9000]);
    objects.begin(&mut volume, writer).unwrap();
    assert_eq!(used(&volume), before);
    let new = staged(&mut objects, &mut volume);
    write(&mut volume, new, 0, &[3; 5000]).unwrap();
    let (other, ..) = objects
        .open(&mut volume, home, b"file", rights::WRITE)
        .unwrap();
    objects.begin(&mut volume, other).unwrap();
    assert_eq!(volume.usage(root).files, files + 2);
    objects.close(&mut volume, index_of(other).unwrap());
    assert_eq!(volume.usage(root).files, files + 1);
    assert_eq!(there(&mut objects, &mut volume), [1; 9000]);

    // All who have it open have the new one, under the same name and with as many keys in clear.
    volume.lock();
    assert_eq!(objects.commit(&mut volume, writer), Err(Refusal::Locked));
    volume.unlock(&root_key(1)).unwrap();
    assert_eq!(there(&mut objects, &mut volume), [1; 9000]);
    assert_eq!(volume.usage(root).files, files);
    objects.begin(&mut volume, writer).unwrap();
    let new = staged(&mut objects, &mut volume);
    write(&mut volume, new, 0, &[4; 5000]).unwrap();
    assert_eq!(objects.commit(&mut volume, writer), Ok(new));
    assert_eq!(there(&mut objects, &mut volume), [4; 5000]);
    assert_eq!(volume.usage(root).files, files);
    assert_eq!(used(&volume), before - 3, "a block and two maps less");
    assert_eq!(objects.commit(&mut volume, writer), not_begun);
    for badge in [writer, reader, home] {
        objects.close(&mut volume, index_of(badge).unwrap());
    }
    assert_eq!(volume.keys.in_clear(), 0);

    // A file that is gone has no place to take.
    let place = objects.client(5).unwrap();
    let home = objects.add(&mut volume, place, root, rights::ALL).unwrap();
    let (writer, ..) = objects.open(&mut volume, home, b"file", all).unwrap();
    objects.begin(&mut volume, writer).unwrap();
    volume.remove(root, b"file").unwrap();
    assert_eq!(objects.commit(&mut volume, writer), Err(Refusal::Gone));
    objects.end_client(&mut volume, place);
    assert_eq!(volume.usage(root).files, 0);
    assert_eq!(volume.usage(root).pages, 0);
}

#[test]
fn a_badge_is_refused_for_ever_once_its_object_is_closed_or_removed_or_its_program_ended() {
    let (mut volume, _) = volume(4, 100);
    let mut objects = Objects::new();
    let home = client(&mut objects, &mut volume, 5, "app");
    let with = rights::ALL | how::CREATE;
    let gone = Refusal::Gone;
    let (file, node, _) = objects.open(&mut volume, home, b"f", with).unwrap();
    read(&mut volume, node, 0, 1).unwrap();
    assert_eq!(volume.keys.in_clear(), 2, "the home and the file");
    objects.close(&mut volume, index_of(file).unwrap());
    assert_eq!(volume.keys.in_clear(), 1);
    assert_eq!(objects.get(&volume, file).err(), Some(gone));
    let (again, ..) = objects.open(&mut volume, home, b"f", with).unwrap();
    assert_eq!(index_of(again), index_of(file), "the same place");
    assert_eq!(objects.get(&volume, file).err(), Some(gone));
    let root = objects.get(&volume, home).unwrap().0.node;
    volume.remove(root, b"f").unwrap();
    assert_eq!(objects.get(&volume, again).err(), Some(gone));
    // Closing it does not touch what took its place.
    let (new, node, _) = objects.open(&mut volume, home, b"g", with).unwrap();
    read(&mut volume, node, 0, 1).unwrap();
    let before = volume.keys.in_clear();
    objects.close(&mut volume, index_of(again).unwrap());
    assert_eq!(volume.keys.in_clear(), before);

    let other = client(&mut objects, &mut volume, 6, "other");
    objects.end_client(&mut volume, 0);
    for badge in [home, new] {
        assert_eq!(objects.get(&volume, badge).err(), Some(gone));
    }
    assert!(objects.get(&volume, other).is_ok());
    assert_eq!(
        objects.get(&volume, 6).err(),
        Some(Refusal::UnknownOperation)
    );
    for badge in [u64::MAX, 1 << 62, other + 256, other ^ 1] {
        assert_eq!(objects.get(&volume, badge).err(), Some(gone), "{badge:x}");
    }
}

#[test]
fn one_program_cannot_use_up_the_handles_of_others() {
    let (mut volume, _) = volume(4, 100);
    let mut objects = Objects::new();
    let home = client(&mut objects, &mut volume, 5, "app");
    let other = client(&mut objects, &mut volume, 6, "other");
    let with = rights::READ | how::CREATE;
    let mut opened = 1;
    while objects.open(&mut volume, home, b"f", with).is_ok() {
        opened += 1;
    }
    assert_eq!(opened, 64);
    assert!(objects.open(&mut volume, other, b"f", with).is_ok());
    // What could not be opened was not made.
    let refused = objects.open(&mut volume, home, b"new", with);
    assert_eq!(refused, Err(Refusal::Full));
    let root = objects.get(&volume, home).unwrap().0.node;
    assert_eq!(volume.find(root, b"new"), Ok(None));
}

#[test]
fn an_offer_is_good_once_and_only_for_who_knows_it() {
    let (mut volume, _) = volume(4, 100);
    let mut objects = Objects::new();
    let home = client(&mut objects, &mut volume, 5, "app");
    let with = rights::ALL | how::CREATE;
    objects.open(&mut volume, home, b"f", with).unwrap();
    let ticket = objects.offer(&mut volume, home, b"f").unwrap();
    let gone = Err(Refusal::Gone);
    assert_eq!(objects.accept(&mut volume, home, b"g", ticket ^ 1), gone);
    assert!(objects.accept(&mut volume, home, b"g", ticket).is_ok());
    assert_eq!(objects.accept(&mut volume, home, b"h", ticket), gone);
    let ticket = objects.offer(&mut volume, home, b"g").unwrap();
    let root = objects.get(&volume, home).unwrap().0.node;
    volume.remove(root, b"g").unwrap();
    assert_eq!(objects.accept(&mut volume, home, b"h", ticket), gone);
}

#[test]
fn what_was_opened_through_a_shared_directory_is_taken_back_with_it_and_nothing_else() {
    let (mut volume, _) = volume(4, 100);
    let mut objects = Objects::new();
    let home = client(&mut objects, &mut volume, 5, "app");
    let all = rights::ALL | how::CREATE;
    let made = objects.open(&mut volume, home, b"d", all | how::DIRECTORY);
    let directory = made.unwrap().0;
    let own = objects.open(&mut volume, directory, b"f", all).unwrap().0;
    let shared = objects.share(&mut volume, directory, rights::ALL).unwrap();
    let deeper = objects.open(&mut volume, shared, b"e", all | how::DIRECTORY);
    let deeper = deeper.unwrap().0;
    let file = objects.open(&mut volume, deeper, b"f", all).unwrap().0;
    let again = objects.share(&mut volume, deeper, rights::ALL).unwrap();
    // There is an end to what is open through it.
    let mut opened = Vec::from([deeper, file, again]);
    while let Ok((badge, ..)) = objects.open(&mut volume, shared, b"f", all) {
        opened.push(badge);
    }
    assert_eq!(opened.len(), 11);
    assert!(objects.open(&mut volume, directory, b"f", all).is_ok());
    // One of them takes back itself alone.
    let revoked: Vec<_> = objects.revoked(again).unwrap().collect();
    assert_eq!(revoked.len(), 1);
    for index in objects.revoked(shared).unwrap() {
        objects.close(&mut volume, index);
    }
    for badge in opened.into_iter().chain([shared]) {
        assert_eq!(objects.get(&volume, badge).err(), Some(Refusal::Gone));
        assert!(objects.revoked(badge).is_err());
    }
    assert!(objects.get(&volume, own).is_ok() && objects.get(&volume, directory).is_ok());
}
