//! `init`, as the processes it started see it: each calls it through [`nonos_abi::start::PARENT`].
//!
//! The badge of that handle says who calls. What a program gets is what both its signed manifest and the
//! system's policy (`system.toml`) name; all else is [`crate::Refusal::NotGranted`].

use nonos_abi::{Handle, Name};

use crate::interface::interface;
use crate::value::{Passable, parts};

parts! {
    /// A process that was started on request.
    pub struct Spawned {
        /// The process. READ and EXECUTE.
        pub process: Handle,
        /// Its number.
        pub id: u64,
    }
}

parts! {
    /// The first serial port (16550).
    pub struct Serial {
        /// Its I/O ports, 0x3F8 to 0x3FF. READ and WRITE.
        pub ports: Handle,
        /// Its interrupt. WRITE.
        pub interrupt: Handle,
    }
}

parts! {
    /// The PS/2 controller (8042) with its keyboard and mouse.
    pub struct Ps2 {
        /// Data port, 0x60. READ and WRITE.
        pub data: Handle,
        /// Status and command port, 0x64. READ and WRITE.
        pub control: Handle,
        /// Interrupt of the keyboard. WRITE.
        pub keyboard: Handle,
        /// Interrupt of the mouse. WRITE.
        pub mouse: Handle,
    }
}

parts! {
    /// The frame buffer that the firmware set up.
    pub struct Screen {
        /// Its memory, which a driver may pass on to the compositor. READ and WRITE.
        pub memory: Passable,
        /// Where in that memory the first pixel lies, bytes.
        pub offset: u64,
        /// Pixels in a line.
        pub width: u64,
        /// Lines.
        pub height: u64,
        /// Bytes from line to line.
        pub stride_bytes: u64,
        /// [`nonos_abi::boot::PixelFormat`].
        pub format: u64,
    }
}

parts! {
    /// The TPM.
    pub struct Tpm {
        /// Its registers, one page. READ and WRITE.
        pub registers: Handle,
        /// Their physical address.
        pub physical: u64,
        /// One of [`nonos_abi::boot::tpm_start`].
        pub start_method: u64,
    }
}

parts! {
    /// A GPU of virtio's.
    pub struct Gpu {
        /// Its registers. READ and WRITE.
        pub registers: Handle,
        /// The device, to map memory for. WRITE.
        pub device: Handle,
        /// Where the common configuration is in the registers, bytes (virtio 1.2, 4.1.4.3).
        pub common: u64,
        /// Where the notifications are (4.1.4.4).
        pub notify: u64,
        /// Bytes from the notification of one queue to that of the next.
        pub notify_multiplier: u64,
        /// Where the configuration of a GPU is (5.7.4).
        pub specific: u64,
    }
}

parts! {
    /// A program that the system runs itself.
    pub struct ServiceState {
        /// Name of its module.
        pub name: Name,
        /// One of [`service_state`].
        pub state: u64,
        /// Number of its process; of the last one when it does not run.
        pub process: u64,
        /// How often it was started again.
        pub restarts: u64,
        /// [`service_state::WAITING`]: when it is started again, nanoseconds on the kernel's clock; else 0.
        pub next_start_ns: u64,
    }
}

/// Values of [`ServiceState::state`].
pub mod service_state {
    /// It runs.
    pub const RUNNING: u64 = 0;
    /// It ended and will be started again.
    pub const WAITING: u64 = 1;
    /// It kept ending, or cannot be started: it stays down.
    pub const DOWN: u64 = 2;
    /// It ended and is not to be started again.
    pub const ENDED: u64 = 3;
}

parts! {
    /// What a process asks for and may have: bits of [`nonos_abi::info::needs`].
    pub struct Needs {
        /// What its manifest asks for.
        pub asked: u64,
        /// What it may have now.
        pub granted: u64,
    }
}

parts! {
    /// Who calls a service.
    pub struct ClientOf {
        /// Name of its module.
        pub module: Name,
        /// Number of its process.
        pub process: u64,
        /// What it may store in files, pages of 4 KiB.
        pub storage_pages: u64,
    }
}

/// What is ended one after the other before the machine is, see [`Init::wind_down`].
pub mod wind_down {
    /// All programs but the caller that serve nobody, and the power box.
    pub const PROGRAMS: u64 = 0;
    /// The vault with its keys.
    pub const VAULT: u64 = 1;
    /// All files.
    pub const FILES: u64 = 2;
}

interface! {
    /// `init`.
    pub trait Init, version 8;

    /// The endpoint of a service, badged with the caller's identity. WRITE. Calls wait while the service restarts.
    1 => answered connect(service: Name) -> Handle;

    /// The endpoint on which the caller itself serves this name. READ.
    2 => answered serve(service: Name) -> Handle;

    /// Starts a module of the system image.
    3 => answered spawn(module: Name) -> Spawned;

    /// State of the system. READ.
    4 => answered system_info() -> Handle;

    /// Where the kernel lies. READ.
    5 => answered kernel_layout() -> Handle;

    /// Turns the machine off (0) or restarts it (1), after the TPM was told; returns only when that failed. Needs `power`.
    6 => answered power_off(restart: u64) -> ();

    /// The kernel's log, with the rights that were granted.
    7 => answered log() -> Handle;

    /// The first serial port.
    8 => answered serial() -> Serial;

    /// The PS/2 controller.
    9 => answered ps2() -> Ps2;

    /// The frame buffer.
    10 => answered screen() -> Screen;

    /// The record of denied system calls. READ.
    11 => answered audit() -> Handle;

    /// Ends a process. Needs `supervise`, as all below.
    12 => answered kill(process: u64) -> ();

    /// Allows a process what its manifest asks for, the policy does not grant and the caller may have itself; for so many
    /// seconds, 0 for as long as it runs.
    13 => answered allow(process: u64, need: Name, seconds: u64) -> ();

    /// Takes back what a process was given for a need: its handles are dead when this returns, and it gets no others.
    14 => answered revoke(process: u64, need: Name) -> ();

    /// Program `index` of those that the system runs itself; [`crate::Refusal::NoSuchService`] past the last.
    15 => answered service(index: u64) -> ServiceState;

    /// What a process asks for and may have.
    16 => answered needs(process: u64) -> Needs;

    /// The endpoint of the service that the caller itself serves, to make badged handles of for its clients. WRITE, GRANT and
    /// REVOKE. All of them are dead when the caller ends.
    17 => answered issue(service: Name) -> Passable;

    /// The process that `init` gave a badge for the services it connects to. For those who serve one.
    18 => answered client(badge: u64) -> ClientOf;

    /// The TPM.
    19 => answered tpm() -> Tpm;

    /// Has bits of a notification signalled when the process with that badge ends.
    20 => answered client_end(badge: u64, notification: Handle, bits: u64) -> ();

    /// Starts a module of the system image, which may be one that the system runs itself and that serves nothing. What it and the
    /// programs that it starts reach as `console` is this endpoint (WRITE and GRANT), which the caller serves as
    /// [`crate::console`].
    21 => answered spawn_on(module: Name, console: Passable) -> Spawned;

    /// Starts a program because the user chose it: it may have all that the policy names, whatever the caller has. Needs
    /// `desktop` or `prompt`.
    22 => answered launch(module: Name) -> Spawned;

    /// Has bits of a notification signalled when the process ends that serves a name which the caller may connect to.
    /// [`crate::Refusal::NoSuchProcess`] when none does now.
    23 => answered service_end(service: Name, notification: Handle, bits: u64) -> ();

    /// A GPU of virtio's, where the firmware set up no frame buffer.
    24 => answered gpu() -> Gpu;

    /// Before the machine is turned off: ends one of [`wind_down`] for good, whose memory is wiped when this returns. From the first call on
    /// nothing is started any more. Needs `power`.
    25 => answered wind_down(part: u64) -> ();
}
