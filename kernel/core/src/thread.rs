//! Threads: what the scheduler runs.

use crate::arena::{Empty, ProcessId};
use crate::machine::UserContext;

/// A thread.
pub struct Thread {
    pub(crate) context: UserContext,
    pub(crate) process: Option<ProcessId>,
}

impl Empty for Thread {
    const EMPTY: Self = Self {
        context: UserContext::new(),
        process: None,
    };
}
