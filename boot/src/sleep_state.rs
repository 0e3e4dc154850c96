//! The sleep types of `\_S5` (soft off) from a DSDT or SSDT.
//!
//! Powering off through ACPI needs two small numbers that stand only in AML. An AML interpreter is some
//! 100 KB; firmware writes this one object as `Name (_S5_, Package () { a, b, ... })` with constants, so a
//! bounded look for exactly that encoding (ACPI 6.5, 20.2.5.1 and 20.2.5.4) does. Anything else counts as
//! absent: the kernel then cannot power off through ACPI and says so.

const NAME_OP: u8 = 0x08;
const PACKAGE_OP: u8 = 0x12;
const ZERO_OP: u8 = 0x00;
const ONE_OP: u8 = 0x01;
const BYTE_PREFIX: u8 = 0x0A;
const WORD_PREFIX: u8 = 0x0B;
const DOUBLE_PREFIX: u8 = 0x0C;

/// SLP_TYP is a field of three bits (ACPI 6.5, 4.8.3.2.1).
const SLEEP_TYPE_MAX: u64 = 7;

/// SLP_TYPa and SLP_TYPb of `\_S5`, when `aml` (a table after its header) has them.
pub fn soft_off(aml: &[u8]) -> Option<(u64, u64)> {
    const NAME: &[u8; 4] = b"_S5_";
    let positions = aml.windows(NAME.len()).enumerate();
    positions
        .filter(|(_, window)| window == NAME)
        .find_map(|(position, _)| {
            let (before, after) = aml.split_at_checked(position)?;
            let named = before.ends_with(&[NAME_OP]) || before.ends_with(&[NAME_OP, b'\\']);
            if !named {
                return None;
            }
            package(after.get(NAME.len()..)?)
        })
}

/// The first two elements of a package of constants.
fn package(aml: &[u8]) -> Option<(u64, u64)> {
    let (&op, aml) = aml.split_first()?;
    let (&lead, _) = aml.split_first()?;
    // PkgLength: the top two bits of its first byte say how many bytes follow (20.2.4).
    let length_bytes = 1 + usize::from(lead >> 6);
    let (&elements, aml) = aml.get(length_bytes..)?.split_first()?;
    if op != PACKAGE_OP || elements < 2 {
        return None;
    }
    let (a, aml) = constant(aml)?;
    let (b, _) = constant(aml)?;
    (a <= SLEEP_TYPE_MAX && b <= SLEEP_TYPE_MAX).then_some((a, b))
}

/// An integer constant, and what follows it.
fn constant(aml: &[u8]) -> Option<(u64, &[u8])> {
    let (&prefix, aml) = aml.split_first()?;
    let bytes = match prefix {
        ZERO_OP => return Some((0, aml)),
        ONE_OP => return Some((1, aml)),
        BYTE_PREFIX => 1,
        WORD_PREFIX => 2,
        DOUBLE_PREFIX => 4,
        _ => return None,
    };
    let (value, rest) = aml.split_at_checked(bytes)?;
    Some((
        value
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_package_of_qemu_is_read() {
        let aml = b"\x10\x05xx\x08_S5_\x12\x06\x04\x00\x00\x00\x00rest";
        assert_eq!(soft_off(aml), Some((0, 0)));
    }

    #[test]
    fn byte_constants_and_root_names_are_read() {
        assert_eq!(
            soft_off(b"\x08\\_S5_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00"),
            Some((5, 7))
        );
        assert_eq!(
            soft_off(b"\x08_S5_\x12\x4a\x00\x02\x0b\x05\x00\x01"),
            Some((5, 1))
        );
    }

    #[test]
    fn other_uses_of_the_name_are_passed_over() {
        assert_eq!(soft_off(b"a_S5_\x12\x06\x02\x01\x01"), None);
        assert_eq!(
            soft_off(b"a_S5_\x12\x06\x02\x01\x01\x08_S5_\x12\x06\x02\x00\x01"),
            Some((0, 1))
        );
    }

    #[test]
    fn computed_or_impossible_values_are_absent() {
        assert_eq!(soft_off(b"\x08_S5_\x12\x06\x02\x60\x01"), None);
        assert_eq!(soft_off(b"\x08_S5_\x12\x06\x02\x0a\x08\x01"), None);
        assert_eq!(soft_off(b"\x08_S5_\x12\x06\x01\x01\x01"), None);
        assert_eq!(soft_off(b"\x08_S5_\x14\x06\x02\x01\x01"), None);
    }

    proptest! {
        #[test]
        fn hostile_tables_never_panic(tail in proptest::collection::vec(any::<u8>(), 0..20)) {
            let aml = [&b"\x08_S5_\x12"[..], &tail].concat();
            let _ = soft_off(&aml);
            let _ = soft_off(&tail);
        }
    }
}
