//! What a process finds when it starts.
//!
//! Registers: `rdi` and `rsi` hold the two argument words given to `ProcessStart`, `rsp` the top of its
//! stack (16-byte aligned), `rdx` a random number that is the process's own, all others are zero. Its handle table holds the handles below and nothing else.

use crate::Handle;

/// Every process: itself. READ and EXECUTE.
pub const SELF: Handle = Handle::new(1, 0);

/// Every process but `init`: the endpoint of `init`, badged with the identity that init gave it. WRITE.
pub const PARENT: Handle = Handle::new(2, 0);

/// `init` only: the modules of the system image.
pub const ARCHIVE: Handle = Handle::new(2, 0);
/// `init` only: the devices of the machine.
pub const HARDWARE: Handle = Handle::new(3, 0);
/// `init` only: the state of the system.
pub const SYSTEM_INFO: Handle = Handle::new(4, 0);
/// `init` only: where the kernel lies.
pub const KERNEL_LAYOUT: Handle = Handle::new(5, 0);
/// `init` only: power of the machine.
pub const POWER: Handle = Handle::new(6, 0);
/// `init` only: the kernel's log.
pub const LOG: Handle = Handle::new(7, 0);
/// `init` only: the record of denied system calls.
pub const AUDIT: Handle = Handle::new(8, 0);
