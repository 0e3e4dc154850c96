//! Asks `init` for all that was not granted, and the console for what the user types.
#![no_std]
#![no_main]

use adversaries::{console, say, succeeded};
use nonos_abi::{Name, Rights, start};
use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::Error;
use nonos_rt::terminal::Terminal;
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

const NOT_GRANTED: CallError = CallError::Refused(Refusal::NotGranted);

fn main() -> u64 {
    let mut terminal = console();
    let shell = Name::new("adv-null").unwrap_or_default();
    let need = Name::new("power").unwrap_or_default();
    let asked = [
        ("system information", parent::system_info().err()),
        ("kernel layout", parent::kernel_layout().err()),
        ("power", Some(parent::power_off(false))),
        ("the log", parent::log().err()),
        ("the serial port", parent::serial().err()),
        ("the PS/2 controller", parent::ps2().err()),
        ("the frame buffer", parent::screen().err()),
        ("the record of denials", parent::audit().err()),
        ("running a module", parent::spawn(shell).err()),
        ("to end a process", parent::kill(2).err()),
        ("to allow itself more", parent::allow(2, need, 0).err()),
        ("to take from others", parent::revoke(2, need).err()),
        ("what the system runs", parent::service(0).err()),
        ("what others may have", parent::needs(2).err()),
        ("to be the console", parent::serve("console").err()),
        ("handles to the console", parent::issue("console").err()),
        ("who calls a service", parent::client(2).err()),
        ("what the user types", terminal.poll().err()),
        ("to wait for what the user types", terminal.read().err()),
    ];
    for (what, refusal) in asked {
        if !denied(&mut terminal, what, refusal, NOT_GRANTED) {
            return adversaries::SUCCEEDED;
        }
    }
    let without_grant = CallError::Unreachable(Error::MissingRight);
    let copied = syscall::handle_copy(start::PARENT, Rights::ALL, 0).err();
    let ended = syscall::process_start(start::SELF, [0, 0]).err();
    for (what, error) in [("a copy of PARENT", copied), ("to start itself", ended)] {
        let refusal = error.map(CallError::Unreachable);
        if !denied(&mut terminal, what, refusal, without_grant) {
            return adversaries::SUCCEEDED;
        }
    }
    0
}

/// Says what came of it; false when it was not refused as it should be.
fn denied(
    terminal: &mut Terminal,
    what: &str,
    refusal: Option<CallError>,
    expected: CallError,
) -> bool {
    match refusal {
        Some(refusal) if refusal == expected => {
            say(terminal, format_args!("denied: {what}: {refusal}"));
            true
        }
        Some(refusal) => {
            succeeded(
                terminal,
                format_args!("{what}: refused for another reason: {refusal}"),
            );
            false
        }
        None => {
            succeeded(terminal, format_args!("got {what}"));
            false
        }
    }
}
