//! Bringing the device up, through its registers on the PCI bus (3.1.1, 4.1).

use crate::queue::{self, Queue};
use crate::{Error, Hardware};

/// Longest that a reset takes.
const RESET_NS: u64 = 1_000_000_000;
/// From look to look while it is waited for.
const STEP_NS: u64 = 1_000_000;

/// Where registers are, bytes (4.1.4).
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The common configuration.
    pub common: u64,
    /// The notifications of queues.
    pub notify: u64,
    /// From the notification of one queue to that of the next.
    pub notify_multiplier: u64,
}

/// Common configuration (4.1.4.3).
mod register {
    pub const FEATURES_OFFERED_WORD: u64 = 0x00;
    pub const FEATURES_OFFERED: u64 = 0x04;
    pub const FEATURES_WORD: u64 = 0x08;
    pub const FEATURES: u64 = 0x0C;
    pub const STATUS: u64 = 0x14;
    pub const QUEUE: u64 = 0x16;
    pub const QUEUE_SIZE: u64 = 0x18;
    pub const QUEUE_ENABLE: u64 = 0x1C;
    pub const QUEUE_NOTIFY: u64 = 0x1E;
    pub const QUEUE_DESCRIPTORS: u64 = 0x20;
    pub const QUEUE_AVAILABLE: u64 = 0x28;
    pub const QUEUE_USED: u64 = 0x30;
}

/// Device status (2.1).
mod status {
    pub const ACKNOWLEDGE: u8 = 1;
    pub const DRIVER: u8 = 2;
    pub const DRIVER_OK: u8 = 4;
    pub const FEATURES_OK: u8 = 8;
}

/// `VIRTIO_F_VERSION_1` and `VIRTIO_F_ACCESS_PLATFORM` (6), bits 32 and 33: without the second a device reaches memory past the IOMMU, by addresses
/// that mean something else there.
const FEATURES: u32 = 1 | 1 << 1;

/// Resets the device and starts it, with its queue for requests in the shared page, which it finds at `page`.
///
/// # Errors
/// When it is not as virtio 1.0 has it.
pub fn start(hardware: &mut impl Hardware, place: Place, page: u64) -> Result<Queue, Error> {
    let at = |register: u64| place.common.saturating_add(register);
    let state = at(register::STATUS);
    hardware.write_8(state, 0);
    let deadline_ns = hardware.now_ns().saturating_add(RESET_NS);
    while hardware.read_8(state) != 0 {
        if hardware.now_ns() >= deadline_ns {
            return Err(Error::NoReset);
        }
        hardware.sleep(STEP_NS);
    }
    let mut now = status::ACKNOWLEDGE | status::DRIVER;
    hardware.write_8(state, now);

    hardware.write_32(at(register::FEATURES_OFFERED_WORD), 1);
    let offered = hardware.read_32(at(register::FEATURES_OFFERED));
    if offered & FEATURES != FEATURES {
        return Err(Error::Features(offered));
    }
    for (word, features) in [(0, 0), (1, FEATURES)] {
        hardware.write_32(at(register::FEATURES_WORD), word);
        hardware.write_32(at(register::FEATURES), features);
    }
    now |= status::FEATURES_OK;
    hardware.write_8(state, now);
    if hardware.read_8(state) & status::FEATURES_OK == 0 {
        return Err(Error::Refused);
    }

    hardware.write_16(at(register::QUEUE), 0);
    let size = hardware.read_16(at(register::QUEUE_SIZE));
    if size < queue::SIZE {
        return Err(Error::NoQueue(size));
    }
    hardware.write_16(at(register::QUEUE_SIZE), queue::SIZE);
    for (register, offset) in [
        (register::QUEUE_DESCRIPTORS, queue::DESCRIPTORS),
        (register::QUEUE_AVAILABLE, queue::AVAILABLE),
        (register::QUEUE_USED, queue::USED),
    ] {
        let address = page + offset as u64 * 4;
        hardware.write_32(at(register), address as u32);
        hardware.write_32(at(register + 4), (address >> 32) as u32);
    }
    let number = hardware.read_16(at(register::QUEUE_NOTIFY));
    let distance = u64::from(number).saturating_mul(place.notify_multiplier);
    let queue = Queue::new(hardware, page, place.notify.saturating_add(distance));
    hardware.write_16(at(register::QUEUE_ENABLE), 1);
    hardware.write_8(state, now | status::DRIVER_OK);
    Ok(queue)
}
