//! Lists, of which a row is selected, or several that follow each other.

use core::ops::RangeInclusive;

use crate::geometry::Rect;
use crate::input::{Key, usage};
use crate::theme::space;
use crate::ui::Ui;

use super::Scroll;

/// What a list remembers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct List {
    /// Which row is selected.
    pub selected: Option<usize>,
    /// Whether several can be, with Shift and the keys or the button for one, and with Control and A.
    pub many: bool,
    /// The other end of several.
    pub anchor: Option<usize>,
    /// How far it is scrolled.
    pub scroll: Scroll,
}

impl List {
    /// All rows that are selected.
    pub fn range(&self) -> Option<RangeInclusive<usize>> {
        let selected = self.selected?;
        let other = self.anchor.unwrap_or(selected);
        Some(selected.min(other)..=selected.max(other))
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
    pub fn list(
        &mut self,
        rect: Rect,
        name: &str,
        list: &mut List,
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
        let mut now = *list;
        self.scroll(
            rect,
            name,
            &mut list.scroll,
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
                    if response.pressed && ui.pointer_in(place).is_some() {
                        entered |= ui.clicks() == 2 && now.selected == Some(row as usize);
                        now.anchor = (now.many && ui.shift_with_pointer())
                            .then(|| now.anchor.or(now.selected))
                            .flatten();
                        now.selected = Some(row as usize);
                    }
                    let is_selected = now
                        .range()
                        .is_some_and(|range| range.contains(&(row as usize)));
                    let ground = place.inset(4, 1);
                    if is_selected {
                        ui.rounded(ground, space::RADIUS - 2, theme.selection);
                        if response.ring && now.selected == Some(row as usize) {
                            ui.outline(ground, space::RADIUS - 2, 2, theme.ring);
                        }
                    } else if ui.pointer_in(place).is_some() {
                        ui.rounded(ground, space::RADIUS - 2, theme.control_hover);
                    }
                    let mut inner = place.inset(space::MEDIUM, 0);
                    // Beside the bar.
                    inner.width -= if contents.height > rect.height { 8 } else { 0 };
                    view(ui, inner, row as usize, is_selected);
                }
            },
        );
        (list.selected, list.anchor) = (now.selected, now.anchor);
        if response.ring && list.selected.is_none() {
            self.outline(rect, space::RADIUS, 2, self.theme.ring);
        }
        Picked {
            changed: list.selected != before,
            entered,
        }
    }

    #[inline(never)]
    fn list_keys(&mut self, rect: Rect, list: &mut List, rows: usize, height: i32) -> bool {
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
        if list.many && self.take_key(all).is_some() {
            (list.selected, list.anchor) = (Some(rows - 1), Some(0));
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
            list.anchor = (list.many && key.shift())
                .then(|| list.anchor.or(at))
                .flatten();
            list.selected = Some(to);
            list.scroll
                .show(to as i32 * height, (to as i32 + 1) * height, rect.height);
        }
        at.is_some() && self.take_key(|key| key.is_enter()).is_some()
    }
}
