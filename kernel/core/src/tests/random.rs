//! Random system calls of several processes on one to four CPUs, with time, interrupts and faults in between. CPUs that were
//! kicked or stopped enter the kernel late. All invariants are checked after every event; nothing that user space does may make
//! the kernel panic.

use std::vec::Vec;

use nonos_abi::{Error, MessageInfo, ObjectKind, PAGE_BYTES, Syscall};

use crate::arena::{Id, ProcessId};
use crate::machine::{CpuId, Event, Fault};
use crate::region::Backing;
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
    /// A handle, preferably of this kind.
    Of(ObjectKind),
    AnyHandle,
    Rights,
    Address,
    Small,
    Pages,
    Nanoseconds,
    /// A time in the next few milliseconds, or one that has passed, or none.
    Soon,
    Message,
    TwoHandles,
    NameLength,
    Nothing,
}

use Meant::{
    Address, AnyHandle, Message, NameLength, Nanoseconds, Nothing, Of, Pages, Rights, Small, Soon,
    TwoHandles,
};
use ObjectKind::{
    Archive, Endpoint, Hardware, Interrupt, IoPorts, Log, Memory, Module, Notification, Power,
    Process, SystemInfo, Thread, Timer,
};

/// What the argument registers of a call are meant to be, from the first on.
fn meanings(call: Syscall) -> &'static [Meant] {
    match call {
        Syscall::Null | Syscall::Yield | Syscall::ClockRead => &[],
        Syscall::EndpointCreate | Syscall::NotificationCreate => &[],
        Syscall::Sleep => &[Soon],
        Syscall::Exit | Syscall::MemoryCreate => &[Small],
        Syscall::HandleClose | Syscall::HandleInfo => &[AnyHandle],
        Syscall::HandleCopy => &[AnyHandle, Rights],
        Syscall::HandleRevoke => &[AnyHandle],
        Syscall::LeaseRead | Syscall::LeaseWrite => {
            &[Of(ObjectKind::Reply), Small, Small, Address, Small]
        }
        Syscall::TimerCreate => &[],
        Syscall::TimerSet => &[Of(Timer), Of(Notification), Small, Soon, Nanoseconds],
        Syscall::AuditRead => &[Of(ObjectKind::Audit), Small, Address, Small],
        Syscall::ThreadCreate => &[Address, Address, Small, Small],
        Syscall::ThreadSchedule => &[Of(Thread), Small, Small],
        Syscall::ThreadEnd => &[Of(Thread)],
        Syscall::MemoryMap => &[Of(Memory), Rights],
        Syscall::MemoryUnmap => &[Address],
        Syscall::ModuleAdmit => &[Of(Archive), Address, NameLength],
        Syscall::ProcessCreate => &[Of(Module), Small, Pages, Nanoseconds, Nanoseconds],
        Syscall::ProcessGrant => &[Of(Process), AnyHandle, Rights],
        Syscall::ProcessStart => &[Of(Process), Small, Small],
        Syscall::ProcessKill => &[Of(Process)],
        Syscall::ProcessWatch => &[Of(Process), Of(Notification), Small],
        Syscall::ProcessRead => &[Of(Process), Address, Small],
        Syscall::EndpointBadge => &[Of(Endpoint), Small, Rights],
        Syscall::Call => &[Of(Endpoint), Message],
        Syscall::Receive => &[Of(Endpoint)],
        Syscall::Reply => &[Of(ObjectKind::Reply), Message],
        Syscall::ReplyReceive => &[TwoHandles, Message],
        Syscall::NotificationSignal => &[Of(Notification), Small],
        Syscall::NotificationWait | Syscall::NotificationBind => &[Of(Notification)],
        Syscall::HardwarePorts => &[Of(Hardware), Small, Small],
        Syscall::HardwareInterrupt => &[Of(Hardware), Small],
        Syscall::HardwareMemory => &[Of(Hardware), Address, Small],
        Syscall::PortRead => &[Of(IoPorts), Small, Small],
        Syscall::PortWrite => &[Of(IoPorts), Small, Small, Small],
        Syscall::InterruptBind => &[Of(Interrupt), Of(Notification), Small],
        Syscall::InterruptAcknowledge => &[Of(Interrupt)],
        Syscall::SystemRead => &[Of(SystemInfo), Small, Small, Address, Small],
        Syscall::LogRead => &[Of(Log), Small, Address, Small],
        Syscall::LogWrite => &[Of(Log), Address, Small],
        Syscall::PowerOff => &[Of(Power), Small],
    }
}

/// All system calls.
fn all_calls() -> Vec<Syscall> {
    (0..200).filter_map(Syscall::from_raw).collect()
}

/// Games that are played; `NONOS_RANDOM_SEEDS` replaces it.
const SEEDS: u64 = 16;

const A_DAY_NS: u64 = 86_400_000_000_000;

const NAMES: [&str; 4] = ["worker", "bad-hash", "small", "nothing"];

const DIVIDE_ERROR: Fault = Fault {
    vector: 0,
    error: 0,
    address: 0,
    instruction: 0,
};

struct Player {
    world: World,
    calls: Vec<Syscall>,
    dice: Dice,
    /// Calls that succeeded, and that were refused.
    made: u64,
    refused: u64,
}

impl Player {
    fn new(seed: u64) -> Self {
        let options = WorldOptions {
            cpus: 1 + seed as usize % 4,
            frames: 512,
            table_frames: 120,
            processes: Some(6),
            seed: [seed as u8; 32],
            ..WorldOptions::default()
        };
        let world = World::new(options);
        let mut player = Self {
            world,
            calls: all_calls(),
            dice: Dice(seed | 1 << 40),
            made: 0,
            refused: 0,
        };
        player.introduce_workers();
        player.world.holds_kicks = true;
        player
    }

    /// Has `init` start two more processes, and all three know each other.
    fn introduce_workers(&mut self) {
        let world = &mut self.world;
        let init = world.init();
        let endpoint = world.value(init, Syscall::EndpointCreate, &[]);
        let notification = world.value(init, Syscall::NotificationCreate, &[]);
        let (first, first_handle) = world.start_worker();
        let (second, second_handle) = world.start_worker();
        let module = world.admit("worker").expect("worker is good");
        let given = (2..8).map(|slot| nonos_abi::Handle::new(slot, 0).raw().into());
        let made = [endpoint, notification, first_handle, second_handle, module];
        for handle in given.chain(made) {
            world.share(init, handle, first);
            world.share(init, handle, second);
        }
    }

    fn step(&mut self) {
        let cpus: Vec<_> = self.world.cpus().collect();
        let runs = |cpu: &CpuId| self.world.running_on(*cpu).is_some();
        let busy: Vec<_> = cpus.iter().copied().filter(runs).collect();
        if busy.is_empty() {
            return self.nobody_runs();
        }
        let any = self.dice.one_in(12);
        let cpu = self.dice.pick(if any { &cpus } else { &busy });
        self.world.machine.current_cpu = cpu;
        let Some(process) = self.world.running() else {
            // Idle, or its thread was taken away after it had entered the kernel for this.
            let events = [Event::Spurious, Event::Syscall, Event::Fault(DIVIDE_ERROR)];
            let event = self.dice.pick(&events);
            return self.world.event(event);
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
            7 if self.dice.one_in(16) => {
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
            self.world.holds_kicks = false;
            self.world.start_init();
            self.introduce_workers();
            self.world.holds_kicks = true;
            return;
        }
        if let Some(&cpu) = self.world.waiting_cpus().first() {
            return self.world.event_on(cpu, Event::Spurious);
        }
        let now_ns = self.world.machine.now_ns;
        let due = self.world.next_timer();
        match due.filter(|&(due, _)| due < now_ns + A_DAY_NS) {
            Some((due, _)) if !self.dice.one_in(8) => {
                self.world.advance(due.saturating_sub(now_ns));
            }
            // All wait for each other, or for a day that will not come, while a timer perhaps signals in vain: end one, as an
            // operator would.
            _ => {
                let processes = self.world.kernel.processes.iter();
                let alive: Vec<_> = processes
                    .filter(|(_, process)| process.exit.is_none())
                    .map(|(id, _)| id)
                    .collect();
                let victim = self.dice.pick(&alive);
                self.world.kill(victim);
            }
        }
    }

    fn system_call(&mut self, process: ProcessId) {
        if self.dice.one_in(3) {
            self.world.machine.now_ns += self.dice.below(60_000);
        }
        let call = self.dice.pick(&self.calls);
        use Syscall::{Exit, ProcessKill, ThreadEnd};
        if matches!(call, Exit | ProcessKill | ThreadEnd) && !self.dice.one_in(12) {
            return;
        }
        if call == Syscall::ModuleAdmit {
            let buffer = self.buffer(process);
            self.world
                .poke(process, buffer, self.dice.pick(&NAMES).as_bytes());
        }
        let registers: [u64; 5] = core::array::from_fn(|i| {
            let meant = meanings(call).get(i).copied().unwrap_or(Nothing);
            self.argument(process, meant)
        });
        let more: [u64; 7] = core::array::from_fn(|_| self.argument(process, TwoHandles));
        let number = if self.dice.one_in(100) {
            self.dice.roll()
        } else {
            call as u64
        };
        let cpu = self.world.machine.current_cpu;
        let Some(thread) = self.world.running_thread(cpu) else {
            return;
        };
        let context = &mut self.world.kernel.threads[thread].context;
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
        let exists = self.world.kernel.threads.id_at(thread.position()).is_some();
        match exists.then(|| self.world.kernel.threads[thread].context.rax) {
            Some(0) => self.made += 1,
            Some(number) if Error::from_raw(number).is_some() => self.refused += 1,
            _ => {}
        }
    }

    fn argument(&mut self, process: ProcessId, meant: Meant) -> u64 {
        if self.dice.one_in(25) {
            let any = self.dice.roll();
            return self
                .dice
                .pick(&[0, 1, any, u64::MAX, u64::MAX - 4095, 1 << 63, any >> 40]);
        }
        match meant {
            Of(kind) => self.handle(process, Some(kind)),
            AnyHandle => self.handle(process, None),
            TwoHandles => self.two_handles(process),
            Rights => self.dice.pick(&[1, 3, 3, 31, 31, 31, 9]),
            Small => self.dice.below(24),
            Nanoseconds => {
                let times = [0, 0, 100_000, 500_000, 1_000_000, 10_000_000];
                self.dice.pick(&times)
            }
            Soon => {
                let soon = self.world.machine.now_ns + self.dice.below(3_000_000);
                self.dice.pick(&[soon, soon, 0, 1])
            }
            Pages => self.dice.pick(&[10, 64, 256, u64::MAX]),
            NameLength => self.dice.pick(&[6, 6, 6, 5, 8, 7]),
            Message => {
                let words = self.dice.below(10);
                let handles = if self.dice.one_in(2) {
                    0
                } else {
                    self.dice.below(6)
                };
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

    /// An endpoint and a reply handle, or two handles of any kind.
    fn two_handles(&mut self, process: ProcessId) -> u64 {
        let any = self.dice.one_in(2);
        let mut pick = |kind| self.handle(process, Some(kind).filter(|_| !any)) & 0xFFFF_FFFF;
        pick(Endpoint) | pick(ObjectKind::Reply) << 32
    }

    /// Mostly a handle of the process, of the kind that is wanted if it has one; sometimes one that was.
    fn handle(&mut self, process: ProcessId, kind: Option<ObjectKind>) -> u64 {
        if self.dice.one_in(20) {
            return self.dice.below(40) | self.dice.below(3) << 12;
        }
        let slots = self.world.kernel.slots_of(process).iter().enumerate();
        let all: Vec<_> = slots
            .filter_map(|(index, slot)| {
                let kind = slot.capability?.object.kind();
                Some((
                    kind,
                    nonos_abi::Handle::new(index as u16, slot.generation).raw(),
                ))
            })
            .collect();
        let fitting: Vec<_> = all
            .iter()
            .filter(|(k, _)| kind == Some(*k))
            .copied()
            .collect();
        match (fitting.is_empty() || self.dice.one_in(8), all.is_empty()) {
            (false, _) => self.dice.pick(&fitting).1.into(),
            (true, false) => self.dice.pick(&all).1.into(),
            (true, true) => 0,
        }
    }

    /// An address on the stack of the process's first thread, while it has not ended or made a stack pointer up.
    fn buffer(&self, process: ProcessId) -> u64 {
        let mut regions = self.world.kernel.regions_of(process).iter();
        let stack = regions.find(|region| region.backing == Backing::Stack);
        stack.map_or(0, |stack| stack.end() - 8 * PAGE_BYTES as u64 + 40)
    }

    fn address(&mut self, process: ProcessId) -> u64 {
        let buffer = self.buffer(process);
        let regions = self.world.kernel.regions_of(process).to_vec();
        let newest = self.world.kernel.processes[process].memory_base;
        let mapped: Vec<_> = regions
            .iter()
            .filter(|region| region.address >= newest)
            .copied()
            .collect();
        let region = self
            .dice
            .pick(if mapped.len() > 1 { &mapped } else { &regions });
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
    let (mut made, mut refused) = (0, 0);
    let wanted = std::env::var("NONOS_RANDOM_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok());
    for seed in 0..wanted.unwrap_or(SEEDS) {
        let mut player = Player::new(seed);
        for _ in 0..1500 {
            player.step();
        }
        made += player.made;
        refused += player.refused;
    }
    // The game is worth something only if much of it succeeds and much is refused.
    assert!(made > 5000, "only {made} calls succeeded");
    assert!(refused > 5000, "only {refused} calls were refused");
}

#[test]
fn completely_random_registers_do_no_harm() {
    let mut player = Player::new(77);
    player.world.checked = false;
    for round in 0..100_000 {
        if player.world.running().is_none() {
            player.nobody_runs();
            continue;
        }
        let call = player.dice.pick(&player.calls);
        let registers: [u64; 6] = core::array::from_fn(|_| player.dice.roll());
        let cpu = player.world.machine.current_cpu;
        let Some(thread) = player.world.running_thread(cpu) else {
            continue;
        };
        let context = &mut player.world.kernel.threads[thread].context;
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
    for number in [5, 9, 14, 48, 75, 1 << 32, u64::MAX] {
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
