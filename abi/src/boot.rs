//! The hand-over from the boot loader to the kernel.
//!
//! At entry: `rdi` = virtual address of a [`BootInfo`] in the kernel's half, `rsi` = physical address of the
//! final top-level page table (CR3), `rdx` = top of the boot stack (16-byte aligned). An identity map
//! is still there; the kernel's first instruction loads CR3 from `rsi` and with that it is gone. Interrupts
//! are off, EFER.NXE and CR0.WP are set, 4-level paging.
//!
//! The final tables map only the kernel half, nothing at all in the lower half:
//!
//! - the kernel image at [`BootInfo::kernel_base`]: RX, R, RW by segment, PT_GNU_RELRO already read-only,
//!   relocations applied;
//! - the boot stack, RW, an unmapped guard page below and above;
//! - the `BootInfo`, read-only;
//! - the payload (what the signed image unpacked to), read-only;
//! - the event log, read-only;
//! - the kernel region, RW: physically contiguous memory for page tables and kernel objects.
//!
//! Everything lies in the top 2 GiB, in PML4 entry 511. Nothing is both writable and executable.

/// [`BootInfo::magic`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"NONOSBI8");

/// Most ranges in the memory map.
pub const MEMORY_RANGES: usize = 512;

/// Most CPUs that run the kernel.
pub const CPUS: usize = 8;

/// Most entries of each list in [`Acpi`].
pub const ACPI_ENTRIES: usize = 16;

/// No number of a bus, device and function.
pub const NO_REQUESTER: u64 = u64::MAX;

/// Lowest virtual address of anything in the kernel's half.
pub const KERNEL_SPACE_START: u64 = 0xFFFF_FFFF_8000_0000;

/// The record that the boot loader leaves. Physical addresses end in `_physical`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BootInfo {
    /// [`MAGIC`].
    pub magic: u64,
    /// Kernel image, after relocation.
    pub kernel_base: u64,
    /// The same, physical.
    pub kernel_physical: u64,
    /// Bytes from the first to the last segment, whole pages.
    pub kernel_bytes: u64,
    /// Boot stack, without its guard pages.
    pub stack_base: u64,
    /// Bytes of the boot stack.
    pub stack_bytes: u64,
    /// Kernel region.
    pub region_base: u64,
    /// The same, physical.
    pub region_physical: u64,
    /// Bytes of the kernel region, whole pages.
    pub region_bytes: u64,
    /// Bytes at the start of the region that the boot page tables take; they stay in use.
    pub region_used_bytes: u64,
    /// The unpacked payload: a `nonos_image::archive`.
    pub payload_base: u64,
    /// The same, physical.
    pub payload_physical: u64,
    /// Bytes of the unpacked payload.
    pub payload_bytes: u64,
    /// TCG event log (crypto agile format), or 0.
    pub event_log_base: u64,
    /// Bytes of the event log, or 0.
    pub event_log_bytes: u64,
    /// TSC when the boot loader was entered, for `bench`.
    pub tsc_at_entry: u64,
    /// Seconds since 1970, UTC, by the firmware's clock shortly before the kernel is entered; 0 when it has none, or says what cannot be
    /// true. Nobody vouches for it: nothing that decides on security asks.
    pub wall_seconds: u64,
    /// Seed for the kernel's random numbers; the kernel wipes nothing here (the page is read-only) but
    /// hashes it once and never hands it out.
    pub seed: [u8; 32],
    /// Of each CPU, a random value between the kernel's return addresses and what may overflow into them. Not derived from the
    /// seed.
    pub stack_guards: [u64; CPUS],
    /// Sources of the seed that passed their health tests: bits of [`entropy`]. No such boot reaches the kernel without one.
    pub entropy_sources: u64,
    /// Sources that are there and failed their health tests. They count for nothing.
    pub entropy_failed: u64,
    /// What all CPUs do against their known flaws: bits of [`remedy`].
    pub remedies: u64,
    /// With [`remedy::SPEC_CONTROL`]: the value of IA32_SPEC_CTRL.
    pub spec_control: u64,
    /// [`crate::info::boot_flags`].
    pub flags: u64,
    /// Security version in the signed header.
    pub image_security_version: u64,
    /// Stored minimum after this boot's update.
    pub rollback_counter: u64,
    /// Where the minimum is kept.
    pub rollback_store: RollbackStore,
    /// BLAKE3 of the payload as stored.
    pub payload_hash: [u8; 32],
    /// BLAKE3 of the public keys (Ed25519, then ML-DSA-65).
    pub key_hash: [u8; 32],
    /// SHA-256 bank, PCR 0 to 23; zeros without a TPM.
    pub pcrs: [[u8; 32]; 24],
    /// Frame buffer.
    pub framebuffer: Framebuffer,
    /// From the ACPI tables.
    pub acpi: Acpi,
    /// Used entries of `memory`.
    pub memory_count: u64,
    /// Physical memory, ascending, not overlapping. Memory that is not listed does not exist.
    pub memory: [MemoryRange; MEMORY_RANGES],
}

/// Where the rollback counter is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum RollbackStore {
    /// Nowhere; no such boot reaches the kernel.
    None = 0,
    /// NV index of the TPM.
    Tpm = 1,
    /// Boot-services-only UEFI variable: weaker, and said so.
    UefiVariable = 2,
}

/// Bits of [`BootInfo::entropy_sources`].
pub mod entropy {
    /// EFI_RNG_PROTOCOL.
    pub const EFI_RNG: u64 = 1;
    /// RDSEED.
    pub const RDSEED: u64 = 1 << 1;
    /// RDRAND.
    pub const RDRAND: u64 = 1 << 2;
    /// TPM2_GetRandom.
    pub const TPM: u64 = 1 << 3;
    /// Jitter of timers.
    pub const JITTER: u64 = 1 << 4;
    /// Names of the bits, lowest first.
    pub const NAMES: [&str; 5] = ["EFI_RNG", "RDSEED", "RDRAND", "TPM", "timer jitter"];
}

/// Bits of [`BootInfo::remedies`]: what the flaws of the CPU want done, as far as it can be done (`nonos-mitigations`).
pub mod remedy {
    /// IA32_SPEC_CTRL gets [`super::BootInfo::spec_control`].
    pub const SPEC_CONTROL: u64 = 1;
    /// EFER.AIBRSE is set.
    pub const AUTO_IBRS: u64 = 1 << 1;
    /// IA32_TSX_CTRL turns transactions off.
    pub const TSX_OFF: u64 = 1 << 2;
    /// IA32_MCU_OPT_CTRL exists, and must not turn off what the microcode does.
    pub const MCU_CONTROL: u64 = 1 << 3;
    /// User mode has page tables without the kernel.
    pub const ISOLATE_TABLES: u64 = 1 << 4;
    /// Each way out to user space overwrites the CPU's buffers (VERW).
    pub const CLEAR_BUFFERS: u64 = 1 << 5;
    /// Each switch to another process forgets branch predictions (IBPB), and overwrites those of returns.
    pub const BARRIER_ON_SWITCH: u64 = 1 << 6;
    /// Each entry from user space forgets branch predictions.
    pub const BARRIER_ON_ENTRY: u64 = 1 << 7;
    /// Each entry from user space overwrites the history of branches.
    pub const CLEAR_HISTORY: u64 = 1 << 8;
    /// Programs have no AVX.
    pub const AVX_OFF: u64 = 1 << 9;
}

/// Physical memory.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct MemoryRange {
    /// First byte, page-aligned.
    pub physical: u64,
    /// Length in pages.
    pub pages: u64,
    /// [`memory_kind`].
    pub kind: u64,
}

/// Values of [`MemoryRange::kind`].
pub mod memory_kind {
    /// Free for the kernel to give out: conventional memory, boot services memory and the boot loader's own.
    pub const USABLE: u64 = 1;
    /// Holds what this hand-over names: kernel image, stack, boot info, payload, event log, region.
    pub const KERNEL: u64 = 2;
    /// RAM that stays with the firmware: runtime services, ACPI tables and NVS.
    pub const FIRMWARE: u64 = 3;
    /// Anything else: memory-mapped I/O, unusable, persistent.
    pub const RESERVED: u64 = 4;
}

/// Frame buffer as the firmware left it; `width` 0 when there is none.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Framebuffer {
    /// Physical address of the first pixel.
    pub physical: u64,
    /// Bytes.
    pub bytes: u64,
    /// Pixels in a line.
    pub width: u64,
    /// Lines.
    pub height: u64,
    /// Bytes from line to line.
    pub stride_bytes: u64,
    /// [`PixelFormat`] as a number.
    pub format: u64,
}

/// 32-bit pixel formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum PixelFormat {
    /// Blue in the lowest byte, then green, red.
    Bgr = 0,
    /// Red in the lowest byte, then green, blue.
    Rgb = 1,
}

/// What the kernel needs from the ACPI tables; the boot loader parses them, the kernel never does.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Acpi {
    /// Local APICs are at this physical address (MADT).
    pub local_apic_physical: u64,
    /// Used entries of `cpus`.
    pub cpu_count: u64,
    /// APIC ids of the enabled CPUs, the boot CPU first.
    pub cpus: [u32; ACPI_ENTRIES],
    /// Used entries of `io_apics`.
    pub io_apic_count: u64,
    /// I/O APICs.
    pub io_apics: [IoApic; ACPI_ENTRIES],
    /// Used entries of `overrides`.
    pub override_count: u64,
    /// ISA interrupts that are not wired one to one.
    pub overrides: [InterruptOverride; ACPI_ENTRIES],
    /// PM1a control block, I/O port (FADT); 0 when there is none.
    pub pm1a_control_port: u64,
    /// PM1b control block, I/O port, or 0.
    pub pm1b_control_port: u64,
    /// SLP_TYPa and SLP_TYPb of `\_S5`; `u64::MAX` when the firmware names none.
    pub s5_sleep_type_a: u64,
    /// See `s5_sleep_type_a`.
    pub s5_sleep_type_b: u64,
    /// Reset register, I/O port (FADT), or 0; memory-mapped ones are not handed over.
    pub reset_port: u64,
    /// Value for the reset register.
    pub reset_value: u64,
    /// Used entries of `iommus`; 0 when there is no DMAR table.
    pub iommu_count: u64,
    /// Physical addresses of the registers of all DMA remapping units (DRHD), each of one page at least.
    pub iommus: [u64; ACPI_ENTRIES],
    /// 1 when the firmware says that interrupts may be remapped (DMAR flag INTR_REMAP).
    pub interrupt_remapping: u64,
    /// ACPI power-management timer, I/O port (3.579545 MHz), or 0.
    pub pm_timer_port: u64,
    /// 1 when that timer has 32 bits, 0 for 24.
    pub pm_timer_32bit: u64,
    /// How commands reach the TPM (start method of the TPM2 table, TCG ACPI Specification 1.4, 8): [`tpm_start`]; 0 when there is
    /// no such table.
    pub tpm_start_method: u64,
    /// Physical address of the TPM's control area, or of its registers where it has none; 0 for the usual place.
    pub tpm_physical: u64,
    /// The 16 bytes of the VM generation id, in memory of the firmware, aligned to 8 and in one page, or 0 when there is none. They change when the
    /// machine was restored from a snapshot.
    pub vm_generation_physical: u64,
    /// A page of RAM below 1 MiB, kept back for starting the other CPUs, or 0 when there is none.
    pub startup_page_physical: u64,
}

/// Values of [`Acpi::tpm_start_method`] that there is a driver for.
pub mod tpm_start {
    /// FIFO interface.
    pub const FIFO: u64 = 6;
    /// Command response buffer.
    pub const CRB: u64 = 7;
}

/// An I/O APIC (MADT type 1).
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct IoApic {
    /// Registers.
    pub physical: u64,
    /// First global system interrupt.
    pub first_interrupt: u64,
    /// Its number, by which the DMAR table names it.
    pub id: u64,
    /// Bus, device and function in whose name it sends interrupts (16 bits, DMAR device scope), or [`NO_REQUESTER`].
    pub requester: u64,
}

/// An interrupt source override (MADT type 2).
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct InterruptOverride {
    /// ISA interrupt.
    pub isa: u64,
    /// Global system interrupt it is wired to.
    pub global: u64,
    /// 1 when active low.
    pub active_low: u64,
    /// 1 when level-triggered.
    pub level: u64,
}
