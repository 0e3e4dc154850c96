//! Running modules: in front, where Ctrl-C ends them, or beside the shell.

use core::fmt::Write;

use nonos_proto::CallError;
use nonos_rt::abi::Name;
use nonos_rt::abi::info::process_state;
use nonos_rt::log::Line;
use nonos_rt::object::{Process, Timer};
use nonos_rt::{parent, syscall};
use shell::report::Ending;

use crate::session::Session;

/// Most programs beside the shell.
const MOST: usize = 8;

/// How often the shell looks after the console while a program runs: a second.
const LOOK_NS: u64 = 1_000_000_000;

/// Bits of the session's notification.
mod signal {
    /// The program in front ended.
    pub const ENDED: u64 = 1;
    /// Something was typed.
    pub const TYPED: u64 = 2;
    /// Time to see whether the console is still the one that was asked to signal.
    pub const LOOK: u64 = 4;
}

/// A program that was started.
struct Program {
    name: Name,
    id: u64,
    process: Process,
}

/// Programs beside the shell.
pub struct Programs([Option<Program>; MOST]);

impl Programs {
    /// None.
    pub const fn new() -> Self {
        Self([const { None }; MOST])
    }
}

impl Session {
    /// `run`
    pub(crate) fn run_module(&mut self, module: &str, beside: bool) {
        let Some(name) = Name::new(module) else {
            return self.fail(format_args!("{module} refused: this is no module name"));
        };
        let free = self.programs.0.iter().position(Option::is_none);
        if beside && free.is_none() {
            return self.fail(format_args!(
                "{name} not started: {MOST} programs run beside the shell"
            ));
        }
        let program = match parent::spawn(name) {
            Ok((process, id)) => Program { name, id, process },
            Err(error) => return self.refused(name, error),
        };
        match free {
            Some(free) if beside => {
                self.print(format_args!("{name} runs as process {}\n", program.id));
                self.programs.0[free] = Some(program);
            }
            _ => self.wait(&program),
        }
    }

    fn refused(&mut self, name: Name, error: CallError) {
        let mut reason = Line::new();
        let _ = write!(reason, "{error}");
        let reason = reason.as_str();
        let reason = reason.strip_prefix("module refused: ").unwrap_or(reason);
        self.fail(format_args!("{name} refused: {reason}"));
    }

    /// Waits for the end of a program, or for Ctrl-C and then its end.
    fn wait(&mut self, program: &Program) {
        let _ = self.terminal.terminal.flush();
        if let Err(error) = program.process.watch(&self.signals, signal::ENDED) {
            return self.fail(format_args!("cannot wait for {}: {error}", program.name));
        }
        // Without this Ctrl-C does not reach the shell; the program runs all the same.
        if let Err(error) = self.terminal.terminal.watch(&self.signals, signal::TYPED) {
            self.fail(format_args!("Ctrl-C will not work: {error}"));
        }
        // A console that was started again knows nothing of that: it is asked again and again.
        let look = Timer::create().and_then(|timer| {
            let first_ns = syscall::clock_ns().saturating_add(LOOK_NS);
            timer.set_periodic(&self.signals, signal::LOOK, first_ns, LOOK_NS)?;
            Ok(timer)
        });
        loop {
            let bits = match self.signals.wait() {
                Ok(bits) => bits,
                Err(error) => {
                    return self.fail(format_args!("cannot wait for {}: {error}", program.name));
                }
            };
            if bits & signal::LOOK != 0 {
                let _ = self.terminal.terminal.watch(&self.signals, signal::TYPED);
            }
            if bits & (signal::TYPED | signal::LOOK) != 0 {
                self.take_typed();
                if self.typed.interrupted() {
                    self.print(format_args!("^C\n"));
                    let _ = self.terminal.terminal.flush();
                    let _ = program.process.kill();
                }
            }
            if bits & signal::ENDED != 0 {
                break;
            }
        }
        drop(look);
        let _ = self.terminal.terminal.fresh_line();
        self.ending(program);
    }

    fn take_typed(&mut self) {
        while let Ok(bytes) = self.terminal.terminal.poll() {
            if bytes.as_slice().is_empty() {
                break;
            }
            self.typed.push(bytes.as_slice());
        }
    }

    /// Says how a program ended.
    fn ending(&mut self, program: &Program) {
        match program.process.read() {
            Ok(info) => self.print(format_args!("{} {}\n", program.name, Ending(&info))),
            Err(error) => self.fail(format_args!(
                "{} ended; how is unknown: {error}",
                program.name
            )),
        }
    }

    /// Says which programs beside the shell ended.
    pub(crate) fn report_ended(&mut self) {
        for index in 0..MOST {
            let ended = |program: &mut Program| {
                program
                    .process
                    .read()
                    .is_ok_and(|info| info.state == process_state::ENDED)
            };
            if let Some(program) = self.programs.0[index].take_if(ended) {
                self.ending(&program);
            }
        }
    }

    /// `kill`
    pub(crate) fn kill(&mut self, id: u64) {
        let program = self
            .programs
            .0
            .iter()
            .flatten()
            .find(|program| program.id == id);
        let outcome = match program {
            Some(program) => program.process.kill().map_err(CallError::Unreachable),
            // Others are not this shell's: it asks whoever started them.
            None => parent::kill(id),
        };
        if let Err(error) = outcome {
            self.fail(format_args!("cannot end process {id}: {error}"));
        }
    }
}
