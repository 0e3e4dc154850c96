//! A program that tries what no program may, and says of each what came of it.
//!
//! Keys in its window choose the attempt. Some are made [at once](at_once), some [flood](floods) the compositor, and some begin when another window
//! gets the keyboard and go on until its own has it again ([`away`]). Whatever it hears meanwhile is an attack that succeeded.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod at_once;
mod away;
mod floods;

use core::hint::{black_box, spin_loop};

use away::Kind;
use desktop_clients::{Desk, Event, Window};
use nonos_proto::CallError;
use nonos_proto::display::event;
use nonos_proto::input::key_state;
use nonos_rt::syscall;

nonos_rt::entry!(main);

/// Its colour.
pub const COLOR: u32 = 0x90_2040;

fn main() -> u64 {
    u64::from(run().is_err())
}

fn run() -> Result<(), CallError> {
    let desk = Desk::connect()?;
    let window = desk.open(240, 120, "hostile", COLOR)?;
    let mut hostile = Hostile {
        desk,
        window,
        armed: None,
        away: true,
        tries: 0,
    };
    hostile.desk.say(format_args!("hostile: ready"));
    loop {
        let mut events = [None; 64];
        let mut count = 0;
        let take = |event| {
            if let Some(slot) = events.get_mut(count) {
                *slot = Some(event);
                count += 1;
            }
        };
        match hostile.attempt() {
            Some(kind) => {
                hostile.again(kind)?;
                hostile.desk.take(take)?;
            }
            None => hostile.desk.wait(take)?,
        }
        for event in events.into_iter().flatten() {
            hostile.hear(event)?;
        }
    }
}

struct Hostile {
    desk: Desk,
    window: Window,
    armed: Option<Kind>,
    /// Another window has the keyboard.
    away: bool,
    /// How often it tried since.
    tries: u64,
}

impl Hostile {
    /// What is to be attempted again and again now.
    fn attempt(&self) -> Option<Kind> {
        self.armed.filter(|_| self.away)
    }

    fn hear(&mut self, [first, a, b, c]: Event) -> Result<(), CallError> {
        match first & 0xFF {
            event::FOCUS => {
                self.away = a == 0;
                self.tries = 0;
                let now = if self.away { "away" } else { "back" };
                self.desk.say(format_args!("hostile: {now}"));
            }
            kind @ (event::KEY | event::POINTER | event::PASTE) if self.away => {
                self.desk
                    .say(format_args!("ATTACK SUCCEEDED: heard {kind} {a:#x} {b:#x}"));
            }
            event::KEY if b & 0xFF != key_state::UP => {
                let letter = u32::try_from(c).ok().and_then(char::from_u32);
                if let Some(letter) = letter.filter(char::is_ascii_lowercase) {
                    self.command(letter)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, letter: char) -> Result<(), CallError> {
        self.armed = Kind::of(letter);
        let desk = &mut self.desk;
        match letter {
            'b' => at_once::bar(desk)?,
            'p' => at_once::prompt(desk, &self.window),
            's' => at_once::services(desk),
            'g' => at_once::files(desk),
            'w' => at_once::windows_of_others(desk, self.window.surface.window),
            'm' => at_once::memory(desk)?,
            'h' => {
                desk.say(format_args!("hostile: hangs"));
                loop {
                    spin_loop();
                }
            }
            'x' => {
                desk.say(format_args!("hostile: crashes"));
                syscall::exit(fall(0));
            }
            'c' => at_once::clipboard(desk),
            'l' => floods::damage(desk)?,
            'd' => floods::presents(desk, &self.window, 5000)?,
            // What is left of its windows then nobody knows.
            'r' => {
                floods::messages(desk)?;
                desk.say(format_args!("hostile: did r"));
                syscall::exit(0);
            }
            _ => {}
        }
        self.desk.say(format_args!("hostile: did {letter}"));
        Ok(())
    }
}

/// Calls itself until its stack is full.
fn fall(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if room[0] == u64::MAX {
        return 0;
    }
    fall(depth + 1) + black_box(room)[1]
}

/// Says what came of an attempt.
fn verdict<T>(desk: &mut Desk, what: &str, result: Result<T, CallError>) {
    match result {
        Ok(_) => desk.say(format_args!("ATTACK SUCCEEDED: {what}")),
        Err(CallError::Refused(refusal)) => desk.say(format_args!("denied: {what}: {refusal}")),
        Err(error) => desk.say(format_args!(
            "ATTACK SUCCEEDED: {what} broke the compositor: {error}"
        )),
    }
}
