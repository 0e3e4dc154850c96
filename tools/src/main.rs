//! `nonos-image`: makes keys; signs, verifies and shows system images and lists of modules.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use nonos_abi::Name;
use nonos_tools::commands::{self, Parts, Trust};
use nonos_tools::{Error, files, manifest};

/// Make keys; sign, verify and inspect NØNOS system images and lists of modules.
#[derive(Parser)]
#[command(name = "nonos-image", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new pair of secret keys (Ed25519 and ML-DSA-65). Never overwrites a file.
    Keygen {
        /// Secret key file to write, readable by its owner only.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Public key file to write.
        #[arg(long, value_name = "FILE")]
        public: Option<PathBuf>,
    },
    /// Show the public keys that belong to secret keys.
    Public {
        /// Secret key file.
        key: PathBuf,
        /// Public key file to write.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Pack and sign a system image, from an archive or from its parts.
    SignImage {
        #[command(flatten)]
        contents: Contents,
        /// Secret key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// Version for people.
        #[arg(long, value_name = "TEXT", value_parser = manifest::name)]
        image_version: Name,
        /// Security version: machines that have booted a higher one refuse the image.
        #[arg(long, value_name = "NUMBER")]
        security_version: u64,
        /// Image to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign the list of a publisher's modules, each from a manifest and an ELF file.
    ///
    /// A manifest is TOML with the keys name, publisher, version, security-version, priority (0 to 31),
    /// quota-pages and needs (a list of words).
    SignList {
        /// Manifest of a module, and its static position-independent executable for x86_64. Repeatable.
        #[arg(long = "module", value_name = "MANIFEST=ELF", value_parser = files_pair, required = true)]
        modules: Vec<(PathBuf, PathBuf)>,
        /// Secret key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// List to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Verify a system image and every module in it.
    VerifyImage {
        /// Image.
        file: PathBuf,
        /// Public key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
    /// Verify a list of modules.
    VerifyList {
        /// List.
        file: PathBuf,
        #[command(flatten)]
        trust: TrustArguments,
    },
    /// Show what an image or a list of modules holds. Verifies nothing unless keys are given.
    Inspect {
        /// Image or list.
        file: PathBuf,
        /// Public key file: verify first.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
}

#[derive(Args)]
struct Contents {
    /// A whole archive, as a build wrote it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kernel", "symbols", "anchors", "lists", "modules"])]
    archive: Option<PathBuf>,
    /// The kernel's ELF.
    #[arg(long, value_name = "FILE", required_unless_present = "archive")]
    kernel: Option<PathBuf>,
    /// The kernel's symbol table.
    #[arg(long, value_name = "FILE")]
    symbols: Option<PathBuf>,
    /// A publisher whose modules the system runs, with its public key file. Repeatable.
    #[arg(long = "anchor", value_name = "NAME=FILE", value_parser = named_file)]
    anchors: Vec<(Name, PathBuf)>,
    /// A publisher's signed list of modules. Repeatable.
    #[arg(long = "list", value_name = "FILE")]
    lists: Vec<PathBuf>,
    /// A module with its ELF. Repeatable.
    #[arg(long = "module", value_name = "NAME=FILE", value_parser = named_file)]
    modules: Vec<(Name, PathBuf)>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct TrustArguments {
    /// Trust anchors, as the archive of an image has them.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Public key file of the publisher.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

fn named_file(text: &str) -> Result<(Name, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=FILE")?;
    Ok((manifest::name(name)?, path.into()))
}

fn files_pair(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (manifest, elf) = text.split_once('=').ok_or("expected MANIFEST=ELF")?;
    Ok((manifest.into(), elf.into()))
}

fn run(command: Command) -> Result<String, Error> {
    match command {
        Command::Keygen { out, public } => commands::keygen(&out, public.as_deref()),
        Command::Public { key, out } => commands::public(&key, out.as_deref()),
        Command::SignImage {
            contents,
            keys,
            image_version,
            security_version,
            out,
        } => {
            warn_if_readable(&keys);
            let archive = match contents.archive {
                Some(path) => commands::read_archive(&path)?,
                None => commands::archive(&Parts {
                    kernel: contents.kernel.unwrap_or_default(),
                    symbols: contents.symbols,
                    anchors: contents.anchors,
                    lists: contents.lists,
                    modules: contents.modules,
                })?,
            };
            commands::sign_image(&archive, &keys, image_version, security_version, &out)
        }
        Command::SignList { modules, keys, out } => {
            warn_if_readable(&keys);
            commands::sign_list(&modules, &keys, &out)
        }
        Command::VerifyImage { file, keys } => commands::verify_image(&file, &keys),
        Command::VerifyList { file, trust } => {
            let trust = match (trust.anchors, trust.keys) {
                (Some(path), _) => Trust::Anchors(path),
                (None, keys) => Trust::Keys(keys.unwrap_or_default()),
            };
            commands::verify_list(&file, &trust)
        }
        Command::Inspect { file, keys } => commands::inspect(&file, keys.as_deref()),
    }
}

fn warn_if_readable(keys: &std::path::Path) {
    if files::is_readable_by_others(keys) {
        eprintln!(
            "nonos-image: warning: {}: others can read these secret keys (chmod 600)",
            keys.display()
        );
    }
}

fn main() -> ExitCode {
    let result = run(Cli::parse().command);
    match result {
        // A closed pipe is no failure of the command.
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nonos-image: {error}");
            ExitCode::FAILURE
        }
    }
}
