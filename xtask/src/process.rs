//! Running other programs: where they are, what is said while they work, how their failure reads.

use std::env;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Says on standard error what is going on now.
pub fn progress(text: impl std::fmt::Display) {
    if stderr().is_terminal() {
        eprintln!("\x1b[1;36mxtask:\x1b[0m {text}");
    } else {
        eprintln!("xtask: {text}");
    }
}

/// Where a program is. Debian keeps some in `sbin`, which is not on every user's path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// A command for a program that [`crate::packages`] sees to.
///
/// # Errors
/// When the program is not there.
pub fn program(name: &str) -> Result<Command> {
    match find_program(name) {
        Some(file) => Ok(Command::new(file)),
        None => bail!("{name} is not installed: `cargo xtask setup` says what is missing"),
    }
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Runs a command with this process's input and output.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let name = name_of(command);
    let status = command.status().with_context(|| format!("start {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Runs a command silently; what it printed is part of the error when it fails. Returns its standard output.
///
/// # Errors
/// When it cannot be started or fails.
pub fn capture(command: &mut Command) -> Result<String> {
    let name = name_of(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{name} failed ({}): {} {}",
            output.status,
            text.trim(),
            said.trim()
        );
    }
    Ok(text)
}

/// The same command as a child that is killed when the thread that starts it ends, however that ends: nobody else would end a machine
/// whose test was killed. To be called before input, output and environment are set, which are not taken over.
pub fn tied(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL", "--"]);
    tied.arg(command.get_program()).args(command.get_args());
    tied
}

fn name_of(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;
    use std::thread;

    use super::*;

    #[test]
    fn a_tied_child_is_killed_with_the_thread_that_started_it() {
        let start = || {
            let mut sleep = Command::new("sh");
            sleep.args(["-c", "echo; exec sleep 600"]);
            let mut child = tied(&sleep).stdout(Stdio::piped()).spawn().unwrap();
            // When it says something it is tied.
            let mut said = [0];
            child
                .stdout
                .as_mut()
                .unwrap()
                .read_exact(&mut said)
                .unwrap();
            child
        };
        let mut child = thread::spawn(start).join().unwrap();
        const SIGKILL: i32 = 9;
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));
    }
}
