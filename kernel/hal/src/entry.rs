//! Entering user space and coming back: the Rust side of `entry.s`.
//!
//! [`enter_user`] reads like a function call that returns when user space enters the kernel. The CPU's kernel
//! stack stays where it is; the entry stubs store the user's registers in the context and return from the call.

use core::arch::{asm, global_asm};
use core::mem::offset_of;
use core::ops::Range;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::remedy;
use nonos_abi::message::MESSAGE_WORDS;
use nonos_kernel_core::machine::UserContext;

use crate::cpu::{Msr, rflags};
use crate::cpus::CpuBlock;
use crate::interrupts::ENTRY_STACK;
use crate::{cet, gdt, report};

/// Vectors with a stub.
pub const VECTORS: usize = 112;

/// Bytes of a gate in the IDT.
pub const GATE_BYTES: usize = 16;

/// First vector that is no exception.
pub const FIRST_INTERRUPT: u64 = 32;

/// [`Exit::vector`] of a system call.
pub const SYSCALL: u64 = 256;

/// [`Exit::vector`] of a thread whose instruction pointer is none of user space: as if its next instruction had failed.
const REFUSED: u64 = 13;

/// Ways in and out that are others on CPUs with certain flaws.
const DETOURS: usize = 10;

/// Why a stay in user space or a wait ended.
#[derive(Clone, Copy)]
pub struct Exit {
    /// Vector, or [`SYSCALL`].
    pub vector: u64,
    /// Error code, or 0.
    pub error: u64,
}

// SAFETY: `entry.s` defines them: functions that are called with these arguments or jumped to by the CPU only, and tables of this size.
unsafe extern "C" {
    fn nonos_enter_user();
    fn nonos_idle();
    fn nonos_syscall();
    fn nonos_syscall_shadow();
    fn nonos_cpu_start();
    static nonos_stubs: [[u8; 16]; VECTORS];
    static nonos_idt: [[u64; 2]; VECTORS];
    static nonos_detours: [[u32; 3]; DETOURS];
    fn nonos_forget_predictions();
    /// The linker's name for the end of all code.
    static etext: u8;
}

// SAFETY: it holds the invariants at the top of `entry.s`; offsets of fields and addresses of functions are the compiler's.
global_asm!(
    include_str!("entry.s"),
    start = sym crate::start::start,
    start_cpu = sym crate::smp::start_cpu,
    fatal = sym report::fatal,
    kernel_rsp = const offset_of!(CpuBlock, kernel_rsp),
    context = const offset_of!(CpuBlock, context),
    user_rsp = const offset_of!(CpuBlock, user_rsp),
    user_cr3 = const offset_of!(CpuBlock, user_cr3),
    kernel_cr3 = const offset_of!(CpuBlock, kernel_cr3),
    keep_cached = const offset_of!(CpuBlock, keep_cached),
    entry_stack = const offset_of!(CpuBlock, task) + ENTRY_STACK,
    rax = const offset_of!(UserContext, rax),
    rbx = const offset_of!(UserContext, rbx),
    rcx = const offset_of!(UserContext, rcx),
    rdx = const offset_of!(UserContext, rdx),
    rsi = const offset_of!(UserContext, rsi),
    rdi = const offset_of!(UserContext, rdi),
    rbp = const offset_of!(UserContext, rbp),
    r8 = const offset_of!(UserContext, r8),
    r9 = const offset_of!(UserContext, r9),
    r10 = const offset_of!(UserContext, r10),
    r11 = const offset_of!(UserContext, r11),
    r12 = const offset_of!(UserContext, r12),
    r13 = const offset_of!(UserContext, r13),
    r14 = const offset_of!(UserContext, r14),
    r15 = const offset_of!(UserContext, r15),
    rip = const offset_of!(UserContext, rip),
    rsp = const offset_of!(UserContext, rsp),
    rflags = const offset_of!(UserContext, rflags),
    fpu = const offset_of!(UserContext, fpu),
    by_syscall = const offset_of!(UserContext, by_syscall),
    user_end = const nonos_abi::USER_END,
    user_flags = const rflags::USER,
    set_flags = const rflags::FIXED | rflags::IF,
    refused = const REFUSED,
    control_flow = const offset_of!(UserContext, control_flow),
    user_shadow_stack = const Msr::UserShadowStack as u32,
    user_code = const gdt::USER_CODE,
    user_data = const gdt::USER_DATA,
    syscall = const SYSCALL,
    first_interrupt = const FIRST_INTERRUPT,
    clear_flags = const rflags::FIXED,
    not_trap_flag = const !(rflags::TF as i32),
    idt_bytes = const VECTORS * GATE_BYTES,
    prediction_command = const Msr::PredictionCommand as u32,
    clear = const remedy::CLEAR_BUFFERS,
    isolate = const remedy::ISOLATE_TABLES,
    history = const remedy::CLEAR_HISTORY,
    barrier = const remedy::BARRIER_ON_ENTRY,
);

// FXSAVE wants 16 bytes (SDM vol. 1, 10.5.1).
const _: () =
    assert!(offset_of!(UserContext, fpu).is_multiple_of(16) && align_of::<UserContext>() >= 16);

/// Calls one of the two functions of `entry.s` that end with an entry into the kernel. They keep `rbx`, `rbp` and `rsp` only: the
/// loop that calls them has little to keep.
macro_rules! leave {
    ($function:path, $context:expr, $words:expr) => {{
        let (vector, error);
        let [w0, w1, w2, w3, w4, w5, w6, w7] = $words;
        asm!(
            "call {function}",
            function = sym $function,
            inlateout("rdi") $context => _,
            inlateout("rdx") w0 => error,
            inlateout("r10") w1 => _,
            inlateout("r8") w2 => _,
            inlateout("r9") w3 => _,
            inlateout("r12") w4 => _,
            inlateout("r13") w5 => _,
            inlateout("r14") w6 => _,
            inlateout("r15") w7 => _,
            out("rax") vector,
            out("rcx") _,
            out("rsi") _,
            out("r11") _,
        );
        Exit { vector, error }
    }};
}

/// Runs a thread until user space enters the kernel. The registers for the words of a message have `words`, whatever the context
/// says; all others have what it says, but for flags that user space must not set.
///
/// # Safety
/// GS.base is this CPU's block, segments and entry points are set up, the thread's address space is loaded, and its FPU
/// state is in the registers. Nobody else touches the context, which stays where it is, until this returns.
#[inline(always)]
pub unsafe fn enter_user(context: *mut UserContext, words: [u64; MESSAGE_WORDS]) -> Exit {
    // SAFETY: the caller upholds what `entry.s` needs. The kernel is built without FPU registers.
    unsafe { leave!(nonos_enter_user, context, words) }
}

/// Waits for an interrupt, with interrupts on.
///
/// # Safety
/// As for [`enter_user`], but for the thread.
#[inline(always)]
pub unsafe fn idle() -> Exit {
    // SAFETY: the caller upholds what `entry.s` needs.
    unsafe { leave!(nonos_idle, 0_u64, [0_u64; MESSAGE_WORDS]) }
}

/// Goes on in a function on another stack, for good: an `extern "C" fn(u64) -> !`, called directly.
///
/// # Safety
/// The top is 16-byte aligned and that of a mapped stack that nobody uses, or whose user never runs again.
macro_rules! on_stack {
    ($stack_top:expr, $function:path, $argument:expr) => {{
        const FUNCTION: extern "C" fn(u64) -> ! = $function;
        let _ = FUNCTION;
        core::arch::asm!(
            "mov rsp, {top}",
            "call {function}",
            "ud2",
            top = in(reg) $stack_top,
            function = sym $function,
            in("rdi") $argument,
            options(noreturn),
        )
    }};
}
pub(crate) use on_stack;

/// Address of the system call entry.
pub fn syscall_entry() -> u64 {
    let entry = if cet::is_on() {
        nonos_syscall_shadow
    } else {
        nonos_syscall
    };
    entry as *const () as u64
}

/// Address where another CPU enters the kernel's half.
pub fn cpu_start() -> u64 {
    nonos_cpu_start as *const () as u64
}

/// Address of the stub of a vector.
pub fn stub(vector: usize) -> u64 {
    (&raw const nonos_stubs) as u64 + 16 * vector as u64
}

/// Address of the IDT.
pub fn idt() -> u64 {
    (&raw const nonos_idt) as u64
}

/// Address of the trampoline, the page with the code of `entry.s`.
pub fn trampoline() -> u64 {
    stub(0) & !(PAGE_BYTES as u64 - 1)
}

/// Addresses of all code of the kernel, which the trampoline begins.
pub fn code() -> Range<u64> {
    trampoline()..(&raw const etext) as u64
}

/// Addresses in the trampoline where some of these remedies ([`remedy`]) want a jump, each with its target; the last one counts.
pub fn detours(remedies: u64) -> impl Iterator<Item = [u64; 2]> {
    // SAFETY: constants of `entry.s`.
    let detours = unsafe { nonos_detours };
    detours
        .into_iter()
        .filter(move |[.., remedy]| remedies & u64::from(*remedy) != 0)
        .map(|[from, to, _]| [from, to].map(|offset| trampoline() + u64::from(offset)))
}

/// Has this CPU forget what it learned of indirect branches and returns.
///
/// # Safety
/// The CPU has IA32_PRED_CMD.
pub unsafe fn forget_predictions() {
    // SAFETY: the function changes the three registers and the stack below, on which it has room for 32 addresses.
    unsafe {
        asm!("call {}", sym nonos_forget_predictions, out("rax") _, out("rcx") _, out("rdx") _);
    }
}
