//! Takes the public update key from the file that `NONOS_UPDATE_KEY` names; without one nobody can approve of other systems.

#![forbid(unsafe_code)]

use std::path::Path;
use std::{env, fs};

/// Both coordinates of a point on P-256.
const KEY_BYTES: usize = 64;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NONOS_UPDATE_KEY");
    let key = env::var("NONOS_UPDATE_KEY").ok().map(|file| {
        println!("cargo::rerun-if-changed={file}");
        let key = fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(key.len(), KEY_BYTES, "{file} is no update key");
        key
    });
    let out = env::var("OUT_DIR").expect("cargo says where results go");
    let source = format!(
        "/// Whose holder may approve of other systems.\nconst UPDATE_KEY: Option<[u8; {KEY_BYTES}]> = {key:?};\n"
    );
    fs::write(Path::new(&out).join("update_key.rs"), source)
        .expect("the target folder is writable");
}
