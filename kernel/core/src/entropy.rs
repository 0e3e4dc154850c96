//! Sources of entropy of the running kernel: the CPU's generators, and the times of interrupts.
//!
//! Each goes through the tests of [`nonos_random::health`], at the start and whenever it gives something. One that fails counts no more
//! until the machine is started again; what goes into the generator beside what counts does no harm.

use nonos_abi::boot::entropy;
use nonos_random::health::{Health, Limits, START_SAMPLES};

use crate::machine::{CpuRandom, Machine};

/// Times of interrupts that are kept.
pub(crate) const TIMES: usize = 32;

/// Bytes of a number.
const SAMPLES: u16 = 8;

/// All sources.
pub(crate) struct Sources {
    rdseed: CpuSource,
    rdrand: CpuSource,
    times: [[u8; 8]; TIMES],
    next_time: usize,
    last_time: u64,
    times_health: Health,
}

/// A generator of the CPU.
struct CpuSource {
    which: CpuRandom,
    is_there: bool,
    health: Health,
}

impl Sources {
    /// Looks which there are, and tests the CPU's.
    pub fn start(machine: &impl Machine) -> Self {
        Self {
            rdseed: CpuSource::start(CpuRandom::Rdseed, machine),
            rdrand: CpuSource::start(CpuRandom::Rdrand, machine),
            times: [[0; 8]; TIMES],
            next_time: 0,
            last_time: machine.counter(),
            times_health: Health::new(Limits::TIMING),
        }
    }

    /// An interrupt came.
    pub fn event(&mut self, machine: &impl Machine) {
        let time = machine.counter();
        self.times_health
            .add(time.wrapping_sub(self.last_time) as u8);
        self.last_time = time;
        self.times[self.next_time % TIMES] = time.to_le_bytes();
        self.next_time = self.next_time.wrapping_add(1);
    }

    /// When the last interrupts came, little-endian.
    pub fn times(&self) -> &[[u8; 8]; TIMES] {
        &self.times
    }

    /// A number of the CPU, from that generator if it has both.
    pub fn number(&mut self, preferred: CpuRandom, machine: &impl Machine) -> Option<u64> {
        let [first, second] = match preferred {
            CpuRandom::Rdseed => [&mut self.rdseed, &mut self.rdrand],
            CpuRandom::Rdrand => [&mut self.rdrand, &mut self.rdseed],
        };
        first.number(machine).or_else(|| second.number(machine))
    }

    /// Those that pass, and those that failed, as bits of [`entropy`].
    pub fn judged(&self) -> (u64, u64) {
        let (mut passed, mut failed) = (0, 0);
        for (health, bit) in [
            (&self.rdseed.health, entropy::RDSEED),
            (&self.rdrand.health, entropy::RDRAND),
            (&self.times_health, entropy::JITTER),
        ] {
            passed |= u64::from(health.has_passed()) * bit;
            failed |= u64::from(health.has_failed()) * bit;
        }
        (passed, failed)
    }
}

impl CpuSource {
    fn start(which: CpuRandom, machine: &impl Machine) -> Self {
        let mut source = Self {
            which,
            is_there: machine.cpu_random(which).is_some(),
            health: Health::new(Limits::GENERATOR),
        };
        for _ in 0..START_SAMPLES / SAMPLES {
            source.number(machine);
        }
        source
    }

    /// A number, if the source passes with it.
    fn number(&mut self, machine: &impl Machine) -> Option<u64> {
        if !self.is_there || self.health.has_failed() {
            return None;
        }
        let number = machine.cpu_random(self.which);
        match number {
            Some(number) => self.health.add_all(&number.to_le_bytes()),
            None => self.health.fail(),
        }
        number.filter(|_| self.health.has_passed())
    }
}
