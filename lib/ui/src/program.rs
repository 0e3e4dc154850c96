//! A program with a window, as the toolkit runs it.

use crate::ui::Ui;

/// A program.
pub trait App {
    /// Title of its window, which may change.
    fn title(&self) -> &str;

    /// How large its window is at first, points.
    fn size(&self) -> (i32, i32);

    /// How small and how large the user can make it; 0 stands for no limit. As it is at first unless said otherwise.
    fn limits(&self) -> [(i32, i32); 2] {
        [self.size(), self.size()]
    }

    /// Describes the window.
    fn view(&mut self, ui: &mut Ui<'_>);

    /// Nanoseconds from one [`Self::tick`] to the next; 0 for none.
    fn period_ns(&self) -> u64 {
        0
    }

    /// Time went by.
    fn tick(&mut self) {}

    /// Bits of the program's own were signalled.
    fn signal(&mut self, bits: u64) {
        let _ = bits;
    }

    /// Whether the program ends now.
    fn is_done(&self) -> bool {
        false
    }

    /// The user wants to close the window: whether the program ends now.
    fn close(&mut self) -> bool {
        true
    }
}
