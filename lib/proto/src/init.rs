//! `init`, as the processes it started see it: each calls it through [`nonos_abi::start::PARENT`].
//!
//! The badge of that handle says who calls. What a program gets is what both its signed manifest and the
//! system's policy (`system.toml`) name; all else is [`crate::Refusal::NotGranted`].

use nonos_abi::{Handle, Name};

use crate::interface::interface;
use crate::value::parts;

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
    /// The PS/2 controller (8042) and its keyboard.
    pub struct Ps2 {
        /// Data port, 0x60. READ and WRITE.
        pub data: Handle,
        /// Status and command port, 0x64. READ and WRITE.
        pub control: Handle,
        /// Interrupt of the keyboard. WRITE.
        pub interrupt: Handle,
    }
}

parts! {
    /// The frame buffer that the firmware set up.
    pub struct Screen {
        /// Its memory. READ and WRITE.
        pub memory: Handle,
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

interface! {
    /// `init`.
    pub trait Init;

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

    /// Power of the machine. WRITE.
    6 => answered power() -> Handle;

    /// The kernel's log, with the rights that were granted.
    7 => answered log() -> Handle;

    /// The first serial port.
    8 => answered serial() -> Serial;

    /// The PS/2 controller.
    9 => answered ps2() -> Ps2;

    /// The frame buffer.
    10 => answered screen() -> Screen;
}
