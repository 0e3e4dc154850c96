//! Questions.

use crate::geometry::Rect;
use crate::input::usage;
use crate::theme::{font, space};
use crate::ui::{Align, Ui};

use super::Kind;

impl Ui<'_> {
    /// Asks before everything else: the answers, the last of which is the usual one and has the keyboard first; Escape is the first. Which was given.
    #[inline(never)]
    pub fn dialog(&mut self, title: &str, text: &str, answers: &[(&str, Kind)]) -> Option<usize> {
        let window = self.size();
        let width = 400.min(window.width - 32);
        let inner_width = width - 48;
        let measure = Rect::new(0, 0, inner_width, 0);
        let body = self.paragraph(measure, font::BODY, text, self.theme.secondary, false);
        let rect = window.centred(width, 24 + 24 + 8 + body + 24 + space::CONTROL + 20);
        let mut answer = None;
        self.in_front(|ui| {
            ui.fill(window, ui.theme.scrim);
            ui.shadow(rect, space::LARGE_RADIUS, 32);
            ui.rounded(rect, space::LARGE_RADIUS, ui.theme.surface);
            ui.outline(rect, space::LARGE_RADIUS, 1, ui.theme.border);
            let mut rest = rect.inset(24, 0);
            rest.cut_top(24, 0);
            let heading = rest.cut_top(24, 8);
            ui.text(heading, font::HEADING, Align::Left, title, ui.theme.text);
            ui.paragraph(rest, font::BODY, text, ui.theme.secondary, true);
            rest.cut_bottom(20, 0);
            let mut row = rest.cut_bottom(space::CONTROL, 0);
            ui.scope("dialog", 0, |ui| {
                if let Some((usual, _)) = answers.last()
                    && !answers.iter().any(|(label, _)| ui.has_focus(ui.id(label)))
                {
                    let id = ui.id(usual);
                    ui.focus(id);
                }
                let mut places = alloc::vec::Vec::new();
                for (label, _) in answers.iter().rev() {
                    places.push(row.cut_right(ui.button_width(label), space::SMALL));
                }
                for (index, ((label, kind), place)) in
                    answers.iter().zip(places.into_iter().rev()).enumerate()
                {
                    if ui.button(place, label, *kind) {
                        answer = Some(index);
                    }
                }
            });
            if ui.take_key(|key| key.usage == usage::ESCAPE).is_some() {
                answer = Some(0);
            }
        });
        if answer.is_some() {
            self.changed();
        }
        answer
    }
}
