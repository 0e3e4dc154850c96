//! x86 code made to repeat itself: operands that are relative to their own place become relative to the start of the bytes.
//!
//! Two calls of a function, or two uses of a constant, have different operands in machine code; made absolute they are the same, and
//! compress. It is what LZX does to calls (Microsoft's cabinet format, "E8 translation"), for jumps and data, too. What is no code and
//! looks like it is changed as well, and changed back: [`to_absolute`] and [`to_relative`] find the same places, since neither changes
//! a byte that says where one is, and of the operands each is the other's inverse.

use core::ops::Range;

/// Bytes of an operand.
const OPERAND: usize = 4;

/// Before compression.
pub fn to_absolute(code: &mut [u8]) {
    translate(code, |relative, next, length| {
        if (-next..length - next).contains(&relative) {
            relative + next
        } else if (length - next..length).contains(&relative) {
            // Of no place in the code; takes the numbers that the others left.
            relative - length
        } else {
            relative
        }
    });
}

/// After decompression.
#[inline(never)]
pub fn to_relative(code: &mut [u8]) {
    translate(code, |absolute, next, length| {
        if (0..length).contains(&absolute) {
            absolute - next
        } else if (-next..0).contains(&absolute) {
            absolute + length
        } else {
            absolute
        }
    });
}

/// Gives each operand a new value, which depends on the old one, on where the next instruction begins, and on how long the code is.
#[inline(always)]
fn translate(code: &mut [u8], value: impl Fn(i64, i64, i64) -> i64) {
    let length = code.len() as i64;
    let mut at = 0;
    while let Some(operand) = operand(code, at) {
        at = operand.end;
        let Some(bytes) = code
            .get_mut(operand)
            .and_then(|code| code.first_chunk_mut::<OPERAND>())
        else {
            break;
        };
        let old = i64::from(i32::from_le_bytes(*bytes));
        *bytes = (value(old, at as i64, length) as i32).to_le_bytes();
    }
}

/// Where the first operand at or behind `at` stands.
#[inline(always)]
fn operand(code: &[u8], mut at: usize) -> Option<Range<usize>> {
    loop {
        let rest = code.get(at..)?;
        let skipped = likely(rest)?;
        at += skipped;
        let start = match rest.get(skipped..)? {
            // `call`, `jmp`.
            [0xE8 | 0xE9, ..] => at + 1,
            // `mov`, `lea`, `cmp` of 64 bits, of memory that is addressed by RIP.
            [0x48..=0x4F, 0x89 | 0x8B | 0x8D | 0x3B, mode, ..] if mode & 0xC7 == 0x05 => at + 3,
            _ => {
                at += 1;
                continue;
            }
        };
        return Some(start..start + OPERAND);
    }
}

/// Where the first byte stands that has the bits which all opcodes in [`operand`] have: most have not. Eight bytes are looked at together.
#[inline(always)]
fn likely(code: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = code.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let zero_where_likely = u64::from_le_bytes(*word) & (0x58 * EACH) ^ (0x48 * EACH);
        // The highest bit of the first byte that is zero, and of no byte before it.
        let found = zero_where_likely.wrapping_sub(EACH) & !zero_where_likely & (0x80 * EACH);
        if found != 0 {
            return Some(8 * number + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|byte| byte & 0x58 == 0x48)?;
    Some(8 * words.len() + found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn absolute(mut code: Vec<u8>) -> Vec<u8> {
        to_absolute(&mut code);
        code
    }

    fn relative(mut code: Vec<u8>) -> Vec<u8> {
        to_relative(&mut code);
        code
    }

    #[test]
    fn operands_become_what_they_refer_to() {
        // call 0x20; nop; call 0x20; mov rax, [0x1234]: behind the end; lea r8, [0x21].
        let code = [
            &[0xE8, 0x1B, 0, 0, 0, 0x90, 0xE8, 0x15, 0, 0, 0][..],
            &[0x48, 0x8B, 0x05, 0x22, 0x12, 0, 0],
            &[0x4C, 0x8D, 0x05, 0x08, 0, 0, 0],
            &[0x90; 16],
        ]
        .concat();
        let expected = [
            &[0xE8, 0x20, 0, 0, 0, 0x90, 0xE8, 0x20, 0, 0, 0][..],
            &[0x48, 0x8B, 0x05, 0x22, 0x12, 0, 0],
            &[0x4C, 0x8D, 0x05, 0x21, 0, 0, 0],
            &[0x90; 16],
        ]
        .concat();
        assert_eq!(absolute(code.clone()), expected);
        assert_eq!(relative(expected), code);
    }

    #[test]
    fn other_bytes_stay() {
        // lea rax, [rbx + …]; lea of 32 bits; a call whose operand is cut off.
        let code = [
            &[0x48, 0x8D, 0x83, 1, 0, 0, 0][..],
            &[0x8D, 0x05, 1, 0, 0, 0],
            &[0xE8, 1, 0, 0],
        ]
        .concat();
        assert_eq!(absolute(code.clone()), code);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn one_undoes_the_other(code in prop::collection::vec(
            prop::sample::select(&[0x00_u8, 0x01, 0x05, 0x0F, 0x10, 0x3B, 0x48, 0x4F, 0x89, 0x8D, 0xE8, 0xE9, 0xF0, 0xFE, 0xFF][..]),
            0..120,
        )) {
            prop_assert_eq!(&relative(absolute(code.clone())), &code);
            prop_assert_eq!(&absolute(relative(code.clone())), &code);
        }
    }
}
