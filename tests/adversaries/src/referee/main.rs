//! The referee: runs in place of `init`, with every root handle, and has partners do what no single process can try.
//!
//! It alone can make processes, lend and take back across them, end them at the worst moment and count afterwards what
//! they left behind. Each part says in the kernel's log what came of it; the tests read the serial line.
#![no_std]
#![no_main]

mod churn;
mod clocks;
mod delegation;
mod devices;
mod partner;
mod revocation;
mod scheduling;
mod windows;

use core::fmt::{Arguments, Write};

use adversaries::calls::{self, Result, clock};
use adversaries::verdict::{Output, Verdicts};
use nonos_abi::info::{CpuStatus, Topic};
use nonos_abi::words::Words;
use nonos_abi::{Error, Handle, start};
use nonos_rt::log::Line;
use nonos_rt::syscall;

nonos_rt::entry!(main);

/// The kernel's log.
pub struct Log;

impl Output for Log {
    fn line(&mut self, text: Arguments<'_>) {
        let mut line = Line::new();
        let _ = line.write_fmt(text);
        let _ = syscall::log_write(start::LOG, line.as_str().as_bytes());
    }
}

/// A part: with the module of the partners.
type Part = fn(&mut Verdicts<Log>, Handle) -> Result<()>;

const PARTS: [(&str, Part); 20] = [
    ("device windows", windows::windows),
    ("grants", delegation::grants),
    ("records", delegation::records),
    ("foreign handles", delegation::foreign),
    ("passing on", delegation::passing_on),
    ("audit", delegation::audit),
    ("devices", devices::devices),
    ("device leases", devices::leases),
    ("blocked processes", revocation::blocked),
    ("killed callers", revocation::killed_callers),
    ("use during revoke", revocation::used),
    ("mappings during revoke", revocation::mapped),
    ("expired mappings", revocation::outlived),
    ("clocks", clocks::clocks),
    ("running everywhere", scheduling::everywhere),
    ("budget theft", scheduling::theft),
    ("budget theft by children", scheduling::theft_by_children),
    ("threads ended while they run", churn::threads_ended),
    ("processes killed while they run", churn::killed_running),
    ("ten thousand processes", churn::ten_thousand),
];

fn main() -> u64 {
    let mut log = Log;
    match read::<CpuStatus>(Topic::Cpu, 0) {
        Ok(status) => log.line(format_args!("CPUs: {}", status.cpus)),
        Err(error) => log.line(format_args!("BROKEN: CPUs: {error}")),
    }
    let partner = syscall::module_admit(start::ARCHIVE, "partner");
    for (name, part) in PARTS {
        log.line(format_args!("part: {name}"));
        let before = clock();
        let mut verdicts = Verdicts::new(Log);
        verdicts.part(name, |verdicts| part(verdicts, partner?));
        let (shown, failed) = verdicts.counts();
        let ms = (clock() - before) / calls::MS;
        log.line(format_args!(
            "part ended: {name}: {shown} shown, {failed} failed, {ms} ms"
        ));
    }
    log.line(format_args!("the referee has finished"));
    loop {
        calls::sleep(1000 * calls::MS);
    }
}

/// A record about the system.
pub fn read<T: Words>(topic: Topic, index: u64) -> Result<T> {
    let mut words = [0; 32];
    syscall::system_read(
        start::SYSTEM_INFO,
        topic as u64,
        index,
        &mut words[..T::COUNT],
    )?;
    T::read_words(&words).ok_or(Error::InvalidArgument)
}
