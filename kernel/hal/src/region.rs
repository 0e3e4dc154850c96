//! The kernel region: physically contiguous memory of the kernel, mapped linearly, and who uses which frame of it.
//!
//! From the start: the boot page tables, then what is carved once at boot (the kernel's arenas). From the end:
//! page tables of processes, freed ones first. Invariant: a frame is a page table exactly when its mark in
//! `marks` says so, and then nothing but this file's `read` and `write` touches it; marks count the entries in
//! use, so an empty table is known without looking through it.

use core::mem::{align_of, size_of};
use core::ptr;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::BootInfo;
use nonos_kernel_core::machine::FrameNumber;

use crate::space::KERNEL_ENTRY;
use crate::table::{DIRECTORY_SPAN, ENTRIES, Entry};

const PAGE: u64 = PAGE_BYTES as u64;

/// A page-aligned page.
#[repr(C, align(4096))]
pub struct Page(pub [u64; ENTRIES]);

/// Unit of the links between freed tables: as an entry, a link is not present. A CPU that follows a stale cached entry
/// to a freed table, speculatively, finds nothing there.
const LINK: u64 = PAGE;

/// Marks of frames. A process's table has the number of its entries in use.
mod mark {
    /// No page table of a process.
    pub const OTHER: u16 = 0xFFFF;
    /// Set for top-level tables that user mode has, too.
    pub const ROOT: u16 = 0x8000;
    /// Set for top-level tables that user mode has another for.
    pub const ISOLATED: u16 = 0x4000;
    /// Set beside one of these for those of address spaces without the time-stamp counter.
    pub const NO_COUNTER: u16 = 0x2000;
    /// What kind of table it is. [`OTHER`] is one more kind.
    pub const KIND: u16 = 0xF000;
    /// The entries in use.
    pub const USED: u16 = 0x0FFF;
}

/// What kind of table a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind(pub u16);

impl Kind {
    /// None that a table has.
    pub const NONE: Self = Self(1);

    /// Of a top-level table, whether its address space is one without the time-stamp counter; `None` for all other frames.
    #[inline(always)]
    pub fn without_counter(self) -> Option<bool> {
        match self.0 & !mark::NO_COUNTER {
            mark::ROOT | mark::ISOLATED => Some(self.0 & mark::NO_COUNTER != 0),
            _ => None,
        }
    }
}

/// The kernel region.
pub struct Region {
    base: u64,
    first: u32,
    frames: u32,
    boot_tables: u32,
    /// Bytes carved from the start.
    carved: u64,
    /// Tables are made in frames from here on; those behind were tables at some time.
    lowest_table: u32,
    /// Freed tables, linked by their first entry: index + 1, 0 ends the list.
    freed: u64,
    /// Frames that can become page tables: freed ones, and those between what was carved and the tables.
    free: u64,
    /// The table that was looked for last. Forgotten when any table is freed.
    found: Option<Found>,
    marks: &'static mut [u16],
    /// With isolated page tables: the kernel's part of user mode's tables, and by index the top-level table that user mode has
    /// for a top-level table. Else empty.
    user_half: Entry,
    user_roots: &'static mut [FrameNumber],
}

/// The lowest table on the way from a top-level table to the addresses of one directory entry.
struct Found {
    root: FrameNumber,
    span: u64,
    table: FrameNumber,
}

/// Where an entry of a process's table is. Only [`Region::place`] makes one, for its caller to use at once.
#[derive(Clone, Copy)]
struct Place(*mut u64);

impl Place {
    /// Reads it.
    #[inline(always)]
    fn read(self) -> Entry {
        // SAFETY: an entry of a table, which stays one as long as this is used. Volatile: the CPU sets bits.
        Entry(unsafe { self.0.read_volatile() })
    }

    /// Writes it.
    #[inline(always)]
    fn write(self, value: Entry) {
        // SAFETY: as in `read`. What the entry maps is the caller's business: `space.rs` maps only frames of
        // user space and tables made here.
        unsafe { self.0.write_volatile(value.0) };
    }
}

impl Region {
    /// The region of a checked hand-over.
    ///
    /// # Safety
    /// The record is true: the region is mapped writable as it says, and nothing else refers to it. Called once.
    pub unsafe fn new(info: &BootInfo) -> Self {
        let frames = (info.region_bytes / PAGE) as u32;
        let mut region = Self {
            base: info.region_base,
            first: (info.region_physical / PAGE) as u32,
            frames,
            boot_tables: (info.region_used_bytes / PAGE) as u32,
            carved: info.region_used_bytes,
            lowest_table: frames,
            freed: 0,
            free: (info.region_bytes / PAGE).saturating_sub(info.region_used_bytes.div_ceil(PAGE)),
            found: None,
            marks: &mut [],
            user_half: Entry::EMPTY,
            user_roots: &mut [],
        };
        region.marks = region
            .carve(frames as usize, |_| mark::OTHER)
            .unwrap_or_else(|| crate::stop!("the kernel region is too small"));
        region
    }

    /// Carves a slice of `count` values made by `init` from the region, for good.
    pub fn carve<T>(
        &mut self,
        count: usize,
        mut init: impl FnMut(usize) -> T,
    ) -> Option<&'static mut [T]> {
        const { assert!(align_of::<T>() <= PAGE_BYTES) };
        let bytes = count.checked_mul(size_of::<T>())?;
        let start = self.take(bytes as u64, align_of::<T>() as u64)?;
        let values = (self.base + start) as *mut T;
        for index in 0..count {
            // SAFETY: inside the bytes just taken, which are mapped writable, aligned and nobody else's.
            unsafe { values.add(index).write(init(index)) };
        }
        // SAFETY: all `count` values are initialised, and the bytes are never given out again.
        Some(unsafe { core::slice::from_raw_parts_mut(values, count) })
    }

    /// Takes aligned bytes from the start; returns where they are in the region.
    #[inline(never)]
    fn take(&mut self, bytes: u64, alignment: u64) -> Option<u64> {
        let start = self.carved.next_multiple_of(alignment);
        let end = start.checked_add(bytes)?;
        if end > u64::from(self.lowest_table) * PAGE {
            return None;
        }
        self.free -= end.div_ceil(PAGE) - self.carved.div_ceil(PAGE);
        self.carved = end;
        Some(start)
    }

    /// Bytes from the start that are boot page tables or carved so far.
    pub fn carved_bytes(&self) -> u64 {
        self.carved
    }

    /// Physical frame that a carved page lies in.
    pub fn frame_of(&self, page: &Page) -> FrameNumber {
        FrameNumber(self.first + ((ptr::from_ref(page) as u64 - self.base) / PAGE) as u32)
    }

    /// Index of a frame in the region.
    #[inline(always)]
    fn index(&self, frame: FrameNumber) -> Option<usize> {
        let index = frame.0.wrapping_sub(self.first);
        (index < self.frames).then_some(index as usize)
    }

    /// Frames free for page tables, and all that are not boot page tables.
    #[inline(always)]
    pub fn table_frames(&self) -> (u64, u64) {
        (
            self.free,
            u64::from(self.frames.wrapping_sub(self.boot_tables)),
        )
    }

    /// Takes an empty page table.
    pub fn table_create(&mut self) -> Option<FrameNumber> {
        let index = match self.freed.checked_sub(1) {
            Some(index) => {
                let table = self.table(index as usize);
                // SAFETY: `index` is a freed table; its first entry links to the next, the others are zero.
                unsafe {
                    self.freed = table.read() / LINK;
                    table.write(0);
                }
                index as u32
            }
            None => {
                let index = self.lowest_table.checked_sub(1)?;
                if u64::from(index) * PAGE < self.carved {
                    return None;
                }
                // SAFETY: a frame of the region that was neither carved nor a table before.
                unsafe { self.table(index as usize).write_bytes(0, ENTRIES) };
                self.lowest_table = index;
                index
            }
        };
        self.free -= 1;
        self.marks[index as usize] = 0;
        Some(FrameNumber(self.first + index))
    }

    /// From now on user mode has a top-level table of its own in each address space, with this for the kernel's part.
    ///
    /// # Panics
    /// When the region is used up.
    pub fn isolate(&mut self, user_half: Entry) {
        self.user_half = user_half;
        self.user_roots = self
            .carve(self.frames as usize, |_| FrameNumber(0))
            .unwrap_or_else(|| crate::stop!("the kernel region is too small"));
    }

    /// Makes a table a top-level table, of an address space without the time-stamp counter or of another. False when the one for user
    /// mode has no room.
    pub fn table_make_root(&mut self, table: FrameNumber, without_counter: bool) -> bool {
        let index = self.checked(table);
        if without_counter {
            self.marks[index] |= mark::NO_COUNTER;
        }
        if !self.user_half.is_present() {
            self.marks[index] |= mark::ROOT;
            return true;
        }
        let Some(user_root) = self.table_create() else {
            return false;
        };
        self.write(user_root, KERNEL_ENTRY, self.user_half);
        self.user_roots[index] = user_root;
        self.marks[index] |= mark::ISOLATED;
        true
    }

    /// The top-level table that user mode has instead of this one.
    pub fn user_root(&self, table: FrameNumber) -> Option<FrameNumber> {
        let index = self.checked(table);
        (self.marks[index] & mark::ISOLATED != 0).then(|| self.user_roots[index])
    }

    /// Frees a table that nothing refers to any more. It is zeroed.
    pub fn table_free(&mut self, table: FrameNumber) {
        let index = self.checked(table);
        let entries = self.table(index);
        // SAFETY: the frame is a table, so ours alone.
        unsafe {
            entries.write_bytes(0, ENTRIES);
            entries.write(self.freed * LINK);
        }
        self.freed = index as u64 + 1;
        self.free += 1;
        self.marks[index] = mark::OTHER;
        self.found = None;
    }

    /// The lowest table on the way from `root` to an address, if that was noted last. It is a table of that address space still.
    #[inline(always)]
    pub fn found(&self, root: FrameNumber, address: u64) -> Option<FrameNumber> {
        let found = self.found.as_ref()?;
        let same = found.root == root && found.span == address / DIRECTORY_SPAN;
        same.then_some(found.table)
    }

    /// Notes what the lowest table on the way from `root` to an address is.
    #[inline(always)]
    pub fn note_found(&mut self, root: FrameNumber, address: u64, table: FrameNumber) {
        self.found = Some(Found {
            root,
            span: address / DIRECTORY_SPAN,
            table,
        });
    }

    /// Whether a frame is a process's top-level table.
    #[inline(always)]
    pub fn is_root(&self, frame: FrameNumber) -> bool {
        self.kind(frame).without_counter().is_some()
    }

    /// What kind of table a frame is.
    #[inline(always)]
    pub fn kind(&self, frame: FrameNumber) -> Kind {
        let index = frame.0.wrapping_sub(self.first) as usize;
        let mark = self.marks.get(index).copied().unwrap_or(mark::OTHER);
        Kind(mark & mark::KIND)
    }

    /// Entries of a table that are in use.
    #[inline(always)]
    pub fn used_entries(&self, table: FrameNumber) -> u16 {
        self.marks[self.checked(table)] & mark::USED
    }

    /// Reads an entry of a process's table.
    #[inline(always)]
    pub fn read(&self, table: FrameNumber, entry: usize) -> Entry {
        self.place(table, entry).1.read()
    }

    /// Writes an entry of a process's table and counts it.
    pub fn write(&mut self, table: FrameNumber, entry: usize, value: Entry) {
        let (index, place) = self.place(table, entry);
        let is_counted = place.read().is_present();
        if value.is_present() != is_counted {
            let used = &mut self.marks[index];
            *used = if value.is_present() {
                *used + 1
            } else {
                *used - 1
            };
        }
        place.write(value);
    }

    /// Writes an entry, which is present, of a process's table and counts it, if nothing is there; says whether that is so.
    #[inline(always)]
    pub fn fill(&mut self, table: FrameNumber, entry: usize, value: Entry) -> bool {
        let (index, place) = self.place(table, entry);
        let is_free = !place.read().is_present();
        if is_free {
            // An entry was free, so this is below 512.
            self.marks[index] = self.marks[index].wrapping_add(1);
            place.write(value);
        }
        is_free
    }

    /// Empties an entry of a process's table. Returns what was there, if it was present, and how many are left.
    #[inline(always)]
    pub fn empty(&mut self, table: FrameNumber, entry: usize) -> Option<(Entry, u16)> {
        let (index, place) = self.place(table, entry);
        let old = place.read();
        if !old.is_present() {
            return None;
        }
        // That one was counted.
        let left = self.marks[index].wrapping_sub(1);
        self.marks[index] = left;
        place.write(Entry::EMPTY);
        Some((old, left & mark::USED))
    }

    /// Where an entry of a process's table is, and the index of the table's mark.
    #[inline(always)]
    fn place(&self, table: FrameNumber, entry: usize) -> (usize, Place) {
        let index = self.checked(table);
        // SAFETY: `checked` says the frame is a table; the index is below 512.
        (
            index,
            Place(unsafe { self.table(index).add(entry % ENTRIES) }),
        )
    }

    /// Reads an entry of a boot page table or another table of the kernel's half; `None` outside the region.
    pub fn read_kernel(&self, physical: u64, entry: usize) -> Option<Entry> {
        let index = self.index(FrameNumber(u32::try_from(physical / PAGE).ok()?))?;
        // SAFETY: inside the region, which is mapped.
        Some(Entry(unsafe {
            self.table(index).add(entry % ENTRIES).read_volatile()
        }))
    }

    /// Writes an entry of a boot page table.
    ///
    /// # Safety
    /// The kernel must still find its memory as before; nothing becomes writable and executable.
    pub unsafe fn write_boot(&mut self, physical: u64, entry: usize, value: Entry) {
        let index = self
            .index(FrameNumber((physical / PAGE) as u32))
            .filter(|&index| index < self.boot_tables as usize);
        let index = index.unwrap_or_else(|| crate::stop!("no boot page table"));
        // SAFETY: a boot page table in the mapped region; the caller answers for the value.
        unsafe {
            self.table(index)
                .add(entry % ENTRIES)
                .write_volatile(value.0)
        };
    }

    #[inline(always)]
    fn checked(&self, table: FrameNumber) -> usize {
        let index = table.0.wrapping_sub(self.first) as usize;
        // There is a mark for each frame of the region.
        match self.marks.get(index) {
            Some(&mark) if mark != mark::OTHER => index,
            _ => no_page_table(),
        }
    }

    #[inline(always)]
    fn table(&self, index: usize) -> *mut u64 {
        // No overflow: the region is mapped.
        (self.base.wrapping_add(index as u64 * PAGE)) as *mut u64
    }
}

#[cold]
#[inline(never)]
fn no_page_table() -> ! {
    crate::stop!("not a page table")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use nonos_kernel_core::machine::{Access, Caching};

    const FRAMES: usize = 32;

    pub fn region() -> Region {
        let memory = Box::leak(
            (0..FRAMES)
                .map(|_| Page([u64::MAX; ENTRIES]))
                .collect::<Box<[Page]>>(),
        );
        // SAFETY: all fields are numbers or arrays of numbers; 0 is `RollbackStore::None`.
        let mut info: Box<BootInfo> = unsafe { Box::new_zeroed().assume_init() };
        info.region_base = memory.as_mut_ptr() as u64;
        info.region_physical = 0x50_0000;
        info.region_bytes = FRAMES as u64 * PAGE;
        info.region_used_bytes = 4 * PAGE;
        // SAFETY: the memory is leaked for this region alone.
        unsafe { Region::new(&info) }
    }

    #[test]
    fn carved_slices_are_initialised_and_apart() {
        let mut region = region();
        let bytes = region.carve(3, |index| index as u8).unwrap();
        let words = region.carve(100, |index| index as u64).unwrap();
        bytes.fill(0xFF);
        assert!(
            words
                .iter()
                .enumerate()
                .all(|(index, &word)| word == index as u64)
        );
        assert!(region.carve(FRAMES * ENTRIES, |_| 0u64).is_none());
        assert!(region.carve(usize::MAX, |_| 0u64).is_none());
    }

    #[test]
    fn tables_are_empty_and_come_back_when_freed() {
        let mut region = region();
        let (free, total) = region.table_frames();
        assert_eq!(total, FRAMES as u64 - 4);
        let tables: Vec<_> = core::iter::from_fn(|| region.table_create()).collect();
        assert_eq!(tables.len() as u64, free);
        assert_eq!(region.table_frames().0, 0);
        let page = Entry::user_page(FrameNumber(7), Access::Read, Caching::WriteBack);
        for &table in &tables {
            assert!((0..ENTRIES).all(|entry| region.read(table, entry) == Entry::EMPTY));
            region.write(table, 5, page);
            region.write(table, 5, page);
            assert_eq!(region.used_entries(table), 1);
        }
        assert!(
            region.carve(1, |_| Page([0; ENTRIES])).is_none(),
            "tables are not carved away"
        );
        for &table in &tables {
            region.table_free(table);
        }
        assert_eq!(region.table_frames().0, free);
        let table = region.table_create().unwrap();
        assert!((0..ENTRIES).all(|entry| region.read(table, entry) == Entry::EMPTY));
        assert_eq!(region.used_entries(table), 0);
    }

    #[test]
    fn only_roots_are_roots() {
        let mut region = region();
        let (root, table) = (
            region.table_create().unwrap(),
            region.table_create().unwrap(),
        );
        region.table_make_root(root, false);
        assert!(region.is_root(root) && !region.is_root(table));
        assert_eq!(region.kind(root).without_counter(), Some(false));
        let silent = region.table_create().unwrap();
        region.table_make_root(silent, true);
        assert_eq!(region.kind(silent).without_counter(), Some(true));
        assert_eq!(region.used_entries(silent), 0);
        assert_eq!(region.kind(table).without_counter(), None);
        assert!(!region.is_root(FrameNumber(0x500)), "boot page table");
        assert!(!region.is_root(FrameNumber(0)) && !region.is_root(FrameNumber(u32::MAX)));
        region.table_free(root);
        assert!(!region.is_root(root));
    }

    #[test]
    #[should_panic(expected = "not a page table")]
    fn carved_memory_is_no_table() {
        region().read(FrameNumber(0x500 + 4), 0);
    }
}
