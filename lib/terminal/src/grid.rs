//! What the screen shows: cells of characters, a cursor, scrolling.
//!
//! Lines form a ring, so scrolling moves no cells; what scrolled out at the top stays there for a while when there is room. [`Grid::changed`] names the lines that may look different
//! from before; whoever paints compares cells and draws those that do.

use core::ops::Range;

use crate::ansi::{Action, Part, Style};

/// A character and its looks; 0 is a blank.
///
/// Bits 0–15 the character (0 for a blank), 16–20 foreground and 21–25 background (0 the default, else a
/// colour plus 1), 26 the cursor stands here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Cell(pub u32);

impl Cell {
    const CURSOR: u32 = 1 << 26;

    fn new(character: char, looks: Looks) -> Self {
        let code = match u16::try_from(u32::from(character)) {
            Ok(0x20) => 0,
            Ok(code) => code,
            Err(_) => u16::from(b'?'),
        };
        // Bold is shown as the bright half of the palette.
        let bright = |color: u8| {
            if looks.bold && (1..=8).contains(&color) {
                color + 8
            } else {
                color
            }
        };
        let foreground = u32::from(bright(looks.foreground));
        Self(u32::from(code) | foreground << 16 | u32::from(looks.background) << 21)
    }

    /// The character; `None` for a blank.
    pub fn character(self) -> Option<char> {
        char::from_u32(self.0 & 0xFFFF).filter(|&character| character != '\0')
    }

    /// Foreground: 0 to 15, `None` for the default.
    pub fn foreground(self) -> Option<usize> {
        (self.0 as usize >> 16 & 31).checked_sub(1)
    }

    /// Background: 0 to 15, `None` for the default.
    pub fn background(self) -> Option<usize> {
        (self.0 as usize >> 21 & 31).checked_sub(1)
    }

    /// Whether the cursor stands here.
    pub fn has_cursor(self) -> bool {
        self.0 & Self::CURSOR != 0
    }
}

/// Colours as cells hold them: 0 the default, else a colour plus 1.
#[derive(Clone, Copy, Default)]
struct Looks {
    foreground: u8,
    background: u8,
    bold: bool,
}

/// The screen.
pub struct Grid<C> {
    cells: C,
    columns: usize,
    rows: usize,
    /// Lines in the ring.
    lines: usize,
    /// Where in the ring the first line of the screen is.
    first: usize,
    /// Lines above the screen that are kept.
    above: usize,
    /// Lines that scrolled out since the beginning.
    scrolled: u64,
    row: usize,
    column: usize,
    /// The last column is filled and the next character goes to the next line.
    wrap: bool,
    looks: Looks,
    changed: Range<usize>,
}

impl<C: AsRef<[u32]> + AsMut<[u32]>> Grid<C> {
    /// A blank screen. `cells` hold zeros; columns or rows that do not fit in them are left out, and what room there is
    /// beyond keeps lines that scrolled out.
    pub fn new(cells: C, columns: usize, rows: usize) -> Self {
        let count = cells.as_ref().len();
        let columns = columns.clamp(1, count);
        let lines = count / columns;
        let rows = rows.clamp(1, lines);
        Self {
            cells,
            columns,
            rows,
            lines,
            first: 0,
            above: 0,
            scrolled: 0,
            row: 0,
            column: 0,
            wrap: false,
            looks: Looks::default(),
            changed: 0..rows,
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// Row and column of the cursor.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    /// Whether the cursor stands at the beginning of a line.
    pub fn at_line_start(&self) -> bool {
        self.column == 0
    }

    /// The lines that changed since the last call.
    pub fn changed(&mut self) -> Range<usize> {
        let changed = self.changed.clone();
        self.changed = self.row..self.row;
        changed
    }

    /// A cell as it is to be shown.
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        let cursor = if (row, column) == (self.row, self.column) {
            Cell::CURSOR
        } else {
            0
        };
        Cell(self.cells.as_ref()[self.line(row).start + column] | cursor)
    }

    /// Number of the first line of the screen. Lines are numbered from 0 on, and keep their number when they scroll out.
    pub fn first_line(&self) -> u64 {
        self.scrolled
    }

    /// Number of the first line that is kept.
    pub fn oldest_line(&self) -> u64 {
        self.scrolled - self.above as u64
    }

    /// A cell of a line by its number, without the cursor; a blank when it is not kept.
    pub fn cell_of_line(&self, line: u64, column: usize) -> Cell {
        let below = line.checked_sub(self.oldest_line());
        let below = below.and_then(|below| usize::try_from(below).ok());
        match below.filter(|&below| below < self.above + self.rows && column < self.columns) {
            Some(below) => {
                let line = (self.first + self.lines + below - self.above) % self.lines;
                Cell(self.cells.as_ref()[line * self.columns + column])
            }
            None => Cell(0),
        }
    }

    /// The same text on a screen of another size, on blank cells: lines are cut or end earlier than the screen, and the cursor's line
    /// stays in sight.
    pub fn on<D: AsRef<[u32]> + AsMut<[u32]>>(
        &self,
        cells: D,
        columns: usize,
        rows: usize,
    ) -> Grid<D> {
        let mut grid = Grid::new(cells, columns, rows);
        let common = grid.columns.min(self.columns);
        let used = self.above + self.row + 1;
        for line in used.saturating_sub(grid.lines)..used {
            if line > 0 && line > used.saturating_sub(grid.lines) {
                grid.down();
            }
            let from = (self.first + self.lines + line - self.above) % self.lines * self.columns;
            let to = grid.line(grid.row).start;
            grid.cells.as_mut()[to..to + common]
                .copy_from_slice(&self.cells.as_ref()[from..from + common]);
        }
        grid.column = self.column.min(grid.columns - 1);
        grid.looks = self.looks;
        grid.changed = 0..grid.rows;
        grid
    }

    /// Does it.
    pub fn act(&mut self, action: Action) {
        self.touch(self.row);
        match action {
            Action::Print(character) => self.print(character),
            Action::NewLine => {
                self.column = 0;
                self.down();
            }
            Action::CarriageReturn => self.column = 0,
            Action::Backspace => self.column = self.column.saturating_sub(1),
            Action::Tab => self.column = ((self.column | 7) + 1).min(self.columns - 1),
            Action::Style(style) => self.style(style),
            Action::Lines(by) => self.row = moved(self.row, by, self.rows),
            Action::Columns(by) => self.column = moved(self.column, by, self.columns),
            Action::Column(column) => self.column = counted(column, self.columns),
            Action::Position(row, column) => {
                self.row = counted(row, self.rows);
                self.column = counted(column, self.columns);
            }
            Action::EraseLine(part) => self.erase_line(part),
            Action::EraseScreen(part) => self.erase_screen(part),
        }
        if !matches!(action, Action::Print(_) | Action::Style(_)) {
            self.wrap = false;
        }
        self.touch(self.row);
    }

    fn print(&mut self, character: char) {
        if self.wrap {
            self.wrap = false;
            self.column = 0;
            self.down();
        }
        let at = self.line(self.row).start + self.column;
        self.cells.as_mut()[at] = Cell::new(character, self.looks).0;
        if self.column + 1 < self.columns {
            self.column += 1;
        } else {
            self.wrap = true;
        }
    }

    /// Goes to the next line; scrolls at the last.
    fn down(&mut self) {
        self.touch(self.row);
        if self.row + 1 < self.rows {
            self.row += 1;
            return;
        }
        self.first = (self.first + 1) % self.lines;
        self.scrolled += 1;
        self.above = (self.above + 1).min(self.lines - self.rows);
        let last = self.line(self.rows - 1);
        self.cells.as_mut()[last].fill(0);
        self.changed = 0..self.rows;
    }

    fn style(&mut self, style: Style) {
        let looks = &mut self.looks;
        let stored = |color: Option<u8>| color.map_or(0, |color| (color & 15) + 1);
        match style {
            Style::Reset => *looks = Looks::default(),
            Style::Bold(bold) => looks.bold = bold,
            Style::Foreground(color) => looks.foreground = stored(color),
            Style::Background(color) => looks.background = stored(color),
        }
    }

    fn erase_line(&mut self, part: Part) {
        let line = self.line(self.row);
        let cursor = line.start + self.column;
        let erased = match part {
            Part::After => cursor..line.end,
            Part::Before => line.start..cursor + 1,
            Part::All => line,
        };
        self.cells.as_mut()[erased].fill(0);
    }

    fn erase_screen(&mut self, part: Part) {
        let rows = match part {
            Part::After => self.row + 1..self.rows,
            Part::Before => 0..self.row,
            Part::All => 0..self.rows,
        };
        self.erase_line(part);
        for row in rows {
            let line = self.line(row);
            self.cells.as_mut()[line].fill(0);
        }
        self.changed = 0..self.rows;
    }

    /// Where in `cells` a line lies.
    fn line(&self, row: usize) -> Range<usize> {
        let start = (self.first + row) % self.lines * self.columns;
        start..start + self.columns
    }

    fn touch(&mut self, row: usize) {
        self.changed = match self.changed.is_empty() {
            true => row..row + 1,
            false => self.changed.start.min(row)..self.changed.end.max(row + 1),
        };
    }
}

fn moved(from: usize, by: i16, limit: usize) -> usize {
    from.saturating_add_signed(by.into()).min(limit - 1)
}

fn counted(from_one: u16, limit: usize) -> usize {
    usize::from(from_one).saturating_sub(1).min(limit - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ansi::Parser;

    fn show(grid: &mut Grid<&mut [u32]>, text: &str) {
        let mut parser = Parser::new();
        text.bytes()
            .for_each(|byte| parser.feed(byte, &mut |action| grid.act(action)));
    }

    fn line(grid: &Grid<&mut [u32]>, row: usize) -> String {
        let cells = (0..grid.columns).map(|column| grid.cell(row, column));
        let text: String = cells.map(|cell| cell.character().unwrap_or(' ')).collect();
        text.trim_end().to_owned()
    }

    #[test]
    fn lines_wrap_and_scroll() {
        let mut cells = [0; 20];
        let mut grid = Grid::new(&mut cells[..], 5, 3);
        show(&mut grid, "abcde");
        assert!(!grid.at_line_start());
        assert_eq!(
            grid.row, 0,
            "the last column holds the cursor until something follows"
        );
        show(&mut grid, "fg\nline2\nline3");
        assert_eq!(
            [0, 1, 2].map(|row| line(&grid, row)),
            ["fg", "line2", "line3"]
        );
        show(&mut grid, "\n");
        assert_eq!(
            [0, 1, 2].map(|row| line(&grid, row)),
            ["line2", "line3", ""]
        );
        assert!(grid.at_line_start());
    }

    /// Lines from a number on.
    fn from(grid: &Grid<&mut [u32]>, first: u64, count: u64) -> Vec<String> {
        let text = |line| {
            let cells = (0..grid.columns).map(|column| grid.cell_of_line(line, column));
            let text: String = cells.map(|cell| cell.character().unwrap_or(' ')).collect();
            text.trim_end().to_owned()
        };
        (first..first + count).map(text).collect()
    }

    #[test]
    fn lines_that_scrolled_out_are_kept_as_long_as_there_is_room() {
        let mut cells = [0; 25];
        let mut grid = Grid::new(&mut cells[..], 5, 2);
        show(&mut grid, "a\nb\nc");
        assert_eq!((grid.oldest_line(), grid.first_line()), (0, 1));
        assert_eq!(from(&grid, 0, 3), ["a", "b", "c"]);
        show(&mut grid, "\nd\ne\nf\ng");
        assert_eq!((grid.oldest_line(), grid.first_line()), (2, 5));
        assert_eq!(from(&grid, 1, 7), ["", "c", "d", "e", "f", "g", ""]);
        assert_eq!(grid.cell_of_line(5, 5), Cell(0));
    }

    #[test]
    fn another_size_keeps_the_text_and_the_line_of_the_cursor() {
        let mut cells = [0; 25];
        let mut grid = Grid::new(&mut cells[..], 5, 2);
        show(&mut grid, "abcd\n2\n3\n4x");
        let mut wider = [0; 60];
        let mut other = grid.on(&mut wider[..], 10, 3);
        assert_eq!([0, 1, 2].map(|row| line(&other, row)), ["2", "3", "4x"]);
        assert_eq!(from(&other, other.oldest_line(), 1), ["abcd"]);
        show(&mut other, "y");
        assert_eq!(line(&other, 2), "4xy");
        let mut narrow = [0; 4];
        let mut small = grid.on(&mut narrow[..], 2, 1);
        assert_eq!(line(&small, 0), "4x");
        assert_eq!(from(&small, small.oldest_line(), 1), ["3"]);
        show(&mut small, "\n5");
        assert_eq!(line(&small, 0), "5");
    }

    #[test]
    fn only_lines_that_changed_are_named() {
        let mut cells = [0; 100];
        let mut grid = Grid::new(&mut cells[..], 10, 10);
        assert_eq!(grid.changed(), 0..10);
        show(&mut grid, "a\nb");
        assert_eq!(grid.changed(), 0..2);
        show(&mut grid, "c");
        assert_eq!(grid.changed(), 1..2);
        assert!(grid.changed().is_empty());
        show(&mut grid, "\x1B[9;1H");
        assert_eq!(
            grid.changed(),
            1..9,
            "the cursor left one line and came to another"
        );
    }

    #[test]
    fn a_line_is_edited_in_place() {
        let mut cells = [0; 40];
        let mut grid = Grid::new(&mut cells[..], 20, 2);
        show(&mut grid, "hello world\x1B[5D\x1B[Kthere\x08\x08\x1B[1K");
        assert_eq!(line(&grid, 0), "          e");
        show(&mut grid, "\x1B[2J\rx\r\ty\x1B[1Gz");
        assert_eq!(line(&grid, 0), "z       y");
        assert!(grid.cell(0, 1).has_cursor());
    }

    #[test]
    fn colours_stick_until_reset() {
        let mut cells = [0; 40];
        let mut grid = Grid::new(&mut cells[..], 20, 2);
        show(&mut grid, "\x1B[1;31;44ma\x1B[22mb\x1B[0mc");
        let colors = [0, 1, 2]
            .map(|column| grid.cell(0, column))
            .map(|c| (c.foreground(), c.background()));
        assert_eq!(
            colors,
            [(Some(9), Some(4)), (Some(1), Some(4)), (None, None)]
        );
    }

    #[test]
    fn any_text_on_any_size_stays_inside() {
        let mut state = 7_u32;
        for (columns, rows) in [(1, 1), (1, 5), (80, 1), (7, 3), (200, 200)] {
            let mut cells = vec![0; 600];
            let mut grid = Grid::new(&mut cells[..], columns, rows);
            let mut parser = Parser::new();
            for _ in 0..20_000 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let byte = b"\x1B[;0129mABCDGHJKxyz\n\r\t\x08"[(state >> 16) as usize % 23];
                parser.feed(byte, &mut |action| grid.act(action));
            }
            let (columns, rows) = grid.size();
            grid.cell(rows - 1, columns - 1);
            assert!(grid.changed().end <= rows);
        }
    }
}
