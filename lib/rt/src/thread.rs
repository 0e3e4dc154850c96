//! Threads of this process.
//!
//! A thread gets a stack of its own from the kernel, between guard pages, and gives it back when its function returns: the
//! last instructions of a thread run without a stack. A thread that is ended from outside leaves its stack mapped.
#![allow(unsafe_code)]

use core::arch::global_asm;

use nonos_abi::{Error, PAGE_BYTES, Rights, Syscall};

use crate::object::{Memory, Thread};
use crate::syscall;

/// What a new thread finds at the top of its stack.
#[repr(C, align(16))]
struct Begin {
    run: fn(u64),
    argument: u64,
    /// Lowest address of the stack.
    stack: u64,
}

// SAFETY: the assembly below defines it.
unsafe extern "C" {
    /// Where threads start, with the address of a [`Begin`] in `rdi`, which is the top of the stack, too.
    fn nonos_rt_thread();
}

// Unmapping the stack and ending the thread must be done without a stack, hence assembly.
// SAFETY: a thread begins here with a stack of its own, which nothing uses any more when `run` has returned its address.
global_asm!(
    ".pushsection .text.nonos_rt_thread, \"ax\", @progbits",
    ".type nonos_rt_thread, @function",
    "nonos_rt_thread:",
    "endbr64",
    "xor ebp, ebp",
    "call {run}",
    "mov rdi, rax",
    "mov eax, {unmap}",
    "syscall",
    "xor edi, edi",
    "mov eax, {end}",
    "syscall",
    "ud2",
    ".size nonos_rt_thread, . - nonos_rt_thread",
    ".popsection",
    run = sym run,
    unmap = const Syscall::MemoryUnmap as u64,
    end = const Syscall::ThreadEnd as u64,
);

/// Runs the thread's function; returns the address of the stack.
extern "C" fn run(begin: &Begin) -> u64 {
    (begin.run)(begin.argument);
    begin.stack
}

/// Runs a function in a new thread, with a stack of at least so many bytes, and at most the process's priority.
///
/// # Errors
/// When there is no memory for the stack, or no room for another thread.
pub fn spawn(
    run: fn(u64),
    argument: u64,
    stack_bytes: usize,
    priority: u64,
) -> Result<Thread, Error> {
    let pages = (stack_bytes + size_of::<Begin>()).div_ceil(PAGE_BYTES);
    let memory = Memory::create(pages as u64)?;
    // The handle closes at the end of this function; the mapping keeps the memory.
    let (stack, bytes) = syscall::memory_map(memory.handle(), Rights::READ.or(Rights::WRITE))?;
    let top = stack + bytes - size_of::<Begin>() as u64;
    let begin = core::ptr::with_exposed_provenance_mut::<Begin>(top as usize);
    // SAFETY: the kernel mapped `bytes` bytes at `stack`, page-aligned, for this function alone; `Begin` is 16-byte
    // aligned and its size a multiple of that, so the last `Begin` of the mapping is aligned and within it.
    unsafe {
        begin.write(Begin {
            run,
            argument,
            stack,
        });
    }
    let entry = nonos_rt_thread as *const () as u64;
    // SAFETY: the entry calls `run` above with a `Begin` that was just written and stays until the thread unmaps its
    // stack as the last thing it does; `top` is 16-byte aligned; nobody else knows the mapping.
    let created = unsafe { syscall::thread_create(entry, top, top, priority) };
    created.map(Thread::from_handle).inspect_err(|_| {
        // SAFETY: the thread does not exist, `begin` is not used any more.
        let _ = unsafe { syscall::memory_unmap(stack) };
    })
}
