//! Text of many lines.

use alloc::string::String;
use core::fmt::Write;

use nonos_proto::display::cursor;

use crate::area::{Area, Outcome, Refused, Row, column_behind};
use crate::geometry::Rect;
use crate::input::Key;
use crate::search::matches;
use crate::theme::{font, space};
use crate::ui::{Align, Ui};

/// Points from line to line.
const LINE: i32 = 20;
/// Characters that are measured at once: their width is no whole number of points.
const MEASURED: &str = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";
/// Rows for a step of the wheel.
const WHEEL: isize = 3;
/// Room for numbers of lines with fewer digits is kept.
const DIGITS: usize = 3;

/// What became of a text area.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AreaEdited {
    /// Its text is another.
    pub changed: bool,
    /// Something was not done.
    pub refused: Option<Refused>,
}

/// Where text is drawn.
struct Place {
    /// Of the text, without the line numbers.
    rect: Rect,
    /// Width of as many columns as are measured.
    width: i32,
}

impl Place {
    fn left(&self, column: usize) -> i32 {
        let right = self.rect.width as i64 + 8;
        let left = column as i64 * i64::from(self.width) / MEASURED.len() as i64;
        self.rect.x + left.min(right) as i32
    }

    fn row(&self, index: usize) -> Rect {
        Rect::new(
            self.rect.x,
            self.rect.y + index as i32 * LINE,
            self.rect.width,
            LINE,
        )
    }
}

impl Ui<'_> {
    /// A text area with line numbers, which fills a rectangle. `Tab` types a tab; with Control it goes to the next widget.
    #[inline(never)]
    pub fn text_area(&mut self, rect: Rect, name: &str, area: &mut Area) -> AreaEdited {
        let theme = self.theme;
        let bar = self.scope(name, 0, |ui| ui.id("bar"));
        let height = |lines: usize| {
            i32::try_from(lines).map_or(i32::MAX / 2, |lines| lines.saturating_mul(LINE))
        };
        let most = (height(area.buffer().lines()) - rect.height).clamp(0, i32::MAX / 2);
        if most > 0 {
            let before = height(area.top_line()).min(most);
            area.scroll.offset = before;
            self.scroll_bar(rect, bar, &mut area.scroll, most);
            if area.scroll.offset != before {
                area.show_line((area.scroll.offset / LINE) as usize);
                self.changed();
            }
        }
        let id = self.id(name);
        let mut response = self.interact(id, rect, true);
        let width = self.text_width(font::MONO, MEASURED).max(1);
        let mut inner = rect.inset(0, 6);
        let digits = (area.buffer().lines().max(1).ilog10() as usize + 1).max(DIGITS);
        let gutter = inner.cut_left(
            (digits + 1) as i32 * width / MEASURED.len() as i32 + space::SMALL,
            10,
        );
        inner.cut_right(16, 0);
        let columns = i64::from(inner.width) * MEASURED.len() as i64 / i64::from(width);
        area.room = (
            columns.max(1) as usize,
            (inner.height / LINE).max(1) as usize,
        );
        let place = Place { rect: inner, width };
        self.fill(rect, theme.surface);

        self.point(rect, id, response.pressed, area, &place);
        let mut edited = AreaEdited::default();
        let picked = self.edit_menu(id, rect, !area.selection().is_empty());
        if response.focused || picked.is_some() {
            edited = self.type_into_area(area, picked);
        }
        response.focused |= self.has_text_menu(id);
        area.settle();

        let rows = area.seen(area.room.1 + 1);
        let selected = area.selection();
        let caret_row = area.row(area.caret()).start;
        let mut line = area.top_line() + usize::from(!rows.first().is_some_and(|row| row.first));
        let mut text = String::new();
        self.clipped(rect, |ui| {
            for (index, &row) in rows.iter().enumerate() {
                let at = place.row(index);
                let here = row.start == caret_row;
                if here && response.focused && selected.is_empty() {
                    ui.fill(
                        Rect::new(rect.x, at.y, rect.width, LINE),
                        theme.control_hover,
                    );
                }
                if row.first {
                    line += 1;
                    text.clear();
                    let _ = write!(text, "{line}");
                    let ink = if here { theme.text } else { theme.secondary };
                    let number = Rect::new(gutter.x, at.y, gutter.width, LINE);
                    ui.text(number, font::MONO, Align::Right, &text, ink);
                }
                ui.area_row(area, row, at, &place, response.focused, &mut text);
                if here && response.focused {
                    let x = place.left(area.column(row, area.caret()));
                    ui.fill(Rect::new(x - 1, at.y + 1, 2, LINE - 2), theme.accent_text);
                }
            }
        });
        if most > 0 {
            area.scroll.offset = height(area.top_line()).min(most);
            self.thumb(rect, bar, &area.scroll, most);
        }
        if response.ring {
            self.outline(rect, 0, 2, theme.ring);
        }
        edited
    }

    /// What the pointer does: scrolls, moves the caret, selects.
    #[inline(never)]
    fn point(
        &mut self,
        rect: Rect,
        id: crate::ui::Id,
        pressed: bool,
        area: &mut Area,
        place: &Place,
    ) {
        if self.pointer_in(rect).is_some() {
            self.cursor = cursor::TEXT;
        }
        let wheel = self.take_wheel(rect);
        if wheel != 0 {
            area.scroll_by(wheel as isize * WHEEL);
        }
        let nothing = area.selection().is_empty();
        let pointed = self.right_press(rect).filter(|_| nothing);
        let pressed = pressed || pointed.is_some();
        let Some((x, y)) = pointed.or(self.dragged(id)) else {
            return;
        };
        // Beyond an edge it scrolls there.
        if !pressed && y < place.rect.y {
            area.scroll_by(-1);
        } else if !pressed && y >= place.rect.bottom() {
            area.scroll_by(1);
        }
        let rows = area.seen(area.room.1 + 1);
        let index =
            ((y - place.rect.y).div_euclid(LINE).max(0) as usize).min(rows.len().saturating_sub(1));
        let Some(&row) = rows.get(index) else {
            return;
        };
        let columns =
            i64::from(x - place.rect.x) * MEASURED.len() as i64 * 2 / i64::from(place.width);
        let column = (columns + 1) / 2;
        let at = area.at_column(row, column.max(0) as usize);
        let clicks = if pointed.is_some() { 1 } else { self.clicks() };
        area.point_to(at, pressed.then_some(clicks));
    }

    /// Has the keyboard's input, or keys that were picked in its menu, change a text.
    #[inline(never)]
    fn type_into_area(&mut self, area: &mut Area, picked: Option<Key>) -> AreaEdited {
        let outcome = if let Some(text) = self.take_paste() {
            area.insert(&text)
        } else if let Some(key) = picked.or(self.key()) {
            let outcome = area.key(&key);
            if outcome != Outcome::Ignored {
                self.take_key(|_| true);
            }
            outcome
        } else {
            Outcome::Ignored
        };
        let mut edited = AreaEdited::default();
        match outcome {
            Outcome::Changed => edited.changed = true,
            Outcome::Copied(text, changed) => {
                edited.changed = changed;
                self.copy(text);
            }
            Outcome::Refused(why) => edited.refused = Some(why),
            Outcome::Ignored | Outcome::Moved => {}
        }
        edited
    }

    /// The text of a row, on what is marked and selected.
    #[inline(never)]
    fn area_row(
        &mut self,
        area: &Area,
        row: Row,
        at: Rect,
        place: &Place,
        focused: bool,
        text: &mut String,
    ) {
        let theme = self.theme;
        let plain = area.buffer().text(row.start..row.end);
        // The column that each byte is in.
        let column = |byte: usize| {
            let before = plain
                .get(..byte.saturating_sub(row.start))
                .unwrap_or(&plain);
            before.chars().fold(0, column_behind)
        };
        let ground = |ui: &mut Self, from: usize, to: usize, more: i32, color| {
            let (left, right) = (place.left(column(from)), place.left(column(to)) + more);
            ui.fill(Rect::new(left, at.y, right - left, at.height), color);
        };
        if !area.marked.is_empty() {
            for found in matches(plain.chars(), &area.marked, row.start) {
                ground(
                    self,
                    found.start,
                    found.end,
                    0,
                    theme.warning.with_opacity(70),
                );
            }
        }
        let selected = area.selection();
        let (from, to) = (selected.start.max(row.start), selected.end.min(row.end));
        if from < to || selected.start <= row.end && selected.end > row.end {
            // The match that was gone to is seen while the keyboard is in the search bar.
            let color = if focused || !area.marked.is_empty() {
                theme.selection
            } else {
                theme.control_pressed
            };
            // A selected line end is seen.
            let more = if selected.end > row.end {
                place.width / 64
            } else {
                0
            };
            ground(self, from, to, more, color);
        }
        text.clear();
        let mut columns = 0;
        for character in plain.chars() {
            let behind = column_behind(columns, character);
            match character {
                '\t' => (columns..behind).for_each(|_| text.push(' ')),
                control if control.is_control() => text.push('·'),
                other => text.push(other),
            }
            columns = behind;
        }
        self.plain_text(at, font::MONO, text.trim_end(), theme.text);
    }
}
