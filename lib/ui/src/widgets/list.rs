//! Lists, of which a row is selected, or any number of them.

use alloc::vec::Vec;

use crate::geometry::Rect;
use crate::input::{Key, usage};
use crate::theme::space;
use crate::ui::Ui;

use super::Scroll;

/// What a list remembers; of one of `MANY`, several rows can be selected.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct List<const MANY: bool = false> {
    /// Which row is selected; of `MANY` the one that keys go on from, which need not be.
    pub selected: Option<usize>,
    /// Of `MANY` whether a row is selected. Those past the end are not.
    pub chosen: Vec<bool>,
    /// Of `MANY` where a range begins that Shift selects.
    pub anchor: Option<usize>,
    /// How far it is scrolled.
    pub scroll: Scroll,
}

impl<const MANY: bool> List<MANY> {
    /// Selects this row alone, or none.
    pub fn select(&mut self, row: Option<usize>) {
        (self.selected, self.anchor) = (None, None);
        self.chosen.clear();
        if let Some(row) = row {
            self.go(row, false);
        }
    }

    /// All rows of `MANY` that are selected.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        let chosen = self.chosen.iter().enumerate();
        chosen.filter_map(|(row, chosen)| chosen.then_some(row))
    }

    fn is_selected(&self, row: usize) -> bool {
        if MANY {
            self.chosen.get(row) == Some(&true)
        } else {
            self.selected == Some(row)
        }
    }

    /// Selects this row alone, or with all from where the range begins.
    fn go(&mut self, row: usize, range: bool) {
        let begin = self.anchor.or(self.selected).filter(|_| range);
        self.selected = Some(row);
        if MANY {
            let begin = begin.unwrap_or(row);
            self.anchor = Some(begin);
            self.chosen.clear();
            self.chosen.resize(begin.min(row), false);
            self.chosen.resize(begin.max(row) + 1, true);
        }
    }

    /// Selects this row, too, or no more.
    fn toggle(&mut self, row: usize) {
        (self.selected, self.anchor) = (Some(row), Some(row));
        if self.chosen.len() <= row {
            self.chosen.resize(row + 1, false);
        }
        self.chosen[row] ^= true;
    }
}

/// What the user did with a list.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Picked {
    /// Another row is selected.
    pub changed: bool,
    /// Enter was pressed on the selected row, or it was clicked twice.
    pub entered: bool,
}

impl Ui<'_> {
    /// A list of so many rows; `view` draws one that is to be seen: its place, number, and whether it is selected.
    #[inline(never)]
    pub fn list<const MANY: bool>(
        &mut self,
        rect: Rect,
        name: &str,
        list: &mut List<MANY>,
        (rows, height): (usize, i32),
        mut view: impl FnMut(&mut Self, Rect, usize, bool),
    ) -> Picked {
        let id = self.id(name);
        let response = self.interact(id, rect, true);
        let before = list.selected;
        let mut entered = false;
        if response.focused && rows > 0 {
            entered = self.list_keys(rect, list, rows, height);
        }
        let theme = self.theme;
        let mut scroll = list.scroll;
        self.scroll(
            rect,
            name,
            &mut scroll,
            rows as i32 * height,
            |ui, contents| {
                let seen = ui.seen(contents);
                let first = (seen.y - contents.y).max(0) / height.max(1);
                let end = ((seen.bottom() - contents.y) / height.max(1) + 1).min(rows as i32);
                for row in first..end {
                    let place = Rect::new(
                        contents.x,
                        contents.y + row * height,
                        contents.width,
                        height,
                    );
                    let number = row as usize;
                    if response.pressed && ui.pointer_in(place).is_some() {
                        if MANY && ui.control_with_pointer() {
                            list.toggle(number);
                        } else {
                            entered |= ui.clicks() == 2 && list.selected == Some(number);
                            list.go(number, ui.shift_with_pointer());
                        }
                    }
                    let is_selected = list.is_selected(number);
                    let ground = place.inset(4, 1);
                    if is_selected {
                        ui.rounded(ground, space::RADIUS - 2, theme.selection);
                    } else if ui.pointer_in(place).is_some() {
                        ui.rounded(ground, space::RADIUS - 2, theme.control_hover);
                    }
                    if response.ring && list.selected == Some(number) {
                        ui.outline(ground, space::RADIUS - 2, 2, theme.ring);
                    }
                    let mut inner = place.inset(space::MEDIUM, 0);
                    // Beside the bar.
                    inner.width -= if contents.height > rect.height { 8 } else { 0 };
                    view(ui, inner, number, is_selected);
                }
            },
        );
        list.scroll = scroll;
        if response.ring && list.selected.is_none() {
            self.outline(rect, space::RADIUS, 2, self.theme.ring);
        }
        Picked {
            changed: list.selected != before,
            entered,
        }
    }

    #[inline(never)]
    fn list_keys<const MANY: bool>(
        &mut self,
        rect: Rect,
        list: &mut List<MANY>,
        rows: usize,
        height: i32,
    ) -> bool {
        const KEYS: [u8; 6] = [
            usage::UP,
            usage::DOWN,
            usage::HOME,
            usage::END,
            usage::PAGE_UP,
            usage::PAGE_DOWN,
        ];
        let page = (rect.height / height.max(1)).max(1) as usize;
        let at = list.selected;
        let all = |key: &Key| key.shortcut() == Some('a');
        if MANY && self.take_key(all).is_some() {
            list.select(Some(0));
            list.go(rows - 1, true);
        }
        let space = |key: &Key| key.control() && key.usage == usage::SPACE;
        if MANY
            && let Some(at) = at
            && self.take_key(space).is_some()
        {
            list.toggle(at);
        }
        if let Some(key) = self.take_key(|key| KEYS.contains(&key.usage)) {
            let last = rows - 1;
            let to = match (key.usage, at) {
                (usage::HOME, _) | (usage::DOWN, None) => 0,
                (usage::END, _) | (usage::UP, None) => last,
                (usage::UP, Some(at)) => at.saturating_sub(1),
                (usage::DOWN, Some(at)) => at + 1,
                (usage::PAGE_UP, at) => at.unwrap_or(0).saturating_sub(page),
                (_, at) => at.unwrap_or(0) + page,
            };
            let to = to.min(last);
            if MANY && key.control() && !key.shift() {
                list.selected = Some(to);
                self.show_focus();
            } else {
                list.go(to, key.shift());
            }
            list.scroll
                .show(to as i32 * height, (to as i32 + 1) * height, rect.height);
        }
        at.is_some() && self.take_key(|key| key.is_enter()).is_some()
    }
}
