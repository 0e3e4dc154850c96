//! Keyboard and mouse of the booted desktop: both scan code sets, layouts, the wheel, and devices that are exchanged or send garbage while
//! the machine runs. What reaches a program, the program says on the serial line.

use system_tests::desk::{point_from_middle, with_window};
use system_tests::machine::Machine;
use system_tests::ps2::{self, Device};

/// A machine whose pointer is in the window that has the keyboard.
fn with_pointer_in_window() -> Machine {
    let (mut machine, (left, top)) = with_window();
    point_from_middle(&mut machine, (left + 30, top + 40));
    machine
}

/// What a program hears when the driver has turned a new keyboard on: no key is down any more.
#[track_caller]
fn expect_new_keyboard(machine: &mut Machine) {
    machine.expect("focus 0");
    machine.expect("focus 1");
}

/// The keys that differ between the sets: a letter, one with a modifier, one that sends more bytes than one.
#[track_caller]
fn expect_keys(machine: &mut Machine) {
    for (keys, heard) in [
        (&["a"][..], "key 0x4 0x0 a"),
        (&["shift", "z"], "key 0x1d 0x1 Z"),
        (&["up"], "key 0x52 0x0 -"),
        (&["f7"], "key 0x40 0x0 -"),
        (&["ctrl_r", "b"], "key 0x5 0x2 b"),
    ] {
        machine.press(keys);
        machine.expect(heard);
    }
}

/// Button and wheel, at a place in the window.
#[track_caller]
fn expect_mouse(machine: &mut Machine) {
    machine.left_button(true);
    machine.expect("pointer 30 40 1");
    machine.left_button(false);
    machine.expect("pointer 30 40 0");
    machine.turn_wheel(true);
    machine.expect("wheel 1");
    machine.turn_wheel(false);
    machine.expect("wheel -1");
}

/// Waits for a mouse that was plugged in: until the driver has turned it on it says nothing. Between two turns of the wheel a key is
/// pressed, whose line the same program writes: what the shell echoes could be torn by it.
#[track_caller]
fn wait_for_wheel(machine: &mut Machine) {
    let turns = |machine: &Machine| machine.transcript().matches("wheel 1").count();
    let before = turns(machine);
    machine.wait_until("a mouse that was turned on", |machine| {
        machine.turn_wheel(true);
        machine.press(&["a"]);
        machine.expect("key 0x4 0x0 a");
        turns(machine) > before
    });
}

/// Waits until the machine's clock says that half a second has gone by since.
#[track_caller]
fn rest(machine: &mut Machine) {
    let seconds = |machine: &mut Machine| {
        let said = machine.command("uptime");
        let number = said
            .split_whitespace()
            .find_map(|word| word.parse::<f64>().ok());
        number.unwrap_or_else(|| machine.fail(&format!("no time: {said}")))
    };
    let before = seconds(machine);
    machine.wait_until("half a second of the machine's time", |machine| {
        seconds(machine) > before + 0.5
    });
}

#[test]
fn a_keyboard_that_is_exchanged_works_at_once_in_either_scan_code_set() {
    let (mut machine, _) = with_window();
    expect_keys(&mut machine);
    // A key that was held when the keyboard went is not down any more, and its release says nothing.
    machine.hold("shift_r", true);
    machine.press(&["a"]);
    machine.expect("key 0x4 0x1 A");
    ps2::exchange(&mut machine, Device::Keyboard);
    expect_new_keyboard(&mut machine);
    expect_keys(&mut machine);
    machine.hold("shift_r", false);
    expect_keys(&mut machine);
    // Keys that send a Shift of their own are no keyboard that was plugged in.
    machine.press(&["print"]);
    machine.expect("key 0x46 0x0 -");
    machine.press(&["a"]);
    let said = machine.expect("key 0x4 0x0 a");
    machine.check(!said.contains("focus"), "a key was taken for a keyboard");

    ps2::exchange_keyboard(&mut machine, false);
    expect_new_keyboard(&mut machine);
    expect_keys(&mut machine);
    let translates = ps2::translates(&mut machine);
    machine.check(!translates, "it is set 1 again");
    machine.hold("ctrl", true);
    machine.press(&["b"]);
    machine.expect("key 0x5 0x2 b");
    ps2::exchange_keyboard(&mut machine, true);
    expect_new_keyboard(&mut machine);
    expect_keys(&mut machine);
    let translates = ps2::translates(&mut machine);
    machine.check(translates, "it is set 2 still");
}

#[test]
fn a_mouse_that_is_exchanged_works_with_its_wheel_and_no_button_stays_down() {
    let mut machine = with_pointer_in_window();
    expect_mouse(&mut machine);
    machine.left_button(true);
    machine.expect("pointer 30 40 1");
    ps2::exchange(&mut machine, Device::Mouse);
    machine.expect("pointer 30 40 0");
    machine.left_button(false);
    wait_for_wheel(&mut machine);
    expect_mouse(&mut machine);
    // One that is exchanged within a packet.
    ps2::send(&mut machine, Device::Mouse, &[0x08]);
    rest(&mut machine);
    ps2::exchange(&mut machine, Device::Mouse);
    wait_for_wheel(&mut machine);
    expect_mouse(&mut machine);
}

#[test]
fn garbage_of_one_device_harms_neither_driver_nor_other_input() {
    let mut machine = with_pointer_in_window();
    let driver = machine.number_of("ps2");
    let garbage = [0x00, 0xFF, 0xFE, 0xFC, 0x7F, 0xEE, 0xFA, 0xE0, 0xE0, 0xE1];
    ps2::send(&mut machine, Device::Keyboard, &garbage);
    expect_mouse(&mut machine);
    rest(&mut machine);
    expect_keys(&mut machine);
    // A packet without its end, as long as nothing follows.
    let garbage = [0x00, 0xFF, 0x08, 0x00, 0x00, 0x00, 0x07, 0x08];
    ps2::send(&mut machine, Device::Mouse, &garbage);
    expect_keys(&mut machine);
    rest(&mut machine);
    machine.turn_wheel(false);
    machine.expect("wheel -1");
    expect_mouse(&mut machine);
    let now = machine.number_of("ps2");
    machine.check_equal(now, driver, "the driver's process");
}

#[test]
fn each_layout_types_its_characters_and_accents_into_a_program() {
    let (mut machine, _) = with_window();
    let layouts: [&[(&[&str], &str)]; 5] = [
        &[
            (&["y"], "key 0x1c 0x0 y"),
            (&["bracket_left"], "key 0x2f 0x0 ["),
            (&["shift", "2"], "key 0x1f 0x1 @"),
        ],
        &[
            (&["shift", "3"], "key 0x20 0x1 £"),
            (&["alt_r", "4"], "key 0x21 0x0 €"),
            (&["less"], "key 0x64 0x0 \\"),
        ],
        &[
            (&["y"], "key 0x1c 0x0 z"),
            (&["bracket_left"], "key 0x2f 0x0 ü"),
            (&["alt_r", "q"], "key 0x14 0x0 @"),
            (&["equal"], "key 0x2e 0x0 -"),
            (&["e"], "key 0x8 0x0 é"),
        ],
        &[
            (&["q"], "key 0x14 0x0 a"),
            (&["2"], "key 0x1f 0x0 é"),
            (&["alt_r", "e"], "key 0x8 0x0 €"),
            (&["bracket_left"], "key 0x2f 0x0 -"),
            (&["e"], "key 0x8 0x0 ê"),
            (&["shift", "bracket_left"], "key 0x2f 0x1 -"),
            (&["i"], "key 0xc 0x0 ï"),
        ],
        &[
            (&["semicolon"], "key 0x33 0x0 ñ"),
            (&["alt_r", "2"], "key 0x1f 0x0 @"),
            (&["apostrophe"], "key 0x34 0x0 -"),
            (&["a"], "key 0x4 0x0 á"),
            (&["alt_r", "4"], "key 0x21 0x0 -"),
            (&["n"], "key 0x11 0x0 ñ"),
        ],
    ];
    for layout in layouts {
        for (keys, heard) in layout {
            machine.press(keys);
            machine.expect(heard);
        }
        machine.press(&["meta_l", "spc"]);
    }
    // Round to the first one.
    machine.press(&["y"]);
    machine.expect("key 0x1c 0x0 y");
}
