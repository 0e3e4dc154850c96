//! Looks for what others left in the registers of SSE and AVX, and fills them with patterns of its own in threads on all CPUs, each of
//! which must keep what is its own and find nothing else. Without AVX it ends with an invalid opcode.
#![no_std]
#![no_main]

use core::arch::asm;
use core::arch::x86_64::__cpuid;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use adversaries::calls::{self, MS};
use adversaries::threads::{self, Job};
use adversaries::{console, say, succeeded};
use nonos_abi::Syscall;

nonos_rt::entry!(main);

/// Words of the 16 registers, and the control word of SSE.
const WORDS: usize = 16 * 4;
type Registers = [u64; WORDS];

/// Stays in the kernel, or on the way there and back.
const ROUNDS: u64 = 200;

/// What a thread found that was not its own, 0 for nothing.
static FOREIGN: AtomicU64 = AtomicU64::new(0);
/// Rounds that threads went without finding anything.
static KEPT: AtomicU64 = AtomicU64::new(0);

/// Fills all registers, makes a system call, stays in user space for a while and stores all registers, with these two instructions.
macro_rules! exchange {
    ($move:literal, $register:literal, $bytes:literal, $filled:expr, $call:expr, $argument:expr) => {{
        let mut found: Registers = [0; WORDS];
        // Round towards zero, or up; each with all exceptions masked.
        let control: u32 = 0x1F80 | ($filled[0] as u32 % 2 + 2) << 13;
        let mut control_found = 0_u32;
        // SAFETY: registers that this block names, and memory of its own. The call takes no pointers.
        unsafe {
            asm!(
                "ldmxcsr [{control}]",
                ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
                concat!($move, " ", $register, "\\n, [{filled} + ", $bytes, " * \\n]"),
                ".endr",
                "syscall",
                "mov ecx, 3000",
                "2:",
                "dec ecx",
                "jnz 2b",
                ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
                concat!($move, " [{found} + ", $bytes, " * \\n], ", $register, "\\n"),
                ".endr",
                "stmxcsr [{control_found}]",
                "mov dword ptr [{control}], 0x1F80",
                "ldmxcsr [{control}]",
                filled = in(reg) $filled.as_ptr(),
                found = in(reg) found.as_mut_ptr(),
                control = in(reg) &raw const control,
                control_found = in(reg) &raw mut control_found,
                inlateout("rax") $call => _,
                inlateout("rdi") $argument => _,
                out("rsi") _, out("rcx") _, out("r11") _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            );
        }
        (found, control_found)
    }};
}

fn main() -> u64 {
    let mut terminal = console();
    if has_avx() {
        // Nothing in this program uses the upper halves before.
        let halves = upper_halves();
        if let Some(index) = halves.iter().position(|&word| word != 0) {
            let held = halves[index];
            return succeeded(
                &mut terminal,
                format_args!("the upper half of an AVX register held {held:#x} at the start"),
            );
        }
        say(
            &mut terminal,
            format_args!("denied: the upper halves of all AVX registers were zero at the start"),
        );
    }
    let cpus = threads::cpus();
    let count = (2 * cpus).min(threads::MOST);
    let started: Result<(), _> = (0..count).try_for_each(|slot| {
        let body = if has_avx() { with_avx } else { with_sse };
        let thread = threads::start(slot, Job::Run(body, slot as u64 + 1))?;
        // The others go where the kernel puts them.
        if slot < cpus {
            thread.pin(slot)
        } else {
            Ok(())
        }
    });
    if let Err(error) = started {
        say(
            &mut terminal,
            format_args!("BROKEN: while preparing: {error}"),
        );
        return adversaries::SUCCEEDED;
    }
    while FOREIGN.load(Relaxed) == 0 && KEPT.load(Relaxed) < count as u64 * ROUNDS {
        calls::sleep(MS);
    }
    match FOREIGN.load(Relaxed) {
        0 => say(
            &mut terminal,
            format_args!("denied: {count} threads kept their registers"),
        ),
        found => {
            return succeeded(&mut terminal, format_args!("a thread found {found:#x}"));
        }
    }
    if !has_avx() {
        say(&mut terminal, format_args!("trying: AVX"));
    }
    // What is left to whoever comes next.
    exchange!(
        "vmovups",
        "ymm",
        "32",
        &pattern(u64::MAX),
        Syscall::Null as u64,
        0_u64
    );
    0
}

/// Whether the kernel lets programs use AVX (SDM vol. 1, 14.3).
fn has_avx() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    if __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let components: u32;
    // SAFETY: reads a register, which CPUID says programs may.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") components, out("edx") _) };
    components & 0b110 == 0b110
}

fn upper_halves() -> [u64; WORDS / 2] {
    let mut found = [0; WORDS / 2];
    // SAFETY: stores into memory of its own; there is AVX.
    unsafe {
        asm!(
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "vextractf128 [{found} + 16 * \\n], ymm\\n, 1",
            ".endr",
            found = in(reg) found.as_mut_ptr(),
        );
    }
    found
}

fn pattern(seed: u64) -> Registers {
    core::array::from_fn(|index| seed.wrapping_mul(0x0101_0101_0101_0101) ^ (index as u64) << 32)
}

fn with_avx(seed: u64) {
    hold(seed, |filled, call, argument| {
        exchange!("vmovups", "ymm", "32", filled, call, argument)
    });
}

fn with_sse(seed: u64) {
    hold(seed, |filled, call, argument| {
        exchange!("movups", "xmm", "16", filled, call, argument)
    });
}

/// Fills the registers again and again, and looks whether it finds them so after another thread has run.
fn hold(seed: u64, exchange: fn(&Registers, u64, u64) -> (Registers, u32)) {
    // With SSE alone half of the words are stored.
    let stored = if has_avx() { WORDS } else { WORDS / 2 };
    for round in 0..ROUNDS {
        let filled = pattern(seed << 16 | round);
        let (call, argument) = match round % 4 {
            0 => (Syscall::Sleep, calls::clock() + MS / 4),
            1 => (Syscall::Null, 0),
            _ => (Syscall::Yield, 0),
        };
        let (found, control) = exchange(&filled, call as u64, argument);
        let expected = 0x1F80 | (filled[0] as u32 % 2 + 2) << 13;
        let foreign = (0..stored).find(|&index| found[index] != filled[index]);
        if let Some(index) = foreign {
            FOREIGN.store(found[index].max(1), Relaxed);
        } else if control != expected {
            FOREIGN.store(control.into(), Relaxed);
        }
        KEPT.fetch_add(1, Relaxed);
    }
}
