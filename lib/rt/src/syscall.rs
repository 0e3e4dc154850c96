//! System calls, as safe functions over raw handles, and the two pieces of assembly that make them.
//!
//! A call is safe here when no memory that safe Rust relies on changes other than through the references in its
//! signature. [`memory_unmap`], [`thread_create`] and [`call_raw`] are those that are not. Everything else a program
//! can do wrong is the kernel's to refuse.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};

use nonos_abi::info::AuditRecord;
use nonos_abi::message::{LEASE_READ, LEASE_WRITE, MESSAGE_HANDLES, MESSAGE_LEASES, MESSAGE_WORDS};
use nonos_abi::words::Words;
use nonos_abi::{Error, Handle, Message, MessageInfo, ObjectKind, Rights, Syscall};
use nonos_proto::Lent;

/// Results of a system call: `rdi` and `rsi`.
type Results = Result<(u64, u64), Error>;

/// Makes any system call but those of IPC and [`exit`].
///
/// # Safety
/// Pointers among the arguments are valid for what the call does with them, and the call does not
/// unmap memory that is in use.
pub unsafe fn raw(number: u64, arguments: [u64; 6]) -> (u64, u64, u64) {
    let [mut first, mut second, third, fourth, fifth, sixth] = arguments;
    let mut result = number;
    // SAFETY: the caller vouches for the pointers. `syscall` changes only the registers named here (abi::syscall).
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") result,
            inlateout("rdi") first,
            inlateout("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            in("r9") sixth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    (result, first, second)
}

fn checked((error, first, second): (u64, u64, u64)) -> Results {
    match error {
        0 => Ok((first, second)),
        // A number that this program does not know comes from a newer kernel.
        number => Err(Error::from_raw(number).unwrap_or(Error::NotSupported)),
    }
}

/// A call without pointers.
fn plain<const N: usize>(call: Syscall, given: [u64; N]) -> Results {
    let mut arguments = [0; 6];
    arguments[..N].copy_from_slice(&given);
    // SAFETY: used below only for calls that take no pointers and unmap nothing.
    checked(unsafe { raw(call as u64, arguments) })
}

fn handle_of(results: (u64, u64)) -> Handle {
    Handle::from_raw(results.0 as u32)
}

fn word(handle: Handle) -> u64 {
    u64::from(handle.raw())
}

/// Enters and leaves the kernel.
pub fn null() -> Result<(), Error> {
    plain(Syscall::Null, []).map(drop)
}

/// Gives up the rest of the time slice.
pub fn yield_now() {
    let _ = plain(Syscall::Yield, []);
}

/// Nanoseconds since the kernel started.
pub fn clock_ns() -> u64 {
    plain(Syscall::ClockRead, []).map_or(0, |(time_ns, _)| time_ns)
}

/// Blocks until the clock reaches a time.
pub fn sleep_until(deadline_ns: u64) -> Result<(), Error> {
    plain(Syscall::Sleep, [deadline_ns]).map(drop)
}

/// Ends this process.
pub fn exit(code: u64) -> ! {
    // SAFETY: `Exit` takes no pointer and does not return; should it, `ud2` ends the process.
    unsafe {
        asm!("syscall", "ud2", in("rax") Syscall::Exit as u64, in("rdi") code, options(noreturn, nostack))
    }
}

/// See [`Syscall::Random`]: the epoch.
pub fn random(out: &mut [u8]) -> Result<u64, Error> {
    let arguments = [out.as_mut_ptr() as u64, out.len() as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes `out.len()` bytes to `out`, which is borrowed for that.
    checked(unsafe { raw(Syscall::Random as u64, arguments) }).map(|(epoch, _)| epoch)
}

/// See [`Syscall::HandleClose`].
pub fn handle_close(handle: Handle) -> Result<(), Error> {
    plain(Syscall::HandleClose, [word(handle)]).map(drop)
}

/// See [`Syscall::HandleCopy`].
pub fn handle_copy(handle: Handle, rights: Rights, deadline_ns: u64) -> Result<Handle, Error> {
    plain(
        Syscall::HandleCopy,
        [word(handle), rights.bits(), deadline_ns],
    )
    .map(handle_of)
}

/// See [`Syscall::HandleRevoke`]. Mappings that were made through descendants of the handle vanish, in this process, too:
/// whoever touches them afterwards ends by a page fault.
pub fn handle_revoke(handle: Handle) -> Result<(), Error> {
    plain(Syscall::HandleRevoke, [word(handle)]).map(drop)
}

/// See [`Syscall::HandleInfo`].
pub fn handle_info(handle: Handle) -> Result<(ObjectKind, Rights), Error> {
    let (kind, rights) = plain(Syscall::HandleInfo, [word(handle)])?;
    Ok((
        ObjectKind::from_raw(kind).ok_or(Error::NotSupported)?,
        Rights::from_bits(rights),
    ))
}

/// See [`Syscall::MemoryCreate`].
pub fn memory_create(pages: u64) -> Result<Handle, Error> {
    plain(Syscall::MemoryCreate, [pages]).map(handle_of)
}

/// See [`Syscall::MemoryMap`]: address and bytes. The kernel picks an address where nothing is mapped, so
/// that no existing reference is affected.
pub fn memory_map(memory: Handle, access: Rights) -> Result<(u64, u64), Error> {
    plain(Syscall::MemoryMap, [word(memory), access.bits()])
}

/// See [`Syscall::MemoryUnmap`].
///
/// # Safety
/// Nothing refers to the mapping any more.
pub unsafe fn memory_unmap(address: u64) -> Result<(), Error> {
    plain(Syscall::MemoryUnmap, [address]).map(drop)
}

/// See [`Syscall::ModuleAdmit`].
pub fn module_admit(archive: Handle, name: &str) -> Result<Handle, Error> {
    let arguments = [
        word(archive),
        name.as_ptr() as u64,
        name.len() as u64,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel reads the name only.
    checked(unsafe { raw(Syscall::ModuleAdmit as u64, arguments) }).map(handle_of)
}

/// CPU time that a process may use: so much in each period. Nothing in it means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Budget {
    /// CPU time in each period, nanoseconds; 0 for no limit.
    pub budget_ns: u64,
    /// Length of the period, nanoseconds.
    pub period_ns: u64,
}

impl Budget {
    /// As much as there is.
    pub const UNLIMITED: Self = Self {
        budget_ns: 0,
        period_ns: 0,
    };
}

/// See [`Syscall::ProcessCreate`].
pub fn process_create(
    module: Handle,
    priority: u64,
    quota_pages: u64,
    budget: Budget,
    flags: u64,
) -> Result<Handle, Error> {
    let Budget {
        budget_ns,
        period_ns,
    } = budget;
    let module = word(module);
    plain(
        Syscall::ProcessCreate,
        [module, priority, quota_pages, budget_ns, period_ns, flags],
    )
    .map(handle_of)
}

/// See [`Syscall::ProcessGrant`]. The handle returned is one of the child's.
pub fn process_grant(
    process: Handle,
    handle: Handle,
    rights: Rights,
    deadline_ns: u64,
) -> Result<Handle, Error> {
    plain(
        Syscall::ProcessGrant,
        [word(process), word(handle), rights.bits(), deadline_ns],
    )
    .map(handle_of)
}

/// See [`Syscall::ProcessStart`].
pub fn process_start(process: Handle, arguments: [u64; 2]) -> Result<(), Error> {
    plain(
        Syscall::ProcessStart,
        [word(process), arguments[0], arguments[1]],
    )
    .map(drop)
}

/// See [`Syscall::ProcessKill`].
pub fn process_kill(process: Handle) -> Result<(), Error> {
    plain(Syscall::ProcessKill, [word(process)]).map(drop)
}

/// See [`Syscall::ProcessWatch`].
pub fn process_watch(process: Handle, notification: Handle, bits: u64) -> Result<(), Error> {
    plain(
        Syscall::ProcessWatch,
        [word(process), word(notification), bits],
    )
    .map(drop)
}

/// See [`Syscall::ProcessRead`].
pub fn process_read(process: Handle, out: &mut [u64]) -> Result<(), Error> {
    let arguments = [
        word(process),
        out.as_mut_ptr() as u64,
        out.len() as u64,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes at most `out.len()` words to `out`, which is borrowed for that.
    checked(unsafe { raw(Syscall::ProcessRead as u64, arguments) }).map(drop)
}

/// See [`Syscall::EndpointCreate`].
pub fn endpoint_create() -> Result<Handle, Error> {
    plain(Syscall::EndpointCreate, []).map(handle_of)
}

/// See [`Syscall::EndpointBadge`].
pub fn endpoint_badge(
    endpoint: Handle,
    badge: u64,
    rights: Rights,
    deadline_ns: u64,
) -> Result<Handle, Error> {
    plain(
        Syscall::EndpointBadge,
        [word(endpoint), badge, rights.bits(), deadline_ns],
    )
    .map(handle_of)
}

/// See [`Syscall::NotificationCreate`].
pub fn notification_create() -> Result<Handle, Error> {
    plain(Syscall::NotificationCreate, []).map(handle_of)
}

/// See [`Syscall::NotificationSignal`].
pub fn notification_signal(notification: Handle, bits: u64) -> Result<(), Error> {
    plain(Syscall::NotificationSignal, [word(notification), bits]).map(drop)
}

/// See [`Syscall::NotificationWait`].
pub fn notification_wait(notification: Handle) -> Result<u64, Error> {
    plain(Syscall::NotificationWait, [word(notification)]).map(|(bits, _)| bits)
}

/// See [`Syscall::NotificationBind`].
pub fn notification_bind(notification: Handle) -> Result<(), Error> {
    plain(Syscall::NotificationBind, [word(notification)]).map(drop)
}

/// See [`Syscall::TimerCreate`].
pub fn timer_create() -> Result<Handle, Error> {
    plain(Syscall::TimerCreate, []).map(handle_of)
}

/// See [`Syscall::TimerSet`].
pub fn timer_set(
    timer: Handle,
    notification: Handle,
    bits: u64,
    deadline_ns: u64,
    period_ns: u64,
) -> Result<(), Error> {
    plain(
        Syscall::TimerSet,
        [
            word(timer),
            word(notification),
            bits,
            deadline_ns,
            period_ns,
        ],
    )
    .map(drop)
}

/// See [`Syscall::HardwarePorts`].
pub fn hardware_ports(hardware: Handle, first: u16, count: u16) -> Result<Handle, Error> {
    plain(
        Syscall::HardwarePorts,
        [word(hardware), first.into(), count.into()],
    )
    .map(handle_of)
}

/// See [`Syscall::HardwareInterrupt`].
pub fn hardware_interrupt(hardware: Handle, line: u32) -> Result<Handle, Error> {
    plain(Syscall::HardwareInterrupt, [word(hardware), line.into()]).map(handle_of)
}

/// See [`Syscall::HardwareMemory`].
pub fn hardware_memory(hardware: Handle, physical: u64, pages: u64) -> Result<Handle, Error> {
    plain(Syscall::HardwareMemory, [word(hardware), physical, pages]).map(handle_of)
}

/// See [`Syscall::HardwareDevice`].
pub fn hardware_device(hardware: Handle, device: u16) -> Result<Handle, Error> {
    plain(Syscall::HardwareDevice, [word(hardware), device.into()]).map(handle_of)
}

/// See [`Syscall::DeviceMap`]; for reading and writing. Where the device finds it.
pub fn device_map(device: Handle, memory: Handle, page: u64) -> Result<u64, Error> {
    let access = Rights::READ.or(Rights::WRITE).bits();
    let arguments = [word(device), word(memory), page, access];
    plain(Syscall::DeviceMap, arguments).map(|(address, _)| address)
}

/// See [`Syscall::PortRead`].
pub fn port_read(ports: Handle, port: u16, width: u64) -> Result<u32, Error> {
    plain(Syscall::PortRead, [word(ports), port.into(), width]).map(|(value, _)| value as u32)
}

/// See [`Syscall::PortWrite`].
pub fn port_write(ports: Handle, port: u16, width: u64, value: u32) -> Result<(), Error> {
    let arguments = [word(ports), port.into(), width, value.into()];
    plain(Syscall::PortWrite, arguments).map(drop)
}

/// See [`Syscall::InterruptBind`].
pub fn interrupt_bind(interrupt: Handle, notification: Handle, bits: u64) -> Result<(), Error> {
    plain(
        Syscall::InterruptBind,
        [word(interrupt), word(notification), bits],
    )
    .map(drop)
}

/// See [`Syscall::InterruptAcknowledge`].
pub fn interrupt_acknowledge(interrupt: Handle) -> Result<(), Error> {
    plain(Syscall::InterruptAcknowledge, [word(interrupt)]).map(drop)
}

/// See [`Syscall::SystemRead`]: the number of words written.
pub fn system_read(handle: Handle, topic: u64, index: u64, out: &mut [u64]) -> Result<u64, Error> {
    let arguments = [
        word(handle),
        topic,
        index,
        out.as_mut_ptr() as u64,
        out.len() as u64,
        0,
    ];
    // SAFETY: the kernel writes at most `out.len()` words to `out`, which is borrowed for that.
    checked(unsafe { raw(Syscall::SystemRead as u64, arguments) }).map(|(words, _)| words)
}

/// See [`Syscall::LogRead`]: bytes read and the next position.
pub fn log_read(log: Handle, position: u64, out: &mut [u8]) -> Result<(u64, u64), Error> {
    let arguments = [
        word(log),
        position,
        out.as_mut_ptr() as u64,
        out.len() as u64,
        0,
        0,
    ];
    // SAFETY: the kernel writes at most `out.len()` bytes to `out`, which is borrowed for that.
    checked(unsafe { raw(Syscall::LogRead as u64, arguments) })
}

/// See [`Syscall::LogWrite`].
pub fn log_write(log: Handle, line: &[u8]) -> Result<(), Error> {
    let arguments = [word(log), line.as_ptr() as u64, line.len() as u64, 0, 0, 0];
    // SAFETY: the kernel reads the line only.
    checked(unsafe { raw(Syscall::LogWrite as u64, arguments) }).map(drop)
}

/// See [`Syscall::AuditRead`]: as many records as fit in `out`; records read, and the next position.
pub fn audit_read(audit: Handle, position: u64, out: &mut [u64]) -> Result<(u64, u64), Error> {
    let records = out.len() / AuditRecord::COUNT;
    let arguments = [
        word(audit),
        position,
        out.as_mut_ptr() as u64,
        records as u64,
        0,
        0,
    ];
    // SAFETY: the kernel writes at most `records` records to `out`, which is borrowed for that and holds as many.
    checked(unsafe { raw(Syscall::AuditRead as u64, arguments) })
}

/// See [`Syscall::ThreadCreate`]. [`crate::thread::spawn`] is the safe way.
///
/// # Safety
/// `entry` is code that can run on a stack whose top is `stack`, with `argument` in `rdi`; the stack is memory that
/// nothing else uses as long as the thread runs.
pub unsafe fn thread_create(
    entry: u64,
    stack: u64,
    argument: u64,
    priority: u64,
) -> Result<Handle, Error> {
    plain(Syscall::ThreadCreate, [entry, stack, argument, priority]).map(handle_of)
}

/// See [`Syscall::ThreadSchedule`].
pub fn thread_schedule(thread: Handle, priority: u64, affinity: u64) -> Result<(), Error> {
    plain(Syscall::ThreadSchedule, [word(thread), priority, affinity]).map(drop)
}

/// See [`Syscall::ThreadEnd`]. Its stack stays mapped; what it borrowed or owned is never given back.
pub fn thread_end(thread: Handle) -> Result<(), Error> {
    plain(Syscall::ThreadEnd, [word(thread)]).map(drop)
}

/// See [`Syscall::PowerOff`].
pub fn power_off(power: Handle, action: u64) -> Result<(), Error> {
    plain(Syscall::PowerOff, [word(power), action]).map(drop)
}

/// Registers of an IPC call, in and out ([`nonos_abi::message`]). The assembly below knows the offsets.
#[derive(Clone, Copy)]
#[repr(C)]
struct IpcRegisters {
    rdi: u64,
    rsi: u64,
    words: [u64; MESSAGE_WORDS],
    rbx: u64,
    rbp: u64,
}

// SAFETY: the assembly below defines it.
unsafe extern "C" {
    /// Loads the registers, makes system call `number`, stores the registers; returns `rax`.
    fn nonos_rt_ipc(number: u64, registers: &mut IpcRegisters) -> u64;
}

// `rbx` and `rbp` cannot be operands of `asm!`, hence a function of its own.
// SAFETY: keeps the registers that a function must keep, and writes nothing but `registers` and its own stack.
global_asm!(
    ".pushsection .text.nonos_rt_ipc, \"ax\", @progbits",
    ".type nonos_rt_ipc, @function",
    "nonos_rt_ipc:",
    "endbr64",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rsi",
    "mov rax, rdi",
    "mov rcx, rsi",
    "mov rdi, [rcx]",
    "mov rsi, [rcx + 8]",
    "mov rdx, [rcx + 16]",
    "mov r10, [rcx + 24]",
    "mov r8, [rcx + 32]",
    "mov r9, [rcx + 40]",
    "mov r12, [rcx + 48]",
    "mov r13, [rcx + 56]",
    "mov r14, [rcx + 64]",
    "mov r15, [rcx + 72]",
    "mov rbx, [rcx + 80]",
    "mov rbp, [rcx + 88]",
    "syscall",
    "pop rcx",
    "mov [rcx], rdi",
    "mov [rcx + 8], rsi",
    "mov [rcx + 16], rdx",
    "mov [rcx + 24], r10",
    "mov [rcx + 32], r8",
    "mov [rcx + 40], r9",
    "mov [rcx + 48], r12",
    "mov [rcx + 56], r13",
    "mov [rcx + 64], r14",
    "mov [rcx + 72], r15",
    "mov [rcx + 80], rbx",
    "mov [rcx + 88], rbp",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    "int3",
    ".size nonos_rt_ipc, . - nonos_rt_ipc",
    ".popsection",
);

/// A message that arrived, with the badge of its sender or the bits of a notification.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// Badge of the caller, or signal bits.
    pub badge: u64,
    /// The message.
    pub message: Message,
}

fn ipc(call: Syscall, rdi: u64, message: &Message) -> Result<Arrived, Error> {
    let pair = |index: usize| word(message.handles[index]) | word(message.handles[index + 1]) << 32;
    let mut registers = IpcRegisters {
        rdi,
        rsi: message.info.0,
        words: message.words,
        rbx: pair(0),
        rbp: pair(2),
    };
    // SAFETY: the function keeps the calling convention, reads and writes `registers` only. Memory is touched only
    // as far as the message lends it, for which `call_raw` answers.
    let error = unsafe { nonos_rt_ipc(call as u64, &mut registers) };
    checked((error, 0, 0))?;
    let handles: [Handle; MESSAGE_HANDLES] = [
        Handle::from_raw(registers.rbx as u32),
        Handle::from_raw((registers.rbx >> 32) as u32),
        Handle::from_raw(registers.rbp as u32),
        Handle::from_raw((registers.rbp >> 32) as u32),
    ];
    let info = MessageInfo(registers.rsi);
    Ok(Arrived {
        badge: registers.rdi,
        message: Message {
            info,
            words: registers.words,
            handles,
        },
    })
}

/// See [`Syscall::Call`]. Lends nothing.
pub fn call(endpoint: Handle, request: &Message) -> Result<Message, Error> {
    call_lending(endpoint, request, &mut [])
}

/// Address and length of lent memory, as a message describes them.
fn describe(lent: &mut Lent<'_>) -> (u64, u64) {
    match lent {
        Lent::Read(bytes) => (
            bytes.as_ptr().expose_provenance() as u64,
            bytes.len() as u64 | LEASE_READ,
        ),
        Lent::Write(bytes) => (
            bytes.as_mut_ptr().expose_provenance() as u64,
            bytes.len() as u64 | LEASE_WRITE,
        ),
        Lent::ReadWrite(bytes) => (
            bytes.as_mut_ptr().expose_provenance() as u64,
            bytes.len() as u64 | LEASE_READ | LEASE_WRITE,
        ),
    }
}

/// See [`Syscall::Call`]. The memory is lent until the call is answered.
///
/// # Errors
/// [`Error::InvalidArgument`] when the message's words leave no room for so many leases.
pub fn call_lending(
    endpoint: Handle,
    request: &Message,
    lent: &mut [Lent<'_>],
) -> Result<Message, Error> {
    let room = MESSAGE_WORDS.saturating_sub(request.info.words()) / 2;
    if !lent.is_empty() && lent.len() > room.min(MESSAGE_LEASES) {
        return Err(Error::InvalidArgument);
    }
    let mut message = *request;
    // Whatever the request says it lends, it lends this.
    let lends_nothing = message.info.0 & !MessageInfo::default().lending(usize::MAX).0;
    message.info = MessageInfo(lends_nothing).lending(lent.len());
    for (index, lease) in lent.iter_mut().enumerate() {
        let (address, length) = describe(lease);
        message.words[MESSAGE_WORDS - 1 - 2 * index] = address;
        message.words[MESSAGE_WORDS - 2 - 2 * index] = length;
    }
    // SAFETY: the message lends what `lent` borrows and nothing else, and leases end with the call.
    unsafe { call_raw(endpoint, &message) }
}

/// See [`Syscall::Call`]; the message is sent as it is, with the leases that its words describe.
///
/// # Safety
/// Memory that the message lends for reading is not written, and memory that it lends for writing is not touched, by
/// this program until the call returns.
pub unsafe fn call_raw(endpoint: Handle, request: &Message) -> Result<Message, Error> {
    ipc(Syscall::Call, word(endpoint), request).map(|arrived| arrived.message)
}

/// See [`Syscall::LeaseRead`]. `reply` is the reply handle of the call that lends.
pub fn lease_read(reply: Handle, lease: u64, offset: u64, out: &mut [u8]) -> Result<(), Error> {
    let arguments = [
        word(reply),
        lease,
        offset,
        out.as_mut_ptr() as u64,
        out.len() as u64,
        0,
    ];
    // SAFETY: the kernel writes at most `out.len()` bytes to `out`, which is borrowed for that.
    checked(unsafe { raw(Syscall::LeaseRead as u64, arguments) }).map(drop)
}

/// See [`Syscall::LeaseWrite`]. `reply` is the reply handle of the call that lends.
pub fn lease_write(reply: Handle, lease: u64, offset: u64, bytes: &[u8]) -> Result<(), Error> {
    let arguments = [
        word(reply),
        lease,
        offset,
        bytes.as_ptr() as u64,
        bytes.len() as u64,
        0,
    ];
    // SAFETY: the kernel reads `bytes` only.
    checked(unsafe { raw(Syscall::LeaseWrite as u64, arguments) }).map(drop)
}

/// See [`Syscall::Receive`].
pub fn receive(endpoint: Handle) -> Result<Arrived, Error> {
    ipc(Syscall::Receive, word(endpoint), &Message::default())
}

/// See [`Syscall::Reply`].
pub fn reply(reply: Handle, message: &Message) -> Result<(), Error> {
    ipc(Syscall::Reply, word(reply), message).map(drop)
}

/// See [`Syscall::ReplyReceive`].
pub fn reply_receive(endpoint: Handle, reply: Handle, message: &Message) -> Result<Arrived, Error> {
    ipc(
        Syscall::ReplyReceive,
        word(endpoint) | word(reply) << 32,
        message,
    )
}
