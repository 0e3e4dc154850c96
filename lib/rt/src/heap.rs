//! The heap, for programs that ask for it (feature `heap`): `alloc` works.
//!
//! It grows by Memory of its own, charged to the process, and never shrinks. Where there is no memory left the allocation fails, which
//! ends the program unless it asked with one of the `try_` functions.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering};

use nonos_abi::PAGE_BYTES;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;
use talc::{TalcLock, lock_api, min_first_heap_size};

use crate::mapping::Private;
use crate::syscall;

/// The heap grows by so many pages at a time, more when something larger is asked for.
const GROWTH_PAGES: usize = 16;

#[global_allocator]
static HEAP: Heap = Heap(TalcLock::new(Pages));

/// Whether what is given back is overwritten.
static WIPES: AtomicBool = AtomicBool::new(false);

/// From now on, what is given back to the heap is overwritten: for programs that hold secrets, of which a moved or dropped text would
/// leave copies.
pub fn wipe_freed() {
    WIPES.store(true, Ordering::Relaxed);
}

/// The heap.
struct Heap(TalcLock<Lock, Pages>);

// SAFETY: all memory is the inner allocator's, and it is asked for each block exactly what the caller asks of this one.
unsafe impl GlobalAlloc for Heap {
    // SAFETY: the trait's, which whoever allocates upholds.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that this needs.
        unsafe { self.0.alloc(layout) }
    }

    // SAFETY: the trait's, which whoever allocates upholds.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the block is as large as its layout says, and nobody uses it any more.
            unsafe { block.write_bytes(0, layout.size()) };
            black_box(block);
        }
        // SAFETY: as in `alloc`.
        unsafe { self.0.dealloc(block, layout) }
    }

    // SAFETY: the trait's, which whoever allocates upholds.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if !WIPES.load(Ordering::Relaxed) {
            // SAFETY: as in `alloc`.
            return unsafe { self.0.realloc(block, layout, bytes) };
        }
        // SAFETY: the caller promises that `bytes` can be the size of a block with this alignment.
        let layout_after = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        // SAFETY: the caller promises that `bytes` is not zero.
        let moved = unsafe { self.alloc(layout_after) };
        if !moved.is_null() {
            // SAFETY: both blocks are that large, and the new one is no part of the old one; which is given back once, and used no more.
            unsafe {
                moved.copy_from_nonoverlapping(block, bytes.min(layout.size()));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

/// Memory of the process.
#[derive(Debug)]
struct Pages;

// SAFETY: nothing here allocates from the heap.
unsafe impl Source for Pages {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // What the allocator keeps beside the block: a few words, and its own table the first time.
        let beside = layout.align() + min_first_heap_size::<B>() + 64;
        let bytes = layout.size().checked_add(beside).ok_or(())?;
        let pages = bytes.div_ceil(PAGE_BYTES).max(GROWTH_PAGES);
        let memory = Private::leaked_pages(pages).map_err(drop)?;
        // SAFETY: the memory is this heap's alone from here on, for ever.
        let claimed = unsafe { talc.claim(memory.as_mut_ptr(), memory.len()) };
        claimed.map(drop).ok_or(())
    }
}

/// Threads wait for one another by giving up the CPU: the heap is held for a few hundred instructions.
#[derive(Debug)]
struct Lock(AtomicBool);

// SAFETY: `locked` goes from false to true for one thread at a time.
unsafe impl lock_api::RawMutex for Lock {
    const INIT: Self = Self(AtomicBool::new(false));
    type GuardMarker = lock_api::GuardSend;

    fn lock(&self) {
        while !self.try_lock() {
            syscall::yield_now();
        }
    }

    fn try_lock(&self) -> bool {
        !self.0.swap(true, Ordering::Acquire)
    }

    // SAFETY: the trait's, which `Release` upholds; called by who holds the lock.
    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}
