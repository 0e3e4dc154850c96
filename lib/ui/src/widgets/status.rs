//! The bar below a window's contents.

use alloc::string::String;

use crate::geometry::Rect;
use crate::theme::{font, space};
use crate::ui::{Align, Ui};

/// What became of what the user did last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// It was done.
    Said(String),
    /// It was not, and why.
    Failed(String),
}

impl Ui<'_> {
    /// A bar with a note on the left and the state of what the window shows on the right.
    #[inline(never)]
    pub fn status(&mut self, bar: Rect, note: Option<&Note>, state: &str) {
        self.separator(Rect::new(bar.x, bar.y, bar.width, 1));
        let mut row = bar.inset(space::MEDIUM, 0);
        let width = self.text_width(font::CAPTION, state);
        let right = row.cut_right(width + 4, space::MEDIUM);
        let secondary = self.theme.secondary;
        self.text(right, font::CAPTION, Align::Right, state, secondary);
        let (text, ink) = match note {
            Some(Note::Said(text)) => (text, self.theme.text),
            Some(Note::Failed(text)) => (text, self.theme.danger),
            None => return,
        };
        self.text(row, font::CAPTION, Align::Left, text, ink);
    }
}
