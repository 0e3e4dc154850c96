//! Random numbers: which sources they come from is said truly, bad requests are refused, and two copies of one machine do not get
//! the same ones.

use std::collections::BTreeMap;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::shell::{is_marked, row, words};
use xtask::qemu::MachineConfig;

/// QEMU's arguments for a machine with this VM generation id.
fn with_generation(id: &str) -> [String; 2] {
    ["-device".to_owned(), format!("vmgenid,guid={id}")]
}

/// What the program `adv-random` says in a round: bytes of its own generator, and of the kernel's.
type Rounds = BTreeMap<u64, [String; 2]>;

/// All rounds that are told whole in a text.
fn rounds(text: &str) -> Rounds {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parse = |line: &str| {
        let mut words = line.trim_end().strip_prefix("round ")?.split(' ');
        let number = words.next()?.parse().ok()?;
        let [own, kernel] = [words.next()?, words.next()?].map(str::to_owned);
        let whole = [&own, &kernel].iter().all(|hex| hex.len() == 32);
        whole.then_some((number, [own, kernel]))
    };
    whole.lines().filter_map(parse).collect()
}

/// What a machine says in that round.
#[track_caller]
fn round(machine: &mut Machine, number: u64) -> [String; 2] {
    machine.wait_until(&format!("round {number}"), |machine| {
        rounds(&machine.transcript()).contains_key(&number)
    });
    rounds(&machine.transcript())[&number].clone()
}

#[test]
fn copies_of_a_machine_do_not_get_the_same_random_bytes() {
    let config = images::with_adversaries().machine_without_tpm();
    let first_id = "11111111-2222-3333-4444-555555555555";
    let arguments = with_generation(first_id);
    let arguments = arguments.each_ref().map(String::as_str);
    let mut first = Machine::start_with(config.clone(), &arguments);
    first.expect_prompt();
    let status = first.command("status");
    let said = row(&status, "VM generation id").unwrap_or_default();
    first.check_contains(said, "present");
    first.send(&format!("run {}\r", "adv-random"));
    let output = first.expect("round 1 ");
    for good in [
        "denied: random bytes to the kernel: the address is not mapped",
        "denied: random bytes to memory to read: the address is not mapped",
        "held: all words differ",
        " shown, 0 failed",
    ] {
        first.check_contains(&output, good);
    }
    first.expect("round 3 ");
    let saved = first.scratch().file("saved");
    first.save(&saved);
    let copy = |id: &str| {
        let arguments = with_generation(id);
        let arguments = arguments.each_ref().map(String::as_str);
        Machine::restore(config.clone(), &arguments, &saved)
    };
    let mut same = copy(first_id);
    let mut second = copy("22222222-2222-3333-4444-555555555555");
    let mut third = copy("33333333-2222-3333-4444-555555555555");
    // A round that none of them was in when they parted.
    let told = rounds(&first.transcript());
    let last = told.last_key_value().map_or(3, |(number, _)| *number);
    let number = last + 5;
    first.go_on();
    let [first, same, second, third] =
        [&mut first, &mut same, &mut second, &mut third].map(|machine| round(machine, number));
    // Where the id does not say it, a generator of a program's own goes on as the other's: so the test sees what it looks for.
    assert_eq!(first[0], same[0], "copies with the same id");
    // The kernel has more to tell them apart by.
    let all = [&first, &same, &second, &third];
    let kernels: Vec<_> = all.iter().map(|said| &said[1]).collect();
    let owns: Vec<_> = [&first, &second, &third]
        .iter()
        .map(|said| &said[0])
        .collect();
    for said in [kernels, owns] {
        for (at, bytes) in said.iter().enumerate() {
            assert!(!said[..at].contains(bytes), "twice the same: {said:?}");
        }
    }
}

#[test]
fn a_machine_without_generators_but_a_tpm_boots_and_says_so() {
    let mut machine = Machine::start(MachineConfig {
        cpu_model: "max,-rdrand,-rdseed".to_owned(),
        ..images::system().machine()
    });
    machine.expect_prompt();
    let status = machine.command("status");
    // The firmware has a generator of its own, whatever it is made of.
    let from = words(&status, "Entropy from");
    let absent = words(&status, "  not from");
    machine.check(from.contains(&"TPM"), &format!("no TPM in {from:?}"));
    // Whether times on this machine jitter enough is the host's matter. They count, or are said to have failed.
    const JITTER: &str = "timer-jitter";
    let failed = format!("{JITTER} FAILED its health test, does not count");
    let failed = status.lines().any(|line| line.contains(&failed));
    machine.check(
        from.contains(&JITTER) != failed,
        &format!("{JITTER} counts and failed, or neither: {status}"),
    );
    machine.check(!absent.contains(&JITTER), &format!("{absent:?}"));
    for name in ["RDSEED", "RDRAND"] {
        machine.check(
            absent.contains(&name),
            &format!("{name} is not in {absent:?}"),
        );
    }
    let renewed = words(&status, "  renewed from");
    let by_cpu = |name: &&str| name.starts_with("RD");
    machine.check(!renewed.iter().any(by_cpu), &format!("{renewed:?}"));
    machine.check_equal(
        is_marked(&status, "Entropy"),
        failed,
        "whether a source failed",
    );
    machine.check_contains(row(&status, "VM generation id").unwrap_or_default(), "none");
}
