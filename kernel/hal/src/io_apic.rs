//! I/O APICs: which device interrupt goes to which vector; and the legacy controllers they replace, masked.
//!
//! A line is open for one interrupt: it is masked when the interrupt arrives, before the end of interrupt,
//! until the driver acknowledges it. So a level-triggered line cannot storm.

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{ACPI_ENTRIES, Acpi, InterruptOverride};

use crate::cpu;
use crate::interrupts::vector;
use crate::private::PrivateArea;
use crate::remapping::{self, Destination, INTERRUPTS};

/// ISA interrupts; those above are PCI's.
const ISA_LINES: u32 = 16;

/// Global system interrupts with a vector.
const LINES: usize = vector::DEVICE_COUNT as usize;

/// Indirect registers of an I/O APIC (82093AA data sheet, 3.2).
const SELECT: usize = 0x00;
const DATA: usize = 0x10;
const VERSION: u32 = 0x01;
const REDIRECTION: u32 = 0x10;

const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;

/// One I/O APIC.
#[derive(Clone, Copy)]
struct IoApic {
    registers: *mut u32,
    first: u32,
    lines: u32,
    /// In whose name it sends interrupts, when the firmware says so.
    requester: Option<u16>,
}

/// All I/O APICs of the machine.
pub struct IoApics {
    units: [Option<IoApic>; ACPI_ENTRIES],
    overrides: &'static [InterruptOverride],
    /// Lower half of each line's entry, unmasked: vector, trigger mode and polarity.
    entries: [u32; LINES],
    destination: u32,
    /// Whether entries name those of the interrupt remapping table, which have the lines' numbers.
    remapped: bool,
}

impl IoApics {
    /// Maps them, masks every line and the legacy controllers. Interrupts go to the local APIC `destination`.
    ///
    /// # Safety
    /// The list names I/O APICs. Called once, with interrupts off.
    pub unsafe fn enable(acpi: &'static Acpi, area: &mut PrivateArea, destination: u32) -> Self {
        mask_legacy();
        let mut units = [None; ACPI_ENTRIES];
        let io_apics = &acpi.io_apics[..acpi.io_apic_count as usize];
        for (unit, io_apic) in units.iter_mut().zip(io_apics) {
            let page_offset = io_apic.physical as usize % PAGE_BYTES;
            let registers = area
                .map_device(io_apic.physical)
                .wrapping_byte_add(page_offset);
            let mut new = IoApic {
                registers,
                first: io_apic.first_interrupt as u32,
                lines: 0,
                requester: u16::try_from(io_apic.requester).ok(),
            };
            new.lines = (new.read(VERSION) >> 16 & 0xFF) + 1;
            for line in 0..new.lines {
                new.write(REDIRECTION + 2 * line, MASKED);
            }
            *unit = Some(new);
        }
        let overrides = &acpi.overrides[..acpi.override_count as usize];
        Self {
            units,
            overrides,
            entries: core::array::from_fn(|global| {
                (u32::from(vector::DEVICES) + global as u32) | trigger(overrides, global as u32)
            }),
            destination,
            remapped: false,
        }
    }

    /// Fills an empty interrupt remapping table with the entries of all lines, and uses it from now on. False when it is not known in whose
    /// name an I/O APIC sends interrupts: then nothing changes.
    pub fn remap(&mut self, table: &mut [u64; 2 * INTERRUPTS], to: Destination) -> bool {
        const { assert!(LINES <= INTERRUPTS) };
        let named = |unit: &IoApic| unit.requester.is_some();
        self.remapped = self.units.iter().flatten().all(named);
        let (words, _) = table.as_chunks_mut();
        for (global, (words, &entry)) in words.iter_mut().zip(&self.entries).enumerate() {
            let unit = self
                .find(global as u32)
                .and_then(|(unit, _)| unit.requester);
            if let (true, Some(requester)) = (self.remapped, unit) {
                *words = remapping::interrupt_entry(entry as u8, entry & LEVEL != 0, to, requester);
            }
        }
        self.remapped
    }

    /// The global system interrupt of an ISA or global interrupt; `None` when no I/O APIC has it or it has no vector.
    pub fn route(&self, line: u32) -> Option<u32> {
        let wiring = self
            .overrides
            .iter()
            .find(|wiring| wiring.isa == u64::from(line));
        let global = wiring.map_or(line, |wiring| wiring.global as u32);
        ((global as usize) < LINES && self.find(global).is_some()).then_some(global)
    }

    /// Opens a line.
    pub fn unmask(&self, global: u32) {
        self.set(global, 0);
    }

    /// Masks a line.
    pub fn mask(&self, global: u32) {
        self.set(global, MASKED);
    }

    /// Writes the entry of a line. Masked or not it keeps its trigger mode: an I/O APIC that is told "edge" while a
    /// level-triggered interrupt is in service misses its end and never raises the line again.
    fn set(&self, global: u32, mask: u32) {
        let Some((&entry, (unit, line))) = self.entries.get(global as usize).zip(self.find(global))
        else {
            return;
        };
        // The destination is of 8 bits; the boot CPU's number always fits without interrupt remapping.
        let upper = match self.remapped {
            true => remapping::io_apic_upper(global),
            false => self.destination << 24,
        };
        unit.write(REDIRECTION + 2 * line + 1, upper);
        unit.write(REDIRECTION + 2 * line, entry | mask);
    }

    fn find(&self, global: u32) -> Option<(&IoApic, u32)> {
        self.units.iter().flatten().find_map(|unit| {
            let line = global.checked_sub(unit.first)?;
            (line < unit.lines).then_some((unit, line))
        })
    }
}

/// Trigger mode and polarity: an override's, else those of the bus (ISA edge and high, PCI level and low).
fn trigger(overrides: &[InterruptOverride], global: u32) -> u32 {
    let wiring = overrides
        .iter()
        .find(|wiring| wiring.global == u64::from(global));
    let (level, low) = match wiring {
        Some(wiring) => (wiring.level != 0, wiring.active_low != 0),
        None => (global >= ISA_LINES, global >= ISA_LINES),
    };
    (u32::from(level) * LEVEL) | (u32::from(low) * ACTIVE_LOW)
}

impl IoApic {
    fn read(&self, register: u32) -> u32 {
        // SAFETY: the registers are mapped for good; selecting and reading one has no other effect.
        unsafe {
            self.registers.byte_add(SELECT).write_volatile(register);
            self.registers.byte_add(DATA).read_volatile()
        }
    }

    fn write(&self, register: u32, value: u32) {
        // SAFETY: as in `read`; the values written here raise only vectors that have a gate.
        unsafe {
            self.registers.byte_add(SELECT).write_volatile(register);
            self.registers.byte_add(DATA).write_volatile(value);
        }
    }
}

/// Initialises the two 8259A controllers to vectors of their own and masks all their lines. A spurious
/// interrupt can still come from a masked controller; it must not look like an exception.
fn mask_legacy() {
    const COMMANDS: [u16; 2] = [0x20, 0xA0];
    for (command, (vector, cascade)) in COMMANDS
        .into_iter()
        .zip([(vector::LEGACY, 4), (vector::LEGACY + 8, 2)])
    {
        // Initialise, cascaded, with a fourth word; base vector; wiring; 8086 mode; all masked.
        for (port, value) in [
            (command, 0x11),
            (command + 1, vector),
            (command + 1, cascade),
            (command + 1, 1),
            (command + 1, 0xFF),
        ] {
            // SAFETY: only moves and masks interrupts, which are off.
            unsafe { cpu::output_byte(port, value) };
        }
    }
}
