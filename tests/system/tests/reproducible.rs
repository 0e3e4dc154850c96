//! The same sources give the same payload, wherever they lie.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;
use system_tests::images;
use xtask::build::Tree;
use xtask::keys::Keys;
use xtask::paths;

#[test]
fn two_folders_with_the_same_sources_give_the_same_payload() {
    let keys = Keys::developer().expect("keys can be made");
    // Of another length than this checkout's path, so that a path in the payload would shift it, too.
    let copy = images::folder().join("the-same-sources-somewhere-else");
    copy_sources(&paths::root(), &copy);
    let here = payload(Tree::here(), &keys);
    let there = payload(
        Tree {
            target: copy.join("target"),
            root: copy,
        },
        &keys,
    );
    assert_eq!(here.len(), there.len(), "the payloads differ in length");
    let difference = here.iter().zip(&there).position(|(a, b)| a != b);
    assert_eq!(difference, None, "the payloads differ from this byte on");
}

fn payload(tree: Tree, keys: &Keys) -> Vec<u8> {
    let root = tree.root.display().to_string();
    xtask::image::unsigned_payload(tree, keys)
        .unwrap_or_else(|error| panic!("build in {root}: {error:?}"))
}

/// Copies what git tracks or would track, with its dates, so that a later run builds only what changed.
fn copy_sources(from: &Path, to: &Path) {
    forget_sources(to);
    let list = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(from)
        .output()
        .expect("git can be started");
    assert!(
        list.status.success(),
        "git: {}",
        String::from_utf8_lossy(&list.stderr)
    );
    for file in list
        .stdout
        .split(|byte| *byte == 0)
        .filter(|file| !file.is_empty())
    {
        let file = Path::new(std::str::from_utf8(file).expect("file names are ASCII"));
        // Tracked, but deleted: not part of the sources as they are.
        let Ok(mut source) = File::open(from.join(file)) else {
            continue;
        };
        let copy = to.join(file);
        let copied = (|| {
            fs::create_dir_all(copy.parent().unwrap_or(to))?;
            let mut copy = File::create(&copy)?;
            io::copy(&mut source, &mut copy)?;
            copy.set_modified(source.metadata()?.modified()?)
        })();
        copied.unwrap_or_else(|error| panic!("copy {}: {error}", file.display()));
    }
}

/// Removes an earlier copy, but for what was built from it.
fn forget_sources(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            fs::remove_dir_all(&path).expect("target/ is writable");
        } else if path.is_file() {
            fs::remove_file(&path).expect("target/ is writable");
        }
    }
}
