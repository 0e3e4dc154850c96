//! The one place of the kernel from which an indirect branch can leave: `thunks.s`.

// SAFETY: the thunk goes where the compiler wants to go, `r11`, with all other registers as they are.
core::arch::global_asm!(include_str!("thunks.s"));
