//! The small program has an entry of its own.

fn main() {
    println!("cargo::rustc-link-arg-bin=linux-small=-nostartfiles");
    println!("cargo::rerun-if-changed=build.rs");
}
