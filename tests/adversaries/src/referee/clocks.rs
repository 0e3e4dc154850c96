//! Reading time: what a process without the coarse clock can, one with it cannot, on the same CPU and in turns.

use adversaries::calls::Result;
use adversaries::roles::{Role, Word};
use adversaries::verdict::Verdicts;
use nonos_abi::info::{exit_kind, process_flags};
use nonos_abi::{Error, Handle};

use crate::Log;
use crate::partner::Partner;

const GENERAL_PROTECTION: u64 = 13;

/// Processes with the one clock and the other.
pub fn clocks(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    for round in 1..=2 {
        let fine = Partner::flagged(module, 0)?;
        fine.start(Role::Clocks, 0)?;
        let end = fine.ended()?;
        verdicts.held(
            format_args!("round {round}: with permission the counter is read"),
            end.exit_kind == exit_kind::EXIT && fine.shared.get(Word::Second) != 0,
        );
        verdicts.held(
            format_args!("round {round}: and the clock is fine"),
            fine.shared.get(Word::First) != 0,
        );
        fine.finish()?;
        let coarse = Partner::flagged(module, process_flags::COARSE_CLOCK)?;
        coarse.start(Role::Clocks, 0)?;
        let end = coarse.ended()?;
        verdicts.held(
            format_args!("round {round}: without it reading the counter ends the process"),
            end.exit_kind == exit_kind::FAULT
                && end.exit_code == GENERAL_PROTECTION
                && coarse.shared.get(Word::Second) == 0,
        );
        verdicts.held(
            format_args!("round {round}: and the clock is coarse"),
            coarse.shared.get(Word::First) == 0,
        );
        coarse.finish()?;
    }
    let unknown = Partner::flagged(module, process_flags::COARSE_CLOCK << 1).map(drop);
    verdicts.denied("flags that do not exist", unknown, Error::InvalidArgument);
    Ok(())
}
