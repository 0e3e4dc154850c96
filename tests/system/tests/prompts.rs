//! What the user must be able to trust: prompts, what was given through them, and the locked screen.

use system_tests::desk::{at_prompt, bar, launch, launch_and_see, press_and_see, type_text};
use system_tests::machine::Machine;

/// Colour of the window of `dt-asker`, and the same dimmed.
const COLOR: [u8; 3] = [0x60, 0x30, 0xA0];
const DIMMED: [u8; 3] = [0x30, 0x18, 0x50];
/// Ground of a window in the dark theme.
const DARK: [u8; 3] = [0x1B, 0x1B, 0x20];

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

/// Takes the first thing back that was given, in the settings.
fn take_back(machine: &mut Machine) {
    launch(machine, "sett");
    // A place in the settings' window, beside where the launcher is.
    machine.wait_until("the settings on the screen", |machine| {
        let picture = machine.picture();
        picture.pixel(picture.width / 2 + 290, picture.height / 2) == DARK
    });
    let settings = machine.number_of("settings");
    // To the pages, to that of the permissions, to its list, and to what takes back.
    for key in ["tab", "right", "right", "tab", "tab", "ret"] {
        press_and_see(machine, &[key], 0);
    }
    machine.command(&format!("kill {settings}"));
}

#[test]
fn a_program_gets_the_file_that_the_user_picks_and_no_other() {
    let mut machine = with_asker();
    ask(&mut machine, "o");
    machine.wait_until("nothing of the window as bright as before", |machine| {
        machine.picture().bounds_of(COLOR).is_none()
    });
    machine.press(&["ret"]);
    machine.expect("asker: file alpha holds \"of the user\"");
    machine.wait_until("what it wrote there", |machine| {
        machine.command("cat alpha").contains("by the asker")
    });
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
    machine.wait_until("what it wrote there", |machine| {
        machine.command("cat plan.txt").contains("by the asker")
    });
}

#[test]
fn a_folder_is_given_for_the_session_and_asked_for_once() {
    let mut machine = with_asker();
    machine.command("write note in the folder");
    ask(&mut machine, "f");
    // Past what is above the list, to how long, "this session", and the usual button.
    for key in ["tab", "tab", "tab", "right", "right", "tab"] {
        press_and_see(&mut machine, &[key], 0);
    }
    machine.press(&["ret"]);
    machine.expect("asker: folder Documents, note opened: true");
    wait_for_color(&mut machine, COLOR);
    machine.press(&["f"]);
    machine.expect("asker: folder Documents, note opened: true");
    let picture = machine.picture();
    machine.check(picture.bounds_of(DIMMED).is_none(), "it was asked again");
    // Another program of the module gets it, too, and a file only after a question.
    let asker = machine.number_of("dt-asker");
    machine.command(&format!("kill {asker}"));
    machine.send("run dt-asker &\r");
    machine.expect("asker: ready");
    wait_for_color(&mut machine, COLOR);
    machine.press(&["f"]);
    machine.expect("asker: folder Documents, note opened: true");
    ask(&mut machine, "o");
    machine.press(&["esc"]);
    machine.expect("asker: the user said no");
}

#[test]
fn a_key_is_used_as_the_user_allowed_and_no_more_when_it_is_taken_back() {
    const DENIED: &str = "the key is not for this use";
    let mut machine = with_asker();
    // Without a key of that kind the user can only say no.
    ask(&mut machine, "k");
    machine.press(&["ret"]);
    machine.press(&["esc"]);
    machine.expect("asker: no key: the user said no");
    machine.command("vault new letters hkdf");
    machine.command("vault new other ed25519");
    machine.command("vault new mail ed25519");
    ask(&mut machine, "k");
    machine.press(&["ret"]);
    machine.expect("asker: signed");
    for what in ["export", "derive", "wrap", "grant", "rotate", "destroy"] {
        machine.expect(&format!("asker: {what} denied: {DENIED}"));
    }
    machine.expect("asker: list denied: not granted");
    machine.expect("asker: lend denied: not granted");
    machine.expect("asker: wipe denied: not granted");
    machine.wait_until("what was done with the key that was suggested", |machine| {
        machine.command("vault log").contains("lend           done")
    });
    wait_for_color(&mut machine, COLOR);
    let before = bar(&machine.picture());
    take_back(&mut machine);
    wait_for_color(&mut machine, COLOR);
    machine.wait_until("the program with the keyboard", |machine| {
        bar(&machine.picture()) == before
    });
    machine.press(&["u"]);
    machine.expect("asker: cannot sign: the handle was revoked");
    // For the session: the module gets it again without a question. Past the list to how long, "this session", and the usual button.
    ask(&mut machine, "k");
    for key in ["tab", "right", "right", "tab"] {
        press_and_see(&mut machine, &[key], 0);
    }
    machine.press(&["ret"]);
    machine.expect("asker: signed");
    wait_for_color(&mut machine, COLOR);
    machine.press(&["k"]);
    machine.expect("asker: signed");
    machine.expect("asker: wipe denied");
    // What the power box gave ends with it.
    let powerbox = machine.number_of("powerbox");
    machine.command(&format!("kill {powerbox}"));
    machine.press(&["u"]);
    machine.expect("asker: cannot sign: the handle was revoked");
}

#[test]
fn a_program_pastes_when_the_user_allows_it_and_not_otherwise() {
    let mut machine = with_asker();
    let keyboard = bar(&machine.picture());
    machine.press(&["c"]);
    machine.expect("asker: copied");
    // The user says no, and the program hears of nothing.
    ask(&mut machine, "p");
    machine.picture().keep("booted-prompt-paste");
    machine.press(&["esc"]);
    wait_for_color(&mut machine, COLOR);
    machine.press(&["r"]);
    let said = machine.expect("asker: nothing was given");
    machine.check(!said.contains("pasted"), "it pasted");
    ask(&mut machine, "p");
    machine.press(&["ret"]);
    machine.expect("asker: pasted \"copied before\"");
    // Once was once. For the session, by what is before the button.
    ask(&mut machine, "p");
    for keys in [&["shift", "tab"][..], &["right"], &["right"], &["tab"]] {
        press_and_see(&mut machine, keys, 0);
    }
    machine.press(&["ret"]);
    machine.expect("asker: pasted");
    // In another program, by the menu of its text: all is selected and copied, and pasted when the user allows that.
    launch_and_see(&mut machine, "edit");
    type_text(&mut machine, "tea");
    for keys in [
        &["compose"][..],
        &["down"],
        &["ret"],
        &["compose"],
        &["down"],
    ] {
        press_and_see(&mut machine, keys, 0);
    }
    machine.picture().keep("booted-text-menu");
    for keys in [&["ret"][..], &["end"], &["compose"], &["ret"]] {
        press_and_see(&mut machine, keys, 0);
    }
    let before = bar(&machine.picture());
    machine.wait_until("the prompt with the keyboard", |machine| {
        bar(&machine.picture()) != before
    });
    for keys in [
        &["ret"][..],
        &["ctrl", "a"],
        &["compose"],
        &["down"],
        &["ret"],
    ] {
        press_and_see(&mut machine, keys, 0);
    }
    press_and_see(&mut machine, &["alt", "tab"], 1000);
    machine.press(&["p"]);
    machine.expect("asker: pasted \"teatea\"");
    let editor = machine.number_of("editor");
    machine.command(&format!("kill {editor}"));
    take_back(&mut machine);
    machine.wait_until("the program with the keyboard", |machine| {
        bar(&machine.picture()) == keyboard
    });
    ask(&mut machine, "p");
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

#[test]
fn the_user_takes_back_what_was_given_and_keeps_a_picture_of_the_screen() {
    let mut machine = with_asker();
    ask(&mut machine, "o");
    machine.press(&["ret"]);
    machine.expect("asker: file alpha");
    wait_for_color(&mut machine, COLOR);
    machine.press(&["n"]);
    machine.expect("asker: told");
    machine.press(&["r"]);
    machine.expect("asker: still there");
    let before = bar(&machine.picture());
    take_back(&mut machine);
    wait_for_color(&mut machine, COLOR);
    machine.wait_until("the program with the keyboard", |machine| {
        bar(&machine.picture()) == before
    });
    machine.press(&["r"]);
    machine.expect("asker: denied: the handle was revoked");
    // Back, the end of the program, the picture.
    press_and_see(&mut machine, &["ctrl", "alt", "esc"], 0);
    press_and_see(&mut machine, &["down"], 0);
    press_and_see(&mut machine, &["down"], 0);
    machine.press(&["ret"]);
    machine.wait_until("the picture among the documents", |machine| {
        machine.command("ls").contains("Screen 1.qoi")
    });
}

#[test]
fn the_vaults_passphrase_unlocks_the_screen_and_a_wrong_one_does_not() {
    let mut machine = with_asker();
    machine.send("vault passphrase\r");
    for question in ["for none: ", "Again: "] {
        machine.expect(question);
        machine.send("open\r");
    }
    machine.expect("the passphrase is set");
    machine.press(&["meta_l", "l"]);
    machine.wait_until("no window on the screen", |machine| {
        machine.picture().bounds_of(COLOR).is_none()
    });
    let vault = machine.command("vault");
    machine.check_contains(&vault, "locked");
    type_text(&mut machine, "wrong");
    type_text(&mut machine, "\n");
    let picture = machine.picture();
    machine.check(picture.bounds_of(COLOR).is_none(), "a wrong one unlocked");
    let tell = machine.command("ps");
    machine.check(!tell.contains("asker: heard"), "a key got through");
    machine.wait_until("that the try was counted and another is taken", |machine| {
        machine
            .command("vault")
            .contains("1 in a row; next try in 0.000 s")
    });
    type_text(&mut machine, "open");
    machine.press(&["ret"]);
    wait_for_color(&mut machine, COLOR);
}
