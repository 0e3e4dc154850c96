//! A player who makes random system calls in the name of several processes on one to four CPUs, with time, interrupts and
//! faults in between. CPUs that were kicked or stopped enter the kernel late.
//!
//! What it chooses comes from a seed, or from the bytes of a fuzzer. What the arguments of a call are meant to be it takes from
//! the table of system calls in `nonos_abi`, and it checks that a call is refused only with the errors that stand there.

use std::vec::Vec;

use nonos_abi::syscall::Argument;
use nonos_abi::{Error, MessageInfo, ObjectKind, PAGE_BYTES, Syscall};

use super::{World, WorldOptions};
use crate::arena::{Id, ProcessId, ThreadId};
use crate::machine::{CpuId, Event, Fault};
use crate::region::Backing;
use crate::thread::ThreadState;

/// Where choices come from.
pub(crate) enum Dice {
    /// xorshift64*: the same sequence everywhere.
    Seed(u64),
    /// The bytes of a fuzzer; zeros when they are used up.
    Bytes(std::vec::IntoIter<u8>),
}

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        match self {
            Self::Seed(state) => {
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                state.wrapping_mul(0x2545_F491_4F6C_DD1D)
            }
            Self::Bytes(bytes) => {
                let eight = [(); 8].map(|()| bytes.next().unwrap_or(0));
                u64::from_le_bytes(eight)
            }
        }
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        match self {
            Self::Bytes(bytes) if end <= 256 => u64::from(bytes.next().unwrap_or(0)) % end,
            _ => self.roll() % end,
        }
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == n - 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn is_used_up(&self) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.as_slice().is_empty())
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
    Time,
    Duration,
    Message,
    TwoHandles,
    NameLength,
    Nothing,
}

impl Meant {
    fn by(argument: &Argument) -> Self {
        match (argument.name, argument.handle) {
            ("endpoint_and_reply", _) => Self::TwoHandles,
            (_, Some(need)) => need.kind.map_or(Self::AnyHandle, Self::Of),
            ("handle", None) => Self::AnyHandle,
            ("rights" | "access", _) => Self::Rights,
            ("message", _) => Self::Message,
            ("quota_pages", _) => Self::Pages,
            ("name_bytes", _) => Self::NameLength,
            ("entry" | "stack_pointer", _) => Self::Address,
            ("budget_ns" | "period_ns", _) => Self::Duration,
            (name, _) if name.ends_with("_ns") => Self::Time,
            (name, _) if name.ends_with("pointer") || name.ends_with("address") => Self::Address,
            _ => Self::Small,
        }
    }
}

const A_DAY_NS: u64 = 86_400_000_000_000;

const NAMES: [&str; 4] = ["worker", "bad-hash", "small", "nothing"];

const DIVIDE_ERROR: Fault = Fault {
    vector: 0,
    error: 0,
    address: 0,
    instruction: 0,
};

/// A game: a world, and what was played in it.
pub struct Player {
    pub(crate) world: World,
    pub(crate) dice: Dice,
    /// The last call of each thread whose result was not looked at, with the process and where the thread was.
    pending: Vec<Option<Pending>>,
    /// System calls that were made.
    pub calls: u64,
    /// Calls that succeeded.
    pub made: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that were refused with an error that the table of system calls does not name.
    pub unnamed: Vec<(Syscall, Error)>,
}

#[derive(Clone, Copy)]
struct Pending {
    call: Syscall,
    process: u64,
    instruction: u64,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.world.recycle();
    }
}

impl Player {
    /// A game whose choices follow from a number.
    pub fn with_seed(seed: u64) -> Self {
        Self::new(Dice::Seed(seed | 1 << 40), seed)
    }

    /// Plays as a fuzzer says, until its bytes are used up.
    pub fn play(bytes: &[u8]) {
        let mut dice = Dice::Bytes(Vec::from(bytes).into_iter());
        let cpus = dice.below(4);
        let mut player = Self::new(dice, cpus);
        while !player.dice.is_used_up() {
            player.step();
        }
        assert!(player.unnamed.is_empty(), "{:?}", player.unnamed);
    }

    fn new(dice: Dice, seed: u64) -> Self {
        let options = WorldOptions {
            cpus: 1 + seed as usize % 4,
            frames: 320,
            handles: Some(64),
            table_frames: 120,
            processes: Some(6),
            region_bytes: 0,
            shadow_stacks: seed & 4 != 0,
            seed: [seed as u8; 32],
            ..WorldOptions::default()
        };
        let world = World::new(options);
        let mut player = Self {
            pending: std::vec![None; world.kernel.threads.capacity()],
            world,
            dice,
            calls: 0,
            made: 0,
            refused: 0,
            unnamed: Vec::new(),
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

    /// Something happens: mostly a system call.
    ///
    /// # Panics
    /// When an invariant is broken.
    pub fn step(&mut self) {
        let cpus: Vec<_> = self.world.cpus().collect();
        let runs = |cpu: &CpuId| self.world.running_on(*cpu).is_some();
        let busy: Vec<_> = cpus.iter().copied().filter(runs).collect();
        if busy.is_empty() {
            return self.nobody_runs();
        }
        let any = self.dice.one_in(12);
        let cpu = self.dice.pick(if any { &cpus } else { &busy });
        self.world.machine.current_cpu = cpu;
        if let Some(thread) = self.world.running_thread(cpu) {
            self.look_at_result(thread);
        }
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

    pub(crate) fn nobody_runs(&mut self) {
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
        let call = self.dice.pick(Syscall::ALL);
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
            let meant = call.arguments().get(i).map_or(Meant::Nothing, Meant::by);
            self.argument(process, meant)
        });
        let more = self.message_registers(process, call);
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
        let instruction = context.rip;
        self.calls += 1;
        self.pending[thread.position()] = (number == call as u64).then_some(Pending {
            call,
            process: self.world.kernel.processes[process].number,
            instruction,
        });
        self.world.event(Event::Syscall);
        self.look_at_result(thread);
    }

    /// What a call gave is success, or an error that the table of system calls names. Calls that wait, or that go on in
    /// the next stay in the kernel, have given nothing yet.
    fn look_at_result(&mut self, thread: ThreadId) {
        let Some(pending) = self.pending[thread.position()] else {
            return;
        };
        let kernel = &self.world.kernel;
        let exists = kernel.threads.id_at(thread.position()).is_some();
        let context = &kernel.threads[thread].context;
        let process = kernel.threads[thread].process;
        let number = process.map(|process| kernel.processes[process].number);
        if !exists || number != Some(pending.process) || context.rip != pending.instruction {
            self.pending[thread.position()] = None;
            return;
        }
        let state = kernel.threads[thread].state;
        if !matches!(state, ThreadState::Ready | ThreadState::Running) {
            return;
        }
        self.pending[thread.position()] = None;
        match Error::from_raw(context.rax) {
            None => self.made += 1,
            Some(error) => {
                self.refused += 1;
                let refusal = (pending.call, error);
                if !pending.call.can_fail_with(error) && !self.unnamed.contains(&refusal) {
                    self.unnamed.push(refusal);
                }
            }
        }
    }

    /// `rbx rbp r9 r12 r13 r14 r15`: handles of a message, and what it lends.
    fn message_registers(&mut self, process: ProcessId, call: Syscall) -> [u64; 7] {
        let has_message = call
            .arguments()
            .iter()
            .any(|argument| argument.name == "message");
        if !has_message {
            return [0; 7];
        }
        let mut two = || self.argument(process, Meant::TwoHandles);
        let [rbx, rbp, r9] = [two(), two(), two()];
        let mut lease = || {
            let length = self.dice.below(200) | self.dice.below(4) << 62;
            [length, self.argument(process, Meant::Address)]
        };
        let [[r12, r13], [r14, r15]] = [lease(), lease()];
        [rbx, rbp, r9, r12, r13, r14, r15]
    }

    fn argument(&mut self, process: ProcessId, meant: Meant) -> u64 {
        if self.dice.one_in(25) {
            let any = self.dice.roll();
            return self
                .dice
                .pick(&[0, 1, any, u64::MAX, u64::MAX - 4095, 1 << 63, any >> 40]);
        }
        match meant {
            Meant::Of(kind) => self.handle(process, Some(kind)),
            Meant::AnyHandle => self.handle(process, None),
            Meant::TwoHandles => self.two_handles(process),
            Meant::Rights => self.dice.pick(&[1, 3, 3, 31, 31, 31, 9]),
            Meant::Small => self.dice.below(24),
            Meant::Pages => self.dice.pick(&[10, 64, 256, u64::MAX]),
            Meant::NameLength => self.dice.pick(&[6, 6, 6, 5, 8, 7]),
            Meant::Duration => {
                let times = [0, 0, 100_000, 500_000, 1_000_000, 10_000_000];
                self.dice.pick(&times)
            }
            Meant::Time => {
                let later = self.world.machine.now_ns + self.dice.below(20_000_000);
                self.dice.pick(&[0, 0, 1, later, later])
            }
            Meant::Message => {
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
                let info = info.moving(mask);
                match self.dice.below(4) {
                    0 => info.lending(self.dice.below(6) as usize).0,
                    1 => info.for_receiver_only(self.dice.below(16) as u8).0,
                    _ => info.0,
                }
            }
            Meant::Address => self.address(process),
            Meant::Nothing => self.dice.roll(),
        }
    }

    /// An endpoint and a reply handle, or two handles of any kind.
    fn two_handles(&mut self, process: ProcessId) -> u64 {
        let any = self.dice.one_in(2);
        let mut pick = |kind| self.handle(process, Some(kind).filter(|_| !any)) & 0xFFFF_FFFF;
        pick(ObjectKind::Endpoint) | pick(ObjectKind::Reply) << 32
    }

    /// Mostly a handle of the process, of the kind that is wanted if it has one; sometimes one that was.
    fn handle(&mut self, process: ProcessId, kind: Option<ObjectKind>) -> u64 {
        if self.dice.one_in(20) {
            return self.dice.below(40) | self.dice.below(3) << 12;
        }
        let slots = self.world.kernel.slots_of(process).iter();
        let all: Vec<_> = slots
            .filter_map(|slot| Some((slot.capability?.object.kind(), slot.handle.raw())))
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
