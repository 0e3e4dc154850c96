//! What the window shows, and what the pointer does in it.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use nonos_terminal::grid::{Cell, Grid};
use nonos_terminal::palette;
use nonos_ui::theme::font;
use nonos_ui::ui::Align;
use nonos_ui::{Color, Rect, Ui};

use crate::select::{Place, Selection};

/// Points between the text and the window's edges.
const MARGIN: i32 = 10;
/// Points from line to line.
const LINE: i32 = 17;
/// Characters that are measured at once: their width is no whole number of points.
const MEASURED: &str = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";
/// Lines that are kept after they scrolled out.
const KEPT: usize = 1000;
/// Lines for a step of the wheel.
const WHEEL: i64 = 3;
/// Width of the mark that shows which part is seen, points.
const MARK: i32 = 4;

/// The cells of a terminal's window.
pub type Cells = Grid<Vec<u32>>;

/// The window's state.
#[derive(Default, Debug)]
pub struct View {
    /// Number of the first line that is seen, when that is not the screen's.
    top: Option<u64>,
    selection: Option<Selection>,
}

/// A blank screen of this size, with room for lines that scroll out.
pub fn cells(columns: usize, rows: usize) -> Cells {
    let columns = columns.max(1);
    Grid::new(vec![0; columns * (rows.max(1) + KEPT)], columns, rows)
}

/// The same text on a screen of another size.
pub fn resized(grid: &Cells, columns: usize, rows: usize) -> Cells {
    let columns = columns.max(1);
    grid.on(vec![0; columns * (rows.max(1) + KEPT)], columns, rows)
}

/// Columns and rows that a window has room for.
pub fn room(ui: &Ui<'_>) -> (usize, usize) {
    let size = ui.size().inset(MARGIN, MARGIN);
    let measured = MEASURED.len() as i32;
    let columns = size.width * measured / ui.text_width(font::MONO, MEASURED).max(1);
    (
        columns.max(1) as usize,
        (size.height / LINE).max(1) as usize,
    )
}

impl View {
    /// Something was typed: the screen is seen again, and nothing is selected.
    pub fn typed(&mut self) {
        *self = Self::default();
    }

    /// Scrolls by so many screens, negative is back.
    pub fn page(&mut self, grid: &Cells, by: i64) {
        self.scroll(grid, by * (grid.size().1 as i64 - 1).max(1));
    }

    fn scroll(&mut self, grid: &Cells, lines: i64) {
        let top = self.first_seen(grid).saturating_add_signed(lines);
        let top = top.max(grid.oldest_line());
        self.top = (top < grid.first_line()).then_some(top);
    }

    fn first_seen(&self, grid: &Cells) -> u64 {
        let top = self.top.unwrap_or(grid.first_line());
        top.clamp(grid.oldest_line(), grid.first_line())
    }

    /// The selected text, when there is some.
    pub fn selected(&self, grid: &Cells) -> Option<String> {
        let text = self.selection?.text(grid);
        (!text.is_empty()).then_some(text)
    }

    /// Moves the end of what is selected by so many lines and columns; what was not begun begins at the cursor. It is seen.
    pub fn extend(&mut self, grid: &Cells, lines: i64, columns: isize) {
        let (width, rows) = grid.size();
        let (row, column) = grid.cursor();
        let cursor = Place {
            line: grid.first_line() + row as u64,
            column: column.min(width),
        };
        let begun = self.selection.get_or_insert(Selection {
            from: cursor,
            to: cursor,
        });
        let newest = grid.first_line() + rows as u64 - 1;
        let line = begun.to.line.saturating_add_signed(lines);
        let line = line.clamp(grid.oldest_line(), newest);
        let column = begun.to.column.saturating_add_signed(columns).min(width);
        begun.to = Place { line, column };
        let seen = self.first_seen(grid);
        if line < seen || line >= seen + rows as u64 {
            let top = line.min((line + 1).saturating_sub(rows as u64).max(seen));
            self.scroll(grid, top as i64 - seen as i64);
        }
    }

    /// What is selected begins where it ended.
    pub fn begin(&mut self) {
        if let Some(selection) = &mut self.selection {
            selection.from = selection.to;
        }
    }

    /// Shows the terminal. `focused`: the window has the keyboard.
    pub fn show(&mut self, ui: &mut Ui<'_>, grid: &Cells, focused: bool) {
        let window = ui.size();
        ui.fill(window, Color::rgb(palette::BACKGROUND));
        let wheel = i64::from(ui.take_wheel(window));
        if wheel != 0 {
            self.scroll(grid, wheel * WHEEL);
        }
        let area = window.inset(MARGIN, MARGIN);
        let width = ui.text_width(font::MONO, MEASURED);
        let left = |column: usize| column as i32 * width / MEASURED.len() as i32;
        self.select(ui, grid, area, width);
        let (columns, rows) = grid.size();
        let first = self.first_seen(grid);
        let mut text = String::new();
        for row in 0..rows {
            let line = first + row as u64;
            let place = Rect::new(area.x, area.y + row as i32 * LINE, area.width, LINE);
            let cell = |column| match self.top {
                // The cursor is on the screen alone.
                None => grid.cell(row, column),
                Some(_) => grid.cell_of_line(line, column),
            };
            let selected = match self.selection {
                Some(selection) => selection.columns(line, columns),
                None => 0..0,
            };
            let mut column = 0;
            while column < columns {
                let look = Look::of(cell(column), selected.contains(&column), focused);
                let run = column..end_of_run(column, columns, |at| {
                    Look::of(cell(at), selected.contains(&at), focused) == look
                });
                text.clear();
                text.extend(run.clone().map(|at| cell(at).character().unwrap_or(' ')));
                column = run.end;
                let part = Rect::new(
                    place.x + left(run.start),
                    place.y,
                    left(run.end) - left(run.start),
                    LINE,
                );
                draw(ui, part, look, &text);
            }
        }
        self.mark(ui, window, grid);
    }

    /// A button that goes down begins a selection; the pointer that moves then ends it.
    fn select(&mut self, ui: &mut Ui<'_>, grid: &Cells, area: Rect, width: i32) {
        let id = ui.id("text");
        let response = ui.interact(id, ui.size(), false);
        ui.set_cursor(nonos_proto::display::cursor::TEXT);
        let Some((x, y)) = ui.dragged(id) else {
            return;
        };
        let (columns, rows) = grid.size();
        let row = (y - area.y).div_euclid(LINE).clamp(0, rows as i32 - 1);
        let measured = MEASURED.len() as i32;
        let column = ((x - area.x) * measured * 2 / width.max(1) + 1) / 2;
        let place = Place {
            line: self.first_seen(grid) + row as u64,
            column: column.clamp(0, columns as i32) as usize,
        };
        match &mut self.selection {
            Some(selection) if !response.pressed => selection.to = place,
            selection => {
                *selection = Some(Selection {
                    from: place,
                    to: place,
                });
            }
        }
    }

    /// Where in the kept lines the seen ones are.
    fn mark(&self, ui: &mut Ui<'_>, window: Rect, grid: &Cells) {
        let Some(top) = self.top else {
            return;
        };
        let rows = grid.size().1 as u64;
        let all = grid.first_line() - grid.oldest_line() + rows;
        let before = top.saturating_sub(grid.oldest_line());
        let at = |line: u64| (line * window.height as u64 / all) as i32;
        let height = (at(before + rows) - at(before)).max(24);
        let y = at(before).min(window.height - height);
        let mark = Rect::new(window.right() - MARK - 2, y, MARK, height);
        ui.rounded(mark, MARK / 2, Color::rgb(palette::PALETTE[8]));
    }
}

/// Where a run of cells that look alike ends.
fn end_of_run(start: usize, columns: usize, alike: impl Fn(usize) -> bool) -> usize {
    let run: Range<usize> = start + 1..columns;
    run.into_iter().find(|&at| !alike(at)).unwrap_or(columns)
}

/// How cells look.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    foreground: u32,
    background: u32,
    /// Only a frame around it: the cursor of a window without the keyboard.
    framed: bool,
}

impl Look {
    fn of(cell: Cell, selected: bool, focused: bool) -> Self {
        let color =
            |color: Option<usize>, default| color.map_or(default, |at| palette::PALETTE[at]);
        let foreground = color(cell.foreground(), palette::FOREGROUND);
        let background = color(cell.background(), palette::BACKGROUND);
        match (cell.has_cursor(), selected) {
            (true, _) if focused => Self {
                foreground: palette::BACKGROUND,
                background: palette::CURSOR,
                framed: false,
            },
            (cursor, true) => Self {
                foreground,
                background: palette::PALETTE[0],
                framed: cursor,
            },
            (framed, false) => Self {
                foreground,
                background,
                framed,
            },
        }
    }
}

fn draw(ui: &mut Ui<'_>, place: Rect, look: Look, text: &str) {
    if look.background != palette::BACKGROUND {
        ui.fill(place, Color::rgb(look.background));
    }
    if look.framed {
        ui.outline(place, 0, 1, Color::rgb(palette::CURSOR));
    }
    if !text.trim_end().is_empty() {
        let color = Color::rgb(look.foreground);
        // The width of a run is no whole number of points: nothing is to be cut off for that.
        let place = Rect::new(place.x, place.y, place.width + LINE, place.height);
        ui.text(place, font::MONO, Align::Left, text.trim_end(), color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_terminal::ansi::Parser;

    #[test]
    fn keys_select_from_the_cursor_or_from_where_that_was_begun() {
        let mut grid = cells(10, 2);
        let mut parser = Parser::new();
        for byte in *b"zero\none\ntwo\nthree" {
            parser.feed(byte, &mut |action| grid.act(action));
        }
        let mut view = View::default();
        view.extend(&grid, -1, 0);
        assert_eq!(view.selected(&grid).as_deref(), Some("\nthree"));
        view.extend(&grid, -9, -9);
        assert_eq!(
            view.selected(&grid).as_deref(),
            Some("zero\none\ntwo\nthree")
        );
        assert_eq!(view.first_seen(&grid), grid.oldest_line(), "it is seen");
        view.extend(&grid, 0, 1);
        view.begin();
        assert_eq!(view.selected(&grid), None);
        view.extend(&grid, 1, 1);
        assert_eq!(view.selected(&grid).as_deref(), Some("ero\non"));
        view.extend(&grid, 9, 99);
        assert_eq!(view.first_seen(&grid), grid.first_line());
        assert_eq!(
            view.selected(&grid).as_deref(),
            Some("ero\none\ntwo\nthree")
        );
        view.typed();
        assert_eq!(view.selected(&grid), None);
    }
}
