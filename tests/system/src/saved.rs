//! Machines that start where another one was saved: at the shell's prompt, or in the firmware right before it
//! loads anything from the disk.
//!
//! Restoring takes a fraction of a second and gives every test a machine of its own. A saved machine is made
//! on first use and kept under the hash of everything it depends on: disk, variable store, firmware, description.

use crate::images;
use crate::machine::Machine;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use xtask::qemu::{FIRMWARE_CODE, MachineConfig, QEMU};

/// Makes the firmware wait for a key before it boots, for the longest time it can (milliseconds). Saving takes less.
const WAIT_FOR_KEY: [&str; 2] = ["-boot", "menu=on,splash-time=65000"];

/// Has a machine that counts instructions wait while its CPU is halted.
const SLEEPS: [&str; 2] = ["-icount", "sleep=on"];

/// A machine at the shell's first prompt.
pub fn at_prompt(config: &MachineConfig) -> Machine {
    Machine::restore(config.clone(), &[], &prompt(config))
}

/// The same machine, which counts its instructions from the boot loader on: the kernel measured its clocks in instructions. While its CPU is
/// halted its clock goes on as ours does, so that programs that wake from time to time let it rest between.
pub fn counting_at_prompt(config: &MachineConfig) -> Machine {
    counting_at_prompt_with(config, &[])
}

/// The same with further arguments for QEMU, which add no device.
pub fn counting_at_prompt_with(config: &MachineConfig, arguments: &[&str]) -> Machine {
    let counting = MachineConfig {
        icount: true,
        ..config.clone()
    };
    let saved = saved("counting", &counting, &[&config.disk], |file| {
        let firmware = firmware(config, &config.disk);
        let mut machine = Machine::restore(
            counting.clone(),
            &[WAIT_FOR_KEY, SLEEPS].concat(),
            &firmware,
        );
        machine.send("\r");
        machine.expect_prompt();
        machine.settle();
        machine.save(file);
    });
    Machine::restore(counting, &[&SLEEPS, arguments].concat(), &saved)
}

fn prompt(config: &MachineConfig) -> PathBuf {
    saved("prompt", config, &[&config.disk], |file| {
        let mut machine = Machine::start(config.clone());
        machine.expect_prompt();
        machine.save(file);
    })
}

/// A machine whose firmware goes on to load the boot loader from the disk in `config`. That disk must have files of the
/// same sizes as `like`, with which the machine was saved: the firmware may have read its directories already.
pub fn before_boot(config: &MachineConfig, like: &Path) -> Machine {
    let saved = firmware(config, like);
    let mut machine = Machine::restore(config.clone(), &WAIT_FOR_KEY, &saved);
    machine.send("\r");
    machine
}

fn firmware(config: &MachineConfig, like: &Path) -> PathBuf {
    saved("firmware", config, &[like], |file| {
        let mut machine = Machine::start_with(
            MachineConfig {
                disk: like.to_owned(),
                ..config.clone()
            },
            &WAIT_FOR_KEY,
        );
        // While it waits, the firmware draws a bar at the bottom of the screen, empty before.
        machine.wait_until("the firmware's boot prompt", |machine| {
            machine.picture().lower_part_is_drawn()
        });
        machine.save(file);
    })
}

/// The file with the saved machine; `make` makes it when it is not there.
fn saved(
    what: &str,
    config: &MachineConfig,
    contents: &[&Path],
    make: impl FnOnce(&Path),
) -> PathBuf {
    let mut key = blake3::Hasher::new();
    for file in contents
        .iter()
        .copied()
        .chain([config.vars.as_path(), Path::new(FIRMWARE_CODE)])
    {
        let file = File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        key.update_reader(file)
            .expect("a file that opens can be read");
    }
    let version = std::process::Command::new(QEMU)
        .arg("--version")
        .output()
        .expect("QEMU is installed");
    key.update(&version.stdout);
    let description = MachineConfig {
        disk: PathBuf::new(),
        vars: PathBuf::new(),
        ..config.clone()
    };
    key.update(format!("{what} {description:?}").as_bytes());

    let folder = images::folder().join("saved");
    let file = folder.join(key.finalize().to_hex().as_str());
    let _lock = images::lock(&format!("saved-{what}"));
    if !file.exists() {
        fs::create_dir_all(&folder).expect("target/ is writable");
        forget_old(&folder);
        let new = file.with_extension("new");
        make(&new);
        fs::rename(&new, &file).expect("target/ is writable");
    }
    file
}

/// Saved machines that no test asked for lately: those of images that exist no more. A running test has its file open.
fn forget_old(folder: &Path) {
    const KEPT: usize = 20;
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = files
        .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
        .collect();
    files.sort();
    let surplus = files.len().saturating_sub(KEPT);
    for (_, file) in &files[..surplus] {
        let _ = fs::remove_file(file);
    }
}
