//! One system call between two readings of the time-stamp counter.

use core::arch::global_asm;
use core::mem::offset_of;

use nonos_abi::message::{MESSAGE_HANDLES, MESSAGE_WORDS};
use nonos_abi::{Error, Handle, MessageInfo, Syscall};

/// Difference of the readings when nothing but the moves around a system call is between them, with one count per
/// instruction. Another value means that the counter does not count instructions.
pub const OVERHEAD: u64 = 9;

/// How many of these come before the system call.
pub const OVERHEAD_BEFORE: u64 = 7;

/// Registers before and after a system call, and when it was.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Timed {
    rax: u64,
    rdi: u64,
    rsi: u64,
    /// `rdx r10 r8 r9 r12 r13 r14 r15`: words of a message, or arguments 2 to 5 and others.
    pub words: [u64; MESSAGE_WORDS],
    rbx: u64,
    rbp: u64,
    before: u64,
    after: u64,
}

// SAFETY: the assembly below defines them.
unsafe extern "C" {
    /// Loads the registers, makes the system call between two readings, stores the registers and the readings.
    fn nonos_bench_call(timed: &mut Timed);
    /// The same without the system call.
    fn nonos_bench_nothing(timed: &mut Timed);
}

// SAFETY: both keep the registers that a function must keep, and write nothing but `timed` and their own stack.
global_asm!(
    ".macro timed name, call:vararg",
    ".pushsection .text.\\name, \"ax\", @progbits",
    ".type \\name, @function",
    "\\name:",
    "endbr64",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdi",
    "mov rcx, rdi",
    "mov rsi, [rcx + {rsi}]",
    "mov r10, [rcx + {words} + 8]",
    "mov r8, [rcx + {words} + 16]",
    "mov r9, [rcx + {words} + 24]",
    "mov r12, [rcx + {words} + 32]",
    "mov r13, [rcx + {words} + 40]",
    "mov r14, [rcx + {words} + 48]",
    "mov r15, [rcx + {words} + 56]",
    "mov rbx, [rcx + {rbx}]",
    "mov rbp, [rcx + {rbp}]",
    "rdtsc",
    // Seven counts (`OVERHEAD_BEFORE`): `rdtsc` and these six.
    "shl rdx, 32",
    "or rax, rdx",
    "mov [rcx + {before}], rax",
    "mov rax, [rcx + {rax}]",
    "mov rdx, [rcx + {words}]",
    "mov rdi, [rcx + {rdi}]",
    "\\call",
    "mov r11, rax",
    "mov rcx, rdx",
    "rdtsc",
    "shl rdx, 32",
    "or rdx, rax",
    "pop rax",
    "mov [rax + {after}], rdx",
    "mov [rax + {rax}], r11",
    "mov [rax + {words}], rcx",
    "mov [rax + {rdi}], rdi",
    "mov [rax + {rsi}], rsi",
    "mov [rax + {words} + 8], r10",
    "mov [rax + {words} + 16], r8",
    "mov [rax + {words} + 24], r9",
    "mov [rax + {words} + 32], r12",
    "mov [rax + {words} + 40], r13",
    "mov [rax + {words} + 48], r14",
    "mov [rax + {words} + 56], r15",
    "mov [rax + {rbx}], rbx",
    "mov [rax + {rbp}], rbp",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    "int3",
    ".size \\name, . - \\name",
    ".popsection",
    ".endm",
    "timed nonos_bench_call, syscall",
    "timed nonos_bench_nothing",
    rax = const offset_of!(Timed, rax),
    rdi = const offset_of!(Timed, rdi),
    rsi = const offset_of!(Timed, rsi),
    words = const offset_of!(Timed, words),
    rbx = const offset_of!(Timed, rbx),
    rbp = const offset_of!(Timed, rbp),
    before = const offset_of!(Timed, before),
    after = const offset_of!(Timed, after),
);

impl Timed {
    /// A system call with plain arguments.
    pub fn new(call: Syscall, arguments: [u64; 6]) -> Self {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        Self {
            rax: call as u64,
            rdi,
            rsi,
            words: [rdx, r10, r8, r9, 0, 0, 0, 0],
            rbx: 0,
            rbp: 0,
            before: 0,
            after: 0,
        }
    }

    /// A system call of IPC.
    pub fn message(
        call: Syscall,
        rdi: u64,
        info: MessageInfo,
        handles: [Handle; MESSAGE_HANDLES],
    ) -> Self {
        let pair = |index: usize| {
            u64::from(handles[index].raw()) | u64::from(handles[index + 1].raw()) << 32
        };
        Self {
            rsi: info.0,
            rbx: pair(0),
            rbp: pair(2),
            words: [1, 2, 3, 4, 5, 6, 7, 8],
            ..Self::new(call, [rdi, 0, 0, 0, 0, 0])
        }
    }

    /// Makes the call.
    ///
    /// # Safety
    /// It neither unmaps memory that is in use nor has the kernel write to any.
    ///
    /// # Errors
    /// The kernel's.
    pub unsafe fn make(&mut self) -> Result<(), Error> {
        // SAFETY: the function keeps the calling convention and touches `self` only; the caller answers for the call.
        unsafe { nonos_bench_call(self) };
        match self.rax {
            0 => Ok(()),
            number => Err(Error::from_raw(number).unwrap_or(Error::NotSupported)),
        }
    }

    /// Does everything but the call.
    pub fn skip(&mut self) {
        // SAFETY: the function keeps the calling convention and touches `self` only.
        unsafe { nonos_bench_nothing(self) }
    }

    /// Instructions from `syscall` to before the instruction after it.
    pub fn instructions(&self) -> u64 {
        self.between().saturating_sub(OVERHEAD)
    }

    /// Difference of the two readings.
    pub fn between(&self) -> u64 {
        self.after.wrapping_sub(self.before)
    }

    /// Instructions from `syscall` to before the instruction that read `tsc` elsewhere.
    pub fn until(&self, tsc: u64) -> u64 {
        tsc.wrapping_sub(self.before)
            .saturating_sub(OVERHEAD_BEFORE)
    }

    /// Result 0, or the badge.
    pub fn first(&self) -> u64 {
        self.rdi
    }

    /// Info of the message that arrived.
    pub fn info(&self) -> MessageInfo {
        MessageInfo(self.rsi)
    }

    /// The handles that arrived.
    pub fn handles(&self) -> [Handle; MESSAGE_HANDLES] {
        [self.rbx, self.rbx >> 32, self.rbp, self.rbp >> 32].map(|raw| Handle::from_raw(raw as u32))
    }
}
