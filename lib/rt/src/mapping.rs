//! Memory in this address space.
//!
//! [`Mapping`] may be shared with a device or another process, so it is seen as atomics: whatever the other
//! side does, reading and writing it is defined. [`Private`] was made here and its handle never left, so it
//! is an ordinary slice.
#![allow(unsafe_code)]

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
        for (word, &value) in words.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
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

    /// Reads words from one on, as they are now; those beyond the end are 0.
    pub fn read(&self, first: usize, out: &mut [u32]) {
        let words = self.0.words().get(first..).unwrap_or_default();
        let read = out.len().min(words.len());
        for (out, word) in out.iter_mut().zip(words) {
            *out = word.load(Ordering::Acquire);
        }
        out[read..].fill(0);
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
