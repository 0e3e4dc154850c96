//! Admission of modules: each check has a module that fails it.

use nonos_abi::info::{ModuleInfo, Topic, module_state, needs};
use nonos_abi::words::Words;
use nonos_abi::{Error, Name, PAGE_BYTES, Rights, Syscall, start};
use nonos_image::anchors::Anchors;
use nonos_image::archive::{self, Archive};
use nonos_image::list as signed_list;
use nonos_image::sign::SecretKeys;
use std::vec::Vec;

use crate::module::hash_words;
use crate::testing::{
    MODULE_PRIORITY, MODULE_QUOTA_PAGES, Parts, World, WorldOptions, description, executable, keys,
    list, other_keys,
};

fn module_info(world: &mut World, name: &str) -> ModuleInfo {
    let init = world.init();
    let buffer = world.buffer(init);
    let archive = start::ARCHIVE.raw().into();
    let topic = Topic::Module as u64;
    for index in 0.. {
        let arguments = [archive, topic, index, buffer, ModuleInfo::COUNT as u64];
        world.value(init, Syscall::SystemRead, &arguments);
        let words = world.peek_words(init, buffer, ModuleInfo::COUNT);
        let info = ModuleInfo::read_words(&words).unwrap();
        if info.name.as_str() == name {
            return info;
        }
    }
    unreachable!()
}

#[test]
fn a_good_module_is_admitted_and_its_manifest_can_be_read() {
    let mut world = World::default();
    assert_eq!(
        module_info(&mut world, "worker").state,
        module_state::UNVERIFIED
    );
    assert_eq!(
        module_info(&mut world, "worker").priority,
        0,
        "nothing is told before it is verified"
    );
    let module = world.admit("worker").unwrap();
    let info = module_info(&mut world, "worker");
    assert_eq!(info.state, module_state::ADMITTED);
    assert_eq!(info.publisher, Name::new("tests").unwrap());
    assert_eq!(
        (info.priority, info.quota_pages),
        (MODULE_PRIORITY.into(), MODULE_QUOTA_PAGES)
    );
    assert_eq!((info.needs, info.security_version), (needs::CONSOLE, 7));
    let mut modules = world.kernel.modules.iter();
    let elf = modules
        .find(|(_, module)| module.name.as_str() == "worker")
        .map_or(&[][..], |(_, module)| module.stored);
    drop(modules);
    assert_eq!(info.stored_bytes, elf.len() as u64);
    let hash = nonos_image::signature::hash(elf);
    assert_eq!(info.elf_hash, hash_words(&hash));
    let [_, rights] = world
        .call(world.init(), Syscall::HandleInfo, &[module])
        .unwrap();
    assert!(!Rights::from_bits(rights).contains(Rights::WRITE));
}

#[test]
fn each_bad_module_is_refused_with_its_own_reason_each_time() {
    let mut world = World::default();
    for (name, error) in [
        ("bad-hash", Error::ModuleHash),
        ("truncated", Error::ModuleHash),
        ("swapped", Error::ModuleHash),
        ("bad-elf", Error::ModuleFormat),
        ("unlisted", Error::ModuleList),
        ("absent", Error::NotFound),
        ("modules.tests", Error::NotFound),
    ] {
        for _ in 0..2 {
            assert_eq!(world.admit(name), Err(error), "{name}");
        }
        if error != Error::NotFound {
            let info = module_info(&mut world, name);
            assert_eq!(info.state, module_state::REFUSED + error.raw(), "{name}");
            assert_eq!((info.needs, info.priority), (0, 0), "{name}");
            let printed = &world.machine.printed;
            let lines = printed.lines().filter(|line| line.contains(name));
            assert!(
                lines.clone().all(|line| line.contains("refused: ")),
                "{name}"
            );
            // With a reason.
            assert!(
                lines.clone().all(|line| !line.ends_with("refused: ")),
                "{name}"
            );
            // Of a list that is refused the log tells once, and of what no list names whoever asks for it.
            let logged = usize::from(error != Error::ModuleList);
            assert_eq!(lines.count(), logged, "{name}");
        }
    }
    assert!(
        world
            .kernel
            .modules
            .iter()
            .all(|(_, module)| module.shared.count() == 0 || module.name.as_str() == "init")
    );
}

/// What becomes of the modules of an archive, by name, on a kernel that has started no process.
fn verdicts<const N: usize>(
    change: impl FnOnce(&mut Parts),
    names: [&str; N],
) -> [Result<(), Error>; N] {
    let mut parts = Parts::usual();
    change(&mut parts);
    let mut world = World::without_init(WorldOptions {
        payload: parts.archive().leak(),
        ..WorldOptions::default()
    });
    let World {
        kernel, machine, ..
    } = &mut world;
    names.map(|name| {
        let name = Name::new(name).unwrap();
        kernel.admit_module(name, machine).map(|_| ())
    })
}

/// Changes the list of the publisher `tests`.
fn change_list(parts: &mut Parts, change: impl FnOnce(&mut Vec<u8>)) {
    let mut entries = parts.entries.iter_mut();
    let (_, list) = entries.find(|(name, _)| *name == "modules.tests").unwrap();
    change(list);
}

/// A list by the publisher `other` of one module, with the usual ELF.
fn by_other(name: &str, keys: &SecretKeys) -> Vec<u8> {
    list(
        "other",
        &[(description("other", name), &executable())],
        keys,
    )
}

#[test]
fn none_of_the_modules_of_a_list_that_is_refused_are_admitted() {
    const ED25519_AT: usize = 512;
    const ML_DSA_AT: usize = ED25519_AT + 64;
    const BODY_AT: usize = 4096;
    let altered = |at: usize| {
        let change = |parts: &mut Parts| change_list(parts, |list| list[at] ^= 1);
        verdicts(change, ["init", "worker", "unlisted"])
    };
    for (at, error) in [
        (48, Error::ModuleEd25519),
        (ED25519_AT, Error::ModuleEd25519),
        (ML_DSA_AT, Error::ModuleMlDsa),
        (BODY_AT - 1, Error::ModuleFormat),
        (BODY_AT, Error::ModuleHash),
    ] {
        assert_eq!(altered(at), [Err(error); 3], "{at}");
    }
    let shorter = |parts: &mut Parts| change_list(parts, |list| list.truncate(BODY_AT));
    assert_eq!(verdicts(shorter, ["init"]), [Err(Error::ModuleFormat)]);
    let none = |parts: &mut Parts| change_list(parts, Vec::clear);
    assert_eq!(verdicts(none, ["init"]), [Err(Error::ModuleFormat)]);
    let gone = |parts: &mut Parts| parts.entries.retain(|(name, _)| *name != "modules.tests");
    assert_eq!(verdicts(gone, ["init"]), [Err(Error::ModuleList)]);
    let of_other = |parts: &mut Parts| change_list(parts, |list| *list = by_other("init", &keys()));
    assert_eq!(verdicts(of_other, ["init"]), [Err(Error::ModuleFormat)]);
    let by_other_keys =
        |parts: &mut Parts| change_list(parts, |list| *list = by_other("init", &other_keys()));
    assert_eq!(
        verdicts(by_other_keys, ["init"]),
        [Err(Error::ModuleEd25519)]
    );
}

#[test]
fn modules_without_room_are_left_out_and_the_log_says_how_many() {
    let printed = |more: usize| {
        let mut parts = Parts::usual();
        for number in 0..more {
            let name: &'static str = std::format!("z{number}").leak();
            parts.entries.push((name, b"any".to_vec()));
        }
        let lists = parts
            .entries
            .iter()
            .filter(|(name, _)| name.starts_with("modules."));
        let modules = parts.entries.len() - lists.count();
        let world = World::without_init(WorldOptions {
            payload: parts.archive().leak(),
            ..WorldOptions::default()
        });
        let room = world.sizes.modules;
        (modules.saturating_sub(room), world.machine.printed)
    };
    let (none, quiet) = printed(0);
    assert!(none == 0 && !quiet.contains("left out"), "{quiet}");
    let (left_out, log) = printed(120);
    let says = std::format!("{left_out} modules of the image left out");
    assert!(left_out > 1 && log.contains(&says), "{log}");
}

#[test]
fn a_module_that_two_lists_name_is_nobodys() {
    let add = |entry: &'static str, file: Vec<u8>| {
        move |parts: &mut Parts| parts.entries.push((entry, file))
    };
    let names = ["worker", "init", "unlisted"];
    let both = add("modules.other", by_other("worker", &other_keys()));
    assert_eq!(
        verdicts(both, names),
        [Err(Error::ModuleList), Ok(()), Err(Error::ModuleList)]
    );
    let one = add("modules.other", by_other("unlisted", &other_keys()));
    assert_eq!(verdicts(one, names), [Ok(()), Ok(()), Ok(())]);
    let forged = add("modules.other", by_other("unlisted", &keys()));
    assert_eq!(
        verdicts(forged, names),
        [Ok(()), Ok(()), Err(Error::ModuleEd25519)],
        "each publisher has keys of its own"
    );
    let unknown = add("modules.nobody", by_other("unlisted", &other_keys()));
    assert_eq!(
        verdicts(unknown, names),
        [Ok(()), Ok(()), Err(Error::ModulePublisher)]
    );
    let twice = |parts: &mut Parts| {
        let list = parts
            .entries
            .iter()
            .find(|(name, _)| *name == "modules.tests");
        let (_, list) = list.unwrap().clone();
        parts.entries.push(("modules.again", list));
    };
    assert_eq!(
        verdicts(twice, names),
        [Ok(()), Ok(()), Err(Error::ModulePublisher)],
        "a list counts under its publisher's name alone"
    );
}

#[test]
fn a_module_that_three_lists_name_is_nobodys() {
    let mut kernel = World::default().kernel;
    let usual = Parts::usual().archive().leak();
    let archive = Archive::parse(usual).unwrap();
    let anchors = Anchors::parse(archive.get(archive::ANCHORS).unwrap()).unwrap();
    let entry = archive.lists().next().unwrap();
    let list = signed_list::verify(entry.name, entry.contents, &anchors);
    let name = Name::new("worker").unwrap();
    let mut listed = list.ok().unwrap().iter();
    let worker = listed.find(|module| module.is_named(name)).unwrap();
    for _ in 0..3 {
        kernel.note_listed(worker);
        let mut modules = kernel.modules.iter();
        let (id, _) = modules.find(|(_, module)| module.name == name).unwrap();
        assert_eq!(kernel.modules[id].admitted().err(), Some(Error::ModuleList));
    }
}

#[test]
fn names_from_user_space_are_checked() {
    let mut world = World::default();
    let init = world.init();
    let archive = start::ARCHIVE.raw().into();
    let buffer = world.buffer(init);
    world.poke(init, buffer, b"../worker\0\xFF");
    for (address, length, error) in [
        (buffer, 9, Error::InvalidArgument),
        (buffer + 3, 7, Error::InvalidArgument),
        (buffer + 10, 1, Error::InvalidArgument),
        (buffer, 0, Error::InvalidArgument),
        (buffer, 33, Error::InvalidArgument),
        (buffer, u64::MAX, Error::InvalidArgument),
        (8, 6, Error::BadAddress),
        (u64::MAX - 2, 6, Error::BadAddress),
        (0xFFFF_8000_0000_0000, 6, Error::BadAddress),
        (nonos_abi::USER_END - 3, 6, Error::BadAddress),
    ] {
        let refused = world.call(init, Syscall::ModuleAdmit, &[archive, address, length]);
        assert_eq!(refused, Err(error), "{address:#x} {length}");
    }
}

#[test]
fn a_name_may_lie_across_two_pages_but_not_in_a_hole() {
    let mut world = World::default();
    let init = world.init();
    let archive = start::ARCHIVE.raw().into();
    let boundary = world.context(init).rsp - PAGE_BYTES as u64;
    world.poke(init, boundary - 3, b"worker");
    assert!(
        world
            .call(init, Syscall::ModuleAdmit, &[archive, boundary - 3, 6])
            .is_ok()
    );
    let top = world.context(init).rsp;
    world.poke(init, top - 3, b"wor");
    let refused = world.call(init, Syscall::ModuleAdmit, &[archive, top - 3, 6]);
    assert_eq!(refused, Err(Error::BadAddress));
}

#[test]
fn admission_needs_the_archive_with_read() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    world.poke(init, buffer, b"worker");
    let log = start::LOG.raw().into();
    let refused = world.call(init, Syscall::ModuleAdmit, &[log, buffer, 6]);
    assert_eq!(refused, Err(Error::WrongKind));
    let archive = start::ARCHIVE.raw().into();
    let blind = world.value(init, Syscall::HandleCopy, &[archive, Rights::WRITE.bits()]);
    let refused = world.call(init, Syscall::ModuleAdmit, &[blind, buffer, 6]);
    assert_eq!(refused, Err(Error::MissingRight));
}
