//! A machine without hardware: address spaces are maps, frames are boxes, time is a number. It can have several CPUs, of
//! which one runs the kernel; each has a TLB that remembers all it may.

use core::cell::Cell;
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::string::String;
use std::vec::Vec;

use nonos_abi::PAGE_BYTES;
use nonos_abi::info::{CpuSecurity, CpuStatus, DmaStatus};

use crate::machine::{
    Access, AddressSpace, CPUS_MAX, Caching, CpuId, CpuRandom, DEVICES_MAX, DmaFault, FrameNumber,
    Machine, MapError, PortWidth, PowerAction, UserPage,
};

/// What RAM holds before the kernel writes to it.
const DIRT: u8 = 0xA5;
/// Devices lie here, one frame behind the other.
const DEVICE_FRAMES: core::ops::Range<u64> = 0xF0000..0xF0100;
/// Ports that no program gets.
const FORBIDDEN_PORTS: core::ops::RangeInclusive<u16> = 0x20..=0x21;
/// Interrupt lines.
const LINES: u32 = 24;

/// How a page is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// What it is mapped to.
    pub frame: FrameNumber,
    /// How user space may access it.
    pub access: Access,
    /// How it is cached.
    pub caching: Caching,
}

#[derive(Default)]
struct Space {
    lacks_counter: bool,
    pages: BTreeMap<UserPage, Mapping>,
    /// Page tables below the top: level and the part of the address that they cover.
    tables: BTreeSet<(u32, u64)>,
}

/// One CPU.
#[derive(Default)]
pub struct FakeCpu {
    /// The address space in CR3.
    pub loaded: Option<AddressSpace>,
    /// Whether it runs user code.
    pub in_user: bool,
    /// Whether it was kicked and did not enter the kernel since.
    pub kicked: bool,
    /// Whether it was stopped, and waits to enter the kernel.
    pub stopped: bool,
    /// Translations of the loaded space that it may remember.
    pub tlb: BTreeMap<UserPage, BTreeSet<FrameNumber>>,
}

impl FakeCpu {
    fn load(&mut self, space: Option<AddressSpace>) {
        if self.loaded != space {
            self.loaded = space;
            self.tlb.clear();
        }
    }

    fn remember(&mut self, page: UserPage, mapping: Mapping) {
        self.tlb.entry(page).or_default().insert(mapping.frame);
    }
}

/// The machine.
pub struct FakeMachine {
    /// The CPUs that run.
    pub cpus: Vec<FakeCpu>,
    /// The CPU that runs the kernel, or ran it last.
    pub current_cpu: CpuId,
    /// CPUs that were stopped, in order.
    pub stops: Vec<CpuId>,
    ram: core::ops::Range<u32>,
    frames: BTreeMap<FrameNumber, Box<[u8; PAGE_BYTES]>>,
    /// Frames that were written or given a window since they were last asked for.
    pub touched: BTreeSet<FrameNumber>,
    spaces: BTreeMap<u32, Space>,
    next_space: u32,
    /// Frames for page tables.
    pub table_frames: u64,
    /// Whether threads need shadow stacks.
    pub shadow_stacks: bool,
    /// The clock.
    pub now_ns: u64,
    /// How often the clock was read.
    pub clock_reads: Cell<u64>,
    /// What each CPU's timer is set to.
    pub timer_ns: [Option<u64>; CPUS_MAX],
    /// How often a timer was set.
    pub timer_sets: u64,
    /// Lines that are let through.
    pub enabled_interrupts: BTreeSet<u32>,
    /// Port writes, in order.
    pub port_writes: Vec<(u16, PortWidth, u32)>,
    /// Power actions, in order.
    pub power_actions: Vec<PowerAction>,
    /// How often all CPUs were made to forget what was unmapped.
    pub shootdowns: u64,
    /// What devices were stopped from doing.
    pub dma_faults: VecDeque<DmaFault>,
    /// Devices that have I/O addresses.
    pub devices: BTreeMap<u16, FakeDevice>,
    /// What RDSEED and RDRAND give, by how often they were asked.
    pub cpu_random: [FakeSource; 2],
    /// How often they were asked.
    pub asked: [Cell<u64>; 2],
    /// By how much the counter goes on from one reading to the next.
    pub counter_step: fn(u64) -> u64,
    /// The counter, and how often it was read.
    pub counter: [Cell<u64>; 2],
    /// The VM generation id.
    pub generation: [u64; 2],
    /// What was printed.
    pub printed: String,
}

/// A generator in the CPU: its numbers, by how many it gave before.
pub type FakeSource = fn(u64) -> Option<u64>;

/// The finalizer of SplitMix64 (Steele et al. 2014): numbers without a pattern.
pub fn noise(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// Goes one on, and says where it was.
fn next(count: &Cell<u64>) -> u64 {
    count.replace(count.get() + 1)
}

/// A device.
#[derive(Default)]
pub struct FakeDevice {
    /// What is mapped, and whether for writing.
    pub pages: BTreeMap<u16, (FrameNumber, bool)>,
    /// What it may reach: what is mapped or was when all was forgotten last.
    pub reaches: BTreeSet<FrameNumber>,
}

impl FakeMachine {
    /// A machine with so many CPUs and RAM in these frames, full of [`DIRT`].
    pub fn new(cpus: usize, ram: core::ops::Range<u32>, table_frames: u64) -> Self {
        Self {
            cpus: (0..cpus).map(|_| FakeCpu::default()).collect(),
            current_cpu: CpuId(0),
            stops: Vec::new(),
            ram,
            frames: BTreeMap::new(),
            touched: BTreeSet::new(),
            spaces: BTreeMap::new(),
            next_space: 1 << 20,
            table_frames,
            shadow_stacks: false,
            now_ns: 0,
            clock_reads: Cell::new(0),
            timer_ns: [None; CPUS_MAX],
            timer_sets: 0,
            enabled_interrupts: BTreeSet::new(),
            port_writes: Vec::new(),
            power_actions: Vec::new(),
            shootdowns: 0,
            dma_faults: VecDeque::new(),
            cpu_random: [|number| Some(noise(number)), |number| Some(noise(!number))],
            asked: Default::default(),
            counter_step: |number| noise(number) >> 50,
            counter: Default::default(),
            generation: [0; 2],
            devices: BTreeMap::new(),
            printed: String::new(),
        }
    }

    fn at(&mut self, cpu: CpuId) -> &mut FakeCpu {
        &mut self.cpus[usize::from(cpu.0)]
    }

    /// Has a CPU enter the kernel.
    pub fn enter_kernel(&mut self, cpu: CpuId) {
        self.current_cpu = cpu;
        let cpu = self.at(cpu);
        (cpu.in_user, cpu.kicked, cpu.stopped) = (false, false, false);
    }

    /// Has the CPU that runs the kernel run user code in this address space, or idle.
    pub fn leave_kernel(&mut self, space: Option<AddressSpace>) {
        let cpu = &mut self.cpus[usize::from(self.current_cpu.0)];
        let Some(space) = space else { return };
        cpu.load(Some(space));
        cpu.in_user = true;
        for (&page, &mapping) in &self.spaces[&space.0.0].pages {
            cpu.remember(page, mapping);
        }
    }

    /// All address spaces.
    pub fn spaces(&self) -> impl Iterator<Item = AddressSpace> {
        self.spaces
            .keys()
            .map(|&space| AddressSpace(FrameNumber(space)))
    }

    /// Whether reading the time-stamp counter is a fault in an address space.
    pub fn lacks_counter(&self, space: AddressSpace) -> bool {
        self.spaces[&space.0.0].lacks_counter
    }

    /// All mapped pages of an address space, ascending.
    pub fn mappings(&self, space: AddressSpace) -> impl Iterator<Item = (UserPage, Mapping)> {
        self.spaces[&space.0.0]
            .pages
            .iter()
            .map(|(&page, &mapping)| (page, mapping))
    }

    /// Contents of a frame.
    pub fn frame(&mut self, frame: FrameNumber) -> &mut [u8; PAGE_BYTES] {
        assert!(self.ram.contains(&frame.0), "frame {frame:?} is no RAM");
        self.frames
            .entry(frame)
            .or_insert_with(|| Box::new([DIRT; PAGE_BYTES]))
    }

    /// Whether a frame holds zeros.
    pub fn is_zero(&self, frame: FrameNumber) -> bool {
        self.frames
            .get(&frame)
            .is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
    }

    fn used_table_frames(&self) -> u64 {
        self.spaces
            .values()
            .map(|space| 1 + space.tables.len() as u64)
            .sum()
    }

    fn space(&mut self, space: AddressSpace) -> &mut Space {
        self.spaces
            .get_mut(&space.0.0)
            .expect("the address space exists")
    }
}

impl Machine for FakeMachine {
    fn cpu(&self) -> CpuId {
        self.current_cpu
    }

    fn cpus(&self) -> usize {
        self.cpus.len()
    }

    fn kick(&mut self, cpu: CpuId) {
        assert_ne!(cpu, self.current_cpu, "a CPU kicks itself");
        self.at(cpu).kicked = true;
    }

    fn stop(&mut self, cpu: CpuId) {
        assert_ne!(cpu, self.current_cpu, "a CPU stops itself");
        self.stops.push(cpu);
        let cpu = self.at(cpu);
        (cpu.in_user, cpu.stopped) = (false, true);
    }

    fn shootdown(&mut self, space: AddressSpace) {
        self.shootdowns += 1;
        for at in 0..self.cpus.len() {
            if self.cpus[at].loaded == Some(space) {
                if self.cpus[at].in_user {
                    self.stop(CpuId(at as u8));
                }
                self.cpus[at].tlb.clear();
            }
        }
    }

    fn copy(
        &mut self,
        from: FrameNumber,
        from_offset: usize,
        to: FrameNumber,
        to_offset: usize,
        bytes: usize,
    ) {
        let source = self.frame(from)[from_offset..from_offset + bytes].to_vec();
        self.touched.insert(to);
        self.frame(to)[to_offset..to_offset + bytes].copy_from_slice(&source);
    }

    fn has_shadow_stacks(&self) -> bool {
        self.shadow_stacks
    }

    fn space_create(&mut self, without_counter: bool) -> Option<AddressSpace> {
        if self.used_table_frames() >= self.table_frames {
            return None;
        }
        let space = Space {
            lacks_counter: without_counter,
            ..Space::default()
        };
        self.spaces.insert(self.next_space, space);
        self.next_space += 1;
        Some(AddressSpace(FrameNumber(self.next_space - 1)))
    }

    fn space_destroy(&mut self, space: AddressSpace) {
        self.spaces
            .remove(&space.0.0)
            .expect("the address space exists");
        for cpu in self.cpus.iter_mut().filter(|cpu| cpu.loaded == Some(space)) {
            assert!(!cpu.in_user, "user code runs in a space that is destroyed");
            cpu.load(None);
        }
    }

    fn map(
        &mut self,
        space: AddressSpace,
        page: UserPage,
        frame: FrameNumber,
        access: Access,
        caching: Caching,
    ) -> Result<(), MapError> {
        let free = self.table_frames - self.used_table_frames();
        let name = space;
        let space = self.space(space);
        if space.pages.contains_key(&page) {
            return Err(MapError::Mapped);
        }
        let tables = [1, 2, 3].map(|level| (level, page.address() >> (12 + 9 * level)));
        let missing: Vec<_> = tables
            .into_iter()
            .filter(|table| !space.tables.contains(table))
            .collect();
        if missing.len() as u64 > free {
            return Err(MapError::OutOfTables);
        }
        space.tables.extend(missing);
        let mapping = Mapping {
            frame,
            access,
            caching,
        };
        space.pages.insert(page, mapping);
        let name = Some(name);
        for cpu in self.cpus.iter_mut() {
            if cpu.in_user && cpu.loaded == name {
                cpu.remember(page, mapping);
            }
        }
        Ok(())
    }

    fn unmap(&mut self, space: AddressSpace, page: UserPage) -> Option<FrameNumber> {
        self.space(space)
            .pages
            .remove(&page)
            .map(|mapping| mapping.frame)
    }

    fn translate(&self, space: AddressSpace, page: UserPage) -> Option<(FrameNumber, Access)> {
        let mapping = self.spaces[&space.0.0].pages.get(&page)?;
        Some((mapping.frame, mapping.access))
    }

    fn with_frame<R>(
        &mut self,
        frame: FrameNumber,
        f: impl FnOnce(&mut [u8; PAGE_BYTES]) -> R,
    ) -> R {
        self.touched.insert(frame);
        f(self.frame(frame))
    }

    fn now_ns(&self) -> u64 {
        self.clock_reads.set(self.clock_reads.get() + 1);
        self.now_ns
    }

    fn counter(&self) -> u64 {
        let [counter, readings] = &self.counter;
        counter.set(counter.get() + (self.counter_step)(next(readings)));
        counter.get()
    }

    fn cpu_random(&self, from: CpuRandom) -> Option<u64> {
        let from = from as usize;
        (self.cpu_random[from])(next(&self.asked[from]))
    }

    fn vm_generation(&self) -> [u64; 2] {
        self.generation
    }

    fn set_timer(&mut self, deadline_ns: Option<u64>) {
        self.timer_ns[usize::from(self.current_cpu.0)] = deadline_ns;
        self.timer_sets += 1;
    }

    fn interrupt_route(&self, line: u32) -> Option<u32> {
        match line {
            0 => Some(2),
            line => (line < LINES).then_some(line),
        }
    }

    fn interrupt_enable(&mut self, global: u32) {
        self.enabled_interrupts.insert(global);
    }

    fn interrupt_disable(&mut self, global: u32) {
        self.enabled_interrupts.remove(&global);
    }

    fn dma_status(&self) -> DmaStatus {
        DmaStatus {
            units: 2,
            translating: 2,
            ..DmaStatus::default()
        }
    }

    fn device_create(&mut self, device: u16) -> bool {
        let room = self.devices.len() < DEVICES_MAX;
        if room {
            self.devices.entry(device).or_default();
        }
        self.devices.contains_key(&device)
    }

    fn device_map(&mut self, device: u16, page: u16, frame: FrameNumber, write: bool) {
        assert!(self.ram.contains(&frame.0) && u64::from(page) < nonos_abi::DEVICE_PAGES);
        let device = self.devices.get_mut(&device).expect("the device has pages");
        device.reaches.insert(frame);
        let other = device.pages.insert(page, (frame, write));
        assert_eq!(other, None, "the page is mapped");
    }

    fn device_unmap(&mut self, device: u16, page: u16) {
        let device = self.devices.get_mut(&device).expect("the device has pages");
        device.pages.remove(&page).expect("the page is mapped");
    }

    fn device_forget(&mut self) {
        for device in self.devices.values_mut() {
            device.reaches = device.pages.values().map(|(frame, _)| *frame).collect();
        }
    }

    fn dma_fault(&mut self) -> Option<DmaFault> {
        self.dma_faults.pop_front()
    }

    fn port_read(&mut self, port: u16, width: PortWidth) -> u32 {
        let all = 0x0101_0101 * u32::from(port & 0xFF);
        match width {
            PortWidth::Byte => all & 0xFF,
            PortWidth::Word => all & 0xFFFF,
            PortWidth::Double => all,
        }
    }

    fn port_write(&mut self, port: u16, width: PortWidth, value: u32) {
        self.port_writes.push((port, width, value));
    }

    fn ports_allowed(&self, first: u16, count: u16) -> bool {
        let end = u32::from(first) + u32::from(count);
        count > 0
            && end <= 1 << 16
            && FORBIDDEN_PORTS
                .into_iter()
                .all(|p| !(u32::from(first)..end).contains(&p.into()))
    }

    fn is_device_memory(&self, physical: u64, pages: u64) -> bool {
        let first = physical / PAGE_BYTES as u64;
        first >= DEVICE_FRAMES.start
            && first
                .checked_add(pages)
                .is_some_and(|end| end <= DEVICE_FRAMES.end)
    }

    fn cpu_status(&self) -> CpuStatus {
        CpuStatus {
            cpus: self.cpus.len() as u64,
            w_xor_x: 1,
            ..CpuStatus::default()
        }
    }

    fn cpu_security(&self) -> CpuSecurity {
        CpuSecurity {
            microcode: 7,
            ..CpuSecurity::default()
        }
    }

    fn power(&mut self, action: PowerAction) {
        self.power_actions.push(action);
    }

    fn table_frames(&self) -> (u64, u64) {
        (
            self.table_frames - self.used_table_frames(),
            self.table_frames,
        )
    }

    fn early_print(&mut self, text: &str) {
        self.printed.push_str(text);
    }
}
