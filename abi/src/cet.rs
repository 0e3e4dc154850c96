//! Control protection exceptions (SDM vol. 1, chapter 17): what the CPU's control-flow enforcement (CET) found.

/// Their vector.
pub const VECTOR: u8 = 21;

/// Error code of a `ret` to where no `call` came from.
pub const RETURN: u64 = 1;
/// Error code of an indirect branch to what is no target of such.
pub const BRANCH: u64 = 3;

/// What an error code says (SDM vol. 3, 6.15, interrupt 21).
pub const fn cause(error: u64) -> &'static str {
    match error & 0x7FFF {
        RETURN => "returned elsewhere than it was called from",
        2 => "returned far elsewhere than it was called from",
        BRANCH => "branched to what is no target of branches",
        4 | 5 => "switched to a shadow stack without its token",
        _ => "of an unknown kind",
    }
}
