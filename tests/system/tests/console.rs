//! The console: serial line, keyboard and screen are one terminal, and the shell answers on it.

use nonos_abi::date::Date;
use system_tests::attack::{self, CPUS};
use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::saved;
use xtask::qemu::MachineConfig;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::system().machine_without_tpm())
}

#[test]
fn commands_typed_on_the_serial_line_are_answered() {
    let mut machine = at_prompt();
    for (command, answer) in [
        ("help", "poweroff"),
        ("status", "Secure Boot"),
        ("ps", "shell"),
        ("mem", "KiB"),
        ("modules", "console"),
        ("caps", "endpoint"),
        ("log", "init"),
        ("uptime", " s"),
        ("echo  some  words", "some  words"),
    ] {
        let output = machine.command(command);
        machine.check_contains(&output, answer);
    }
}

#[test]
fn the_date_is_that_of_the_firmwares_clock() {
    let config = MachineConfig {
        clock: Some("2028-02-28T23:59:00"),
        ..images::system().machine_without_tpm()
    };
    let mut machine = Machine::start(config);
    machine.expect_prompt();
    let said = machine.command("date");
    const START: Date = Date {
        year: 2028,
        month: 2,
        day: 28,
        hour: 23,
        minute: 59,
        second: 0,
    };
    // As long as the machine may have taken to boot.
    let seconds = START.seconds().expect("a date");
    let mut possible = (seconds..seconds + 3600).map(Date::from_seconds);
    let found = possible.any(|date| said.contains(&format!("{date} UTC")));
    assert!(found, "{said}");
}

#[test]
fn the_kernel_writes_its_log_to_no_serial_line_that_the_console_has() {
    const RUNS: usize = 5;
    for cpus in CPUS {
        let mut machine = attack::at_prompt(cpus);
        for _ in 0..RUNS {
            machine.command("run adv-null");
        }
        let said = machine.transcript();
        let ends = |text: &str| text.matches(") ended by a fault").count();
        machine.check_equal(ends(&said), 0, "lines of the log on the serial line");
        let log = machine.command("log");
        machine.check_equal(ends(&log), RUNS, "lines of the log in the log");
    }
}

#[test]
fn commands_typed_on_the_keyboard_are_answered() {
    let mut machine = at_prompt();
    let output = machine.keyboard_command("ps");
    machine.check_contains(&output, "shell");
    let output = machine.keyboard_command("echo Keys 19 WORK");
    machine.check_contains(&output, "Keys 19 WORK");
}

#[test]
fn both_inputs_write_the_same_line() {
    let mut machine = at_prompt();
    machine.send("echo one ");
    machine.expect("echo one ");
    for key in ["t", "w", "o"] {
        machine.press(&[key]);
        machine.expect(key);
    }
    machine.send("\r");
    let output = machine.expect(&format!("\n{PROMPT}"));
    machine.check_contains(&output, "one two");
}

#[test]
fn the_screen_shows_what_is_typed_and_answered() {
    let mut machine = at_prompt();
    let before = machine.picture();
    machine.check(before.drawn_pixels() > 200, "the screen is blank");
    machine.command("status");
    machine.wait_until("the answer on the screen", |machine| {
        machine
            .picture()
            .changed_pixels(&before)
            .is_some_and(|pixels| pixels > 2000)
    });
}

#[test]
fn a_line_can_be_corrected_and_recalled() {
    let mut machine = at_prompt();
    machine.send("echo abx");
    machine.expect("abx");
    machine.send("\x7fc\r");
    let output = machine.expect(&format!("\n{PROMPT}"));
    machine.check_contains(&output, "abc");
    machine.send("\x1b[A");
    machine.expect("echo abc");
    machine.send("\r");
    let output = machine.expect(&format!("\n{PROMPT}"));
    machine.check_contains(&output, "abc");
}

#[test]
fn a_line_can_be_corrected_and_recalled_on_the_keyboard() {
    let mut machine = at_prompt();
    machine.keyboard_command("echo abc");
    machine.press(&["up"]);
    machine.expect("echo abc");
    machine.press(&["backspace"]);
    machine.press(&["backspace"]);
    machine.press(&["z"]);
    machine.expect("z");
    machine.press(&["ret"]);
    let output = machine.expect(&format!("\n{PROMPT}"));
    machine.check_contains(&output, "az");
}

#[test]
fn a_line_can_be_given_up() {
    let mut machine = at_prompt();
    machine.send("poweroff");
    machine.expect("poweroff");
    machine.send("\x03");
    machine.expect(PROMPT);
    let output = machine.command("echo still on");
    machine.check_contains(&output, "still on");
}

#[test]
fn what_is_no_command_is_answered_with_its_name() {
    let mut machine = at_prompt();
    let output = machine.command("frobnicate now");
    machine.check_contains(&output, "frobnicate");
    let output = machine.command("run no-such-module");
    machine.check_contains(&output, "no-such-module");
}

#[test]
fn a_flood_of_input_does_no_harm() {
    let mut machine = at_prompt();
    for round in 0..20 {
        let noise: Vec<u8> = (0..400u32)
            .map(|i| (i * 37 + round * 101) as u8 % 95 + 32)
            .collect();
        machine.send(&String::from_utf8_lossy(&noise));
        machine.send("\x1b[Z\x1b[999;999H\x1b]\x1b[");
    }
    machine.send("\x03\x03");
    // Whatever the noise did, a new line is answered.
    machine.send("\x15echo after the flood\r");
    machine.expect("\nafter the flood\n");
    machine.expect(PROMPT);
    let output = machine.command("ps");
    machine.check_contains(&output, "shell");
}
