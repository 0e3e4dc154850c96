//! The desktop, as a person sees it: the screen from outside, keys and mouse through the PS/2 controller. What programs hear, they say on
//! the serial line.

use display::bar::{Bar, Facts};
use display::clock::Clock;
use display::trim::Pen;
use nonos_abi::date::Date;
use nonos_proto::display::theme;
use nonos_ui::Theme;
use nonos_ui::host::HostAtlas;
use nonos_ui::text::Writer;
use system_tests::desk::{
    COLOR, SIZE, at_prompt, click, content, launch, point_from_middle, press_and_see, type_text,
    with_window,
};
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::screen::Picture;
use system_tests::shell::row;
use system_tests::vault::{Seen, frames};
use xtask::qemu::MachineConfig;

/// Height of the trusted bar.
const BAR: usize = 28;
/// Height of a title.
const TITLE: usize = 34;

/// Ground of a window in the light and the dark theme.
const LIGHT: [u8; 3] = [0xF5, 0xF5, 0xF8];
const DARK: [u8; 3] = [0x1B, 0x1B, 0x20];
/// What is done, and what is done now, when the machine ends: colours of the dark theme.
const DONE: [u8; 3] = [0x6F, 0xD2, 0x95];
const NOW: [u8; 3] = [0x9F, 0xB0, 0xFF];
/// Ground and size of a terminal when it opens.
const TERMINAL_COLOR: [u8; 3] = [0x0D, 0x11, 0x17];
const TERMINAL: (usize, usize) = (760, 480);

/// Starts the settings, and waits until they show.
#[track_caller]
fn launch_settings(machine: &mut Machine) {
    launch(machine, "sett");
    machine.wait_until("the settings in dark colours", |machine| {
        ground_of_settings(machine) == DARK
    });
}

/// Colour of a place in the settings' window, beside where the launcher is.
fn ground_of_settings(machine: &mut Machine) -> [u8; 3] {
    let picture = machine.picture();
    picture.pixel(picture.width / 2 - 260, 330)
}

#[test]
fn settings_change_how_things_look_at_once() {
    let mut machine = at_prompt();
    launch_settings(&mut machine);
    // Past the pages to the first setting, the theme.
    machine.press(&["tab"]);
    machine.press(&["tab"]);
    machine.press(&["left"]);
    machine.wait_until("the settings in light colours", |machine| {
        ground_of_settings(machine) == LIGHT
    });
    // Twice as large there would be no room for them: frames and bar are, and all of the window is to be seen.
    machine.press(&["tab"]);
    machine.press(&["right"]);
    machine.wait_until(
        "all of the settings below a bar of twice the size",
        |machine| {
            let picture = machine.picture();
            let column = picture.width / 2 - 260;
            let rows: Vec<usize> = (0..picture.height)
                .filter(|&y| picture.pixel(column, y) == LIGHT)
                .collect();
            let window = rows.first().copied().zip(rows.last().copied());
            window.is_some_and(|(top, bottom)| top >= 2 * (BAR + TITLE) && bottom - top >= 560)
        },
    );
}

/// The right end of the bar, where the clock is, but for the lower edge.
fn right_end(width: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<[u8; 3]> {
    let places = (0..BAR - 1).flat_map(|y| (width - 110..width).map(move |x| (x, y)));
    places.map(|(x, y)| pixel(x, y)).collect()
}

/// Whether that shows the time of a second since 1970 in a zone, or none, as the host paints it.
fn shows_time(picture: &Picture, seconds: Option<u64>, zone: usize) -> bool {
    let mut clock = Clock::new(seconds);
    clock.set_zone(zone);
    let atlas = HostAtlas::new();
    let pen = Pen {
        writer: Writer(&atlas),
        theme: Theme::of(theme::DARK),
        scale: 1,
    };
    let facts = Facts {
        program: None,
        machine: display::state::Machine::default(),
        layout: "",
        clock: &clock,
    };
    let mut bar = Bar::default();
    bar.paint(&pen, picture.width as i32, &facts);
    let painted = right_end(picture.width, |x, y| {
        let [_, red, green, blue] = bar.strip.row(y as i32)[x].to_be_bytes();
        [red, green, blue]
    });
    painted == right_end(picture.width, |x, y| picture.pixel(x, y))
}

#[test]
fn the_bar_shows_the_time_of_the_zone_that_is_set() {
    const MIDNIGHT: Date = Date {
        year: 2026,
        month: 11,
        day: 27,
        hour: 0,
        minute: 0,
        second: 0,
    };
    let midnight = MIDNIGHT.seconds().expect("a date");
    let mut machine = at_prompt();
    let wait_for = |machine: &mut Machine, zone: usize| {
        machine.wait_until(&format!("the time of zone {zone}"), |machine| {
            let picture = machine.picture_with_clock();
            let now = midnight + machine.clock_seconds();
            // The system asked for the time when it started, in seconds.
            [now - 2, now + 2].map(|now| shows_time(&picture, Some(now), zone)) != [false; 2]
        });
    };
    wait_for(&mut machine, 0);
    launch_settings(&mut machine);
    // To the page of the time, to its list, and on to the second zone.
    for key in ["tab", "right", "tab", "down"] {
        press_and_see(&mut machine, &[key], 0);
    }
    wait_for(&mut machine, 1);
}

#[test]
fn a_clock_that_lost_its_power_is_not_believed() {
    let mut machine = Machine::start(MachineConfig {
        clock: Some("2000-01-01T00:00:00"),
        ..images::with_desktop().machine_without_tpm()
    });
    machine.expect_prompt();
    let said = machine.command("date");
    machine.check(said.contains("unknown"), &said);
    machine.wait_until("a bar without a clock", |machine| {
        shows_time(&machine.picture_with_clock(), None, 0)
    });
}

#[test]
fn the_launcher_starts_a_terminal_whose_shell_works_on_the_users_documents() {
    let mut machine = at_prompt();
    launch(&mut machine, "term");
    machine.wait_until("the terminal on the screen", |machine| {
        let bounds = machine.picture().bounds_of(TERMINAL_COLOR);
        bounds.map(|[left, top, right, bottom]| (right - left, bottom - top)) == Some(TERMINAL)
    });
    type_text(&mut machine, "write note from the desktop\n");
    machine.wait_until("the document that was written there", |machine| {
        machine.command("cat note").contains("from the desktop")
    });
    // What stands on the line above is selected, copied and pasted by keys: from "from" on, which the line's end is right of.
    type_text(&mut machine, "write twice ");
    press_and_see(&mut machine, &["ctrl", "shift", "up"], 0);
    press_and_see(&mut machine, &["ctrl", "shift", "left"], 0);
    press_and_see(&mut machine, &["ctrl", "shift", "spc"], 0);
    for _ in "from the desktop".chars() {
        press_and_see(&mut machine, &["ctrl", "shift", "right"], 0);
    }
    machine.press(&["ctrl", "shift", "c"]);
    press_and_see(&mut machine, &["ctrl", "v"], 0);
    type_text(&mut machine, "\n");
    machine.wait_until("the document with what was pasted", |machine| {
        machine.command("cat twice").trim() == "from the desktop"
    });
    // A shell whose terminal is gone ends, and the one on the serial line goes on.
    let terminal = machine.number_of("terminal");
    machine.command(&format!("kill {terminal}"));
    machine.wait_until("one shell, and no terminal", |machine| {
        let processes = machine.command("ps");
        (
            running(&processes, "terminal"),
            running(&processes, "shell"),
        ) == (0, 1)
    });
}

/// How many processes of a name run.
fn running(processes: &str, name: &str) -> usize {
    let lines = processes.lines();
    let of_name = lines.filter(|line| line.split_whitespace().nth(1) == Some(name));
    of_name.count()
}

#[test]
fn programs_end_with_the_compositor_and_the_desktop_comes_back() {
    let mut machine = at_prompt();
    let before = machine.picture();
    let desktop = machine.number_of("desktop");
    machine.command("run calculator &");
    machine.wait_until("the calculator on the screen", |machine| {
        machine.picture().changed_pixels(&before) != Some(0)
    });
    let compositor = machine.number_of("display");
    machine.command(&format!("kill {compositor}"));
    machine.wait_until("another desktop, and no calculator", |machine| {
        let processes = machine.command("ps");
        running(&processes, "calculator") == 0
            && running(&processes, "display") == 1
            && running(&processes, "desktop") == 1
            && machine.number_of("desktop") != desktop
    });
    machine.wait_until("the desktop as it was", |machine| {
        machine.picture().changed_pixels(&before) == Some(0)
    });
}

#[test]
fn a_window_gets_keys_and_pointer() {
    let (mut machine, (left, top)) = with_window();
    machine.press(&["a"]);
    machine.expect("key 0x4 0x0 a");
    machine.press(&["shift", "z"]);
    machine.expect("key 0x1d 0x1 Z");
    point_from_middle(&mut machine, (left + 30, top + 40));
    machine.left_button(true);
    machine.expect("pointer 30 40 1");
    machine.left_button(false);
}

#[test]
fn the_menu_turns_the_machine_off() {
    let (mut machine, _) = with_window();
    machine.keep_after_power_off();
    press_and_see(&mut machine, &["ctrl", "alt", "esc"], 0);
    // Round to the last choice.
    machine.press(&["up"]);
    machine.press(&["ret"]);
    machine.expect_event("SHUTDOWN");
    // The last picture: three steps are done, below them is the kernel's.
    let picture = machine.picture();
    let lines = |color| {
        let rows =
            (0..picture.height).map(|y| (0..picture.width).any(|x| picture.pixel(x, y) == color));
        let rows: Vec<bool> = rows.collect();
        rows.windows(2).filter(|rows| !rows[0] && rows[1]).count()
    };
    machine.check_equal(lines(DONE), 3, "steps that are shown as done");
    machine.check_equal(lines(NOW), 1, "steps that are shown as being done");
    machine.check(content(&picture).is_none(), "a window is still shown");
}

#[test]
fn a_window_is_moved_by_its_title_and_closed_by_its_button() {
    let (mut machine, (left, top)) = with_window();
    point_from_middle(&mut machine, (left + 60, top - TITLE / 2));
    machine.left_button(true);
    machine.point(-70, 35);
    machine.left_button(false);
    let moved = (left - 70, top + 35);
    machine.wait_until("the window where it was moved", |machine| {
        content(&machine.picture()) == Some(moved)
    });
    // From where it was taken to the button at its right end.
    machine.point(SIZE.0 as i64 - 60 - 15, 0);
    click(&mut machine);
    machine.expect("closed");
    machine.wait_until("no window on the screen", |machine| {
        machine.picture().bounds_of(COLOR).is_none()
    });
}

#[test]
fn windows_are_moved_sized_hidden_and_closed_by_keys() {
    /// Its colour after Alt, and when it has another size.
    const AFTER_ALT: [u8; 3] = [0x30, 0xE4, 0xA6];
    const SIZED: [u8; 3] = [0x30, 0x60, 0xA0];
    let (mut machine, (left, top)) = with_window();
    machine.press(&["alt", "f7"]);
    machine.press(&["right"]);
    machine.press(&["down"]);
    machine.wait_until("the window where keys moved it", |machine| {
        let bounds = machine.picture().bounds_of(AFTER_ALT);
        bounds.map(|[left, top, ..]| (left, top)) == Some((left + 16, top + 16))
    });
    machine.press(&["ret"]);
    machine.press(&["alt", "f8"]);
    machine.press(&["right"]);
    machine.expect("size 376 240");
    machine.press(&["down"]);
    machine.expect("size 376 256");
    machine.press(&["ret"]);
    for keys in [["meta_l", "left"], ["meta_l", "right"], ["meta_l", "up"]] {
        machine.press(&keys);
        machine.expect("size ");
        machine.press(&keys);
        machine.expect("size 376 256");
    }
    machine.wait_until("the window in its size", |machine| {
        machine.picture().bounds_of(SIZED).is_some()
    });
    // To the dock and back; there, round to its last icon, that of the window, which hides it and shows it again.
    machine.press(&["meta_l", "t"]);
    machine.expect("focus 0");
    machine.press(&["esc"]);
    machine.expect("focus 1");
    machine.press(&["meta_l", "t"]);
    machine.expect("focus 0");
    press_and_see(&mut machine, &["left"], 0);
    machine.press(&["ret"]);
    machine.wait_until("no window above the dock", |machine| {
        machine.picture().bounds_of(SIZED).is_none()
    });
    machine.press(&["spc"]);
    machine.expect("focus 1");
    machine.press(&["meta_l", "down"]);
    machine.expect("focus 0");
    machine.wait_until("no window on the screen", |machine| {
        machine.picture().bounds_of(SIZED).is_none()
    });
    for keys in [&["alt", "tab"][..], &["alt", "shift", "tab"]] {
        machine.press(keys);
        machine.expect("focus 1");
        machine.press(&["meta_l", "down"]);
        machine.expect("focus 0");
    }
    machine.press(&["alt", "tab"]);
    machine.expect("focus 1");
    machine.press(&["shift", "insert"]);
    machine.expect("pasted ");
    machine.press(&["alt", "f4"]);
    machine.expect("closed");
}

#[test]
fn the_secure_keys_open_a_menu_that_ends_a_program() {
    let (mut machine, _) = with_window();
    press_and_see(&mut machine, &["ctrl", "alt", "esc"], 0);
    machine.press(&["down"]);
    machine.press(&["ret"]);
    machine.wait_until("no window on the screen", |machine| {
        machine.picture().bounds_of(COLOR).is_none()
    });
    let output = machine.command("ps");
    machine.check_contains(&output, "dt-window ended: killed");
}

#[test]
fn what_a_program_that_keeps_secrets_frees_is_overwritten() {
    // Texts of `dt-freed`: two pieces, without what the allocator writes over. One of them may lie across frames that are apart.
    let pieces = |first: u8| -> [Vec<u8>; 2] {
        let letters = |from| (from..from + 64).map(|index| first + (index * index / 7 % 23) as u8);
        [32_usize, 160].map(|from| letters(from).collect())
    };
    let mut machine = at_prompt();
    machine.send("run dt-freed &\r");
    machine.expect("freed: done");
    let seen = Seen::look(&mut machine);
    for (what, first, copies) in [
        ("what was freed before it asked for that", b'A', 1),
        ("what the heap moved", b'a', 1),
        ("what was freed", b'!', 0),
        ("what it has", b'0', 1),
    ] {
        let found = pieces(first).map(|piece| seen.frames_with(&piece).len());
        let found = found.into_iter().max();
        machine.check_equal(found, Some(copies), &format!("{what}, copies in memory"));
    }
}

/// Whether the password is in memory of the program that keeps it.
fn is_known_to_the_manager(machine: &mut Machine, password: &str) -> bool {
    let seen = Seen::look(machine);
    let manager = seen.space_with(b"nonos vault-manager passwords v1");
    let pages = seen.spaces[manager].iter().filter(|page| page.user);
    let own: Vec<u64> = frames(pages).collect();
    // Its beginning alone would be overwritten where memory is given back.
    let found = seen.frames_with(&password.as_bytes()[10..]);
    found.iter().any(|frame| own.contains(frame))
}

#[test]
fn a_password_goes_from_the_vault_to_another_program_and_leaves_the_clipboard_and_the_memory() {
    let mut machine = at_prompt();
    launch(&mut machine, "term");
    machine.wait_until("the terminal on the screen", |machine| {
        let bounds = machine.picture().bounds_of(TERMINAL_COLOR);
        bounds.map(|[left, top, right, bottom]| (right - left, bottom - top)) == Some(TERMINAL)
    });
    let before = machine.picture();
    launch(&mut machine, "vault");
    machine.wait_until("the vault's window", |machine| {
        let changed = machine.picture().changed_pixels(&before);
        machine.command("ps").contains("vault-manager") && changed > Some(100_000)
    });
    machine.last_command("vault passphrase");
    for prompt in ["for none: ", "Again: "] {
        machine.expect(prompt);
        machine.send("tulip\r");
    }
    machine.expect("the passphrase is set");
    machine.expect_prompt();
    let before = machine.picture();
    let output = machine.command("vault lock");
    machine.check_contains(&output, "locked");
    // The screen is locked with the vault, and opened with it.
    machine.wait_until("the locked screen", |machine| {
        machine.picture().changed_pixels(&before) > Some(300_000)
    });
    type_text(&mut machine, "tulip\n");
    machine.wait_until("the open vault", |machine| {
        row(&machine.command("vault"), "State") == Some("open")
    });
    machine.wait_until("the vault's window", |machine| {
        machine.picture().changed_pixels(&before) < Some(5000)
    });

    press_and_see(&mut machine, &["ctrl", "n"], 1000);
    type_text(&mut machine, "mail");
    press_and_see(&mut machine, &["ctrl", "g"], 50);
    press_and_see(&mut machine, &["ctrl", "s"], 1000);
    press_and_see(&mut machine, &["ctrl", "c"], 50);
    press_and_see(&mut machine, &["alt", "tab"], 1000);
    type_text(&mut machine, "write first ");
    press_and_see(&mut machine, &["ctrl", "v"], 50);
    type_text(&mut machine, "\n");
    machine.wait_until("the password that was pasted", |machine| {
        !machine.command("cat first").contains("not found")
    });
    let password = machine.command("cat first");
    let password = password.trim();
    let is_made = password.len() == 20 && password.bytes().all(|byte| byte.is_ascii_alphanumeric());
    machine.check(is_made, &format!("no password: {password:?}"));
    machine.wait_until("the empty clipboard", |machine| {
        type_text(machine, "write later x");
        machine.press(&["ctrl", "v"]);
        type_text(machine, "\n");
        machine.command("cat later").trim() == "x"
    });

    let known = is_known_to_the_manager(&mut machine, password);
    machine.check(known, "the password is nowhere, while the vault is open");
    let output = machine.command("vault lock");
    machine.check_contains(&output, "locked");
    // Its program hears of the lock, and wipes then.
    machine.wait_until(
        "no password in memory while the vault is locked",
        |machine| !is_known_to_the_manager(machine, password),
    );
}
