//! What the user must be able to trust: prompts, what was given through them, and the locked screen.

use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use system_tests::screen::Picture;

/// Colour of the window of `dt-asker`, and the same dimmed.
const COLOR: [u8; 3] = [0x60, 0x30, 0xA0];
const DIMMED: [u8; 3] = [0x30, 0x18, 0x50];
/// Height of the trusted bar.
const BAR: usize = 28;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::with_desktop().machine_without_tpm())
}

/// A machine with the window that asks, and two documents.
fn with_asker() -> Machine {
    let mut machine = at_prompt();
    machine.command("write alpha of the user");
    machine.command("write beta of no concern");
    machine.send("run dt-asker &\r");
    machine.expect("asker: ready");
    wait_for_color(&mut machine, COLOR);
    machine
}

#[track_caller]
fn wait_for_color(machine: &mut Machine, color: [u8; 3]) {
    machine.wait_until(&format!("{color:?} on the screen"), |machine| {
        machine.picture().bounds_of(color).is_some()
    });
}

/// What the bar says of the program with the keyboard.
fn bar(picture: &Picture) -> Vec<[u8; 3]> {
    let places = (0..BAR).flat_map(|y| (0..picture.width / 2).map(move |x| (x, y)));
    places.map(|(x, y)| picture.pixel(x, y)).collect()
}

/// Presses a key that has the program ask, and waits until the prompt has the keyboard.
#[track_caller]
fn ask(machine: &mut Machine, key: &str) {
    wait_for_color(machine, COLOR);
    let before = bar(&machine.picture());
    machine.press(&[key]);
    machine.expect("asker: asked");
    machine.wait_until("the prompt with the keyboard", |machine| {
        let picture = machine.picture();
        picture.bounds_of(DIMMED).is_some() && bar(&picture) != before
    });
}

#[test]
fn a_program_gets_the_file_that_the_user_picks_and_no_other() {
    let mut machine = with_asker();
    ask(&mut machine, "o");
    // Nothing of the window is as bright as before.
    let picture = machine.picture();
    machine.check(
        picture.bounds_of(COLOR).is_none(),
        "the window is not dimmed",
    );
    machine.press(&["ret"]);
    machine.expect("asker: file alpha holds \"of the user\"");
    let read = machine.command("cat alpha");
    machine.check_contains(&read, "by the asker");
    // The user says no.
    ask(&mut machine, "o");
    machine.press(&["esc"]);
    machine.expect("asker: the user said no");
    // What was given before is still there.
    wait_for_color(&mut machine, COLOR);
    machine.press(&["r"]);
    machine.expect("asker: still there");
    // There is an end to what a program can ask.
    machine.press(&["m"]);
    machine.expect("asker: refused: the service has no room for more");
    wait_for_color(&mut machine, COLOR);
    ask(&mut machine, "s");
    machine.press(&["ret"]);
    machine.expect("asker: file plan.txt holds \"\"");
    let read = machine.command("cat plan.txt");
    machine.check_contains(&read, "by the asker");
}

#[test]
fn the_screen_is_locked_and_no_program_hears_of_anything() {
    let mut machine = with_asker();
    machine.press(&["meta_l", "l"]);
    machine.wait_until("no window on the screen", |machine| {
        machine.picture().bounds_of(COLOR).is_none()
    });
    // The program that asks for the passphrase ends: the screen stays locked, and asks again.
    let lock = machine.number_of("lock");
    machine.command(&format!("kill {lock}"));
    machine.press(&["x"]);
    machine.wait_until("another program that unlocks", |machine| {
        machine.number_of("lock") != lock
    });
    let said = machine.command("ps");
    machine.check(!said.contains("asker: heard"), "a key got through");
    let picture = machine.picture();
    machine.check(picture.bounds_of(COLOR).is_none(), "the window shows");
    // Without a passphrase Enter unlocks.
    machine.wait_until("the desktop", |machine| {
        machine.press(&["ret"]);
        machine.picture().bounds_of(COLOR).is_some()
    });
}
