//! What the referee says (`tests/adversaries/src/referee`): it runs in place of `init` and writes to the kernel's log, once
//! for each number of CPUs and test program.

use std::sync::OnceLock;

use crate::attack::CPUS;
use crate::images;
use crate::machine::Machine;

/// What says that the referee will not finish.
const STOPS: [&str; 4] = [
    "the kernel stopped",
    "init cannot be started",
    "init ended",
    "REFUSED",
];

/// Everything that the machine said, for each number of CPUs.
fn transcripts() -> &'static [OnceLock<String>; CPUS.len()] {
    static TRANSCRIPTS: [OnceLock<String>; CPUS.len()] = [const { OnceLock::new() }; CPUS.len()];
    &TRANSCRIPTS
}

/// What the referee said on a machine with so many CPUs.
fn transcript(index: usize) -> &'static str {
    transcripts()[index].get_or_init(|| {
        let config = images::with_referee().machine_with_cpus(CPUS[index]);
        let mut machine = Machine::start(config);
        let mut texts = vec!["the referee has finished"];
        texts.extend(STOPS);
        let (found, _) = machine.expect_any(&texts);
        // What stops it is shown by each test that misses its part.
        if found > 0 {
            machine.wait_for_quiet();
        }
        machine.transcript()
    })
}

/// Expects of a part, with each number of CPUs, that it was done whole, and these words in this order.
///
/// # Panics
/// When it was not.
#[track_caller]
pub fn expect_part(name: &str, expected: &[&str]) {
    for (index, cpus) in CPUS.into_iter().enumerate() {
        let all = transcript(index);
        let part = part(all, name).unwrap_or_else(|| {
            let end = all.len().saturating_sub(3000);
            let end = all.char_indices().map(|(at, _)| at).find(|&at| at >= end);
            let tail = &all[end.unwrap_or(0)..];
            panic!("{cpus} CPUs: the referee did not come to the end of {name:?}:\n{tail}")
        });
        let bad = part.contains("ATTACK SUCCEEDED") || part.contains("BROKEN");
        assert!(!bad, "{cpus} CPUs: {name}:\n{part}");
        let mut rest = part;
        for words in expected {
            let Some((_, after)) = rest.split_once(words) else {
                panic!("{cpus} CPUs: {name}: expected {words:?} in:\n{part}");
            };
            rest = after;
        }
    }
}

/// The lines of a part, when it has ended.
fn part<'a>(all: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = all.split_once(&format!("part: {name}\n"))?;
    rest.split_once(&format!("part ended: {name}: "))
        .map(|(part, _)| part)
}

/// Expects that the referee saw each machine's number of CPUs.
///
/// # Panics
/// When it did not.
pub fn expect_cpus() {
    for (index, cpus) in CPUS.into_iter().enumerate() {
        let line = format!("CPUs: {cpus}\n");
        assert!(transcript(index).contains(&line), "not {cpus} CPUs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_did_not_end_is_none() {
        let said = "[0.1] init: part: one\n[0.2] init: denied: x\n[0.3] init: part ended: one: 1 shown\n\
                    [0.4] init: part: two\n[0.5] init: denied: y\n";
        assert!(part(said, "one").is_some_and(|part| part.contains("denied: x")));
        assert_eq!(part(said, "two"), None);
        assert_eq!(part(said, "three"), None);
    }
}
