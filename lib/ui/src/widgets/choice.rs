//! What is on or off, one of several, or done in part.

use crate::geometry::Rect;
use crate::input::usage;
use crate::theme::{font, space};
use crate::ui::{Align, Response, Ui};

impl Ui<'_> {
    /// A switch at the right of a row with its label; whether it was switched.
    #[inline(never)]
    pub fn toggle(&mut self, row: Rect, label: &str, on: &mut bool) -> bool {
        let id = self.id(label);
        let response = self.pressable(id, row);
        if response.clicked {
            *on = !*on;
        }
        let theme = self.theme;
        let mut rest = row;
        let track = rest.cut_right(40, space::MEDIUM).centred(40, 24);
        self.label(rest, label);
        self.rounded(track, 12, if *on { theme.accent } else { theme.track });
        if !*on {
            self.outline(track, 12, 1, theme.edge);
        }
        let knob = Rect::new(
            if *on { track.right() - 21 } else { track.x + 3 },
            track.y + 3,
            18,
            18,
        );
        self.rounded(
            knob,
            9,
            if *on {
                theme.on_accent
            } else {
                theme.secondary
            },
        );
        if response.ring {
            self.ring(track, 12);
        }
        response.clicked
    }

    /// A row of so many, of which one is chosen: arrows choose another.
    #[inline(never)]
    fn row_of(&mut self, rect: Rect, name: &str, count: usize, chosen: &mut usize) -> Response {
        let id = self.id(name);
        let response = self.interact(id, rect, true);
        if response.focused {
            let step = self.take_key(|key| matches!(key.usage, usage::LEFT | usage::RIGHT));
            match step.map(|key| key.usage) {
                Some(usage::LEFT) => *chosen = chosen.saturating_sub(1),
                Some(_) => *chosen = (*chosen + 1).min(count.saturating_sub(1)),
                None => {}
            }
        }
        response
    }

    /// One of a few, side by side; whether another was chosen. Arrows choose, too.
    #[inline(never)]
    pub fn segmented(
        &mut self,
        rect: Rect,
        name: &str,
        labels: &[&str],
        chosen: &mut usize,
    ) -> bool {
        let theme = self.theme;
        let before = *chosen;
        let response = self.row_of(rect, name, labels.len(), chosen);
        self.rounded(rect, space::RADIUS, theme.control_pressed);
        self.outline(rect, space::RADIUS, 1, theme.border);
        let inner = rect.inset(2, 2);
        for (index, label) in labels.iter().enumerate() {
            let cell = inner.cell((labels.len() as i32, 1), 2, (index as i32, 0));
            if response.pressed && self.pointer_in(cell).is_some() {
                *chosen = index;
            }
            let is_chosen = *chosen == index;
            if is_chosen {
                self.rounded(cell, space::RADIUS - 2, theme.accent);
            }
            let ink = if is_chosen {
                theme.on_accent
            } else {
                theme.text
            };
            let font = if is_chosen { font::STRONG } else { font::BODY };
            self.text(cell.inset(4, 0), font, Align::Centre, label, ink);
        }
        if response.ring {
            self.ring(rect, space::RADIUS);
        }
        *chosen != before
    }

    /// Pages of a window, of which one is shown; whether another was chosen.
    #[inline(never)]
    pub fn tabs(&mut self, rect: Rect, name: &str, labels: &[&str], chosen: &mut usize) -> bool {
        let theme = self.theme;
        let before = *chosen;
        let response = self.row_of(rect, name, labels.len(), chosen);
        let mut rest = rect;
        self.separator(Rect::new(rect.x, rect.bottom() - 1, rect.width, 1));
        for (index, label) in labels.iter().enumerate() {
            let width = self.text_width(font::STRONG, label);
            let tab = rest.cut_left(width, 24);
            if response.pressed && self.pointer_in(tab.inset(-12, 0)).is_some() {
                *chosen = index;
            }
            let is_chosen = *chosen == index;
            let (font, ink) = if is_chosen {
                (font::STRONG, theme.text)
            } else {
                (font::BODY, theme.secondary)
            };
            self.text(tab, font, Align::Left, label, ink);
            if is_chosen {
                self.rounded(
                    Rect::new(tab.x, rect.bottom() - 3, tab.width, 3),
                    1,
                    theme.accent_text,
                );
                if response.ring {
                    self.ring(tab.inset(-5, 4), 4);
                }
            }
        }
        *chosen != before
    }

    /// How much of something is done or used, of 1000.
    #[inline(never)]
    pub fn progress(&mut self, rect: Rect, of_1000: i32) {
        let bar = rect.centred(rect.width, 6);
        self.rounded(bar, 3, self.theme.control_pressed);
        let width = bar.width * of_1000.clamp(0, 1000) / 1000;
        if width > 0 {
            self.rounded(
                Rect::new(bar.x, bar.y, width.max(6), 6),
                3,
                self.theme.accent_text,
            );
        }
    }
}
