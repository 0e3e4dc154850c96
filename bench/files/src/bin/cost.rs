//! What reading and writing a file costs beside bare AES-256-GCM, and what small files cost the more there are.
//!
//! Under instruction counting a nanosecond of the clock is an instruction.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::fmt::Write;

use nonos_abi::Name;
use nonos_crypto::Secret;
use nonos_crypto::aead::Aes256Gcm;
use nonos_proto::CallError;
use nonos_proto::files::{how, rights};
use nonos_rt::files::{File, Place};
use nonos_rt::random;
use nonos_rt::syscall::clock_ns;
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

/// Bytes that go with one call.
const CALL: usize = 64 * 1024;
/// Calls.
const CALLS: u64 = 16;
/// Bytes of a block, as the file system encrypts.
const BLOCK: usize = 4096;
/// Small files in one step, and steps.
const FILES: u64 = 1000;
const STEPS: u64 = 10;

fn main() -> u64 {
    let Ok(mut terminal) = Terminal::connect() else {
        return 1;
    };
    let outcome = measure(&mut terminal);
    let _ = match outcome {
        Ok(()) => writeln!(terminal, "files: end"),
        Err(error) => writeln!(terminal, "files: failed {error}\nfiles: end"),
    };
    let _ = terminal.flush();
    // Another would start.
    loop {
        let _ = nonos_rt::syscall::sleep_until(u64::MAX);
    }
}

/// Instructions of what is done.
fn cost<T>(what: impl FnOnce() -> T) -> (u64, T) {
    let before = clock_ns();
    let done = what();
    (clock_ns() - before, done)
}

fn measure(terminal: &mut Terminal) -> Result<(), CallError> {
    let mut bytes = [0x5A; CALL];
    let mut cipher = Aes256Gcm::new(Secret::random(&mut random::Kernel), &mut random::Kernel);
    let mut failed = false;
    let (bare, ()) = cost(|| {
        for _ in 0..CALLS {
            for block in bytes.chunks_mut(BLOCK) {
                failed |= cipher.seal(b"sixteen bytes ..", block).is_err();
            }
        }
    });
    let home = Place::Documents.open()?;
    let with = rights::ALL | how::CREATE;
    let file = home.open("large", with)?;
    let (write, done) =
        cost(|| (0..CALLS).try_for_each(|call| file.write(call * CALL as u64, &bytes)));
    done?;
    let (again, done) =
        cost(|| (0..CALLS).try_for_each(|call| file.write(call * CALL as u64, &bytes)));
    done?;
    let (read, done) = cost(|| {
        (0..CALLS).try_for_each(|call| {
            let count = file.read(call * CALL as u64, &mut bytes)?;
            if count == CALL {
                Ok(())
            } else {
                Err(CallError::BadReply)
            }
        })
    });
    done?;
    for (name, value) in [
        ("bare", bare),
        ("write", write),
        ("overwrite", again),
        ("read", read),
    ] {
        let _ = writeln!(terminal, "files: {name} {value}");
    }
    if failed {
        return Err(CallError::BadReply);
    }
    drop(file);
    home.remove("large")?;
    small_files(terminal, &home)
}

fn small_files(terminal: &mut Terminal, home: &File) -> Result<(), CallError> {
    for step in 0..STEPS {
        let (made, done) = cost(|| each(step, |name| make(home, name)));
        done?;
        let (listed, done) = cost(|| {
            let mut count = 0;
            home.list(|_| {
                count += 1;
                true
            })
            .map(|()| count)
        });
        let count = done?;
        if count != (step + 1) * FILES {
            return Err(CallError::BadReply);
        }
        let _ = writeln!(terminal, "files: make-{step} {}", made / FILES);
        let _ = writeln!(terminal, "files: list-{step} {}", listed / count);
    }
    for step in (0..STEPS).rev() {
        let (removed, done) = cost(|| each(step, |name| home.remove(name)));
        done?;
        let _ = writeln!(terminal, "files: remove-{step} {}", removed / FILES);
    }
    Ok(())
}

/// A small file with something in it.
fn make(home: &File, name: &str) -> Result<(), CallError> {
    let with = rights::WRITE | how::CREATE | how::NEW;
    home.open(name, with)?.write(0, b"a small file")
}

/// For each name of a step.
fn each(step: u64, mut what: impl FnMut(&str) -> Result<(), CallError>) -> Result<(), CallError> {
    for number in step * FILES..(step + 1) * FILES {
        // Names of one length, so that they cost the same.
        let mut digits = *b"file-00000";
        let mut rest = number;
        for digit in digits[5..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let text = core::str::from_utf8(&digits).unwrap_or("");
        let name = Name::new(text).ok_or(CallError::BadReply)?;
        what(name.as_str())?;
    }
    Ok(())
}
