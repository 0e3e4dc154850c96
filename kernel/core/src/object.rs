//! What a handle can refer to.

use nonos_abi::ObjectKind;

use crate::arena::{
    EndpointId, Id, InterruptId, MemoryId, ModuleId, NotificationId, ProcessId, ThreadId, TimerId,
};

/// An object, as a handle's slot holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    /// A process.
    Process(ProcessId),
    /// A thread.
    Thread(ThreadId),
    /// Pages of memory.
    Memory(MemoryId),
    /// Where calls arrive.
    Endpoint(EndpointId),
    /// The right to answer the call of a thread; `None` when that thread has ended.
    Reply(Option<ThreadId>),
    /// Signal bits.
    Notification(NotificationId),
    /// A timer.
    Timer(TimerId),
    /// An interrupt line.
    Interrupt(InterruptId),
    /// I/O ports `first..=last`.
    IoPorts {
        /// Lowest port.
        first: u16,
        /// Highest port.
        last: u16,
    },
    /// A verified module.
    Module(ModuleId),
    /// All devices.
    Hardware,
    /// All modules of the system image.
    Archive,
    /// State of the system.
    SystemInfo,
    /// Where the kernel lies.
    KernelLayout,
    /// Power of the machine.
    Power,
    /// The kernel's log.
    Log,
}

/// `Some` of what is in an object of this kind.
macro_rules! select {
    ($($(#[$doc:meta])* $name:ident: $variant:ident => $id:ty,)+) => {
        impl Object { $(
            $(#[$doc])*
            pub(crate) const fn $name(self) -> Option<$id> {
                match self {
                    Self::$variant(id) => Some(id),
                    _ => None,
                }
            }
        )+ }
    };
}

select! {
    /// A process.
    process: Process => ProcessId,
    /// A thread.
    thread: Thread => ThreadId,
    /// A memory object.
    memory: Memory => MemoryId,
    /// An endpoint.
    endpoint: Endpoint => EndpointId,
    /// The thread that waits for a reply, or that it has ended.
    reply: Reply => Option<ThreadId>,
    /// A notification.
    notification: Notification => NotificationId,
    /// A timer.
    timer: Timer => TimerId,
    /// An interrupt line.
    interrupt: Interrupt => InterruptId,
    /// A module.
    module: Module => ModuleId,
}

impl Object {
    /// Lowest and highest port of a range.
    pub(crate) const fn io_ports(self) -> Option<(u16, u16)> {
        match self {
            Self::IoPorts { first, last } => Some((first, last)),
            _ => None,
        }
    }

    /// `Some` when it is this object; for those that exist once.
    pub(crate) fn only(self, object: Self) -> Option<()> {
        (self == object).then_some(())
    }

    /// Its kind.
    pub(crate) const fn kind(self) -> ObjectKind {
        match self {
            Self::Process(_) => ObjectKind::Process,
            Self::Thread(_) => ObjectKind::Thread,
            Self::Memory(_) => ObjectKind::Memory,
            Self::Endpoint(_) => ObjectKind::Endpoint,
            Self::Reply(_) => ObjectKind::Reply,
            Self::Notification(_) => ObjectKind::Notification,
            Self::Timer(_) => ObjectKind::Timer,
            Self::Interrupt(_) => ObjectKind::Interrupt,
            Self::IoPorts { .. } => ObjectKind::IoPorts,
            Self::Module(_) => ObjectKind::Module,
            Self::Hardware => ObjectKind::Hardware,
            Self::Archive => ObjectKind::Archive,
            Self::SystemInfo => ObjectKind::SystemInfo,
            Self::KernelLayout => ObjectKind::KernelLayout,
            Self::Power => ObjectKind::Power,
            Self::Log => ObjectKind::Log,
        }
    }

    /// Number among its kind, for `HandleRecord`.
    pub(crate) fn number(self) -> u64 {
        let position = match self {
            Self::Process(id) => id.position(),
            Self::Thread(id) => id.position(),
            Self::Memory(id) => id.position(),
            Self::Endpoint(id) => id.position(),
            Self::Reply(Some(id)) => id.position(),
            Self::Notification(id) => id.position(),
            Self::Timer(id) => id.position(),
            Self::Interrupt(id) => id.position(),
            Self::IoPorts { first, .. } => first.into(),
            Self::Module(id) => id.position(),
            _ => 0,
        };
        position as u64
    }
}
