//! Descriptor tables of a CPU: segments, the task state segment with its stacks, the IDT that all share; and
//! which vector means what.

use core::arch::asm;
use core::mem::{offset_of, size_of};
use core::sync::atomic::Ordering;

use nonos_abi::PAGE_BYTES;
use nonos_kernel_core::machine::FrameNumber;

use crate::cpu::{self, Msr};
use crate::cpus::CpuBlock;
use crate::entry::{self, GATE_BYTES, VECTORS};
use crate::gdt;
use crate::private::{PrivateArea, Window};
use crate::region::Region;

/// Vectors: 32 exceptions, then these.
pub mod vector {
    /// Global system interrupt 0; the others follow.
    pub const DEVICES: u8 = 0x20;
    /// Global system interrupts that can be routed.
    pub const DEVICE_COUNT: u8 = 48;
    /// The masked legacy interrupt controllers: 16 vectors that only a spurious interrupt reaches.
    pub const LEGACY: u8 = 0x50;
    /// Timer of the local APIC.
    pub const TIMER: u8 = 0x60;
    /// From another CPU, which wants this one in the kernel.
    pub const KICK: u8 = 0x61;
    /// An IOMMU stopped a device.
    pub const DMA_FAULT: u8 = 0x62;
    /// Spurious interrupts of the local APIC; the low four bits are ones, as early CPUs need.
    pub const SPURIOUS: u8 = 0x6F;
}

const _: () = assert!(vector::SPURIOUS as usize == VECTORS - 1);

/// Task state segment (SDM vol. 3, 7.7).
#[repr(C, packed(4))]
pub struct TaskState {
    reserved0: u32,
    /// Stacks for entries to rings 0 to 2.
    ring_stacks: [u64; 3],
    reserved1: u64,
    /// Stacks that gates select, counted from 1.
    interrupt_stacks: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    /// Past the limit: no I/O permission bitmap, so no port is allowed in ring 3.
    io_map: u16,
}

impl TaskState {
    /// All zero.
    pub const EMPTY: Self = Self {
        reserved0: 0,
        ring_stacks: [0; 3],
        reserved1: 0,
        interrupt_stacks: [0; 7],
        reserved2: 0,
        reserved3: 0,
        io_map: 0,
    };
}

/// Where the task state segment has the stack for entries from user space.
pub const ENTRY_STACK: usize = offset_of!(TaskState, ring_stacks);

const TASK_LIMIT: u16 = size_of::<TaskState>() as u16 - 1;

/// Operand of `lgdt` and `lidt`.
#[repr(C, packed(2))]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// Pages of each stack for faults that may have no good one: the report is written on it.
const FAULT_STACK_PAGES: usize = 4;

/// Makes the stacks of a CPU for interrupts and for stopping the machine.
///
/// # Safety
/// The CPU has not loaded its descriptors; nobody else uses the block.
pub unsafe fn make_stacks(block: &CpuBlock, region: &mut Region, area: &mut PrivateArea) {
    let debug = area.make_stack(region, 1);
    let [double_fault, nmi, machine_check] =
        [(); 3].map(|()| area.make_stack(region, FAULT_STACK_PAGES));
    let entry_stack = area.make_stack(region, 1);
    let task = gdt::task_descriptor(block.task.get() as u64, TASK_LIMIT);
    // SAFETY: before `ltr` nobody else uses the segments, as the caller says.
    unsafe {
        let state = &raw mut *block.task.get();
        (*state).ring_stacks = [entry_stack, 0, 0];
        (*state).interrupt_stacks = [double_fault, nmi, machine_check, debug, 0, 0, 0];
        (*state).io_map = TASK_LIMIT + 1;
        let segments = &mut *block.segments.get();
        *segments = gdt::SEGMENTS;
        segments[5..].copy_from_slice(&task);
    }
    // A CPU that stops the machine comes from any of the other stacks, and never returns to this one.
    block.stop_stack.store(machine_check, Ordering::Relaxed);
}

/// First bytes of a page in each of a CPU's stacks that a gate may select, or an entry from user space.
pub fn entry_stacks(block: &CpuBlock) -> [u64; 5] {
    // SAFETY: complete, and not written any more; the fields are read by value.
    let (stacks, entry) = unsafe {
        let task = block.task.get();
        ((*task).interrupt_stacks, (*task).ring_stacks[0])
    };
    [entry, stacks[0], stacks[1], stacks[2], stacks[3]].map(|top| top - PAGE_BYTES as u64)
}

/// Fills the IDT, and the word behind it with the CR3 of the boot page tables.
///
/// # Safety
/// Called once, before it is loaded. The frame is the one that [`entry::idt`] lies in.
pub unsafe fn fill_idt(window: &mut Window, frame: FrameNumber, root: u64) {
    let fill = |page: &mut [u8; PAGE_BYTES]| {
        for (number, place) in page.chunks_exact_mut(GATE_BYTES).take(VECTORS).enumerate() {
            let stack = match number {
                8 => 1,
                2 => 2,
                18 => 3,
                1 => 4,
                _ => 0,
            };
            // Programs may raise a breakpoint; all other vectors come from the CPU and devices only.
            let [low, high] = gdt::interrupt_gate(entry::stub(number), stack, number == 3);
            place[..8].copy_from_slice(&low.to_le_bytes());
            place[8..].copy_from_slice(&high.to_le_bytes());
        }
        page[VECTORS * GATE_BYTES..][..8].copy_from_slice(&root.to_le_bytes());
    };
    // SAFETY: the frame holds the IDT and that word alone, which are never read from Rust.
    unsafe { window.with(frame, fill) };
}

/// Loads the descriptors and the entry points of this CPU. GS stays as `entry.s` has set it.
///
/// # Safety
/// The block is this CPU's, its stacks are made, the IDT is filled. Interrupts are off.
pub unsafe fn load(block: &'static CpuBlock) {
    // SAFETY: the tables are complete and live as long as the kernel.
    unsafe {
        load_segments(block);
        load_idt();
        cpu::write_msr(Msr::KernelGsBase, 0);
        cpu::write_msr(Msr::Star, gdt::STAR);
        cpu::write_msr(Msr::LongStar, entry::syscall_entry());
        cpu::write_msr(Msr::SyscallMask, cpu::rflags::ALL);
        // `sysenter` faults.
        cpu::write_msr(Msr::SysenterCs, 0);
    }
}

/// Loads GDT, segment registers and task register.
///
/// # Safety
/// The block's segments are complete.
unsafe fn load_segments(block: &'static CpuBlock) {
    let pointer = TablePointer {
        limit: size_of::<[u64; 7]>() as u16 - 1,
        base: block.segments.get() as u64,
    };
    // SAFETY: the new code segment is the same flat segment as before; a null selector in the data segments
    // is right in 64-bit mode. The far return pops what was pushed.
    unsafe {
        asm!(
            "lgdt [{pointer}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {data:x}",
            "mov ds, {null:x}",
            "mov es, {null:x}",
            "mov fs, {null:x}",
            "lldt {null:x}",
            "ltr {task:x}",
            pointer = in(reg) &pointer,
            code = const gdt::KERNEL_CODE,
            scratch = out(reg) _,
            data = in(reg) gdt::KERNEL_DATA,
            null = in(reg) 0u16,
            task = in(reg) gdt::TASK,
        );
    }
}

/// Loads the IDT.
///
/// # Safety
/// Its gates are complete.
unsafe fn load_idt() {
    let pointer = TablePointer {
        limit: (VECTORS * GATE_BYTES) as u16 - 1,
        base: entry::idt(),
    };
    // SAFETY: the caller answers for the gates.
    unsafe { asm!("lidt [{}]", in(reg) &pointer, options(readonly, nostack, preserves_flags)) };
}
