//! The kernel's generator of random numbers: for programs, and for address-space layout.
//!
//! There is none without a seed: [`Random::new`] takes the boot loader's, and is made before any process. Before bytes for a program, and
//! before each process, its key is replaced by a hash of it and of what is different each time ([`Random::stir`]): two copies of one
//! machine part there, by the VM generation id, by the CPU's generator, or at least by the time. After [`RESEED_NS`], after
//! [`RESEED_BYTES`] and in a new epoch, more of the CPU's generator and the times of interrupts go in.

use nonos_abi::info::RandomStatus;
use nonos_random::{BLOCK_BYTES, Generator};
use zeroize::Zeroizing;

use crate::entropy::{Sources, TIMES};
use crate::machine::{CpuRandom, Machine};

/// Longest time with one key, while somebody asks for bytes.
const RESEED_NS: u64 = 60_000_000_000;

/// Most bytes between.
const RESEED_BYTES: usize = 1 << 16;

/// What goes in each time before a number of the CPU: VM generation id, counter.
const STIR_WORDS: usize = 3;

/// Numbers of the CPU that go in when entropy is renewed: as many as the key has.
const SEED_WORDS: usize = 4;

const INPUT_WORDS: usize = STIR_WORDS + SEED_WORDS + TIMES;

/// The generator and its sources.
pub(crate) struct Random {
    generator: Generator,
    sources: Sources,
    reported: u64,
    generation: [u64; 2],
    epoch: u64,
    reseed_at_ns: u64,
    /// Bytes that were made since.
    made_bytes: usize,
    reseeds: u64,
}

impl Random {
    /// A generator whose output depends on all of the seed.
    pub fn new(seed: &[u8; 32], machine: &impl Machine) -> Self {
        let key = blake3::keyed_hash(seed, b"nonos.kernel.random.v1");
        Self {
            generator: Generator::new(key.as_bytes()),
            sources: Sources::start(machine),
            reported: 0,
            generation: machine.vm_generation(),
            epoch: 1,
            reseed_at_ns: 0,
            made_bytes: 0,
            reseeds: 0,
        }
    }

    /// An interrupt came: its time is kept.
    pub fn event(&mut self, machine: &impl Machine) {
        self.sources.event(machine);
    }

    /// Which epoch it is: another one after the machine was restored from a snapshot.
    pub fn epoch(&mut self, machine: &impl Machine) -> u64 {
        let generation = machine.vm_generation();
        if generation != self.generation {
            self.generation = generation;
            self.epoch += 1;
            self.reseed_at_ns = 0;
        }
        self.epoch
    }

    /// Makes a new key of the present one and what is different now.
    pub fn stir(&mut self, machine: &impl Machine) {
        self.epoch(machine);
        let now_ns = machine.now_ns();
        let is_due = now_ns >= self.reseed_at_ns || self.made_bytes >= RESEED_BYTES;
        let (from, numbers, used) = match is_due {
            true => (CpuRandom::Rdseed, SEED_WORDS, INPUT_WORDS),
            false => (CpuRandom::Rdrand, 1, STIR_WORDS + 1),
        };
        let mut input = Zeroizing::new([[0; 8]; INPUT_WORDS]);
        input[0] = self.generation[0].to_le_bytes();
        input[1] = self.generation[1].to_le_bytes();
        input[2] = machine.counter().to_le_bytes();
        for to in input[STIR_WORDS..].iter_mut().take(numbers) {
            let number = self.sources.number(from, machine);
            *to = number.unwrap_or(0).to_le_bytes();
        }
        if is_due {
            input[STIR_WORDS + SEED_WORDS..].copy_from_slice(self.sources.times());
            self.reseed_at_ns = now_ns.saturating_add(RESEED_NS);
            self.made_bytes = 0;
            self.reseeds += u64::from(self.sources.judged().0 != 0);
        }
        self.made_bytes += BLOCK_BYTES;
        let input = input[..used].as_flattened();
        self.generator
            .replace_key(|key| blake3::keyed_hash(key, input).into());
    }

    /// Sources that failed and were not reported yet; they are now.
    pub fn newly_failed(&mut self) -> u64 {
        let failed = self.sources.judged().1 & !self.reported;
        self.reported |= failed;
        failed
    }

    /// What the system says about it.
    pub fn status(&self) -> RandomStatus {
        let (sources, failed) = self.sources.judged();
        RandomStatus {
            sources,
            failed,
            reseeds: self.reseeds,
            epoch: self.epoch,
            knows_generation: u64::from(self.generation != [0; 2]),
        }
    }

    /// Fills with random bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        self.generator.fill(to);
    }

    /// A number below 2^64.
    pub fn double_word(&mut self) -> u64 {
        u64::from_le_bytes(self.generator.bytes())
    }

    /// A number below 2^32.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.generator.bytes())
    }

    /// A number below 2^8.
    #[inline(always)]
    pub fn byte(&mut self) -> u8 {
        self.generator.byte()
    }
}
