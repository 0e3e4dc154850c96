//! Whether the same sources give the same bytes, wherever they lie.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Finding, without};
use crate::build::Tree;
use crate::image::{self, Entry};
use crate::keys::Keys;
use crate::paths;
use crate::process::capture;

/// Builds this checkout and a copy of its sources, in a folder whose path has another length, so that a path in a binary would shift it, too. What
/// was built of the copy is kept: the next time only what changed is built.
///
/// # Errors
/// When the sources cannot be copied, or not be built.
pub fn check(keys: &Keys) -> Result<Finding> {
    let copy = paths::target().join("the-same-sources-somewhere-else");
    copy_sources(&paths::root(), &copy).context("copy the sources")?;
    let here = image::parts(Tree::here(), keys)?;
    let tree = Tree {
        target: copy.join("target"),
        root: copy,
    };
    let there = image::parts(tree, keys)?;
    Ok(compare(&here, &there))
}

fn compare(here: &[Entry], there: &[Entry]) -> Finding {
    let mut different: Vec<_> = here
        .iter()
        .filter_map(|(name, bytes)| {
            let other = there.iter().find(|(other, _)| other == name);
            let other: &[u8] = other.map_or(&[], |(_, bytes)| bytes);
            let at = bytes.iter().zip(other).position(|(a, b)| a != b);
            let length = bytes.len().min(other.len());
            (bytes != other).then(|| format!("{name} from byte {} on", at.unwrap_or(length)))
        })
        .collect();
    if here.len() != there.len() {
        different.push(format!("{} and {} parts", here.len(), there.len()));
    }
    let bytes: usize = here.iter().map(|(_, bytes)| bytes.len()).sum();
    let counted = format!("{} parts, {bytes} bytes", here.len());
    without(
        "the same bytes when built in another folder",
        counted,
        &different,
    )
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
    use super::{Entry, compare};

    fn parts(parts: &[(&str, &[u8])]) -> Vec<Entry> {
        let owned = |(name, bytes): &(&str, &[u8])| ((*name).to_owned(), bytes.to_vec());
        parts.iter().map(owned).collect()
    }

    #[test]
    fn parts_with_other_bytes_or_lengths_are_not_the_same() {
        let built = parts(&[("kernel", b"same"), ("init", b"too")]);
        let (_, holds, found) = compare(&built, &built);
        assert!(holds && found == "2 parts, 7 bytes");
        for (other, difference) in [
            (
                parts(&[("kernel", b"some"), ("init", b"too")]),
                "kernel from byte 1 on",
            ),
            (
                parts(&[("kernel", b"same"), ("init", b"to")]),
                "init from byte 2 on",
            ),
            (
                parts(&[("kernel", b"same"), ("init", b"tool")]),
                "init from byte 3 on",
            ),
            (
                parts(&[("kernel", b"same")]),
                "init from byte 0 on, 2 and 1 parts",
            ),
        ] {
            let (_, holds, found) = compare(&built, &other);
            assert!(!holds && found == difference, "{found}");
        }
        let (_, holds, found) = compare(&built[..1], &built);
        assert!(!holds && found == "1 and 2 parts");
    }
}
