//! Passes a handle on and on: the depth of a lineage is bounded, and however deep, a revoke reaches it.
#![no_std]
#![no_main]

use adversaries::calls::{self, NEVER, Result, copy, revoke, signal};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Rights};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

/// More often than a handle can be passed on.
const TIMES: usize = 40;

fn main() -> u64 {
    parts(&[("passing on", pass_on)])
}

fn pass_on(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let (mut deepest, mut depth) = (root, 0);
    let refused = loop {
        match copy(deepest, Rights::ALL, NEVER) {
            Ok(copy) if depth < TIMES => (deepest, depth) = (copy, depth + 1),
            other => break other,
        }
    };
    verdicts.denied("passing on 40 times", refused, Error::TooDeep);
    verdicts.held("passing on a few times is possible", depth >= 8);
    verdicts.works("the deepest handle", signal(deepest, 1));
    let again = copy(deepest, Rights::NONE, NEVER);
    verdicts.denied("passing on the deepest again", again, Error::TooDeep);
    revoke(root)?;
    verdicts.denied(
        "the deepest after a revoke",
        signal(deepest, 1),
        Error::Revoked,
    );
    verdicts.works("passing on anew", copy(root, Rights::ALL, NEVER));
    Ok(())
}
