//! Makes many system calls with random arguments, the same at every run.
//!
//! Left out is only what would end or block this program by its own wish: `Exit`, ending itself, a thread that starts
//! anywhere, waiting for what nobody sends, and closing the handles that it reports through.
#![no_std]
#![no_main]

use core::sync::atomic::AtomicU64;

use adversaries::{KERNEL_ADDRESS, Random, console, say};
use nonos_abi::{Handle, Message, MessageInfo, Syscall, USER_END, start};
use nonos_rt::syscall;

nonos_rt::entry!(main);

const CALLS: u64 = 200_000;
/// One more than the last system call.
const NUMBERS: u64 = Syscall::PowerOff as u64 + 1;
/// Handles of this program are in slots below; forged ones for calls that could block are above.
const OWN_SLOTS: u64 = 512;
/// Slots below hold what the program needs to report.
const KEPT_SLOTS: u64 = 16;

/// What pointers may name: the kernel writes to it, nobody reads it.
static BUFFER: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

fn main() -> u64 {
    let mut terminal = console();
    say(
        &mut terminal,
        format_args!("trying: {CALLS} random system calls"),
    );
    let mut random = Random(0x4E_4F4E_4F53);
    let (mut allowed, mut denied) = (0_u64, 0_u64);
    for _ in 0..CALLS {
        let number = match random.below(16) {
            0 => random.draw(),
            _ => random.below(NUMBERS + 8),
        };
        let arguments = core::array::from_fn(|_| argument(&mut random));
        match make(number, arguments, &mut random) {
            Some(true) => allowed += 1,
            Some(false) => denied += 1,
            None => {}
        }
    }
    say(
        &mut terminal,
        format_args!("survived: {denied} denied, {allowed} allowed"),
    );
    0
}

/// Makes the call, or `None` for one that is left out; tells whether it was allowed.
fn make(number: u64, mut arguments: [u64; 6], random: &mut Random) -> Option<bool> {
    let far = Handle::new((OWN_SLOTS + random.below(4096 - OWN_SLOTS)) as u16, 0);
    match Syscall::from_raw(number) {
        Some(Syscall::Exit | Syscall::ThreadCreate | Syscall::ThreadEnd) => return None,
        Some(Syscall::ProcessKill) => arguments[0] = far.raw().into(),
        Some(Syscall::HandleClose) if arguments[0] & 0xFFF < KEPT_SLOTS => return None,
        Some(Syscall::Sleep) => arguments[0] = random.below(1000),
        Some(Syscall::Receive | Syscall::NotificationWait | Syscall::ReplyReceive) => {
            arguments[0] = u64::from(far.raw()) | arguments[0] << 32;
        }
        Some(Syscall::Call) => {
            let endpoint = if random.below(4) == 0 {
                far
            } else {
                start::PARENT
            };
            let message = Message {
                info: MessageInfo(random.draw() & 0x0F_FFFF),
                words: core::array::from_fn(|_| argument(random)),
                handles: core::array::from_fn(|_| Handle::from_raw(argument(random) as u32)),
            };
            return Some(syscall::call(endpoint, &message).is_ok());
        }
        _ => {}
    }
    // SAFETY: pointers among the arguments name BUFFER, this program's code (which the kernel must not write) or
    // nothing that is mapped here; nothing refers to memory that the calls map and unmap.
    let (error, ..) = unsafe { syscall::raw(number, arguments) };
    Some(error == 0)
}

/// Something that a check could overlook.
fn argument(random: &mut Random) -> u64 {
    let buffer = BUFFER.as_ptr() as u64;
    match random.below(12) {
        0 => random.draw(),
        1 => KERNEL_ADDRESS + random.below(1 << 24),
        2 => u64::MAX - random.below(4096),
        3 => (1 << 47) - 8 + random.below(16),
        4 => USER_END - random.below(64),
        5 => buffer + random.below(4096),
        6 => main as *const () as u64,
        7 => random.below(4096) << Handle::INDEX_BITS | random.below(32),
        8 => 1 << random.below(64),
        9 => random.below(8) << 32 | random.below(32),
        _ => random.below(40),
    }
}
