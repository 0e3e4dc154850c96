//! The kernel as one value: all objects, and what happens at each event.

use core::cell::Cell;

use nonos_abi::boot::BootInfo;
use nonos_abi::{Error, Name, Rights};
use nonos_image::anchors::Anchors;
use nonos_image::archive::{self, Archive};

use crate::arena::{
    Arena, EndpointId, InterruptId, MemoryId, ModuleId, NotificationId, ProcessId, ThreadId,
    TimerId, WatchId,
};
use crate::audit::{Audit, Denied};
use crate::budget::Budget;
use crate::device::Window;
use crate::dma::Stopped;
use crate::endpoint::Endpoint;
use crate::fast_move::Moving;
use crate::frame::Frames;
use crate::handle::{Capability, Slot};
use crate::interrupt::Interrupt;
use crate::lineage::{Lineage, NEVER};
use crate::log::Log;
use crate::machine::{CPUS_MAX, Current, Event, Machine};
use crate::memory::Memory;
use crate::module::Module;
use crate::notification::Notification;
use crate::object::Object;
use crate::process::{Exit, Process, Watch};
use crate::random::Random;
use crate::region::{REGIONS_MAX, Region};
use crate::scheduler::{Scheduler, Threads};
use crate::sizes::Arenas;
use crate::thread::ThreadState;
use crate::timer::{Alarms, Timer};

/// Name of the first module.
const INIT: &str = "init";

/// What the boot loader left for the kernel's logic.
#[derive(Clone, Copy)]
pub struct BootRecord {
    /// The boot loader's record.
    pub info: &'static BootInfo,
    /// The unpacked payload: a `nonos_image::archive`.
    pub payload: &'static [u8],
    /// The TCG event log; empty without one.
    pub event_log: &'static [u8],
    /// TSC when the kernel was entered.
    pub tsc_at_kernel_entry: u64,
}

/// Why the kernel cannot start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The payload is no archive.
    Archive(archive::ArchiveError),
    /// The archive has no list of trusted publishers.
    NoAnchors,
    /// The list of trusted publishers is malformed.
    Anchors(nonos_image::anchors::AnchorsError),
    /// No source of entropy went into the seed.
    NoEntropy,
    /// The module `init` is missing, was refused or could not be loaded.
    Init(Error),
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Archive(error) => write!(f, "system image: {error}"),
            Self::NoAnchors => f.write_str("system image: no list of trusted publishers"),
            Self::Anchors(error) => write!(f, "system image: {error}"),
            Self::NoEntropy => f.write_str("no source of entropy"),
            Self::Init(error) => write!(f, "init cannot be started: {error}"),
        }
    }
}

impl core::error::Error for StartError {}

/// All state of the kernel.
pub struct Kernel {
    pub(crate) boot: BootRecord,
    pub(crate) random: Random,
    pub(crate) log: Log,
    pub(crate) frames: Frames,
    pub(crate) scheduler: Scheduler,

    pub(crate) processes: Arena<ProcessId, Process>,
    pub(crate) threads: Threads,
    pub(crate) memories: Arena<MemoryId, Memory>,
    pub(crate) endpoints: Arena<EndpointId, Endpoint>,
    pub(crate) notifications: Arena<NotificationId, Notification>,
    pub(crate) interrupts: Arena<InterruptId, Interrupt>,
    pub(crate) windows: &'static mut [Option<Window>],
    pub(crate) modules: Arena<ModuleId, Module>,
    pub(crate) watches: Arena<WatchId, Watch>,
    pub(crate) timers: Arena<TimerId, Timer>,
    /// The armed timers of each CPU.
    pub(crate) alarms: [Alarms; CPUS_MAX],

    /// What devices were stopped from doing.
    pub(crate) dma: Stopped,

    /// What was derived from what.
    pub(crate) lineage: Lineage,
    pub(crate) audit: Audit,
    /// What the last check failed for, until it is recorded.
    pub(crate) denied: Cell<Denied>,

    pub(crate) slots: &'static mut [Slot],
    /// A power of two, so that a mask keeps an index in its process's table.
    pub(crate) handles_per_process: usize,
    pub(crate) handle_mask: u32,
    pub(crate) regions: &'static mut [Region],
    pub(crate) regions_per_process: usize,
    /// Most kernel objects charged to one process.
    pub(crate) objects_per_process: u32,

    /// For the fast path.
    pub(crate) moving: Moving,
    /// How often the fast path was taken, by kind.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fast_paths: [u32; crate::fast_path::KINDS],

    pub(crate) next_process_number: u64,
    pub(crate) init: Option<ProcessId>,
    /// Processes that have ended and are not cleaned up; none while user space runs.
    pub(crate) ended: Option<ProcessId>,
}

/// Who makes a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Caller {
    pub thread: ThreadId,
    pub process: ProcessId,
}

impl Kernel {
    /// A kernel without processes. The arenas are those of [`crate::Sizes::for_boot`], filled with
    /// [`crate::Empty::unused`]. All memory marked usable in the record belongs to the kernel from here on.
    ///
    /// # Errors
    /// When the seed has no entropy or the payload is malformed.
    pub fn new(
        boot: BootRecord,
        arenas: Arenas,
        machine: &mut impl Machine,
    ) -> Result<Self, StartError> {
        if boot.info.entropy_sources == 0 {
            return Err(StartError::NoEntropy);
        }
        let archive = Archive::parse(boot.payload).map_err(StartError::Archive)?;
        let anchors = archive.get(archive::ANCHORS).ok_or(StartError::NoAnchors)?;
        let anchors = Anchors::parse(anchors).map_err(StartError::Anchors)?;
        let processes = arenas.processes.len().max(1);
        let shape = arenas.shape();
        let handles_per_process = arenas.slots.len() / processes;
        assert!(handles_per_process.is_power_of_two(), "odd handle tables");
        let regions_per_process = arenas.regions.len() / processes;
        assert!(regions_per_process <= REGIONS_MAX, "too many regions");
        let objects = arenas.endpoints.len().min(arenas.notifications.len());
        let mut kernel = Self {
            boot,
            random: Random::new(&boot.info.seed, machine),
            log: Log::new(arenas.log),
            frames: Frames::new(arenas.frames, boot.info),
            scheduler: Scheduler::new(),
            processes: Arena::new(arenas.processes),
            threads: Arena::new(arenas.threads),
            memories: Arena::new(arenas.memories),
            endpoints: Arena::new(arenas.endpoints),
            notifications: Arena::new(arenas.notifications),
            interrupts: Arena::new(arenas.interrupts),
            windows: arenas.windows,
            modules: Arena::new(arenas.modules),
            watches: Arena::new(arenas.watches),
            dma: Stopped::default(),
            lineage: Lineage::new(arenas.nodes, shape),
            audit: Audit::new(arenas.audit),
            denied: Cell::new(Denied::NONE),
            timers: Arena::new(arenas.timers),
            alarms: [Alarms::EMPTY; CPUS_MAX],
            handles_per_process,
            handle_mask: handles_per_process as u32 - 1,
            slots: arenas.slots,
            regions_per_process,
            regions: arenas.regions,
            objects_per_process: u32::try_from(objects / 2).unwrap_or(u32::MAX),
            moving: Moving::NONE,
            #[cfg(any(test, feature = "testing"))]
            fast_paths: [0; crate::fast_path::KINDS],
            next_process_number: 1,
            init: None,
            ended: None,
        };
        kernel.list_modules(&archive, &anchors, machine);
        let (frames, unused) = (kernel.frames.total(), kernel.frames.unmanaged());
        kernel.log(
            format_args!(
                "{} MiB for programs, {} MiB left unused",
                frames / 256,
                unused / 256
            ),
            machine,
        );
        Ok(kernel)
    }

    /// Admits the module `init`, makes its process and starts it with the handles of [`nonos_abi::start`].
    ///
    /// # Errors
    /// When the module is missing, refused or cannot be loaded.
    pub fn start_init(&mut self, machine: &mut impl Machine) -> Result<(), StartError> {
        self.try_start_init(machine).map_err(StartError::Init)
    }

    fn try_start_init(&mut self, machine: &mut impl Machine) -> Result<(), Error> {
        let name = Name::new(INIT).ok_or(Error::NotFound)?;
        let module = self.admit_module(name, machine)?;
        let (most, budget) = (u64::MAX, Budget::UNLIMITED);
        let process = self.create_process(None, module, [most, most], budget, false, machine)?;
        self.init = Some(process);
        // In the order of `nonos_abi::start`.
        let objects = [
            Object::Archive,
            Object::Hardware,
            Object::SystemInfo,
            Object::KernelLayout,
            Object::Power,
            Object::Log,
            Object::Audit,
        ];
        for object in objects {
            self.insert_root(process, Capability::new(object, Rights::ALL))?;
        }
        self.scheduler.enter(machine.cpu());
        self.scheduler.set_count(machine.cpus());
        self.start_process(process, [0, 0])?;
        self.scheduler
            .settle(&mut self.threads, &mut self.processes, machine);
        Ok(())
    }

    /// The running thread of the machine's CPU made a system call that was none for [`Self::fast_syscall`]. Returns what that CPU runs
    /// from now on, as [`Self::handle`] does.
    #[inline(never)]
    pub fn syscall(&mut self, machine: &mut impl Machine) -> Current<'_> {
        self.scheduler.enter(machine.cpu());
        self.plain_syscall(machine)
    }

    /// Deals with what ended the last stay in user space or the last idle wait of the machine's CPU, a system call on the plain
    /// path. An event of a thread that another CPU took away meanwhile is none.
    ///
    /// Returns the thread that the CPU is to run: its registers and address space. `None` when there is nothing to run until the next
    /// event there. Only an event of this CPU changes it, but another's may take it away: then this CPU was stopped before.
    #[inline(never)]
    pub fn handle(&mut self, event: Event, machine: &mut impl Machine) -> Current<'_> {
        self.scheduler.enter(machine.cpu());
        match event {
            Event::Syscall => return self.syscall(machine),
            Event::Timer => {
                self.random.event(machine);
                self.timer(machine);
            }
            Event::Interrupt(global) => {
                self.random.event(machine);
                self.interrupt(global, machine);
            }
            Event::Fault(fault) => {
                if let Some(Caller { process, .. }) = self.caller() {
                    let fault = self.explain(process, fault, machine);
                    self.end_process(process, Exit::Fault(fault), machine);
                }
            }
            Event::DmaFault => self.report_dma(machine),
            Event::Spurious => {}
        }
        self.leave(machine)
    }

    /// Ends an event: what ended is cleaned up, and the CPU has decided what it runs.
    #[inline(always)]
    pub(crate) fn leave(&mut self, machine: &mut impl Machine) -> Current<'_> {
        if self.ended.is_some() {
            self.clean_up(machine);
        }
        loop {
            self.scheduler
                .settle(&mut self.threads, &mut self.processes, machine);
            let id = self.scheduler.running()?;
            if self.threads[id].mapping_expires_ns == NEVER || !self.unmap_expired(id, machine) {
                let thread = &mut self.threads[id];
                return Some((&mut thread.context, thread.space));
            }
        }
    }

    /// The timer of this CPU went off: ends the waits whose time has come, signals what is due, and ends the reservation of CPU
    /// time and the time slice if they are over.
    fn timer(&mut self, machine: &mut impl Machine) {
        let now_ns = machine.now_ns();
        self.scheduler.timer();
        while let Some(id) = self.scheduler.due(&mut self.threads, now_ns) {
            self.end_time(id, machine);
        }
        self.fire_timers(machine);
        self.scheduler
            .end_reservation(&mut self.threads, &mut self.processes, now_ns);
        self.scheduler.end_slice(&mut self.threads, now_ns);
    }

    /// The deadline of a thread has come.
    fn end_time(&mut self, id: ThreadId, machine: &mut impl Machine) {
        match self.threads[id].state {
            ThreadState::Throttled => {
                self.scheduler
                    .unthrottle(&mut self.threads, &mut self.processes, id);
            }
            ThreadState::Sleeping => {
                self.threads[id].context.rax = 0;
                self.scheduler.wake(&mut self.threads, id);
            }
            ThreadState::Calling(endpoint) => self.end_call_in_time(id, endpoint, machine),
            // The handle that it waits through has expired.
            _ => {
                let handle = self.threads[id].context.rdi & u64::from(u32::MAX);
                let expired = self.deny(handle, None, Error::Expired);
                self.end_wait(id, expired, machine);
            }
        }
    }

    /// Who runs on this CPU. `None` also when the thread was taken away after it entered the kernel.
    #[inline(always)]
    pub(crate) fn caller(&self) -> Option<Caller> {
        let thread = self.scheduler.running()?;
        Some(Caller {
            thread,
            process: self.threads[thread].process?,
        })
    }
}
