//! Which physical memory is what: RAM for programs, devices, neither. Pure, tested on the host.

use core::cell::Cell;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{ACPI_ENTRIES, BootInfo, Framebuffer, MemoryRange, memory_kind};
use nonos_kernel_core::machine::FrameNumber;

const PAGE: u64 = PAGE_BYTES as u64;

/// Nothing below is given out as device memory: VGA and option ROMs, of no use after UEFI.
const LOWEST_DEVICE: u64 = 1 << 20;

/// Most devices of the kernel's own: local APIC, I/O APICs and IOMMUs.
pub const KERNEL_DEVICES: usize = 2 * ACPI_ENTRIES + 1;

/// Physical memory as the boot loader listed it.
pub struct Memory {
    ranges: &'static [MemoryRange],
    framebuffer: Framebuffer,
    /// First byte past what can be mapped.
    limit: u64,
    /// Pages of the kernel's own devices; unused entries repeat the first.
    kernel_devices: [u64; KERNEL_DEVICES],
    /// Frames `[first, end)` that were found usable last: look-ups cluster.
    last_usable: Cell<(u64, u64)>,
    /// Frames `[first, end)` that were found a device's last.
    last_device: Cell<(u64, u64)>,
}

impl Memory {
    /// The memory of a checked hand-over, on a CPU with this many physical address bits and the local APIC there.
    pub fn new(info: &'static BootInfo, address_bits: u32, local_apic: u64) -> Self {
        let page_of = |physical: u64| physical & !(PAGE - 1);
        let mut kernel_devices = [page_of(local_apic); KERNEL_DEVICES];
        let io_apics = &info.acpi.io_apics[..info.acpi.io_apic_count as usize];
        let iommus = &info.acpi.iommus[..info.acpi.iommu_count as usize];
        let registers = io_apics.iter().map(|io_apic| &io_apic.physical);
        for (device, &physical) in kernel_devices[1..].iter_mut().zip(registers.chain(iommus)) {
            *device = page_of(physical);
        }
        Self {
            ranges: &info.memory[..info.memory_count as usize],
            framebuffer: info.framebuffer,
            // Frame numbers have 32 bits.
            limit: (1 << address_bits.min(52)).min(1 << 44),
            kernel_devices,
            last_usable: Cell::new((0, 0)),
            last_device: Cell::new((0, 0)),
        }
    }

    /// Whether user space may have a frame mapped: RAM for programs or a device's.
    #[inline(always)]
    pub fn is_mappable(&self, frame: FrameNumber) -> bool {
        self.is_usable(frame) || self.is_of_device(frame)
    }

    #[inline(never)]
    fn is_of_device(&self, frame: FrameNumber) -> bool {
        let number = u64::from(frame.0);
        let (first, end) = self.last_device.get();
        (first..end).contains(&number) || self.is_device(number * PAGE, 1)
    }

    /// Whether a frame is RAM that the boot loader left for programs.
    #[inline(always)]
    pub fn is_usable(&self, frame: FrameNumber) -> bool {
        let frame = u64::from(frame.0);
        let (first, end) = self.last_usable.get();
        (first..end).contains(&frame) || self.find_usable(frame)
    }

    #[inline(never)]
    fn find_usable(&self, frame: u64) -> bool {
        let after = self
            .ranges
            .partition_point(|range| range.physical / PAGE <= frame);
        let Some(range) = after.checked_sub(1).map(|index| &self.ranges[index]) else {
            return false;
        };
        let first = range.physical / PAGE;
        let found = range.kind == memory_kind::USABLE && frame < first + range.pages;
        if found {
            self.last_usable.set((first, first + range.pages));
        }
        found
    }

    /// Whether a range may be mapped for a driver: the frame buffer, or addresses that no memory range names
    /// (RAM, firmware, reserved) and that are not the kernel's own devices.
    pub fn is_device(&self, physical: u64, pages: u64) -> bool {
        let Some(end) = pages
            .checked_mul(PAGE)
            .and_then(|bytes| physical.checked_add(bytes))
        else {
            return false;
        };
        let sane = pages > 0
            && physical.is_multiple_of(PAGE)
            && physical >= LOWEST_DEVICE
            && end <= self.limit;
        let overlaps =
            |start: u64, length: u64| physical < start.saturating_add(length) && start < end;
        let is_kernels = self
            .kernel_devices
            .iter()
            .any(|&device| overlaps(device, PAGE));
        let is_framebuffer = self.is_framebuffer(physical, end);
        let found = sane
            && !is_kernels
            && self
                .ranges
                .iter()
                .filter(|range| overlaps(range.physical, range.pages.saturating_mul(PAGE)))
                .all(|range| is_framebuffer && range.kind == memory_kind::RESERVED);
        if found {
            self.last_device.set((physical / PAGE, end / PAGE));
        }
        found
    }

    fn is_framebuffer(&self, physical: u64, end: u64) -> bool {
        let Framebuffer {
            physical: start,
            bytes,
            width,
            ..
        } = self.framebuffer;
        let last = start.saturating_add(bytes).saturating_add(PAGE - 1) & !(PAGE - 1);
        width > 0 && physical >= start & !(PAGE - 1) && end <= last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let range = |physical, pages, kind| MemoryRange {
            physical,
            pages,
            kind,
        };
        let ranges = Box::leak(Box::new([
            range(0x10_0000, 0x100, memory_kind::USABLE),
            range(0x20_0000, 0x100, memory_kind::KERNEL),
            range(0x30_0000, 0x100, memory_kind::USABLE),
            range(0x8000_0000, 0x400, memory_kind::RESERVED),
            range(0xE000_0000, 0x100, memory_kind::FIRMWARE),
        ]));
        let framebuffer = Framebuffer {
            physical: 0x8000_0000,
            bytes: 0x10_0000,
            width: 1,
            ..Framebuffer::default()
        };
        Memory {
            ranges,
            framebuffer,
            limit: 1 << 40,
            kernel_devices: [0xFEE0_0000; KERNEL_DEVICES],
            last_usable: Cell::new((0, 0)),
            last_device: Cell::new((0, 0)),
        }
    }

    #[test]
    fn only_usable_ranges_are_usable() {
        let memory = memory();
        for (frame, usable) in [
            (0x100, true),
            (0x1FF, true),
            (0x200, false),
            (0xFF, false),
            (0x300, true),
            (0x3FF, true),
            (0x400, false),
            (0x80000, false),
        ] {
            assert_eq!(memory.is_usable(FrameNumber(frame)), usable, "{frame:#x}");
            assert_eq!(
                memory.is_usable(FrameNumber(frame)),
                usable,
                "{frame:#x} again"
            );
        }
    }

    #[test]
    fn memory_and_the_kernels_devices_are_no_device_memory() {
        let memory = memory();
        assert!(memory.is_device(0xC000_0000, 4));
        assert!(memory.is_device(0x8000_0000, 0x100), "frame buffer");
        assert!(
            !memory.is_device(0x8000_0000, 0x101),
            "past the frame buffer"
        );
        assert!(!memory.is_device(0x8010_0000, 1), "reserved");
        assert!(!memory.is_device(0x10_0000, 1), "RAM");
        assert!(!memory.is_device(0x20_0000, 1), "kernel");
        assert!(
            !memory.is_device(0xDFFF_F000, 2),
            "reaches into firmware memory"
        );
        assert!(
            !memory.is_device(0xFEE0_0000, 1) && !memory.is_device(0xFEDF_0000, 0x20),
            "local APIC"
        );
        assert!(!memory.is_device(0xA_0000, 1), "below 1 MiB");
        assert!(!memory.is_device(1 << 40, 1), "past the address space");
        assert!(!memory.is_device(u64::MAX - 0xFFF, 1) && !memory.is_device(0xC000_0000, u64::MAX));
        assert!(!memory.is_device(0xC000_0001, 1) && !memory.is_device(0xC000_0000, 0));
    }

    #[test]
    fn io_apics_and_iommus_are_kernel_devices() {
        // SAFETY: all fields are numbers or arrays of numbers; 0 is `RollbackStore::None`.
        let mut info: Box<BootInfo> = unsafe { Box::new_zeroed().assume_init() };
        (info.acpi.io_apic_count, info.acpi.iommu_count) = (1, 2);
        info.acpi.io_apics[0].physical = 0xFEC0_0000;
        info.acpi.iommus[..2].copy_from_slice(&[0xFED9_0000, 0xFED9_1000]);
        let memory = Memory::new(Box::leak(info), 40, 0xFEE0_0000);
        for physical in [0xFEC0_0000, 0xFED9_0000, 0xFED9_1000, 0xFEE0_0000] {
            assert!(!memory.is_device(physical, 1), "{physical:#x}");
        }
        assert!(memory.is_device(0xFED9_2000, 1));
    }
}
