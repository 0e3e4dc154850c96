//! The fast path means the same as the plain one: the same games on two worlds, one without it, end the same after each step.

use std::format;
use std::string::String;
use std::vec::Vec;

use nonos_abi::{Error, MessageInfo, Rights, Syscall};

use crate::arena::ProcessId;
use crate::fast_path::{KINDS, Kind, plain_message, slot_at};
use crate::machine::{CpuId, Event, FpuState};
use crate::scheduler::PRIORITIES;
use crate::testing::player::Dice;
use crate::testing::{World, WorldOptions};
use crate::tests::scheduling::worker_with;
use crate::thread::ThreadState;

/// The one CPU.
const CPU: CpuId = CpuId(0);

/// A world with processes that all hold the same two endpoints and a notification; the same handles in all of them.
struct Game {
    world: World,
    processes: Vec<ProcessId>,
    /// By process: handles, the same for all.
    handles: Vec<u64>,
}

impl Game {
    fn new(plain_only: bool, priorities: [u64; 3]) -> Self {
        let mut world = World::new(WorldOptions::default());
        world.checked = false;
        world.plain_only = plain_only;
        let init = world.init();
        let processes = priorities.map(|priority| worker_with(&mut world, priority));
        let made = [
            world.value(init, Syscall::EndpointCreate, &[]),
            world.value(init, Syscall::EndpointCreate, &[]),
            world.value(init, Syscall::NotificationCreate, &[]),
        ];
        let badged = [made[0], 77, Rights::ALL.bits(), 0];
        let badged = world.value(init, Syscall::EndpointBadge, &badged);
        let late = [made[1], Rights::ALL.bits(), 1 << 40];
        let late = world.value(init, Syscall::HandleCopy, &late);
        let narrow = [made[0], Rights::READ.bits(), 0];
        let narrow = world.value(init, Syscall::HandleCopy, &narrow);
        let given = [made[0], made[1], made[2], badged, late, narrow];
        let mut handles = Vec::new();
        for &process in &processes {
            handles = given
                .iter()
                .map(|&handle| world.share(init, handle, process))
                .collect();
        }
        world.begin(init, Syscall::Sleep, &[u64::MAX - 1]);
        Self {
            world,
            processes: processes.into(),
            handles,
        }
    }

    /// All that the next step can depend on, but for the FPU.
    fn state(&self) -> String {
        let kernel = &self.world.kernel;
        let mut text = String::new();
        for &process in &self.processes {
            for thread in kernel.threads_of(process) {
                let thread = &kernel.threads[thread];
                let context = crate::machine::UserContext {
                    fpu: FpuState::new(),
                    ..thread.context
                };
                let (state, through) = (thread.state, thread.through);
                let runs = matches!(state, ThreadState::Running | ThreadState::Ready);
                let through = through.filter(|_| !runs);
                let slice_ns = (state == ThreadState::Ready).then_some(thread.slice_ns);
                let calls = matches!(state, ThreadState::Calling(_));
                let badge = calls.then_some(thread.badge);
                let bits = (thread.account, thread.cpu, slice_ns, badge);
                text += &format!("{state:?} {through:?} {bits:?} {context:?}\n");
            }
            for (index, slot) in kernel.slots_of(process).iter().enumerate() {
                if let Some(capability) = slot.capability {
                    let links = kernel
                        .lineage
                        .links(kernel.lineage.slot(process, index as u16));
                    text += &format!("{capability:?} {:?} {links:?}, ", slot.handle);
                }
            }
            text += &format!("{:?}\n", kernel.free_slots(process));
        }
        let times = self.processes.iter().map(|&id| kernel.processes[id].cpu_ns);
        let times: Vec<u64> = times.collect();
        let slice_end_ns = self
            .world
            .running()
            .map(|_| kernel.scheduler.slice_end_ns(CPU));
        text += &format!(
            "\n{times:?} {slice_end_ns:?} {:?}",
            kernel.scheduler.account(CPU)
        );
        for priority in 0..PRIORITIES {
            let ready = kernel.scheduler.ready_queue(CPU, priority);
            let ready: Vec<_> = ready.iter(&kernel.threads).collect();
            text += &format!("{ready:?}");
        }
        for (id, endpoint) in kernel.endpoints.iter() {
            let callers: Vec<_> = endpoint.callers.iter(&kernel.threads).collect();
            let receivers: Vec<_> = endpoint.receivers.iter(&kernel.threads).collect();
            text += &format!("\n{id:?} {callers:?} {receivers:?}");
        }
        text
    }

    fn end_wait(&mut self, process: ProcessId) {
        let thread = self.world.thread(process);
        let World {
            kernel, machine, ..
        } = &mut self.world;
        kernel.end_wait(thread, Error::PeerGone, machine);
        self.world.event(Event::Spurious);
    }

    fn step(&mut self, process: ProcessId, registers: [u64; 14]) {
        let context = self.world.context(process);
        let [rax, rdi, rsi, rbx, rbp, rcx, words @ ..] = registers;
        (context.rax, context.rdi, context.rsi) = (rax, rdi, rsi);
        (context.rbx, context.rbp, context.rcx) = (rbx, rbp, rcx);
        context.set_words(words);
        self.world.event(Event::Syscall);
    }
}

/// Has the same happen in two games and checks that it comes to the same.
fn play(games: &mut [Game; 2], process: ProcessId, registers: [u64; 14], taken: &mut [u32; KINDS]) {
    for game in games.iter_mut() {
        game.step(process, registers);
    }
    for (sum, count) in taken.iter_mut().zip(games[0].world.kernel.fast_paths) {
        *sum += count;
    }
    games[0].world.kernel.fast_paths = [0; KINDS];
    assert_eq!(games[1].world.kernel.fast_paths, [0; KINDS]);
    assert_eq!(games[0].state(), games[1].state(), "{registers:x?}");
}

/// Who runs in both games. When all wait for each other, one is told that it waits in vain.
fn running(games: &mut [Game; 2], dice: &mut Dice) -> Option<ProcessId> {
    let running = games[0].world.running();
    assert_eq!(games[1].world.running(), running);
    if running.is_none() {
        let victim = dice.pick(&games[0].processes);
        games.iter_mut().for_each(|game| game.end_wait(victim));
    }
    running
}

/// Lets time pass; whether the same process still runs.
fn wait(games: &mut [Game; 2], dice: &mut Dice) -> bool {
    let (ns, before) = (dice.below(20_000_000), games[0].world.running());
    games.iter_mut().for_each(|game| game.world.advance(ns));
    games[0].world.running() == before
}

/// A reply handle of a process, most of the time.
fn reply_handle(game: &Game, process: ProcessId, dice: &mut Dice) -> u64 {
    let slots = game.world.kernel.slots_of(process).iter();
    let replies: Vec<u64> = slots
        .filter(|slot| {
            let object = slot.capability.map(|capability| capability.object);
            matches!(object, Some(crate::object::Object::Reply(_)))
        })
        .map(|slot| slot.handle.raw().into())
        .collect();
    match replies.is_empty() || dice.below(8) == 0 {
        true => dice.pick(&[0, 0, 0xF0, 5]),
        false => dice.pick(&replies),
    }
}

#[test]
fn the_fast_path_means_the_same_as_the_plain_one() {
    let mut taken = [0; KINDS];
    for seed in 1..=6 {
        let mut dice = Dice::Seed(seed << 20 | 1);
        let mut games = [false, true].map(|plain| Game::new(plain, [u64::MAX; 3]));
        assert_eq!(games[0].state(), games[1].state());
        for _ in 0..1500 {
            let Some(process) = running(&mut games, &mut dice) else {
                continue;
            };
            // Most of the time the last process calls and the others serve.
            let serves = games[0].processes[2] != process;
            let call = dice.pick(&[
                Syscall::Receive,
                Syscall::Reply,
                Syscall::Yield,
                Syscall::NotificationSignal,
                Syscall::NotificationBind,
                Syscall::Call,
                Syscall::ReplyReceive,
            ]);
            let (mut call, mut handle) = (call, dice.pick(&games[0].handles));
            if dice.below(10) > 0 {
                let role = [Syscall::Call, Syscall::ReplyReceive];
                call = role[usize::from(serves)];
                let own = usize::from(games[0].processes[1] == process);
                handle = games[0].handles[own];
            }
            if dice.below(20) == 0 {
                handle = dice.below(1 << 14);
            }
            if dice.below(50) == 0 {
                handle |= dice.below(4) << 40;
            }
            let reply = reply_handle(&games[0], process, &mut dice);
            let first = match call {
                Syscall::ReplyReceive => handle | reply << 32,
                Syscall::Reply => reply,
                _ => handle,
            };
            let words = dice.below(10) as usize;
            let handles = usize::from(dice.below(12) == 0);
            let mut info = MessageInfo::new(dice.below(1 << 16) as u16, words, handles);
            if dice.below(20) == 0 {
                info = info.lending(dice.below(3) as usize);
            }
            if dice.below(20) == 0 {
                info.0 |= dice.below(1 << 16) << 32;
            }
            let mut registers = core::array::from_fn(|_| dice.below(u64::MAX));
            registers[0] = call as u64;
            registers[1] = first;
            registers[2] = info.0;
            if call == Syscall::NotificationSignal {
                registers[2] = 1;
            }
            if dice.below(60) == 0 && !wait(&mut games, &mut dice) {
                continue;
            }
            play(&mut games, process, registers, &mut taken);
        }
        games.iter_mut().for_each(|game| game.world.check());
    }
    let [calls, answers, ..] = taken;
    assert!(calls > 250 && answers > 250, "taken: {taken:?}");
}

/// What a process has that can be moved, most of the time.
fn cargo(game: &Game, process: ProcessId, dice: &mut Dice) -> u64 {
    let slots = game.world.kernel.slots_of(process).iter();
    let wanted = !dice.one_in(20);
    let filled = slots.filter_map(|slot| Some((slot.handle, slot.capability?.object)));
    let notifications = filled
        .filter(|(_, object)| !wanted || matches!(object, crate::object::Object::Notification(_)));
    let handles: Vec<u64> = notifications
        .map(|(handle, _)| handle.raw().into())
        .collect();
    match handles.is_empty() || dice.one_in(40) {
        true => dice.below(1 << 13),
        false => dice.pick(&handles),
    }
}

#[test]
fn handles_moved_on_the_fast_path_are_where_the_plain_one_puts_them() {
    let mut taken = [0; KINDS];
    for seed in 1..=6 {
        let mut dice = Dice::Seed(seed << 20 | 1);
        let mut games = [false, true].map(|plain| Game::new(plain, [u64::MAX; 3]));
        games[0].world.checked = seed == 1;
        for game in &mut games {
            // With and without relatives, GRANT and a deadline.
            for process in game.processes.clone() {
                for round in 0..8 {
                    let made = game.world.value(process, Syscall::NotificationCreate, &[]);
                    let rights = [Rights::ALL, Rights::WRITE][usize::from(round == 7)].bits();
                    let until_ns = u64::from(round == 6) << 40;
                    let copy = [made, rights, until_ns];
                    for _ in 0..round % 4 {
                        game.world.value(process, Syscall::HandleCopy, &copy);
                    }
                }
            }
        }
        for _ in 0..1500 {
            let Some(process) = running(&mut games, &mut dice) else {
                continue;
            };
            let serves = games[0].processes[2] != process;
            let mut call = [Syscall::Call, Syscall::ReplyReceive][usize::from(serves)];
            if dice.one_in(25) {
                call = Syscall::Receive;
            }
            let own = usize::from(games[0].processes[1] == process);
            let mut handle = games[0].handles[own];
            if dice.one_in(30) {
                handle = dice.below(1 << 13);
            }
            if call == Syscall::ReplyReceive {
                handle |= reply_handle(&games[0], process, &mut dice) << 32;
            }
            let most = if dice.one_in(30) { 6 } else { 5 };
            let count = dice.below(most) as usize;
            let mut info = MessageInfo::new(7, dice.below(9) as usize, count);
            info = info.moving(if dice.one_in(10) {
                dice.roll() as u8
            } else {
                (1 << count) - 1
            });
            if dice.one_in(20) {
                info.0 |= 1 << dice.below(40);
            }
            let mut registers = core::array::from_fn(|_| dice.roll());
            registers[0] = call as u64;
            registers[1] = handle;
            registers[2] = info.0;
            for register in &mut registers[3..5] {
                let [low, high] = [(); 2].map(|()| cargo(&games[0], process, &mut dice));
                *register = low | high << 32;
            }
            if dice.one_in(40) {
                registers[4] = registers[4] & 0xFFFF_FFFF | handle << 32;
            }
            play(&mut games, process, registers, &mut taken);
        }
        games.iter_mut().for_each(|game| game.world.check());
    }
    let moves = taken[Kind::Move as usize];
    assert!(moves > 250, "taken: {taken:?}");
}

#[test]
fn a_signal_and_a_yield_on_the_fast_path_mean_the_same_as_on_the_plain_one() {
    let mut taken = [0; KINDS];
    for seed in 1..=6 {
        let mut dice = Dice::Seed(seed << 20 | 1);
        // The first waits most of the time, the others signal and yield.
        let mut games = [false, true].map(|plain| Game::new(plain, [9, 5, 5 + seed % 2]));
        for _ in 0..1500 {
            let Some(process) = running(&mut games, &mut dice) else {
                continue;
            };
            let role = match games[0].processes[0] == process {
                true => Syscall::NotificationWait,
                false => dice.pick(&[Syscall::NotificationSignal, Syscall::Yield]),
            };
            let any = [
                Syscall::NotificationWait,
                Syscall::NotificationSignal,
                Syscall::Receive,
                Syscall::Yield,
            ];
            let (mut call, mut handle) = (role, games[0].handles[2]);
            if dice.one_in(8) {
                call = dice.pick(&any);
            }
            if dice.one_in(30) || call == Syscall::Receive {
                handle = dice.pick(&games[0].handles);
            }
            let mut registers = core::array::from_fn(|_| dice.roll());
            registers[0] = call as u64;
            registers[1] = handle;
            registers[2] &= dice.pick(&[0, 1, u64::MAX]);
            if dice.one_in(10) && !wait(&mut games, &mut dice) {
                continue;
            }
            play(&mut games, process, registers, &mut taken);
        }
        games.iter_mut().for_each(|game| game.world.check());
    }
    let [_, _, yields, signals, ..] = taken;
    assert!(yields > 250 && signals > 250, "taken: {taken:?}");
}

#[test]
fn messages_of_words_alone_are_plain_and_slots_past_all_tables_are_none() {
    for words in 0..16 {
        let info = MessageInfo::new(7, words, 0);
        let plain = plain_message(info.0);
        assert_eq!(plain, (words <= 8).then_some(info), "{words}");
        for other in [MessageInfo::new(7, words, 1), info.lending(1)] {
            assert_eq!(plain_message(other.0), None, "{other:?}");
        }
    }
    let world = World::default();
    let init = world.init();
    let thread = world.thread(init);
    let (slots, thread) = (&world.kernel.slots, &world.kernel.threads[thread]);
    let first = thread.first_slot as usize;
    for (count, raw, found) in [(4, 3, Some(first + 3)), (4, 4, None), (4, 5, None)] {
        let there = slot_at(&slots[..first + count], 15, thread, raw);
        assert_eq!(there, found, "{raw}");
    }
}

#[test]
fn a_receiver_that_cannot_simply_go_on_is_left_to_the_plain_path() {
    let mut game = Game::new(false, [u64::MAX; 3]);
    game.world.checked = true;
    let [client, server, other] = [0, 1, 2].map(|at| game.processes[at]);
    let [first, endpoint, _, _, late, _] = game.handles[..] else {
        panic!("other handles");
    };
    game.world.begin(other, Syscall::Receive, &[first]);
    game.world.begin(server, Syscall::Receive, &[late]);
    game.world.begin(client, Syscall::Call, &[endpoint, 0]);
    assert_eq!(game.world.kernel.fast_paths[0], 0, "it has a deadline");
    let thread = game.world.thread(server);
    assert_eq!(game.world.kernel.threads[thread].deadline_ns, None);
    game.world.begin(server, Syscall::Call, &[first, 0]);
    assert_eq!(game.world.kernel.fast_paths[0], 1, "it has none");

    game.world.begin(other, Syscall::Receive, &[first]);
    let thread = game.world.thread(other);
    let kernel = &mut game.world.kernel;
    let mut goes_on = |affinity| {
        let (threads, scheduler) = (&mut kernel.threads, &mut kernel.scheduler);
        scheduler.reschedule(threads, thread, 31, affinity);
        scheduler.can_hand_over(CPU, &threads[thread])
    };
    assert!(goes_on(0b1) && goes_on(0b11));
    assert!(!goes_on(0b10), "it may not run there");
}
