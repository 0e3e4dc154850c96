//! Encoding of segment, task and gate descriptors (SDM vol. 3, 3.4.5, 7.2.3, 6.14.1). Pure, tested on the host.

/// Selector of the kernel's code segment.
pub const KERNEL_CODE: u16 = 1 << 3;
/// Selector of the kernel's data segment; `syscall` takes the one after the code segment.
pub const KERNEL_DATA: u16 = 2 << 3;
/// Selector of the user's data segment; `sysret` takes STAR's selector plus 8.
pub const USER_DATA: u16 = 3 << 3 | 3;
/// Selector of the user's code segment; `sysret` takes STAR's selector plus 16.
pub const USER_CODE: u16 = 4 << 3 | 3;
/// Selector of the task state segment.
pub const TASK: u16 = 5 << 3;

/// IA32_STAR: `syscall` loads `KERNEL_CODE` and the next, `sysret` the two after `KERNEL_DATA`.
pub const STAR: u64 = ((KERNEL_DATA | 3) as u64) << 48 | (KERNEL_CODE as u64) << 32;

/// Segments: null, kernel code and data, user data and code; all flat, 64-bit, accessed. There is no 32-bit
/// code segment, so no program can leave 64-bit mode. The last two words take [`task_descriptor`].
pub const SEGMENTS: [u64; 7] = [
    0,
    0x00AF_9B00_0000_FFFF,
    0x00CF_9300_0000_FFFF,
    0x00CF_F300_0000_FFFF,
    0x00AF_FB00_0000_FFFF,
    0,
    0,
];

/// Descriptor of an available 64-bit task state segment with the highest offset `limit`.
pub const fn task_descriptor(base: u64, limit: u16) -> [u64; 2] {
    const AVAILABLE_TASK: u64 = 0x89 << 40;
    let low = limit as u64 | (base & 0xFF_FFFF) << 16 | AVAILABLE_TASK | (base >> 24 & 0xFF) << 56;
    [low, base >> 32]
}

/// An interrupt gate: turns interrupts off, `stack` is the index in the interrupt stack table (0: none),
/// `user` lets programs raise it with `int`.
pub const fn interrupt_gate(handler: u64, stack: u8, user: bool) -> [u64; 2] {
    let kind = if user { 0xEE_u64 } else { 0x8E };
    let low = handler & 0xFFFF
        | (KERNEL_CODE as u64) << 16
        | (stack as u64 & 7) << 32
        | kind << 40
        | (handler >> 16 & 0xFFFF) << 48;
    [low, handler >> 32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_selects_the_segments_that_the_table_holds() {
        let syscall = (STAR >> 32) as u16;
        let sysret = (STAR >> 48) as u16;
        assert_eq!(
            (syscall & !3, (syscall & !3) + 8),
            (KERNEL_CODE, KERNEL_DATA)
        );
        assert_eq!(
            ((sysret + 8) | 3, (sysret + 16) | 3),
            (USER_DATA, USER_CODE)
        );
    }

    #[test]
    fn task_descriptor_splits_the_base() {
        let [low, high] = task_descriptor(0x1122_3344_5566_7788, 0x67);
        assert_eq!(low, 0x5500_8966_7788_0067);
        assert_eq!(high, 0x1122_3344);
    }

    #[test]
    fn gate_splits_the_handler() {
        let [low, high] = interrupt_gate(0x1122_3344_5566_7788, 3, false);
        assert_eq!(low, 0x5566_8E03_0008_7788);
        assert_eq!(high, 0x1122_3344);
        assert_eq!(interrupt_gate(0, 0, true)[0] >> 45 & 3, 3, "DPL");
    }

    #[test]
    fn user_segments_have_privilege_3_and_only_code_is_long() {
        for (selector, privilege, long) in [
            (KERNEL_CODE, 0, 1),
            (KERNEL_DATA, 0, 0),
            (USER_DATA, 3, 0),
            (USER_CODE, 3, 1),
        ] {
            let segment = SEGMENTS[usize::from(selector >> 3)];
            assert_eq!(segment >> 45 & 3, privilege);
            assert_eq!(segment >> 53 & 1, long);
        }
    }
}
