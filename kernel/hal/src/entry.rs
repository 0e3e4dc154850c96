//! Entering user space and coming back: the Rust side of `entry.s`.
//!
//! [`enter_user`] reads like a function call that returns when user space enters the kernel. The CPU's kernel
//! stack stays where it is; the entry stubs store the user's registers in the context and jump back.

use core::arch::{asm, global_asm};
use core::mem::offset_of;
use core::ops::Range;

use nonos_abi::boot::remedy;
use nonos_abi::message::MESSAGE_WORDS;
use nonos_abi::{PAGE_BYTES, Syscall};
use nonos_kernel_core::machine::{CPUS_MAX, UserContext};

use crate::cpu::{Msr, rflags};
use crate::cpus::{self, BLOCK_TO_GS, CpuBlock};
use crate::interrupts::ENTRY_STACK;
use crate::{cet, extended, gdt, report};

/// Vectors with a stub.
pub const VECTORS: usize = 112;

/// Bytes of a gate in the IDT.
pub const GATE_BYTES: usize = 16;

/// First vector that is no exception.
pub const FIRST_INTERRUPT: u64 = 32;

/// [`Exit::vector`] of a thread whose instruction pointer is none of user space: as if its next instruction had failed.
const REFUSED: u64 = 13;

/// Ways in and out that are others on CPUs with certain flaws, or with shadow stacks of the kernel.
const DETOURS: usize = 13;

/// Beside the bits of [`remedy`]: the kernel has shadow stacks, and which thunk goes with them.
const SHADOW_STACKS: u64 = 1 << 31;
const RETPOLINES: u64 = 1 << 30;
const FAR_JUMPS: u64 = 1 << 29;

/// The system call that does nothing. Its number is also what it returns.
const NULL: u64 = Syscall::Null as u64;
const _: () = assert!(NULL == 0);

/// From the shadow stacks of one CPU to those of the next.
const SHADOW_STACKS_STEP: usize = 2 * PAGE_BYTES;

/// What ended a stay in user space, but for a system call, or a wait.
#[derive(Clone, Copy)]
pub struct Exit {
    /// Vector.
    pub vector: u64,
    /// Error code, or 0.
    pub error: u64,
}

// SAFETY: `entry.s` defines them: functions that are called with these arguments or jumped to by the CPU only, and tables of this size.
unsafe extern "C" {
    fn nonos_enter_user();
    fn nonos_idle();
    fn nonos_syscall();
    fn nonos_syscall_shadows();
    fn nonos_cpu_start();
    static nonos_stubs: [[u8; 16]; VECTORS];
    static nonos_idt: [[u64; 2]; VECTORS];
    static nonos_detours: [[i32; 3]; DETOURS];
    static nonos_shadow_stacks: [u8; 0];
    fn nonos_forget_predictions();
    static nonos_extended: [i32; 3];
    /// The linker's name for the end of all code.
    static etext: u8;
}

/// Where GS.base has a place in a CPU's block.
const fn of_block(offset: usize) -> isize {
    offset as isize - BLOCK_TO_GS as isize
}

// SAFETY: it holds the invariants at the top of `entry.s`; offsets of fields and addresses of functions are the compiler's.
global_asm!(
    include_str!("entry.s"),
    start = sym crate::start::start,
    start_cpu = sym crate::smp::start_cpu,
    fatal = sym report::fatal,
    kernel_rsp = const of_block(offset_of!(CpuBlock, kernel_rsp)),
    context = const of_block(offset_of!(CpuBlock, context)),
    user_rsp = const of_block(offset_of!(CpuBlock, user_rsp)),
    user_cr3 = const of_block(offset_of!(CpuBlock, user_cr3)),
    kernel_cr3 = const of_block(offset_of!(CpuBlock, kernel_cr3)),
    keep_cached = const of_block(offset_of!(CpuBlock, keep_cached)),
    entry_stack = const of_block(offset_of!(CpuBlock, task) + ENTRY_STACK),
    boot_block = sym cpus::BLOCKS,
    block_to_gs = const BLOCK_TO_GS,
    descriptors_to_gs = const BLOCK_TO_GS - offset_of!(CpuBlock, segments),
    gs_base = const Msr::GsBase as u32,
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
    sysret_end = const offset_of!(UserContext, sysret_end),
    user_end = const nonos_abi::USER_END,
    user_flags = const rflags::USER,
    set_flags = const rflags::FIXED | rflags::IF,
    refused = const REFUSED,
    control_flow = const offset_of!(UserContext, control_flow),
    user_shadow_stack = const Msr::UserShadowStack as u32,
    user_code = const gdt::USER_CODE,
    user_data = const gdt::USER_DATA,
    components = const extended::COMPONENTS,
    null = const NULL,
    first_interrupt = const FIRST_INTERRUPT,
    clear_flags = const rflags::FIXED,
    not_trap_flag = const !(rflags::TF as i32),
    not_interrupt_flag = const !(rflags::IF as i32),
    idt_bytes = const VECTORS * GATE_BYTES,
    prediction_command = const Msr::PredictionCommand as u32,
    clear = const remedy::CLEAR_BUFFERS,
    isolate = const remedy::ISOLATE_TABLES,
    history = const remedy::CLEAR_HISTORY,
    barrier = const remedy::BARRIER_ON_ENTRY,
    shadow = const SHADOW_STACKS,
    shadow_retpolines = const RETPOLINES,
    far_jumps = const FAR_JUMPS,
    shadow_stacks_bytes = const SHADOW_STACKS_STEP * CPUS_MAX - PAGE_BYTES,
);

// XSAVE wants 64 bytes (SDM vol. 1, 13.4).
const _: () =
    assert!(offset_of!(UserContext, fpu).is_multiple_of(64) && align_of::<UserContext>() >= 64);

/// Runs a thread until user space enters the kernel. The registers for the words of a message have `words`, whatever the context
/// says; all others have what it says, but for flags that user space must not set. Returns the thread's `rax`, `rdi` and `rsi` after a
/// system call, else what ended the stay.
///
/// One place in the kernel does this: the ways in jump to the labels in it. Of the registers only `rbx`, `rbp` and `rsp` are kept: the
/// loop that is there has little to keep.
///
/// # Safety
/// GS.base is this CPU's, segments and entry points are set up, the thread's address space is loaded, and its FPU
/// state is in the registers. Nobody else touches the context, which stays where it is, until this returns.
#[inline(always)]
pub unsafe fn enter_user(
    context: *mut UserContext,
    words: [u64; MESSAGE_WORDS],
) -> Result<[u64; 3], Exit> {
    let (vector, error, rax, rdi, rsi);
    let [w0, w1, w2, w3, w4, w5, w6, w7] = words;
    // SAFETY: the caller upholds what `entry.s` needs, which comes back to a label with the stack as it was. The kernel is built without
    // FPU registers.
    #[allow(named_asm_labels, reason = "entry.s jumps there")]
    unsafe {
        asm!(
            "jmp {enter}",
            ".globl nonos_interrupted_user",
            "nonos_interrupted_user:",
            "jmp {interrupted}",
            ".globl nonos_left_user",
            "nonos_left_user:",
            enter = sym nonos_enter_user,
            interrupted = label {
                return Err(Exit { vector, error });
            },
            inlateout("rdi") context => rdi,
            inlateout("rdx") w0 => error,
            inlateout("r10") w1 => _,
            inlateout("r8") w2 => _,
            inlateout("r9") w3 => _,
            inlateout("r12") w4 => _,
            inlateout("r13") w5 => _,
            inlateout("r14") w6 => _,
            inlateout("r15") w7 => _,
            out("rax") vector,
            out("rcx") rax,
            out("rsi") rsi,
            out("r11") _,
        );
    }
    Ok([rax, rdi, rsi])
}

/// Waits for an interrupt, with interrupts on.
///
/// # Safety
/// As for [`enter_user`], but for the thread.
#[inline(always)]
pub unsafe fn idle() -> Exit {
    let vector;
    // SAFETY: the caller upholds what `entry.s` needs, which keeps all registers but this and the flags.
    unsafe {
        asm!(
            "call {idle}",
            idle = sym nonos_idle,
            out("rax") vector,
            out("rdi") _, out("rdx") _, out("r10") _, out("r8") _, out("r9") _, out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            out("rcx") _, out("rsi") _, out("r11") _,
        );
    }
    Exit { vector, error: 0 }
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
    let entry = match cet::is_on() {
        true => nonos_syscall_shadows,
        false => nonos_syscall,
    };
    entry as *const () as u64
}

/// Address where another CPU enters the kernel's half.
pub fn cpu_start() -> u64 {
    nonos_cpu_start as *const () as u64
}

/// Addresses of the instructions that store a thread's extended state, after a system call and after all else, and of the one that loads it.
pub fn extended_state() -> [u64; 3] {
    // SAFETY: constants of `entry.s`.
    unsafe { &nonos_extended }.each_ref().map(place)
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

/// Address of the page for a CPU's shadow stacks, in read-only memory. The page below it is none for shadow stacks.
pub fn shadow_stacks(cpu: usize) -> u64 {
    let first = (&raw const nonos_shadow_stacks) as u64;
    first.wrapping_add((cpu * SHADOW_STACKS_STEP) as u64)
}

/// What a number of a table in `entry.s` says: a place, counted from the number itself.
fn place(offset: &i32) -> u64 {
    (core::ptr::from_ref(offset) as u64).wrapping_add_signed((*offset).into())
}

/// Addresses in the kernel's code where some of these remedies ([`remedy`]) or shadow stacks of the kernel want a jump, each with its
/// target; the last one counts.
pub fn detours(remedies: u64) -> impl Iterator<Item = [u64; 2]> {
    let wanted = match (cet::is_on(), cet::tracks_kernel()) {
        (true, true) => remedies | SHADOW_STACKS | FAR_JUMPS,
        (true, false) => remedies | SHADOW_STACKS | RETPOLINES,
        _ => remedies,
    };
    // SAFETY: constants of `entry.s`.
    let detours = unsafe { &nonos_detours };
    detours
        .iter()
        .filter(move |[.., remedy]| wanted & u64::from(*remedy as u32) != 0)
        .map(move |[from, to, _]| [place(from), place(to)])
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
