//! Blocks: the contents of a file, a page each, sealed with the file's key.
//!
//! A block is found by its entry: page, number of the message, tag. The first two entries are in the node; the others in *maps* of
//! 128 entries, which one page of the file names. What has no entry reads as zeros and takes no memory.
//!
//! A block is never changed where it lies: it is put together and sealed in a fresh page, and then its entry changes. So nothing that
//! fails half-way leaves a block that cannot be read.

use core::hint::black_box;

use nonos_abi::PAGE_BYTES;
use nonos_crypto::aead::Aes256Gcm;
use nonos_proto::Refusal;

use crate::keys::{self, SEAL_BYTES};
use crate::node::{DIRECT_BLOCKS, ENTRY_BYTES, Kind, Node};
use crate::pages::{PageNumber, Supply};
use crate::volume::Volume;

/// Bytes of a block.
pub const BLOCK_BYTES: u64 = PAGE_BYTES as u64;
/// Entries in a map.
const MAP_ENTRIES: u64 = (PAGE_BYTES / ENTRY_BYTES) as u64;
/// Maps of a file.
const MAPS: u64 = (PAGE_BYTES / size_of::<PageNumber>()) as u64;
/// Longest file, bytes.
pub const FILE_BYTES_MOST: u64 = (DIRECT_BLOCKS + MAPS * MAP_ENTRIES) * BLOCK_BYTES;

/// Gets what is read, given how many bytes came before.
pub type Sink<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Refusal> + 'a;
/// Puts what is to be written where it is sealed, given how many bytes came before.
pub type Source<'a> = dyn FnMut(u64, &mut [u8]) -> Result<(), Refusal> + 'a;

/// Where an entry is.
type Place = (PageNumber, usize);

/// Where in its map's page the number of a map stands.
const fn map_at(map: u64) -> usize {
    map as usize * size_of::<PageNumber>()
}

/// Wipes what must not stay.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    black_box(bytes);
}

/// What a block is authenticated with: its file and its place there.
fn about(id: u64, block: u64) -> [u8; 16] {
    let mut about = [0; 16];
    about[..8].copy_from_slice(&id.to_le_bytes());
    about[8..].copy_from_slice(&block.to_le_bytes());
    about
}

/// A part of a block that is read or written.
struct Part {
    block: u64,
    /// Where in the block.
    at: usize,
    /// Where in what is read or written.
    offset: u64,
    bytes: usize,
}

/// The parts of `bytes` bytes from `from` on.
fn parts(from: u64, bytes: u64) -> impl Iterator<Item = Part> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let position = from + done;
        let at = (position % BLOCK_BYTES) as usize;
        let part = Part {
            block: position / BLOCK_BYTES,
            at,
            offset: done,
            bytes: (bytes - done).min(BLOCK_BYTES - at as u64) as usize,
        };
        done += part.bytes as u64;
        (part.bytes > 0).then_some(part)
    })
}

impl<S: Supply> Volume<S> {
    /// Refuses what is no file.
    pub(crate) fn check_file(&self, node: Node) -> Result<(), Refusal> {
        match self.pages.kind(node) {
            Some(Kind::File) => Ok(()),
            Some(Kind::Directory) => Err(Refusal::IsADirectory),
            None => Err(Refusal::Gone),
        }
    }

    /// Reads a file from a place on: how many bytes there are.
    ///
    /// # Errors
    /// [`Refusal::Damaged`], [`Refusal::Locked`], and what `sink` says.
    pub fn read(
        &mut self,
        file: Node,
        from: u64,
        bytes: u64,
        sink: &mut Sink<'_>,
    ) -> Result<u64, Refusal> {
        self.check_file(file)?;
        let bytes = bytes.min(self.pages.size(file).saturating_sub(from));
        let cipher = self.cipher(file)?;
        let mut clear = [0; PAGE_BYTES];
        let mut outcome = Ok(bytes);
        for part in parts(from, bytes) {
            outcome = outcome
                .and(self.open_block(file, &cipher, part.block, &mut clear))
                .and_then(|()| sink(part.offset, &clear[part.at..part.at + part.bytes]))
                .map(|()| bytes);
            if outcome.is_err() {
                break;
            }
        }
        wipe(&mut clear);
        outcome
    }

    /// The contents of a block.
    fn open_block(
        &self,
        file: Node,
        cipher: &Aes256Gcm,
        block: u64,
        clear: &mut [u8; PAGE_BYTES],
    ) -> Result<(), Refusal> {
        let Some((page, kept)) = self.entry(file, block) else {
            clear.fill(0);
            return Ok(());
        };
        clear.copy_from_slice(self.pages.page(page));
        keys::open(cipher, &about(self.pages.id(file), block), clear, &kept)
    }

    /// Writes to a file at a place. The file grows by what was written.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`], [`Refusal::StorageFull`], [`Refusal::OutOfStorage`], [`Refusal::Damaged`], [`Refusal::Locked`], and
    /// what `source` says. The blocks before the one that failed are written.
    pub fn write(
        &mut self,
        file: Node,
        from: u64,
        bytes: u64,
        source: &mut Source<'_>,
    ) -> Result<u64, Refusal> {
        self.check_file(file)?;
        let end = from.checked_add(bytes).ok_or(Refusal::TooLarge)?;
        if end > FILE_BYTES_MOST {
            return Err(Refusal::TooLarge);
        }
        let mut cipher = self.cipher(file)?;
        for part in parts(from, bytes) {
            self.change_block(file, &mut cipher, part.block, part.bytes, &mut |clear| {
                source(part.offset, &mut clear[part.at..part.at + part.bytes])
            })?;
            let end = from + part.offset + part.bytes as u64;
            if self.pages.size(file) < end {
                self.pages.set_size(file, end);
            }
        }
        Ok(bytes)
    }

    /// Seals a block anew: `change` gets what it holds, or zeros when `changed` says that all of it changes.
    fn change_block(
        &mut self,
        file: Node,
        cipher: &mut Aes256Gcm,
        block: u64,
        changed: usize,
        change: &mut dyn FnMut(&mut [u8; PAGE_BYTES]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let place = self.make_place(file, block)?;
        let old = self.entry_at(place);
        if old.is_none() {
            self.charge(file)?;
        }
        let fresh = self.pages.take();
        let sealed = fresh.and_then(|fresh| {
            let sealed = self.fill(file, cipher, block, fresh, changed, old, change);
            sealed.map(|kept| (fresh, kept)).inspect_err(|_| {
                wipe(self.pages.page_mut(fresh));
                self.pages.give_back(fresh);
            })
        });
        // Whatever happened, these numbers were used.
        self.pages.set_sealed(file, cipher.sealed());
        match (sealed, old) {
            (Ok((fresh, kept)), _) => {
                self.set_entry(place, fresh, &kept);
                if let Some((old, _)) = old {
                    self.pages.give_back(old);
                }
                Ok(())
            }
            (Err(refusal), Some(_)) => Err(refusal),
            (Err(refusal), None) => {
                self.uncharge(file, 1);
                Err(refusal)
            }
        }
    }

    /// Puts a block together in a fresh page and seals it there.
    #[expect(clippy::too_many_arguments, reason = "all of `change_block`")]
    fn fill(
        &mut self,
        file: Node,
        cipher: &mut Aes256Gcm,
        block: u64,
        fresh: PageNumber,
        changed: usize,
        old: Option<(PageNumber, [u8; SEAL_BYTES])>,
        change: &mut dyn FnMut(&mut [u8; PAGE_BYTES]) -> Result<(), Refusal>,
    ) -> Result<[u8; SEAL_BYTES], Refusal> {
        let about = about(self.pages.id(file), block);
        match old {
            Some((old, kept)) if changed < PAGE_BYTES => {
                let sealed = *self.pages.page(old);
                let page = self.pages.page_mut(fresh);
                page.copy_from_slice(&sealed);
                keys::open(cipher, &about, page, &kept)?;
            }
            _ if changed < PAGE_BYTES => self.pages.page_mut(fresh).fill(0),
            _ => {}
        }
        let page = self.pages.page_mut(fresh);
        change(page)?;
        keys::seal(cipher, &about, page)
    }

    /// Makes a file so long. What is added reads as zeros.
    ///
    /// # Errors
    /// As [`Self::write`]; the file is as it was.
    pub fn resize(&mut self, file: Node, size: u64) -> Result<(), Refusal> {
        self.check_file(file)?;
        if size > FILE_BYTES_MOST {
            return Err(Refusal::TooLarge);
        }
        let tail = (size % BLOCK_BYTES) as usize;
        if size < self.pages.size(file) {
            let last = size / BLOCK_BYTES;
            // What is cut off must not come back when the file grows again.
            if tail != 0 && self.entry(file, last).is_some() {
                let mut cipher = self.cipher(file)?;
                self.change_block(file, &mut cipher, last, 0, &mut |clear| {
                    clear[tail..].fill(0);
                    Ok(())
                })?;
            }
            self.free_blocks(file, size.div_ceil(BLOCK_BYTES));
        }
        self.pages.set_size(file, size);
        Ok(())
    }

    /// Gives back all blocks from `first` on, and the maps that have none left.
    pub(crate) fn free_blocks(&mut self, file: Node, first: u64) {
        for block in first..DIRECT_BLOCKS {
            let place = self.pages.direct(file, block);
            self.free_entry(file, place);
        }
        let maps = self.pages.map(file);
        if maps == 0 {
            return;
        }
        let first = first.saturating_sub(DIRECT_BLOCKS);
        // Also those past the end: a write that failed leaves empty ones.
        for map in first / MAP_ENTRIES..MAPS {
            let page = self.pages.u32(maps, map_at(map));
            if page == 0 {
                continue;
            }
            let from = first.saturating_sub(map * MAP_ENTRIES);
            for entry in from..MAP_ENTRIES {
                self.free_entry(file, (page, entry as usize * ENTRY_BYTES));
            }
            if from == 0 {
                self.pages.set_u32(maps, map_at(map), 0);
                self.pages.give_back(page);
                self.uncharge(file, 1);
            }
        }
        if first == 0 {
            self.pages.set_map(file, 0);
            self.pages.give_back(maps);
            self.uncharge(file, 1);
        }
    }

    fn free_entry(&mut self, file: Node, place: Place) {
        if let Some((page, _)) = self.entry_at(place) {
            self.set_entry(place, 0, &[0; SEAL_BYTES]);
            self.pages.give_back(page);
            self.uncharge(file, 1);
        }
    }

    /// The entry of a block: its page, and what opens it.
    pub(crate) fn entry(&self, file: Node, block: u64) -> Option<(PageNumber, [u8; SEAL_BYTES])> {
        let Some(mapped) = block.checked_sub(DIRECT_BLOCKS) else {
            return self.entry_at(self.pages.direct(file, block));
        };
        let maps = self.pages.map(file);
        let map = map_at(mapped / MAP_ENTRIES);
        let page = (maps != 0).then(|| self.pages.u32(maps, map))?;
        let at = (mapped % MAP_ENTRIES) as usize * ENTRY_BYTES;
        (page != 0).then(|| self.entry_at((page, at)))?
    }

    /// Where the entry of a block is, after making the maps that lead to it.
    fn make_place(&mut self, file: Node, block: u64) -> Result<Place, Refusal> {
        let Some(mapped) = block.checked_sub(DIRECT_BLOCKS) else {
            return Ok(self.pages.direct(file, block));
        };
        if self.pages.map(file) == 0 {
            let page = self.take_map(file)?;
            self.pages.set_map(file, page);
        }
        let maps = self.pages.map(file);
        let map = map_at(mapped / MAP_ENTRIES);
        if self.pages.u32(maps, map) == 0 {
            let page = self.take_map(file)?;
            self.pages.set_u32(maps, map, page);
        }
        let at = (mapped % MAP_ENTRIES) as usize * ENTRY_BYTES;
        Ok((self.pages.u32(maps, map), at))
    }

    fn take_map(&mut self, file: Node) -> Result<PageNumber, Refusal> {
        self.charge(file)?;
        let page = self.pages.take_zeroed();
        page.inspect_err(|_| self.uncharge(file, 1))
    }

    fn entry_at(&self, (page, at): Place) -> Option<(PageNumber, [u8; SEAL_BYTES])> {
        let block = self.pages.u32(page, at);
        (block != 0).then(|| (block, self.pages.bytes(page, at + 8)))
    }

    fn set_entry(&mut self, (page, at): Place, block: PageNumber, kept: &[u8; SEAL_BYTES]) {
        self.pages.set_u32(page, at, block);
        self.pages.set_bytes(page, at + 8, kept);
    }
}
