//! The commands: one table for help, completion and parsing.

use crate::pipeline::words;

/// A command's line in the table.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, for people.
    pub arguments: &'static str,
    /// What it does.
    pub help: &'static str,
}

macro_rules! commands {
    ($($name:literal $arguments:literal $help:literal;)+) => {
        /// All commands, in the order of the help.
        pub const COMMANDS: &[Entry] =
            &[$(Entry { name: $name, arguments: $arguments, help: $help },)+];
    };
}

commands! {
    "help" "" "this list";
    "status" "[--mitigations]" "what protects this system, read at this moment";
    "ps" "" "processes";
    "mem" "" "memory";
    "modules" "" "programs in the system image";
    "services" "" "what the system runs itself, and how it is";
    "caps" "[PID]" "what a process holds; this shell when left out";
    "grant" "PID NEED [SECONDS]" "allow a program what its manifest asks for";
    "revoke" "PID NEED" "take back what a process was given for a need";
    "audit" "" "system calls that were denied, the newest last";
    "log" "" "the kernel's log";
    "tpm" "[quote [NONCE]]" "the TPM, and whether its log fits; a quote in hex";
    "run" "MODULE [&]" "start a program; Ctrl-C ends it, & runs it beside";
    "kill" "PID" "end a process; a service starts again";
    "vault" "[WHAT ...]" "keys that programs use and do not see; vault help";
    "ls" "[DIRECTORY]" "files and directories, with their sizes";
    "cat" "FILE" "show a file";
    "cp" "FROM TO" "copy a file, into a directory or under a name";
    "mv" "FROM TO" "move or rename a file or directory";
    "rm" "FILE" "remove a file or an empty directory";
    "mkdir" "DIRECTORY" "make a directory";
    "write" "FILE TEXT" "make a file of one line; | write FILE takes any";
    "edit" "FILE" "change a file line by line";
    "hash" "FILE" "BLAKE3 of a file";
    "df" "" "how much is stored, and may be";
    "tree" "[DIRECTORY]" "all that is in a directory and below it";
    "find" "TEXT" "files and directories with this in their name";
    "uptime" "" "time since the kernel started";
    "date" "" "date and time, by the firmware's clock";
    "echo" "TEXT" "show text";
    "clear" "" "clear the screen";
    "reboot" "" "restart the machine";
    "poweroff" "" "turn the machine off";
}

/// A command for files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileCommand<'a> {
    /// `ls`, of the shell's own directory when the name is empty
    List(&'a str),
    /// `cat`
    Show(&'a str),
    /// `cp`
    Copy(&'a str, &'a str),
    /// `mv`
    Move(&'a str, &'a str),
    /// `rm`
    Remove(&'a str),
    /// `mkdir`
    MakeDirectory(&'a str),
    /// `write`, with its text
    Write(&'a str, &'a str),
    /// `edit`
    Edit(&'a str),
    /// `hash`
    Hash(&'a str),
    /// `df`
    Usage,
    /// `tree`, of the shell's own directory when the name is empty
    Tree(&'a str),
    /// `find`
    Find(&'a str),
}

/// A command with its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// Nothing was typed.
    Nothing,
    /// `help`
    Help,
    /// `status`
    Status,
    /// `status --mitigations`
    Mitigations,
    /// `status --boot`
    BootFigures,
    /// `ps`
    Processes,
    /// `mem`
    Memory,
    /// `modules`
    Modules,
    /// `caps`, with a process number or 0 for the shell
    Capabilities(u64),
    /// `services`
    Services,
    /// `grant`
    Grant {
        /// To whom.
        process: u64,
        /// Name of the need, as typed.
        need: &'a str,
        /// For how long; 0 for as long as it runs.
        seconds: u64,
    },
    /// `revoke`
    Revoke {
        /// From whom.
        process: u64,
        /// Name of the need, as typed.
        need: &'a str,
    },
    /// `audit`
    Audit,
    /// `log`
    Log,
    /// `tpm`
    Tpm,
    /// `tpm quote`, with the nonce as typed
    TpmQuote(&'a str),
    /// `run`
    Run {
        /// Name of the module, as typed.
        module: &'a str,
        /// Do not wait for its end.
        beside: bool,
    },
    /// `kill`
    Kill(u64),
    /// `vault`, with what stands behind it
    Vault(&'a str),
    /// One of those for files.
    File(FileCommand<'a>),
    /// `uptime`
    Uptime,
    /// `date`
    Date,
    /// `echo`
    Echo(&'a str),
    /// `clear`
    Clear,
    /// `reboot`
    Reboot,
    /// `poweroff`
    PowerOff,
}

/// Why a line is no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mistake<'a> {
    /// There is no command of this name.
    Unknown(&'a str),
    /// The command takes other arguments.
    Usage(&'static str),
}

/// Reads a line.
pub fn parse(line: &str) -> Result<Command<'_>, Mistake<'_>> {
    let line = line.trim();
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut words = words(rest);
    let arguments = (words.next(), words.next(), words.next(), words.next());
    let usage = || {
        Mistake::Usage(
            COMMANDS
                .iter()
                .find(|entry| entry.name == name)
                .map_or("", |e| e.name),
        )
    };
    let number = |word: &str| {
        word.parse()
            .ok()
            .filter(|&number| number != 0)
            .ok_or_else(usage)
    };
    Ok(match (name, arguments) {
        ("", _) => Command::Nothing,
        ("echo", _) => Command::Echo(unquoted(rest.trim_start())),
        ("help", (None, ..)) => Command::Help,
        ("status", (None, ..)) => Command::Status,
        ("status", (Some("--mitigations"), None, ..)) => Command::Mitigations,
        ("status", (Some("--boot"), None, ..)) => Command::BootFigures,
        ("ps", (None, ..)) => Command::Processes,
        ("mem", (None, ..)) => Command::Memory,
        ("modules", (None, ..)) => Command::Modules,
        ("caps", (None, ..)) => Command::Capabilities(0),
        ("services", (None, ..)) => Command::Services,
        ("caps", (Some(process), None, ..)) => Command::Capabilities(number(process)?),
        ("grant", (Some(process), Some(need), seconds, None)) => Command::Grant {
            process: number(process)?,
            need,
            seconds: seconds.map_or(Ok(0), number)?,
        },
        ("revoke", (Some(process), Some(need), None, _)) => Command::Revoke {
            process: number(process)?,
            need,
        },
        ("audit", (None, ..)) => Command::Audit,
        ("log", (None, ..)) => Command::Log,
        ("tpm", (None, ..)) => Command::Tpm,
        ("tpm", (Some("quote"), nonce, None, _)) => Command::TpmQuote(nonce.unwrap_or("")),
        ("run", (Some(module), None, ..)) if module != "&" => match module.strip_suffix('&') {
            Some(module) => Command::Run {
                module,
                beside: true,
            },
            None => Command::Run {
                module,
                beside: false,
            },
        },
        ("run", (Some(module), Some("&"), None, _)) => Command::Run {
            module,
            beside: true,
        },
        ("kill", (Some(process), None, ..)) => Command::Kill(number(process)?),
        ("vault", _) => Command::Vault(rest.trim_start()),
        ("ls", (path, None, ..)) => Command::File(FileCommand::List(path.unwrap_or(""))),
        ("cat", (Some(path), None, ..)) => Command::File(FileCommand::Show(path)),
        ("cp", (Some(from), Some(to), None, _)) => Command::File(FileCommand::Copy(from, to)),
        ("mv", (Some(from), Some(to), None, _)) => Command::File(FileCommand::Move(from, to)),
        ("rm", (Some(path), None, ..)) => Command::File(FileCommand::Remove(path)),
        ("mkdir", (Some(path), None, ..)) => Command::File(FileCommand::MakeDirectory(path)),
        ("write", (Some(path), Some(_), ..)) => {
            Command::File(FileCommand::Write(path, after_word(rest)))
        }
        ("edit", (Some(path), None, ..)) => Command::File(FileCommand::Edit(path)),
        ("hash", (Some(path), None, ..)) => Command::File(FileCommand::Hash(path)),
        ("df", (None, ..)) => Command::File(FileCommand::Usage),
        ("tree", (path, None, ..)) => Command::File(FileCommand::Tree(path.unwrap_or(""))),
        ("find", (Some(text), None, ..)) => Command::File(FileCommand::Find(text)),
        ("uptime", (None, ..)) => Command::Uptime,
        ("date", (None, ..)) => Command::Date,
        ("clear", (None, ..)) => Command::Clear,
        ("reboot", (None, ..)) => Command::Reboot,
        ("poweroff", (None, ..)) => Command::PowerOff,
        _ if COMMANDS.iter().any(|entry| entry.name == name) => return Err(usage()),
        _ => return Err(Mistake::Unknown(name)),
    })
}

/// What follows the first word of a text, without the quotes around all of it.
fn after_word(text: &str) -> &str {
    let text = text.trim_start();
    let rest = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map_or("", |(_, rest)| rest),
        None => text.split_once(' ').map_or("", |(_, rest)| rest),
    };
    unquoted(rest.trim_start())
}

/// A text without the quotes around all of it.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

/// Columns of the help before the text.
pub const HELP_COLUMN: usize = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_in_80_columns() {
        for entry in COMMANDS {
            let usage = 2 + entry.name.len() + 1 + entry.arguments.len();
            assert!(usage < HELP_COLUMN, "{}", entry.name);
            assert!(HELP_COLUMN + entry.help.len() < 80, "{}", entry.name);
        }
    }

    #[test]
    fn every_command_of_the_table_is_understood() {
        for Entry {
            name, arguments, ..
        } in COMMANDS
        {
            let sample = |word: &str| match word.trim_matches(['[', ']']) {
                "PID" | "SECONDS" => "7".to_owned(),
                word => word.to_owned(),
            };
            let words: Vec<_> = arguments.split(' ').map(sample).collect();
            let needed = arguments
                .split(' ')
                .filter(|word| !word.starts_with('['))
                .count();
            for count in needed..=words.len() {
                let line = format!("{name} {}", words[..count].join(" "));
                assert!(parse(&line).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn arguments_are_checked() {
        assert_eq!(parse("  "), Ok(Command::Nothing));
        assert_eq!(parse(" echo  a  b "), Ok(Command::Echo("a  b")));
        assert_eq!(parse("status --boot"), Ok(Command::BootFigures));
        assert_eq!(parse("caps 3"), Ok(Command::Capabilities(3)));
        assert_eq!(
            parse("run x"),
            Ok(Command::Run {
                module: "x",
                beside: false
            })
        );
        assert_eq!(parse("run x &"), parse("run x&"));
        let (process, need) = (7, "power");
        assert_eq!(
            parse("grant 7 power"),
            Ok(Command::Grant {
                process,
                need,
                seconds: 0
            })
        );
        assert_eq!(
            parse("grant 7 power 30"),
            Ok(Command::Grant {
                process,
                need,
                seconds: 30
            })
        );
        assert_eq!(
            parse("revoke 7 power"),
            Ok(Command::Revoke { process, need })
        );
        for wrong in [
            "status now",
            "caps x",
            "caps -1",
            "caps 0",
            "run",
            "run &",
            "run a b",
            "kill",
            "kill console",
            "ps 1",
            "grant",
            "grant 7",
            "grant x power",
            "grant 7 power 0",
            "grant 7 power soon",
            "grant 7 power 5 6",
            "grant 7 power 99999999999999999999",
            "revoke 7",
            "revoke 7 power now",
            "audit 5",
            "tpm status",
            "tpm quote aa bb",
            "services console",
            "ls a b",
            "cat",
            "cp a",
            "mv a b c",
            "write a",
            "df a",
        ] {
            let name = wrong.split(' ').next().unwrap();
            assert_eq!(parse(wrong), Err(Mistake::Usage(name)), "{wrong}");
        }
        assert_eq!(parse("dir -l"), Err(Mistake::Unknown("dir")));
        assert_eq!(parse("echo \"a | b\""), Ok(Command::Echo("a | b")));
        let file = |command| Ok(Command::File(command));
        let written = FileCommand::Write("a b", "c  d");
        assert_eq!(parse("write \"a b\"  c  d"), file(written));
        assert_eq!(parse("write \"a b\" \"c  d\""), file(written));
        assert_eq!(parse("ls"), file(FileCommand::List("")));
        assert_eq!(parse("mv a b"), file(FileCommand::Move("a", "b")));
    }
}
