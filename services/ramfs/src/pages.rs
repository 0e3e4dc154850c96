//! Pages of memory: given out and taken back in constant time. More memory is asked for when there is none left.

use nonos_abi::PAGE_BYTES;
use nonos_proto::Refusal;

/// What the file system needs of its process.
pub trait Supply {
    /// Pages of each piece of memory that [`Self::memory`] gives.
    const PIECE_PAGES: usize;

    /// Another piece of zeroed memory, or `None` when there is no more.
    fn memory(&mut self) -> Option<&'static mut [u8]>;

    /// Fills with random bytes that nobody can guess.
    fn random(&mut self, bytes: &mut [u8]);
}

/// Most pieces of memory.
const PIECES: usize = 20;

/// A page.
pub type Page = [u8; PAGE_BYTES];

/// Number of a page; 0 is none.
pub type PageNumber = u32;

/// All pages. The first bytes of a free page say which one is free, too.
pub struct Pages<S> {
    pub(crate) supply: S,
    pieces: [Option<&'static mut [u8]>; PIECES],
    /// Pages of all pieces.
    total: u32,
    /// Pages that were never given out start here.
    fresh: u32,
    free: PageNumber,
    used: u32,
}

impl<S: Supply> Pages<S> {
    /// No memory yet.
    pub fn new(supply: S) -> Self {
        Self {
            supply,
            pieces: [const { None }; PIECES],
            total: 0,
            fresh: 1,
            free: 0,
            used: 0,
        }
    }

    /// Pages of memory, and how many of them are free.
    pub fn count(&self) -> (u64, u64) {
        // Page 0 is never given out.
        let usable = self.total.saturating_sub(1);
        (usable.into(), (usable - self.used).into())
    }

    /// A page with whatever was in it last.
    ///
    /// # Errors
    /// [`Refusal::OutOfStorage`].
    pub fn take(&mut self) -> Result<PageNumber, Refusal> {
        let page = match self.free {
            0 => {
                if self.fresh >= self.total {
                    self.grow()?;
                }
                self.fresh += 1;
                self.fresh - 1
            }
            page => {
                self.free = self.u32(page, 0);
                page
            }
        };
        self.used += 1;
        Ok(page)
    }

    /// A page of zeros.
    ///
    /// # Errors
    /// [`Refusal::OutOfStorage`].
    pub fn take_zeroed(&mut self) -> Result<PageNumber, Refusal> {
        let page = self.take()?;
        self.page_mut(page).fill(0);
        Ok(page)
    }

    /// Takes a page back. What it holds stays until it is given out again: it is sealed.
    pub fn give_back(&mut self, page: PageNumber) {
        let next = self.free;
        self.set_u32(page, 0, next);
        self.free = page;
        self.used -= 1;
    }

    /// Zeroes every page that was ever given out, and takes all of them back.
    pub fn erase(&mut self) {
        for page in 1..self.fresh {
            self.page_mut(page).fill(0);
        }
        self.fresh = 1;
        self.free = 0;
        self.used = 0;
    }

    fn grow(&mut self) -> Result<(), Refusal> {
        let slot = self.pieces.iter_mut().find(|piece| piece.is_none());
        let slot = slot.ok_or(Refusal::OutOfStorage)?;
        let piece = self.supply.memory().ok_or(Refusal::OutOfStorage)?;
        debug_assert_eq!(piece.len(), S::PIECE_PAGES * PAGE_BYTES);
        *slot = Some(piece);
        self.total += S::PIECE_PAGES as u32;
        Ok(())
    }

    /// A page.
    ///
    /// # Panics
    /// When it was never given out.
    pub fn page(&self, page: PageNumber) -> &Page {
        let (piece, index) = place::<S>(page);
        let piece = self.pieces[piece].as_ref().expect("a page that exists");
        &piece.as_chunks().0[index]
    }

    /// A page, to be written.
    ///
    /// # Panics
    /// When it was never given out.
    pub fn page_mut(&mut self, page: PageNumber) -> &mut Page {
        let (piece, index) = place::<S>(page);
        let piece = self.pieces[piece].as_mut().expect("a page that exists");
        &mut piece.as_chunks_mut().0[index]
    }

    /// Bytes at a place of a page.
    pub fn bytes<const N: usize>(&self, page: PageNumber, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.page(page)[at..at + N]);
        bytes
    }

    /// Puts bytes at a place of a page.
    pub fn set_bytes(&mut self, page: PageNumber, at: usize, bytes: &[u8]) {
        self.page_mut(page)[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A number at a place of a page.
    pub fn u32(&self, page: PageNumber, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(page, at))
    }

    /// Puts a number at a place of a page.
    pub fn set_u32(&mut self, page: PageNumber, at: usize, value: u32) {
        self.set_bytes(page, at, &value.to_le_bytes());
    }
}

/// Which piece, and which page of it.
fn place<S: Supply>(page: PageNumber) -> (usize, usize) {
    let page = page as usize;
    (page / S::PIECE_PAGES, page % S::PIECE_PAGES)
}
