//! System calls.
//!
//! `syscall` with the number in `rax` and up to six arguments in `rdi rsi rdx r10 r8 r9`. On return `rax` is
//! 0 or an [`crate::Error`], up to two results are in `rdi` and `rsi`, `rcx` and `r11` are lost, and every other
//! register is as it was. IPC calls use more registers: see [`crate::message`].

macro_rules! syscalls {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)+) => {
        /// Number of a system call. Arguments are listed in register order; "→" names the results.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u64)]
        pub enum Syscall { $($(#[$doc])* $name = $value,)+ }

        impl Syscall {
            /// The call with this number.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($value => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

syscalls! {
    /// Does nothing: what entering and leaving the kernel costs. `()`
    Null = 0,
    /// Gives up the rest of the time slice. `()`
    Yield = 1,
    /// Nanoseconds since the kernel started. `() → time_ns`
    ClockRead = 2,
    /// Blocks until the clock reaches a time. `(deadline_ns)`
    Sleep = 3,
    /// Ends the calling process. `(code)`, does not return.
    Exit = 4,

    /// Closes a handle. `(handle)`
    HandleClose = 10,
    /// Copies a handle, keeping at most these rights, until this time at the latest (0: as long as the handle itself). The
    /// copy is its child in the lineage. Needs GRANT. `(handle, rights, deadline_ns) → handle`
    HandleCopy = 11,
    /// Kind and rights of a handle. `(handle) → kind, rights`
    HandleInfo = 12,
    /// Takes back all that was derived from a handle, in every process: handles, mappings, bindings, and the calls that wait
    /// through them. The handle itself stays. Needs REVOKE. `(handle)`
    HandleRevoke = 13,

    /// Makes zeroed memory, charged to the caller's quota. `(pages) → memory handle with all rights but EXECUTE`
    MemoryCreate = 20,
    /// Maps all of a Memory at an address the kernel picks, with guard pages around it. Access is
    /// [`crate::Rights`] READ or READ|WRITE. `(memory, access) → address, bytes`
    MemoryMap = 21,
    /// Unmaps what `MemoryMap` mapped at this address. `(address)`
    MemoryUnmap = 22,

    /// Checks and admits a module of the archive by name. Needs READ. `(archive, name pointer, name length) → module handle`
    ModuleAdmit = 30,
    /// Makes a process of a module, with priority and memory quota, but no more than its manifest allows, and with so much
    /// CPU time in each period, shared by all its threads (0: no limit). Needs EXECUTE. The child's image is mapped and its table
    /// holds [`crate::start::SELF`]. `(module, priority, quota pages, budget_ns, period_ns) → process handle with all rights`
    ProcessCreate = 31,
    /// Gives a process that has not started a copy of a handle, as `HandleCopy` makes it: it lands in the lowest free slot.
    /// Needs WRITE on the process, GRANT on the handle. `(process, handle, rights, deadline_ns) → the child's handle`
    ProcessGrant = 32,
    /// Starts a process. Needs WRITE. `(process, argument 0, argument 1)`
    ProcessStart = 33,
    /// Ends a process; one that has ended is no error. Needs EXECUTE. `(process)`
    ProcessKill = 34,
    /// Has bits of a notification signalled when the process ends. Needs READ on the process, WRITE on the
    /// notification. Signals at once when it has ended. `(process, notification, bits)`
    ProcessWatch = 35,
    /// Reads a [`crate::info::ProcessInfo`] of a process. Needs READ. `(process, pointer, words)`
    ProcessRead = 36,

    /// Makes an endpoint. `() → handle with all rights`
    EndpointCreate = 40,
    /// Copies an endpoint handle with a badge that its receiver will see. Needs GRANT on a handle without a badge.
    /// `(endpoint, badge, rights, deadline_ns) → handle`
    EndpointBadge = 41,
    /// Sends a message and waits for the reply. Needs WRITE. See [`crate::message`].
    Call = 42,
    /// Waits for a message, or for the bound notification. Needs READ. See [`crate::message`].
    Receive = 43,
    /// Answers a call; does not block. Uses up the reply handle, unless the message cannot be delivered. See [`crate::message`].
    Reply = 44,
    /// Answers a call and waits for the next on an endpoint, in one step. `rdi`: endpoint, reply handle in the upper half.
    /// A caller that is gone is no error here; without a reply handle this is `Receive`.
    ReplyReceive = 45,
    /// Copies from memory that the caller lent with a call that was not answered yet, at most [`crate::message::LEASE_BYTES_MAX`] bytes. Needs the
    /// lease to allow reading. `(reply handle, lease number, offset, pointer, length)`
    LeaseRead = 46,
    /// Copies to memory that the caller lent with a call that was not answered yet, at most [`crate::message::LEASE_BYTES_MAX`] bytes. Needs the
    /// lease to allow writing. `(reply handle, lease number, offset, pointer, length)`
    LeaseWrite = 47,

    /// Makes a notification. `() → handle with all rights`
    NotificationCreate = 50,
    /// Sets bits. Needs WRITE. `(notification, bits)`
    NotificationSignal = 51,
    /// Waits until a bit is set; takes and clears all. Needs READ. `(notification) → bits`
    NotificationWait = 52,
    /// Binds a notification to the calling thread: `Receive` then waits for it, too. Needs READ. `(notification)`
    NotificationBind = 53,
    /// Makes a timer. `() → handle with all rights`
    TimerCreate = 54,
    /// Has bits of a notification signalled at a time, and again after each period (0: once). A time of 0 disarms it. Needs
    /// WRITE on both. `(timer, notification, bits, deadline_ns, period_ns)`
    TimerSet = 55,

    /// Makes an I/O port range. Needs WRITE. `(hardware, first port, count) → handle`
    HardwarePorts = 60,
    /// Makes an interrupt line, by its ISA number or global system interrupt. Needs WRITE. `(hardware, line) → handle`
    HardwareInterrupt = 61,
    /// Makes Memory of a device's registers or frame buffer, never of RAM. Needs WRITE.
    /// `(hardware, physical address, pages) → memory handle`
    HardwareMemory = 62,
    /// Reads a port. Width 1, 2 or 4 bytes. Needs READ. `(ports, port, width) → value`
    PortRead = 63,
    /// Writes a port. Needs WRITE. `(ports, port, width, value)`
    PortWrite = 64,
    /// Has bits of a notification signalled at each interrupt, and enables the line. Needs WRITE on both. `(interrupt, notification, bits)`
    InterruptBind = 65,
    /// Enables the line again after an interrupt was handled. Needs WRITE. `(interrupt)`
    InterruptAcknowledge = 66,

    /// Reads one record about the system: [`crate::info::Topic`]. The handle's kind depends on the topic.
    /// `(handle, topic, index, pointer, words) → words written`
    SystemRead = 70,
    /// Reads bytes of the kernel's log from a position on. Needs READ. `(log, position, pointer, length) → bytes read, next position`
    LogRead = 71,
    /// Adds a line to the kernel's log. Needs WRITE. `(log, pointer, length)`
    LogWrite = 72,
    /// Turns the machine off (0) or restarts it (1), after wiping memory. Needs WRITE. `(power, action)`
    PowerOff = 73,
    /// Reads [`crate::info::AuditRecord`]s from a position on, at most so many. Needs READ.
    /// `(audit, position, pointer, records) → records read, next position`
    AuditRead = 74,

    /// Makes a thread in the calling process and starts it, with an argument in `rdi`, all other registers zero, and at
    /// most the process's priority. `(entry, stack pointer, argument, priority) → thread handle with all rights`
    ThreadCreate = 80,
    /// Sets a thread's priority, at most its process's, and the CPUs it may run on (bit n: CPU n). Needs WRITE. `(thread, priority, affinity)`
    ThreadSchedule = 81,
    /// Ends a thread, [`crate::Handle::NONE`] for the calling one; with its last thread a process ends. Needs EXECUTE. `(thread)`
    ThreadEnd = 82,
}
