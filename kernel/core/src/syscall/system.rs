//! `SystemRead`, `LogRead`, `LogWrite`, `PowerOff`: the state of the system, as it is at the time of the call.

use nonos_abi::info::{
    AuditRecord, BootStatus, EVENT_LOG_PART_BYTES, EventLogPart, Framebuffer, HandleRecord, Layout,
    MemoryStatus, Pcr, Topic, handle_state,
};
use nonos_abi::words::Words;
use nonos_abi::{Error, ObjectKind, PAGE_BYTES, Rights};

use super::{Arguments, Outcome};
use crate::arena::{Arena, Empty, Id, ProcessId};
use crate::kernel::Kernel;
use crate::lineage::{Derived, NEVER, NodeId};
use crate::log::{LINE_BYTES_MAX, Printable};
use crate::machine::{Machine, PowerAction};
use crate::module::hash_words;
use crate::object::{Archive, Audit, KernelLayout, Log, Object, Power, SystemInfo};
use crate::speculation::{index_opaque, narrow};
use crate::user::{Allegation, RECORD_WORDS_MAX};

/// Bytes of the log that are copied at a time.
const LOG_PART_BYTES: usize = 256;

impl Kernel {
    pub(super) fn sys_system_read(
        &mut self,
        process: ProcessId,
        arguments: [u64; 5],
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let [handle, topic, index, pointer, words] = arguments;
        let topic = Topic::from_raw(topic).ok_or(Error::InvalidArgument)?;
        self.check_topic(process, handle, topic, machine)?;
        let mut buffer = [0; RECORD_WORDS_MAX];
        let put = &mut buffer;
        let count = match topic {
            Topic::Boot => write(&self.boot_status(), put),
            Topic::Cpu => write(&machine.cpu_status(), put),
            Topic::CpuSecurity => write(&machine.cpu_security(), put),
            Topic::Memory => write(&self.memory_status(machine), put),
            Topic::Dma => write(&self.dma_status(machine), put),
            Topic::Random => write(&self.random.status(), put),
            Topic::Process => {
                let id = at(&self.processes, index)?;
                let mut record = self.process_info(id, machine.now_ns());
                record.cpu_ns = self.told(process, record.cpu_ns);
                write(&record, put)
            }
            Topic::Module => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                let id = self.modules.id_at(index).ok_or(Error::NotFound)?;
                write(&self.modules[id].info(), put)
            }
            Topic::Handle => write(&self.handle_record(process, index, machine)?, put),
            Topic::Pcr => {
                let pcrs = &self.boot.info.pcrs;
                let masked = index_opaque(narrow(index), pcrs.len());
                if masked as u64 != index {
                    return Err(Error::InvalidArgument);
                }
                let digest = hash_words(&pcrs[masked]);
                write(&Pcr { digest }, put)
            }
            Topic::EventLog => write(&self.event_log_part(index)?, put),
            Topic::Framebuffer => write(&self.framebuffer(), put),
            Topic::Layout => write(&self.layout(), put),
        };
        let written = self.copy_words(process, &buffer[..count], pointer, words, machine)?;
        Ok(Outcome::One(written))
    }

    /// Most topics need the state of the system; modules can be listed with the archive, and where the kernel lies needs a
    /// handle of its own.
    fn check_topic(
        &self,
        process: ProcessId,
        handle: u64,
        topic: Topic,
        machine: &impl Machine,
    ) -> Result<(), Error> {
        let is_archive = |kind| topic == Topic::Module && kind == ObjectKind::Archive;
        let kind = self.find(process, handle)?.capability.object.kind();
        if topic == Topic::Layout {
            self.look_up::<KernelLayout>(process, handle, Rights::READ, machine)?;
        } else if is_archive(kind) {
            self.look_up::<Archive>(process, handle, Rights::READ, machine)?;
        } else {
            self.look_up::<SystemInfo>(process, handle, Rights::READ, machine)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn boot_status(&self) -> BootStatus {
        let info = self.boot.info;
        BootStatus {
            flags: info.flags,
            image_security_version: info.image_security_version,
            rollback_counter: info.rollback_counter,
            rollback_store: info.rollback_store as u64,
            payload_hash: hash_words(&info.payload_hash),
            key_hash: hash_words(&info.key_hash),
            event_log_bytes: info.event_log_bytes,
            entropy_sources: info.entropy_sources,
            entropy_failed: info.entropy_failed,
            loader_ticks: self
                .boot
                .tsc_at_kernel_entry
                .saturating_sub(info.tsc_at_entry),
            tpm_start_method: info.acpi.tpm_start_method,
            tpm_physical: info.acpi.tpm_physical,
            wall_seconds: info.wall_seconds,
        }
    }

    #[inline(always)]
    fn memory_status(&self, machine: &impl Machine) -> MemoryStatus {
        let info = self.boot.info;
        let pages = |bytes: u64| bytes.div_ceil(PAGE_BYTES as u64);
        MemoryStatus {
            total_pages: self.frames.total(),
            free_pages: self.frames.available(),
            kernel_pages: pages(info.region_bytes),
            kernel_free_pages: machine.table_frames().0,
            image_pages: pages(info.kernel_bytes).saturating_add(pages(info.payload_bytes)),
            processes: self.processes.used() as u64,
            process_limit: self.processes.capacity() as u64,
        }
    }

    /// The handle in slot `index & 0xFFFF_FFFF` of the process with number `index >> 32`, 0 for the caller.
    #[inline(always)]
    fn handle_record(
        &self,
        caller: ProcessId,
        index: u64,
        machine: &impl Machine,
    ) -> Result<HandleRecord, Error> {
        let owner = match index >> 32 {
            0 => caller,
            number => {
                let mut processes = self.processes.iter();
                let found = processes.find(|(_, process)| process.number == number);
                found.ok_or(Error::NotFound)?.0
            }
        };
        let slots = self.slots_of(owner);
        let slot_index = index_opaque(index as u32, slots.len());
        if slot_index != index as u32 as usize {
            return Err(Error::InvalidArgument);
        }
        let slot = &slots[slot_index];
        let capability = slot.capability.ok_or(Error::NotFound)?;
        let expires = slot.deadline_ns != NEVER;
        let state = match capability.object {
            Object::Revoked(_) => handle_state::REVOKED,
            _ if expires && machine.now_ns() >= slot.deadline_ns => handle_state::EXPIRED,
            _ => handle_state::VALID,
        };
        let node = self.lineage.slot(owner, slot_index as u16);
        let (parent_process, parent_handle) = self.parent_of(node).unwrap_or((0, 0));
        Ok(HandleRecord {
            handle: slot.handle.raw().into(),
            kind: capability.object.kind() as u64,
            rights: capability.rights.bits(),
            badge: capability.badge,
            object: capability.object.number(),
            state,
            deadline_ns: if expires { slot.deadline_ns } else { 0 },
            parent_process,
            parent_handle,
            children: self.lineage.children(node).count() as u64,
        })
    }

    /// Number of the process that has the handle a node was derived from, and that handle.
    fn parent_of(&self, node: NodeId) -> Option<(u64, u64)> {
        let parent = self.lineage.parent(node)?;
        let Some(Derived::Slot(process, index)) = self.lineage.derived(parent) else {
            return None;
        };
        let slot = self.slots_of(process).get(usize::from(index))?;
        let handle = slot.handle.raw();
        Some((self.processes[process].number, handle.into()))
    }

    fn event_log_part(&self, index: u64) -> Result<EventLogPart, Error> {
        let log = self.boot.event_log;
        let parts = log.len().div_ceil(EVENT_LOG_PART_BYTES);
        let masked = index_opaque(narrow(index), parts);
        if parts == 0 || masked as u64 != index {
            return Err(Error::NotFound);
        }
        let rest = log.get(masked * EVENT_LOG_PART_BYTES..).unwrap_or_default();
        let part = &rest[..rest.len().min(EVENT_LOG_PART_BYTES)];
        let mut bytes = [0; EVENT_LOG_PART_BYTES];
        bytes[..part.len()].copy_from_slice(part);
        let mut words = [0; EVENT_LOG_PART_BYTES / 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Ok(EventLogPart { words })
    }

    fn framebuffer(&self) -> Framebuffer {
        let framebuffer = &self.boot.info.framebuffer;
        Framebuffer {
            address: framebuffer.physical,
            bytes: framebuffer.bytes,
            width: framebuffer.width,
            height: framebuffer.height,
            stride_bytes: framebuffer.stride_bytes,
            format: framebuffer.format,
        }
    }

    fn layout(&self) -> Layout {
        let info = self.boot.info;
        Layout {
            kernel_base: info.kernel_base,
            kernel_physical: info.kernel_physical,
            kernel_bytes: info.kernel_bytes,
            region_base: info.region_base,
        }
    }

    pub(super) fn sys_log_read(
        &mut self,
        process: ProcessId,
        log: u64,
        position: u64,
        pointer: u64,
        length: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.look_up::<Log>(process, log, Rights::READ, machine)?;
        let (mut position, mut done) = (position, 0);
        let mut part = [0; LOG_PART_BYTES];
        while done < length {
            let room = (length - done).min(LOG_PART_BYTES as u64) as usize;
            let (count, next) = self.log.read(position, &mut part[..room]);
            position = next;
            if count == 0 {
                break;
            }
            let address = pointer.checked_add(done).ok_or(Error::BadAddress)?;
            let to = Allegation::new(address, count)?;
            self.copy_out(process, to, &part[..count], machine)?;
            done += count as u64;
        }
        Ok(Outcome::Two(done, position))
    }

    pub(super) fn sys_log_write(
        &mut self,
        process: ProcessId,
        log: u64,
        pointer: u64,
        length: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.look_up::<Log>(process, log, Rights::WRITE, machine)?;
        let mut bytes = [0; LINE_BYTES_MAX];
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let text = bytes.get_mut(..length).ok_or(Error::InvalidArgument)?;
        self.copy_in(process, Allegation::new(pointer, length)?, text, machine)?;
        let name = self.processes[process].name;
        self.log(format_args!("{name}: {}", Printable(text)), machine);
        Ok(Outcome::Done)
    }

    pub(super) fn sys_audit_read(
        &mut self,
        process: ProcessId,
        arguments: Arguments,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let [audit, mut position, pointer, count, ..] = arguments;
        self.look_up::<Audit>(process, audit, Rights::READ, machine)?;
        let mut done: u64 = 0;
        while done < count
            && let Some(&record) = self.audit.read(position)
        {
            let words = AuditRecord::COUNT as u64;
            let offset = done.checked_mul(words * 8).ok_or(Error::BadAddress)?;
            let address = pointer.checked_add(offset).ok_or(Error::BadAddress)?;
            self.copy_record(process, &record, address, words, machine)?;
            position = record.sequence + 1;
            done += 1;
        }
        Ok(Outcome::Two(done, position))
    }

    pub(super) fn sys_power_off(
        &mut self,
        process: ProcessId,
        power: u64,
        action: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.look_up::<Power>(process, power, Rights::WRITE, machine)?;
        let action = match action {
            0 => PowerAction::Off,
            1 => PowerAction::Restart,
            _ => return Err(Error::InvalidArgument),
        };
        machine.power(action);
        Err(Error::NotSupported)
    }
}

/// Writes a record; returns how many words it takes.
#[inline(always)]
fn write<T: Words>(record: &T, to: &mut [u64; RECORD_WORDS_MAX]) -> usize {
    const { assert!(T::COUNT <= RECORD_WORDS_MAX) };
    record.write_words(to);
    T::COUNT
}

/// The object at a position: `NotFound` when there is none, `InvalidArgument` past the last.
fn at<I: Id, T: Empty>(arena: &Arena<I, T>, index: u64) -> Result<I, Error> {
    let position = usize::try_from(index).unwrap_or(usize::MAX);
    if position >= arena.capacity() {
        return Err(Error::InvalidArgument);
    }
    arena.id_at(position).ok_or(Error::NotFound)
}
