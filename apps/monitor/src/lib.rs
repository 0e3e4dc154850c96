//! The system monitor: how busy the CPUs are and how full the memory, and which processes that comes from. A process can be ended.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod sample;
pub mod system;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_abi::info::process_state;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List};
use nonos_ui::{App, Color, Edit, Rect, Ui};
use sample::{Row, Samples};
use system::System;

/// Kibibytes of a page.
const PAGE_KIB: u64 = 4;

/// Widths of the columns behind the name.
const COLUMNS: [i32; 4] = [76, 116, 76, 76];

/// What the list is sorted by.
const ORDERS: [&str; 3] = ["Processor", "Memory", "Name"];

/// The monitor.
#[derive(Debug)]
pub struct Monitor<S> {
    system: S,
    samples: Samples,
    list: List,
    search: Edit,
    order: usize,
    /// Number of the process that is selected.
    selected: Option<u64>,
    asking: bool,
    /// The last process that could not be ended.
    refused: Option<String>,
}

/// A size for a person.
fn size(kib: u64) -> String {
    match kib {
        0..10_240 => format!("{kib} KiB"),
        _ => format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024),
    }
}

/// Thousandths as a percentage.
fn percent(of_1000: u64) -> String {
    format!("{}.{} %", of_1000 / 10, of_1000 % 10)
}

impl<S: System> Monitor<S> {
    /// Looks at a system for the first time.
    pub fn new(system: S) -> Self {
        let mut samples = Samples::default();
        samples.take(&system);
        Self {
            system,
            samples,
            list: List::default(),
            search: Edit::default(),
            order: 0,
            selected: None,
            asking: false,
            refused: None,
        }
    }

    /// What is shown of the list, in its order.
    fn shown(&self) -> Vec<Row> {
        let wanted = self.search.text().trim();
        let fits = |row: &&Row| row.info.name.as_str().contains(wanted);
        let mut rows: Vec<Row> = self.samples.rows.iter().filter(fits).copied().collect();
        match self.order {
            0 => rows.sort_by_key(|row| core::cmp::Reverse(row.busy)),
            1 => rows.sort_by_key(|row| core::cmp::Reverse(row.info.pages)),
            _ => rows.sort_by(|a, b| a.info.name.as_str().cmp(b.info.name.as_str())),
        }
        rows
    }

    fn plot(
        ui: &mut Ui<'_>,
        place: Rect,
        title: &str,
        (value, note): (&str, &str),
        history: &[u16],
        color: Color,
    ) {
        ui.card(place);
        let mut inner = place.inset(16, 12);
        let mut head = inner.cut_top(20, 0);
        ui.text(head, font::STRONG, Align::Left, title, ui.theme.text);
        head.cut_left(ui.text_width(font::STRONG, title), 8);
        ui.text(head, font::STRONG, Align::Right, value, color);
        ui.note(inner.cut_top(16, 8), note);
        ui.plot(inner, history, color);
    }

    fn plots(&self, ui: &mut Ui<'_>, place: Rect) {
        let samples = &self.samples;
        let cell = |index| place.cell((2, 1), 16, (index, 0));
        let busy = percent(Samples::last(&samples.busy).into());
        let cpus = match samples.cpus {
            1 => String::from("1 CPU"),
            cpus => format!("{cpus} CPUs"),
        };
        let color = ui.theme.accent_text;
        Self::plot(
            ui,
            cell(0),
            "Processor",
            (&busy, &cpus),
            &samples.busy,
            color,
        );
        let (used, all) = samples.pages;
        let memory = format!("{} of {}", size(used * PAGE_KIB), size(all * PAGE_KIB));
        let full = percent(Samples::last(&samples.full).into());
        let color = ui.theme.good;
        Self::plot(
            ui,
            cell(1),
            "Memory",
            (&full, &memory),
            &samples.full,
            color,
        );
    }

    fn columns(mut row: Rect) -> (Rect, [Rect; 4]) {
        let mut places = [Rect::default(); 4];
        for (place, width) in places.iter_mut().zip(COLUMNS).rev() {
            *place = row.cut_right(width, 8);
        }
        (row, places)
    }

    fn row(ui: &mut Ui<'_>, place: Rect, row: &Row) {
        let theme = ui.theme;
        let (mut name, [busy, memory, threads, denials]) = Self::columns(place);
        let state = name.cut_left(8, 12).centred(8, 8);
        let running = row.info.state == process_state::READY;
        ui.rounded(state, 4, if running { theme.good } else { theme.track });
        ui.label(name, row.info.name.as_str());
        let figure = |ui: &mut Ui<'_>, place, text: &str, quiet: bool| {
            let color = if quiet { theme.secondary } else { theme.text };
            ui.text(place, font::BODY, Align::Right, text, color);
        };
        figure(ui, busy, &percent(row.busy), row.busy == 0);
        figure(ui, memory, &size(row.info.pages * PAGE_KIB), false);
        figure(ui, threads, &format!("{}", row.info.threads), true);
        let denied = row.info.denials > 0;
        let color = if denied {
            theme.warning
        } else {
            theme.secondary
        };
        ui.text(
            denials,
            font::BODY,
            Align::Right,
            &format!("{}", row.info.denials),
            color,
        );
    }

    fn table(&mut self, ui: &mut Ui<'_>, place: Rect) {
        ui.card(place);
        let mut inner = place.inset(1, 0);
        let head = inner.cut_top(32, 0).inset(space::MEDIUM, 0);
        let (name, columns) = Self::columns(Rect::new(head.x, head.y, head.width - 8, head.height));
        ui.note(name, "Process");
        for (column, title) in columns
            .into_iter()
            .zip(["Processor", "Memory", "Threads", "Denied"])
        {
            ui.text(
                column,
                font::CAPTION,
                Align::Right,
                title,
                ui.theme.secondary,
            );
        }
        ui.separator(inner.cut_top(1, 4));
        inner.cut_bottom(4, 0);
        let rows = self.shown();
        let is_selected = |row: &Row| Some(row.info.id) == self.selected;
        self.list.selected = rows.iter().position(is_selected);
        let picked = ui.list(
            inner,
            "processes",
            &mut self.list,
            (rows.len(), 32),
            |ui, place, index, _| {
                Self::row(ui, place, &rows[index]);
            },
        );
        self.selected = self
            .list
            .selected
            .and_then(|index| rows.get(index))
            .map(|row| row.info.id);
        self.asking |= picked.entered;
        if rows.is_empty() {
            ui.text(
                inner,
                font::BODY,
                Align::Centre,
                "No process has this name",
                ui.theme.secondary,
            );
        }
    }

    fn chosen(&self) -> Option<&Row> {
        let rows = &self.samples.rows;
        rows.iter().find(|row| Some(row.info.id) == self.selected)
    }

    fn foot(&mut self, ui: &mut Ui<'_>, mut place: Rect) {
        let end = place.cut_right(ui.button_width("End process…"), space::MEDIUM);
        let chosen = self.chosen().map(|row| row.info);
        let note = match (&chosen, &self.refused) {
            (_, Some(name)) => format!("{name} could not be ended"),
            (Some(info), None) => {
                let limit = match info
                    .budget_ns
                    .saturating_mul(100)
                    .checked_div(info.period_ns)
                {
                    None | Some(0) => String::new(),
                    Some(part) => format!(" · at most {part} % of a CPU"),
                };
                let quota = size(info.quota_pages * PAGE_KIB);
                format!(
                    "{} · process {} · priority {} · at most {quota}{limit}",
                    info.name.as_str(),
                    info.id,
                    info.priority
                )
            }
            (None, None) => format!("{} processes", self.samples.rows.len()),
        };
        ui.note(place, &note);
        if chosen.is_some() && ui.button(end, "End process…", Kind::Danger) {
            self.asking = true;
        }
    }

    fn ask(&mut self, ui: &mut Ui<'_>) {
        let Some(info) = self.chosen().map(|row| row.info) else {
            self.asking = false;
            return;
        };
        let title = format!("End {}?", info.name.as_str());
        let text =
            "What it has not saved is lost. The system starts some of its own services again.";
        let answers = [("Leave it", Kind::Plain), ("End it", Kind::Danger)];
        match ui.dialog(&title, text, &answers) {
            Some(1) => {
                self.asking = false;
                let done = self.system.end(info.id);
                self.refused = (!done).then(|| String::from(info.name.as_str()));
                self.samples.take(&self.system);
                ui.changed();
            }
            Some(_) => self.asking = false,
            None => {}
        }
    }
}

impl<S: System> App for Monitor<S> {
    fn title(&self) -> &str {
        "System Monitor"
    }

    fn size(&self) -> (i32, i32) {
        (720, 560)
    }

    fn limits(&self) -> [(i32, i32); 2] {
        [(560, 420), (0, 0)]
    }

    fn period_ns(&self) -> u64 {
        1_000_000_000
    }

    fn tick(&mut self) {
        self.samples.take(&self.system);
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut rest = ui.size().inset(space::MARGIN, 16);
        self.plots(ui, rest.cut_top(148, 16));
        let mut bar = rest.cut_top(space::CONTROL, space::MEDIUM);
        let order = bar.cut_right(280, space::MEDIUM);
        ui.search(bar, "search", &mut self.search, "Search processes");
        ui.segmented(order, "order", &ORDERS, &mut self.order);
        let foot = rest.cut_bottom(space::CONTROL, space::MEDIUM);
        self.table(ui, rest);
        self.foot(ui, foot);
        if self.asking {
            self.ask(ui);
        }
    }
}
