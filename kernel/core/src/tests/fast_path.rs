//! The fast path means the same as the plain one: the same games on two worlds, one without it, end the same after each step.

use std::format;
use std::string::String;
use std::vec::Vec;

use nonos_abi::{Error, MessageInfo, Rights, Syscall};

use crate::arena::ProcessId;
use crate::machine::Event;
use crate::testing::{World, WorldOptions};

/// xorshift64*: the same sequence everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 8) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A world with processes that all hold the same two endpoints and a notification; the same handles in all of them.
struct Game {
    world: World,
    processes: Vec<ProcessId>,
    /// By process: handles, the same for all.
    handles: Vec<u64>,
}

impl Game {
    fn new(plain_only: bool) -> Self {
        let mut world = World::new(WorldOptions::default());
        world.checked = false;
        world.kernel.plain_only = plain_only;
        let init = world.init();
        let processes: Vec<_> = (0..3).map(|_| world.start_worker().0).collect();
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
            processes,
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
                    fpu: [0; 512],
                    ..thread.context
                };
                let (state, through) = (thread.state, thread.through);
                let blocked = !matches!(format!("{state:?}").as_str(), "Running" | "Ready");
                let through = through.filter(|_| blocked);
                let bits = (thread.account, thread.cpu, thread.slice_ns, thread.badge);
                text += &format!("{state:?} {through:?} {bits:?} {context:?}\n");
            }
            for slot in kernel.slots_of(process) {
                if let Some(capability) = slot.capability {
                    text += &format!("{capability:?} {}, ", slot.generation);
                }
            }
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
        [
            context.rax,
            context.rdi,
            context.rsi,
            context.rdx,
            context.r10,
            context.r8,
            context.r9,
            context.r12,
            context.r13,
            context.r14,
            context.r15,
            context.rbx,
            context.rbp,
            context.rcx,
        ] = registers;
        self.world.event(Event::Syscall);
    }
}

/// A reply handle of a process, most of the time.
fn reply_handle(game: &Game, process: ProcessId, dice: &mut Dice) -> u64 {
    let slots = game.world.kernel.slots_of(process).iter().enumerate();
    let replies: Vec<u64> = slots
        .filter(|(_, slot)| {
            let object = slot.capability.map(|capability| capability.object);
            matches!(object, Some(crate::object::Object::Reply(_)))
        })
        .map(|(index, slot)| {
            nonos_abi::Handle::new(index as u16, slot.generation)
                .raw()
                .into()
        })
        .collect();
    match replies.is_empty() || dice.below(8) == 0 {
        true => dice.pick(&[0, 0, 0xF0, 5]),
        false => dice.pick(&replies),
    }
}

#[test]
fn the_fast_path_means_the_same_as_the_plain_one() {
    let mut taken = 0;
    for seed in 1..=6 {
        let mut dice = Dice(seed << 20 | 1);
        let mut games = [Game::new(false), Game::new(true)];
        assert_eq!(games[0].state(), games[1].state());
        for step in 0..1500 {
            let Some(process) = games[0].world.running() else {
                // All wait for each other: one is told that it waits in vain.
                let victim = dice.pick(&games[0].processes);
                games.iter_mut().for_each(|game| game.end_wait(victim));
                continue;
            };
            assert_eq!(games[1].world.running(), Some(process));
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
            if dice.below(60) == 0 {
                let ns = dice.below(20_000_000);
                games.iter_mut().for_each(|game| game.world.advance(ns));
                if games[0].world.running() != Some(process) {
                    continue;
                }
            }
            taken += u64::from(games[0].world.kernel.fast_paths);
            games[0].world.kernel.fast_paths = 0;
            for game in &mut games {
                game.step(process, registers);
            }
            assert_eq!(
                games[0].state(),
                games[1].state(),
                "seed {seed}, step {step}: {call:?} {registers:x?}"
            );
        }
        games.iter_mut().for_each(|game| game.world.check());
    }
    assert!(taken > 500, "the fast path was taken {taken} times");
}
