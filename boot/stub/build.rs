//! Link options of the boot loader's stub.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|system| system == "uefi") {
        // Same sources, same bytes: a hash of the contents where PE has the time of the build.
        println!("cargo::rustc-link-arg-bins=/Brepro");
    }
}
