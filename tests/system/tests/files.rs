//! The file system and the shell's commands for it: what is stored, what a dump of memory shows of it, and what is left when the
//! service ends.

use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::saved;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::system().machine_without_tpm())
}

/// Runs commands and expects each to show this, or nothing when that is empty.
#[track_caller]
fn expect_all(machine: &mut Machine, session: &[(&str, &str)]) {
    for (line, shown) in session {
        let output = machine.command(line);
        if shown.is_empty() {
            machine.check_equal(output.trim(), "", line);
        } else {
            machine.check_contains(&output, shown);
        }
    }
}

fn blake3(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[test]
fn the_commands_for_files_do_what_they_say() {
    let mut machine = at_prompt();
    let hash = blake3("first line\nsecond line\n");
    expect_all(
        &mut machine,
        &[
            ("ls", ""),
            ("write a first line", ""),
            ("echo second line >> a", ""),
            ("cat a", "first line\nsecond line"),
            ("hash a", &format!("{hash}  a")),
            ("cat a | hash", &hash),
            ("hash < a > h", ""),
            ("cat h", &hash),
            ("mkdir d", ""),
            ("mkdir d/e", ""),
            ("cp a d/e", ""),
            ("mv h d/renamed", ""),
            ("ls d", "        65  renamed"),
            ("ls", " directory  d/"),
            ("tree", "   directory  e/\n            23  a"),
            ("find name", "d/renamed"),
            ("ps | write d/list", ""),
            ("cat d/list", "console"),
            ("mv d/e d/e", "cannot be moved into itself"),
            ("mv d d/e", "cannot be moved into itself"),
            ("rm d", "the directory is not empty"),
            ("rm d/e/a", ""),
            ("rm d/e", ""),
            ("cat d/e", "not found"),
            ("cat d", "it is a directory"),
            ("ls a", "it is a file"),
            ("mkdir d", "there is something of this name already"),
            ("cp a d/list", "is there already"),
            ("cat ../a", "not a name"),
            ("cat /a", "not a name"),
            ("ls | ps", "ps reads from no pipe"),
            ("ls >", "one file name is needed"),
            ("write \"two words\" \"x > y\"", ""),
            ("cat \"two words\"", "x > y"),
            ("df", "stored"),
        ],
    );
    // What `ps` colours on the screen is plain in the file.
    let output = machine.command("cat d/list | hash");
    machine.check(!output.contains('\x1B'), &output);
    for line in [
        "edit a", "c 2", "changed", ".", "i 1", "zeroth", ".", "d 2", "l", "w", "q",
    ] {
        machine.send(&format!("{line}\r"));
    }
    machine.expect("   1 zeroth");
    machine.expect("   2 changed");
    machine.expect("15 bytes written");
    machine.expect(PROMPT);
    expect_all(&mut machine, &[("cat a", "zeroth\nchanged")]);
}

#[test]
fn contents_and_names_are_nowhere_in_memory_while_nobody_reads_them() {
    let mut machine = at_prompt();
    // The shell hashes what is typed and writes the hash to a file without showing it.
    let contents = blake3("some text\n");
    let shown = |machine: &mut Machine, text: &str| {
        machine.stop();
        let dump = machine.dump_memory();
        machine.go_on();
        dump.windows(text.len()).any(|part| part == text.as_bytes())
    };
    let output = machine.command("echo some text | hash > f");
    machine.check_equal(output.trim(), "", "nothing is shown");
    let output = machine.command("cp f g");
    machine.check_equal(output.trim(), "", "nothing is shown");
    let found = shown(&mut machine, &contents);
    machine.check(!found, "what was stored is in memory in clear");
    let output = machine.command("cat g");
    machine.check_contains(&output, &contents);
    let found = shown(&mut machine, &contents);
    machine.check(found, "it is not found when it is on the screen either");
}

#[test]
fn a_file_system_that_ends_takes_its_files_with_it_says_so_and_works_again() {
    let mut machine = at_prompt();
    expect_all(
        &mut machine,
        &[("write a text", ""), ("ls", "         5  a")],
    );
    let service = machine.number_of("ramfs");
    let shell = machine.number_of("shell");
    expect_all(&mut machine, &[(&format!("kill {service}"), "")]);
    expect_all(
        &mut machine,
        &[
            ("cat a", "what was stored is gone"),
            ("cat a", "not found"),
            ("ls", ""),
            ("write a again", ""),
            ("cat a", "again"),
        ],
    );
    let after = machine.number_of("shell");
    machine.check_equal(after, shell, "the shell's process");
    let log = machine.command("log");
    machine.check_contains(&log, "ramfs starts again in 100 ms");
}

#[test]
fn a_program_stores_what_it_may_and_an_end_of_the_service_while_it_writes_harms_nobody() {
    let mut machine = saved::at_prompt(&images::with_writer().machine_without_tpm());
    machine.command("write a text");
    machine.send("run meter &\r");
    machine.expect(PROMPT);
    let writer = machine.number_of("meter");
    machine.send(&format!("grant {writer} files\r"));
    machine.expect("writer: what is shared is as it was shared");
    // 64 pages, of which two lead to the blocks.
    machine.expect("writer: after 62 blocks: its storage is full");
    machine.send("\r");
    machine.expect(PROMPT);
    // Each sees its own files, and no others.
    expect_all(&mut machine, &[("tree", "5  a"), ("find file", "")]);
    let service = machine.number_of("ramfs");
    machine.send(&format!("kill {service}\r"));
    machine.expect("writer: while writing: ");
    machine.send("\r");
    machine.expect(PROMPT);
    expect_all(&mut machine, &[("cat a", "what was stored is gone")]);
    // The shell says at one of these prompts that the writer ended.
    machine.command("write a again");
    expect_all(&mut machine, &[("cat a", "again")]);
    let services = machine.command("services");
    machine.check_contains(&services, "console");
}
