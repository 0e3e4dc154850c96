//! The driver of virtio's GPU, see `nonos_proto::screen`.
//!
//! The compositor draws in memory that is the driver's and that the device may read; [`Screen::flush`](screen::Screen::flush) has the
//! device show it. The device interrupts nobody: what it answered is looked at when the next part is to be shown. When it does not answer, or answers what
//! cannot be, the driver says so in the log and ends; `init` starts it again.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use nonos_proto::display::Rect;
use nonos_proto::screen::{self, Frame};
use nonos_proto::{CallError, Caller, Refusal};
use nonos_rt::abi::boot::PixelFormat;
use nonos_rt::abi::{DEVICE_PAGES, Error, Message, PAGE_BYTES, Rights};
use nonos_rt::mapping::Mapping;
use nonos_rt::mmio::Registers;
use nonos_rt::object::Memory;
use nonos_rt::service::Server;
use nonos_rt::{log, parent, syscall};
use virtio_gpu::gpu::{self, Gpu};
use virtio_gpu::{Hardware, transport};

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("screen")?;
    let (registers, device, found) = parent::gpu()?;
    let place = transport::Place {
        common: found.common,
        notify: found.notify,
        notify_multiplier: found.notify_multiplier,
    };
    let kernel = CallError::Unreachable;
    let page = Memory::create(1).map_err(kernel)?;
    let mut hardware = Bus {
        registers: Registers::map(&registers).map_err(kernel)?,
        page: page.map().map_err(kernel)?,
    };
    let at = device.map(&page, 0).map_err(|error| {
        if error == Error::NotSupported {
            log!("without an IOMMU the GPU would reach all memory");
        }
        kernel(error)
    })?;
    let queue = transport::start(&mut hardware, place, at).map_err(failed)?;
    let most_bytes = (DEVICE_PAGES - 1) * PAGE_BYTES as u64;
    let mut gpu = Gpu::new(hardware, queue, most_bytes).map_err(failed)?;
    let pages = gpu.size().bytes().div_ceil(PAGE_BYTES as u64);
    let picture = Memory::create(pages).map_err(kernel)?;
    let at = device.map(&picture, 1).map_err(kernel)?;
    gpu.show(at).map_err(failed)?;
    Ok(nonos_rt::service::serve(
        &endpoint,
        &mut Service { gpu, picture },
    ))
}

/// Says what is wrong with the device.
fn failed(error: virtio_gpu::Error) -> CallError {
    log!("the GPU {error}");
    CallError::Refused(Refusal::DeviceFailed)
}

/// The device.
struct Bus {
    registers: Registers,
    page: Mapping,
}

impl Hardware for Bus {
    fn read_8(&mut self, offset: u64) -> u8 {
        self.registers.read_8(offset as usize)
    }

    fn read_16(&mut self, offset: u64) -> u16 {
        self.registers.read_16(offset as usize)
    }

    fn read_32(&mut self, offset: u64) -> u32 {
        self.registers.read_32(offset as usize)
    }

    fn write_8(&mut self, offset: u64, value: u8) {
        self.registers.write_8(offset as usize, value);
    }

    fn write_16(&mut self, offset: u64, value: u16) {
        self.registers.write_16(offset as usize, value);
    }

    fn write_32(&mut self, offset: u64, value: u32) {
        self.registers.write_32(offset as usize, value);
    }

    fn load(&mut self, word: usize) -> u32 {
        let word = self.page.words().get(word);
        word.map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn store(&mut self, word: usize, value: u32) {
        if let Some(word) = self.page.words().get(word) {
            word.store(value, Ordering::Release);
        }
    }

    fn now_ns(&mut self) -> u64 {
        syscall::clock_ns()
    }

    fn sleep(&mut self, ns: u64) {
        let _ = syscall::sleep_until(syscall::clock_ns().saturating_add(ns));
    }
}

/// The service.
struct Service {
    gpu: Gpu<Bus>,
    picture: Memory,
}

impl screen::Screen for Service {
    fn frame(&mut self, _: Caller) -> Result<Frame, Refusal> {
        let gpu::Size { width, height } = self.gpu.size();
        // It takes GRANT to leave by message, and arrives without.
        let rights = Rights::READ.or(Rights::WRITE).or(Rights::GRANT);
        Ok(Frame {
            memory: self.picture.copy(rights)?.into_handle(),
            offset: 0,
            width: width.into(),
            height: height.into(),
            stride_bytes: u64::from(width) * 4,
            format: PixelFormat::Bgr as u64,
            flushed: 1,
        })
    }

    fn flush(&mut self, _: Caller, rect: u64) -> Result<(), Refusal> {
        let Rect {
            left,
            top,
            width,
            height,
        } = Rect::from_word(rect);
        let part = gpu::Rect {
            x: left.into(),
            y: top.into(),
            width: width.into(),
            height: height.into(),
        };
        if let Err(error) = self.gpu.flush(part) {
            failed(error);
            syscall::exit(1);
        }
        Ok(())
    }
}

impl Server for Service {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        screen::dispatch(self, caller, request)
    }

    fn signal(&mut self, _: u64) {}
}
