//! IOMMUs (VT-d): no device reaches memory that was not mapped for it, no device but the I/O APICs interrupts, and who tried is known.
//!
//! All units share one root table, which is empty: whatever a device reads or writes is stopped, until it is given I/O addresses. These are
//! [`DEVICE_PAGES`] pages behind page tables made at once. Interrupts are remapped if all units can and
//! the firmware has named all I/O APICs: then the table has an entry for each line, valid for its I/O APIC alone, and interrupts in the old
//! format are blocked. The tables are complete before a unit is told of them. Translation is turned on before other CPUs run and never off.
//!
//! A unit that lacks a command queue (before 2009) is left as it was, and `status` says so. One that does not obey stops the
//! kernel.
//!
//! Faults interrupt the boot CPU. Such an interrupt says no more until [`Iommus::listen`], at the next interrupt of a timer, so a device cannot
//! keep a CPU busy.

use core::hint::spin_loop;

use nonos_abi::boot::{ACPI_ENTRIES, Acpi};
use nonos_abi::info::DmaStatus;
use nonos_abi::{DEVICE_ADDRESS, DEVICE_PAGES, PAGE_BYTES};
use nonos_kernel_core::machine::{DEVICES_MAX, DmaFault, FrameNumber};

use crate::apic::LocalApic;
use crate::cpu;
use crate::interrupts::vector;
use crate::io_apic::IoApics;
use crate::private::PrivateArea;
use crate::region::{Page, Region};
use crate::remapping::{self, Capabilities, Destination};
use crate::table::{self, ENTRIES, Entry};

/// Registers (11.4).
mod register {
    pub const CAPABILITIES: usize = 0x08;
    pub const EXTENDED_CAPABILITIES: usize = 0x10;
    pub const COMMAND: usize = 0x18;
    pub const STATUS: usize = 0x1C;
    pub const ROOT_TABLE: usize = 0x20;
    pub const FAULT_STATUS: usize = 0x34;
    pub const FAULT_CONTROL: usize = 0x38;
    pub const FAULT_DATA: usize = 0x3C;
    pub const FAULT_ADDRESS: usize = 0x40;
    pub const FAULT_UPPER_ADDRESS: usize = 0x44;
    pub const PROTECTED_RANGES: usize = 0x64;
    pub const QUEUE_TAIL: usize = 0x88;
    pub const QUEUE_ADDRESS: usize = 0x90;
    pub const INTERRUPT_TABLE: usize = 0xB8;
}

/// Bits of the global command and status registers (11.4.4).
mod command {
    pub const TRANSLATE: u32 = 1 << 31;
    pub const SET_ROOT: u32 = 1 << 30;
    pub const LOG_FAULTS: u32 = 1 << 28;
    pub const FLUSH_BUFFER: u32 = 1 << 27;
    pub const USE_QUEUE: u32 = 1 << 26;
    pub const REMAP_INTERRUPTS: u32 = 1 << 25;
    pub const SET_INTERRUPT_TABLE: u32 = 1 << 24;
    pub const ALLOW_OLD_INTERRUPTS: u32 = 1 << 23;
    /// Status bits that are no lasting command.
    pub const ONCE: u32 = 0x6900_0000;
}

/// Bits of the fault status register (11.4.9): faults were lost; there are faults, the first in this record; all that a write clears.
const FAULTS_LOST: u32 = 1;
const FAULTS_PENDING: u32 = 1 << 1;
const FAULT_INDEX_SHIFT: u32 = 8;
const FAULT_STATUS_ALL: u32 = 0xFD;
/// Fault control (11.4.10): no interrupts.
const FAULTS_MASKED: u32 = 1 << 31;

/// The interrupt table has 2^(7 + 1) entries; destinations have 32 bits.
const INTERRUPT_TABLE_SIZE: u64 = 7;
const INTERRUPT_TABLE_WIDE: u64 = 1 << 11;

/// What all units can: page tables of three levels, and no more.
const THREE_LEVELS: u64 = 1 << 3;

/// The lowest page tables of a device, and the entry of the first in the table above.
const LOWEST_TABLES: usize = DEVICE_PAGES as usize / ENTRIES;
const FIRST_TABLE: usize = table::index(DEVICE_ADDRESS, 2);

/// Most reads of a register or word until a unit has done what it was told: seconds.
const READS: u32 = 100_000_000;

/// One unit.
#[derive(Clone, Copy)]
struct Unit {
    registers: *mut u32,
    can: Capabilities,
}

/// All units of the machine.
pub struct Iommus {
    /// Those that are used come first.
    units: [Unit; ACPI_ENTRIES],
    used: usize,
    /// Those that there are.
    count: u64,
    /// What the units write when they have done what is in the queue.
    done: *mut u64,
    /// Whether the interrupt for faults is off.
    masked: bool,
    /// The root table.
    root: *mut u64,
    /// Levels of page tables for devices; 0 when units differ or not all are used, and no device gets any.
    levels: u32,
    /// Whether all units see what is in the caches of CPUs.
    snoops: bool,
    /// Devices with I/O addresses, and the table of each that leads to its lowest.
    devices: [(u16, FrameNumber); DEVICES_MAX],
    device_count: usize,
}

impl Iommus {
    /// Turns translation on in all units and, where that can be, interrupt remapping.
    ///
    /// # Panics
    /// When a unit does not do what it is told.
    ///
    /// # Safety
    /// The list names IOMMUs. Called once, with interrupts off and all lines of the I/O APICs masked.
    pub unsafe fn enable(
        acpi: &Acpi,
        area: &mut PrivateArea,
        region: &mut Region,
        apic: &LocalApic,
        io_apics: &mut IoApics,
    ) -> Self {
        let mut iommus = Self {
            units: [Unit::NONE; ACPI_ENTRIES],
            used: 0,
            count: acpi.iommu_count,
            done: core::ptr::null_mut(),
            masked: false,
            root: core::ptr::null_mut(),
            levels: 0,
            snoops: false,
            devices: [(0, FrameNumber(0)); DEVICES_MAX],
            device_count: 0,
        };
        let registers = &acpi.iommus[..acpi.iommu_count as usize];
        for &physical in registers {
            if let Some(unit) = Unit::find(area.map_device(physical)) {
                iommus.units[iommus.used] = unit;
                iommus.used += 1;
            }
        }
        if iommus.used == 0 {
            return iommus;
        }
        let pages = region.carve(4, |_| Page([0; ENTRIES]));
        let pages = pages.unwrap_or_else(|| crate::stop!("the kernel region is too small"));
        let first = u64::from(region.frame_of(&pages[0]).0) * PAGE_BYTES as u64;
        // One behind the other.
        let physical = |page: u64| first + page * PAGE_BYTES as u64;
        let (root_at, interrupts_at, queue_at, done_at) =
            (physical(0), physical(1), physical(2), physical(3));
        let [root, interrupts, queue, done] = pages else {
            unreachable!()
        };
        let to = Destination {
            apic: apic.id(),
            wide: apic.is_x2apic(),
        };
        let all = iommus.used == registers.len();
        let levels = iommus
            .used()
            .fold(u64::MAX, |levels, unit| levels & unit.can.levels());
        let snoops = iommus.used().all(|unit| unit.can.snoops());
        iommus.snoops = snoops;
        iommus.levels = match levels {
            _ if !all => 0,
            THREE_LEVELS => 3,
            0 => 0,
            _ => 4,
        };
        iommus.root = root.0.as_mut_ptr();
        let can_remap = |unit: &Unit| unit.can.remaps_interrupts(to.wide);
        let remap = acpi.interrupt_remapping != 0
            && all
            && iommus.used().all(can_remap)
            && io_apics.remap(&mut interrupts.0, to);
        let commands = remapping::forget_all(remap, done_at);
        for (words, command) in queue.0.chunks_exact_mut(2).zip(commands.iter().cycle()) {
            words.copy_from_slice(command);
        }
        iommus.done = done.0.as_mut_ptr();
        // Units may read tables past the caches.
        cpu::write_back_caches();
        for unit in iommus.used() {
            unit.start(root_at, queue_at, to);
            unit.forget_all(iommus.done);
            unit.command(command::TRANSLATE, 0, command::TRANSLATE);
            if unit.can.has_protected_ranges() {
                unit.write(register::PROTECTED_RANGES, 0);
            }
            if remap {
                unit.remap_interrupts(interrupts_at, to.wide, iommus.done);
            }
        }
        iommus
    }

    fn used(&self) -> core::slice::Iter<'_, Unit> {
        self.units[..self.used].iter()
    }

    /// What is on, read now.
    pub fn status(&self) -> DmaStatus {
        let on = |bits: u32| {
            let wanted = |unit: &&Unit| {
                let old = command::ALLOW_OLD_INTERRUPTS;
                unit.read(register::STATUS) & (bits | old) == bits
            };
            self.used().filter(wanted).count() as u64
        };
        DmaStatus {
            units: self.count,
            translating: on(command::TRANSLATE),
            remapping: on(command::TRANSLATE | command::REMAP_INTERRUPTS),
            ..DmaStatus::default()
        }
    }

    /// Gives a device I/O addresses with nothing behind them, unless it has some. False when that cannot be.
    pub fn create(&mut self, device: u16, region: &mut Region) -> bool {
        self.table_of(device).is_some() || self.try_create(device, region).is_some()
    }

    fn try_create(&mut self, device: u16, region: &mut Region) -> Option<()> {
        /// One for the bus, three upper levels, and the lowest.
        const TABLES_MAX: u64 = 4 + LOWEST_TABLES as u64;
        let place = self.devices.get_mut(self.device_count)?;
        // None is made unless all can be.
        if self.levels == 0 || region.table_frames().0 < TABLES_MAX {
            return None;
        }
        let mut table = region.table_create()?;
        *place = (device, table);
        for number in 0..LOWEST_TABLES {
            let lowest = region.table_create()?;
            region.write(
                table,
                FIRST_TABLE + number,
                remapping::page_entry(lowest, true),
            );
        }
        for level in 3..=self.levels {
            let upper = region.table_create()?;
            let entry = table::index(DEVICE_ADDRESS, level);
            region.write(upper, entry, remapping::page_entry(table, true));
            table = upper;
        }
        let context = self.context_table(device >> 8, region)?;
        let entry = usize::from(device & 0xFF) * 2;
        self.device_count += 1;
        // Domain 0 is nobody's.
        let [valid, rest] = remapping::context_entry(table, self.levels, self.device_count as u64);
        region.write(context, entry + 1, rest);
        region.write(context, entry, valid);
        Some(())
    }

    /// The context table of a bus. Once made it stays.
    fn context_table(&mut self, bus: u16, region: &mut Region) -> Option<FrameNumber> {
        // SAFETY: 256 entries of two words, in a page carved for this.
        let entry = unsafe { self.root.add(usize::from(bus & 0xFF) * 2) };
        // SAFETY: as above.
        let found = Entry(unsafe { entry.read_volatile() });
        if found.is_present() {
            return Some(found.frame());
        }
        let table = region.table_create()?;
        // SAFETY: as above. The table is empty, so it lets nothing through.
        unsafe { entry.write_volatile(remapping::page_entry(table, false).0) };
        Some(table)
    }

    /// The table of a device with I/O addresses that leads to its lowest.
    fn table_of(&self, device: u16) -> Option<FrameNumber> {
        let devices = &self.devices[..self.device_count];
        let found = devices.iter().find(|(number, _)| *number == device);
        found.map(|(_, table)| *table)
    }

    /// What lies behind a page of a device. The units may remember what lay there before.
    pub fn set(&mut self, device: u16, page: u16, entry: Entry, region: &mut Region) {
        const { assert!(DEVICE_PAGES.is_multiple_of(ENTRIES as u64)) };
        const { assert!(DEVICE_ADDRESS.is_multiple_of(table::DIRECTORY_SPAN)) };
        const { assert!(FIRST_TABLE + LOWEST_TABLES <= ENTRIES) };
        let table = self
            .table_of(device)
            .unwrap_or_else(|| crate::stop!("no I/O addresses"));
        let page = usize::from(page);
        let lowest = region.read(table, FIRST_TABLE + page / ENTRIES).frame();
        region.write(lowest, page % ENTRIES, entry);
    }

    /// Has all units forget what they know of the tables.
    pub fn forget(&self) {
        if !self.snoops {
            cpu::write_back_caches();
        }
        for unit in self.used() {
            unit.forget_all(self.done);
        }
    }

    /// Takes all memory from all devices, for good.
    ///
    /// # Safety
    /// Nothing else of the kernel runs again.
    pub unsafe fn close(&self) {
        if self.used == 0 {
            return;
        }
        for word in 0..ENTRIES {
            // SAFETY: the root table, a page carved for this. Empty, it lets nothing through.
            unsafe { self.root.add(word).write_volatile(0) };
        }
        // What a unit was doing when the machine was stopped may end the first wait; then the second is for the first's commands.
        self.forget();
        self.forget();
    }

    /// Takes a fault that a unit has recorded.
    pub fn take_fault(&mut self) -> Option<DmaFault> {
        self.used().find_map(Unit::take_fault)
    }

    /// Turns the interrupt for faults off.
    pub fn mask(&mut self) {
        self.set_masked(true);
    }

    /// Turns it on again.
    #[inline]
    pub fn listen(&mut self) {
        if self.masked {
            self.set_masked(false);
        }
    }

    #[inline(never)]
    fn set_masked(&mut self, masked: bool) {
        self.masked = masked;
        for unit in self.used() {
            unit.write(
                register::FAULT_CONTROL,
                if masked { FAULTS_MASKED } else { 0 },
            );
        }
    }
}

impl Unit {
    const NONE: Self = Self {
        registers: core::ptr::null_mut(),
        can: Capabilities {
            basic: 0,
            extended: 0,
        },
    };

    /// The unit with these registers, if the kernel can use it.
    fn find(registers: *mut u32) -> Option<Self> {
        let mut unit = Self {
            registers,
            ..Self::NONE
        };
        unit.can = Capabilities {
            basic: unit.read_long(register::CAPABILITIES),
            extended: unit.read_long(register::EXTENDED_CAPABILITIES),
        };
        let (at, count) = unit.can.fault_records();
        (unit.can.has_queue() && at + count * 16 <= PAGE_BYTES).then_some(unit)
    }

    /// Gives it its tables, whatever the firmware left.
    fn start(&self, root: u64, queue: u64, to: Destination) {
        for left_on in [
            command::REMAP_INTERRUPTS,
            command::ALLOW_OLD_INTERRUPTS,
            command::USE_QUEUE,
            command::LOG_FAULTS,
        ] {
            self.command(0, left_on, 0);
        }
        if self.can.needs_flush() {
            self.command(command::FLUSH_BUFFER, 0, 0);
        }
        self.write(register::FAULT_STATUS, FAULT_STATUS_ALL);
        self.write(register::FAULT_DATA, vector::DMA_FAULT.into());
        self.write(
            register::FAULT_ADDRESS,
            0xFEE0_0000 | (to.apic & 0xFF) << 12,
        );
        self.write(register::FAULT_UPPER_ADDRESS, to.apic & !0xFF);
        self.write(register::FAULT_CONTROL, 0);
        self.write_long(register::ROOT_TABLE, root);
        self.command(command::SET_ROOT, 0, command::SET_ROOT);
        self.write_long(register::QUEUE_TAIL, 0);
        self.write_long(register::QUEUE_ADDRESS, queue);
        self.command(command::USE_QUEUE, 0, command::USE_QUEUE);
    }

    fn remap_interrupts(&self, table: u64, wide: bool, done: *mut u64) {
        let wide = if wide { INTERRUPT_TABLE_WIDE } else { 0 };
        self.write_long(
            register::INTERRUPT_TABLE,
            table | wide | INTERRUPT_TABLE_SIZE,
        );
        let set = command::SET_INTERRUPT_TABLE;
        self.command(set, 0, set);
        self.forget_all(done);
        self.command(command::REMAP_INTERRUPTS, 0, command::REMAP_INTERRUPTS);
    }

    /// Changes the bits `set` or `clear` of what it does, and waits until its status has `until` of them.
    fn command(&self, set: u32, clear: u32, until: u32) {
        let now = self.read(register::STATUS) & !command::ONCE;
        self.write(register::COMMAND, (now | set) & !clear);
        wait(|| self.read(register::STATUS) & (set | clear) == until);
    }

    /// Has it forget all it has cached. The queue is full of the commands for that, four at a time.
    fn forget_all(&self, done: *mut u64) {
        const COMMANDS_BYTES: u64 = 4 * 16;
        // SAFETY: a word of a page carved for this, reached by this pointer and the units only.
        unsafe { done.write_volatile(0) };
        let tail = self.read_long(register::QUEUE_TAIL) + COMMANDS_BYTES;
        self.write_long(register::QUEUE_TAIL, tail % PAGE_BYTES as u64);
        // SAFETY: as above.
        wait(|| unsafe { done.read_volatile() } != 0);
    }

    fn take_fault(&self) -> Option<DmaFault> {
        let status = self.read(register::FAULT_STATUS);
        if status & FAULTS_LOST != 0 {
            self.write(register::FAULT_STATUS, FAULTS_LOST);
        }
        if status & FAULTS_PENDING == 0 {
            return None;
        }
        let (first, count) = self.can.fault_records();
        let at = first + (status >> FAULT_INDEX_SHIFT & 0xFF) as usize % count * 16;
        let fault = remapping::fault(self.read_long(at), self.read_long(at + 8));
        self.write(at + 12, remapping::FAULT);
        fault
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: inside the registers' page, which is mapped for good.
        unsafe { self.registers.byte_add(register).read_volatile() }
    }

    fn read_long(&self, register: usize) -> u64 {
        // SAFETY: as in `read`; the register has 64 bits.
        unsafe {
            self.registers
                .byte_add(register)
                .cast::<u64>()
                .read_volatile()
        }
    }

    /// The tables that a unit is told of are complete, and lead to memory of user space at most.
    fn write(&self, register: usize, value: u32) {
        // SAFETY: as in `read`; the values restrict devices.
        unsafe { self.registers.byte_add(register).write_volatile(value) };
    }

    fn write_long(&self, register: usize, value: u64) {
        // SAFETY: as in `write`; the register has 64 bits.
        unsafe {
            self.registers
                .byte_add(register)
                .cast::<u64>()
                .write_volatile(value)
        };
    }
}

/// Waits until a unit has done something.
fn wait(is_done: impl Fn() -> bool) {
    for _ in 0..READS {
        if is_done() {
            return;
        }
        spin_loop();
    }
    crate::stop!("an IOMMU does not obey")
}
