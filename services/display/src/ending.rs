//! What is done before the machine ends, step by step.

use alloc::vec::Vec;

use nonos_proto::init::wind_down;

/// What is done by `init`, in this order, and what it is called. The kernel's part comes after all of them.
pub const STEPS: [(u64, &str); 3] = [
    (wind_down::PROGRAMS, "End all programs"),
    (wind_down::VAULT, "Lock the vault and wipe its keys"),
    (wind_down::FILES, "Wipe all files"),
];

/// What the kernel does last; this picture stays on the screen meanwhile.
pub const LAST: &str = "Wipe all memory: the last step, during which this picture stays";

/// How far that is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// What the machine does.
    pub text: &'static str,
    done: Vec<bool>,
}

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It was done.
    Done,
    /// It could not be done.
    Failed,
    /// It is done now.
    Now,
    /// It is still to be done.
    Later,
}

impl Ending {
    /// Nothing is done yet.
    pub fn new(text: &'static str) -> Self {
        Self {
            text,
            done: Vec::new(),
        }
    }

    /// The next step was done, or could not be.
    pub fn step(&mut self, done: bool) {
        self.done.push(done);
    }

    /// All steps, with the kernel's.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, Step)> {
        let texts = STEPS.map(|(_, text)| text).into_iter().chain([LAST]);
        texts.enumerate().map(|(at, text)| {
            let step = match self.done.get(at) {
                Some(true) => Step::Done,
                Some(false) => Step::Failed,
                None if at == self.done.len() => Step::Now,
                None => Step::Later,
            };
            (text, step)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_done_one_after_the_other_and_the_kernels_is_the_last() {
        let mut ending = Ending::new("Turning off");
        let steps = |ending: &Ending| ending.steps().map(|(_, step)| step).collect::<Vec<_>>();
        assert_eq!(
            steps(&ending),
            [Step::Now, Step::Later, Step::Later, Step::Later]
        );
        ending.step(true);
        ending.step(false);
        assert_eq!(
            steps(&ending),
            [Step::Done, Step::Failed, Step::Now, Step::Later]
        );
        ending.step(true);
        assert_eq!(steps(&ending)[2..], [Step::Done, Step::Now]);
        assert_eq!(ending.steps().last(), Some((LAST, Step::Now)));
    }
}
