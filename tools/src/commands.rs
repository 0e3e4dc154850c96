//! The subcommands.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use nonos_abi::Name;
use nonos_image::anchors::{self, Anchors};
use nonos_image::archive::{self, Archive};
use nonos_image::elf::Executable;
use nonos_image::keys::{PublicKeys, SecretKeys};
use nonos_image::symbols::Symbols;
use nonos_image::{Hex, image, module};

use crate::error::{At, Error, Reason};
use crate::{files, inspect, manifest};

/// Makes keys; writes the secret keys and, when asked, the public ones.
pub fn keygen(out: &Path, public: Option<&Path>) -> Result<String, Error> {
    // Checked first, so that no secret file is left behind alone.
    if let Some(path) = public.filter(|path| path.exists()) {
        return Err(Reason::Exists.at(path));
    }
    let keys = SecretKeys::generate().map_err(|error| Reason::Random(error.to_string()).at(out))?;
    files::write_secret_keys(out, &keys)?;
    let mut text = format!(
        "secret keys: {} (keep them secret, keep a copy)\n",
        out.display()
    );
    if let Some(path) = public {
        files::write_public_keys(path, &keys.public())?;
        text += &format!("public keys: {}\n", path.display());
    }
    Ok(text + &fingerprint(&keys.public()))
}

/// Derives the public keys from secret ones; writes them when asked.
pub fn public(keys: &Path, out: Option<&Path>) -> Result<String, Error> {
    let public = files::read_secret_keys(keys)?.public();
    if let Some(path) = out {
        files::write_public_keys(path, &public)?;
    }
    Ok(format!(
        "Ed25519:     {}\n{}",
        Hex(&public.ed25519),
        fingerprint(&public)
    ))
}

fn fingerprint(keys: &PublicKeys) -> String {
    format!(
        "fingerprint: {} (BLAKE3 of both public keys)\n",
        Hex(&keys.hash())
    )
}

/// What goes into the archive of an image.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The kernel's ELF.
    pub kernel: PathBuf,
    /// The kernel's symbol table.
    pub symbols: Option<PathBuf>,
    /// Trusted publishers: name and public key file.
    pub anchors: Vec<(Name, PathBuf)>,
    /// Signed modules. Their names come from their manifests.
    pub modules: Vec<PathBuf>,
}

/// What errors about no single file are about.
const ARCHIVE: &str = "archive";

/// Puts an archive together. Refuses a kernel or a module that the system would refuse.
pub fn archive(parts: &Parts) -> Result<Vec<u8>, Error> {
    let kernel = files::read(&parts.kernel)?;
    Executable::parse(&kernel).at(&parts.kernel)?;
    let symbols = parts.symbols.as_deref().map(|path| {
        let bytes = files::read(path)?;
        Symbols::parse(&bytes).at(path)?;
        Ok(bytes)
    });
    let symbols = symbols.transpose()?;

    let mut list = Vec::new();
    for (name, path) in &parts.anchors {
        list.push((*name, files::read_public_keys(path)?));
    }
    let anchor_list = anchors::build(&list).at(ARCHIVE)?;
    let trusted = Anchors::parse(&anchor_list).at(ARCHIVE)?;

    let mut modules = Vec::new();
    for path in &parts.modules {
        let file = files::read(path)?;
        let name = check_module(&file, &trusted).at(path)?.name;
        modules.push((name, file));
    }

    let reserved = |text| Name::new(text).expect("names of entries are valid");
    let mut entries = vec![
        (reserved(archive::KERNEL), &kernel[..]),
        (reserved(archive::ANCHORS), &anchor_list[..]),
    ];
    entries.extend(
        symbols
            .as_deref()
            .map(|bytes| (reserved(archive::KERNEL_SYMBOLS), bytes)),
    );
    entries.extend(modules.iter().map(|(name, file)| (*name, &file[..])));
    archive::build(&entries).at(ARCHIVE)
}

/// Reads an archive that a build wrote. Refuses one whose kernel or modules the system would refuse.
pub fn read_archive(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = files::read(path)?;
    check_archive(&bytes).at(path)?;
    Ok(bytes)
}

/// Packs an archive, signs it, writes the image.
pub fn sign_image(
    archive: &[u8],
    keys: &Path,
    version: Name,
    security_version: u64,
    out: &Path,
) -> Result<String, Error> {
    let keys = files::read_secret_keys(keys)?;
    let file = image::build(version, security_version, archive, &keys);
    files::write(out, &file)?;
    inspect::describe(&file).at(out)
}

/// Signs a module by its manifest and writes it. Refuses an ELF that the system would refuse.
pub fn sign_module(
    manifest_path: &Path,
    elf_path: &Path,
    keys: &Path,
    out: &Path,
) -> Result<String, Error> {
    let text = files::read(manifest_path)?;
    let text = String::from_utf8(text)
        .map_err(|_| Reason::Manifest("not UTF-8".into()).at(manifest_path))?;
    let description = manifest::parse(&text).map_err(|reason| reason.at(manifest_path))?;
    let elf = files::read(elf_path)?;
    Executable::parse(&elf).at(elf_path)?;
    let keys = files::read_secret_keys(keys)?;
    let file = module::build(&description, &elf, &keys).at(manifest_path)?;
    files::write(out, &file)?;
    inspect::describe(&file).at(out)
}

/// Checks an image as the boot loader and the kernel do, down to every module.
pub fn verify_image(path: &Path, keys: &Path) -> Result<String, Error> {
    let file = files::read(path)?;
    check_image(&file, &files::read_public_keys(keys)?).at(path)
}

fn check_image(file: &[u8], keys: &PublicKeys) -> Result<String, Reason> {
    let image = image::verify(file, keys)?;
    let header = image.header();
    let mut text = String::from(
        "Ed25519 signature: valid\nML-DSA-65 signature: valid\nBLAKE3 of the payload: matches\n",
    );
    text += &format!(
        "image {}, security version {}\n",
        header.version, header.security_version
    );

    let mut unpacked = vec![0; image.unpacked_bytes()];
    image.unpack(&mut unpacked)?;
    Ok(text + &check_archive(&unpacked)?)
}

/// Checks all entries as the boot loader and the kernel do; returns a line for each module.
fn check_archive(bytes: &[u8]) -> Result<String, Reason> {
    let archive = Archive::parse(bytes)?;
    let kernel = archive
        .get(archive::KERNEL)
        .ok_or(Reason::Missing(archive::KERNEL))?;
    Executable::parse(kernel).map_err(|refusal| Reason::from(refusal).in_entry(archive::KERNEL))?;
    let anchors = archive
        .get(archive::ANCHORS)
        .ok_or(Reason::Missing(archive::ANCHORS))?;
    let anchors = Anchors::parse(anchors)?;
    let mut text = String::new();
    for entry in archive.modules() {
        let manifest =
            check_module(entry.contents, &anchors).map_err(|reason| reason.in_entry(entry.name))?;
        if manifest.name != entry.name {
            return Err(Reason::Name(manifest.name.to_string()).in_entry(entry.name));
        }
        text += &format!(
            "module {} {} by {}: valid\n",
            manifest.name, manifest.version, manifest.publisher
        );
    }
    Ok(text)
}

fn check_module(file: &[u8], anchors: &Anchors<'_>) -> Result<module::Manifest, Reason> {
    let module = module::verify(file, anchors)?;
    Executable::parse(module.elf())?;
    Ok(*module.manifest())
}

/// Whom to trust when a module is verified.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A list of trust anchors, as the archive has it.
    Anchors(PathBuf),
    /// One public key file, whatever the publisher is called.
    Keys(PathBuf),
}

/// Checks a module as the kernel does.
pub fn verify_module(path: &Path, trust: &Trust) -> Result<String, Error> {
    let file = files::read(path)?;
    let list = match trust {
        Trust::Anchors(path) => files::read(path)?,
        Trust::Keys(keys) => {
            let publisher = inspect::publisher(&file).at(path)?;
            anchors::build(&[(publisher, files::read_public_keys(keys)?)]).at(keys)?
        }
    };
    let list_path = match trust {
        Trust::Anchors(path) | Trust::Keys(path) => path,
    };
    let manifest = check_module(&file, &Anchors::parse(&list).at(list_path)?).at(path)?;
    let mut text = String::from(
        "Ed25519 signature: valid\nML-DSA-65 signature: valid\nBLAKE3 of the ELF: matches\n",
    );
    let _ = writeln!(
        text,
        "module {} {} by {}",
        manifest.name, manifest.version, manifest.publisher
    );
    Ok(text)
}

/// Shows what a file claims; with keys, verifies first.
pub fn inspect(path: &Path, keys: Option<&Path>) -> Result<String, Error> {
    let file = files::read(path)?;
    let verdict = match keys {
        None => "NOT VERIFIED: this is what the file claims. Give --keys to verify.\n".to_owned(),
        Some(keys) => {
            let public = files::read_public_keys(keys)?;
            match inspect::kind(&file).at(path)? {
                inspect::Kind::Image => check_image(&file, &public).at(path)?,
                inspect::Kind::Module => verify_module(path, &Trust::Keys(keys.to_owned()))?,
            }
        }
    };
    Ok(verdict + &inspect::describe(&file).at(path)?)
}
