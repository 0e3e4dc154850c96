//! The images that the tests boot, and what is wrong with some of them.
//!
//! They are built and signed as `cargo xtask image` does it, with the developer's keys, which exist on this machine only: a
//! system for users knows none of them and runs no module that is only for tests. What is made is shared: by the
//! tests of one program through a `OnceLock`, between programs through a lock file.

use crate::cpu::Registers;
use crate::scratch::Scratch;
use nonos_abi::Name;
use nonos_image::archive::{self, Archive};
use nonos_image::image;
use nonos_image::keys::SecretKeys;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use xtask::harden::code::Code;
use xtask::image::{ImageFiles, ImageSpec};
use xtask::keys::{Keys, Signer};
use xtask::modules::{ModuleSpec, SystemKind};
use xtask::qemu::{MachineConfig, TpmKind};
use xtask::{disk, paths};

/// Where everything that the system tests keep lies.
pub fn folder() -> PathBuf {
    paths::target().join("system-tests-data")
}

/// When the machines of tests are turned on, by their clocks.
pub const CLOCK: &str = "2026-11-27T12:00:00";

/// Held while files in [`folder`] are made; released when dropped.
pub struct Lock(#[allow(dead_code, reason = "held for its lock")] File);

/// Waits until no other process makes the files with this name.
///
/// # Panics
/// When the folder cannot be written.
pub fn lock(name: &str) -> Lock {
    fs::create_dir_all(folder()).expect("target/ is writable");
    let file = File::create(folder().join(format!("{name}.lock"))).expect("target/ is writable");
    file.lock().expect("files can be locked");
    Lock(file)
}

/// A built image and the keys it is signed with.
pub struct Image {
    /// The files.
    pub files: ImageFiles,
    /// Image, publisher and Secure Boot keys.
    pub keys: Keys,
}

/// The system of this checkout.
pub fn system() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| build("system", Vec::new()))
}

/// The system and the adversaries (`tests/adversaries`).
pub fn with_adversaries() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| build("adversaries", adversary_modules()))
}

/// The system with the referee in place of `init` (`tests/adversaries/src/referee`).
pub fn with_referee() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| build("referee", referee_modules()))
}

/// The system and the program that runs the public vectors of cryptography (`tests/vectors`).
pub fn with_vectors() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let vectors = ModuleSpec::of_package("crypto-vectors", "vectors");
        build(
            "vectors",
            vec![made("the manifest of the vectors", vectors)],
        )
    })
}

/// The system with a desktop, and programs with windows for its tests (`tests/desktop`).
pub fn with_desktop() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let _lock = lock("images");
        let clients = ["dt-window", "dt-hostile", "dt-asker", "dt-freed"].map(|name| {
            let module = ModuleSpec::of_package("desktop-clients", name);
            made("the manifest of the programs with windows", module)
        });
        let spec = ImageSpec {
            extra_modules: clients.into(),
            ..ImageSpec::new(SystemKind::Desktop, folder().join("desktop"))
        };
        Image {
            files: made("the image", xtask::image::build_image(&spec)),
            keys: made("the keys", Keys::developer()),
        }
    })
}

/// The system with a program in place of `meter` that stores as much as it may, once the user allows it, and writes without end.
pub fn with_writer() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let writer = ModuleSpec::of_package("bench-files", "files-writer");
        let writer = ModuleSpec {
            name: "meter".to_owned(),
            ..made("the manifest of the writer", writer)
        };
        build("writer", vec![writer])
    })
}

/// Keys that the boot loader, the image and the firmware of the tests do not know.
pub fn unknown_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| made("the keys", Keys::at(&folder().join("unknown-keys"))))
}

fn build(name: &str, extra_modules: Vec<ModuleSpec>) -> Image {
    let _lock = lock("images");
    let spec = ImageSpec {
        extra_modules,
        ..ImageSpec::new(SystemKind::Console, folder().join(name))
    };
    let files = made("the image", xtask::image::build_image(&spec));
    Image {
        files,
        keys: made("the keys", Keys::developer()),
    }
}

/// A module for each program in `tests/adversaries`, with the manifest of all of them.
fn adversary_modules() -> Vec<ModuleSpec> {
    let programs = fs::read_dir(paths::root().join("tests/adversaries/src/bin"));
    let files = made("the list of adversaries", programs).flatten();
    let names = files.filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()));
    let module = |name: String| ModuleSpec::of_package("adversaries", &name);
    names
        .map(|name| made("the manifest of the adversaries", module(name)))
        .collect()
}

/// The referee, with the manifest of `init` but for its quota, and its partners, with that of the adversaries.
fn referee_modules() -> Vec<ModuleSpec> {
    let module = |name| {
        let module = ModuleSpec::of_package("adversaries", name);
        made("the manifest of the adversaries", module)
    };
    let init = made(
        "the manifest of init",
        ModuleSpec::of_package("init", "init"),
    );
    let referee = ModuleSpec {
        program: module("referee").program,
        quota_pages: 1024,
        ..init
    };
    vec![referee, module("partner"), module("idler")]
}

/// What was made, or the end of the test.
#[track_caller]
fn made<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{what} cannot be made: {error:#}"))
}

impl Image {
    /// A machine that boots this image, with a TPM.
    pub fn machine(&self) -> MachineConfig {
        MachineConfig {
            clock: Some(CLOCK),
            ..MachineConfig::new(&self.files.disk, &self.files.vars)
        }
    }

    /// A machine that boots this image, without a TPM.
    pub fn machine_without_tpm(&self) -> MachineConfig {
        MachineConfig {
            tpm: TpmKind::None,
            ..self.machine()
        }
    }

    /// The same with this many CPUs.
    pub fn machine_with_cpus(&self, cpus: u32) -> MachineConfig {
        MachineConfig {
            cpus,
            ..self.machine_without_tpm()
        }
    }

    /// The signed system image.
    pub fn system_image(&self) -> Vec<u8> {
        read(&self.files.system_image)
    }

    /// The archive inside, unpacked.
    pub fn archive(&self) -> Vec<u8> {
        read(&self.files.archive)
    }

    /// Address of a symbol of the kernel before it is placed, and this many bytes there.
    pub fn kernel_symbol(&self, name: &str, bytes: usize) -> (u64, Vec<u8>) {
        let kernel = read(&self.files.kernel_debug);
        made(name, xtask::elf::at_symbol(&kernel, name, bytes))
    }

    /// Where the kernel of a running machine lies: what is added to addresses of symbols.
    pub fn kernel_base(&self, registers: &Registers) -> u64 {
        registers.idt_base - self.kernel_symbol("nonos_idt", 0).0
    }

    /// Address of a function of the kernel before it is placed, by its name without what it is generic over.
    pub fn kernel_function(&self, name: &str) -> u64 {
        let code = made("the kernel", Code::read(&read(&self.files.kernel_debug)));
        let found = code.find(name);
        found.unwrap_or_else(|| panic!("no function {name}"))
    }

    /// Names of the modules in it that start with `prefix`.
    pub fn modules(&self, prefix: &str) -> Vec<String> {
        let names = self.files.modules.iter().map(|(name, _)| name.clone());
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    /// The same system signed with this security version.
    pub fn with_security_version(&self, security_version: u64) -> Vec<u8> {
        sign(&self.archive(), security_version, &self.secret())
    }

    /// The same system signed by other keys.
    pub fn signed_by(&self, keys: &Keys) -> Vec<u8> {
        sign(
            &self.archive(),
            xtask::image::SECURITY_VERSION,
            &secret(keys, Signer::Image),
        )
    }

    /// The same system with some entries of its archive replaced or added, properly signed.
    pub fn with_entries(&self, replaced: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let bytes = self.archive();
        let old = Archive::parse(&bytes).expect("the build makes valid archives");
        let mut entries: Vec<_> = old
            .iter()
            .map(|entry| (entry.name, entry.contents))
            .collect();
        for (name, contents) in replaced {
            entries.retain(|(other, _)| other.as_str() != *name);
            entries.push((Name::new(name).expect("a valid name"), contents));
        }
        let archive = archive::build(&entries).expect("the names are those of a valid archive");
        sign(&archive, xtask::image::SECURITY_VERSION, &self.secret())
    }

    /// An entry of the archive.
    ///
    /// # Panics
    /// When there is none.
    pub fn entry(&self, name: &str) -> Vec<u8> {
        let bytes = self.archive();
        let archive = Archive::parse(&bytes).expect("the build makes valid archives");
        archive
            .get(name)
            .unwrap_or_else(|| panic!("the image has no {name:?}"))
            .to_vec()
    }

    /// A disk with this image's boot loader and another system image, kept under `name`: machines
    /// that boot it can be saved and restored by later runs.
    pub fn variant(&self, name: &str, system_image: &[u8]) -> PathBuf {
        let _lock = lock(name);
        let folder = folder().join(name);
        fs::create_dir_all(&folder).expect("target/ is writable");
        let (file, disk) = (folder.join("system.img"), folder.join("disk.img"));
        let made_from = folder.join("BOOTX64.EFI");
        let boot_loader = read(&self.files.boot_loader);
        let same = |file: &Path, contents: &[u8]| fs::read(file).is_ok_and(|old| old == contents);
        if !(disk.exists() && same(&file, system_image) && same(&made_from, &boot_loader)) {
            let _ = fs::remove_file(&disk);
            fs::write(&file, system_image).expect("target/ is writable");
            fs::write(&made_from, boot_loader).expect("target/ is writable");
            made("the disk", disk::write(&disk, &made_from, Some(&file)));
        }
        disk
    }

    /// A disk with this image's boot loader and another system image, or none.
    pub fn disk_with(&self, scratch: &Scratch, system_image: Option<&[u8]>) -> PathBuf {
        disk_of(scratch, &self.files.boot_loader, system_image)
    }

    /// A disk for Bochs, whose firmware is given ACPI tables before this image's boot loader starts (`tests/bochs`).
    pub fn disk_for_bochs(&self, scratch: &Scratch, system_image: &[u8]) -> PathBuf {
        const BOOT_LOADER_PATH: &str = "EFI/NONOS/BOOTX64.EFI";
        let _lock = lock("images");
        let first = made(
            "the tables for Bochs",
            xtask::image::firmware_program("bochs-firmware"),
        );
        let disk = disk_of(scratch, &first, Some(system_image));
        let added = disk::add(&disk, &self.files.boot_loader, BOOT_LOADER_PATH);
        made("the disk", added);
        disk
    }

    /// A disk with another boot loader and this image.
    pub fn disk_with_boot_loader(&self, scratch: &Scratch, boot_loader: &Path) -> PathBuf {
        disk_of(scratch, boot_loader, Some(&self.system_image()))
    }

    fn secret(&self) -> SecretKeys {
        secret(&self.keys, Signer::Image)
    }
}

fn disk_of(scratch: &Scratch, boot_loader: &Path, system_image: Option<&[u8]>) -> PathBuf {
    let disk = scratch.file("disk.img");
    let file = system_image.map(|bytes| {
        let file = scratch.file("system.img");
        fs::write(&file, bytes).expect("the scratch folder is writable");
        file
    });
    made("the disk", disk::write(&disk, boot_loader, file.as_deref()));
    disk
}

/// The secret keys of a set.
pub fn secret(keys: &Keys, signer: Signer) -> SecretKeys {
    made("the secret key", keys.secret(signer))
}

fn sign(archive: &[u8], security_version: u64, keys: &SecretKeys) -> Vec<u8> {
    let version = Name::new("NONOS-test").expect("a valid name");
    image::build(version, security_version, archive, keys)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
