//! Time: the time-stamp counter as the clock, the local APIC's timer as the alarm of each CPU.
//!
//! The TSC's rate comes from CPUID or is measured once against the ACPI power-management timer; every wait
//! has a limit, so that a broken timer cannot hang the boot.

use core::sync::atomic::Ordering;

use nonos_abi::boot::Acpi;

use crate::apic::LocalApic;
use crate::cpu::{self, Msr};
use crate::cpus::CpuBlock;
use crate::protection;
use crate::time::{self, Ratio, SECOND_NS};

/// ACPI 6.5, 4.8.3.3.
const PM_TIMER_HZ: u64 = 3_579_545;

/// Ticks of the power-management timer to measure over: about a millisecond.
const PM_TIMER_TICKS: u32 = 3_580;

/// Most reads of the power-management timer; each takes about a microsecond, in an emulator less.
const PM_TIMER_READS: u32 = 1_000_000;

/// [`CpuBlock::deadline_ns`] without an alarm.
const NEVER: u64 = u64::MAX;

/// How the timer is set.
enum Alarm {
    TscDeadline,
    /// One-shot, with the timer's ticks per TSC tick.
    OneShot(Ratio),
}

/// The clock of all CPUs, and how their alarms are set.
pub struct Clock {
    tsc_at_start: u64,
    /// TSC ticks per second.
    pub tsc_hz: u64,
    to_ns: Ratio,
    from_ns: Ratio,
    alarm: Alarm,
}

impl Clock {
    /// Measures, and sets the timer up.
    ///
    /// # Panics
    /// When the machine has nothing to measure time with.
    pub fn new(acpi: &Acpi, apic: &LocalApic, tsc_at_start: u64) -> Self {
        let tsc_deadline = protection::has_tsc_deadline();
        let named = tsc_hz_from_cpuid();
        let (tsc_hz, alarm) = match named {
            Some(tsc_hz) if tsc_deadline => (tsc_hz, Alarm::TscDeadline),
            _ => {
                let measured = Measured::take(acpi, apic)
                    .unwrap_or_else(|| crate::stop!("no timer to measure with"));
                let tsc_hz = named.unwrap_or(time::frequency(
                    measured.tsc,
                    measured.reference,
                    PM_TIMER_HZ,
                ));
                (
                    tsc_hz,
                    if tsc_deadline {
                        Alarm::TscDeadline
                    } else {
                        measured.one_shot()
                    },
                )
            }
        };
        Self::start_alarm(apic);
        Self {
            tsc_at_start,
            tsc_hz,
            to_ns: Ratio::new(SECOND_NS, tsc_hz),
            from_ns: Ratio::new(tsc_hz, SECOND_NS),
            alarm,
        }
    }

    /// Puts this CPU's timer in its mode.
    pub fn start_alarm(apic: &LocalApic) {
        if protection::has_tsc_deadline() {
            apic.use_tsc_deadline();
        } else {
            apic.use_one_shot();
        }
    }

    /// Nanoseconds since the kernel was entered.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.to_ns
            .scale(cpu::read_tsc().saturating_sub(self.tsc_at_start))
    }

    /// Whether the timer runs in TSC-deadline mode.
    pub fn is_tsc_deadline(&self) -> bool {
        matches!(self.alarm, Alarm::TscDeadline)
    }

    /// Sets or clears this CPU's alarm.
    pub fn set(&self, deadline_ns: Option<u64>, block: &CpuBlock, apic: &LocalApic) {
        let deadline_ns = deadline_ns.unwrap_or(NEVER);
        block.deadline_ns.store(deadline_ns, Ordering::Relaxed);
        if deadline_ns == NEVER {
            self.disarm(apic);
        } else {
            self.arm(deadline_ns, apic);
        }
    }

    /// Whether this CPU's alarm is due. The timer's own interrupt may come early: when the deadline is further away
    /// than it can count, or by rounding. Then it is set again.
    pub fn expired(&self, block: &CpuBlock, apic: &LocalApic) -> bool {
        match block.deadline_ns.load(Ordering::Relaxed) {
            NEVER => false,
            deadline_ns if self.now_ns() >= deadline_ns => {
                block.deadline_ns.store(NEVER, Ordering::Relaxed);
                true
            }
            deadline_ns => {
                self.arm(deadline_ns, apic);
                false
            }
        }
    }

    fn arm(&self, deadline_ns: u64, apic: &LocalApic) {
        // One tick more, as both conversions round down. 0 would disarm, in both modes.
        match self.alarm {
            Alarm::TscDeadline => {
                let deadline = self
                    .tsc_at_start
                    .saturating_add(self.from_ns.scale(deadline_ns))
                    .saturating_add(1);
                // SAFETY: the timer raises its own vector only.
                unsafe { cpu::write_msr(Msr::TscDeadline, deadline) };
            }
            Alarm::OneShot(ratio) => {
                let wait = self
                    .from_ns
                    .scale(deadline_ns.saturating_sub(self.now_ns()));
                let count = ratio.scale(wait).saturating_add(1);
                apic.start_count(u32::try_from(count).unwrap_or(u32::MAX));
            }
        }
    }

    fn disarm(&self, apic: &LocalApic) {
        match self.alarm {
            // SAFETY: zero disarms.
            Alarm::TscDeadline => unsafe { cpu::write_msr(Msr::TscDeadline, 0) },
            Alarm::OneShot(_) => apic.start_count(0),
        }
    }
}

/// TSC frequency as the CPU names it (leaf 0x15).
fn tsc_hz_from_cpuid() -> Option<u64> {
    let leaf = cpu::cpuid(0x15);
    time::from_crystal(leaf.eax, leaf.ebx, leaf.ecx)
}

/// How far three counters went in the same time.
struct Measured {
    reference: u64,
    tsc: u64,
    timer: u64,
}

impl Measured {
    fn take(acpi: &Acpi, apic: &LocalApic) -> Option<Self> {
        let port = u16::try_from(acpi.pm_timer_port)
            .ok()
            .filter(|&port| port != 0)?;
        let bits = if acpi.pm_timer_32bit != 0 { 32 } else { 24 };
        // SAFETY: reading the timer has no effect.
        let read = || unsafe { cpu::input_double(port) };
        apic.start_count(u32::MAX);
        // Start on a tick.
        let before = read();
        let start = (0..PM_TIMER_READS)
            .map(|_| read())
            .find(|&now| now != before)?;
        let (tsc, timer) = (cpu::read_tsc(), apic.current_count());
        let reference = (0..PM_TIMER_READS)
            .map(|_| time::advance(start, read(), bits))
            .find(|&ticks| ticks >= PM_TIMER_TICKS)?;
        let measured = Self {
            reference: reference.into(),
            tsc: cpu::read_tsc()
                .checked_sub(tsc)
                .filter(|&ticks| ticks > 0)?,
            timer: timer.checked_sub(apic.current_count())?.into(),
        };
        apic.start_count(0);
        Some(measured)
    }

    fn one_shot(&self) -> Alarm {
        assert!(self.timer > 0, "the APIC timer stands still");
        Alarm::OneShot(Ratio::new(self.timer, self.tsc))
    }
}
