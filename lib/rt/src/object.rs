//! Kernel objects with their operations: one type per kind, each the owner of a handle.
//!
//! The types are a convenience, not a check: the kernel knows what a handle refers to and what it may do.

use nonos_abi::info::{AuditRecord, BootStatus, ModuleInfo, ProcessInfo, Topic};
use nonos_abi::words::Words;
use nonos_abi::{Error, Handle, Rights};

use crate::handle::OwnedHandle;
use crate::mapping::{Mapping, ReadOnly};
use crate::syscall;
pub use crate::syscall::Budget;

macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(OwnedHandle);

        impl $name {
            /// The object that a handle refers to; takes charge of the handle.
            pub fn from_handle(handle: Handle) -> Self {
                Self(OwnedHandle::new(handle))
            }

            /// The handle, for a message or a system call.
            pub fn handle(&self) -> Handle {
                self.0.get()
            }

            /// Gives up charge of the handle.
            pub fn into_handle(self) -> Handle {
                self.0.into_raw()
            }

            /// Another handle to it with at most these rights. Needs GRANT.
            pub fn copy(&self, rights: Rights) -> Result<Self, Error> {
                self.copy_until(rights, 0)
            }

            /// Another handle to it with at most these rights, that works until this time at the latest (0: as long
            /// as this one). Needs GRANT.
            pub fn copy_until(&self, rights: Rights, deadline_ns: u64) -> Result<Self, Error> {
                self.0.copy(rights, deadline_ns).map(Self)
            }

            /// Takes back all that was derived from this handle, everywhere; the handle itself stays. Needs REVOKE.
            pub fn revoke(&self) -> Result<(), Error> {
                syscall::handle_revoke(self.handle())
            }
        }
    )+};
}

objects! {
    /// A process.
    Process;
    /// Pages of memory.
    Memory;
    /// Where calls arrive.
    Endpoint;
    /// 64 signal bits.
    Notification;
    /// One interrupt line.
    Interrupt;
    /// A range of I/O ports.
    Ports;
    /// All devices of the machine.
    Hardware;
    /// A device that reaches the memory that is mapped for it.
    Device;
    /// A verified module.
    Module;
    /// The modules of the system image.
    Archive;
    /// State of the system.
    SystemInfo;
    /// Where the kernel lies.
    KernelLayout;
    /// Power of the machine.
    Power;
    /// The kernel's log.
    Log;
    /// A thread of this process. Dropping the handle leaves it running.
    Thread;
    /// A timer.
    Timer;
    /// The record of denied system calls.
    Audit;
}

/// Most words of a record.
const RECORD_WORDS: usize = 32;

/// Reads a record of the system.
fn system_record<T: Words>(handle: Handle, topic: Topic, index: u64) -> Result<T, Error> {
    const { assert!(T::COUNT <= RECORD_WORDS) };
    let mut words = [0; RECORD_WORDS];
    syscall::system_read(handle, topic as u64, index, &mut words[..T::COUNT])?;
    T::read_words(&words).ok_or(Error::InvalidArgument)
}

impl Process {
    /// Makes a process of a module. Flags are those of `abi::info::process_flags`.
    pub fn create(
        module: &Module,
        priority: u64,
        quota_pages: u64,
        budget: Budget,
        flags: u64,
    ) -> Result<Self, Error> {
        syscall::process_create(module.handle(), priority, quota_pages, budget, flags)
            .map(Self::from_handle)
    }

    /// Gives a process that has not started a copy of a handle, until this time at the latest (0: as long as the handle).
    pub fn grant(&self, handle: Handle, rights: Rights, deadline_ns: u64) -> Result<Handle, Error> {
        syscall::process_grant(self.handle(), handle, rights, deadline_ns)
    }

    /// Starts it.
    pub fn start(&self, arguments: [u64; 2]) -> Result<(), Error> {
        syscall::process_start(self.handle(), arguments)
    }

    /// Ends it.
    pub fn kill(&self) -> Result<(), Error> {
        syscall::process_kill(self.handle())
    }

    /// Has bits signalled when it ends.
    pub fn watch(&self, notification: &Notification, bits: u64) -> Result<(), Error> {
        syscall::process_watch(self.handle(), notification.handle(), bits)
    }

    /// Its state.
    pub fn read(&self) -> Result<ProcessInfo, Error> {
        const { assert!(ProcessInfo::COUNT <= RECORD_WORDS) };
        let mut words = [0; RECORD_WORDS];
        syscall::process_read(self.handle(), &mut words[..ProcessInfo::COUNT])?;
        ProcessInfo::read_words(&words).ok_or(Error::InvalidArgument)
    }
}

impl Memory {
    /// Makes zeroed memory, charged to this process.
    pub fn create(pages: u64) -> Result<Self, Error> {
        syscall::memory_create(pages).map(Self::from_handle)
    }

    /// Maps it for reading and writing.
    pub fn map(&self) -> Result<Mapping, Error> {
        Mapping::new(self)
    }

    /// Maps it for reading.
    pub fn map_to_read(&self) -> Result<ReadOnly, Error> {
        ReadOnly::new(self)
    }
}

impl Endpoint {
    /// Makes an endpoint.
    pub fn create() -> Result<Self, Error> {
        syscall::endpoint_create().map(Self::from_handle)
    }

    /// A copy that its receiver will know by a badge.
    pub fn badge(&self, badge: u64, rights: Rights) -> Result<Self, Error> {
        self.badge_until(badge, rights, 0)
    }

    /// The same, that works until this time at the latest (0: as long as this handle).
    pub fn badge_until(&self, badge: u64, rights: Rights, deadline_ns: u64) -> Result<Self, Error> {
        syscall::endpoint_badge(self.handle(), badge, rights, deadline_ns).map(Self::from_handle)
    }
}

impl Notification {
    /// A copy for another program, which can only signal it: sending it takes GRANT, which stays behind.
    pub fn to_send(&self) -> Result<Self, Error> {
        self.copy(Rights::WRITE.or(Rights::GRANT))
    }

    /// Makes a notification.
    pub fn create() -> Result<Self, Error> {
        syscall::notification_create().map(Self::from_handle)
    }

    /// Sets bits.
    pub fn signal(&self, bits: u64) -> Result<(), Error> {
        syscall::notification_signal(self.handle(), bits)
    }

    /// Waits until a bit is set; takes all.
    pub fn wait(&self) -> Result<u64, Error> {
        syscall::notification_wait(self.handle())
    }

    /// Has this thread's `Receive` wait for it, too.
    pub fn bind(&self) -> Result<(), Error> {
        syscall::notification_bind(self.handle())
    }
}

impl Interrupt {
    /// Has bits signalled at each interrupt.
    pub fn bind(&self, notification: &Notification, bits: u64) -> Result<(), Error> {
        syscall::interrupt_bind(self.handle(), notification.handle(), bits)
    }

    /// Enables the line again.
    pub fn acknowledge(&self) -> Result<(), Error> {
        syscall::interrupt_acknowledge(self.handle())
    }
}

impl Ports {
    /// Reads a byte.
    pub fn read(&self, port: u16) -> Result<u8, Error> {
        syscall::port_read(self.handle(), port, 1).map(|value| value as u8)
    }

    /// Reads 32 bits.
    pub fn read_32(&self, port: u16) -> Result<u32, Error> {
        syscall::port_read(self.handle(), port, 4)
    }

    /// Writes a byte.
    pub fn write(&self, port: u16, value: u8) -> Result<(), Error> {
        syscall::port_write(self.handle(), port, 1, value.into())
    }

    /// Writes 32 bits.
    pub fn write_32(&self, port: u16, value: u32) -> Result<(), Error> {
        syscall::port_write(self.handle(), port, 4, value)
    }
}

impl Hardware {
    /// A range of I/O ports.
    pub fn ports(&self, first: u16, count: u16) -> Result<Ports, Error> {
        syscall::hardware_ports(self.handle(), first, count).map(Ports::from_handle)
    }

    /// An interrupt line.
    pub fn interrupt(&self, line: u32) -> Result<Interrupt, Error> {
        syscall::hardware_interrupt(self.handle(), line).map(Interrupt::from_handle)
    }

    /// Memory of a device.
    pub fn memory(&self, physical: u64, pages: u64) -> Result<Memory, Error> {
        syscall::hardware_memory(self.handle(), physical, pages).map(Memory::from_handle)
    }

    /// A device, by bus (8 bits), device (5 bits) and function (3 bits).
    pub fn device(&self, number: u16) -> Result<Device, Error> {
        syscall::hardware_device(self.handle(), number).map(Device::from_handle)
    }
}

impl Device {
    /// Lets the device read and write all of a memory, from a page of its addresses on; where it finds it.
    pub fn map(&self, memory: &Memory, page: u64) -> Result<u64, Error> {
        syscall::device_map(self.handle(), memory.handle(), page)
    }
}

impl Archive {
    /// Verifies a module and admits it.
    pub fn admit(&self, name: &str) -> Result<Module, Error> {
        syscall::module_admit(self.handle(), name).map(Module::from_handle)
    }

    /// Module `index` of the image; `NotFound` past the last.
    pub fn module(&self, index: u64) -> Result<ModuleInfo, Error> {
        system_record(self.handle(), Topic::Module, index)
    }
}

impl SystemInfo {
    /// Seconds since 1970, UTC, now, by what the firmware's clock said at boot; `None` when it is unknown. Nobody vouches for it: nothing that
    /// decides on security may ask. [`nonos_abi::date::Date`] says which date that is.
    pub fn wall_seconds(&self) -> Option<u64> {
        const NS_PER_SECOND: u64 = 1_000_000_000;
        let boot: BootStatus = self.read(Topic::Boot, 0).ok()?;
        let since = syscall::clock_ns() / NS_PER_SECOND;
        (boot.wall_seconds != 0).then(|| boot.wall_seconds.saturating_add(since))
    }

    /// The record about a topic.
    pub fn read<T: Words>(&self, topic: Topic, index: u64) -> Result<T, Error> {
        system_record(self.handle(), topic, index)
    }
}

impl KernelLayout {
    /// Where the kernel lies.
    pub fn read(&self) -> Result<nonos_abi::info::Layout, Error> {
        system_record(self.handle(), Topic::Layout, 0)
    }
}

impl Power {
    /// Turns the machine off. Returns only when that failed.
    pub fn off(&self) -> Error {
        syscall::power_off(self.handle(), 0)
            .err()
            .unwrap_or(Error::NotSupported)
    }

    /// Restarts the machine. Returns only when that failed.
    pub fn restart(&self) -> Error {
        syscall::power_off(self.handle(), 1)
            .err()
            .unwrap_or(Error::NotSupported)
    }
}

impl Log {
    /// Reads bytes from a position on: how many, and the next position.
    pub fn read(&self, position: u64, out: &mut [u8]) -> Result<(usize, u64), Error> {
        let (bytes, next) = syscall::log_read(self.handle(), position, out)?;
        Ok(((bytes as usize).min(out.len()), next))
    }

    /// Adds a line.
    pub fn write(&self, line: &str) -> Result<(), Error> {
        syscall::log_write(self.handle(), line.as_bytes())
    }
}

impl Thread {
    /// Sets its priority, at most the process's, and the CPUs it may run on (bit n: CPU n).
    pub fn schedule(&self, priority: u64, affinity: u64) -> Result<(), Error> {
        syscall::thread_schedule(self.handle(), priority, affinity)
    }

    /// Ends it, wherever it is: what it owned is not dropped, and its stack stays mapped.
    pub fn end(&self) -> Result<(), Error> {
        syscall::thread_end(self.handle())
    }
}

impl Timer {
    /// Makes a timer.
    pub fn create() -> Result<Self, Error> {
        syscall::timer_create().map(Self::from_handle)
    }

    /// Has bits signalled at a time, once.
    pub fn set(
        &self,
        notification: &Notification,
        bits: u64,
        deadline_ns: u64,
    ) -> Result<(), Error> {
        self.set_periodic(notification, bits, deadline_ns, 0)
    }

    /// Has bits signalled at a time, and again after each period (0: once). A time of 0 disarms it.
    pub fn set_periodic(
        &self,
        notification: &Notification,
        bits: u64,
        deadline_ns: u64,
        period_ns: u64,
    ) -> Result<(), Error> {
        syscall::timer_set(
            self.handle(),
            notification.handle(),
            bits,
            deadline_ns,
            period_ns,
        )
    }

    /// Disarms it.
    pub fn disarm(&self, notification: &Notification) -> Result<(), Error> {
        self.set(notification, 0, 0)
    }
}

/// Most records that [`Audit::read`] reads at once.
const AUDIT_RECORDS: usize = 8;

impl Audit {
    /// Reads records from a position on, at most 8 at once: how many, and the next position.
    pub fn read(&self, position: u64, out: &mut [AuditRecord]) -> Result<(usize, u64), Error> {
        let mut words = [0; AuditRecord::COUNT * AUDIT_RECORDS];
        let most = out.len().min(AUDIT_RECORDS);
        let buffer = &mut words[..most * AuditRecord::COUNT];
        let (records, next) = syscall::audit_read(self.handle(), position, buffer)?;
        let records = (records as usize).min(most);
        for (record, words) in out
            .iter_mut()
            .zip(buffer.chunks_exact(AuditRecord::COUNT))
            .take(records)
        {
            *record = AuditRecord::read_words(words).ok_or(Error::InvalidArgument)?;
        }
        Ok((records, next))
    }
}
