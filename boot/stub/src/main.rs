//! The stub in front of the boot loader: unpacks it, gives its pages their access, and jumps to it. See the library.
#![cfg_attr(target_os = "uefi", no_std, no_main)]

#[cfg(target_os = "uefi")]
mod firmware;

/// On the host the package is a library with tests.
#[cfg(not(target_os = "uefi"))]
fn main() {
    eprintln!("nonos-boot-stub runs under UEFI; build it for x86_64-unknown-uefi");
    std::process::exit(2);
}
