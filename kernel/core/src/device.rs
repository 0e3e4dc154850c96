//! Windows: which memory each device may reach by DMA.
//!
//! A device's I/O addresses are a fixed number of pages, behind which lies nothing until a driver maps all of a Memory there, by the authority of
//! two handles: to the device and to the memory. Such a window is a node below both, so revoking either ends it; so does the end of the
//! process that made it, which pays for it as for an object. When a window has ended, the device does not reach the memory any more, and only then
//! the memory can be freed.
//!
//! A device does not stop at a deadline, so nothing is mapped by a handle that has one.

use nonos_abi::{DEVICE_PAGES, Error};

use crate::arena::{Empty, MemoryId, ProcessId};
use crate::handle::Found;
use crate::kernel::Kernel;
use crate::lineage::{Derived, NEVER, Side};
use crate::machine::Machine;
use crate::memory::MemoryKind;

/// Pages that a device can reach.
#[derive(Clone, Copy)]
pub struct Window {
    /// Bus, device and function.
    pub(crate) device: u16,
    pub(crate) first: u16,
    pub(crate) pages: u16,
    /// What lies there; holds a reference.
    pub(crate) memory: MemoryId,
    /// Who made it, and pays.
    pub(crate) owner: ProcessId,
}

impl Empty for Option<Window> {
    #[inline(always)]
    fn unused() -> Self {
        None
    }
}

impl Kernel {
    /// Opens a window by the authority of the handles to the device and to the memory.
    pub(crate) fn open_window(
        &mut self,
        window: Window,
        handles: [&Found; 2],
        write: bool,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let Window { device, first, .. } = window;
        let MemoryKind::Ram(frames) = &self.memories[window.memory].kind else {
            return Err(Error::InvalidArgument);
        };
        let end = u64::from(first) + u64::from(frames.count());
        if end > DEVICE_PAGES || handles.iter().any(|handle| handle.deadline_ns != NEVER) {
            return Err(Error::InvalidArgument);
        }
        let pages = frames.count() as u16;
        let mut free = None;
        for (number, other) in self.windows.iter().enumerate() {
            match other {
                None => free = Some(number as u16),
                Some(other) if other.device == device => {
                    let apart = end <= other.first.into() || other.first + other.pages <= first;
                    if !apart {
                        return Err(Error::Busy);
                    }
                }
                Some(_) => {}
            }
        }
        let number = free.ok_or(Error::OutOfObjects)?;
        self.check_object_quota(window.owner)?;
        for handle in handles {
            self.lineage.check_depth(handle.node)?;
        }
        if !machine.device_create(device) {
            return Err(Error::NotSupported);
        }
        for (page, frame) in (first..).zip(self.frames.iter(frames)) {
            machine.device_map(device, page, frame, write);
        }
        machine.device_forget();
        self.charge_object(window.owner);
        self.memories.retain(window.memory);
        self.windows[usize::from(number)] = Some(Window { pages, ..window });
        for (side, handle) in [Side::Source, Side::Notification].into_iter().zip(handles) {
            let node = self.lineage.node(Derived::Window(number, side));
            self.lineage.link(node, handle.node);
        }
        Ok(())
    }

    /// Ends the window with this number. When this returns, the device does not reach the memory.
    #[inline(never)]
    pub(crate) fn close_window(&mut self, number: u16, machine: &mut impl Machine) {
        let window = self.windows.get_mut(usize::from(number));
        let Some(window) = window.and_then(Option::take) else {
            return;
        };
        for page in window.first..window.first + window.pages {
            machine.device_unmap(window.device, page);
        }
        machine.device_forget();
        for side in [Side::Source, Side::Notification] {
            let node = self.lineage.node(Derived::Window(number, side));
            self.lineage.unlink(node);
        }
        self.release_memory(window.memory, machine);
        self.uncharge_object(Some(window.owner));
    }

    /// Ends the window of a device that begins at a page.
    pub(crate) fn close_window_at(
        &mut self,
        device: u16,
        page: u64,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let begins = |window: &Option<Window>| {
            window.is_some_and(|window| window.device == device && u64::from(window.first) == page)
        };
        let number = self.windows.iter().position(begins);
        self.close_window(number.ok_or(Error::BadAddress)? as u16, machine);
        Ok(())
    }

    /// Ends the windows that a process made.
    pub(crate) fn close_windows(&mut self, owner: ProcessId, machine: &mut impl Machine) {
        for number in 0..self.windows.len() {
            if self.windows[number].is_some_and(|window| window.owner == owner) {
                self.close_window(number as u16, machine);
            }
        }
    }
}
