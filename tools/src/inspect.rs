//! What a file claims, without a verdict: nothing here looks at a signature.

use std::fmt::Write;

use nonos_abi::Name;
use nonos_image::anchors::Anchors;
use nonos_image::archive::{self, Archive};
use nonos_image::elf::{Access, Executable};
use nonos_image::envelope::{ENVELOPE_BYTES, HEADER_BYTES, Refusal};
use nonos_image::keys::PublicKeys;
use nonos_image::list::{self, List};
use nonos_image::module::Manifest;
use nonos_image::signature::hash;
use nonos_image::symbols::Symbols;
use nonos_image::{Hex, image};

use crate::error::Reason;
use crate::manifest::needs_text;

/// Most that is unpacked on the word of an unverified header.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// What a file claims to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A system image.
    Image,
    /// A list of modules.
    List,
}

/// What a file claims to be, by its first bytes.
pub fn kind(file: &[u8]) -> Result<Kind, Reason> {
    match file.first_chunk() {
        Some(&image::MAGIC) => Ok(Kind::Image),
        Some(&list::MAGIC) => Ok(Kind::List),
        _ => Err(Reason::Kind),
    }
}

/// The publisher that a list of modules names.
pub fn publisher(file: &[u8]) -> Result<Name, Reason> {
    Ok(list::Header::read(split(file)?.0)?.publisher)
}

/// Describes an image or a list of modules.
pub fn describe(file: &[u8]) -> Result<String, Reason> {
    match kind(file)? {
        Kind::Image => describe_image(file),
        Kind::List => describe_list(file),
    }
}

fn split(file: &[u8]) -> Result<(&[u8; HEADER_BYTES], &[u8]), Refusal> {
    let too_short = Refusal::Length { found: file.len() };
    let (envelope, body) = file.split_at_checked(ENVELOPE_BYTES).ok_or(too_short)?;
    Ok((envelope.first_chunk().ok_or(too_short)?, body))
}

fn describe_image(file: &[u8]) -> Result<String, Reason> {
    let (header, body) = split(file)?;
    let header = image::Header::read(header)?;
    let mut text = String::new();
    row(&mut text, "kind", "system image");
    row(&mut text, "version", header.version);
    row(&mut text, "security version", header.security_version);
    row(&mut text, "file", bytes(file.len() as u64));
    row(&mut text, "payload", bytes(header.payload_bytes));
    row(&mut text, "unpacked", bytes(header.unpacked_bytes));
    hashes(&mut text, "payload hash", &header.payload_hash, body);

    if header.unpacked_bytes > UNPACKED_BYTES_MAX {
        return Err(Reason::TooLarge(header.unpacked_bytes));
    }
    let mut unpacked = vec![0; header.unpacked_bytes as usize];
    image::unpack_unverified(body, &mut unpacked)?;
    row(&mut text, "unpacked hash", Hex(&hash(&unpacked)));
    let archive = Archive::parse(&unpacked)?;
    for entry in archive.iter() {
        let _ = writeln!(
            text,
            "\n{} ({})",
            entry.name,
            bytes(entry.contents.len() as u64)
        );
        let mut about = String::new();
        row(&mut about, "hash", Hex(&hash(entry.contents)));
        describe_entry(&mut about, entry.name.as_str(), entry.contents);
        for line in about.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    Ok(text)
}

fn describe_entry(text: &mut String, name: &str, contents: &[u8]) {
    match name {
        archive::KERNEL => describe_elf(text, contents),
        archive::KERNEL_SYMBOLS => match Symbols::parse(contents) {
            Ok(symbols) => row(text, "symbols", symbols.count()),
            Err(error) => row(text, "malformed", error),
        },
        archive::ANCHORS => match Anchors::parse(contents) {
            Ok(anchors) => anchors.iter().for_each(|(name, keys)| {
                let fingerprint = PublicKeys::from_bytes(keys).hash();
                row(
                    text,
                    "trusts",
                    format_args!("{name}, fingerprint {}", Hex(&fingerprint)),
                );
            }),
            Err(error) => row(text, "malformed", error),
        },
        _ if name.starts_with(archive::LISTS) => match describe_list(contents) {
            Ok(list) => text.push_str(&list),
            Err(reason) => row(text, "malformed", reason),
        },
        _ => describe_elf(text, contents),
    }
}

fn describe_list(file: &[u8]) -> Result<String, Reason> {
    let (header, body) = split(file)?;
    let header = list::Header::read(header)?;
    let mut text = String::new();
    row(&mut text, "kind", "list of modules");
    row(&mut text, "publisher", header.publisher);
    row(&mut text, "file", bytes(file.len() as u64));
    row(&mut text, "body", bytes(header.body_bytes));
    hashes(&mut text, "body hash", &header.body_hash, body);
    for manifest in List::read(header.publisher, body)?.iter() {
        text.push('\n');
        describe_manifest(&mut text, &manifest);
    }
    Ok(text)
}

fn describe_manifest(text: &mut String, manifest: &Manifest) {
    row(text, "module", manifest.name);
    row(text, "version", manifest.version);
    row(text, "security version", manifest.security_version);
    row(text, "priority", manifest.priority);
    row(
        text,
        "quota",
        format_args!("{} pages", manifest.quota_pages),
    );
    row(text, "needs", needs_text(manifest.needs));
    row(text, "ELF hash", Hex(&manifest.elf_hash));
}

fn describe_elf(text: &mut String, file: &[u8]) {
    let executable = match Executable::parse(file) {
        Ok(executable) => executable,
        Err(refusal) => return row(text, "not executable", refusal),
    };
    row(text, "memory", bytes(executable.memory_bytes()));
    for segment in executable.segments() {
        let access = match segment.access {
            Access::Read => "R",
            Access::ReadWrite => "RW",
            Access::ReadExecute => "RX",
        };
        let (start, end) = (segment.virtual_offset, segment.page_end());
        row(
            text,
            "segment",
            format_args!("{start:#08x}..{end:#08x} {access}"),
        );
    }
    if let Some(relro) = executable.relro() {
        row(
            text,
            "RELRO",
            format_args!("{:#08x}..{:#08x}", relro.start, relro.end),
        );
    }
    row(text, "entry", format_args!("{:#x}", executable.entry()));
    row(text, "relocations", executable.relocations().count());
}

fn hashes(text: &mut String, title: &str, claimed: &[u8; 32], body: &[u8]) {
    row(text, title, Hex(claimed));
    let found = hash(body);
    if found != *claimed {
        row(
            text,
            "but found",
            format_args!("{} over {}", Hex(&found), bytes(body.len() as u64)),
        );
    }
}

fn row(text: &mut String, title: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{title:<17} {value}");
}

fn bytes(count: u64) -> String {
    format!("{count} bytes")
}
