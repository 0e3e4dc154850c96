//! Records that `SystemRead` and `ProcessRead` return. Every value is read from the hardware, from the
//! boot loader's record or from the kernel's own tables at the time of the call.

use crate::words::Words as _;
use crate::{Name, record};

/// What to read with `SystemRead`, and the handle it needs (with READ).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Topic {
    /// [`BootStatus`]. SystemInfo handle.
    Boot = 0,
    /// [`CpuStatus`]. SystemInfo handle.
    Cpu = 1,
    /// [`MemoryStatus`]. SystemInfo handle.
    Memory = 2,
    /// [`ProcessInfo`] of process slot `index`; `NotFound` for an empty slot, `InvalidArgument` past the last. SystemInfo handle.
    Process = 3,
    /// [`ModuleInfo`] of archive entry `index`; `NotFound` past the last. Archive or SystemInfo handle.
    Module = 4,
    /// [`HandleRecord`] of slot `index & 0xFFFF_FFFF` of process `index >> 32` (0: the caller); `NotFound` for an empty
    /// slot, `InvalidArgument` past the last. SystemInfo handle.
    Handle = 5,
    /// [`Pcr`] number `index` of the SHA-256 bank, as the boot loader read it before leaving. SystemInfo handle.
    Pcr = 6,
    /// [`Framebuffer`]. SystemInfo handle.
    Framebuffer = 7,
    /// [`Layout`]. KernelLayout handle.
    Layout = 8,
    /// [`CpuSecurity`]. SystemInfo handle.
    CpuSecurity = 9,
    /// [`DmaStatus`]. SystemInfo handle.
    Dma = 10,
    /// [`EventLogPart`] number `index` of the TCG event log; `NotFound` past the last. SystemInfo handle.
    EventLog = 11,
    /// [`RandomStatus`]. SystemInfo handle.
    Random = 12,
}

impl Topic {
    /// The topic with this number.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        Some(match raw {
            0 => Self::Boot,
            1 => Self::Cpu,
            2 => Self::Memory,
            3 => Self::Process,
            4 => Self::Module,
            5 => Self::Handle,
            6 => Self::Pcr,
            7 => Self::Framebuffer,
            8 => Self::Layout,
            9 => Self::CpuSecurity,
            10 => Self::Dma,
            11 => Self::EventLog,
            12 => Self::Random,
            _ => return None,
        })
    }
}

record! {
    /// How this system was booted, from the boot loader's record.
    pub struct BootStatus {
        /// Bits of [`boot_flags`].
        pub flags: u64,
        /// Security version in the signed image header.
        pub image_security_version: u64,
        /// Stored minimum the image was checked against, after this boot's update.
        pub rollback_counter: u64,
        /// Where the minimum is kept: [`crate::boot::RollbackStore`].
        pub rollback_store: u64,
        /// BLAKE3 hash of the image payload, little-endian words.
        pub payload_hash: [u64; 4],
        /// BLAKE3 hash of the Ed25519 and ML-DSA-65 public keys the image was verified with.
        pub key_hash: [u64; 4],
        /// Bytes of the TCG event log that was handed over; 0 without one.
        pub event_log_bytes: u64,
        /// Sources that gave entropy for the seed: bits of [`crate::boot::entropy`].
        pub entropy_sources: u64,
        /// Sources that failed their health tests in the boot loader.
        pub entropy_failed: u64,
        /// TSC ticks from boot loader entry to kernel entry.
        pub loader_ticks: u64,
        /// How commands reach the TPM: [`crate::boot::Acpi::tpm_start_method`].
        pub tpm_start_method: u64,
        /// Where it is: [`crate::boot::Acpi::tpm_physical`].
        pub tpm_physical: u64,
        /// Seconds since 1970, UTC, when the kernel's clock started: [`crate::boot::BootInfo::wall_seconds`].
        pub wall_seconds: u64,
    }
}

/// Bits of [`BootStatus::flags`].
pub mod boot_flags {
    /// The firmware's `SecureBoot` variable is 1 and `SetupMode` is 0.
    pub const SECURE_BOOT: u64 = 1;
    /// The image's Ed25519 signature was checked and is valid.
    pub const ED25519_VALID: u64 = 1 << 1;
    /// The image's ML-DSA-65 signature was checked and is valid.
    pub const ML_DSA_VALID: u64 = 1 << 2;
    /// The payload hash was checked and matches.
    pub const PAYLOAD_HASH_VALID: u64 = 1 << 3;
    /// A TPM 2.0 answered.
    pub const TPM_PRESENT: u64 = 1 << 4;
    /// The image was extended into PCR 11 and the event log handed over.
    pub const MEASURED: u64 = 1 << 5;
}

record! {
    /// Control registers and features, read at the time of the call.
    pub struct CpuStatus {
        /// CR0.
        pub cr0: u64,
        /// CR4.
        pub cr4: u64,
        /// IA32_EFER.
        pub efer: u64,
        /// What the CPU has: bits of [`cpu_features`].
        pub features: u64,
        /// CPU brand string, 48 bytes of ASCII.
        pub brand: [u64; 6],
        /// Running CPUs.
        pub cpus: u64,
        /// TSC ticks per second.
        pub tsc_hz: u64,
        /// 1 when the timer runs in TSC-deadline mode, 0 for one-shot mode.
        pub tsc_deadline: u64,
        /// Whether the walk of all page tables at boot found no page both writable and executable: 1 yes, 0 no.
        pub w_xor_x: u64,
        /// Whether user mode has page tables of its own, and why: a value of [`isolation`].
        pub isolation: u64,
        /// IA32_S_CET; 0 where the kernel does not enforce its own control flow.
        pub supervisor_cet: u64,
        /// XCR0: what programs have of the extended state that XSAVE stores (SDM vol. 1, 13.3); 0 where they have x87 and SSE by FXSAVE.
        pub xcr0: u64,
    }
}

record! {
    /// The kernel's generator of random numbers, now.
    pub struct RandomStatus {
        /// Sources of the kernel that pass their health tests: bits of [`crate::boot::entropy`].
        pub sources: u64,
        /// Sources of the kernel that failed them, at any time since it started.
        pub failed: u64,
        /// How often new entropy went in.
        pub reseeds: u64,
        /// What `Random` says.
        pub epoch: u64,
        /// 1 when there is a VM generation id, by which the kernel knows that the machine was restored from a snapshot.
        pub knows_generation: u64,
    }
}

/// Values of [`CpuStatus::isolation`].
pub mod isolation {
    /// User mode has the kernel's page tables: the CPU does not need others.
    pub const OFF: u64 = 0;
    /// User mode has its own: programs could read through the kernel's (Meltdown).
    pub const AFFECTED: u64 = 1;
    /// User mode has its own: the signed image asks for it.
    pub const ASKED: u64 = 2;
}

record! {
    /// What keeps devices from memory, read at the time of the call, and what it has stopped.
    pub struct DmaStatus {
        /// IOMMUs that the firmware names; 0 says that DMA is not confined.
        pub units: u64,
        /// Of these, in which translation is on. DMA is confined when it is on in all.
        pub translating: u64,
        /// Of these, in which interrupt remapping is on, too, and interrupts of the old format are blocked.
        pub remapping: u64,
        /// Requests of devices that were stopped, as far as they were recorded.
        pub stopped: u64,
        /// The last of them: bus (8 bits), device (5 bits) and function (3 bits).
        pub device: u64,
        /// The page that it wanted to reach.
        pub address: u64,
        /// Why it was stopped: VT-d's fault reason (VT-d 4.1, 7.1.3).
        pub reason: u64,
        /// 1 when it wanted to write.
        pub write: u64,
    }
}

/// Bits of [`CpuStatus::features`]: what the CPU reports, not what is on.
pub mod cpu_features {
    /// No-execute pages.
    pub const NX: u64 = 1;
    /// Supervisor-mode execution prevention.
    pub const SMEP: u64 = 1 << 1;
    /// Supervisor-mode access prevention.
    pub const SMAP: u64 = 1 << 2;
    /// User-mode instruction prevention.
    pub const UMIP: u64 = 1 << 3;
    /// CET shadow stacks.
    pub const CET_SS: u64 = 1 << 4;
    /// CET indirect branch tracking.
    pub const CET_IBT: u64 = 1 << 5;
    /// Process-context identifiers.
    pub const PCID: u64 = 1 << 6;
    /// RDRAND.
    pub const RDRAND: u64 = 1 << 7;
    /// RDSEED.
    pub const RDSEED: u64 = 1 << 8;
    /// Not affected by Meltdown (IA32_ARCH_CAPABILITIES.RDCL_NO).
    pub const RDCL_NO: u64 = 1 << 9;
    /// Enhanced IBRS (IA32_ARCH_CAPABILITIES.IBRS_ALL).
    pub const IBRS_ALL: u64 = 1 << 10;
    /// Protection keys.
    pub const PKU: u64 = 1 << 11;
    /// AES-NI.
    pub const AES: u64 = 1 << 12;
    /// TSC-deadline mode of the local APIC timer.
    pub const TSC_DEADLINE: u64 = 1 << 13;
    /// Invariant TSC.
    pub const INVARIANT_TSC: u64 = 1 << 14;
    /// Running under a hypervisor or emulator that says so.
    pub const HYPERVISOR: u64 = 1 << 15;
}

record! {
    /// What the CPU says of the known flaws of CPUs, read at the time of the call, and what the kernel does about them. Leaves of
    /// CPUID and registers that the CPU lacks are 0; the kernel leaves the leaves of CPUID to whoever asks, and does not write the
    /// control registers among these, so they are 0, too. `nonos-mitigations` says what follows.
    pub struct CpuSecurity {
        /// CPUID leaf 0: EBX, and EDX in the upper half: the first eight letters of the vendor's name.
        pub vendor: u64,
        /// CPUID leaf 0: ECX: the last four letters.
        pub vendor_end: u64,
        /// CPUID leaf 1: EAX (family, model, stepping), and ECX in the upper half.
        pub leaf_1: u64,
        /// CPUID leaf 7: EBX, and EDX in the upper half.
        pub leaf_7: u64,
        /// CPUID leaf 7, sub-leaf 2: EDX.
        pub leaf_7_2: u64,
        /// CPUID leaf 8000_0008: EBX.
        pub leaf_8: u64,
        /// CPUID leaf 8000_0021: EAX.
        pub leaf_21: u64,
        /// Revision of the microcode (IA32_BIOS_SIGN_ID, MSR 0x8B).
        pub microcode: u64,
        /// IA32_ARCH_CAPABILITIES (MSR 0x10A).
        pub arch_capabilities: u64,
        /// IA32_SPEC_CTRL (MSR 0x48).
        pub spec_control: u64,
        /// IA32_TSX_CTRL (MSR 0x122).
        pub tsx_control: u64,
        /// IA32_MCU_OPT_CTRL (MSR 0x123).
        pub mcu_control: u64,
        /// CR4, which says whether programs have AVX (OSXSAVE).
        pub cr4: u64,
        /// IA32_EFER, which says whether automatic IBRS is on.
        pub efer: u64,
        /// What the kernel does on all CPUs: bits of [`cpu_measures`].
        pub measures: u64,
    }
}

/// Bits of [`CpuSecurity::measures`]: what the kernel does, not what the CPU could.
pub mod cpu_measures {
    /// Indices from user space are masked, and no entry into the kernel speculates with the wrong GS.
    pub const INDICES_MASKED: u64 = 1;
    /// Absent entries of page tables are zero.
    pub const ABSENT_ENTRIES_ZERO: u64 = 1 << 1;
    /// Page tables of user space lack the kernel.
    pub const PAGE_TABLES_ISOLATED: u64 = 1 << 2;
    /// Every indirect branch of the kernel goes through a retpoline.
    pub const RETPOLINES: u64 = 1 << 3;
    /// Every indirect branch of the kernel is a far jump, which no predictor guesses.
    pub const FAR_JUMPS: u64 = 1 << 8;
    /// Each way out to user space overwrites the CPU's buffers (VERW).
    pub const BUFFERS_CLEARED: u64 = 1 << 4;
    /// A switch to another process forgets branch predictions (IBPB), those of returns, too.
    pub const BARRIER_ON_SWITCH: u64 = 1 << 5;
    /// Each way into the kernel from user space forgets branch predictions (IBPB), those of returns, too.
    pub const BARRIER_ON_ENTRY: u64 = 1 << 6;
    /// Each way into the kernel from user space overwrites the history of branches.
    pub const HISTORY_CLEARED: u64 = 1 << 7;
    /// Every return of the kernel lies in the upper half of a cache line.
    pub const RETURNS_ALIGNED: u64 = 1 << 9;
}

record! {
    /// Memory, in pages of 4 KiB.
    pub struct MemoryStatus {
        /// All frames for processes.
        pub total_pages: u64,
        /// Of these, free.
        pub free_pages: u64,
        /// Kernel region: objects and page tables.
        pub kernel_pages: u64,
        /// Of these, free for page tables.
        pub kernel_free_pages: u64,
        /// Kernel image and the system image's unpacked payload.
        pub image_pages: u64,
        /// Processes that exist.
        pub processes: u64,
        /// Most processes that can exist.
        pub process_limit: u64,
    }
}

record! {
    /// One process.
    pub struct ProcessInfo {
        /// Process number, never used again.
        pub id: u64,
        /// Name from the manifest.
        pub name: Name,
        /// [`process_state`].
        pub state: u64,
        /// Priority, 0 (lowest) to 31.
        pub priority: u64,
        /// Pages in use, charged to the process.
        pub pages: u64,
        /// Most pages it may use.
        pub quota_pages: u64,
        /// Open handles.
        pub handles: u64,
        /// CPU time, nanoseconds.
        pub cpu_ns: u64,
        /// How it ended: [`exit_kind`]; 0 while it lives.
        pub exit_kind: u64,
        /// Exit code, or exception vector.
        pub exit_code: u64,
        /// Faults: error code of the exception (SDM vol. 3, 4.7 for page faults). Invalid opcodes have none: 1 says that the
        /// instruction is that of a check before an indirect call ([`crate::kcfi`]).
        pub fault_error: u64,
        /// Page faults: the address that was accessed.
        pub fault_address: u64,
        /// Faults: the instruction.
        pub fault_instruction: u64,
        /// System calls that were denied, all reasons.
        pub denials: u64,
        /// Threads.
        pub threads: u64,
        /// Most handles it may have, without reply handles.
        pub handle_limit: u64,
        /// Kernel objects charged to it.
        pub objects: u64,
        /// Most kernel objects it may have.
        pub object_limit: u64,
        /// CPU time it may use in each period, nanoseconds; 0 for no limit.
        pub budget_ns: u64,
        /// Length of the period, nanoseconds.
        pub period_ns: u64,
        /// [`process_flags`].
        pub flags: u64,
    }
}

/// Bits of [`ProcessInfo::flags`].
pub mod process_flags {
    /// It cannot read the CPU's time-stamp counter, and every time that the kernel tells it, or takes from it for waiting, is a
    /// multiple of [`COARSE_CLOCK_NS`].
    pub const COARSE_CLOCK: u64 = 1;
    /// Resolution of the coarse clock, nanoseconds.
    pub const COARSE_CLOCK_NS: u64 = 1_000_000;
}

/// Values of [`ProcessInfo::state`].
pub mod process_state {
    /// Made, not started.
    pub const NEW: u64 = 0;
    /// Running or ready to run.
    pub const READY: u64 = 1;
    /// Waiting.
    pub const BLOCKED: u64 = 2;
    /// Ended; the record stays while someone holds a handle to it.
    pub const ENDED: u64 = 3;
}

/// Values of [`ProcessInfo::exit_kind`].
pub mod exit_kind {
    /// Still alive.
    pub const NONE: u64 = 0;
    /// It called `Exit`.
    pub const EXIT: u64 = 1;
    /// It caused a CPU exception.
    pub const FAULT: u64 = 2;
    /// It was ended by a holder of its handle.
    pub const KILLED: u64 = 3;
}

record! {
    /// One module of the system image. Values other than the name are from the manifest and 0 before it was verified.
    pub struct ModuleInfo {
        /// Name in the archive.
        pub name: Name,
        /// [`module_state`].
        pub state: u64,
        /// Bytes as stored in the archive.
        pub stored_bytes: u64,
        /// Publisher whose list has the manifest.
        pub publisher: Name,
        /// Security version.
        pub security_version: u64,
        /// BLAKE3 hash of the ELF.
        pub elf_hash: [u64; 4],
        /// Priority ceiling asked for.
        pub priority: u64,
        /// Memory quota asked for, pages.
        pub quota_pages: u64,
        /// What it asks for: bits of [`crate::info::needs`].
        pub needs: u64,
    }
}

/// What a manifest can ask for.
pub mod needs {
    /// Call the console service.
    pub const CONSOLE: u64 = 1;
    /// Read the state of the system.
    pub const SYSTEM_INFO: u64 = 1 << 1;
    /// Read where the kernel lies.
    pub const KERNEL_LAYOUT: u64 = 1 << 2;
    /// Turn the machine off.
    pub const POWER: u64 = 1 << 3;
    /// Read the kernel's log.
    pub const LOG_READ: u64 = 1 << 4;
    /// Write to the kernel's log.
    pub const LOG_WRITE: u64 = 1 << 5;
    /// Have other modules run.
    pub const SPAWN: u64 = 1 << 6;
    /// The first serial port.
    pub const SERIAL: u64 = 1 << 7;
    /// The PS/2 controller.
    pub const PS2: u64 = 1 << 8;
    /// The frame buffer.
    pub const FRAMEBUFFER: u64 = 1 << 9;
    /// Everything `init` holds. Only `init` asks for it.
    pub const INIT: u64 = 1 << 10;
    /// Read the record of denied system calls.
    pub const AUDIT: u64 = 1 << 11;
    /// End other programs, and allow and revoke what they may do.
    pub const SUPERVISE: u64 = 1 << 12;
    /// Call the vault.
    pub const VAULT: u64 = 1 << 13;
    /// The registers of the TPM.
    pub const TPM_DEVICE: u64 = 1 << 14;
    /// Ask the TPM for its state, PCRs and random bytes.
    pub const TPM: u64 = 1 << 15;
    /// Have the TPM sign its PCRs.
    pub const TPM_QUOTE: u64 = 1 << 16;
    /// Have the TPM seal, unseal and store, and extend PCRs.
    pub const TPM_SEAL: u64 = 1 << 17;
    /// A directory of its own in the file system.
    pub const FILES: u64 = 1 << 18;
    /// Show windows.
    pub const DISPLAY: u64 = 1 << 19;
    /// Be the desktop: see and arrange all windows, and draw behind and before them.
    pub const DESKTOP: u64 = 1 << 20;
    /// Say what keyboard and pointer do.
    pub const INPUT: u64 = 1 << 21;
    /// Show pictures on the screen, all of it.
    pub const SCREEN: u64 = 1 << 22;
    /// Use the system's fonts.
    pub const FONTS: u64 = 1 << 23;
    /// All documents of the user.
    pub const DOCUMENTS: u64 = 1 << 24;
    /// Change how the desktop looks and what the keyboard types, and take back what the user gave to programs.
    pub const SETTINGS: u64 = 1 << 25;
    /// Ask the user for files and the use of keys, in the system's dialogs.
    pub const POWERBOX: u64 = 1 << 26;
    /// Open documents of the user with other programs.
    pub const OPEN_WITH: u64 = 1 << 27;
    /// Ask the user in the system's name: show prompts about other programs.
    pub const PROMPT: u64 = 1 << 28;
    /// Lock the screen and unlock it.
    pub const LOCK: u64 = 1 << 29;
    /// A GPU of virtio's.
    pub const VIRTIO_GPU: u64 = 1 << 30;
    /// Names of the bits, lowest first.
    pub const NAMES: [&str; 31] = [
        "console",
        "system-info",
        "kernel-layout",
        "power",
        "log-read",
        "log-write",
        "spawn",
        "serial",
        "ps2",
        "framebuffer",
        "init",
        "audit",
        "supervise",
        "vault",
        "tpm-device",
        "tpm",
        "tpm-quote",
        "tpm-seal",
        "files",
        "display",
        "desktop",
        "input",
        "screen",
        "fonts",
        "documents",
        "settings",
        "powerbox",
        "open-with",
        "prompt",
        "lock",
        "virtio-gpu",
    ];
}

/// Values of [`ModuleInfo::state`].
pub mod module_state {
    /// Not looked at yet.
    pub const UNVERIFIED: u64 = 0;
    /// Verified and admitted.
    pub const ADMITTED: u64 = 1;
    /// Refused: the reason is the value minus this, an [`crate::Error`] number.
    pub const REFUSED: u64 = 0x100;
}

record! {
    /// One handle of a process.
    pub struct HandleRecord {
        /// The handle's value.
        pub handle: u64,
        /// [`crate::ObjectKind`].
        pub kind: u64,
        /// [`crate::Rights`] bits.
        pub rights: u64,
        /// Badge of an endpoint handle, else 0.
        pub badge: u64,
        /// Number of the object among its kind.
        pub object: u64,
        /// [`handle_state`].
        pub state: u64,
        /// When it expires, nanoseconds on the kernel's clock; 0 for never.
        pub deadline_ns: u64,
        /// Number of the process that has the handle it was derived from; 0 when it was not derived from another.
        pub parent_process: u64,
        /// The handle it was derived from.
        pub parent_handle: u64,
        /// Handles, mappings and bindings derived from it, not counting what was derived from these.
        pub children: u64,
    }
}

/// Values of [`HandleRecord::state`].
pub mod handle_state {
    /// Works.
    pub const VALID: u64 = 0;
    /// Was revoked.
    pub const REVOKED: u64 = 1;
    /// Has expired.
    pub const EXPIRED: u64 = 2;
}

record! {
    /// A denied system call.
    pub struct AuditRecord {
        /// Number of the record since the kernel started, from 0.
        pub sequence: u64,
        /// When, nanoseconds on the kernel's clock.
        pub time_ns: u64,
        /// Number of the process that was denied.
        pub process: u64,
        /// Its name.
        pub name: Name,
        /// Why: the number of an [`crate::Error`], at most that of `MissingRight`.
        pub reason: u64,
        /// Number of the system call.
        pub syscall: u64,
        /// The handle as it was given.
        pub handle: u64,
        /// [`crate::ObjectKind`] of the object; 0 when the handle names none.
        pub kind: u64,
        /// Number of the object among its kind.
        pub object: u64,
    }
}

record! {
    /// A part of the TCG event log, [`EVENT_LOG_PART_BYTES`] long; zeros follow its end.
    pub struct EventLogPart {
        /// Its bytes, little-endian words.
        pub words: [u64; 32],
    }
}

/// Bytes of an [`EventLogPart`].
pub const EVENT_LOG_PART_BYTES: usize = EventLogPart::COUNT * 8;

record! {
    /// A platform configuration register.
    pub struct Pcr {
        /// SHA-256 value, little-endian words.
        pub digest: [u64; 4],
    }
}

record! {
    /// The frame buffer that the firmware set up; `width` 0 when there is none.
    pub struct Framebuffer {
        /// Physical address.
        pub address: u64,
        /// Size, bytes.
        pub bytes: u64,
        /// Pixels in a line.
        pub width: u64,
        /// Lines.
        pub height: u64,
        /// Bytes from line to line.
        pub stride_bytes: u64,
        /// [`crate::boot::PixelFormat`].
        pub format: u64,
    }
}

record! {
    /// Where the kernel lies. Hidden from whoever was not granted it.
    pub struct Layout {
        /// Virtual base of the kernel image.
        pub kernel_base: u64,
        /// Physical base of the kernel image.
        pub kernel_physical: u64,
        /// Bytes of the loaded kernel image.
        pub kernel_bytes: u64,
        /// Virtual base of the kernel region.
        pub region_base: u64,
    }
}
