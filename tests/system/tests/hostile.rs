//! What no program may do on the desktop, one test for each rule: a hostile program tries it beside an honest one. What the screen shows, what the
//! honest program hears and what the user's documents hold says whether it was denied.

use system_tests::desk::{
    COLOR, bar, content, launch_and_see, point_from_middle, press_and_see, type_text, with_window,
};
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use system_tests::screen::Picture;

/// Colour of the windows of `dt-hostile`, and that of `dt-asker`.
const HOSTILE: [u8; 3] = [0x90, 0x20, 0x40];
const ASKER: [u8; 3] = [0x60, 0x30, 0xA0];
/// What colours are behind a prompt: half as bright.
const DIMMED: [u8; 3] = [COLOR[0] / 2, COLOR[1] / 2, COLOR[2] / 2];
/// Colour of the line around a prompt, in the dark theme.
const ACCENT: [u8; 3] = [0x9F, 0xB0, 0xFF];
/// Height of the trusted bar.
const BAR: usize = 28;

/// A machine with an honest window, and a hostile one, which has the keyboard; and where the contents of the honest one are.
fn with_both() -> (Machine, (usize, usize)) {
    let (mut machine, place) = with_window();
    machine.send("run dt-hostile &\r");
    machine.expect("hostile: back");
    machine.wait_until("the hostile window", |machine| {
        machine.picture().bounds_of(HOSTILE).is_some()
    });
    (machine, place)
}

/// Has it try something; what it says of that.
#[track_caller]
fn attempt(machine: &mut Machine, key: &str) -> String {
    machine.press(&[key]);
    let said = machine.expect(&format!("hostile: did {key}"));
    machine.check(!said.contains("ATTACK SUCCEEDED"), &said);
    said
}

/// Gives the honest window the keyboard, and waits until the other has tried again and again.
#[track_caller]
fn leave(machine: &mut Machine) {
    machine.press(&["alt", "tab"]);
    machine.expect("hostile: away");
    machine.expect(" tries");
}

/// Waits until it has tried again since now. Whatever succeeded was said.
#[track_caller]
fn expect_denied(machine: &mut Machine) {
    for _ in 0..2 {
        machine.expect(" tries");
    }
    let said = machine.transcript();
    machine.check(!said.contains("ATTACK SUCCEEDED"), &said);
    machine.check_equal(
        said.matches("hostile: back").count(),
        1,
        "how often it had the keyboard",
    );
}

/// What the bar says of the machine: its right half.
fn state(picture: &Picture) -> Vec<[u8; 3]> {
    let places = (0..BAR).flat_map(|y| (picture.width / 2..picture.width).map(move |x| (x, y)));
    places.map(|(x, y)| picture.pixel(x, y)).collect()
}

#[test]
fn no_program_draws_over_the_trusted_bar() {
    let (mut machine, _) = with_both();
    let before = machine.picture();
    attempt(&mut machine, "b");
    let across = |picture: &Picture| {
        let bounds = picture.bounds_of(HOSTILE);
        bounds.is_some_and(|[left, _, right, _]| right - left == picture.width)
    };
    machine.wait_until("a window across the screen", |machine| {
        across(&machine.picture())
    });
    // The user moves it up, and makes it as large as it goes.
    for keys in [
        &["alt", "f7"][..],
        &["up"],
        &["up"],
        &["ret"],
        &["meta_l", "up"],
    ] {
        machine.press(keys);
        machine.command("echo more");
        let picture = machine.picture();
        let top = picture.bounds_of(HOSTILE).map_or(0, |[_, top, ..]| top);
        machine.check(top >= BAR, &format!("{HOSTILE:?} in line {top}"));
        machine.check(
            state(&picture) == state(&before),
            "the bar says something else of the machine",
        );
    }
}

#[test]
fn no_program_fakes_a_prompt() {
    let (mut machine, _) = with_both();
    let own = bar(&machine.picture());
    attempt(&mut machine, "p");
    // A prompt dims what is behind it, has a frame of the accent's colour, and nothing else hears of the pointer.
    machine.wait_until("its title in the bar", |machine| {
        bar(&machine.picture()) != own
    });
    let picture = machine.picture();
    machine.check(picture.bounds_of(DIMMED).is_none(), "windows are dimmed");
    machine.check(
        picture.bounds_of(COLOR).is_some(),
        "no window is to be seen",
    );
    let [left, top, ..] = picture.bounds_of(HOSTILE).unwrap_or([1; 4]);
    let frame = picture.pixel(left - 1, top + 20);
    machine.check(frame != ACCENT, "its frame is that of a prompt");
    machine.press(&["alt", "tab"]);
    machine.expect("hostile: away");
    machine.press(&["b"]);
    machine.expect("key 0x5 0x0 b");
}

#[test]
fn no_program_reads_or_changes_the_window_of_another() {
    let (mut machine, _) = with_both();
    attempt(&mut machine, "w");
    leave(&mut machine);
    // The honest window draws, changes its size and is closed, while the other looks for its pixels.
    machine.press(&["b"]);
    machine.expect("key 0x5 0x0 b");
    press_and_see(&mut machine, &["alt", "f8"], 0);
    machine.press(&["right"]);
    machine.expect("size ");
    expect_denied(&mut machine);
    machine.press(&["ret"]);
    machine.press(&["alt", "f4"]);
    machine.expect("closed");
    machine.expect("hostile: back");
    let said = machine.transcript();
    machine.check(!said.contains("ATTACK SUCCEEDED"), &said);
}

#[test]
fn no_program_hears_keys_or_pointer_that_are_for_another() {
    let (mut machine, (left, top)) = with_both();
    attempt(&mut machine, "k");
    leave(&mut machine);
    for (key, heard) in [
        ("p", "key 0x13 0x0 p"),
        ("w", "key 0x1a 0x0 w"),
        ("ret", "key 0x28 0x0 -"),
    ] {
        machine.press(&[key]);
        machine.expect(heard);
    }
    point_from_middle(&mut machine, (left + 30, top + 40));
    machine.left_button(true);
    machine.expect("pointer 30 40 1");
    machine.left_button(false);
    machine.turn_wheel(true);
    machine.expect("wheel 1");
    expect_denied(&mut machine);
    // What is for itself it hears.
    machine.press(&["alt", "tab"]);
    machine.expect("hostile: back");
    attempt(&mut machine, "q");
}

#[test]
fn no_program_keeps_the_keyboard_or_a_button_that_it_had() {
    let (mut machine, _) = with_both();
    attempt(&mut machine, "k");
    // A key and a button are down in its window when the user goes to the other one, and are released there.
    let [left, top, ..] = machine.picture().bounds_of(HOSTILE).unwrap_or_default();
    point_from_middle(&mut machine, (left + 30, top + 40));
    machine.hold("z", true);
    machine.expect("hostile: did z");
    machine.press(&["k"]);
    machine.expect("hostile: did k");
    machine.left_button(true);
    leave(&mut machine);
    machine.hold("z", true);
    machine.expect("key 0x1d 0x0 z");
    machine.hold("z", false);
    machine.push_mouse(3, 3);
    machine.left_button(false);
    machine.press(&["b"]);
    machine.expect("key 0x5 0x0 b");
    expect_denied(&mut machine);
}

#[test]
fn no_program_takes_the_keyboard() {
    let (mut machine, _) = with_both();
    attempt(&mut machine, "f");
    // After a line that was sent off the user does not type.
    machine.press(&["ret"]);
    leave(&mut machine);
    let before = bar(&machine.picture());
    for (key, heard) in [("p", "key 0x13 0x0 p"), ("ret", "key 0x28 0x0 -")] {
        expect_denied(&mut machine);
        machine.press(&[key]);
        machine.expect(heard);
    }
    expect_denied(&mut machine);
    let after = bar(&machine.picture());
    machine.check(after == before, "the bar names another");
}

#[test]
fn no_program_reads_or_changes_the_clipboard_without_the_user() {
    let (mut machine, _) = with_both();
    attempt(&mut machine, "c");
    leave(&mut machine);
    machine.press(&["ctrl", "c"]);
    machine.expect("copied");
    expect_denied(&mut machine);
    machine.press(&["ctrl", "v"]);
    machine.expect("pasted of the user");
    expect_denied(&mut machine);
    // With the keyboard it gets the text when the user pastes there, and not before.
    machine.press(&["alt", "tab"]);
    machine.expect("hostile: back");
    let said = attempt(&mut machine, "c");
    machine.check_contains(&said, "denied: pasting");
}

#[test]
fn no_program_opens_a_file_that_the_user_did_not_give_it() {
    let (mut machine, _) = with_both();
    machine.command("write alpha of the user");
    let said = attempt(&mut machine, "g");
    machine.check(said.matches("denied: ").count() >= 17, &said);
    // What the user gives another program is for that one, which gets the keyboard: a line that was sent off is no typing.
    machine.press(&["ret"]);
    machine.send("run dt-asker &\r");
    machine.expect("hostile: away");
    machine.wait_until("the window that asks", |machine| {
        machine.picture().bounds_of(ASKER).is_some()
    });
    let asker = bar(&machine.picture());
    machine.press(&["o"]);
    machine.expect("asker: asked");
    machine.wait_until("the prompt with the keyboard", |machine| {
        let picture = machine.picture();
        picture.bounds_of(ASKER).is_none() && bar(&picture) != asker
    });
    expect_denied(&mut machine);
    machine.press(&["ret"]);
    machine.expect("asker: file alpha holds \"of the user\"");
    expect_denied(&mut machine);
    let text = machine.command("cat alpha");
    machine.check_contains(&text, "by the asker");
}

/// The processes of the desktop's services.
fn services(machine: &mut Machine) -> [u64; 5] {
    let names = ["display", "desktop", "powerbox", "ps2", "framebuffer"];
    names.map(|name| machine.number_of(name))
}

#[test]
fn a_program_that_hangs_harms_nobody_and_is_ended_in_the_monitor() {
    let (mut machine, (left, top)) = with_both();
    let before = services(&mut machine);
    machine.press(&["h"]);
    machine.expect("hostile: hangs");
    // More than is kept for it, and then the honest window, by keys and by the pointer.
    for _ in 0..40 {
        (0..4).for_each(|_| machine.press(&["a"]));
        // The keyboard keeps few of them until the driver takes them.
        machine.command("echo more");
    }
    machine.press(&["alt", "tab"]);
    machine.expect("focus 1");
    machine.press(&["b"]);
    machine.expect("key 0x5 0x0 b");
    point_from_middle(&mut machine, (left + 30, top + 40));
    machine.left_button(true);
    machine.expect("pointer 30 40 1");
    machine.left_button(false);
    // Found by its name; Enter asks, and answers.
    launch_and_see(&mut machine, "moni");
    press_and_see(&mut machine, &["tab"], 0);
    type_text(&mut machine, "hos");
    for key in ["tab", "tab", "down", "ret"] {
        press_and_see(&mut machine, &[key], 0);
    }
    machine.picture().keep("booted-monitor-end");
    machine.press(&["ret"]);
    machine.wait_until("the end of what hangs", |machine| {
        machine.command("ps").contains("dt-hostile ended: killed")
    });
    let after = services(&mut machine);
    machine.check_equal(after, before, "the processes of the services");
    press_and_see(&mut machine, &["alt", "f4"], 0);
    machine.expect("focus 1");
    machine.press(&["c"]);
    machine.expect("key 0x6 0x0 c");
}

#[test]
fn a_program_that_crashes_takes_nothing_but_its_window_with_it() {
    let (mut machine, place) = with_both();
    let before = services(&mut machine);
    machine.press(&["x"]);
    machine.expect("hostile: crashes");
    machine.expect("focus 1");
    machine.wait_until("the honest window alone", |machine| {
        let picture = machine.picture();
        content(&picture) == Some(place) && picture.bounds_of(HOSTILE).is_none()
    });
    let said = machine.command("ps");
    machine.check_contains(&said, "dt-hostile ended by fault: page fault");
    machine.press(&["b"]);
    machine.expect("key 0x5 0x0 b");
    let after = services(&mut machine);
    machine.check_equal(after, before, "the processes of the services");
}

#[test]
fn five_thousand_presents_are_few_frames() {
    /// Instructions. A present is 2,600 of them; with a frame each time it would be 280,000.
    const MOST: u64 = 30_000_000;
    let config = images::with_desktop().machine_without_tpm();
    let mut machine = saved::counting_at_prompt(&config);
    machine.send("run dt-hostile &\r");
    machine.expect("hostile: back");
    let cost = machine.cost(|machine| {
        machine.press(&["d"]);
        machine.expect("hostile: did d");
    });
    machine.check(
        cost < MOST,
        &format!("{cost} instructions for 5000 presents"),
    );
}

#[test]
fn a_million_messages_and_floods_leave_the_desktop_healthy() {
    let (mut machine, place) = with_both();
    let before = services(&mut machine);
    let said: String = ["s", "m", "l", "r"]
        .map(|key| attempt(&mut machine, key))
        .concat();
    machine.check(said.matches("denied: ").count() >= 18, &said);
    // The honest window has the keyboard, or gets it by a click.
    machine.wait_until("the honest window alone", |machine| {
        content(&machine.picture()) == Some(place)
    });
    machine.press(&["b"]);
    machine.expect("key 0x5 0x0 b");
    let after = services(&mut machine);
    machine.check_equal(after, before, "the processes of the services");
}
