//! The machine, as the kernel's logic sees it.

use nonos_abi::boot::BootInfo;
use nonos_abi::info::CpuStatus;
use nonos_abi::{PAGE_BYTES, USER_END};
use nonos_kernel_core::machine::{
    Access, AddressSpace, Caching, CpuId, Event, Fault, FrameNumber, Machine, MapError, PortWidth,
    PowerAction, UserContext, UserPage,
};

use crate::apic::LocalApic;
use crate::clock::Clock;
use crate::cpu::{self, rflags};
use crate::entry::{self, Exit};
use crate::interrupts::vector;
use crate::io_apic::IoApics;
use crate::memory::Memory;
use crate::private::Window;
use crate::region::Region;
use crate::serial::Serial;
use crate::stop::{self, Ending};
use crate::table::Entry;
use crate::{ports, protection, space};

const PAGE_FAULT: u64 = 14;
const GENERAL_PROTECTION: u8 = 13;

/// The one machine: an x86_64 PC with its boot CPU running.
pub struct Hal {
    pub(crate) info: &'static BootInfo,
    /// Physical address of the boot page tables.
    pub(crate) root: u64,
    pub(crate) kernel_half: Entry,
    pub(crate) region: Region,
    pub(crate) window: Window,
    pub(crate) memory: Memory,
    pub(crate) apic: LocalApic,
    pub(crate) io_apics: IoApics,
    pub(crate) clock: Clock,
    pub(crate) serial: Serial,
    pub(crate) tsc_at_start: u64,
    /// The address space in CR3; `None` for the boot page tables.
    pub(crate) loaded: Option<AddressSpace>,
    /// Number of the last load of the FPU registers, never 0. The context with the same number in
    /// [`UserContext::fpu_state`] holds what the registers hold.
    pub(crate) fpu_state: u64,
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

    /// Runs a thread until user space enters the kernel.
    #[inline(always)]
    pub fn enter_user(&mut self, context: &mut UserContext, space: AddressSpace) -> Event {
        if context.rip >= USER_END {
            return Event::Fault(Fault {
                vector: GENERAL_PROTECTION,
                error: 0,
                address: 0,
                instruction: context.rip,
            });
        }
        context.rflags = context.rflags & rflags::USER | rflags::FIXED | rflags::IF;
        if self.loaded != Some(space) {
            self.load(space);
        }
        if context.fpu_state != self.fpu_state {
            self.restore_fpu(context);
        }
        // SAFETY: set up at boot; space, FPU, `rip` and `rflags` were just seen to.
        let exit = unsafe { entry::enter_user(context) };
        if exit.vector == entry::SYSCALL {
            return Event::Syscall;
        }
        self.event(exit, context.rip)
    }

    /// Waits for an interrupt.
    pub fn idle(&mut self) -> Event {
        // SAFETY: set up at boot.
        let exit = unsafe { entry::idle() };
        self.event(exit, 0)
    }

    #[inline(never)]
    fn event(&mut self, exit: Exit, instruction: u64) -> Event {
        const TIMER: u64 = vector::TIMER as u64;
        const DEVICES: u64 = vector::DEVICES as u64;
        const DEVICES_END: u64 = DEVICES + vector::DEVICE_COUNT as u64;
        match exit.vector {
            TIMER => {
                self.apic.end_of_interrupt();
                if self.clock.expired(&self.apic) {
                    Event::Timer
                } else {
                    Event::Spurious
                }
            }
            DEVICES..DEVICES_END => {
                let global = (exit.vector - DEVICES) as u32;
                self.io_apics.mask(global);
                self.apic.end_of_interrupt();
                Event::Interrupt(global)
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

    /// Loads an address space. This forgets all translations, as none is global.
    fn load(&mut self, space: AddressSpace) {
        assert!(self.region.is_root(space.0), "not an address space");
        // SAFETY: a top-level table made by `space::create`: the kernel's half is the same in all.
        unsafe { cpu::write_cr3(u64::from(space.0.0) * PAGE_BYTES as u64) };
        self.loaded = Some(space);
    }

    /// Loads a thread's FPU state and numbers it.
    fn restore_fpu(&mut self, context: &mut UserContext) {
        // SAFETY: `fpu` is an aligned FXSAVE image whose MXCSR user space could load itself: it was saved by
        // FXSAVE, or is the initial one. FNINIT clears what FXRSTOR leaves alone on some CPUs (x87 pointers).
        unsafe { cpu::restore_fpu(&context.fpu) };
        self.fpu_state += 1;
        context.fpu_state = self.fpu_state;
    }

    fn forget(&self, space: AddressSpace, page: UserPage) {
        // Other address spaces have no translations left: loading one forgets all.
        if self.loaded == Some(space) {
            cpu::invalidate_page(page.address());
        }
    }
}

impl Machine for Hal {
    fn cpu(&self) -> CpuId {
        CpuId(0)
    }

    fn cpus(&self) -> usize {
        1
    }

    fn kick(&mut self, _: CpuId) {}

    fn stop(&mut self, _: CpuId) {}

    fn shootdown(&mut self, _: AddressSpace) {}

    fn copy(
        &mut self,
        from: FrameNumber,
        from_offset: usize,
        to: FrameNumber,
        to_offset: usize,
        bytes: usize,
    ) {
        const PART: usize = 256;
        let mut buffer = [0; PART];
        for done in (0..bytes).step_by(PART) {
            let part = &mut buffer[..PART.min(bytes - done)];
            let (start, length) = (from_offset + done, part.len());
            self.with_frame(from, |frame| {
                part.copy_from_slice(&frame[start..start + length]);
            });
            let start = to_offset + done;
            self.with_frame(to, |frame| {
                frame[start..start + length].copy_from_slice(part);
            });
        }
    }

    fn space_create(&mut self) -> Option<AddressSpace> {
        space::create(&mut self.region, self.kernel_half)
    }

    fn space_destroy(&mut self, space: AddressSpace) {
        if self.loaded == Some(space) {
            // SAFETY: the boot page tables map the kernel's half.
            unsafe { cpu::write_cr3(self.root) };
            self.loaded = None;
        }
        space::destroy(&mut self.region, space);
    }

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

    fn unmap(&mut self, space: AddressSpace, page: UserPage) -> Option<FrameNumber> {
        let frame = space::unmap(&mut self.region, space, page)?;
        self.forget(space, page);
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
        assert!(
            self.memory.is_usable(frame),
            "frame {:#x} is not RAM of user space",
            frame.0
        );
        // SAFETY: RAM that the boot loader left for programs, which nothing of the kernel lies in; no program
        // runs meanwhile, and `&mut self` keeps the window ours.
        unsafe { self.window.with(frame, f) }
    }

    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn set_timer(&mut self, deadline_ns: Option<u64>) {
        self.clock.set(deadline_ns, &self.apic);
    }

    fn interrupt_route(&self, line: u32) -> Option<u32> {
        self.io_apics.route(line)
    }

    fn interrupt_enable(&mut self, global: u32) {
        self.io_apics.unmask(global);
    }

    fn interrupt_disable(&mut self, global: u32) {
        self.io_apics.mask(global);
    }

    fn port_read(&mut self, port: u16, width: PortWidth) -> u32 {
        if !ports::allowed(port, ports::span(width)) {
            return u32::MAX;
        }
        // SAFETY: allowed ports command no device that touches memory.
        unsafe {
            match width {
                PortWidth::Byte => cpu::input_byte(port).into(),
                PortWidth::Word => cpu::input_word(port).into(),
                PortWidth::Double => cpu::input_double(port),
            }
        }
    }

    fn port_write(&mut self, port: u16, width: PortWidth, value: u32) {
        if !ports::allowed(port, ports::span(width)) || !ports::write_allowed(port, value) {
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

    fn cpu_status(&self) -> CpuStatus {
        CpuStatus {
            cpus: 1,
            tsc_hz: self.clock.tsc_hz,
            tsc_deadline: self.clock.is_tsc_deadline().into(),
            // The kernel does not run on when the walk at boot finds a violation.
            w_xor_x: 1,
            ..protection::status()
        }
    }

    fn power(&mut self, action: PowerAction) {
        stop::finish(match action {
            PowerAction::Off => Ending::Off,
            PowerAction::Restart => Ending::Restart,
        })
    }

    fn table_frames(&self) -> (u64, u64) {
        self.region.table_frames()
    }

    fn early_print(&mut self, text: &str) {
        // Writing to the port cannot fail.
        let _ = core::fmt::Write::write_str(&mut self.serial, text);
    }
}
