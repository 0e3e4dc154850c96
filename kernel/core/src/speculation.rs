//! Indices that user space chooses, made safe for speculation (Spectre variant 1, CVE-2017-5753).
//!
//! A CPU may read past a table before the comparison that forbids it is decided, and what it read leaves traces in the
//! caches. So whoever takes an index from a register, or from memory of user space, passes it through [`index_opaque`], whose
//! result is below the length of the table by arithmetic alone, whatever was predicted. Handle tables have a power of two of slots,
//! so that one `and` cuts the index out of a handle and keeps it in its table.
//!
//! System-call numbers need no mask: they are compared, not looked up, as the build allows neither jump tables nor tables of
//! constants made from a `match` (`-Cjump-tables=no`). Ids of objects ([`crate::arena::Id`]) come from the kernel's own tables.

/// `index` when it is below `length`, else 0. Three instructions without a branch: the difference is negative exactly when the
/// index is good, as neither number reaches 2^63, and its sign makes the mask.
///
/// The compiler cannot know the mask, and so keeps it, as long as nothing compares the two. In the kernel's text `sub`, `sar` by 63 and
/// `and` stand before the loads.
#[inline(always)]
fn index_nospec(index: u32, length: usize) -> usize {
    let index = index as usize;
    let in_bounds = (index.wrapping_sub(length) as isize) >> (isize::BITS - 1);
    index & in_bounds as usize
}

/// `index` when it is below `length`, else 0, for callers who compare the two, before or after: the compiler is kept from drawing
/// conclusions from that, which costs a store and a load.
#[inline(always)]
pub(crate) fn index_opaque(index: u32, length: usize) -> usize {
    index_nospec(core::hint::black_box(index), length)
}

/// An index that came as 64 bits: one that no table reaches when it is larger.
#[inline(always)]
pub(crate) fn narrow(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_indices_stay_and_all_others_become_0() {
        for length in [
            0,
            1,
            2,
            3,
            255,
            256,
            4096,
            u32::MAX as usize,
            isize::MAX as usize,
        ] {
            let edges = [0, 1, 2, 255, 4095, length as u32, u32::MAX, i32::MAX as u32];
            for edge in edges {
                for index in [edge.wrapping_sub(1), edge, edge.wrapping_add(1)] {
                    let good = (index as usize) < length;
                    let expected = if good { index as usize } else { 0 };
                    assert_eq!(index_nospec(index, length), expected, "{index} of {length}");
                    assert_eq!(index_opaque(index, length), expected, "{index} of {length}");
                }
            }
        }
    }

    #[test]
    fn large_numbers_are_no_small_index() {
        assert_eq!(narrow(7), 7);
        for large in [1 << 32, (1 << 32) + 7, u64::MAX] {
            assert_eq!(narrow(large), u32::MAX);
        }
    }
}
