//! How a call through a pointer to a function of another type looks in machine code.
//!
//! Before an indirect call compiled code compares the number of the type that it expects with that before the function, and
//! runs into `ud2` when they differ (LLVM, `-fsanitize=kcfi`):
//!
//! ```text
//! 41 BA xx xx xx xx    mov r10d, -type      (or 41 BB, r11d)
//! 44 03 50 FC          add r10d, [rax - 4]  (the pointer's register: r12 and rsp take a byte more)
//! 74 02                je over
//! 0F 0B                ud2
//! ```

/// Bytes from the start of the longest check to the end of its `ud2`.
pub const CHECK_BYTES: usize = 15;
/// `ud2` (SDM vol. 2B).
pub const UD2: [u8; UD2_BYTES] = [0x0F, 0x0B];
/// Bytes of the `ud2`.
pub const UD2_BYTES: usize = 2;

/// Whether code that ends with the instruction of an invalid-opcode fault is such a check.
pub fn is_check(code: &[u8; CHECK_BYTES]) -> bool {
    const MOV: u8 = 0x41;
    const R10_R11: [u8; 2] = [0xBA, 0xBB];
    const ADD: u8 = 0x03;
    let [.., displacement, 0x74, 0x02, 0x0F, 0x0B] = *code else {
        return false;
    };
    let short = code[1] == MOV && R10_R11.contains(&code[2]) && code[8] == ADD;
    let long = code[0] == MOV && R10_R11.contains(&code[1]) && code[7] == ADD;
    displacement == -4_i8 as u8 && (short || long)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: [u8; CHECK_BYTES] = [
        0x90, 0x41, 0xBA, 1, 2, 3, 4, 0x44, 0x03, 0x50, 0xFC, 0x74, 0x02, 0x0F, 0x0B,
    ];
    const LONG: [u8; CHECK_BYTES] = [
        0x41, 0xBB, 1, 2, 3, 4, 0x45, 0x03, 0x5C, 0x24, 0xFC, 0x74, 0x02, 0x0F, 0x0B,
    ];

    #[test]
    fn both_forms_are_known() {
        assert!(is_check(&SHORT) && is_check(&LONG));
    }

    #[test]
    fn other_code_before_ud2_is_no_check() {
        assert!(!is_check(&[0x0F; CHECK_BYTES]) && !is_check(&[0; CHECK_BYTES]));
        for at in [1, 2, 8, 10, 11, 12, 13, 14] {
            let mut code = SHORT;
            code[at] ^= 0x20;
            assert!(!is_check(&code), "byte {at}");
        }
    }
}
