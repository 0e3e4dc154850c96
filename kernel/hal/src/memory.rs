//! Which physical memory is what: RAM for programs, devices, neither. Pure, tested on the host.

use core::cell::Cell;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{BootInfo, Framebuffer, MemoryRange, memory_kind};
use nonos_kernel_core::machine::FrameNumber;

const PAGE: u64 = PAGE_BYTES as u64;

/// Nothing below is given out as device memory: VGA and option ROMs, of no use after UEFI.
const LOWEST_DEVICE: u64 = 1 << 20;

/// Physical memory as the boot loader listed it.
pub struct Memory {
    ranges: &'static [MemoryRange],
    framebuffer: Framebuffer,
    /// First byte past the CPU's physical address space.
    limit: u64,
    /// Frames `[first, end)` of the usable range found last: look-ups cluster.
    last: Cell<(u64, u64)>,
}

impl Memory {
    /// The memory of a checked hand-over, on a CPU with this many physical address bits.
    pub fn new(info: &'static BootInfo, address_bits: u32) -> Self {
        Self {
            ranges: &info.memory[..info.memory_count as usize],
            framebuffer: info.framebuffer,
            limit: (1 << address_bits.min(52)).min(1 << 44),
            last: Cell::new((0, 0)),
        }
    }

    /// Whether a frame is RAM that the boot loader left for programs.
    #[inline]
    pub fn is_usable(&self, frame: FrameNumber) -> bool {
        let frame = u64::from(frame.0);
        let (first, end) = self.last.get();
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
            self.last.set((first, first + range.pages));
        }
        found
    }

    /// Whether a range may be mapped for a driver: the frame buffer, or addresses that no memory range names
    /// (RAM, firmware, reserved) and that are not the kernel's own devices.
    pub fn is_device(&self, physical: u64, pages: u64, kernel_devices: &[u64]) -> bool {
        let Some(end) = pages
            .checked_mul(PAGE)
            .and_then(|bytes| physical.checked_add(bytes))
        else {
            return false;
        };
        if pages == 0
            || !physical.is_multiple_of(PAGE)
            || physical < LOWEST_DEVICE
            || end > self.limit
        {
            return false;
        }
        let overlaps =
            |start: u64, length: u64| physical < start.saturating_add(length) && start < end;
        if kernel_devices.iter().any(|&device| overlaps(device, PAGE)) {
            return false;
        }
        let framebuffer = &self.framebuffer;
        let is_framebuffer = framebuffer.width > 0
            && physical >= framebuffer.physical & !(PAGE - 1)
            && end
                <= framebuffer
                    .physical
                    .saturating_add(framebuffer.bytes)
                    .next_multiple_of(PAGE);
        let listed =
            |range: &&MemoryRange| overlaps(range.physical, range.pages.saturating_mul(PAGE));
        self.ranges
            .iter()
            .filter(listed)
            .all(|range| is_framebuffer && range.kind == memory_kind::RESERVED)
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
            last: Cell::new((0, 0)),
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
        let apic = [0xFEE0_0000];
        assert!(memory.is_device(0xC000_0000, 4, &apic));
        assert!(memory.is_device(0x8000_0000, 0x100, &apic), "frame buffer");
        assert!(
            !memory.is_device(0x8000_0000, 0x101, &apic),
            "past the frame buffer"
        );
        assert!(!memory.is_device(0x8010_0000, 1, &apic), "reserved");
        assert!(!memory.is_device(0x10_0000, 1, &apic), "RAM");
        assert!(!memory.is_device(0x20_0000, 1, &apic), "kernel");
        assert!(
            !memory.is_device(0xDFFF_F000, 2, &apic),
            "reaches into firmware memory"
        );
        assert!(
            !memory.is_device(0xFEE0_0000, 1, &apic) && !memory.is_device(0xFEDF_0000, 0x20, &apic),
            "local APIC"
        );
        assert!(!memory.is_device(0xA_0000, 1, &apic), "below 1 MiB");
        assert!(
            !memory.is_device(1 << 40, 1, &apic),
            "past the address space"
        );
        assert!(
            !memory.is_device(u64::MAX - 0xFFF, 1, &apic)
                && !memory.is_device(0xC000_0000, u64::MAX, &apic)
        );
        assert!(
            !memory.is_device(0xC000_0001, 1, &apic) && !memory.is_device(0xC000_0000, 0, &apic)
        );
    }
}
