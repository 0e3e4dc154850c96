//! What changed from one look at the system to the next.

use alloc::vec::Vec;

use nonos_abi::info::{ProcessInfo, process_state};

use crate::system::System;

/// Looks that plots show.
pub const HISTORY: usize = 90;

/// A process, and how much it works.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the kernel says.
    pub info: ProcessInfo,
    /// CPU time since the last look, in 1/1000 of one CPU's time.
    pub busy: u64,
}

/// All that was seen.
#[derive(Debug)]
pub struct Samples {
    /// Processes that live, by their number.
    pub rows: Vec<Row>,
    /// How busy the CPUs were, and how full the memory was, of 1000; the last look is the last.
    pub busy: Vec<u16>,
    /// The same for memory.
    pub full: Vec<u16>,
    /// Pages of memory in use, and all there are.
    pub pages: (u64, u64),
    /// CPUs.
    pub cpus: u64,
    last_ns: u64,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            busy: [0; HISTORY].into(),
            full: [0; HISTORY].into(),
            pages: (0, 0),
            cpus: 1,
            last_ns: 0,
        }
    }
}

impl Samples {
    /// Looks at the system.
    pub fn take(&mut self, system: &impl System) {
        let now_ns = system.now_ns();
        let passed_ns = now_ns.saturating_sub(self.last_ns).max(1);
        let mut rows: Vec<Row> = Vec::new();
        system.processes(&mut |info| {
            if info.state == process_state::ENDED {
                return;
            }
            let before = self.rows.iter().find(|row| row.info.id == info.id);
            let busy = before.map_or(0, |before| {
                let worked_ns = info.cpu_ns.saturating_sub(before.info.cpu_ns);
                worked_ns.saturating_mul(1000) / passed_ns
            });
            rows.push(Row { info, busy });
        });
        rows.sort_unstable_by_key(|row| row.info.id);
        self.cpus = system.cpus().max(1);
        let worked: u64 = rows.iter().map(|row| row.busy).sum();
        push(&mut self.busy, worked / self.cpus);
        if let Some(memory) = system.memory() {
            let used = memory.total_pages.saturating_sub(memory.free_pages);
            self.pages = (used, memory.total_pages);
            push(
                &mut self.full,
                used.saturating_mul(1000) / memory.total_pages.max(1),
            );
        }
        self.rows = rows;
        self.last_ns = now_ns;
    }

    /// The last value of a history.
    pub fn last(history: &[u16]) -> u16 {
        history.last().copied().unwrap_or_default()
    }
}

fn push(history: &mut Vec<u16>, of_1000: u64) {
    history.remove(0);
    history.push(of_1000.min(1000) as u16);
}
