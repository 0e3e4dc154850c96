//! Endpoints: synchronous calls.

use crate::arena::Empty;

/// Where calls arrive.
pub struct Endpoint {
    pub(crate) receivers: u32,
}

impl Empty for Endpoint {
    const EMPTY: Self = Self { receivers: 0 };
}
