//! What is selected: from one character to another, across lines.

use alloc::string::String;

use nonos_terminal::grid::Grid;

/// A place between characters: the number of a line, and how many columns lie before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Number of the line.
    pub line: u64,
    /// Columns before it.
    pub column: usize,
}

/// A selection, which may be empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Selection {
    /// Where the button went down.
    pub from: Place,
    /// Where the pointer is.
    pub to: Place,
}

impl Selection {
    /// Columns of a line that are selected, of so many.
    pub fn columns(self, line: u64, columns: usize) -> core::ops::Range<usize> {
        let (first, last) = (self.from.min(self.to), self.from.max(self.to));
        if line < first.line || line > last.line {
            return 0..0;
        }
        let start = if line == first.line { first.column } else { 0 };
        let end = if line == last.line {
            last.column
        } else {
            columns
        };
        start.min(columns)..end.min(columns)
    }

    /// The selected text. Blanks at the ends of lines are left out; a line that went on in the next is not told from one that ended.
    pub fn text<C: AsRef<[u32]> + AsMut<[u32]>>(self, grid: &Grid<C>) -> String {
        let (columns, rows) = grid.size();
        let (first, last) = (self.from.min(self.to), self.from.max(self.to));
        let newest = grid.first_line() + rows as u64 - 1;
        let mut text = String::new();
        for line in first.line.max(grid.oldest_line())..=last.line.min(newest) {
            if line > first.line.max(grid.oldest_line()) {
                text.push('\n');
            }
            let kept = text.len();
            let cells = self.columns(line, columns);
            text.extend(cells.map(|column| {
                let cell = grid.cell_of_line(line, column);
                cell.character().unwrap_or(' ')
            }));
            text.truncate(kept.max(text.trim_end_matches(' ').len()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_terminal::ansi::Parser;

    #[test]
    fn text_is_taken_across_lines_without_blanks_at_their_ends() {
        let mut grid = Grid::new(vec![0; 40], 10, 2);
        let mut parser = Parser::new();
        for byte in *b"one\ntwo  x\nthree" {
            parser.feed(byte, &mut |action| grid.act(action));
        }
        let place = |line, column| Place { line, column };
        let taken = |from, to| Selection { from, to }.text(&grid);
        assert_eq!(taken(place(0, 1), place(2, 2)), "ne\ntwo  x\nth");
        assert_eq!(taken(place(2, 2), place(0, 1)), "ne\ntwo  x\nth");
        assert_eq!(taken(place(1, 0), place(1, 5)), "two");
        assert_eq!(taken(place(1, 4), place(1, 4)), "");
        assert_eq!(taken(place(0, 0), place(99, 0)), "one\ntwo  x\nthree");
    }
}
