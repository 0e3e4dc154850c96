//! Memory objects: pages that can be mapped, never executable.

use crate::arena::Empty;
use crate::frame::FrameList;

/// Pages of RAM or of a device.
pub struct Memory {
    pub(crate) frames: FrameList,
}

impl Empty for Memory {
    const EMPTY: Self = Self {
        frames: FrameList::EMPTY,
    };
}
