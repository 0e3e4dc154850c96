//! The launcher: a field to search in, and the programs that fit.

use alloc::vec::Vec;

use nonos_ui::input::usage;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::{Edit, Rect, Ui};

use crate::programs::{PROGRAMS, Program};

/// Programs in a row.
const COLUMNS: usize = 4;
/// Rows, as many as all programs need.
const ROWS: usize = PROGRAMS.len().div_ceil(COLUMNS);
/// Side of an icon, points.
const ICON: i32 = 56;
/// Size of a program's cell, points.
const CELL: (i32, i32) = (112, 104);

/// Size of the launcher, points.
pub const SIZE: (i32, i32) = (
    COLUMNS as i32 * CELL.0 + 2 * space::MARGIN,
    ROWS as i32 * CELL.1 + 3 * space::MARGIN + 40,
);

/// What the user typed.
#[derive(Default, Debug)]
pub struct Launcher {
    typed: Edit,
    /// Which of the programs that fit Enter starts.
    chosen: usize,
}

/// What the user wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// This module started.
    Start(&'static str),
    /// The launcher closed.
    Close,
}

impl Launcher {
    /// Shows the launcher. `has`: which modules the image has.
    pub fn show(&mut self, ui: &mut Ui<'_>, has: impl Fn(&str) -> bool) -> Option<Wish> {
        let mut area = ui.size().inset(space::MARGIN, space::MARGIN);
        if ui.take_key(|key| key.usage == usage::ESCAPE).is_some() {
            return Some(Wish::Close);
        }
        let moved = self.moved(ui);
        let bar = area.cut_top(40, space::MARGIN);
        let field = ui.id("search");
        if !ui.any_focus() {
            ui.focus(field);
        }
        let edited = ui.search(bar, "search", &mut self.typed, "Search programs");
        if edited.changed {
            self.chosen = 0;
        }
        let fits: Vec<&'static Program> = PROGRAMS
            .iter()
            .filter(|program| has(program.module) && program.matches(self.typed.text()))
            .collect();
        self.chosen = (self.chosen as i32 + moved).clamp(0, fits.len().max(1) as i32 - 1) as usize;
        if fits.is_empty() {
            ui.text(
                area.cut_top(CELL.1, 0),
                font::BODY,
                Align::Centre,
                "No program of this name",
                ui.theme.secondary,
            );
        }
        let mut wish = None;
        for (index, program) in fits.iter().enumerate() {
            let (column, row) = ((index % COLUMNS) as i32, (index / COLUMNS) as i32);
            let cell = Rect::new(
                area.x + column * CELL.0,
                area.y + row * CELL.1,
                CELL.0,
                CELL.1,
            );
            if entry(ui, cell, program, index == self.chosen) {
                wish = Some(Wish::Start(program.module));
            }
        }
        if edited.entered
            && let Some(program) = fits.get(self.chosen)
        {
            wish = Some(Wish::Start(program.module));
        }
        wish
    }

    /// By how many programs the arrows move.
    fn moved(&self, ui: &mut Ui<'_>) -> i32 {
        let key = ui.take_key(|key| {
            let across = matches!(key.usage, usage::LEFT | usage::RIGHT);
            matches!(key.usage, usage::UP | usage::DOWN) || across && self.typed.text().is_empty()
        });
        match key.map(|key| key.usage) {
            Some(usage::LEFT) => -1,
            Some(usage::RIGHT) => 1,
            Some(usage::UP) => -(COLUMNS as i32),
            Some(usage::DOWN) => COLUMNS as i32,
            _ => 0,
        }
    }
}

/// One program; whether it was clicked.
fn entry(ui: &mut Ui<'_>, cell: Rect, program: &Program, chosen: bool) -> bool {
    let id = ui.id(program.module);
    let inner = cell.inset(4, 2);
    let response = ui.interact(id, inner, false);
    let ground = match (chosen, response.hovered) {
        (true, _) => Some(ui.theme.selection),
        (_, true) => Some(ui.theme.control_hover),
        _ => None,
    };
    if let Some(color) = ground {
        ui.rounded(inner, space::LARGE_RADIUS, color);
    }
    let icon = Rect::new(cell.x + (cell.width - ICON) / 2, cell.y + 12, ICON, ICON);
    program.draw(ui, icon);
    let label = Rect::new(cell.x, icon.bottom() + 6, cell.width, 18);
    ui.text(
        label,
        font::BODY,
        Align::Centre,
        program.title,
        ui.theme.text,
    );
    response.clicked
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_proto::display::theme::DARK;
    use nonos_ui::App;
    use nonos_ui::host::Stage;

    /// The launcher as a program, and what was wished last.
    #[derive(Default)]
    struct Shown(Launcher, Option<Wish>);

    impl App for Shown {
        fn title(&self) -> &str {
            "Launcher"
        }

        fn size(&self) -> (i32, i32) {
            SIZE
        }

        fn view(&mut self, ui: &mut Ui<'_>) {
            self.1 = self.0.show(ui, |_| true).or(self.1);
        }
    }

    #[test]
    fn keys_reach_every_program_and_all_can_be_read() {
        let stage = || Stage::new(Shown::default(), DARK, 1);
        assert_eq!(nonos_ui::access::check(stage), 1, "the field");
        for (index, program) in PROGRAMS.iter().enumerate() {
            let mut stage = stage();
            (0..index / COLUMNS).for_each(|_| stage.press(usage::DOWN, 0));
            (0..index % COLUMNS).for_each(|_| stage.press(usage::RIGHT, 0));
            nonos_ui::access::check_contrast(&stage.window);
            stage.press(usage::ENTER, 0);
            assert_eq!(stage.app.1, Some(Wish::Start(program.module)));
        }
    }
}
