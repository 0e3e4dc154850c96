//! Whether the same sources give the same payload, wherever they lie.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use crate::build::Tree;
use crate::image;
use crate::keys::Keys;
use crate::paths;
use crate::process::capture;

/// Builds the payload of this checkout and of a copy of its sources, in a folder whose path has another length, so that a path in the payload
/// would shift it, too.
///
/// # Errors
/// When the sources cannot be copied, or not be built.
pub fn check(keys: &Keys, copy: &Path) -> Result<Finding> {
    copy_sources(&paths::root(), copy).context("copy the sources")?;
    let here = image::unsigned_payload(Tree::here(), keys)?;
    let tree = Tree {
        target: copy.join("target"),
        root: copy.to_owned(),
    };
    let there = image::unsigned_payload(tree, keys)?;
    Ok(compare(&here, &there))
}

fn compare(here: &[u8], there: &[u8]) -> Finding {
    let claim = "same payload from another folder";
    let different = here.iter().zip(there).position(|(a, b)| a != b);
    let found = match different {
        Some(at) => format!("different from byte {at} on"),
        None if here.len() != there.len() => format!("{} and {} bytes", here.len(), there.len()),
        None => format!("{} bytes", here.len()),
    };
    (claim, here == there, found)
}

/// Copies what git tracks or would track, with its dates, so that a later run builds only what changed.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    forget_sources(to)?;
    let mut git = std::process::Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let list = capture(git.current_dir(from))?;
    for file in list.split('\0').filter(|file| !file.is_empty()) {
        // Tracked, but deleted: not part of the sources as they are.
        let Ok(mut source) = File::open(from.join(file)) else {
            continue;
        };
        let target = to.join(file);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        let mut target = File::create(&target)?;
        io::copy(&mut source, &mut target)?;
        target.set_modified(source.metadata()?.modified()?)?;
    }
    Ok(())
}

/// Removes an earlier copy, but for what was built from it.
fn forget_sources(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().is_file() {
            fs::remove_file(entry.path())?;
        } else if entry.file_name() != "target" {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn payloads_of_other_bytes_or_lengths_are_not_the_same() {
        assert!(compare(b"same", b"same").1);
        let (_, holds, found) = compare(b"same", b"some");
        assert!(!holds && found == "different from byte 1 on");
        let (_, holds, found) = compare(b"same", b"sam");
        assert!(!holds && found == "4 and 3 bytes");
    }
}
