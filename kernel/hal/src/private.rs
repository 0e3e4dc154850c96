//! The machine layer's own 2 MiB of the kernel's half for each CPU: windows, guarded stacks, device registers.
//!
//! One page table at a random free place of the kernel's half. Every mapping has an unmapped page on both
//! sides. The windows are the only way to a frame that the kernel's half does not map, and map it only
//! while they are used; they are writable and never executable. Each CPU uses its own, so it alone has their
//! translations to forget.

use core::sync::atomic::Ordering;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::KERNEL_SPACE_START;
use nonos_kernel_core::machine::FrameNumber;

use crate::cpu;
use crate::cpus::CpuBlock;
use crate::region::{Page, Region};
use crate::space::KERNEL_ENTRY;
use crate::table::{DIRECTORY_SPAN, ENTRIES, Entry, index};

const PAGE: u64 = PAGE_BYTES as u64;

/// Slot of the first window; slot 0 stays empty.
const WINDOW_SLOT: usize = 1;

/// Windows of a CPU, so that it can copy from one frame to another.
const WINDOWS: usize = 2;

/// Slots from one window to the next.
const WINDOW_STEP: usize = 2;

/// The private area, while it is laid out at boot.
pub struct PrivateArea {
    base: u64,
    table: *mut u64,
    next_slot: usize,
}

impl PrivateArea {
    /// Finds a place for the area and links its page table into the boot page tables.
    ///
    /// # Safety
    /// `root` is the physical address of the boot page tables. Called once for each block, before its CPU uses a window.
    pub unsafe fn new(region: &mut Region, root: u64, block: &CpuBlock) -> Self {
        let table = region
            .carve(1, |_| Page([0; ENTRIES]))
            .unwrap_or_else(|| crate::stop!("the kernel region is too small"));
        let frame = region.frame_of(&table[0]);
        let (base, directory) = free_place(region, root)
            .unwrap_or_else(|| crate::stop!("no room in the kernel's half"));
        // SAFETY: the entry was empty, so no mapping changes; the new table is empty.
        unsafe { region.write_boot(directory, index(base, 2), Entry::kernel_table(frame)) };
        let table = table[0].0.as_mut_ptr();
        let (entry, address) = (WINDOW_SLOT as u64 * 8, WINDOW_SLOT as u64 * PAGE);
        block
            .window_address
            .store(base + address, Ordering::Relaxed);
        block
            .window_entry
            .store(table as u64 + entry, Ordering::Relaxed);
        Self {
            base,
            table,
            next_slot: WINDOW_SLOT + WINDOWS * WINDOW_STEP,
        }
    }

    /// Maps a page of device registers, uncached, for good, and returns its address.
    pub fn map_device(&mut self, physical: u64) -> *mut u32 {
        let frame = FrameNumber((physical / PAGE) as u32);
        self.map(Entry::kernel_device(frame));
        self.next_slot += 1;
        (self.base + (self.next_slot as u64 - 2) * PAGE) as *mut u32
    }

    /// Maps the page of RAM with a physical address for reading, for good, and returns the address.
    pub fn map_constant(&mut self, physical: u64) -> u64 {
        let frame = FrameNumber((physical / PAGE) as u32);
        self.map(Entry::kernel_constant(frame));
        self.next_slot += 1;
        self.base + (self.next_slot as u64 - 2) * PAGE + physical % PAGE
    }

    /// Makes a stack of `pages` pages between guard pages and returns its top.
    pub fn make_stack(&mut self, region: &mut Region, pages: usize) -> u64 {
        let stack = region
            .carve(pages, |_| Page([0; ENTRIES]))
            .unwrap_or_else(|| crate::stop!("the kernel region is too small"));
        for page in stack {
            self.map(Entry::kernel_page(region.frame_of(page)));
        }
        self.next_slot += 1;
        self.base + (self.next_slot as u64 - 1) * PAGE
    }

    /// Fills the next slot.
    fn map(&mut self, entry: Entry) {
        assert!(self.next_slot < ENTRIES - 1, "the private area is full");
        // SAFETY: a slot of our own table that was empty; `entry` is a device, a page of the firmware or our own page, not executable.
        unsafe { self.table.add(self.next_slot).write_volatile(entry.0) };
        self.next_slot += 1;
    }
}

/// A random directory entry that maps nothing, as (address, physical address of its directory).
fn free_place(region: &Region, root: u64) -> Option<(u64, u64)> {
    // The last 2 MiB stay empty: nothing lies where an address may wrap.
    const PLACES: u64 = KERNEL_SPACE_START.wrapping_neg() / DIRECTORY_SPAN - 1;
    let pointers = region.read_kernel(root, KERNEL_ENTRY)?.physical();
    let start = cpu::placement_number() % PLACES;
    (0..PLACES).find_map(|step| {
        let address = KERNEL_SPACE_START + (start + step) % PLACES * DIRECTORY_SPAN;
        let directory = region.read_kernel(pointers, index(address, 3))?;
        let free = directory.is_present()
            && !directory.is_large()
            && !region
                .read_kernel(directory.physical(), index(address, 2))?
                .is_present();
        free.then_some((address, directory.physical()))
    })
}

/// A window to one frame at a time.
pub struct Window {
    entry: *mut u64,
    address: u64,
}

impl Window {
    /// A window of a CPU.
    ///
    /// # Safety
    /// The block is this CPU's and [`PrivateArea::new`] was called for it. Whoever else took this window does not run
    /// any more, or waits until the caller is done.
    #[inline(always)]
    unsafe fn take(block: &CpuBlock, number: usize) -> Self {
        let entry = block.window_entry.load(Ordering::Relaxed) as *mut u64;
        Self {
            entry: entry.wrapping_add(number * WINDOW_STEP),
            address: block.window_address.load(Ordering::Relaxed)
                + (number * WINDOW_STEP) as u64 * PAGE,
        }
    }

    /// The first window of a CPU.
    ///
    /// # Safety
    /// As for [`Self::take`].
    #[inline(always)]
    pub unsafe fn first(block: &CpuBlock) -> Self {
        // SAFETY: the caller answers for it.
        unsafe { Self::take(block, 0) }
    }

    /// The second window of a CPU.
    ///
    /// # Safety
    /// As for [`Self::take`].
    #[inline(always)]
    pub unsafe fn second(block: &CpuBlock) -> Self {
        const { assert!(WINDOWS == 2) };
        // SAFETY: the caller answers for it.
        unsafe { Self::take(block, 1) }
    }

    /// Whether a CPU's windows exist yet.
    pub fn exists(block: &CpuBlock) -> bool {
        block.window_entry.load(Ordering::Relaxed) != 0
    }

    /// Runs `f` with the contents of a frame.
    ///
    /// # Safety
    /// The frame is RAM, and no reference to its contents exists while `f` runs.
    pub unsafe fn with<R>(
        &mut self,
        frame: FrameNumber,
        f: impl FnOnce(&mut [u8; PAGE_BYTES]) -> R,
    ) -> R {
        self.show(Entry::kernel_page(frame));
        // SAFETY: the window maps the frame, writable; the caller answers for being alone with it.
        let result = f(unsafe { &mut *(self.address as *mut [u8; PAGE_BYTES]) });
        self.hide();
        result
    }

    /// Maps a frame and returns its first byte.
    ///
    /// # Safety
    /// The frame is RAM, and no reference to its contents exists until [`Self::hide`].
    pub unsafe fn show_frame(&mut self, frame: FrameNumber) -> *mut u8 {
        self.show(Entry::kernel_page(frame));
        self.address as *mut u8
    }

    /// Maps a page of the frame buffer and returns its first pixel.
    pub fn show_framebuffer(&mut self, frame: FrameNumber) -> *mut u32 {
        self.show(Entry::kernel_framebuffer(frame));
        self.address as *mut u32
    }

    /// Maps nothing.
    pub fn hide(&mut self) {
        self.show(Entry::EMPTY);
    }

    fn show(&mut self, entry: Entry) {
        // SAFETY: the window's own entry, in a table that is never freed. It maps a page for the kernel only,
        // never executable; nothing else lies at its address.
        unsafe { self.entry.write_volatile(entry.0) };
        cpu::invalidate_page(self.address);
    }
}
