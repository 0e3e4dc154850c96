//! Turns `system.toml` into the policy table of `init`, for the system that `NONOS_SYSTEM` names (`console` when it names none).

#![forbid(unsafe_code)]

use std::path::Path;
use std::{env, fs};

#[path = "src/compile.rs"]
mod compile;
#[path = "src/services.rs"]
#[allow(dead_code, reason = "the build asks for less than the program")]
mod services;

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package lies");
    let source = Path::new(&folder).join("../../system.toml");
    let system = env::var("NONOS_SYSTEM").unwrap_or_else(|_| "console".to_owned());
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-env-changed=NONOS_SYSTEM");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/compile.rs");
    println!("cargo::rerun-if-changed=src/services.rs");
    let text = fs::read_to_string(&source).expect("system.toml lies at the root");
    let policy =
        compile::compile(&text, &system).unwrap_or_else(|error| panic!("system.toml: {error}"));
    let out = env::var("OUT_DIR").expect("cargo says where results go");
    fs::write(Path::new(&out).join("policy.rs"), policy).expect("the target folder is writable");
}
