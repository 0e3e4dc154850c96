//! Devices: what is made of the hardware handle is its child, and none of it is RAM.

use adversaries::calls::{self, Buffer, MS, NEVER, READ, Result, copy, make, word};
use adversaries::threads::{self, Job};
use adversaries::verdict::Verdicts;
use nonos_abi::info::{Framebuffer, Topic};
use nonos_abi::message::{LEASE_READ, LEASE_WRITE};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights, Syscall, start};

use crate::{Log, read};

/// A port of the second serial port's scratch register: harmless.
const PORT: u64 = 0x2FF;

fn ports(hardware: Handle) -> Result<Handle> {
    let (handle, _) = make(Syscall::HardwarePorts, [word(hardware), PORT, 1])?;
    Ok(Handle::from_raw(handle as u32))
}

fn port_read(ports: Handle, port: u64) -> Result<u64> {
    make(Syscall::PortRead, [word(ports), port, 1]).map(|(value, _)| value)
}

/// The frame buffer's memory, made of a hardware handle.
fn framebuffer(hardware: Handle) -> Result<Handle> {
    let screen: Framebuffer = read(Topic::Framebuffer, 0)?;
    let arguments = [word(hardware), screen.address & !0xFFF, 1];
    let (handle, _) = make(Syscall::HardwareMemory, arguments)?;
    Ok(Handle::from_raw(handle as u32))
}

/// Rights on devices, and that a revoke takes them back.
pub fn devices(verdicts: &mut Verdicts<Log>, _: Handle) -> Result<()> {
    let weak = copy(start::HARDWARE, Rights::READ.or(Rights::GRANT), NEVER)?;
    verdicts.denied("ports without WRITE", ports(weak), Error::MissingRight);
    verdicts.denied(
        "device memory without WRITE",
        framebuffer(weak),
        Error::MissingRight,
    );
    let line = make(Syscall::HardwareInterrupt, [word(weak), 4]);
    verdicts.denied("an interrupt without WRITE", line, Error::MissingRight);
    for (what, address) in [
        ("RAM", 0x20_0000),
        ("the local APIC", 0xFEE0_0000),
        ("the I/O APIC", 0xFEC0_0000),
    ] {
        let memory = make(Syscall::HardwareMemory, [word(start::HARDWARE), address, 1]);
        verdicts.denied(
            format_args!("{what} as device memory"),
            memory,
            Error::BadAddress,
        );
    }
    let lent = copy(start::HARDWARE, Rights::ALL, NEVER)?;
    let port = ports(lent)?;
    verdicts.works("a port", port_read(port, PORT));
    verdicts.denied_one_of(
        "a port beside it",
        port_read(port, PORT + 1),
        &[Error::InvalidArgument, Error::BadAddress],
    );
    let blind = copy(port, Rights::WRITE, NEVER)?;
    verdicts.denied(
        "reading a port with WRITE",
        port_read(blind, PORT),
        Error::MissingRight,
    );
    let deaf = copy(port, Rights::READ, NEVER)?;
    let written = make(Syscall::PortWrite, [word(deaf), PORT, 1, 0]);
    verdicts.denied("writing a port with READ", written, Error::MissingRight);
    let (interrupt, _) = make(Syscall::HardwareInterrupt, [word(lent), 3])?;
    let interrupt = Handle::from_raw(interrupt as u32);
    let notification = calls::notification()?;
    let bind = |interrupt: Handle| {
        make(
            Syscall::InterruptBind,
            [word(interrupt), word(notification), 1],
        )
    };
    verdicts.works("an interrupt", bind(interrupt));
    let screen = framebuffer(lent)?;
    verdicts.works("the frame buffer", calls::map(screen, READ));
    calls::revoke(lent)?;
    verdicts.denied(
        "a port of revoked hardware",
        port_read(port, PORT),
        Error::Revoked,
    );
    verdicts.denied(
        "an interrupt of revoked hardware",
        bind(interrupt),
        Error::Revoked,
    );
    verdicts.denied(
        "the frame buffer of revoked hardware",
        calls::map(screen, READ),
        Error::Revoked,
    );
    verdicts.works(
        "the hardware handle itself",
        ports(lent).and_then(calls::close),
    );
    Ok(())
}

/// Device memory can be mapped, but not lent: the kernel copies RAM of programs only.
pub fn leases(verdicts: &mut Verdicts<Log>, _: Handle) -> Result<()> {
    static OWN: Buffer<8> = Buffer::new();
    let screen = framebuffer(start::HARDWARE)?;
    let address = calls::map(screen, calls::READ_WRITE)?;
    for (call, verb) in [
        (Syscall::LeaseRead, "reading"),
        (Syscall::LeaseWrite, "writing"),
    ] {
        let endpoint = calls::endpoint()?;
        let mut message = Message {
            info: MessageInfo::new(1, 0, 0).lending(1),
            ..Message::default()
        };
        message.words[7] = address;
        message.words[6] = 64 | LEASE_READ | LEASE_WRITE;
        let caller = threads::start(0, Job::Call(endpoint, message))?;
        let arrived = calls::receive_at_most(endpoint, 500 * MS);
        let result = match &arrived {
            Ok(arrived) => calls::lease(
                call,
                arrived.message.info.reply(),
                [0, 0, OWN.address(), 64],
            ),
            Err(_) => caller.wait().unwrap_or(Err(Error::Busy)).map(drop),
        };
        verdicts.denied(
            format_args!("{verb} lent device memory"),
            result,
            Error::BadAddress,
        );
        if let Ok(arrived) = arrived {
            calls::reply(arrived.message.info.reply())?;
        }
        let _ = caller.wait();
        // And as the server's own buffer.
        let mut own = message;
        own.words[7] = OWN.address();
        let caller = threads::start(0, Job::Call(endpoint, own))?;
        let arrived = calls::receive_at_most(endpoint, 500 * MS)?;
        let reply = arrived.message.info.reply();
        let result = calls::lease(call, reply, [0, 0, address, 64]);
        verdicts.denied(
            format_args!("{verb} a lease with device memory as the buffer"),
            result,
            Error::BadAddress,
        );
        calls::reply(reply)?;
        let _ = caller.wait();
    }
    calls::unmap(address)?;
    calls::close(screen)
}
