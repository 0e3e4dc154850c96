//! The driver of the frame buffer that the firmware set up, see `nonos_proto::screen`.
//!
//! It hands the compositor the memory that the screen shows, and draws nothing itself.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use nonos_proto::screen::{self, Frame};
use nonos_proto::{CallError, Caller, Refusal, init};
use nonos_rt::abi::{Error, Message, Rights};
use nonos_rt::object::Memory;
use nonos_rt::parent;
use nonos_rt::service::Server;

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("screen")?;
    let (memory, screen) = parent::screen()?;
    Ok(nonos_rt::service::serve(
        &endpoint,
        &mut Service { memory, screen },
    ))
}

/// The service.
struct Service {
    memory: Memory,
    screen: init::Screen,
}

impl screen::Screen for Service {
    fn frame(&mut self, _: Caller) -> Result<Frame, Refusal> {
        // It takes GRANT to leave by message, and arrives without.
        let rights = Rights::READ.or(Rights::WRITE).or(Rights::GRANT);
        let init::Screen {
            offset,
            width,
            height,
            stride_bytes,
            format,
            ..
        } = self.screen;
        Ok(Frame {
            memory: self.memory.copy(rights)?.into_handle(),
            offset,
            width,
            height,
            stride_bytes,
            format,
            flushed: 0,
        })
    }

    fn flush(&mut self, _: Caller, _: u64) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Server for Service {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        screen::dispatch(self, caller, request)
    }

    fn signal(&mut self, _: u64) {}
}
