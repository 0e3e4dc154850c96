//! Timers: signal a notification at a time, once or again after each period.
//!
//! A timer that is armed is on the list of the CPU that armed it, which also keeps its own hardware timer set for the first of them. A
//! periodic timer whose time has passed several times signals once and goes on with the next time that is to come.
//!
//! Invariant: a timer is on a list exactly while it is armed; then it holds a reference to the notification.

use nonos_abi::Error;

use crate::arena::{Empty, ProcessId, TimerId};
use crate::handle::Found;
use crate::kernel::Kernel;
use crate::lineage::{Derived, Side};
use crate::machine::{CpuId, Machine};
use crate::notification::Signal;
use crate::queue::{Chain, Links, List};

/// The shortest period, so that signalling does not take all of a CPU's time.
pub(crate) const PERIOD_NS_MIN: u64 = 100_000;

/// How often per second the periodic timers of one process signal, all together: as often as one with the shortest period. A
/// timer that signals once costs its process a system call each time; a periodic one costs whoever runs.
const RATE_MAX: u64 = rate(PERIOD_NS_MIN);

/// How often per second a timer signals, rounded up; 0 for one that signals once.
const fn rate(period_ns: u64) -> u64 {
    match period_ns {
        0 => 0,
        _ => 1_000_000_000_u64.div_ceil(period_ns),
    }
}

/// A timer.
pub struct Timer {
    /// What it signals, and when, while it is armed.
    pub(crate) armed: Option<Alarm>,
    /// On whose list it is while it is armed.
    pub(crate) cpu: CpuId,
    pub(crate) links: Links<TimerId>,
}

/// What a timer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Alarm {
    /// Holds a reference.
    pub signal: Signal,
    pub deadline_ns: u64,
    /// 0 for once.
    pub period_ns: u64,
    /// When one of the handles expires that it was set with.
    pub expires_ns: u64,
}

impl Empty for Timer {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            armed: None,
            cpu: CpuId(0),
            links: Links::NONE,
        }
    }
}

impl Timer {
    /// When it signals next.
    pub(crate) fn deadline_ns(&self) -> Option<u64> {
        self.armed.map(|alarm| alarm.deadline_ns)
    }
}

/// Armed timers, by time.
pub(crate) struct ByTime;

impl Chain for ByTime {
    type Id = TimerId;
    type Item = Timer;

    fn links(timer: &mut Timer) -> &mut Links<TimerId> {
        &mut timer.links
    }

    fn next(timer: &Timer) -> Option<TimerId> {
        timer.links.next
    }
}

/// The armed timers of a CPU, the earliest first.
pub(crate) type Alarms = List<ByTime>;

impl Kernel {
    /// Makes a timer with one reference.
    pub(crate) fn create_timer(&mut self, payer: ProcessId) -> Result<TimerId, Error> {
        self.check_object_quota(payer)?;
        let id = self.timers.insert(Timer::unused(), Some(payer));
        let id = id.ok_or(Error::OutOfObjects)?;
        self.charge_object(payer);
        Ok(id)
    }

    /// Arms a timer on this CPU by the authority of both handles, in place of what it was set to.
    pub(crate) fn set_timer(
        &mut self,
        id: TimerId,
        source: &Found,
        sink: &Found,
        alarm: Alarm,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        self.lineage.check_depth(source.node)?;
        self.lineage.check_depth(sink.node)?;
        if alarm.period_ns != 0 {
            self.check_rate(id, alarm.period_ns)?;
        }
        self.notifications.retain(alarm.signal.notification);
        self.unset_timer(id, machine);
        self.arm_timer(id, alarm);
        for (side, handle) in [(Side::Source, source), (Side::Notification, sink)] {
            let node = self.lineage.node(Derived::Timer(id, side));
            self.lineage.link(node, handle.node);
        }
        Ok(())
    }

    /// Checks that the process that made a timer may have it signal so often, beside its others.
    fn check_rate(&self, id: TimerId, period_ns: u64) -> Result<(), Error> {
        let payer = self.timers.payer(id);
        let others = self.timers.iter();
        let others = others.filter(|&(other, _)| other != id && self.timers.payer(other) == payer);
        let rates = others.filter_map(|(_, timer)| Some(rate(timer.armed?.period_ns)));
        if rates.sum::<u64>() + rate(period_ns) > RATE_MAX {
            return Err(Error::QuotaExceeded);
        }
        Ok(())
    }

    /// Disarms a timer.
    pub(crate) fn unset_timer(&mut self, id: TimerId, machine: &mut impl Machine) {
        if let Some(alarm) = self.disarm_timer(id) {
            self.end_alarm(id, alarm, machine);
        }
    }

    /// Forgets what a timer that is not armed any more was set to.
    fn end_alarm(&mut self, id: TimerId, alarm: Alarm, machine: &mut impl Machine) {
        for side in [Side::Source, Side::Notification] {
            let node = self.lineage.node(Derived::Timer(id, side));
            self.lineage.unlink(node);
        }
        self.release_notification(alarm.signal.notification, machine);
    }

    fn arm_timer(&mut self, id: TimerId, alarm: Alarm) {
        let cpu = self.scheduler.cpu();
        let timer = &mut self.timers[id];
        timer.armed = Some(alarm);
        timer.cpu = cpu;
        let is_later = |other: &Timer| other.deadline_ns() > Some(alarm.deadline_ns);
        self.alarms[usize::from(cpu.0)].insert_sorted(&mut self.timers, id, is_later);
        self.note_first_alarm(cpu);
    }

    /// Takes a timer off its list; the reference to the notification goes to the caller.
    fn disarm_timer(&mut self, id: TimerId) -> Option<Alarm> {
        let timer = &mut self.timers[id];
        let (alarm, cpu) = (timer.armed.take()?, timer.cpu);
        self.alarms[usize::from(cpu.0)].remove(&mut self.timers, id);
        self.note_first_alarm(cpu);
        Some(alarm)
    }

    fn note_first_alarm(&mut self, cpu: CpuId) {
        let first = self.alarms[usize::from(cpu.0)].head;
        let deadline_ns = first.and_then(|id| self.timers[id].deadline_ns());
        self.scheduler.set_alarm(cpu, deadline_ns);
    }

    /// Signals what is due on this CPU.
    pub(crate) fn fire_timers(&mut self, machine: &mut impl Machine) {
        let now_ns = machine.now_ns();
        let cpu = usize::from(self.scheduler.cpu().0);
        while let Some(id) = self.alarms[cpu].head
            && self.timers[id].deadline_ns() <= Some(now_ns)
            && let Some(alarm) = self.disarm_timer(id)
        {
            let expired = alarm.expires_ns <= alarm.deadline_ns;
            if !expired {
                self.signal(alarm.signal, machine);
            }
            match next_ns(&alarm, now_ns).filter(|_| !expired) {
                Some(deadline_ns) => {
                    let alarm = Alarm {
                        deadline_ns,
                        ..alarm
                    };
                    self.arm_timer(id, alarm);
                }
                None => self.end_alarm(id, alarm, machine),
            }
        }
    }

    /// Drops a reference; with the last one, the timer is gone.
    #[inline(never)]
    pub(crate) fn release_timer(&mut self, id: TimerId, machine: &mut impl Machine) {
        if self.timers.release(id) > 0 {
            return;
        }
        self.unset_timer(id, machine);
        let payer = self.timers.payer(id);
        self.timers.remove(id);
        self.uncharge_object(payer);
    }
}

/// The first time after now at which a periodic timer signals.
fn next_ns(alarm: &Alarm, now_ns: u64) -> Option<u64> {
    let missed = now_ns
        .saturating_sub(alarm.deadline_ns)
        .checked_div(alarm.period_ns)?;
    let periods = alarm.period_ns.checked_mul(missed + 1)?;
    alarm.deadline_ns.checked_add(periods)
}
