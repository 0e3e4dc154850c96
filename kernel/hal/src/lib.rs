//! x86_64: all unsafe code of the kernel.
//!
//! `Hal` implements [`nonos_kernel_core::machine::Machine`] and adds entering user space. From the boot
//! loader control comes to `_start` in `entry.s`, then to `start.rs`, which checks the hand-over, sets the CPU
//! up, starts the other CPUs and calls the function named with [`entry!`], which ends with `Hal::run`.
//!
//! Soundness: whatever safe code asks of a `Hal`, the kernel's memory stays the kernel's.
//!
//! - Page tables lie in the kernel region and are reached by marked frame number only (`region.rs`), and map
//!   for user space only RAM that the boot loader left for programs and device memory (`machine.rs`).
//! - Frames of programs are not mapped in the kernel's half outside the windows (`private.rs`), which one
//!   `&mut` borrow guards.
//! - One CPU at a time runs the kernel: `Hal` and the logic are reached with the kernel lock held (`run.rs`). What CPUs
//!   do without it touches their own block and stacks, atomics (`cpus.rs`), and the registers of the thread
//!   that they run (`run.rs` says why nobody else does).
//! - Interrupts are off in the kernel; the only asynchronous entries are NMI and machine check, and they never
//!   return (`entry.s`).
//! - Devices reach memory of programs at most where the machine has IOMMUs (`iommu.rs`). Where it has none, a device that is told to can change
//!   whatever it likes, and `status` says so.
//! - No page of the kernel's half is both writable and executable; `audit.rs` walks them all at boot.
//!
//! What is pure (encodings, checks, arithmetic, page tables) builds for the host and is tested there.
#![cfg_attr(not(test), no_std)]
#![warn(missing_docs)]
// They keep the way of a call short: a function for the rare case that keeps all registers, and a second way out of `asm!`.
#![cfg_attr(target_os = "none", feature(rust_cold_cc, asm_goto_with_outputs))]
#![cfg_attr(not(target_os = "none"), allow(dead_code))]
#![cfg_attr(target_os = "none", deny(clippy::panic, clippy::expect_used))]

mod audit;
pub mod boot_info;
mod gdt;
mod lock;
mod memory;
mod ports;
mod region;
mod remapping;
mod space;
mod table;
mod time;

#[cfg(target_os = "none")]
mod apic;
#[cfg(target_os = "none")]
mod cet;
#[cfg(target_os = "none")]
mod clock;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod cpus;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod extended;
#[cfg(target_os = "none")]
mod generation;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod io_apic;
#[cfg(target_os = "none")]
mod iommu;
#[cfg(target_os = "none")]
mod isolation;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod mitigations;
#[cfg(target_os = "none")]
mod private;
#[cfg(target_os = "none")]
mod protection;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod screen;
#[cfg(target_os = "none")]
mod serial;
#[cfg(target_os = "none")]
mod smp;
#[cfg(target_os = "none")]
mod stack_guard;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod stop;
#[cfg(target_os = "none")]
mod thunks;

#[cfg(target_os = "none")]
pub use machine::Hal;
#[cfg(target_os = "none")]
#[doc(hidden)]
pub use report::stop_because;
#[cfg(target_os = "none")]
pub use run::Logic;

/// On the host, where tests run, a panic.
#[cfg(not(target_os = "none"))]
#[doc(hidden)]
pub fn stop_because(reason: core::fmt::Arguments<'_>) -> ! {
    panic!("{reason}")
}

/// Stops the machine for good with a reason, written as for `format!`. A `panic!` in the kernel stops it, too, but says only where.
#[macro_export]
macro_rules! stop {
    ($($reason:tt)+) => { $crate::stop_because(format_args!($($reason)+)) };
}

/// Names the kernel's main function: `fn main(machine: nonos_hal::Hal) -> !`.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        // SAFETY: the name is the project's own, and a second use of the macro does not link.
        #[unsafe(no_mangle)]
        fn nonos_kernel_main(machine: $crate::Hal) -> ! {
            let main: fn($crate::Hal) -> ! = $main;
            main(machine)
        }
    };
}
