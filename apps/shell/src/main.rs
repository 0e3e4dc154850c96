//! The shell: an unprivileged program like any other.
//!
//! It reads lines from the console and does what they say with the handles that `init` gave it; it holds no
//! authority beyond those. [`session`] is the loop from prompt to command, [`inspect`] shows the state of
//! the system, [`supervise`] has `init` change it, [`programs`] runs modules, [`secrets`] asks the vault, [`files`] and [`edit`]
//! are for files, [`output`] is where commands write, [`typed`] keeps what was typed ahead.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod edit;
mod files;
mod inspect;
mod output;
mod programs;
mod secrets;
mod session;
mod supervise;
mod tpm;
mod typed;

nonos_rt::entry!(main);

fn main() -> u64 {
    // Without a console there is nobody to tell: the exit code is all. `init` logs it and starts the shell again.
    match session::Session::start() {
        Ok(mut session) => {
            let _ = session.run();
            1
        }
        Err(_) => 2,
    }
}
