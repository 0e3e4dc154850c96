//! The loop from prompt to command.

use core::fmt::{self, Write};

use nonos_proto::CallError;
use nonos_rt::abi::Error;
use nonos_rt::abi::date::Date;
use nonos_rt::abi::info::needs::NAMES;
use nonos_rt::abi::info::{ModuleInfo, ProcessInfo, Topic};
use nonos_rt::files::File;
use nonos_rt::object::{Notification, SystemInfo};
use nonos_rt::terminal::Terminal;
use nonos_rt::{log, parent, syscall};
use shell::command::{COMMANDS, Command, HELP_COLUMN, Mistake, parse};
use shell::editor::{Candidates, Editor, Event, Line};
use shell::keys::Decoder;
use shell::pipeline::{self, Pipeline, Source};
use shell::report::{Span, Tone, heading, row};
use shell::vault::WORDS;

use crate::inspect::each;
use crate::output::Output;
use crate::programs::Programs;
use crate::secrets::Signature;
use crate::typed::Typed;

/// The prompt: plain text, so that whoever reads the serial line finds it.
const PROMPT: &str = "nonos> ";

/// The shell's state.
pub struct Session {
    pub(crate) terminal: Output,
    /// The user's documents, once they were used.
    pub(crate) home: Option<File>,
    /// State of the system, when it was granted.
    pub(crate) system: Result<SystemInfo, CallError>,
    /// Signals while a program runs.
    pub(crate) signals: Notification,
    pub(crate) typed: Typed,
    pub(crate) programs: Programs,
    /// The last signature of the vault, to verify.
    pub(crate) signature: Signature,
    /// When the first prompt was shown.
    pub(crate) prompt_ns: Option<u64>,
    editor: Editor,
    decoder: Decoder,
}

impl Session {
    /// Connects to the console.
    pub fn start() -> Result<Self, CallError> {
        Ok(Self {
            terminal: Output::new(Terminal::connect()?),
            home: None,
            system: parent::system_info(),
            signals: Notification::create().map_err(CallError::Unreachable)?,
            typed: Typed::new(),
            programs: Programs::new(),
            signature: Signature::new(),
            prompt_ns: None,
            editor: Editor::new(),
            decoder: Decoder::new(),
        })
    }

    /// Reads and does commands for ever. Returns when the console cannot be reached any more.
    pub fn run(&mut self) -> Result<core::convert::Infallible, CallError> {
        self.greet();
        loop {
            let line = match self.ask(PROMPT) {
                // The console ended: the next one has no memory of what was on the screen. Without a next one this ends.
                Err(CallError::Unreachable(_)) => {
                    self.terminal.terminal.reconnect()?;
                    // One that is gone for good, as that of a terminal on the desktop, does not answer either.
                    self.terminal.terminal.fresh_line()?;
                    self.fail(format_args!("the console was restarted"));
                    continue;
                }
                line => line?,
            };
            self.perform_line(line.as_str());
        }
    }

    fn greet(&mut self) {
        let version = env!("CARGO_PKG_VERSION");
        self.print(format_args!("\nNØNOS {version}    help lists the commands, status shows what protects this system\n\n"));
    }

    fn prompt(&mut self, prompt: &str) -> Result<(), CallError> {
        self.report_ended();
        self.terminal.terminal.fresh_line()?;
        let _ = self.terminal.terminal.write_str(prompt);
        self.terminal.terminal.flush()?;
        self.prompt_ns.get_or_insert_with(syscall::clock_ns);
        Ok(())
    }

    /// Reads a line.
    pub(crate) fn ask(&mut self, prompt: &str) -> Result<Line, CallError> {
        self.prompt(prompt)?;
        // What was typed before the console ended.
        let _ = self.editor.show(&mut self.terminal);
        loop {
            let Some(byte) = self.typed.pop() else {
                let bytes = self.terminal.terminal.read()?;
                self.typed.push(bytes.as_slice());
                continue;
            };
            let Some(key) = self.decoder.feed(byte) else {
                continue;
            };
            let words = Words(self.system.as_ref().ok());
            match self.editor.key(key, &words, &mut self.terminal) {
                Ok(Event::Entered) => {
                    self.terminal.terminal.flush()?;
                    return Ok(self.editor.take());
                }
                Ok(Event::Clear) => self.print(format_args!("\x1B[2J\x1B[H")),
                Ok(Event::Interrupted | Event::Listed) => {}
                Ok(Event::Editing) | Err(fmt::Error) => continue,
            }
            self.prompt(prompt)?;
            let _ = self.editor.show(&mut self.terminal);
        }
    }

    /// Does what a line says, its input and output as it says.
    fn perform_line(&mut self, line: &str) {
        let Pipeline {
            source,
            hash,
            target,
        } = match pipeline::split(line) {
            Ok(pipeline) => pipeline,
            Err(wrong) => return self.fail(format_args!("{wrong}")),
        };
        if (hash || target.is_some()) && !self.redirect(hash, target) {
            return;
        }
        match source {
            Source::Command(command) => self.perform(command),
            Source::File(path) => self.with_home(|session, home| session.show_file(home, path)),
        }
        if let Err(error) = self.terminal.restore() {
            self.with_home(|_, _| Err(error));
        }
    }

    fn perform(&mut self, line: &str) {
        match parse(line) {
            Ok(Command::Nothing) => {}
            Ok(Command::Help) => self.help(),
            Ok(Command::Status) => self.show(Self::status),
            Ok(Command::Mitigations) => self.show(Self::mitigations),
            Ok(Command::BootFigures) => self.show(Self::boot_figures),
            Ok(Command::Processes) => self.show(Self::processes),
            Ok(Command::Memory) => self.show(Self::memory),
            Ok(Command::Modules) => self.show(Self::modules),
            Ok(Command::Capabilities(process)) => {
                self.show(|session, system| session.capabilities(system, process))
            }
            Ok(Command::Services) => self.services(),
            Ok(Command::Grant {
                process,
                need,
                seconds,
            }) => self.grant(process, need, seconds),
            Ok(Command::Revoke { process, need }) => self.revoke(process, need),
            Ok(Command::Audit) => self.audit(),
            Ok(Command::Log) => self.log(),
            Ok(Command::Tpm) => self.tpm(),
            Ok(Command::TpmQuote(nonce)) => self.tpm_quote(nonce),
            Ok(Command::Run { module, beside }) => self.run_module(module, beside),
            Ok(Command::Kill(process)) => self.kill(process),
            Ok(Command::Vault(what)) => self.vault(what),
            Ok(Command::File(command)) => self.file_command(command),
            Ok(Command::Uptime) => {
                self.print(format_args!("up {}\n", Span(syscall::clock_ns())));
            }
            Ok(Command::Date) => self.show(Self::date),
            Ok(Command::Echo(text)) => self.print(format_args!("{text}\n")),
            Ok(Command::Clear) => self.print(format_args!("\x1B[2J\x1B[H")),
            Ok(Command::Reboot) => self.power_off("restarting the machine", true),
            Ok(Command::PowerOff) => self.power_off("turning the machine off", false),
            Err(Mistake::Unknown(name)) => {
                self.fail(format_args!(
                    "unknown command: {name} (help lists the commands)"
                ));
            }
            Err(Mistake::Usage(name)) => {
                let entry = COMMANDS.iter().find(|entry| entry.name == name);
                let arguments = entry.map_or("", |entry| entry.arguments);
                self.fail(format_args!("usage: {name} {arguments}"));
            }
        }
    }

    /// Shows text; failures show at the next read.
    pub(crate) fn print(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.terminal.write_fmt(text);
    }

    /// Shows what went wrong.
    pub(crate) fn fail(&mut self, text: fmt::Arguments<'_>) {
        // What went wrong is never written to a file.
        let _ = writeln!(self.terminal.terminal, "\x1B[31m{text}\x1B[0m");
    }

    /// Shows a part of the state of the system, or why that is not possible.
    fn show(&mut self, part: impl FnOnce(&mut Self, &SystemInfo) -> Result<(), Error>) {
        // Out and in again, because showing needs the rest of the session.
        let system = core::mem::replace(&mut self.system, Err(CallError::BadReply));
        match &system {
            Ok(info) => {
                if let Err(error) = part(self, info) {
                    self.fail(format_args!("cannot read the state of the system: {error}"));
                }
            }
            Err(error) => self.fail(format_args!("state of the system: {error}")),
        }
        self.system = system;
    }

    fn help(&mut self) {
        let _ = heading(&mut self.terminal, "Commands");
        for entry in COMMANDS {
            let width = HELP_COLUMN - entry.name.len() - 3;
            self.print(format_args!(
                "  {} {:<width$}{}\n",
                entry.name, entry.arguments, entry.help
            ));
        }
        let _ = heading(&mut self.terminal, "Keys");
        for (keys, meaning) in [
            ("Tab", "complete the word, or list what fits"),
            ("Up, Down", "lines entered before"),
            ("Ctrl-A, Ctrl-E", "to the beginning, to the end"),
            ("Ctrl-U, Ctrl-K", "delete to the beginning, to the end"),
            ("Ctrl-W, Ctrl-L", "delete a word, clear the screen"),
            ("Ctrl-C", "give the line up; end the program that runs"),
        ] {
            let _ = row(
                &mut self.terminal,
                keys,
                Tone::Plain,
                format_args!("   {meaning}"),
            );
        }
    }

    fn date(&mut self, system: &SystemInfo) -> Result<(), Error> {
        match system.wall_seconds().map(Date::from_seconds) {
            Some(date) => self.print(format_args!("{date} UTC, by the firmware's clock\n")),
            None => self.print(format_args!("unknown: the firmware's clock does not say\n")),
        }
        Ok(())
    }

    fn power_off(&mut self, what: &str, restart: bool) {
        self.print(format_args!("{what}\n"));
        let _ = self.terminal.terminal.flush();
        let error = parent::power_off(restart);
        self.fail(format_args!("that failed: {error}"));
    }
}

/// Commands, and what they take: modules, processes, needs.
struct Words<'a>(Option<&'a SystemInfo>);

impl Candidates for Words<'_> {
    fn visit(&self, before: &str, visit: &mut dyn FnMut(&str)) {
        let mut words = before.split_ascii_whitespace();
        match (words.next().unwrap_or(""), words.next(), words.next()) {
            ("", ..) => COMMANDS.iter().for_each(|entry| visit(entry.name)),
            ("status", None, _) => visit("--boot"),
            ("tpm", None, _) => visit("quote"),
            ("vault", None, _) => WORDS.iter().for_each(|word| visit(word.name)),
            ("caps" | "kill" | "grant" | "revoke", None, _) => self.visit_processes(visit),
            ("grant" | "revoke", Some(_), None) => NAMES.iter().for_each(|need| visit(need)),
            ("run", None, _) => {
                let modules =
                    (0..).map_while(|index| self.0?.read::<ModuleInfo>(Topic::Module, index).ok());
                modules.for_each(|module| visit(module.name.as_str()));
            }
            _ => {}
        }
    }
}

impl Words<'_> {
    fn visit_processes(&self, visit: &mut dyn FnMut(&str)) {
        let Some(system) = self.0 else {
            return;
        };
        let _ = each(system, Topic::Process, 0, |info: ProcessInfo| {
            let mut number = log::Line::new();
            if write!(number, "{}", info.id).is_ok() {
                visit(number.as_str());
            }
        });
    }
}
