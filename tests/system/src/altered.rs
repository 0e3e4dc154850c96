//! Kernels that are attacked: the one of this checkout with a few bytes changed, properly signed with the tests' keys. Nothing in a
//! kernel that a user boots helps an attacker.

use crate::images::Image;
use nonos_image::archive;
use std::fs;
use xtask::elf;
use xtask::harden::code::Code;

/// A system image whose kernel has some of its bytes changed. Who changes them is told where in the file functions are.
pub fn system_image(
    image: &Image,
    alter: impl FnOnce(&mut Vec<u8>, &dyn Fn(&str) -> usize),
) -> Vec<u8> {
    let linked = fs::read(&image.files.kernel_debug).expect("the build leaves the linked kernel");
    let code = Code::read(&linked).expect("the kernel can be read");
    let mut kernel = image.entry(archive::KERNEL);
    let original = kernel.clone();
    let place = |name: &str| {
        let address = code
            .find(name)
            .unwrap_or_else(|| panic!("no function {name}"));
        elf::place(&original, address).expect("the function is loaded")
    };
    alter(&mut kernel, &place);
    image.with_entries(&[(archive::KERNEL, kernel)])
}

/// Puts other code there, where the first bytes must be these.
#[track_caller]
pub fn replace(kernel: &mut [u8], start: usize, expected: &[u8], code: &[u8]) {
    assert!(
        kernel[start..].starts_with(expected),
        "other code at {start:#x}"
    );
    kernel[start..start + code.len()].copy_from_slice(code);
}
