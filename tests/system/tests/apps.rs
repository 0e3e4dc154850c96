//! Programs with windows on the booted system: they look as they do on the host, pixel by pixel, with the system's font service and
//! compositor between.

use calculator::Calculator;
use editor::Editor;
use editor::store::{File, Given, User};
use nonos_proto::CallError;
use nonos_proto::display::modifiers::CONTROL;
use nonos_proto::display::theme::DARK;
use nonos_ui::host::Stage;
use nonos_ui::input::usage;
use nonos_ui::window::Window;
use system_tests::desk::{at_prompt, bar, launch, launch_and_see, press_and_see, type_text};
use system_tests::machine::Machine;
use system_tests::screen::Picture;

/// Pixels that may differ: the corners of the window, which the compositor rounds.
const MOST: usize = 200;

/// How many pixels of a window differ from those of the screen, when it lies there.
fn differences(
    picture: &Picture,
    window: &Window,
    (left, top): (usize, usize),
    every: usize,
) -> usize {
    let (width, _) = window.size();
    let pixels = window.pixels().iter().enumerate().step_by(every);
    let differs = |&(index, &pixel): &(usize, &u32)| {
        let (x, y) = (index % width as usize, index / width as usize);
        let [_, red, green, blue] = pixel.to_be_bytes();
        picture.pixel(left + x, top + y) != [red, green, blue]
    };
    pixels.filter(differs).count()
}

/// Where the screen shows a window.
fn find(picture: &Picture, window: &Window) -> Option<(usize, usize)> {
    let (width, height) = window.size();
    let right = picture.width.checked_sub(width as usize)?;
    let bottom = picture.height.checked_sub(height as usize)?;
    let places = (0..=bottom).flat_map(|y| (0..=right).map(move |x| (x, y)));
    // A few pixels tell most places apart.
    places
        .filter(|&place| differences(picture, window, place, 1009) < 8)
        .find(|&place| differences(picture, window, place, 1) <= MOST)
}

#[track_caller]
fn wait_for(machine: &mut Machine, window: &Window) -> (usize, usize) {
    let mut place = None;
    machine.wait_until("the window as it is on the host", |machine| {
        place = find(&machine.picture(), window);
        place.is_some()
    });
    place.unwrap_or_default()
}

#[test]
fn the_calculator_looks_and_computes_as_on_the_host() {
    let mut machine = at_prompt();
    // The pointer is out of the way.
    machine.point(400, 0);
    let mut host = Stage::new(Calculator::default(), DARK, 1);
    machine.command("run calculator &");
    wait_for(&mut machine, &host.window);
    for (key, text) in [("7", "7"), ("slash", "/"), ("8", "8")] {
        machine.press(&[key]);
        host.write(text);
    }
    wait_for(&mut machine, &host.window);
    machine.press(&["ret"]);
    machine.press(&["tab"]);
    host.press(usage::ENTER, 0);
    host.press(usage::TAB, 0);
    assert_eq!(host.app.entry(), "0.875");
    wait_for(&mut machine, &host.window);
    machine.picture().keep("booted-calculator");
}

#[test]
fn programs_that_look_at_the_system_show_it() {
    let mut machine = at_prompt();
    for program in ["monitor", "security", "about"] {
        let before = machine.picture();
        machine.command(&format!("run {program} &"));
        machine.wait_until("a window", |machine| {
            let changed = machine.picture().changed_pixels(&before);
            changed.is_some_and(|changed| changed > 20_000)
        });
        machine.press(&["tab"]);
        machine.picture().keep(&format!("booted-{program}"));
    }
    let output = machine.command("ps");
    for program in ["monitor", "security", "about"] {
        machine.check(output.contains(program), "a program has ended");
    }
}

/// Nobody who could be asked for files.
struct Nobody;

const NO_FILES: CallError = CallError::BadReply;

impl File for Nobody {
    fn size(&self) -> Result<u64, CallError> {
        Err(NO_FILES)
    }

    fn read(&self, _: u64, _: &mut [u8]) -> Result<usize, CallError> {
        Err(NO_FILES)
    }

    fn write(&self, _: u64, _: &[u8]) -> Result<(), CallError> {
        Err(NO_FILES)
    }

    fn begin(&self) -> Result<(), CallError> {
        Err(NO_FILES)
    }

    fn commit(&self) -> Result<(), CallError> {
        Err(NO_FILES)
    }
}

impl User for Nobody {
    type File = Self;

    fn ask_open(&mut self) -> Result<u64, CallError> {
        Err(NO_FILES)
    }

    fn ask_save(&mut self, _: &str) -> Result<u64, CallError> {
        Err(NO_FILES)
    }

    fn answer(&mut self, _: u64) -> Result<Option<Given<Self>>, CallError> {
        Err(NO_FILES)
    }

    fn opened_with(&mut self) -> Result<Option<Given<Self>>, CallError> {
        Ok(None)
    }

    fn withdraw(&mut self, _: u64) {}
}

#[test]
fn the_editor_takes_accents_and_shows_them_as_on_the_host() {
    let mut machine = at_prompt();
    machine.point(400, 0);
    launch(&mut machine, "edit");
    let mut host = Stage::new(Editor::new(Nobody), DARK, 1);
    wait_for(&mut machine, &host.window);
    // The German keyboard is two layouts on.
    for _ in 0..2 {
        press_and_see(&mut machine, &["meta_l", "spc"], 0);
    }
    // Keys by what is on them in English: ä, and é by a dead key.
    type_text(&mut machine, "gr");
    press_and_see(&mut machine, &["bracket_left"], 0);
    type_text(&mut machine, "n");
    press_and_see(&mut machine, &["ret"], 0);
    press_and_see(&mut machine, &["apostrophe"], 0);
    machine.press(&["equal"]);
    press_and_see(&mut machine, &["e"], 0);
    host.write("grün");
    host.press(usage::ENTER, 0);
    host.write("äé");
    wait_for(&mut machine, &host.window);
    // Undone and done again.
    press_and_see(&mut machine, &["ctrl", "y"], 0);
    host.press(usage::A + 25, CONTROL);
    wait_for(&mut machine, &host.window);
    machine.picture().keep("booted-editor");
}

#[test]
fn files_shows_documents_as_they_come_and_names_moves_and_deletes_them() {
    let mut machine = at_prompt();
    machine.command("write note hello");
    launch_and_see(&mut machine, "files");
    let has = |machine: &mut Machine, name: &str, there: bool| {
        machine.wait_until(&format!("{name}, there: {there}"), |machine| {
            let listed = machine.command("ls");
            listed.lines().any(|line| {
                line.split_whitespace()
                    .any(|word| word.trim_end_matches('/') == name)
            }) == there
        });
    };
    // To the first one whose name begins so, which gets another.
    press_and_see(&mut machine, &["n"], 0);
    press_and_see(&mut machine, &["f2"], 0);
    type_text(&mut machine, "plan\n");
    has(&mut machine, "plan", true);
    has(&mut machine, "note", false);
    // A folder, and the document into it.
    press_and_see(&mut machine, &["ctrl", "n"], 0);
    type_text(&mut machine, "box\n");
    has(&mut machine, "box", true);
    press_and_see(&mut machine, &["p"], 0);
    press_and_see(&mut machine, &["ctrl", "x"], 0);
    press_and_see(&mut machine, &["b"], 0);
    press_and_see(&mut machine, &["ret"], 0);
    machine.press(&["ctrl", "v"]);
    machine.wait_until("the document in the folder", |machine| {
        machine.command("cat box/plan").contains("hello")
    });
    // What somebody else adds is seen without being asked for.
    let before = machine.picture();
    machine.command("write box/more text");
    machine.wait_until("another document in the window", |machine| {
        machine.picture().changed_pixels(&before) != Some(0)
    });
    machine.picture().keep("booted-files");
    // Back, and the folder with all that is in it is deleted after a question.
    press_and_see(&mut machine, &["backspace"], 0);
    press_and_see(&mut machine, &["delete"], 0);
    let kept = machine.command("cat box/plan");
    machine.check_contains(&kept, "hello");
    press_and_see(&mut machine, &["ret"], 0);
    has(&mut machine, "box", false);
}

/// Presses keys after which another window has the keyboard, and waits for that.
#[track_caller]
fn press_and_go(machine: &mut Machine, keys: &[&str]) {
    let before = bar(&machine.picture());
    machine.press(keys);
    machine.wait_until("another window with the keyboard", |machine| {
        bar(&machine.picture()) != before
    });
}

#[test]
fn a_text_is_saved_read_in_the_terminal_opened_from_files_and_the_machine_locked_and_turned_off() {
    let mut machine = at_prompt();
    launch_and_see(&mut machine, "edit");
    for _ in 0..2 {
        press_and_see(&mut machine, &["meta_l", "spc"], 0);
    }
    press_and_see(&mut machine, &["apostrophe"], 0);
    machine.press(&["equal"]);
    press_and_see(&mut machine, &["e"], 0);
    type_text(&mut machine, " text");
    // The system's dialog has the keyboard: the name is typed in place of the one that is suggested.
    press_and_go(&mut machine, &["ctrl", "s"]);
    type_text(&mut machine, "brief");
    machine.picture().keep("booted-editor-save");
    press_and_go(&mut machine, &["ret"]);
    machine.wait_until("the document", |machine| {
        machine.command("cat brief").contains("äé text")
    });
    // A shell in a terminal reads it, and what it read is in another document.
    launch_and_see(&mut machine, "term");
    type_text(&mut machine, "cat brief ");
    press_and_see(&mut machine, &["shift", "less"], 0);
    type_text(&mut machine, " copied\n");
    machine.wait_until("what the terminal read", |machine| {
        machine.command("cat copied").contains("äé text")
    });
    // Files opens it in an editor, which may write it.
    launch_and_see(&mut machine, "files");
    press_and_see(&mut machine, &["b"], 0);
    press_and_go(&mut machine, &["ret"]);
    press_and_see(&mut machine, &["x"], 0);
    machine.picture().keep("booted-editor-opened");
    machine.press(&["ctrl", "s"]);
    machine.wait_until("what was added to it", |machine| {
        machine.command("cat brief").contains("xäé text")
    });
    lock_and_unlock(&mut machine);
    machine.keep_after_power_off();
    press_and_see(&mut machine, &["ctrl", "alt", "esc"], 0);
    // Round to the last choice, which turns the machine off.
    machine.press(&["up"]);
    machine.press(&["ret"]);
    machine.expect_event("SHUTDOWN");
}

/// Locks the screen, sees that nothing of it is left, and unlocks it: with Enter, where there is no passphrase.
#[track_caller]
fn lock_and_unlock(machine: &mut Machine) {
    // More than a window has; and less, as Enters too many may reach what had the keyboard: each moves the line that it marks.
    const MANY: usize = 500_000;
    const FEW: usize = 100_000;
    let before = machine.picture();
    let changed = |machine: &mut Machine| machine.picture().changed_pixels(&before);
    machine.press(&["meta_l", "l"]);
    machine.wait_until("the locked screen", |machine| {
        changed(machine).is_some_and(|pixels| pixels > MANY)
    });
    machine.wait_until("the screen as it was", |machine| {
        machine.press(&["ret"]);
        changed(machine).is_some_and(|pixels| pixels < FEW)
    });
}

/// Where a part of one picture is found in another, which may lie up to so many pixels elsewhere.
fn found(picture: &Picture, part: &Picture, reach: i64) -> bool {
    let (left, top) = (part.width / 2 - 60, part.height / 2 - 100);
    let same = |right: i64, down: i64, step: usize| {
        (0..200).step_by(step).all(|y| {
            (0..240).step_by(step).all(|x| {
                let (x, y) = (left + x, top + y);
                let there = (x as i64 + right, y as i64 + down);
                picture.pixel(there.0 as usize, there.1 as usize) == part.pixel(x, y)
            })
        })
    };
    let places = (-reach..=reach).flat_map(|down| (-reach..=reach).map(move |right| (right, down)));
    places
        .filter(|&(right, down)| same(right, down, 37))
        .any(|(right, down)| same(right, down, 1))
}

#[test]
fn a_picture_of_the_screen_is_opened_from_files_in_the_viewer() {
    let mut machine = at_prompt();
    // The pointer is out of the way.
    machine.point(400, 300);
    for number in 1..=8 {
        machine.command(&format!("write note{number} text"));
    }
    launch_and_see(&mut machine, "files");
    let screen = machine.picture();
    // Past Back and the end of the program.
    press_and_see(&mut machine, &["ctrl", "alt", "esc"], 0);
    press_and_see(&mut machine, &["down"], 0);
    press_and_see(&mut machine, &["down"], 0);
    machine.press(&["ret"]);
    machine.wait_until("the picture among the documents", |machine| {
        machine.command("ls").contains("Screen 1.qoi")
    });
    machine.wait_until("the screen with the picture in the list", |machine| {
        machine
            .picture()
            .changed_pixels(&screen)
            .is_some_and(|changed| changed < 20_000)
    });
    press_and_see(&mut machine, &["s"], 0);
    press_and_go(&mut machine, &["ret"]);
    machine.press(&["0"]);
    machine.wait_until("the picture as large as it is", |machine| {
        found(&machine.picture(), &screen, 100)
    });
    machine.picture().keep("booted-viewer");
}
