//! Random system calls. All invariants are checked after every event; nothing that user space does may make the kernel panic.

use std::vec::Vec;

use nonos_abi::{Error, Syscall};

use crate::machine::Event;
use crate::testing::{Player, World};

/// Calls that are made; the variable [`CALLS_VARIABLE`] replaces it, as `cargo xtask random` does.
const CALLS: u64 = 20_000;
const CALLS_VARIABLE: &str = "NONOS_RANDOM_CALLS";

/// Length of a game.
const STEPS: usize = 2000;

#[test]
fn invariants_hold_after_random_system_calls_of_several_processes() {
    let wanted = std::env::var(CALLS_VARIABLE).ok();
    let wanted = wanted.map_or(CALLS, |text| text.parse().expect("a number of calls"));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let play = |first: u64| move || play(first, threads, wanted / threads);
    let games: Vec<_> = (0..threads)
        .map(|first| std::thread::spawn(play(first)))
        .collect();
    let sums = games
        .into_iter()
        .map(|game| game.join().expect("no invariant is broken"));
    let [calls, made, refused] = sums.fold([0; 3], |sum, game| [0, 1, 2].map(|i| sum[i] + game[i]));
    std::println!("{calls} calls, {made} made, {refused} refused");
    // The game is worth something only if much of it succeeds and much is refused.
    assert!(calls >= wanted - threads);
    assert!(made > calls / 8, "only {made} calls of {calls} succeeded");
    assert!(
        refused > calls / 8,
        "only {refused} calls of {calls} were refused"
    );
}

/// Plays every `step`th game, from the first on, until so many calls were made; returns how many were made, succeeded and were
/// refused.
fn play(first: u64, step: u64, calls: u64) -> [u64; 3] {
    let mut sum = [0; 3];
    let mut seed = first;
    while sum[0] < calls {
        let mut player = Player::with_seed(seed);
        for _ in 0..STEPS {
            player.step();
        }
        sum[0] += player.calls;
        sum[1] += player.made;
        sum[2] += player.refused;
        assert!(player.unnamed.is_empty(), "{:?}", player.unnamed);
        seed += step;
    }
    sum
}

#[test]
fn completely_random_registers_do_no_harm() {
    let mut player = Player::with_seed(77);
    player.world.checked = false;
    for round in 0..100_000 {
        if player.world.running().is_none() {
            player.nobody_runs();
            continue;
        }
        let call = player.dice.pick(Syscall::ALL);
        let registers: [u64; 6] = core::array::from_fn(|_| player.dice.roll());
        let cpu = player.world.machine.current_cpu;
        let Some(thread) = player.world.running_thread(cpu) else {
            continue;
        };
        player.world.event_with(thread, call, registers);
        if round % 1000 == 0 {
            player.world.check();
        }
    }
    player.world.check();
}

#[test]
fn unknown_system_calls_are_refused_and_change_no_other_register() {
    let mut world = World::default();
    let init = world.init();
    for number in [6, 9, 14, 48, 75, 1 << 32, u64::MAX] {
        let before = *world.context(init);
        world.context(init).rax = number;
        world.event(Event::Syscall);
        let after = *world.context(init);
        assert_eq!(after.rax, Error::UnknownSyscall.raw());
        assert_eq!(
            (after.rdi, after.rsi, after.rbx),
            (before.rdi, before.rsi, before.rbx)
        );
    }
}
