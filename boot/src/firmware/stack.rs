//! A stack of the boot loader's own.
//!
//! UEFI promises a program 128 KiB of stack (UEFI 2.10, 2.3.4), and verifying an ML-DSA-65 signature alone takes most of
//! that. Everything after the first line therefore runs on pages that are allocated for it. Nothing unmaps
//! the page below them, so the size leaves ample room.

use core::arch::asm;
use core::ffi::c_void;
use core::mem::MaybeUninit;

use nonos_boot::{PAGE, Refusal};
use nonos_image::signature::STACK_BYTES;

use super::pages::Pages;

/// Bytes of the stack: a verification and, below it, firmware calls with the stack that UEFI promises them.
const BYTES: u64 = STACK_BYTES as u64 + (160 << 10);

/// Runs a function on a new stack and returns its result.
///
/// # Errors
/// When there is no memory for the stack.
pub fn run<R>(function: impl FnOnce() -> R) -> Result<R, Refusal> {
    let stack = Pages::anywhere("stack of the boot loader", BYTES / PAGE)?;
    let top = stack.physical() + BYTES;
    Ok(run_on(top, function))
}

/// A function and the place for its result.
struct Job<F, R> {
    function: Option<F>,
    result: MaybeUninit<R>,
}

fn run_on<F: FnOnce() -> R, R>(top: u64, function: F) -> R {
    let mut job = Job {
        function: Some(function),
        result: MaybeUninit::uninit(),
    };
    // SAFETY: `top` is the page-aligned end of memory that nothing else uses, the callee finds its 32 bytes of
    // home space there (UEFI 2.10, 2.3.4.2) and an aligned stack. `r12` survives the call by the calling
    // convention, so the old stack comes back. `job` outlives the call and is used by it alone.
    unsafe {
        asm!(
            "mov r12, rsp",
            "lea rsp, [{top} - 32]",
            "call {start}",
            "mov rsp, r12",
            top = in(reg) top,
            start = in(reg) start::<F, R> as extern "efiapi" fn(*mut c_void),
            in("rcx") &raw mut job,
            out("r12") _,
            clobber_abi("efiapi"),
        );
    }
    // SAFETY: `start` has returned, and it writes the result before it does; panics do not unwind.
    unsafe { job.result.assume_init() }
}

extern "efiapi" fn start<F: FnOnce() -> R, R>(job: *mut c_void) {
    // SAFETY: `run_on` passes its own job, which lives until this returns.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    if let Some(function) = job.function.take() {
        job.result.write(function());
    }
}
