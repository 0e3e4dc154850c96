//! Interrupt lines.

use crate::arena::Empty;

/// One line.
pub struct Interrupt {
    pub(crate) global: u32,
}

impl Empty for Interrupt {
    const EMPTY: Self = Self { global: 0 };
}
