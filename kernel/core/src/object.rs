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
    /// A device that does DMA: bus, device and function.
    Device(u16),
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
    /// The record of denied system calls.
    Audit,
    /// What was an object of this kind before the handle was revoked.
    Revoked(ObjectKind),
}

/// What a system call wants a handle to refer to.
pub(crate) trait Select: Sized {
    /// The kind of object.
    const KIND: ObjectKind;

    /// The object, when it is of this kind.
    fn select(object: &Object) -> Option<Self>;
}

macro_rules! select {
    ($($variant:ident($id:ty),)+) => { $(
        impl Select for $id {
            const KIND: ObjectKind = ObjectKind::$variant;

            #[inline(always)]
            fn select(object: &Object) -> Option<Self> {
                match *object {
                    Object::$variant(id) => Some(id),
                    _ => None,
                }
            }
        }
    )+ };
}

select! {
    Process(ProcessId),
    Thread(ThreadId),
    Memory(MemoryId),
    Endpoint(EndpointId),
    Notification(NotificationId),
    Timer(TimerId),
    Interrupt(InterruptId),
    Module(ModuleId),
}

/// The thread that a reply handle answers; `None` when that thread does not wait any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers(pub Option<ThreadId>);

impl Select for Answers {
    const KIND: ObjectKind = ObjectKind::Reply;

    #[inline(always)]
    fn select(object: &Object) -> Option<Self> {
        match *object {
            Object::Reply(thread) => Some(Self(thread)),
            _ => None,
        }
    }
}

/// Lowest and highest port of a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub first: u16,
    pub last: u16,
}

impl Select for Ports {
    const KIND: ObjectKind = ObjectKind::IoPorts;

    fn select(object: &Object) -> Option<Self> {
        match *object {
            Object::IoPorts { first, last } => Some(Self { first, last }),
            _ => None,
        }
    }
}

/// Bus, device and function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeviceNumber(pub u16);

impl Select for DeviceNumber {
    const KIND: ObjectKind = ObjectKind::Device;

    fn select(object: &Object) -> Option<Self> {
        match *object {
            Object::Device(number) => Some(Self(number)),
            _ => None,
        }
    }
}

/// Objects that exist once.
macro_rules! select_only {
    ($($variant:ident,)+) => { $(
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $variant;

        impl Select for $variant {
            const KIND: ObjectKind = ObjectKind::$variant;

            fn select(object: &Object) -> Option<Self> {
                matches!(object, Object::$variant).then_some(Self)
            }
        }
    )+ };
}

select_only! {
    Hardware,
    Archive,
    SystemInfo,
    KernelLayout,
    Power,
    Log,
    Audit,
}

impl Object {
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
            Self::Device(_) => ObjectKind::Device,
            Self::IoPorts { .. } => ObjectKind::IoPorts,
            Self::Module(_) => ObjectKind::Module,
            Self::Hardware => ObjectKind::Hardware,
            Self::Archive => ObjectKind::Archive,
            Self::SystemInfo => ObjectKind::SystemInfo,
            Self::KernelLayout => ObjectKind::KernelLayout,
            Self::Power => ObjectKind::Power,
            Self::Log => ObjectKind::Log,
            Self::Audit => ObjectKind::Audit,
            Self::Revoked(kind) => kind,
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
            Self::Device(number) => number.into(),
            Self::IoPorts { first, .. } => first.into(),
            Self::Module(id) => id.position(),
            _ => 0,
        };
        position as u64
    }
}
