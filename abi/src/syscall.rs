//! System calls.
//!
//! `syscall` with the number in `rax` and up to six arguments in `rdi rsi rdx r10 r8 r9`. On return `rax` is
//! 0 or an [`crate::Error`], up to two results are in `rdi` and `rsi`, `rcx` and `r11` are lost, and every other
//! register is as it was. IPC calls use more registers: see [`crate::message`].
//!
//! What a handle must be stands beside the argument: the kind of its object, and the rights that it must have. The kernel
//! checks in this order, and the first check that fails decides: the handle exists ([`Error::NoHandle`]), its kind
//! ([`Error::WrongKind`]), it was not revoked ([`Error::Revoked`]), it has not expired ([`Error::Expired`]), it has the rights
//! ([`Error::MissingRight`]). A thread that waits through a handle is told in the same way when the handle is revoked or expires.

use crate::{Error, ObjectKind, Rights};

/// An argument of a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument {
    /// Its name; `_ns` for nanoseconds, `_pages` for pages of [`crate::PAGE_BYTES`].
    pub name: &'static str,
    /// What it must be, when it is a handle.
    pub handle: Option<HandleNeed>,
}

/// What a handle must be to be used in a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandleNeed {
    /// Kind of its object; `None` where any kind, or one that the call's text names, will do.
    pub kind: Option<ObjectKind>,
    /// The rights that it must have.
    pub rights: Rights,
}

// `number (argument, handle: Kind RIGHT RIGHT, handle: _ RIGHT) -> (result) fails Error Error`: `_` is any kind, or one that the
// text names; after `fails` stands what can go wrong beside the checks of the handles.
macro_rules! syscalls {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident = $value:literal ( $($argument:ident $(: $kind:tt $($right:ident)*)?),* )
        $(-> ( $($result:ident),+ ))? $(fails $($error:ident)+)?;
    )+) => {
        /// Number of a system call.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u64)]
        pub enum Syscall { $(
            $(#[doc = $doc])*
            #[doc = concat!("\n\n`(", $(" ", stringify!($argument),)* " ) → (", $($(" ", stringify!($result),)+)? " )`")]
            $name = $value,
        )+ }

        impl Syscall {
            /// All system calls, by number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The call with this number.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($value => Some(Self::$name),)+ _ => None }
            }

            /// Its arguments, in the order of the registers.
            pub const fn arguments(self) -> &'static [Argument] {
                match self { $(
                    Self::$name => const { &[$(Argument {
                        name: stringify!($argument),
                        handle: syscalls!(@need $($kind $($right)*)?),
                    }),*] },
                )+ }
            }

            /// Names of its results, in the order of the registers.
            pub const fn results(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($(stringify!($result)),+)?],)+ }
            }

            /// What can go wrong beside the checks of its handles.
            pub const fn errors(self) -> &'static [Error] {
                match self { $(Self::$name => &[$($(Error::$error),+)?],)+ }
            }

            /// What it does, for a person.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),*),)+ }
            }
        }
    };
    (@need) => { None };
    (@need _ $($right:ident)*) => {
        Some(HandleNeed { kind: None, rights: Rights::NONE$(.or(Rights::$right))* })
    };
    (@need $kind:ident $($right:ident)*) => {
        Some(HandleNeed { kind: Some(ObjectKind::$kind), rights: Rights::NONE$(.or(Rights::$right))* })
    };
}

impl Syscall {
    /// Whether the call can be refused with this error: one of [`Self::errors`], or one that a check of its handles gives.
    pub fn can_fail_with(self, error: Error) -> bool {
        let handles = || {
            self.arguments()
                .iter()
                .filter_map(|argument| argument.handle)
        };
        let by_check = match error {
            Error::NoHandle | Error::Revoked | Error::Expired => handles().next().is_some(),
            Error::WrongKind => handles().any(|need| need.kind.is_some()),
            Error::MissingRight => handles().any(|need| need.rights != Rights::NONE),
            _ => false,
        };
        by_check || self.errors().contains(&error)
    }
}

syscalls! {
    /// Does nothing: what entering and leaving the kernel costs.
    Null = 0 ();
    /// Gives up the rest of the time slice.
    Yield = 1 ();
    /// Nanoseconds since the kernel started.
    ClockRead = 2 () -> (time_ns);
    /// Blocks until the clock reaches a time.
    Sleep = 3 (deadline_ns);
    /// Ends the calling process. Does not return.
    Exit = 4 (code);
    /// Writes so many random bytes, at most [`crate::RANDOM_BYTES_MAX`], from the kernel's generator. The epoch is another one
    /// after the machine was restored from a snapshot, where the kernel can know that: a generator of one's own takes a new key then.
    /// With a length of 0 it says the epoch alone.
    Random = 5 (pointer, length) -> (epoch) fails InvalidArgument BadAddress;

    /// Closes a handle, also one that was revoked or has expired.
    HandleClose = 10 (handle) fails NoHandle Busy;
    /// Copies a handle, keeping at most these rights, until this time at the latest (0: as long as the handle itself). The
    /// copy is its child in the lineage.
    HandleCopy = 11 (handle: _ GRANT, rights, deadline_ns) -> (copy) fails OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Kind and rights of a handle.
    HandleInfo = 12 (handle: _) -> (kind, rights);
    /// Takes back all that was derived from a handle, in every process: handles, mappings, bindings, and the calls that
    /// wait through them. The handle itself stays.
    HandleRevoke = 13 (handle: _ REVOKE);

    /// Makes zeroed memory, charged to the caller's quota. Its handle has all rights but EXECUTE.
    MemoryCreate = 20 (pages) -> (memory) fails InvalidArgument OutOfHandles OutOfObjects OutOfMemory QuotaExceeded;
    /// Maps all of a Memory at an address the kernel picks, with guard pages around it. Access is [`crate::Rights`] READ or
    /// READ|WRITE. WRITE is needed, too, to map for writing.
    MemoryMap = 21 (memory: Memory READ, access) -> (address, bytes)
        fails InvalidArgument OutOfMemory OutOfObjects QuotaExceeded TooDeep;
    /// Unmaps what `MemoryMap` mapped at this address.
    MemoryUnmap = 22 (address) fails BadAddress;

    /// Checks and admits a module of the archive by name.
    ModuleAdmit = 30 (archive: Archive READ, name_pointer, name_bytes) -> (module)
        fails InvalidArgument BadAddress NotFound OutOfHandles OutOfObjects QuotaExceeded TooDeep ModuleFormat
        ModulePublisher ModuleEd25519 ModuleMlDsa ModuleHash ModuleList;
    /// Makes a process of a module, with priority and memory quota, but no more than its manifest allows, and with so much
    /// CPU time in each period, shared by all its threads (0: no limit). The child's image is mapped and its table holds
    /// [`crate::start::SELF`]. Its handle has all rights. Flags are [`crate::info::process_flags`]; a child has those of its
    /// maker, too.
    ProcessCreate = 31 (module: Module EXECUTE, priority, quota_pages, budget_ns, period_ns, flags) -> (process)
        fails InvalidArgument NotFound OutOfHandles OutOfObjects OutOfMemory QuotaExceeded ModuleFormat;
    /// Gives a process that has not started a copy of a handle, as `HandleCopy` makes it: it lands in the lowest free slot.
    ProcessGrant = 32 (process: Process WRITE, handle: _ GRANT, rights, deadline_ns) -> (child_handle)
        fails PeerGone Busy OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Starts a process.
    ProcessStart = 33 (process: Process WRITE, argument_0, argument_1) fails PeerGone Busy;
    /// Ends a process; one that has ended is no error.
    ProcessKill = 34 (process: Process EXECUTE);
    /// Has bits of a notification signalled when the process ends. Signals at once when it has ended.
    ProcessWatch = 35 (process: Process READ, notification: Notification WRITE, bits) fails OutOfObjects QuotaExceeded TooDeep;
    /// Reads a [`crate::info::ProcessInfo`] of a process.
    ProcessRead = 36 (process: Process READ, pointer, words) fails BadAddress;

    /// Makes an endpoint. Its handle has all rights.
    EndpointCreate = 40 () -> (endpoint) fails OutOfHandles OutOfObjects QuotaExceeded;
    /// Copies an endpoint handle with a badge that its receiver will see. The handle has no badge yet.
    EndpointBadge = 41 (endpoint: Endpoint GRANT, badge, rights, deadline_ns) -> (badged)
        fails InvalidArgument OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Sends a message and waits for the reply. See [`crate::message`].
    Call = 42 (endpoint: Endpoint WRITE, message) -> (badge, message)
        fails InvalidArgument MissingRight Busy BadAddress PeerGone OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Waits for a message, or for the bound notification. See [`crate::message`].
    Receive = 43 (endpoint: Endpoint READ) -> (badge, message) fails PeerGone OutOfHandles;
    /// Answers a call; does not block. Uses up the reply handle, unless the message cannot be delivered. See
    /// [`crate::message`].
    Reply = 44 (reply: Reply, message)
        fails InvalidArgument MissingRight Busy PeerGone OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Answers a call and waits for the next on an endpoint, in one step. `rdi`: endpoint, reply handle in the upper half.
    /// A caller that is gone is no error here; without a reply handle this is `Receive`. See [`crate::message`].
    ReplyReceive = 45 (endpoint_and_reply: Endpoint READ, message) -> (badge, message)
        fails InvalidArgument Busy PeerGone OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Copies from memory that the caller lent with a call that was not answered yet, at most
    /// [`crate::message::LEASE_BYTES_MAX`] bytes. Needs the lease to allow reading.
    LeaseRead = 46 (reply: Reply, lease, offset, pointer, length) fails InvalidArgument MissingRight BadAddress PeerGone;
    /// Copies to memory that the caller lent with a call that was not answered yet, at most
    /// [`crate::message::LEASE_BYTES_MAX`] bytes. Needs the lease to allow writing.
    LeaseWrite = 47 (reply: Reply, lease, offset, pointer, length) fails InvalidArgument MissingRight BadAddress PeerGone;

    /// Makes a notification. Its handle has all rights.
    NotificationCreate = 50 () -> (notification) fails OutOfHandles OutOfObjects QuotaExceeded;
    /// Sets bits.
    NotificationSignal = 51 (notification: Notification WRITE, bits);
    /// Waits until a bit is set; takes and clears all.
    NotificationWait = 52 (notification: Notification READ) -> (bits) fails PeerGone;
    /// Binds a notification to the calling thread: `Receive` then waits for it, too.
    NotificationBind = 53 (notification: Notification READ) fails Busy OutOfObjects QuotaExceeded TooDeep;
    /// Makes a timer. Its handle has all rights.
    TimerCreate = 54 () -> (timer) fails OutOfHandles OutOfObjects QuotaExceeded;
    /// Has bits of a notification signalled at a time, and again after each period (0: once). A time of 0 disarms it. The periodic
    /// timers that one process made signal 10,000 times in a second, all together, at most.
    TimerSet = 55 (timer: Timer WRITE, notification: Notification WRITE, bits, deadline_ns, period_ns)
        fails InvalidArgument OutOfObjects QuotaExceeded TooDeep;

    /// Makes an I/O port range.
    HardwarePorts = 60 (hardware: Hardware WRITE, first, count) -> (ports)
        fails InvalidArgument OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Makes an interrupt line, by its ISA number or global system interrupt.
    HardwareInterrupt = 61 (hardware: Hardware WRITE, line) -> (interrupt)
        fails InvalidArgument Busy OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Makes Memory of a device's registers or frame buffer, never of RAM.
    HardwareMemory = 62 (hardware: Hardware WRITE, physical_address, pages) -> (memory)
        fails InvalidArgument BadAddress OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Reads a port. Width 1, 2 or 4 bytes.
    PortRead = 63 (ports: IoPorts READ, port, width) -> (value) fails InvalidArgument;
    /// Writes a port.
    PortWrite = 64 (ports: IoPorts WRITE, port, width, value) fails InvalidArgument;
    /// Has bits of a notification signalled at each interrupt, and enables the line.
    InterruptBind = 65 (interrupt: Interrupt WRITE, notification: Notification WRITE, bits)
        fails OutOfObjects QuotaExceeded TooDeep;
    /// Enables the line again after an interrupt was handled.
    InterruptAcknowledge = 66 (interrupt: Interrupt WRITE) fails InvalidArgument;

    /// Makes a device, by bus (8 bits), device (5 bits) and function (3 bits), that reaches no memory.
    HardwareDevice = 67 (hardware: Hardware WRITE, device) -> (handle)
        fails InvalidArgument OutOfHandles OutOfObjects QuotaExceeded TooDeep;
    /// Lets a device reach all of a Memory of RAM, from a page of its [`crate::DEVICE_PAGES`] on, for reading or reading and writing
    /// ([`crate::Rights`] READ or READ|WRITE; WRITE is needed, too, for writing). The device finds it at the address that is returned. Ends with either
    /// handle and with the caller. Handles that expire do not do. `NotSupported` where DMA is not confined, and when as many
    /// devices as can were given memory since the start.
    DeviceMap = 68 (device: Device WRITE, memory: Memory READ, page, access) -> (address, bytes)
        fails InvalidArgument Busy NotSupported OutOfObjects QuotaExceeded TooDeep;
    /// Ends what `DeviceMap` began at this page: when this returns, the device does not reach the memory.
    DeviceUnmap = 69 (device: Device WRITE, page) fails BadAddress;

    /// Reads one record about the system: [`crate::info::Topic`]. The handle's kind depends on the topic.
    SystemRead = 70 (handle: _ READ, topic, index, pointer, words) -> (written)
        fails WrongKind InvalidArgument BadAddress NotFound;
    /// Reads bytes of the kernel's log from a position on.
    LogRead = 71 (log: Log READ, position, pointer, length) -> (read, next) fails BadAddress;
    /// Adds a line to the kernel's log.
    LogWrite = 72 (log: Log WRITE, pointer, length) fails InvalidArgument BadAddress;
    /// Turns the machine off (0) or restarts it (1), after wiping memory.
    PowerOff = 73 (power: Power WRITE, action) fails InvalidArgument NotSupported;
    /// Reads [`crate::info::AuditRecord`]s from a position on, at most so many.
    AuditRead = 74 (audit: Audit READ, position, pointer, records) -> (read, next) fails BadAddress;

    /// Makes a thread in the calling process and starts it, with an argument in `rdi`, all other registers zero, and at
    /// most the process's priority. Its handle has all rights.
    ThreadCreate = 80 (entry, stack_pointer, argument, priority) -> (thread)
        fails InvalidArgument BadAddress OutOfHandles OutOfObjects OutOfMemory QuotaExceeded;
    /// Sets a thread's priority, at most its process's, and the CPUs it may run on (bit n: CPU n).
    ThreadSchedule = 81 (thread: Thread WRITE, priority, affinity) fails InvalidArgument PeerGone;
    /// Ends a thread, [`crate::Handle::NONE`] for the calling one; with its last thread a process ends.
    ThreadEnd = 82 (thread: Thread EXECUTE);
}
