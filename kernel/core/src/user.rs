//! User memory: a pointer from a program is an allegation until every page was looked up.
//!
//! The kernel never dereferences a user address. It looks the page up in the caller's own address space, checks that the
//! page allows the access and that its frame is RAM of user space, and copies through the machine's window.

use core::ops::Range;

use nonos_abi::words::Words;
use nonos_abi::{Error, PAGE_BYTES, USER_END};

use crate::arena::ProcessId;
use crate::kernel::Kernel;
use crate::machine::{Access, AddressSpace, FrameNumber, Machine, UserPage};

/// Most words of a record that goes to user space.
pub(crate) const RECORD_WORDS_MAX: usize = 32;

/// A range of memory that a program says is its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allegation {
    address: u64,
    bytes: usize,
}

/// A part of an allegation that lies in one page.
struct Part {
    page: UserPage,
    /// Bytes of the page.
    in_page: Range<usize>,
    /// Bytes of the range.
    in_range: Range<usize>,
}

impl Allegation {
    /// The range of `bytes` from `address` on.
    ///
    /// # Errors
    /// When it is not in user space.
    pub fn new(address: u64, bytes: usize) -> Result<Self, Error> {
        let end = address.checked_add(bytes as u64).ok_or(Error::BadAddress)?;
        if end <= USER_END {
            Ok(Self { address, bytes })
        } else {
            Err(Error::BadAddress)
        }
    }

    /// Page and offset in it of the byte at `done`, and how many bytes are left from there; `None` at the end.
    pub fn at(self, done: usize) -> Option<(Result<UserPage, Error>, usize, usize)> {
        let left = self.bytes.checked_sub(done).filter(|&left| left > 0)?;
        let address = self.address + done as u64;
        let page = UserPage::containing(address).ok_or(Error::BadAddress);
        Some((page, (address % PAGE_BYTES as u64) as usize, left))
    }

    /// Its parts, page by page.
    fn parts(self) -> impl Iterator<Item = Result<Part, Error>> {
        let mut done = 0;
        core::iter::from_fn(move || {
            if done == self.bytes {
                return None;
            }
            let address = self.address + done as u64;
            let start = (address % PAGE_BYTES as u64) as usize;
            let end = PAGE_BYTES.min(start + (self.bytes - done));
            let in_range = done..done + (end - start);
            done = in_range.end;
            let page = UserPage::containing(address).ok_or(Error::BadAddress);
            Some(page.map(|page| Part {
                page,
                in_page: start..end,
                in_range,
            }))
        })
    }
}

impl Kernel {
    /// The frame behind a page, when the program may use it this way and it is RAM.
    pub(crate) fn user_frame(
        &self,
        space: AddressSpace,
        page: UserPage,
        write: bool,
        machine: &impl Machine,
    ) -> Result<FrameNumber, Error> {
        let (frame, access) = machine.translate(space, page).ok_or(Error::BadAddress)?;
        let allowed = !write || access == Access::ReadWrite;
        let is_ram = self.frames.owner(frame).is_some();
        if allowed && is_ram {
            Ok(frame)
        } else {
            Err(Error::BadAddress)
        }
    }

    /// Copies from user space. `to` has the length of the range.
    pub(crate) fn copy_in(
        &self,
        process: ProcessId,
        from: Allegation,
        to: &mut [u8],
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let space = self.processes[process].space.ok_or(Error::BadAddress)?;
        for part in from.parts() {
            let Part {
                page,
                in_page,
                in_range,
            } = part?;
            let frame = self.user_frame(space, page, false, machine)?;
            let to = &mut to[in_range];
            machine.with_frame(frame, |bytes| to.copy_from_slice(&bytes[in_page]));
        }
        Ok(())
    }

    /// Copies to user space: all of `from`, or nothing when a page cannot be written.
    pub(crate) fn copy_out(
        &self,
        process: ProcessId,
        to: Allegation,
        from: &[u8],
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let space = self.processes[process].space.ok_or(Error::BadAddress)?;
        for part in to.parts() {
            self.user_frame(space, part?.page, true, machine)?;
        }
        for part in to.parts() {
            let Part {
                page,
                in_page,
                in_range,
            } = part?;
            let frame = self.user_frame(space, page, true, machine)?;
            let from = &from[in_range];
            machine.with_frame(frame, |bytes| bytes[in_page].copy_from_slice(from));
        }
        Ok(())
    }

    /// Copies a record to user space, at most `words` words of it; returns how many.
    pub(crate) fn copy_record<T: Words>(
        &self,
        process: ProcessId,
        record: &T,
        address: u64,
        words: u64,
        machine: &mut impl Machine,
    ) -> Result<u64, Error> {
        const { assert!(T::COUNT <= RECORD_WORDS_MAX) };
        let mut buffer = [0; RECORD_WORDS_MAX];
        record.write_words(&mut buffer);
        self.copy_words(process, &buffer[..T::COUNT], address, words, machine)
    }

    /// Copies the words of a record to user space, at most `words` of them; returns how many.
    pub(crate) fn copy_words(
        &self,
        process: ProcessId,
        record: &[u64],
        address: u64,
        words: u64,
        machine: &mut impl Machine,
    ) -> Result<u64, Error> {
        let count = record
            .len()
            .min(usize::try_from(words).unwrap_or(usize::MAX));
        let mut bytes = [0; RECORD_WORDS_MAX * 8];
        for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(&record[..count]) {
            *to = word.to_le_bytes();
        }
        let to = Allegation::new(address, count * 8)?;
        self.copy_out(process, to, &bytes[..count * 8], machine)?;
        Ok(count as u64)
    }
}
