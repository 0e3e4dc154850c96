//! Random system calls of several processes, with time, interrupts and faults in between. All invariants are checked
//! after every event; nothing that user space does may make the kernel panic.

use std::vec::Vec;

use nonos_abi::{Error, MessageInfo, PAGE_BYTES, Syscall};

use crate::arena::ProcessId;
use crate::machine::{Event, Fault};
use crate::testing::{World, WorldOptions};

/// xorshift64*: the same sequence everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// What an argument is meant to be.
#[derive(Clone, Copy)]
enum Meant {
    Handle,
    Rights,
    Address,
    Small,
    Message,
    TwoHandles,
    NameLength,
    Nothing,
}

use Meant::{Address, Handle, Message, NameLength, Nothing, Rights, Small, TwoHandles};

const CALLS: [(Syscall, [Meant; 5]); 40] = [
    (Syscall::Null, [Nothing; 5]),
    (Syscall::Yield, [Nothing; 5]),
    (Syscall::ClockRead, [Nothing; 5]),
    (Syscall::Sleep, [Small, Nothing, Nothing, Nothing, Nothing]),
    (Syscall::Exit, [Small, Nothing, Nothing, Nothing, Nothing]),
    (
        Syscall::HandleClose,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::HandleCopy,
        [Handle, Rights, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::HandleInfo,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::MemoryCreate,
        [Small, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::MemoryMap,
        [Handle, Rights, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::MemoryUnmap,
        [Address, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::ModuleAdmit,
        [Handle, Address, NameLength, Nothing, Nothing],
    ),
    (
        Syscall::ProcessCreate,
        [Handle, Small, Small, Nothing, Nothing],
    ),
    (
        Syscall::ProcessGrant,
        [Handle, Handle, Rights, Nothing, Nothing],
    ),
    (
        Syscall::ProcessStart,
        [Handle, Small, Small, Nothing, Nothing],
    ),
    (
        Syscall::ProcessKill,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::ProcessWatch,
        [Handle, Handle, Small, Nothing, Nothing],
    ),
    (
        Syscall::ProcessRead,
        [Handle, Address, Small, Nothing, Nothing],
    ),
    (Syscall::EndpointCreate, [Nothing; 5]),
    (
        Syscall::EndpointBadge,
        [Handle, Small, Rights, Nothing, Nothing],
    ),
    (Syscall::Call, [Handle, Message, Handle, Small, Small]),
    (
        Syscall::Receive,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (Syscall::Reply, [Handle, Message, Handle, Small, Small]),
    (
        Syscall::ReplyReceive,
        [TwoHandles, Message, Small, Small, Small],
    ),
    (Syscall::NotificationCreate, [Nothing; 5]),
    (
        Syscall::NotificationSignal,
        [Handle, Small, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::NotificationWait,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::NotificationBind,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::HardwarePorts,
        [Handle, Small, Small, Nothing, Nothing],
    ),
    (
        Syscall::HardwareInterrupt,
        [Handle, Small, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::HardwareMemory,
        [Handle, Address, Small, Nothing, Nothing],
    ),
    (Syscall::PortRead, [Handle, Small, Small, Nothing, Nothing]),
    (Syscall::PortWrite, [Handle, Small, Small, Small, Nothing]),
    (
        Syscall::InterruptBind,
        [Handle, Handle, Small, Nothing, Nothing],
    ),
    (
        Syscall::InterruptAcknowledge,
        [Handle, Nothing, Nothing, Nothing, Nothing],
    ),
    (Syscall::SystemRead, [Handle, Small, Small, Address, Small]),
    (Syscall::LogRead, [Handle, Small, Address, Small, Nothing]),
    (
        Syscall::LogWrite,
        [Handle, Address, Small, Nothing, Nothing],
    ),
    (
        Syscall::PowerOff,
        [Handle, Small, Nothing, Nothing, Nothing],
    ),
    (
        Syscall::MemoryMap,
        [Handle, Rights, Nothing, Nothing, Nothing],
    ),
];

const NAMES: [&str; 4] = ["worker", "bad-hash", "small", "nothing"];

struct Player {
    world: World,
    dice: Dice,
}

impl Player {
    fn new(seed: u64) -> Self {
        let options = WorldOptions {
            frames: 512,
            table_frames: 120,
            processes: Some(6),
            seed: [seed as u8; 32],
            ..WorldOptions::default()
        };
        Self {
            world: World::new(options),
            dice: Dice(seed | 1 << 40),
        }
    }

    fn step(&mut self) {
        let Some(process) = self.world.running() else {
            return self.nobody_runs();
        };
        match self.dice.below(100) {
            0..=2 => {
                let ns = self.dice.below(20_000_000);
                self.world.advance(ns);
            }
            3..=5 => {
                let line = self.dice.below(26) as u32;
                self.world.machine.enabled_interrupts.remove(&line);
                self.world.event(Event::Interrupt(line));
            }
            6 => self.world.event(Event::Spurious),
            7 if self.dice.one_in(8) => {
                let vector = self.dice.below(40) as u8;
                let [error, address] = [self.dice.below(32), self.dice.roll()];
                let instruction = self.dice.roll();
                self.world.event(Event::Fault(Fault {
                    vector,
                    error,
                    address,
                    instruction,
                }));
            }
            _ => self.system_call(process),
        }
    }

    fn nobody_runs(&mut self) {
        if self
            .world
            .kernel
            .processes
            .iter()
            .all(|(_, process)| process.exit.is_some())
        {
            // Nothing is left: what was in use must be free again.
            assert_eq!(
                self.world.kernel.frames.available(),
                self.world.kernel.frames.total()
            );
            self.world
                .kernel
                .start_init(&mut self.world.machine)
                .expect("init starts again");
            return self.world.check();
        }
        match self.world.machine.timer_ns {
            Some(due) => self
                .world
                .advance(due.saturating_sub(self.world.machine.now_ns)),
            None => {
                // All wait for each other: end one, as an operator would.
                let alive: Vec<_> = self.world.kernel.processes.iter().collect();
                let alive: Vec<_> = alive
                    .iter()
                    .filter(|(_, process)| process.exit.is_none())
                    .map(|(id, _)| *id)
                    .collect();
                let victim = self.dice.pick(&alive);
                let exit = crate::process::Exit::Killed;
                self.world
                    .kernel
                    .end_process(victim, exit, &mut self.world.machine);
                self.world.event(Event::Spurious);
            }
        }
    }

    fn system_call(&mut self, process: ProcessId) {
        let (call, meant) = self.dice.pick(&CALLS);
        if call == Syscall::Exit && !self.dice.one_in(6) {
            return;
        }
        if call == Syscall::ModuleAdmit {
            let buffer = self.world.buffer(process);
            self.world
                .poke(process, buffer, self.dice.pick(&NAMES).as_bytes());
        }
        let registers: [u64; 5] = core::array::from_fn(|i| self.argument(process, meant[i]));
        let more: [u64; 7] = core::array::from_fn(|_| self.argument(process, TwoHandles));
        let number = if self.dice.one_in(100) {
            self.dice.roll()
        } else {
            call as u64
        };
        let context = self.world.context(process);
        context.rax = number;
        [
            context.rdi,
            context.rsi,
            context.rdx,
            context.r10,
            context.r8,
        ] = registers;
        [
            context.rbx,
            context.rbp,
            context.r9,
            context.r12,
            context.r13,
            context.r14,
            context.r15,
        ] = more;
        self.world.event(Event::Syscall);
    }

    fn argument(&mut self, process: ProcessId, meant: Meant) -> u64 {
        if self.dice.one_in(25) {
            let any = self.dice.roll();
            return self
                .dice
                .pick(&[0, 1, any, u64::MAX, u64::MAX - 4095, 1 << 63, any >> 40]);
        }
        match meant {
            Handle => self.handle(process),
            TwoHandles => self.handle(process) | self.handle(process) << 32,
            Rights => self.dice.pick(&[1, 3, 3, 31, 31, 31, 9]),
            Small => self.dice.below(24),
            NameLength => self.dice.pick(&[6, 6, 6, 5, 8, 7]),
            Message => {
                let [words, handles] = [self.dice.below(10), self.dice.below(6)];
                let info = MessageInfo::new(7, words as usize, handles as usize);
                let mask = if self.dice.one_in(2) {
                    0
                } else {
                    self.dice.below(16) as u8
                };
                info.moving(mask).0
            }
            Address => self.address(process),
            Nothing => self.dice.roll(),
        }
    }

    /// Mostly a handle of the process, sometimes one that was.
    fn handle(&mut self, process: ProcessId) -> u64 {
        let slots = self.world.kernel.slots_of(process).iter().enumerate();
        let filled: Vec<_> = slots
            .filter(|(_, slot)| slot.capability.is_some())
            .map(|(index, slot)| nonos_abi::Handle::new(index as u16, slot.generation))
            .collect();
        if filled.is_empty() || self.dice.one_in(20) {
            return self.dice.below(40) | self.dice.below(3) << 12;
        }
        self.dice.pick(&filled).raw().into()
    }

    fn address(&mut self, process: ProcessId) -> u64 {
        let buffer = self.world.buffer(process);
        let regions = self.world.kernel.regions_of(process).to_vec();
        let region = self.dice.pick(&regions);
        let end = region.end();
        let device = 0xF0000 * PAGE_BYTES as u64;
        self.dice.pick(&[
            buffer,
            buffer,
            buffer,
            region.address,
            region.address,
            end - 8,
            device,
        ])
    }
}

#[test]
fn invariants_hold_after_random_system_calls_of_several_processes() {
    let (mut created, mut refused) = (0, 0);
    for seed in 0..24 {
        let mut player = Player::new(seed);
        for _ in 0..1500 {
            player.step();
        }
        created += player.world.kernel.next_process_number - 1;
        let processes = player.world.kernel.processes.iter();
        refused += processes
            .map(|(_, process)| process.denials.iter().sum::<u64>())
            .sum::<u64>();
    }
    // The game is worth something only if much of it succeeds and much is refused.
    assert!(created > 200, "only {created} processes were made");
    assert!(refused > 500, "only {refused} denials");
}

#[test]
fn completely_random_registers_do_no_harm() {
    let mut player = Player::new(77);
    player.world.checked = false;
    for round in 0..100_000 {
        let Some(process) = player.world.running() else {
            player.nobody_runs();
            continue;
        };
        let call = player.dice.pick(&CALLS).0;
        let registers: [u64; 6] = core::array::from_fn(|_| player.dice.roll());
        let context = player.world.context(process);
        context.rax = call as u64;
        [
            context.rdi,
            context.rsi,
            context.rdx,
            context.r10,
            context.r8,
            context.r9,
        ] = registers;
        player.world.event(Event::Syscall);
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
    for number in [5, 9, 13, 46, 74, 1 << 32, u64::MAX] {
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
