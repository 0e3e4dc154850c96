//! Memory in this address space.
//!
//! [`Mapping`] may be shared with a device or another process, so it is seen as atomics: whatever the other
//! side does, reading and writing it is defined. [`Private`] was made here and its handle never left, so it
//! is an ordinary slice.
#![allow(unsafe_code)]

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

use nonos_abi::{Error, PAGE_BYTES, Rights};

use crate::object::Memory;
use crate::syscall;

/// All of a Memory, mapped for reading and writing until it is dropped.
#[derive(Debug)]
pub struct Mapping {
    address: u64,
    bytes: u64,
}

impl Mapping {
    pub(crate) fn new(memory: &Memory) -> Result<Self, Error> {
        let (address, bytes) =
            syscall::memory_map(memory.handle(), Rights::READ.or(Rights::WRITE))?;
        Ok(Self { address, bytes })
    }

    /// Writes values from a word on, as many as there are and fit.
    pub fn write(&self, first: usize, values: &[u32]) {
        let words = self.words().get(first..).unwrap_or_default();
        let count = words.len().min(values.len());
        // SAFETY: so many words lie in both; those of the mapping are atomics, which may be written through a shared reference.
        unsafe { copy_words(words.as_ptr().cast(), values.as_ptr(), count) }
    }

    /// The memory as 32-bit words.
    pub fn words(&self) -> &[AtomicU32] {
        let first = core::ptr::with_exposed_provenance::<AtomicU32>(self.address as usize);
        // SAFETY: the kernel mapped `bytes` bytes at `address`, page-aligned and readable and writable,
        // which stay until `drop`; atomics may be shared with anyone; frames have no invalid `u32`.
        unsafe { core::slice::from_raw_parts(first, self.bytes as usize / size_of::<AtomicU32>()) }
    }
}

/// All of a Memory, mapped for reading until it is dropped. Nothing here writes to it, whatever others do.
#[derive(Debug)]
pub struct ReadOnly(Mapping);

impl ReadOnly {
    pub(crate) fn new(memory: &Memory) -> Result<Self, Error> {
        let (address, bytes) = syscall::memory_map(memory.handle(), Rights::READ)?;
        Ok(Self(Mapping { address, bytes }))
    }

    /// How many words there are.
    pub fn words(&self) -> usize {
        self.0.words().len()
    }

    /// Reads a word, as it is now; 0 beyond the end.
    pub fn word(&self, index: usize) -> u32 {
        let word = self.0.words().get(index);
        word.map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Reads words from one on, as they are now; those beyond the end are 0.
    pub fn read(&self, first: usize, out: &mut [u32]) {
        let words = self.0.words().get(first..).unwrap_or_default();
        let read = out.len().min(words.len());
        // SAFETY: so many words lie in both, and `out` is borrowed for writing.
        unsafe { copy_words(out.as_mut_ptr(), words.as_ptr().cast(), read) }
        out[read..].fill(0);
    }
}

/// Copies words, 16 bytes at a time. Either side may be shared with someone who writes at the same time: then some of the words are old
/// and some new. That is why it is not [`core::ptr::copy_nonoverlapping`], for which it would be a data race.
///
/// # Safety
/// `from` can be read and `to` be written for so many words; they do not overlap.
unsafe fn copy_words(to: *const u32, from: *const u32, count: usize) {
    const AT_ONCE: usize = 16;
    let (to, from, mut rest) = (to.expose_provenance(), from.expose_provenance(), count);
    let (mut to, mut from) = (to as u64, from as u64);
    if rest >= AT_ONCE {
        // SAFETY: copies 64 bytes so often as they fit, within what the caller vouches for; SSE2 is part of x86-64.
        unsafe {
            asm!(
                "2:",
                "movups {a}, [{from}]",
                "movups {b}, [{from} + 16]",
                "movups {c}, [{from} + 32]",
                "movups {d}, [{from} + 48]",
                "movups [{to}], {a}",
                "movups [{to} + 16], {b}",
                "movups [{to} + 32], {c}",
                "movups [{to} + 48], {d}",
                "add {from}, 64",
                "add {to}, 64",
                "dec {times}",
                "jnz 2b",
                a = out(xmm_reg) _, b = out(xmm_reg) _, c = out(xmm_reg) _, d = out(xmm_reg) _,
                from = inout(reg) from, to = inout(reg) to, times = inout(reg) rest / AT_ONCE => _,
                options(nostack)
            );
        }
        rest %= AT_ONCE;
    }
    // SAFETY: copies the words that are left; the direction flag is clear (System V ABI, 3.2.1).
    unsafe {
        asm!("rep movsd", inout("rcx") rest => _, inout("rsi") from => _, inout("rdi") to => _, options(nostack, preserves_flags));
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: every reference into the mapping borrows `self` and is gone.
        let _ = unsafe { syscall::memory_unmap(self.address) };
    }
}

/// Zeroed memory of this process alone.
#[derive(Debug)]
pub struct Private(Mapping);

impl Private {
    /// At least `words` words.
    pub fn new(words: usize) -> Result<Self, Error> {
        let pages = (words * size_of::<u32>()).div_ceil(PAGE_BYTES).max(1);
        // The handle closes here; the mapping keeps the memory.
        let mapping = Memory::create(pages as u64)?.map()?;
        Ok(Self(mapping))
    }

    /// The memory as values of a type, each this one to begin with; what is left at the end stays as it is.
    pub fn filled<T: Copy>(&mut self, value: T) -> &mut [T] {
        const { assert!(size_of::<T>() != 0 && align_of::<T>() <= PAGE_BYTES) };
        let words = self.0.words();
        let first: *mut T = words.as_ptr().cast_mut().cast();
        let count = size_of_val(words) / size_of::<T>();
        for index in 0..count {
            // SAFETY: so many values lie within the memory, which is page-aligned, and nothing else refers to it: see below.
            unsafe { first.add(index).write(value) };
        }
        // SAFETY: as in `as_mut_slice`, and all values were written just now.
        unsafe { core::slice::from_raw_parts_mut(first, count) }
    }

    /// So many pages, as bytes, for as long as the process lives.
    pub fn leaked_pages(pages: usize) -> Result<&'static mut [u8], Error> {
        let words = pages.checked_mul(PAGE_BYTES / size_of::<u32>());
        let private = Self::new(words.ok_or(Error::InvalidArgument)?)?;
        let words = private.0.words();
        let (first, bytes) = (words.as_ptr().cast_mut().cast::<u8>(), size_of_val(words));
        core::mem::forget(private);
        // SAFETY: as in `as_mut_slice`, this is the only reference; the mapping stays, as nothing drops it any more.
        Ok(unsafe { core::slice::from_raw_parts_mut(first, bytes) })
    }

    /// The memory.
    pub fn as_mut_slice(&mut self) -> &mut [u32] {
        let words = self.0.words();
        // SAFETY: no other handle or mapping of this memory exists (the only handle was closed in `new`) and
        // `self` is borrowed exclusively, so this is the only reference.
        unsafe { core::slice::from_raw_parts_mut(words.as_ptr().cast_mut().cast(), words.len()) }
    }
}
