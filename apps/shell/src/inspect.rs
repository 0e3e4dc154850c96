//! Commands that show the state of the system, each read at the time of the command.

use nonos_proto::CallError;
use nonos_rt::abi::info::{
    BootStatus, HandleRecord, MemoryStatus, ModuleInfo, Pcr, ProcessInfo, Topic,
};
use nonos_rt::abi::words::Words;
use nonos_rt::abi::{Error, Handle, start};
use nonos_rt::object::SystemInfo;
use nonos_rt::{parent, syscall};
use shell::report::{self, Facts};

use crate::session::Session;

/// The PCRs that `status` shows: the firmware's, and the image's.
const PCRS: [u64; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 11];

impl Session {
    /// `status`
    pub(crate) fn status(&mut self, system: &SystemInfo) -> Result<(), Error> {
        let mut pcrs = [(0, Pcr::default()); PCRS.len()];
        for (slot, number) in pcrs.iter_mut().zip(PCRS) {
            *slot = (number, system.read(Topic::Pcr, number)?);
        }
        let layout = parent::kernel_layout()
            .and_then(|layout| layout.read().map_err(CallError::Unreachable));
        let facts = Facts {
            boot: system.read(Topic::Boot, 0)?,
            cpu: system.read(Topic::Cpu, 0)?,
            memory: system.read(Topic::Memory, 0)?,
            dma: system.read(Topic::Dma, 0)?,
            random: system.read(Topic::Random, 0)?,
            pcrs: &pcrs,
            layout,
        };
        let _ = report::status(&mut self.terminal, &facts);
        Ok(())
    }

    /// `status --mitigations`
    pub(crate) fn mitigations(&mut self, system: &SystemInfo) -> Result<(), Error> {
        let security = nonos_mitigations::with_cpuid(&system.read(Topic::CpuSecurity, 0)?);
        let _ = report::mitigations(&mut self.terminal, &security);
        Ok(())
    }

    /// `status --boot`: figures for the bench.
    pub(crate) fn boot_figures(&mut self, system: &SystemInfo) -> Result<(), Error> {
        let boot: BootStatus = system.read(Topic::Boot, 0)?;
        let prompt_ns = self.prompt_ns.unwrap_or(0);
        self.print(format_args!(
            "loader ticks: {}\nprompt ns: {prompt_ns}\n",
            boot.loader_ticks
        ));
        Ok(())
    }

    /// `mem`
    pub(crate) fn memory(&mut self, system: &SystemInfo) -> Result<(), Error> {
        let status: MemoryStatus = system.read(Topic::Memory, 0)?;
        let _ = report::memory(&mut self.terminal, &status);
        Ok(())
    }

    /// `ps`
    pub(crate) fn processes(&mut self, system: &SystemInfo) -> Result<(), Error> {
        let _ = report::processes_heading(&mut self.terminal);
        each(system, Topic::Process, 0, |info: ProcessInfo| {
            let _ = report::process(&mut self.terminal, &info);
        })
    }

    /// `caps`
    pub(crate) fn capabilities(&mut self, system: &SystemInfo, process: u64) -> Result<(), Error> {
        // A process that does not exist says `NotFound` for slots without end.
        if process != 0 && !exists(system, process)? {
            self.fail(format_args!("no process {process}"));
            return Ok(());
        }
        let now_ns = syscall::clock_ns();
        let mut found = false;
        let mut show = |record: HandleRecord| {
            if !core::mem::replace(&mut found, true) {
                let _ = report::capabilities_heading(&mut self.terminal);
            }
            let _ = report::capability(&mut self.terminal, &record, now_ns);
        };
        each(system, Topic::Handle, process << 32, &mut show)?;
        if !found {
            self.print(format_args!("process {process} holds nothing\n"));
        }
        let number = if process == 0 { own_number()? } else { process };
        // Nobody but `init` knows, and it tells supervisors only; `init` itself asks nobody.
        if let Ok(needs) = parent::needs(number) {
            let _ = report::needs(&mut self.terminal, needs.asked, needs.granted);
        }
        Ok(())
    }

    /// `modules`
    pub(crate) fn modules(&mut self, system: &SystemInfo) -> Result<(), Error> {
        for index in 0.. {
            match system.read::<ModuleInfo>(Topic::Module, index) {
                Ok(info) => drop(report::module(&mut self.terminal, &info)),
                Err(Error::NotFound) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `log`
    pub(crate) fn log(&mut self) {
        let log = match parent::log() {
            Ok(log) => log,
            Err(error) => return self.fail(format_args!("the kernel's log: {error}")),
        };
        let (mut position, mut part) = (0, [0; 256]);
        loop {
            match log.read(position, &mut part) {
                Ok((0, _)) => return,
                Ok((count, next)) => {
                    position = next;
                    for chunk in part[..count].utf8_chunks() {
                        self.print(format_args!("{}", chunk.valid()));
                    }
                }
                Err(error) => return self.fail(format_args!("the kernel's log: {error}")),
            }
        }
    }
}

/// Most slots of any table of the kernel; a bound for a process that ends while its handles are read.
const SLOTS: u64 = 1 << Handle::INDEX_BITS;

/// Reads the records of all slots from `first` on; empty slots are skipped, `InvalidArgument` ends them.
pub(crate) fn each<T: Words>(
    system: &SystemInfo,
    topic: Topic,
    first: u64,
    mut show: impl FnMut(T),
) -> Result<(), Error> {
    for index in first..first.saturating_add(SLOTS) {
        match system.read(topic, index) {
            Ok(record) => show(record),
            Err(Error::NotFound) => {}
            Err(Error::InvalidArgument) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Number of this process.
fn own_number() -> Result<u64, Error> {
    let mut words = [0; ProcessInfo::COUNT];
    syscall::process_read(start::SELF, &mut words)?;
    let info = ProcessInfo::read_words(&words).ok_or(Error::InvalidArgument)?;
    Ok(info.id)
}

/// Whether there is a process with this number.
fn exists(system: &SystemInfo, process: u64) -> Result<bool, Error> {
    let mut found = false;
    each(system, Topic::Process, 0, |info: ProcessInfo| {
        found |= info.id == process
    })?;
    Ok(found)
}
