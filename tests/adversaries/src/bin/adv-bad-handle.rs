//! Forges handles: every slot with many generations, and small values in every system call that takes a handle.
#![no_std]
#![no_main]

use adversaries::{Random, console, say, succeeded};
use nonos_abi::{Error, Handle, Syscall, start};
use nonos_rt::syscall;

nonos_rt::entry!(main);

/// Slots that a handle can name.
const SLOTS: u16 = 1 << Handle::INDEX_BITS;
/// Calls whose first argument is a handle and whose others are not looked at before it.
const CALLS: [Syscall; 14] = [
    Syscall::HandleClose,
    Syscall::HandleCopy,
    Syscall::HandleInfo,
    Syscall::MemoryMap,
    Syscall::ProcessCreate,
    Syscall::ProcessKill,
    Syscall::EndpointBadge,
    Syscall::Reply,
    Syscall::Receive,
    Syscall::NotificationSignal,
    Syscall::NotificationWait,
    Syscall::PortRead,
    Syscall::InterruptAcknowledge,
    Syscall::PowerOff,
];

fn main() -> u64 {
    // Before the console is connected the table holds two handles, whose values are known.
    let (mut forged, mut random) = (0_u64, Random(1));
    let mut found = None;
    for index in 0..SLOTS {
        for round in 0..8 {
            let generation = match round {
                0..6 => round,
                6 => Handle::LAST_GENERATION,
                _ => random.draw() as u32 & Handle::LAST_GENERATION,
            };
            let handle = Handle::new(index, generation);
            if handle == start::SELF || handle == start::PARENT {
                continue;
            }
            forged += 1;
            if syscall::handle_info(handle) != Err(Error::NoHandle) {
                found.get_or_insert(("HandleInfo", handle));
            }
        }
    }
    for call in CALLS {
        for handle in (0..64).map(|index| Handle::new(index, 1 + random.draw() as u32 % 1000)) {
            forged += 1;
            // SAFETY: the first check refuses the handle; without it none of these calls writes memory of this
            // process or unmaps any.
            let (error, ..) =
                unsafe { syscall::raw(call as u64, [handle.raw().into(), 0, 0, 0, 0, 0]) };
            if Error::from_raw(error) != Some(Error::NoHandle) {
                found.get_or_insert(("a call", handle));
            }
        }
    }
    let mut terminal = console();
    if let Some((call, handle)) = found {
        return succeeded(
            &mut terminal,
            format_args!("{call} took {:#x}", handle.raw()),
        );
    }
    say(
        &mut terminal,
        format_args!("denied: {} ({forged} forged handles)", Error::NoHandle),
    );
    0
}
