//! System calls: from registers to the object and back. One file per family.
//!
//! Every argument is hostile. A call checks all it needs before it changes anything; its result goes to `rax`, `rdi` and
//! `rsi` here and nowhere else, but for calls that block or carry a message, whose registers are written by
//! whoever completes them.

mod handle;
mod hardware;
mod ipc;
pub(crate) mod memory;
mod notification;
mod process;
mod random;
mod system;
mod thread;
mod time;
mod timer;

use nonos_abi::{Error, Syscall};

use crate::arena::ThreadId;
use crate::kernel::{Caller, Kernel};
use crate::lease::Transfer;
use crate::lineage::NEVER;
use crate::machine::{Current, Machine};

/// What a system call leaves in registers when it succeeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Success, no results.
    Done,
    /// One result.
    One(u64),
    /// Two results.
    Two(u64, u64),
    /// The registers are written already, or will be when the thread goes on, or never.
    Written,
}

/// The argument registers.
type Arguments = [u64; 6];

/// A deadline in a register: 0 is none.
fn deadline(deadline_ns: u64) -> u64 {
    if deadline_ns == 0 { NEVER } else { deadline_ns }
}

impl Kernel {
    /// Does the system call of the running thread, which was none for the fast path, and returns what the CPU runs then.
    #[inline(always)]
    pub(crate) fn plain_syscall(&mut self, machine: &mut impl Machine) -> Current<'_> {
        if let Some(caller) = self.caller() {
            let context = &self.threads[caller.thread].context;
            let arguments = [
                context.rdi,
                context.rsi,
                context.rdx,
                context.r10,
                context.r8,
                context.r9,
            ];
            let outcome = match Syscall::from_raw(context.rax) {
                Some(call) => self.dispatch(caller, call, arguments, machine),
                None => Err(Error::UnknownSyscall),
            };
            self.finish(caller, outcome, machine);
        }
        self.leave(machine)
    }

    /// Has a thread make its system call again.
    fn repeat_syscall(&mut self, thread: ThreadId) {
        const SYSCALL_BYTES: u64 = 2;
        let context = &mut self.threads[thread].context;
        context.rip = context.rip.wrapping_sub(SYSCALL_BYTES);
    }

    #[inline(always)]
    fn finish(&mut self, caller: Caller, outcome: Result<Outcome, Error>, machine: &impl Machine) {
        let context = &mut self.threads[caller.thread].context;
        match outcome {
            Ok(Outcome::Written) => {}
            Ok(Outcome::Done) => context.rax = 0,
            Ok(Outcome::One(first)) => {
                context.rax = 0;
                context.rdi = first;
            }
            Ok(Outcome::Two(first, second)) => {
                context.rax = 0;
                context.rdi = first;
                context.rsi = second;
            }
            Err(error) => {
                let syscall = core::mem::replace(&mut context.rax, error.raw());
                self.record_denial(caller.thread, syscall, error, machine);
            }
        }
    }

    #[inline(always)]
    fn dispatch(
        &mut self,
        caller: Caller,
        call: Syscall,
        arguments: Arguments,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let [a, b, c, d, e, f] = arguments;
        let process = caller.process;
        match call {
            Syscall::Call => self.sys_call(caller, a, machine),
            Syscall::Receive => self.sys_receive(caller, a, machine),
            Syscall::Reply => self.sys_reply(caller, a, machine),
            Syscall::ReplyReceive => self.sys_reply_receive(caller, a, machine),

            Syscall::NotificationCreate => self.sys_notification_create(process),
            Syscall::NotificationSignal => self.sys_notification_signal(process, a, b, machine),
            Syscall::NotificationWait => self.sys_notification_wait(caller, a, machine),
            Syscall::NotificationBind => self.sys_notification_bind(caller, a, machine),
            Syscall::TimerCreate => self.sys_timer_create(process),
            Syscall::TimerSet => self.sys_timer_set(process, arguments, machine),
            Syscall::EndpointCreate => self.sys_endpoint_create(process),
            Syscall::EndpointBadge => self.sys_endpoint_badge(process, a, b, c, d, machine),

            Syscall::Null => Ok(Outcome::Done),
            Syscall::Yield => self.sys_yield(),
            Syscall::ClockRead => Ok(Outcome::One(self.told(process, machine.now_ns()))),
            Syscall::Sleep => self.sys_sleep(caller, a, machine),
            Syscall::Exit => self.sys_exit(caller, a, machine),
            Syscall::Random => self.sys_random(process, a, b, machine),

            Syscall::HandleClose => self.sys_handle_close(process, a, machine),
            Syscall::HandleCopy => self.sys_handle_copy(process, a, b, c, machine),
            Syscall::HandleInfo => self.sys_handle_info(process, a, machine),

            Syscall::HandleRevoke => self.sys_handle_revoke(caller, a, machine),
            Syscall::LeaseRead => self.sys_lease(process, arguments, Transfer::Read, machine),
            Syscall::LeaseWrite => self.sys_lease(process, arguments, Transfer::Write, machine),
            Syscall::AuditRead => self.sys_audit_read(process, arguments, machine),

            Syscall::MemoryCreate => self.sys_memory_create(process, a, machine),
            Syscall::MemoryMap => self.sys_memory_map(process, a, b, machine),
            Syscall::MemoryUnmap => self.sys_memory_unmap(process, a, machine),

            Syscall::ModuleAdmit => self.sys_module_admit(process, a, b, c, machine),
            Syscall::ProcessGrant => self.sys_process_grant(process, arguments, machine),
            Syscall::ProcessStart => self.sys_process_start(process, a, [b, c], machine),
            Syscall::ProcessCreate => {
                self.sys_process_create(process, a, [b, c], [d, e, f], machine)
            }
            Syscall::ProcessKill => self.sys_process_kill(caller, a, machine),
            Syscall::ProcessWatch => self.sys_process_watch(process, a, b, c, machine),
            Syscall::ProcessRead => self.sys_process_read(process, a, b, c, machine),

            Syscall::ThreadCreate => self.sys_thread_create(process, a, b, c, d, machine),
            Syscall::ThreadSchedule => self.sys_thread_schedule(process, a, b, c, machine),
            Syscall::ThreadEnd => self.sys_thread_end(caller, a, machine),

            Syscall::HardwarePorts => self.sys_hardware_ports(process, a, b, c, machine),
            Syscall::HardwareInterrupt => self.sys_hardware_interrupt(process, a, b, machine),
            Syscall::HardwareMemory => self.sys_hardware_memory(process, a, b, c, machine),
            Syscall::PortRead => self.sys_port_read(process, a, b, c, machine),
            Syscall::PortWrite => self.sys_port_write(process, a, b, c, d, machine),
            Syscall::InterruptBind => self.sys_interrupt_bind(process, a, b, c, machine),
            Syscall::InterruptAcknowledge => self.sys_interrupt_acknowledge(process, a, machine),

            Syscall::HardwareDevice => self.sys_hardware_device(process, a, b, machine),
            Syscall::DeviceMap => self.sys_device_map(process, [a, b, c, d], machine),
            Syscall::DeviceUnmap => self.sys_device_unmap(process, a, b, machine),

            Syscall::SystemRead => self.sys_system_read(process, [a, b, c, d, e], machine),
            Syscall::LogRead => self.sys_log_read(process, a, b, c, d, machine),
            Syscall::LogWrite => self.sys_log_write(process, a, b, c, machine),
            Syscall::PowerOff => self.sys_power_off(process, a, b, machine),
        }
    }
}
