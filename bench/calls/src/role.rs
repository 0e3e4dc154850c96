//! What the partner does: argument 0 of its start. The handles it is given are in slots 2 and 3.

/// Reads the counter with its very first instruction and calls the endpoint in slot 2 with it.
pub const REPORT: u64 = 0;
/// Answers calls on the endpoint in slot 2 with the words and handles that arrived; argument 1 is the info of every reply.
pub const SERVE: u64 = 1;
/// Yields for ever.
pub const YIELD: u64 = 2;
/// Waits for the notification in slot 2, reads the counter at once, calls the endpoint in slot 3 with it; again and again.
pub const WAIT: u64 = 3;

/// With a role: it is done by a thread of its own, which stays on CPU 0.
pub const PINNED: u64 = 8;

/// Affinity to CPU 0 and no other.
pub const FIRST_CPU: u64 = 1;
