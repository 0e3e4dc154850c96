//! The monitor, looking at a system that is made up.

use std::format;
use std::string::ToString;
use std::vec::Vec;

use nonos_abi::Name;
use nonos_abi::info::{MemoryStatus, ProcessInfo, process_state};
use nonos_abi::words::Words;
use nonos_proto::display::theme::{DARK, LIGHT};
use nonos_ui::App;
use nonos_ui::host::Stage;
use nonos_ui::input::usage;

use crate::Monitor;
use crate::system::System;

struct Pretended {
    now_ns: u64,
    processes: Vec<ProcessInfo>,
    ended: Vec<u64>,
}

fn zeroed<T: Words>() -> T {
    T::read_words(&[0; 64]).unwrap()
}

impl Pretended {
    fn new() -> Self {
        let names = [
            "init",
            "console",
            "display",
            "fonts",
            "ramfs",
            "vault",
            "tpm",
            "framebuffer",
            "ps2",
            "monitor",
            "terminal",
            "editor",
        ];
        let process = |(index, name): (usize, &&str)| ProcessInfo {
            id: index as u64 + 1,
            name: Name::new(name).unwrap(),
            state: if index % 5 == 2 {
                process_state::READY
            } else {
                process_state::BLOCKED
            },
            pages: 40 + (index as u64 * 7919) % 3000,
            quota_pages: 4096,
            threads: 1 + index as u64 % 2,
            denials: if index == 10 { 3 } else { 0 },
            priority: 10,
            budget_ns: 8_000_000 * (index as u64 / 9),
            period_ns: 10_000_000,
            ..zeroed()
        };
        Self {
            now_ns: 1_000_000_000,
            processes: names.iter().enumerate().map(process).collect(),
            ended: Vec::new(),
        }
    }

    /// A second in which processes work.
    fn work(&mut self, round: u64) {
        self.now_ns += 1_000_000_000;
        for process in &mut self.processes {
            process.cpu_ns += (process.id * 7919 * (round + 3)) % 97 * 1_500_000;
        }
    }
}

impl System for Pretended {
    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn cpus(&self) -> u64 {
        2
    }

    fn memory(&self) -> Option<MemoryStatus> {
        Some(MemoryStatus {
            total_pages: 60_000,
            free_pages: 47_000 - self.now_ns / 1_000_000_000 * 31 % 4000,
            ..zeroed()
        })
    }

    fn processes(&self, see: &mut dyn FnMut(ProcessInfo)) {
        let living = |process: &&ProcessInfo| !self.ended.contains(&process.id);
        self.processes.iter().filter(living).copied().for_each(see);
    }

    fn end(&mut self, process: u64) -> bool {
        let may = process != 1;
        if may {
            self.ended.push(process);
        }
        may
    }
}

fn stage(theme: u64, scale: i32) -> Stage<Monitor<Pretended>> {
    let mut stage = Stage::new(Monitor::new(Pretended::new()), theme, scale);
    for round in 0..60 {
        stage.app.system.work(round);
        stage.app.tick();
    }
    stage.input(nonos_ui::input::Input::None);
    stage
}

#[test]
fn a_process_is_as_busy_as_its_time_says() {
    let mut system = Pretended::new();
    system.processes.truncate(2);
    let mut monitor = Monitor::new(system);
    monitor.system.now_ns += 2_000_000_000;
    monitor.system.processes[1].cpu_ns += 1_000_000_000;
    monitor.tick();
    let busy: Vec<u64> = monitor.samples.rows.iter().map(|row| row.busy).collect();
    assert_eq!(busy, [0, 500]);
    // A quarter of two CPUs.
    assert_eq!(monitor.samples.busy.last(), Some(&250));
}

#[test]
fn the_list_is_searched_and_sorted() {
    let mut stage = stage(LIGHT, 1);
    stage.press(usage::TAB, 0);
    stage.write("on");
    let names = |stage: &Stage<Monitor<Pretended>>| -> Vec<_> {
        stage
            .app
            .shown()
            .iter()
            .map(|row| row.info.name.as_str().to_string())
            .collect()
    };
    stage.press(usage::TAB, 0);
    stage.press(usage::RIGHT, 0);
    stage.press(usage::RIGHT, 0);
    assert_eq!(
        names(&stage),
        ["console", "fonts", "monitor"].map(std::string::String::from)
    );
}

#[test]
fn a_process_is_ended_when_that_was_confirmed() {
    let mut stage = stage(LIGHT, 1);
    // The list, in which names are sorted, and in it the first.
    (0..2).for_each(|_| stage.press(usage::TAB, 0));
    (0..2).for_each(|_| stage.press(usage::RIGHT, 0));
    stage.press(usage::TAB, 0);
    stage.press(usage::DOWN, 0);
    stage.press(usage::ENTER, 0);
    stage.press(usage::ESCAPE, 0);
    assert!(stage.app.system.ended.is_empty() && !stage.app.asking);
    stage.press(usage::ENTER, 0);
    stage.press(usage::ENTER, 0);
    assert_eq!(stage.app.system.ended, [2], "console");
    assert!(stage.app.selected.is_none());
    // What may not be ended stays, and the monitor says so.
    stage.app.selected = Some(1);
    stage.app.asking = true;
    stage.input(nonos_ui::input::Input::None);
    stage.press(usage::ENTER, 0);
    assert_eq!(stage.app.refused.as_deref(), Some("init"));
}

#[test]
fn pictures() {
    for (name, theme) in [("light", LIGHT), ("dark", DARK)] {
        let mut stage = stage(theme, 2);
        stage.click(400, 700);
        stage.input(nonos_ui::input::Input::Leave);
        stage.shoot(&format!("monitor-{name}"));
        assert!(stage.app.selected.is_some());
        stage.app.asking = true;
        stage.input(nonos_ui::input::Input::None);
        stage.shoot(&format!("monitor-{name}-ask"));
    }
}

#[test]
fn keys_reach_every_control_and_all_can_be_read() {
    let pages = 0..3;
    for page in pages {
        let count = nonos_ui::access::check(|| {
            let mut stage = stage(LIGHT, 1);
            stage.press(usage::TAB, 0);
            (0..page).for_each(|_| stage.press(usage::RIGHT, 0));
            stage
        });
        assert!(count > 0, "{count}");
    }
}
