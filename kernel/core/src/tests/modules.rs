//! Admission of modules: each check has a module that fails it.

use nonos_abi::info::{ModuleInfo, Topic, module_state, needs};
use nonos_abi::words::Words;
use nonos_abi::{Error, Name, PAGE_BYTES, Rights, Syscall, start};

use crate::testing::{MODULE_PRIORITY, MODULE_QUOTA_PAGES, World};

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
    let [_, rights] = world
        .call(world.init(), Syscall::HandleInfo, &[module])
        .unwrap();
    assert!(!Rights::from_bits(rights).contains(Rights::WRITE));
}

#[test]
fn each_bad_module_is_refused_with_its_own_reason_each_time() {
    let mut world = World::default();
    for (name, error) in [
        ("bad-ed25519", Error::ModuleEd25519),
        ("bad-ml-dsa", Error::ModuleMlDsa),
        ("bad-hash", Error::ModuleHash),
        ("bad-manifest", Error::ModuleEd25519),
        ("bad-elf", Error::ModuleFormat),
        ("other-name", Error::ModuleFormat),
        ("other-publisher", Error::ModulePublisher),
        ("other-keys", Error::ModuleEd25519),
        ("truncated", Error::ModuleFormat),
        ("absent", Error::NotFound),
    ] {
        for _ in 0..2 {
            assert_eq!(world.admit(name), Err(error), "{name}");
        }
        if error != Error::NotFound {
            let info = module_info(&mut world, name);
            assert_eq!(info.state, module_state::REFUSED + error.raw(), "{name}");
            assert_eq!((info.needs, info.priority), (0, 0), "{name}");
            let line = std::format!("module {name} refused: ");
            assert_eq!(world.machine.printed.matches(&line).count(), 1, "{name}");
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
