//! The compositor, see `nonos_proto::display`.
//!
//! What it does is `display::compositor`, which calls nothing. Here is what it does that with: [`front`] is the screen, [`surfaces`] the
//! memory of programs' surfaces, [`service`] the requests and when the screen is drawn.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

mod front;
mod service;
mod surfaces;

use nonos_proto::{CallError, screen};
use nonos_rt::abi::Error;
use nonos_rt::object::{Notification, Timer};
use nonos_rt::parent;

use crate::front::Front;
use crate::service::Service;

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("display")?;
    let driver = screen::Client(parent::connect("screen")?);
    let front = Front::map(&driver.frame()?)?;
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    signals.bind().map_err(CallError::Unreachable)?;
    let timer = Timer::create().map_err(CallError::Unreachable)?;
    let mut service = Service::new(front, driver, signals, timer)?;
    service.show();
    Ok(nonos_rt::service::serve(&endpoint, &mut service))
}
