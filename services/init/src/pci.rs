//! Devices on the PCI bus, as their configuration space describes them (PCI 3.0, 6), and where the registers of virtio's are (virtio 1.2, 4.1).
//!
//! Every word of configuration space is what a device says: nothing here goes round for ever, whatever it is, and a place is given out only when
//! it can be one device's alone. How large a range of addresses is would take a write to find out, which the kernel does not allow; so a range is taken to
//! be as large as what the device says lies in it, and must begin where one of that size can.

use nonos_abi::PAGE_BYTES;

/// The configuration space of all functions.
pub trait Configuration {
    /// Register of 32 bits at this offset, a multiple of 4, of a bus (8 bits), device (5 bits) and function (3 bits); all ones when nothing answers.
    fn read(&self, function: u16, register: u8) -> u32;
}

/// Number of a GPU among virtio's devices (5.7).
pub const VIRTIO_GPU: u16 = 16;

/// Registers (PCI 3.0, 6.1).
mod register {
    pub const ID: u8 = 0x00;
    pub const STATUS: u8 = 0x04;
    pub const HEADER: u8 = 0x0C;
    pub const FIRST_RANGE: u8 = 0x10;
    pub const BUSES: u8 = 0x18;
    pub const CAPABILITIES: u8 = 0x34;
    /// What all devices have ends here.
    pub const END: u8 = 0x40;
}

/// Most buses that are looked at.
const BUSES_MAX: usize = 32;

/// Most pages of one device's registers.
const PAGES_MAX: u64 = 256;

/// Where the structures of a virtio device are (4.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Virtio {
    /// Bus, device and function.
    pub function: u16,
    /// Physical address of its registers, page-aligned.
    pub physical: u64,
    /// Pages that they take.
    pub pages: u64,
    /// Offset of the common configuration in them, bytes.
    pub common: u64,
    /// Offset of the notifications.
    pub notify: u64,
    /// Bytes from the notification of one queue to that of the next.
    pub notify_multiplier: u64,
    /// Offset of what devices of this type have.
    pub specific: u64,
}

/// The first virtio device of a type, when its registers are at a place that can be its own.
pub fn virtio(configuration: &impl Configuration, kind: u16) -> Option<Virtio> {
    const VENDOR: u32 = 0x1AF4;
    /// Devices with the interface of virtio 1.0 have this and their type (4.1.2).
    const MODERN: u32 = 0x1040;
    let wanted = (MODERN + u32::from(kind)) << 16 | VENDOR;
    let mut found = None;
    functions(configuration, |function| {
        if found.is_none() && configuration.read(function, register::ID) == wanted {
            found = structures(configuration, function);
        }
    });
    let device = found?;
    let end = device
        .physical
        .checked_add(device.pages * PAGE_BYTES as u64)?;
    let mut inside = 0;
    functions(configuration, |function| {
        let bases = ranges(configuration, function).into_iter().flatten();
        inside += bases
            .filter(|base| (device.physical..end).contains(base))
            .count();
    });
    (inside == 1).then_some(device)
}

/// Calls a function with each function of each device. A bridge leads to buses with higher numbers than its own.
fn functions(configuration: &impl Configuration, mut found: impl FnMut(u16)) {
    const ABSENT: [u32; 2] = [0, 0xFFFF];
    const FUNCTIONS: u16 = 8;
    let mut reachable = [false; 256];
    reachable[0] = true;
    let mut visited = 0;
    for bus in 0..=255_u16 {
        if !reachable[usize::from(bus)] || visited == BUSES_MAX {
            continue;
        }
        visited += 1;
        for first in (bus << 8..=bus << 8 | 0xFF).step_by(FUNCTIONS.into()) {
            for function in first..=first | (FUNCTIONS - 1) {
                let vendor = configuration.read(function, register::ID) & 0xFFFF;
                if ABSENT.contains(&vendor) {
                    if function == first {
                        break;
                    }
                    continue;
                }
                if is_bridge(configuration, function) {
                    let secondary = configuration.read(function, register::BUSES) >> 8 & 0xFF;
                    if secondary > u32::from(bus) {
                        reachable[secondary as usize] = true;
                    }
                }
                found(function);
                let several = configuration.read(first, register::HEADER) >> 16 & 0x80 != 0;
                if !several {
                    break;
                }
            }
        }
    }
}

fn is_bridge(configuration: &impl Configuration, function: u16) -> bool {
    configuration.read(function, register::HEADER) >> 16 & 0x7F == 1
}

/// Where the ranges of memory of a function begin, by the number of their register (6.2.5.1).
fn ranges(configuration: &impl Configuration, function: u16) -> [Option<u64>; 6] {
    const IN_PORTS: u32 = 1;
    let count = match is_bridge(configuration, function) {
        true => 2,
        false => 6,
    };
    let read =
        |number: usize| configuration.read(function, register::FIRST_RANGE + number as u8 * 4);
    let mut ranges = [None; 6];
    let mut number = 0;
    while number < count {
        let low = read(number);
        let place = &mut ranges[number];
        number += 1;
        let upper = match low >> 1 & 3 {
            _ if low & IN_PORTS != 0 => continue,
            0 => 0,
            2 if number < count => {
                number += 1;
                read(number - 1)
            }
            _ => continue,
        };
        let base = u64::from(upper) << 32 | u64::from(low & !0xF);
        *place = Some(base).filter(|&base| base != 0);
    }
    ranges
}

/// What virtio's capabilities say (4.1.4); the first of each kind counts.
fn structures(configuration: &impl Configuration, function: u16) -> Option<Virtio> {
    const HAS_CAPABILITIES: u32 = 1 << 20;
    const VENDOR_SPECIFIC: u32 = 9;
    /// Types, and how long what they stand for is at least.
    const COMMON: (u32, u64) = (1, 0x38);
    const NOTIFY: (u32, u64) = (2, 2);
    const SPECIFIC: (u32, u64) = (4, 16);
    const BYTES: u8 = 20;
    if configuration.read(function, register::STATUS) & HAS_CAPABILITIES == 0 {
        return None;
    }
    let mut found: [Option<Structure>; 3] = [None; 3];
    let mut multiplier = 0;
    let mut at = configuration.read(function, register::CAPABILITIES) as u8 & !3;
    // So many fit, when none overlaps another.
    for _ in 0..64 {
        if !(register::END..=u8::MAX - (BYTES - 1)).contains(&at) {
            break;
        }
        let first = configuration.read(function, at);
        let kinds = [COMMON, NOTIFY, SPECIFIC];
        let kind = kinds.iter().position(|(kind, _)| first >> 24 == *kind);
        if let Some(kind) = kind
            && first & 0xFF == VENDOR_SPECIFIC
            && found[kind].is_none()
        {
            let structure = Structure {
                range: configuration.read(function, at + 4) as u8,
                offset: configuration.read(function, at + 8).into(),
                bytes: configuration.read(function, at + 12).into(),
            };
            if structure.bytes < kinds[kind].1 || !structure.offset.is_multiple_of(4) {
                return None;
            }
            found[kind] = Some(structure);
            if kinds[kind] == NOTIFY {
                multiplier = configuration.read(function, at + 16);
            }
        }
        at = (first >> 8) as u8 & !3;
    }
    let [Some(common), Some(notify), Some(specific)] = found else {
        return None;
    };
    let all = [common, notify, specific];
    if all.iter().any(|other| other.range != common.range) {
        return None;
    }
    let base = ranges(configuration, function);
    let physical = (*base.get(usize::from(common.range))?)?;
    let ends = all
        .iter()
        .map(|structure| structure.offset + structure.bytes);
    let pages = ends.max()?.div_ceil(PAGE_BYTES as u64);
    let fits = pages <= PAGES_MAX
        && physical.is_multiple_of((pages * PAGE_BYTES as u64).next_power_of_two());
    fits.then_some(Virtio {
        function,
        physical,
        pages,
        common: common.offset,
        notify: notify.offset,
        notify_multiplier: multiplier.into(),
        specific: specific.offset,
    })
}

/// Where a structure is.
#[derive(Clone, Copy)]
struct Structure {
    /// Number of the register of its range.
    range: u8,
    offset: u64,
    bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    /// Functions with their registers; what is not there reads as zeros.
    #[derive(Clone, Default)]
    struct Machine {
        functions: BTreeMap<u16, BTreeMap<u8, u32>>,
        reads: Cell<usize>,
    }

    impl Configuration for Machine {
        fn read(&self, function: u16, register: u8) -> u32 {
            self.reads.set(self.reads.get() + 1);
            assert!(register.is_multiple_of(4));
            self.functions.get(&function).map_or(u32::MAX, |registers| {
                registers.get(&register).copied().unwrap_or(0)
            })
        }
    }

    impl Machine {
        fn add(&mut self, function: u16, registers: &[(u8, u32)]) {
            self.functions
                .entry(function)
                .or_default()
                .extend(registers.iter().copied());
        }
    }

    const GPU: u16 = 0x10;

    /// A GPU as QEMU has it, with a host bridge and another device.
    fn machine() -> Machine {
        let mut machine = Machine::default();
        machine.add(0, &[(0, 0x29C0_8086)]);
        machine.add(
            8,
            &[
                (0, 0x1042_1AF4),
                (0x14, 0xC000_0000),
                (0x20, 0x8000_400C),
                (0x24, 8),
            ],
        );
        machine.add(
            GPU,
            &[
                (0x00, 0x1050_1AF4),
                (0x04, 0x0010_0000),
                (0x14, 0xC100_0000),
                (0x20, 0x0000_000C),
                (0x24, 8),
                (0x34, 0x98),
                // MSI-X, other configuration, notifications, ours, interrupts, common.
                (0x98, 0x8411),
                (0x84, 0x0514_7009),
                (0x70, 0x0214_6009),
                (0x74, 4),
                (0x78, 0x3000),
                (0x7C, 0x1000),
                (0x80, 4),
                (0x60, 0x0410_5009),
                (0x64, 4),
                (0x68, 0x2000),
                (0x6C, 0x1000),
                (0x50, 0x0310_4009),
                (0x54, 4),
                (0x58, 0x1000),
                (0x5C, 0x1000),
                (0x40, 0x0110_0009),
                (0x44, 4),
                (0x48, 0),
                (0x4C, 0x1000),
            ],
        );
        machine
    }

    fn with(function: u16, registers: &[(u8, u32)]) -> Option<Virtio> {
        let mut machine = machine();
        machine.add(function, registers);
        virtio(&machine, VIRTIO_GPU)
    }

    #[test]
    fn the_registers_of_a_gpu_are_found() {
        let found = Virtio {
            function: GPU,
            physical: 0x8_0000_0000,
            pages: 4,
            common: 0,
            notify: 0x3000,
            notify_multiplier: 4,
            specific: 0x2000,
        };
        assert_eq!(virtio(&machine(), VIRTIO_GPU), Some(found));
        assert_eq!(virtio(&machine(), 3), None, "no console");
        assert_eq!(virtio(&Machine::default(), VIRTIO_GPU), None);
    }

    #[test]
    fn a_gpu_behind_bridges_is_found_and_bridges_that_lead_back_end_nothing() {
        let mut machine = machine();
        let gpu = machine.functions.remove(&GPU).unwrap();
        machine.add(
            0x18,
            &[(0, 0x1234_8086), (0x0C, 0x81_0000), (0x18, 0x05_0100)],
        );
        machine.add(
            0x19,
            &[(0, 0x1234_8086), (0x0C, 0x81_0000), (0x18, 0x00_0000)],
        );
        machine.add(
            0x100,
            &[(0, 0x1234_8086), (0x0C, 0x01_0000), (0x18, 0x05_0501)],
        );
        machine.add(
            0x108,
            &[(0, 0x1234_8086), (0x0C, 0x01_0000), (0x18, 0x01_0101)],
        );
        machine.functions.insert(0x508, gpu);
        let found = virtio(&machine, VIRTIO_GPU).map(|gpu| gpu.function);
        assert_eq!(found, Some(0x508));
    }

    #[test]
    fn registers_that_another_device_has_too_are_refused() {
        assert_eq!(with(8, &[(0x20, 0x0000_000C)]), None, "the same");
        assert_eq!(with(8, &[(0x20, 0x0000_300C)]), None, "the last page");
        assert!(with(8, &[(0x20, 0x0000_400C)]).is_some(), "the next page");
        assert_eq!(
            with(GPU, &[(0x18, 0x0000_100C), (0x1C, 8)]),
            None,
            "its own"
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (what, registers) in [
            ("no capabilities", [(0x04, 0_u32)]),
            ("ports", [(0x20, 1)]),
            ("nowhere", [(0x20, 0xFFFF_FFFF)]),
            ("no such range", [(0x44, 6)]),
            ("a range of its own", [(0x74, 1)]),
            ("misplaced", [(0x20, 0x0000_100C)]),
            ("too large", [(0x6C, 0xFFFF_FFFF)]),
            ("too far", [(0x68, 0xFFFF_FFFC)]),
            ("too short", [(0x4C, 0x37)]),
            ("not aligned", [(0x48, 2)]),
            ("a list that ends", [(0x98, 0x0011)]),
            ("a list that goes round", [(0x84, 0x0514_9809)]),
            ("a list that leaves", [(0x84, 0x0514_F009)]),
        ] {
            assert_eq!(with(GPU, &registers), None, "{what}");
        }
        assert_eq!(with(GPU, &[(0x20, 4), (0x24, 0)]), None, "not placed");
        let at_the_end = [(0x20, 0xFFFF_C00C), (0x24, u32::MAX)];
        assert_eq!(with(GPU, &at_the_end), None, "at the end of all addresses");
    }

    #[test]
    fn whatever_configuration_space_says_the_search_ends_and_what_it_finds_is_aligned() {
        let mut draw = crate::draws();
        let mut found = 0;
        for _ in 0..20_000 {
            let mut machine = machine();
            for _ in 0..draw() % 6 {
                let register = draw() as u8 & !3;
                let old = machine.read(GPU, register);
                let value = match draw() % 3 {
                    0 => old ^ 1 << (draw() % 32),
                    1 => draw() as u32,
                    _ => machine.read(GPU, draw() as u8 & !3),
                };
                machine.add(GPU, &[(register, value)]);
            }
            if let Some(gpu) = virtio(&machine, VIRTIO_GPU) {
                found += 1;
                let bytes = gpu.pages * PAGE_BYTES as u64;
                assert!(
                    gpu.physical != 0 && gpu.physical.is_multiple_of(bytes.next_power_of_two())
                );
                assert!(gpu.common + 0x38 <= bytes && gpu.specific + 16 <= bytes);
                assert!(gpu.pages <= PAGES_MAX && gpu.notify + 2 <= bytes);
            }
            assert!(machine.reads.get() < 20_000);
        }
        assert!(found > 1000, "{found}");
    }

    /// Every function of every bus is a bridge that leads on.
    struct Everywhere(Cell<usize>);

    impl Configuration for Everywhere {
        fn read(&self, function: u16, register: u8) -> u32 {
            self.0.set(self.0.get() + 1);
            match register {
                register::HEADER => 0x81_0000,
                register::BUSES => u32::from(function % 251) << 8,
                _ => 0x1050_1AF4,
            }
        }
    }

    #[test]
    fn a_bus_that_never_ends_is_left_after_a_while() {
        let everywhere = Everywhere(Cell::new(0));
        let _ = virtio(&everywhere, VIRTIO_GPU);
        assert!(everywhere.0.get() < BUSES_MAX * 256 * 64);
    }
}
