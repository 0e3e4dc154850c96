//! The packed program: what its memory holds, which of it is code, and where it names addresses.
//!
//! | offset | bytes | field, little-endian |
//! |---|---|---|
//! | 0 | 4 | CRC-32 of all that follows |
//! | 4 | 4 | bytes of the program in memory, whole pages |
//! | 8 | 4 | its entry |
//! | 12 | 8 | its code, from and to, whole pages |
//! | 20 | 8 | its data that changes, from and to, whole pages, behind the code |
//! | 28 | 4 | number of addresses in it |
//! | 32 | | [`nonos_lzma`]: the memory, and then 4 bytes for each address, the offset where it stands |
//!
//! Addresses are stored from the start of the program. All that is neither code nor changes is constant.

use core::ops::Range;

use crate::crc::crc32;

/// Bytes of a page.
pub const PAGE: usize = 4096;

const HEADER_BYTES: usize = 32;
/// Bytes of an address, and of the offset where one stands.
const ADDRESS_BYTES: usize = 8;
const OFFSET_BYTES: usize = 4;

/// The packed program is not what was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged;

/// What a program is in memory; offsets from its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Bytes, whole pages.
    pub bytes: usize,
    /// The first instruction, in the code.
    pub entry: usize,
    /// Pages to read and execute.
    pub code: Range<usize>,
    /// Pages to read and write.
    pub data: Range<usize>,
}

impl Layout {
    fn is_sound(&self) -> bool {
        let Self {
            bytes,
            entry,
            code,
            data,
        } = self;
        let ends = [code.start, code.end, data.start, data.end, *bytes];
        code.contains(entry) && ends.is_sorted() && ends.iter().all(|end| end.is_multiple_of(PAGE))
    }
}

/// Where the program is and what it starts with: the stub's one word to it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Start {
    /// The time-stamp counter when the firmware started the stub.
    pub tsc_at_entry: u64,
    /// First address of the program, page-aligned.
    pub base: u64,
    /// Bytes of it, whole pages.
    pub bytes: u64,
    /// First address of its code, page-aligned.
    pub code: u64,
    /// End of its code, page-aligned.
    pub code_end: u64,
}

impl Start {
    /// Of a program that was unpacked for this address.
    pub fn new(layout: &Layout, base: u64, tsc_at_entry: u64) -> Self {
        Self {
            tsc_at_entry,
            base,
            bytes: layout.bytes as u64,
            code: base + layout.code.start as u64,
            code_end: base + layout.code.end as u64,
        }
    }
}

/// A packed program whose checksum and layout hold.
pub struct Packed<'p> {
    layout: Layout,
    addresses: usize,
    stream: &'p [u8],
}

impl<'p> Packed<'p> {
    /// The packed program in these bytes.
    ///
    /// # Errors
    /// When they are not as they were made.
    pub fn parse(bytes: &'p [u8]) -> Result<Self, Damaged> {
        let (header, stream) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Damaged)?;
        let (words, _) = header.as_chunks::<4>();
        let &[
            checksum,
            bytes_in_memory,
            entry,
            code,
            code_end,
            data,
            data_end,
            addresses,
        ] = words
        else {
            return Err(Damaged);
        };
        if bytes.get(4..).map(crc32) != Some(u32::from_le_bytes(checksum)) {
            return Err(Damaged);
        }
        let number = |word| u32::from_le_bytes(word) as usize;
        let packed = Self {
            layout: Layout {
                bytes: number(bytes_in_memory),
                entry: number(entry),
                code: number(code)..number(code_end),
                data: number(data)..number(data_end),
            },
            addresses: number(addresses),
            stream,
        };
        packed.layout.is_sound().then_some(packed).ok_or(Damaged)
    }

    /// What it is in memory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes that [`Self::unpack`] needs: the program and, behind it, what it takes to place it.
    pub fn unpacked_bytes(&self) -> usize {
        self.layout.bytes + self.addresses * OFFSET_BYTES
    }

    /// Unpacks to `out`, which has exactly [`Self::unpacked_bytes`] bytes, for a program that starts at `base`.
    ///
    /// # Errors
    /// When it is not as it was made. Then `out` holds nothing of use.
    pub fn unpack(&self, out: &mut [u8], base: u64) -> Result<(), Damaged> {
        nonos_lzma::unpack(self.stream, out).map_err(|_| Damaged)?;
        let (program, offsets) = out.split_at_mut_checked(self.layout.bytes).ok_or(Damaged)?;
        for offset in offsets.as_chunks().0 {
            let address = program
                .get_mut(u32::from_le_bytes(*offset) as usize..)
                .and_then(|rest| rest.first_chunk_mut::<ADDRESS_BYTES>())
                .ok_or(Damaged)?;
            *address = u64::from_le_bytes(*address)
                .wrapping_add(base)
                .to_le_bytes();
        }
        Ok(())
    }
}

/// Packs a program: its memory, and the offsets of addresses in it, which are those of a program that starts at 0.
///
/// # Panics
/// When the layout is not sound or not that of this memory.
#[cfg(feature = "pack")]
pub fn pack(layout: &Layout, memory: &[u8], addresses: &[u32]) -> Vec<u8> {
    assert!(
        layout.is_sound() && memory.len() == layout.bytes,
        "{layout:?}"
    );
    let words = [
        layout.bytes,
        layout.entry,
        layout.code.start,
        layout.code.end,
        layout.data.start,
        layout.data.end,
        addresses.len(),
    ];
    let offsets = addresses.iter().flat_map(|offset| offset.to_le_bytes());
    let unpacked: Vec<u8> = memory.iter().copied().chain(offsets).collect();
    let mut body = Vec::new();
    for word in words {
        body.extend(u32::try_from(word).expect("less than 4 GiB").to_le_bytes());
    }
    body.extend(nonos_lzma::pack(&unpacked));
    [&crc32(&body).to_le_bytes()[..], &body].concat()
}

#[cfg(all(test, feature = "pack"))]
mod tests {
    use super::*;

    const BASE: u64 = 0x1234_5600_0000;

    fn layout() -> Layout {
        Layout {
            bytes: 4 * PAGE,
            entry: PAGE + 3,
            code: PAGE..2 * PAGE,
            data: 3 * PAGE..4 * PAGE,
        }
    }

    fn memory() -> Vec<u8> {
        let mut memory: Vec<u8> = (0..layout().bytes)
            .map(|at| ((at * at) >> 7) as u8)
            .collect();
        memory[0x2008..0x2010].copy_from_slice(&0x1003_u64.to_le_bytes());
        memory[0x3FF8..].copy_from_slice(&0x2008_u64.to_le_bytes());
        memory
    }

    fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Damaged> {
        let packed = Packed::parse(packed)?;
        let mut out = vec![0; packed.unpacked_bytes()];
        packed.unpack(&mut out, BASE)?;
        out.truncate(packed.layout().bytes);
        Ok(out)
    }

    /// With a checksum that holds.
    fn sealed(mut packed: Vec<u8>) -> Vec<u8> {
        let checksum = crc32(&packed[4..]);
        packed[..4].copy_from_slice(&checksum.to_le_bytes());
        packed
    }

    #[test]
    fn a_packed_program_unpacks_with_its_addresses_moved() {
        let packed = pack(&layout(), &memory(), &[0x2008, 0x3FF8]);
        assert_eq!(
            Packed::parse(&packed).map(|p| p.layout().clone()),
            Ok(layout())
        );
        let mut expected = memory();
        expected[0x2008..0x2010].copy_from_slice(&(BASE + 0x1003).to_le_bytes());
        expected[0x3FF8..].copy_from_slice(&(BASE + 0x2008).to_le_bytes());
        assert!(unpacked(&packed).as_ref() == Ok(&expected));
    }

    #[test]
    fn a_changed_bit_and_another_length_are_damage() {
        let packed = pack(&layout(), &memory(), &[0x2008]);
        for bit in (0..packed.len() * 8).step_by(5) {
            let mut changed = packed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Packed::parse(&changed).is_err(), "bit {bit}");
        }
        for length in (0..packed.len()).step_by(3) {
            assert!(Packed::parse(&packed[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_layout_that_is_not_sound_is_damage_even_with_its_checksum() {
        let packed = pack(&layout(), &memory(), &[0x2008]);
        let page = PAGE as u32;
        for (at, value) in [
            (4, 3 * page),
            (4, 4 * page + 1),
            (8, page - 1),
            (8, 2 * page),
            (12, page + 1),
            (12, 3 * page),
            (16, 4 * page),
            (20, page),
            (24, 5 * page),
        ] {
            let mut changed = packed.clone();
            changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert!(Packed::parse(&sealed(changed)).is_err(), "{at}: {value:#x}");
        }
        assert!(Packed::parse(&sealed(packed)).is_ok());
    }

    #[test]
    fn a_stream_of_another_length_and_an_address_outside_are_damage() {
        let mut packed = pack(&layout(), &memory(), &[0x2008]);
        packed[28] = 2;
        assert_eq!(unpacked(&sealed(packed)), Err(Damaged));
        for offset in [0x3FF9, 0x4000, u32::MAX] {
            let packed = pack(&layout(), &memory(), &[offset]);
            assert_eq!(unpacked(&packed), Err(Damaged), "{offset:#x}");
        }
    }
}
