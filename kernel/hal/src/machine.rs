//! The machine, as the kernel's logic sees it.

use core::sync::atomic::Ordering;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::BootInfo;
use nonos_abi::info::{CpuSecurity, CpuStatus, DmaStatus};
use nonos_kernel_core::machine::{
    Access, AddressSpace, Caching, CpuId, CpuRandom, DmaFault, Event, Fault, FrameNumber, Machine,
    MapError, PortWidth, PowerAction, UserContext, UserPage,
};

use crate::clock::Clock;
use crate::cpu::{self, pinned};
use crate::cpus::{CpuBlock, Cpus};
use crate::entry::{self, Exit};
use crate::generation::Generation;
use crate::interrupts::vector;
use crate::io_apic::IoApics;
use crate::iommu::Iommus;
use crate::memory::Memory;
use crate::private::Window;
use crate::region::{Kind, Region};
use crate::serial::{self, Serial};
use crate::stop::{self, Ending};
use crate::table::Entry;
use crate::{cet, isolation, mitigations, ports, protection, remapping, space};

const PAGE_FAULT: u64 = 14;

/// The one machine: an x86_64 PC. Who has it holds the kernel lock; at boot, when the other CPUs wait, the boot CPU does.
pub struct Hal {
    pub(crate) info: &'static BootInfo,
    pub(crate) kernel_half: Entry,
    pub(crate) region: Region,
    pub(crate) memory: Memory,
    pub(crate) cpus: Cpus,
    pub(crate) io_apics: IoApics,
    pub(crate) iommus: Iommus,
    pub(crate) clock: Clock,
    pub(crate) generation: Option<Generation>,
    /// The serial port, while no driver has it.
    pub(crate) serial: Option<Serial>,
    pub(crate) tsc_at_start: u64,
}

impl Hal {
    /// The boot loader's record.
    pub fn boot_info(&self) -> &'static BootInfo {
        self.info
    }

    /// The unpacked payload of the system image.
    pub fn payload(&self) -> &'static [u8] {
        stop::payload().unwrap_or_default()
    }

    /// The TCG event log; empty without one.
    pub fn event_log(&self) -> &'static [u8] {
        stop::event_log()
    }

    /// TSC when the kernel was entered.
    pub fn tsc_at_start(&self) -> u64 {
        self.tsc_at_start
    }

    /// Carves memory for `count` kernel objects from the kernel region, for good; `None` when it is used up.
    pub fn carve<T>(
        &mut self,
        count: usize,
        init: impl FnMut(usize) -> T,
    ) -> Option<&'static mut [T]> {
        self.region.carve(count, init)
    }

    /// Makes `this` CPU ready for a thread: its address space, its FPU registers.
    #[inline(always)]
    pub(crate) fn prepare(
        &mut self,
        this: &CpuBlock,
        context: &mut UserContext,
        space: AddressSpace,
    ) {
        if this.can_go_back(space) {
            Self::load(space);
            this.set_back(space);
        } else if !this.has_loaded(space) {
            self.check_and_load(this, space);
        }
        let loaded = this.fpu_state.load(Ordering::Relaxed);
        if context.fpu_state != loaded {
            Self::restore_fpu(this, context, loaded);
        }
    }

    /// What an exit means. `instruction` is where the thread was.
    #[inline(never)]
    pub(crate) fn event(&mut self, exit: Exit, instruction: u64) -> Event {
        const TIMER: u64 = vector::TIMER as u64;
        const KICK: u64 = vector::KICK as u64;
        const DMA_FAULT: u64 = vector::DMA_FAULT as u64;
        const DEVICES: u64 = vector::DEVICES as u64;
        const DEVICES_END: u64 = DEVICES + vector::DEVICE_COUNT as u64;
        match exit.vector {
            TIMER => {
                pinned::check();
                cet::check(self.cpus.this);
                self.cpus.apic.end_of_interrupt();
                self.iommus.listen();
                if self.clock.expired(self.cpus.this, &self.cpus.apic) {
                    Event::Timer
                } else {
                    Event::Spurious
                }
            }
            DEVICES..DEVICES_END => {
                let global = (exit.vector - DEVICES) as u32;
                self.io_apics.mask(global);
                self.cpus.apic.end_of_interrupt();
                Event::Interrupt(global)
            }
            DMA_FAULT => {
                self.iommus.mask();
                self.cpus.apic.end_of_interrupt();
                Event::DmaFault
            }
            KICK => {
                self.cpus.apic.end_of_interrupt();
                Event::Spurious
            }
            number @ 0..entry::FIRST_INTERRUPT => {
                let address = if number == PAGE_FAULT {
                    cpu::read_cr2()
                } else {
                    0
                };
                Event::Fault(Fault {
                    vector: number as u8,
                    error: exit.error,
                    address,
                    instruction,
                })
            }
            // Spurious interrupts of the local APIC and the legacy controllers want no end of interrupt.
            _ => Event::Spurious,
        }
    }

    /// Loads an address space other than the last two.
    #[inline(always)]
    fn check_and_load(&mut self, this: &CpuBlock, space: AddressSpace) {
        let kind = self.region.kind(space.0);
        // The one before is of this kind, too, as long as CPUs are not set up anew each time.
        let is_same = kind == this.space_kind();
        if !is_same {
            self.set_up(this, space, kind);
        }
        this.note_leaving(space, is_same);
        Self::load(space);
        this.set_loaded(space);
    }

    /// Loads an address space that the CPU is set up for. This forgets all translations, as none is global.
    #[inline(always)]
    fn load(space: AddressSpace) {
        // SAFETY: a top-level table made by `space::create`: the kernel's half is the same in all.
        unsafe { cpu::write_cr3(cr3_of(space.0)) };
    }

    /// Sets a CPU up for an address space of another kind than the one before, or for any where each wants something of its own.
    ///
    /// # Panics
    /// When it is no address space.
    #[cold]
    #[inline(never)]
    fn set_up(&self, this: &CpuBlock, space: AddressSpace, kind: Kind) {
        let Some(without_counter) = kind.without_counter() else {
            crate::stop!("not an address space")
        };
        pinned::let_programs_count(!without_counter);
        let mut again = mitigations::leave_space(!this.held(space));
        if let Some(user_root) = self.region.user_root(space.0) {
            this.set_tables(cr3_of(space.0), cr3_of(user_root));
            again = true;
        }
        this.set_space_kind(if again { Kind::NONE } else { kind });
    }

    /// Loads a thread's FPU state and what else user space alone uses, and numbers it. A number is used once on all CPUs: the context of a
    /// thread that ran elsewhere has one that this CPU's registers do not have.
    #[inline(always)]
    fn restore_fpu(this: &CpuBlock, context: &mut UserContext, last: u64) {
        // SAFETY: `fpu` was stored on a way in, or is the initial state.
        unsafe { cpu::restore_fpu(context) };
        context.fpu_state = this.number_fpu_load(last);
        cet::load(context);
    }

    /// Whether a global system interrupt is the serial port's.
    fn is_serial(&self, global: u32) -> bool {
        self.io_apics.route(serial::LINE) == Some(global)
    }

    /// Says which frame of RAM for programs a number is.
    fn usable(&self, frame: FrameNumber) -> FrameNumber {
        assert!(
            self.memory.is_usable(frame),
            "frame {:#x} is not RAM of user space",
            frame.0
        );
        frame
    }
}

/// CR3 for a top-level table and identifier 0. Loading it forgets all translations cached under that.
fn cr3_of(table: FrameNumber) -> u64 {
    u64::from(table.0) * PAGE_BYTES as u64
}

impl Machine for Hal {
    #[inline(always)]
    fn cpu(&self) -> CpuId {
        self.cpus.this.id()
    }

    fn cpus(&self) -> usize {
        Cpus::count()
    }

    fn kick(&mut self, cpu: CpuId) {
        self.cpus.kick(CpuBlock::of(cpu.0.into()));
    }

    fn stop(&mut self, cpu: CpuId) {
        self.cpus.stop(CpuBlock::of(cpu.0.into()));
    }

    #[inline(always)]
    fn shootdown(&mut self, space: AddressSpace) {
        // This CPU forgot each page when it was unmapped.
        self.cpus.forget(space);
    }

    fn copy(
        &mut self,
        from: FrameNumber,
        from_offset: usize,
        to: FrameNumber,
        to_offset: usize,
        bytes: usize,
    ) {
        let fits = |offset: usize| offset <= PAGE_BYTES && bytes <= PAGE_BYTES - offset;
        assert!(fits(from_offset) && fits(to_offset), "a copy past a frame");
        let (from, to) = (self.usable(from), self.usable(to));
        // SAFETY: both are RAM that the boot loader left for programs, which nothing of the kernel lies in; `&mut self`
        // keeps both windows ours. The copy goes by instruction, so a program that writes there meanwhile changes
        // what is copied and nothing else.
        unsafe {
            let (mut source, mut target) = (
                Window::first(self.cpus.this),
                Window::second(self.cpus.this),
            );
            let from = source.show_frame(from).byte_add(from_offset);
            let to = target.show_frame(to).byte_add(to_offset);
            cpu::copy(from, to, bytes);
            source.hide();
            target.hide();
        }
    }

    fn has_shadow_stacks(&self) -> bool {
        cet::is_on()
    }

    fn space_create(&mut self, without_counter: bool) -> Option<AddressSpace> {
        space::create(&mut self.region, self.kernel_half, without_counter)
    }

    fn space_destroy(&mut self, space: AddressSpace) {
        self.cpus.drop_space(space);
        space::destroy(&mut self.region, space);
    }

    #[inline(always)]
    fn map(
        &mut self,
        space: AddressSpace,
        page: UserPage,
        frame: FrameNumber,
        access: Access,
        caching: Caching,
    ) -> Result<(), MapError> {
        assert!(
            self.memory.is_mappable(frame),
            "frame {:#x} is not for user space",
            frame.0
        );
        // A page that was not mapped has no cached translation.
        space::map(&mut self.region, space, page, frame, access, caching)
    }

    #[inline(always)]
    fn unmap(&mut self, space: AddressSpace, page: UserPage) -> Option<FrameNumber> {
        let cpus = &self.cpus;
        let forget = |space, page: UserPage| {
            // Other address spaces have no translations left: loading one forgets all.
            if cpus.this.has_loaded(space) {
                cpu::invalidate_page(page.address());
            }
        };
        // A CPU in user space may have an entry cached that refers to a table that is about to be something else. What this gets as
        // arguments need not be kept for it in memory.
        let before_free = |space, page| {
            forget(space, page);
            cpus.forget(space);
        };
        let frame = space::unmap(&mut self.region, space, page, before_free)?;
        forget(space, page);
        Some(frame)
    }

    fn translate(&self, space: AddressSpace, page: UserPage) -> Option<(FrameNumber, Access)> {
        space::translate(&self.region, space, page)
    }

    fn with_frame<R>(
        &mut self,
        frame: FrameNumber,
        f: impl FnOnce(&mut [u8; PAGE_BYTES]) -> R,
    ) -> R {
        let frame = self.usable(frame);
        // SAFETY: RAM that the boot loader left for programs, which nothing of the kernel lies in; `&mut self` keeps the
        // window ours. A program that runs on another CPU may write there meanwhile: every value is one of a byte,
        // and what `f` reads twice may differ, so the logic copies first and looks then (`user.rs`).
        unsafe { Window::first(self.cpus.this).with(frame, f) }
    }

    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn counter(&self) -> u64 {
        cpu::read_tsc()
    }

    fn cpu_random(&self, from: CpuRandom) -> Option<u64> {
        match from {
            CpuRandom::Rdseed => cpu::rdseed(),
            CpuRandom::Rdrand => cpu::rdrand(),
        }
    }

    fn vm_generation(&self) -> [u64; 2] {
        self.generation.map_or([0; 2], Generation::read)
    }

    fn set_timer(&mut self, deadline_ns: Option<u64>) {
        self.clock.set(deadline_ns, self.cpus.this, &self.cpus.apic);
    }

    fn interrupt_route(&self, line: u32) -> Option<u32> {
        self.io_apics.route(line)
    }

    fn interrupt_enable(&mut self, global: u32) {
        if self.serial.is_some() && self.is_serial(global) {
            self.serial = None;
        }
        self.io_apics.unmask(global);
    }

    fn interrupt_disable(&mut self, global: u32) {
        self.io_apics.mask(global);
        if self.serial.is_none() && self.is_serial(global) {
            self.serial = Some(Serial::start());
        }
    }

    fn dma_status(&self) -> DmaStatus {
        self.iommus.status()
    }

    fn device_create(&mut self, device: u16) -> bool {
        self.iommus.create(device, &mut self.region)
    }

    fn device_map(&mut self, device: u16, page: u16, frame: FrameNumber, write: bool) {
        let entry = remapping::page_entry(self.usable(frame), write);
        self.iommus.set(device, page, entry, &mut self.region);
    }

    fn device_unmap(&mut self, device: u16, page: u16) {
        self.iommus
            .set(device, page, Entry::EMPTY, &mut self.region);
    }

    fn device_forget(&mut self) {
        self.iommus.forget();
    }

    fn dma_fault(&mut self) -> Option<DmaFault> {
        self.iommus.take_fault()
    }

    fn port_read(&mut self, port: u16, width: PortWidth) -> u32 {
        if !ports::access_allowed(port, width) {
            return u32::MAX;
        }
        // SAFETY: allowed ports command no device that touches memory, but for the one of PCI configuration that lets one begin, which IOMMUs
        // confine where there are some.
        unsafe {
            match width {
                PortWidth::Byte => cpu::input_byte(port).into(),
                PortWidth::Word => cpu::input_word(port).into(),
                PortWidth::Double => cpu::input_double(port),
            }
        }
    }

    fn port_write(&mut self, port: u16, width: PortWidth, value: u32) {
        // SAFETY: reading the address changes nothing.
        let configured = || unsafe { cpu::input_double(ports::CONFIGURATION_ADDRESS) };
        if !ports::access_allowed(port, width) || !ports::write_allowed(port, value, configured) {
            return;
        }
        // SAFETY: as in `port_read`.
        unsafe {
            match width {
                PortWidth::Byte => cpu::output_byte(port, value as u8),
                PortWidth::Word => cpu::output_word(port, value as u16),
                PortWidth::Double => cpu::output_double(port, value),
            }
        }
    }

    fn ports_allowed(&self, first: u16, count: u16) -> bool {
        ports::allowed(first, count)
    }

    fn is_device_memory(&self, physical: u64, pages: u64) -> bool {
        self.memory.is_device(physical, pages)
    }

    #[inline(always)]
    fn cpu_status(&self) -> CpuStatus {
        CpuStatus {
            cpus: Cpus::count() as u64,
            tsc_hz: self.clock.tsc_hz,
            tsc_deadline: self.clock.is_tsc_deadline().into(),
            // The kernel does not run on when the walk at boot finds a violation.
            w_xor_x: 1,
            isolation: isolation::why(),
            ..protection::status()
        }
    }

    #[inline(always)]
    fn cpu_security(&self) -> CpuSecurity {
        mitigations::status()
    }

    fn power(&mut self, action: PowerAction) {
        stop::claim();
        stop::finish(match action {
            PowerAction::Off => Ending::Off,
            PowerAction::Restart => Ending::Restart,
        })
    }

    #[inline(always)]
    fn table_frames(&self) -> (u64, u64) {
        self.region.table_frames()
    }

    fn early_print(&mut self, text: &str) {
        if let Some(serial) = &mut self.serial {
            // What a port that takes nothing misses is in the log.
            let _ = core::fmt::Write::write_str(serial, text);
        }
    }
}
