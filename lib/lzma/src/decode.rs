//! The decoder of literals and matches (LZMA specification 24.06), for one setting of its parameters.
//!
//! The output is the window that matches refer to: nothing is allocated and nothing copied twice.

use crate::Error;
use crate::range::{EVEN, Probability, Range};

/// Parameter `lc`: a literal's probabilities depend on so many bits of the byte before. `lp` and `pb`, bits of its place, are 0.
pub const LITERAL_CONTEXT_BITS: u32 = 4;

/// Kinds of the last few symbols, as the specification numbers them.
const STATES: usize = 12;
/// From here on, the last symbol was no literal.
const AFTER_MATCH: usize = 7;
/// Bytes that are copied together.
const SHORT: usize = 16;
/// Shortest match.
const MATCH_MIN: usize = 2;
/// Distances of matches this long and longer have the same probabilities.
const LENGTHS: usize = 4;
/// Distances below it are their slot.
const DIRECT_SLOTS: usize = 4;
/// From this slot on, the middle bits of a distance are even.
const EVEN_SLOTS: usize = 14;
/// The low bits of a distance that are not.
const ALIGN_BITS: u32 = 4;

/// Probabilities of a length.
struct Lengths {
    not_low: Probability,
    not_middle: Probability,
    low: [Probability; 8],
    middle: [Probability; 8],
    high: [Probability; 256],
}

impl Lengths {
    fn new() -> Self {
        Self {
            not_low: EVEN,
            not_middle: EVEN,
            low: [EVEN; 8],
            middle: [EVEN; 8],
            high: [EVEN; 256],
        }
    }

    #[inline(always)]
    fn next(&mut self, range: &mut Range<'_>) -> usize {
        let above = if range.bit(&mut self.not_low) == 0 {
            range.frequent_tree(&mut self.low)
        } else if range.bit(&mut self.not_middle) == 0 {
            8 + range.tree(&mut self.middle)
        } else {
            16 + range.tree(&mut self.high)
        };
        MATCH_MIN + above
    }
}

/// All probabilities.
struct Model {
    is_match: [Probability; STATES],
    is_repeat: [Probability; STATES],
    is_not_latest: [Probability; STATES],
    is_not_second: [Probability; STATES],
    is_not_third: [Probability; STATES],
    is_long: [Probability; STATES],
    literals: [[Probability; 0x300]; 1 << LITERAL_CONTEXT_BITS],
    slots: [[Probability; 64]; LENGTHS],
    special: [Probability; 128],
    align: [Probability; 1 << ALIGN_BITS],
    lengths: Lengths,
    repeat_lengths: Lengths,
}

impl Model {
    fn new() -> Self {
        Self {
            is_match: [EVEN; STATES],
            is_repeat: [EVEN; STATES],
            is_not_latest: [EVEN; STATES],
            is_not_second: [EVEN; STATES],
            is_not_third: [EVEN; STATES],
            is_long: [EVEN; STATES],
            literals: [[EVEN; 0x300]; 1 << LITERAL_CONTEXT_BITS],
            slots: [[EVEN; 64]; LENGTHS],
            special: [EVEN; 128],
            align: [EVEN; 1 << ALIGN_BITS],
            lengths: Lengths::new(),
            repeat_lengths: Lengths::new(),
        }
    }

    /// A byte; where a match just ended, as it differs from the one that would have continued it.
    #[inline(always)]
    fn literal(&mut self, range: &mut Range<'_>, before: u8, continued: Option<u8>) -> u8 {
        let context = usize::from(before >> (8 - LITERAL_CONTEXT_BITS));
        let probabilities = &mut self.literals[context];
        let Some(byte) = continued else {
            let mut node = 1;
            for _ in 0..u8::BITS {
                node = node << 1 | range.bit(&mut probabilities[node]);
            }
            return node as u8;
        };
        let mut expected = usize::from(byte);
        // 0x100 while all bits were as expected, then 0.
        let mut as_expected = 0x100;
        let mut node = 1;
        for _ in 0..u8::BITS {
            expected <<= 1;
            let bit_expected = expected & as_expected;
            let bit = range.bit(&mut probabilities[as_expected + bit_expected + node]);
            node = node << 1 | bit;
            as_expected = match bit {
                0 => as_expected ^ bit_expected,
                _ => bit_expected,
            };
        }
        node as u8
    }

    /// Which of the last distances comes again; none: the latest, for one byte.
    #[inline(always)]
    fn repeated(&mut self, range: &mut Range<'_>, state: usize) -> Option<usize> {
        if range.bit(&mut self.is_not_latest[state]) == 0 {
            return (range.bit(&mut self.is_long[state]) == 1).then_some(0);
        }
        if range.bit(&mut self.is_not_second[state]) == 0 {
            return Some(1);
        }
        Some(2 + range.bit(&mut self.is_not_third[state]))
    }

    /// How far back a match of this length lies, less 1.
    #[inline(always)]
    fn distance(&mut self, range: &mut Range<'_>, length: usize) -> Option<usize> {
        let slot = range.frequent_tree(&mut self.slots[(length - MATCH_MIN).min(LENGTHS - 1)]);
        if slot < DIRECT_SLOTS {
            return Some(slot);
        }
        let bits = (slot as u32 >> 1) - 1;
        let base = (2 | slot & 1) << bits;
        if slot < EVEN_SLOTS {
            let special = self.special.get_mut(base - slot..)?;
            return Some(base + range.reverse_tree(special, bits)?);
        }
        let middle = range.even_bits(bits - ALIGN_BITS) << ALIGN_BITS;
        Some(base + middle + range.reverse_tree(&mut self.align, ALIGN_BITS)?)
    }
}

/// Decodes `stored` to `out`, which it fills exactly.
#[inline(never)]
pub fn decode(stored: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let mut range = Range::new(stored).ok_or(Error::Corrupt { at: 0 })?;
    let mut model = Model::new();
    let mut state = 0;
    // Distances of the last four matches, less 1, the latest first.
    let mut back = [0; 4];
    let mut at = 0;
    while at < out.len() {
        let corrupt = Error::Corrupt { at };
        if range.bit(&mut model.is_match[state]) == 0 {
            let before = at.checked_sub(1).map_or(0, |last| out[last]);
            let continued = match state < AFTER_MATCH {
                true => None,
                false => Some(out[source(at, back[0]).ok_or(corrupt)?]),
            };
            out[at] = model.literal(&mut range, before, continued);
            at += 1;
            state = if state < 10 {
                state.saturating_sub(3)
            } else {
                state - 6
            };
            continue;
        }
        let after_literal = state < AFTER_MATCH;
        let length = if range.bit(&mut model.is_repeat[state]) == 0 {
            let length = model.lengths.next(&mut range);
            let distance = model.distance(&mut range, length).ok_or(corrupt)?;
            back = [distance, back[0], back[1], back[2]];
            state = if after_literal { 7 } else { 10 };
            length
        } else {
            let which = model.repeated(&mut range, state);
            if let Some(which @ 1..) = which {
                back[..=which].rotate_right(1);
            }
            match which {
                None => {
                    state = if after_literal { 9 } else { 11 };
                    1
                }
                Some(_) => {
                    state = if after_literal { 8 } else { 11 };
                    model.repeat_lengths.next(&mut range)
                }
            }
        };
        let from = source(at, back[0]).ok_or(corrupt)?;
        copy(out, from, at, length).ok_or(corrupt)?;
        at += length;
    }
    match range.is_at_end() {
        true => Ok(()),
        false => Err(Error::End),
    }
}

/// Where the byte stands that is so far behind `at`, and one more.
#[inline(always)]
fn source(at: usize, distance: usize) -> Option<usize> {
    at.checked_sub(distance)?.checked_sub(1)
}

/// Copies `length` bytes from `from` to `to`, which is behind it. Where they overlap, the copy goes on with what it wrote.
#[inline(always)]
fn copy(out: &mut [u8], from: usize, to: usize, length: usize) -> Option<()> {
    // Most are short: what is copied too much is written again later.
    if length <= SHORT
        && length <= to - from
        && let Some(short) = out.get(from..).and_then(|old| old.first_chunk::<SHORT>())
    {
        let short = *short;
        if let Some(new) = out.get_mut(to..).and_then(|new| new.first_chunk_mut()) {
            *new = short;
            return Some(());
        }
    }
    let (old, new) = out.split_at_mut_checked(to)?;
    let new = new.get_mut(..length)?;
    match old.get(from..)?.get(..length) {
        Some(old) => new.copy_from_slice(old),
        None => {
            for at in 0..length {
                *out.get_mut(to + at)? = *out.get(from + at)?;
            }
        }
    }
    Some(())
}
