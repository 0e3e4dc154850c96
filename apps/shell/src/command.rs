//! The commands: one table for help, completion and parsing.

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
    "status" "[--boot]" "what protects this system, read from the machine now";
    "ps" "" "processes";
    "mem" "" "memory";
    "modules" "" "programs in the system image";
    "caps" "[PID]" "what a process holds; this shell when left out";
    "log" "" "the kernel's log";
    "run" "MODULE [&]" "start a program; Ctrl-C ends it, & runs it beside the shell";
    "kill" "PID" "end a program that this shell started with &";
    "uptime" "" "time since the kernel started";
    "echo" "TEXT" "show text";
    "clear" "" "clear the screen";
    "reboot" "" "restart the machine";
    "poweroff" "" "turn the machine off";
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
    /// `log`
    Log,
    /// `run`
    Run {
        /// Name of the module, as typed.
        module: &'a str,
        /// Do not wait for its end.
        beside: bool,
    },
    /// `kill`
    Kill(u64),
    /// `uptime`
    Uptime,
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
    let mut words = rest.split_ascii_whitespace();
    let arguments = (words.next(), words.next(), words.next());
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
        ("echo", _) => Command::Echo(rest.trim_start()),
        ("help", (None, ..)) => Command::Help,
        ("status", (None, ..)) => Command::Status,
        ("status", (Some("--boot"), None, _)) => Command::BootFigures,
        ("ps", (None, ..)) => Command::Processes,
        ("mem", (None, ..)) => Command::Memory,
        ("modules", (None, ..)) => Command::Modules,
        ("caps", (None, ..)) => Command::Capabilities(0),
        ("caps", (Some(process), None, _)) => Command::Capabilities(number(process)?),
        ("log", (None, ..)) => Command::Log,
        ("run", (Some(module), None, _)) if module != "&" => match module.strip_suffix('&') {
            Some(module) => Command::Run {
                module,
                beside: true,
            },
            None => Command::Run {
                module,
                beside: false,
            },
        },
        ("run", (Some(module), Some("&"), None)) => Command::Run {
            module,
            beside: true,
        },
        ("kill", (Some(process), None, _)) => Command::Kill(number(process)?),
        ("uptime", (None, ..)) => Command::Uptime,
        ("clear", (None, ..)) => Command::Clear,
        ("reboot", (None, ..)) => Command::Reboot,
        ("poweroff", (None, ..)) => Command::PowerOff,
        _ if COMMANDS.iter().any(|entry| entry.name == name) => return Err(usage()),
        _ => return Err(Mistake::Unknown(name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_table_is_understood() {
        for Entry {
            name, arguments, ..
        } in COMMANDS
        {
            let needed = arguments
                .split(' ')
                .find(|word| !word.starts_with('['))
                .unwrap_or("");
            let line = format!("{name} {}", if needed == "PID" { "7" } else { needed });
            assert!(parse(&line).is_ok(), "{line}");
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
        for wrong in [
            "status now",
            "caps x",
            "caps -1",
            "caps 0",
            "run",
            "run &",
            "run a b",
            "kill",
            "ps 1",
        ] {
            let name = wrong.split(' ').next().unwrap();
            assert_eq!(parse(wrong), Err(Mistake::Usage(name)), "{wrong}");
        }
        assert_eq!(parse("ls -l"), Err(Mistake::Unknown("ls")));
    }
}
