//! The subcommands.

use std::path::{Path, PathBuf};

use nonos_abi::Name;
use nonos_image::anchors::{self, Anchors};
use nonos_image::archive::{self, Archive};
use nonos_image::elf::Executable;
use nonos_image::keys::{PublicKeys, SecretKeys};
use nonos_image::module::Manifest;
use nonos_image::symbols::Symbols;
use nonos_image::{Hex, image, list};

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
    /// Publishers' signed lists of modules.
    pub lists: Vec<PathBuf>,
    /// Modules: name and ELF.
    pub modules: Vec<(Name, PathBuf)>,
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

    let mut others = Vec::new();
    for path in &parts.lists {
        let file = files::read(path)?;
        let publisher = inspect::publisher(&file).at(path)?;
        others.push((list::entry(publisher).unwrap_or(publisher), file));
    }
    for (name, path) in &parts.modules {
        others.push((*name, files::read(path)?));
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
    entries.extend(others.iter().map(|(name, file)| (*name, &file[..])));
    let archive = archive::build(&entries).at(ARCHIVE)?;
    check_archive(&archive).at(ARCHIVE)?;
    Ok(archive)
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

/// Signs the list of a publisher's modules, each a manifest and an ELF, and writes it. Refuses an ELF that the system would refuse.
pub fn sign_list(modules: &[(PathBuf, PathBuf)], keys: &Path, out: &Path) -> Result<String, Error> {
    let mut described = Vec::new();
    for (manifest_path, elf_path) in modules {
        let text = files::read(manifest_path)?;
        let text = String::from_utf8(text)
            .map_err(|_| Reason::Manifest("not UTF-8".into()).at(manifest_path))?;
        let description = manifest::parse(&text).map_err(|reason| reason.at(manifest_path))?;
        let elf = files::read(elf_path)?;
        Executable::parse(&elf).at(elf_path)?;
        described.push((description, elf));
    }
    let keys = files::read_secret_keys(keys)?;
    let listed: Vec<_> = described.iter().map(|(of, elf)| (*of, &elf[..])).collect();
    let (first, _) = listed.first().ok_or(Reason::Missing("a module").at(out))?;
    let file = list::build(first.publisher, &listed, &keys).at(out)?;
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
    let mut listed = Vec::new();
    for entry in archive.lists() {
        let list = list::verify(entry.name, entry.contents, &anchors)
            .map_err(|refusal| Reason::from(refusal).in_entry(entry.name))?;
        listed.extend(list.iter());
    }
    let mut text = String::new();
    for entry in archive.modules() {
        let mut naming = listed.iter().filter(|of| of.is_named(entry.name));
        let (Some(only), None) = (naming.next(), naming.next()) else {
            return Err(Reason::Listed.in_entry(entry.name));
        };
        let checked = || -> Result<Manifest, Reason> {
            let module = only.verify(entry.contents)?;
            Executable::parse(module.elf())?;
            Ok(*module.manifest())
        };
        text += &row(&checked().map_err(|reason| reason.in_entry(entry.name))?);
    }
    Ok(text)
}

fn row(manifest: &Manifest) -> String {
    format!(
        "module {} {} by {}: valid\n",
        manifest.name, manifest.version, manifest.publisher
    )
}

/// Whom to trust when a module is verified.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A list of trust anchors, as the archive has it.
    Anchors(PathBuf),
    /// One public key file, whatever the publisher is called.
    Keys(PathBuf),
}

/// Checks a list of modules as the kernel does.
pub fn verify_list(path: &Path, trust: &Trust) -> Result<String, Error> {
    let file = files::read(path)?;
    let publisher = inspect::publisher(&file).at(path)?;
    let (trusted_path, anchors) = match trust {
        Trust::Anchors(path) => (path, files::read(path)?),
        Trust::Keys(path) => {
            let keys = files::read_public_keys(path)?;
            (path, anchors::build(&[(publisher, keys)]).at(path)?)
        }
    };
    let anchors = Anchors::parse(&anchors).at(trusted_path)?;
    let entry = list::entry(publisher).unwrap_or(publisher);
    let list = list::verify(entry, &file, &anchors).at(path)?;
    let mut text = String::from(
        "Ed25519 signature: valid\nML-DSA-65 signature: valid\nBLAKE3 of the list: matches\n",
    );
    list.manifests()
        .for_each(|manifest| text += &row(&manifest));
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
                inspect::Kind::List => verify_list(path, &Trust::Keys(keys.to_owned()))?,
            }
        }
    };
    Ok(verdict + &inspect::describe(&file).at(path)?)
}
