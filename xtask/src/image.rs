//! From programs to a bootable disk image: the list of the modules is signed, everything is put into an archive, the archive is
//! packed and signed, the boot loader is signed for Secure Boot, keys are enrolled in a variable store.
//!
//! Each result is kept with the hash of what it was made from, and made again only when that changes. The same
//! code makes the image that `cargo xtask run` boots and the images of the system tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nonos_image::archive::Archive;
use nonos_image::{anchors, archive, image, list};

use crate::build::{BootLoader, Builder, Protection, Tree};
use crate::keys::{Keys, PUBLISHER, SecureBootKey, Signer};
use crate::modules::{self, ModuleSpec, SystemKind, name};
use crate::paths::write_if_changed;
use crate::process::progress;
use crate::{disk, elf, packages, paths, qemu, vars};

/// An image to build.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// Security version in the signed header.
    pub security_version: u64,
    /// The system that it holds.
    pub system: SystemKind,
    /// Whether the modules of that system are in it.
    pub system_modules: bool,
    /// Modules beside those of the system, or in place of the one with the same name.
    pub extra_modules: Vec<ModuleSpec>,
    /// Whether page tables are isolated on every CPU, even if the system does not ask for it.
    pub kpti: bool,
    /// Where the files go.
    pub out_dir: PathBuf,
}

/// Security version of the system in this checkout. Raised when an older system must no longer boot.
pub const SECURITY_VERSION: u64 = 1;

impl ImageSpec {
    /// A system of this checkout.
    pub fn new(system: SystemKind, out_dir: impl Into<PathBuf>) -> Self {
        Self {
            security_version: SECURITY_VERSION,
            system,
            system_modules: true,
            extra_modules: Vec::new(),
            kpti: false,
            out_dir: out_dir.into(),
        }
    }

    /// The image that `cargo xtask image` writes: the desktop; or the console, in a folder of its own.
    pub fn usual(system: SystemKind) -> Self {
        let folder = paths::image();
        let out_dir = match system {
            SystemKind::Desktop => folder,
            SystemKind::Console => folder.with_extension(system.name()),
        };
        Self::new(system, out_dir)
    }
}

/// What [`build_image`] wrote.
#[derive(Clone, Debug)]
pub struct ImageFiles {
    /// Bootable disk.
    pub disk: PathBuf,
    /// Variable store with the keys enrolled.
    pub vars: PathBuf,
    /// Boot loader, signed for Secure Boot.
    pub boot_loader: PathBuf,
    /// The same, not signed: the stub as it was linked, with the packed program in it.
    pub boot_loader_unsigned: PathBuf,
    /// The boot loader's program as it was linked, not packed.
    pub boot_program: PathBuf,
    /// Signed system image.
    pub system_image: PathBuf,
    /// The archive in it, not packed and not signed.
    pub archive: PathBuf,
    /// Stripped kernel.
    pub kernel: PathBuf,
    /// The kernel with symbols and debug information.
    pub kernel_debug: PathBuf,
    /// Modules, stripped, by name.
    pub modules: Vec<(String, PathBuf)>,
    /// The modules' programs as they were linked.
    pub linked_modules: Vec<(String, PathBuf)>,
}

/// Builds the image of this checkout with the developer's keys.
///
/// # Errors
/// When a tool is missing or a step fails.
pub fn build_image(spec: &ImageSpec) -> Result<ImageFiles> {
    let toolchain = packages::ensure(false)?;
    let keys = Keys::developer()?;
    let builder = Builder::new(toolchain, Tree::here())?;
    build(spec, &keys, &builder, &builder)
}

/// Builds an image whose kernel lacks some protections, to see what they cost. Its keys are its own: no boot loader or firmware but
/// those that come with it take it.
///
/// # Errors
/// When a tool is missing or a step fails.
pub fn build_weak_image(spec: &ImageSpec, without: &[Protection]) -> Result<ImageFiles> {
    let toolchain = packages::ensure(false)?;
    let tree = Tree {
        target: weak_folder().join("system"),
        ..Tree::here()
    };
    let keys = weak_keys()?;
    let weak = Builder::new(toolchain.clone(), tree)?.without(without);
    build(spec, &keys, &weak, &Builder::new(toolchain, Tree::here())?)
}

/// A weak image with another kernel, in a folder of this name.
///
/// # Errors
/// When a file cannot be read or written.
pub fn with_kernel(weak: &ImageFiles, kernel: &[u8], name: &str) -> Result<ImageFiles> {
    let out = weak_folder().join(name);
    fs::create_dir_all(&out).with_context(|| format!("make {}", out.display()))?;
    let old = paths::read(&weak.archive)?;
    let old = Archive::parse(&old).map_err(|error| anyhow!("{error}"))?;
    let entries: Vec<_> = old
        .iter()
        .map(|entry| match entry.name.as_str() {
            archive::KERNEL => (entry.name, kernel),
            _ => (entry.name, entry.contents),
        })
        .collect();
    let archive = archive::build(&entries).map_err(|error| anyhow!("{error}"))?;
    let files = ImageFiles {
        disk: out.join("disk.img"),
        system_image: out.join("system.img"),
        ..weak.clone()
    };
    sign_image(
        &archive,
        SECURITY_VERSION,
        &weak_keys()?,
        &files.system_image,
    )?;
    disk::write(&files.disk, &files.boot_loader, Some(&files.system_image))?;
    Ok(files)
}

fn weak_folder() -> PathBuf {
    paths::target().join("weak")
}

fn weak_keys() -> Result<Keys> {
    Keys::at(&weak_folder().join("keys"))
}

/// Builds an image: boot loader and kernel with one builder, modules with the other.
fn build(spec: &ImageSpec, keys: &Keys, core: &Builder, user: &Builder) -> Result<ImageFiles> {
    let boot_loader = core.boot_loader(&keys.public_file(Signer::Image))?;
    let mut modules = spec.extra_modules.clone();
    if spec.system_modules {
        let mut of_system = modules::of_system(user.root(), spec.system)?;
        of_system.retain(|module| modules.iter().all(|extra| extra.name != module.name));
        modules.splice(..0, of_system);
    }
    // Also of images with keys of their own: nothing of a build depends on which image was built before.
    let update_key = Keys::developer()?.update_key();
    let mut programs = Programs::build(core, user, spec.system, modules, &update_key)?;
    programs.kpti |= spec.kpti;
    assemble(spec, keys, &boot_loader, &programs)
}

/// Builds a program that tests run under the firmware.
///
/// # Errors
/// When a tool is missing or the build fails.
pub fn firmware_program(package: &str) -> Result<PathBuf> {
    Builder::new(packages::ensure(false)?, Tree::here())?.firmware_program(package)
}

/// What is built of a checkout: the boot loader, unsigned, and all that the system image holds. Depends on the sources and on
/// the keys alone, not on where the checkout lies.
///
/// # Errors
/// When a tool is missing or a build fails.
pub fn parts(tree: Tree, keys: &Keys) -> Result<Vec<Entry>> {
    let builder = Builder::new(packages::ensure(false)?, tree)?;
    let boot_loader = builder.boot_loader(&keys.public_file(Signer::Image))?;
    let system = SystemKind::Desktop;
    let modules = modules::of_system(builder.root(), system)?;
    let programs = Programs::build(&builder, &builder, system, modules, &keys.update_key())?;
    let (_, mut parts) = build_archive(keys, &programs)?;
    parts.push(("boot loader".to_owned(), paths::read(&boot_loader.stub)?));
    parts.push((
        "boot loader, unpacked".to_owned(),
        paths::read(&boot_loader.program)?,
    ));
    Ok(parts)
}

/// The programs of an image, as they were linked.
struct Programs {
    kernel: PathBuf,
    /// Whether page tables are isolated on every CPU.
    kpti: bool,
    modules: Vec<(ModuleSpec, PathBuf)>,
}

impl Programs {
    fn build(
        core: &Builder,
        user: &Builder,
        system: SystemKind,
        modules: Vec<ModuleSpec>,
        update_key: &Path,
    ) -> Result<Self> {
        let programs: Vec<_> = modules
            .iter()
            .map(|module| module.program.clone())
            .collect();
        let kernel = core.kernel()?;
        let built = user.modules(system, &programs, update_key)?;
        Ok(Self {
            kernel,
            kpti: modules::kpti_is_on(user.root())?,
            modules: modules.into_iter().zip(built).collect(),
        })
    }
}

/// An entry of the archive: name and contents.
pub type Entry = (String, Vec<u8>);

/// Signs programs and puts an image together.
fn assemble(
    spec: &ImageSpec,
    keys: &Keys,
    boot_loader: &BootLoader,
    programs: &Programs,
) -> Result<ImageFiles> {
    let out = &spec.out_dir;
    fs::create_dir_all(out.join("modules")).with_context(|| format!("make {}", out.display()))?;
    // Two builds into one folder wait for each other.
    let lock = fs::File::create(out.join("lock"))?;
    lock.lock()?;
    let (archive, _) = build_archive(keys, programs)?;
    let mut files = ImageFiles {
        disk: out.join("disk.img"),
        vars: out.join("vars.fd"),
        boot_loader: out.join("BOOTX64.EFI"),
        boot_loader_unsigned: out.join("boot-unsigned.efi"),
        boot_program: out.join("boot-program.efi"),
        system_image: out.join("system.img"),
        archive: out.join("payload.archive"),
        kernel: out.join("kernel.elf"),
        kernel_debug: out.join("kernel.debug"),
        modules: Vec::new(),
        linked_modules: Vec::new(),
    };
    for (module, linked) in &programs.modules {
        files
            .linked_modules
            .push((module.name.clone(), linked.clone()));
    }
    let parsed = Archive::parse(&archive).map_err(|error| anyhow!("{error}"))?;
    if let Some(kernel) = parsed.get(archive::KERNEL) {
        write_if_changed(&files.kernel, kernel)?;
    }
    for module in parsed.modules() {
        let path = out.join("modules").join(format!("{}.elf", module.name));
        write_if_changed(&path, module.contents)?;
        files.modules.push((module.name.to_string(), path));
    }
    write_if_changed(&files.kernel_debug, &paths::read(&programs.kernel)?)?;
    write_if_changed(&files.archive, &archive)?;
    sign_image(&archive, spec.security_version, keys, &files.system_image)?;

    write_if_changed(
        &files.boot_loader_unsigned,
        &paths::read(&boot_loader.stub)?,
    )?;
    write_if_changed(&files.boot_program, &paths::read(&boot_loader.program)?)?;
    make(
        &files.boot_loader,
        &[
            &files.boot_loader_unsigned,
            &keys.certificate(SecureBootKey::Db),
        ],
        || {
            progress("signing the boot loader for Secure Boot");
            keys.sign_boot_loader(&files.boot_loader_unsigned, &files.boot_loader)
        },
    )?;
    write_if_changed(
        &files.vars,
        &vars::enrol(&paths::read(Path::new(qemu::FIRMWARE_VARS))?, keys)?,
    )?;
    make(
        &files.disk,
        &[&files.boot_loader, &files.system_image],
        || {
            progress("writing the disk image");
            disk::write(&files.disk, &files.boot_loader, Some(&files.system_image))
        },
    )?;
    Ok(files)
}

/// Kernel, its symbols, trust anchors, modules and the signed list of them: the archive and what it was made of.
fn build_archive(keys: &Keys, programs: &Programs) -> Result<(Vec<u8>, Vec<Entry>)> {
    let linked_kernel = paths::read(&programs.kernel)?;
    let kernel = elf::strip(&linked_kernel)?;
    elf::check("kernel", &kernel)?;
    let trusted = [(name(PUBLISHER)?, keys.public(Signer::Publisher)?)];
    let mut entries = vec![
        (archive::KERNEL.to_owned(), kernel),
        (
            archive::KERNEL_SYMBOLS.to_owned(),
            elf::symbols(&linked_kernel)?,
        ),
        (
            archive::ANCHORS.to_owned(),
            anchors::build(&trusted).map_err(|error| anyhow!("{error}"))?,
        ),
    ];
    if programs.kpti {
        entries.push((archive::KPTI.to_owned(), Vec::new()));
    }
    let mut modules = Vec::new();
    for (module, linked) in &programs.modules {
        let program = elf::strip(&paths::read(linked)?)?;
        elf::check(&module.name, &program)?;
        modules.push((module.description()?, program));
    }
    let publisher = name(PUBLISHER)?;
    let listed: Vec<_> = modules.iter().map(|(of, elf)| (*of, &elf[..])).collect();
    let list = list::build(publisher, &listed, &keys.secret(Signer::Publisher)?)
        .map_err(|refusal| anyhow!("list of modules: {refusal}"))?;
    let list_name = list::entry(publisher).context("the publisher's name is too long")?;
    entries.push((list_name.to_string(), list));
    entries.extend(
        modules
            .into_iter()
            .map(|(of, elf)| (of.name.to_string(), elf)),
    );
    let named: Vec<_> = entries
        .iter()
        .map(|(text, bytes)| Ok((name(text)?, bytes.as_slice())))
        .collect::<Result<_>>()?;
    let archive = archive::build(&named).map_err(|error| anyhow!("{error}"))?;
    Ok((archive, entries))
}

/// How archives are packed. Changes with that, so that images are packed again.
const PACKING: &[u8] = b"x86, LZMA lc=4";

/// Packs and signs an archive with the image key.
///
/// # Errors
/// When a key or the file cannot be used.
pub fn sign_image(archive: &[u8], security_version: u64, keys: &Keys, file: &Path) -> Result<()> {
    let version = concat!("NONOS-", env!("CARGO_PKG_VERSION"));
    let mut inputs = blake3::Hasher::new();
    inputs
        .update(archive)
        .update(&security_version.to_le_bytes())
        .update(version.as_bytes())
        .update(PACKING);
    inputs.update(&keys.public(Signer::Image)?.to_bytes());
    if is_fresh(file, &inputs) {
        return Ok(());
    }
    progress("packing and signing the system image");
    let signed = image::build(
        name(version)?,
        security_version,
        archive,
        &keys.secret(Signer::Image)?,
    );
    write_if_changed(file, &signed)?;
    mark_fresh(file, &inputs)
}

/// Makes `file` with `how` unless it was made from the same inputs before.
fn make(file: &Path, inputs: &[&Path], how: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut hasher = blake3::Hasher::new();
    for input in inputs {
        let contents = paths::read(input)?;
        hasher
            .update(&(contents.len() as u64).to_le_bytes())
            .update(&contents);
    }
    if is_fresh(file, &hasher) {
        return Ok(());
    }
    how()?;
    mark_fresh(file, &hasher)
}

fn is_fresh(file: &Path, inputs: &blake3::Hasher) -> bool {
    let stamp = fs::read_to_string(stamp_path(file)).unwrap_or_default();
    file.exists() && stamp == inputs.finalize().to_hex().as_str()
}

fn mark_fresh(file: &Path, inputs: &blake3::Hasher) -> Result<()> {
    let stamp = stamp_path(file);
    fs::write(&stamp, inputs.finalize().to_hex().as_str())
        .with_context(|| format!("write {}", stamp.display()))
}

fn stamp_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".made-from");
    name.into()
}

impl ImageFiles {
    /// The files with their titles, in the order of the boot.
    pub fn list(&self) -> Vec<(String, &Path)> {
        let mut list: Vec<(String, &Path)> = vec![
            ("boot loader".to_owned(), &self.boot_loader),
            ("system image".to_owned(), &self.system_image),
            ("  payload, unpacked".to_owned(), &self.archive),
            ("  kernel".to_owned(), &self.kernel),
        ];
        list.extend(
            self.modules
                .iter()
                .map(|(name, path)| (format!("  module {name}"), path.as_path())),
        );
        list.push(("disk image".to_owned(), &self.disk));
        list.push(("variable store".to_owned(), &self.vars));
        list
    }

    /// A table of all files: size and BLAKE3.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn table(&self) -> Result<String> {
        let mut table = String::new();
        for (title, path) in self.list() {
            let contents = paths::read(path)?;
            let shown = path.strip_prefix(paths::root()).unwrap_or(path);
            table += &format!(
                "{title:<20} {:>10} bytes  {}  {}\n",
                contents.len(),
                blake3::hash(&contents),
                shown.display()
            );
        }
        Ok(table)
    }
}
