//! Which I/O ports user space may be given. Pure, tested on the host.
//!
//! The list names what is allowed and nothing else: interrupt controllers, timers, DMA, system management, power and ACPI
//! ports, QEMU's `fw_cfg` (it does DMA) and whatever this list does not know can each take the machine or its memory out of the
//! kernel's hands. PCI configuration (PCI 3.0, 3.2.2.3.2) can be read, but of what it holds only the command registers of devices written:
//! what lies where on the bus stays as the firmware left it.

use nonos_kernel_core::machine::PortWidth;

const KEYBOARD_DATA: u16 = 0x60;
const KEYBOARD_COMMAND: u16 = 0x64;
/// Says which register of which device is behind [`CONFIGURATION_DATA`].
pub const CONFIGURATION_ADDRESS: u16 = 0xCF8;
/// That register.
const CONFIGURATION_DATA: u16 = 0xCFC;
const CONFIGURATION_LAST: u16 = 0xCFF;

/// Last port of the device that a port belongs to, when it may be given away.
const fn last_of(port: u16) -> Option<u16> {
    match port {
        KEYBOARD_DATA | KEYBOARD_COMMAND => Some(port),
        // COM1 to COM4 have eight ports each.
        CONFIGURATION_ADDRESS | CONFIGURATION_DATA => Some(CONFIGURATION_LAST),
        0x3F8..=0x3FF | 0x2F8..=0x2FF | 0x3E8..=0x3EF | 0x2E8..=0x2EF => Some(port | 7),
        _ => None,
    }
}

/// Whether all of `count` ports from `first` on may be given to user space.
#[inline]
pub const fn allowed(first: u16, count: u16) -> bool {
    match last_of(first) {
        Some(last) => count > 0 && count <= last - first + 1,
        None => false,
    }
}

/// Whether a port may be accessed with this width. A narrow access to the configuration address reaches the reset register among its bytes.
pub fn access_allowed(port: u16, width: PortWidth) -> bool {
    let configuration = (CONFIGURATION_ADDRESS..=CONFIGURATION_LAST).contains(&port);
    let narrow = configuration && span(width) != 4;
    allowed(port, span(width)) && !narrow
}

/// Whether a write of `value` is allowed, the port being so. The keyboard controller also drives the CPU's
/// reset line: by its output port (0xD1) and by pulse commands (0xF0 to 0xFF). A restart must wipe memory
/// first, so it goes through `Machine::power`. Of PCI configuration, where `configuration_address` says which register is meant, the command
/// register is written: whether the device answers in memory, may use DMA and interrupts by a line; its errors are not cleared.
pub fn write_allowed(port: u16, value: u32, configuration_address: impl Fn() -> u32) -> bool {
    const REGISTER: u32 = 0xFF;
    const COMMAND: u32 = 0x04;
    /// Memory space, bus master, no interrupts by a line (PCI 3.0, 6.2.2).
    const COMMAND_BITS: u32 = 1 << 1 | 1 << 2 | 1 << 10;
    match port {
        KEYBOARD_COMMAND => !matches!(value & 0xFF, 0xD1 | 0xF0..),
        CONFIGURATION_DATA => {
            value & !COMMAND_BITS == 0 && configuration_address() & REGISTER == COMMAND
        }
        _ => true,
    }
}

/// Ports that an access touches.
pub fn span(width: PortWidth) -> u16 {
    match width {
        PortWidth::Byte => 1,
        PortWidth::Word => 2,
        PortWidth::Double => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_and_keyboard_are_allowed() {
        assert!(allowed(0x3F8, 8) && allowed(0x3FF, 1) && allowed(0x60, 1) && allowed(0x64, 1));
    }

    #[test]
    fn what_commands_the_machine_is_refused() {
        let refused = [
            0x00, 0x20, 0x21, 0x40, 0x43, 0x61, 0x70, 0x80, 0x92, 0xA0, 0xA1, 0xB2, 0xC0, 0xF4,
            0x4D0, 0x510, 0x514, 0x604, 0x608, 0x61, 0xCF7, 0xCF9, 0xCFB, 0xCFD, 0xCFF, 0x8900,
            0xFFFF,
        ];
        for port in refused {
            assert!(!allowed(port, 1), "{port:#x}");
        }
    }

    #[test]
    fn a_range_that_leaves_an_allowed_one_is_refused() {
        assert!(
            !allowed(0x3F7, 2)
                && !allowed(0x3F8, 9)
                && !allowed(0x60, 5)
                && !allowed(0xCF8, 9)
                && !allowed(0x3F8, u16::MAX)
        );
        assert!(!allowed(0x3F8, 0), "nothing is not a range");
    }

    #[test]
    fn keyboard_controller_cannot_reset_the_machine() {
        for command in [0xD1, 0xF0, 0xFE, 0xFF, 0x1FE] {
            assert!(!write_allowed(0x64, command, || 0), "{command:#x}");
        }
        for command in [0x20, 0x60, 0xAA, 0xAE, 0xD4] {
            assert!(write_allowed(0x64, command, || 0), "{command:#x}");
        }
        assert!(write_allowed(0x60, 0xFE, || 0));
    }

    #[test]
    fn pci_configuration_is_read_and_only_command_registers_are_written() {
        use PortWidth::{Byte, Double, Word};
        assert!(
            allowed(0xCF8, 8) && access_allowed(0xCF8, Double) && access_allowed(0xCFC, Double)
        );
        for width in [Byte, Word] {
            assert!(!access_allowed(0xCF8, width) && !access_allowed(0xCFC, width));
        }
        assert!(write_allowed(0xCF8, 0x8000_2010, || 0));
        let write = |address: u32, value| write_allowed(0xCFC, value, || address);
        assert!(write(0x8000_2004, 0x406) && write(0x8003_FF04, 0));
        for address in [
            0x8000_2000,
            0x8000_2005,
            0x8000_2010,
            0x8000_2024,
            0x8000_2044,
        ] {
            assert!(!write(address, 2), "{address:#x}");
        }
        for value in [1, 0x100, 0xFFFF, 0xF900_0006] {
            assert!(!write(0x8000_2004, value), "{value:#x}");
        }
    }
}
