//! The calculator: an expression is typed or clicked, its value is shown while it is.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod decimal;
pub mod expression;
#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};

use decimal::Decimal;
use expression::evaluate;
use nonos_ui::input::usage;
use nonos_ui::text::Font;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, TextCommand};
use nonos_ui::{App, Icon, Rect, Ui};

/// Longest expression, characters.
const LONGEST: usize = 64;

/// Columns and rows of keys.
const GRID: (i32, i32) = (4, 5);

/// Keys from the left above to the right below.
const KEYS: [&str; 20] = [
    "C", "(", ")", "÷", "7", "8", "9", "×", "4", "5", "6", "−", "1", "2", "3", "+", "0", ".", "%",
    "=",
];

/// The calculator.
#[derive(Default, Debug)]
pub struct Calculator {
    /// What was typed.
    entry: String,
    /// What was computed last: the expression. Its value is the entry then.
    done: Option<String>,
    /// The entry has no value: why.
    wrong: Option<&'static str>,
}

impl Calculator {
    /// What is typed.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// Types a character of an expression.
    fn add(&mut self, character: char) {
        let operator = "+−×÷%)".contains(character);
        // A number after a result begins anew, an operator goes on with it.
        if self.done.take().is_some() && !operator {
            self.entry.clear();
        }
        self.wrong = None;
        if self.entry.chars().count() < LONGEST {
            self.entry.push(character);
        }
    }

    fn remove(&mut self) {
        self.wrong = None;
        if self.done.take().is_some() {
            self.entry.clear();
        }
        self.entry.pop();
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn compute(&mut self) {
        if self.entry.is_empty() || self.done.is_some() {
            return;
        }
        match evaluate(&self.entry) {
            Ok(value) => {
                self.done = Some(core::mem::replace(&mut self.entry, value.to_string()));
            }
            Err(error) => self.wrong = Some(error.text()),
        }
    }

    fn press(&mut self, key: &str) {
        match key {
            "C" => self.clear(),
            "=" => self.compute(),
            _ => key.chars().for_each(|character| self.add(character)),
        }
    }

    fn keys(&mut self, ui: &mut Ui<'_>) {
        // Enter computes wherever the focus is; Space presses what has it.
        let Some(key) = ui.take_key(|key| {
            let typed = key.text().is_some_and(|typed| typed != ' ');
            let other = matches!(key.usage, usage::BACKSPACE | usage::DELETE | usage::ESCAPE);
            typed || other || key.is_enter() || key.shortcut() == Some('c')
        }) else {
            return;
        };
        match (key.usage, key.text()) {
            (usage::BACKSPACE, _) => self.remove(),
            (usage::DELETE | usage::ESCAPE, _) => self.clear(),
            _ if key.is_enter() => self.compute(),
            (_, Some(typed)) => match typed {
                '=' => self.compute(),
                '*' => self.add('×'),
                '/' | ':' => self.add('÷'),
                '-' => self.add('−'),
                ',' => self.add('.'),
                '0'..='9' | '.' | '+' | '(' | ')' | '%' | '×' | '÷' | '−' => self.add(typed),
                _ => {}
            },
            _ => ui.copy(self.entry.clone()),
        }
    }

    fn screen(&self, ui: &mut Ui<'_>, mut rect: Rect) {
        let theme = ui.theme;
        let above = rect.cut_top(20, 0);
        let value: Option<Decimal> = evaluate(&self.entry).ok();
        let (note, color) = match (&self.done, self.wrong) {
            (_, Some(wrong)) => (wrong.to_string(), theme.danger),
            (Some(done), None) => (done.clone() + " =", theme.secondary),
            (None, None) => {
                let simple = self
                    .entry
                    .chars()
                    .all(|character| character.is_ascii_digit() || character == '.');
                let value = value
                    .filter(|_| !simple)
                    .map(|value| "= ".to_string() + &value.grouped());
                (value.unwrap_or_default(), theme.secondary)
            }
        };
        ui.text(above, font::BODY, Align::Right, &note, color);
        let text = match (&self.done, value) {
            (Some(_), Some(value)) => value.grouped(),
            _ if self.entry.is_empty() => "0".to_string(),
            _ => self.entry.clone(),
        };
        // The largest that fits.
        let sizes = [40, 34, 28, 22, 17, 13];
        let fits = |size: &u32| {
            let font = Font::new(font::DISPLAY.face, *size);
            ui.text_width(font, &text) <= rect.width
        };
        let size = sizes.into_iter().find(fits).unwrap_or(13);
        let font = Font::new(font::DISPLAY.face, size);
        ui.text(rect, font, Align::Right, &text, theme.text);
    }
}

impl App for Calculator {
    fn title(&self) -> &str {
        "Calculator"
    }

    fn size(&self) -> (i32, i32) {
        (356, 432)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        if let Some(text) = ui.take_paste() {
            text.trim().chars().for_each(|character| match character {
                '0'..='9' | '.' | '+' | '(' | ')' | '%' | '×' | '÷' | '−' => {
                    self.add(character)
                }
                '-' => self.add('−'),
                _ => {}
            });
        }
        self.keys(ui);
        let mut rest = ui.size().inset(16, 16);
        let screen = rest.cut_top(84, 16);
        self.screen(ui, screen.inset(4, 0));
        let id = ui.id("screen");
        let commands = [TextCommand::Copy, TextCommand::Paste];
        if ui.text_menu(id, screen, &commands) == Some(TextCommand::Copy) {
            ui.copy(self.entry.clone());
        }
        for (index, key) in KEYS.into_iter().enumerate() {
            let place = (index as i32 % GRID.0, index as i32 / GRID.0);
            let cell = rest.cell(GRID, space::SMALL, place);
            let kind = if key == "=" {
                Kind::Primary
            } else {
                Kind::Plain
            };
            let (response, ink) = ui.button_ground(cell, key, kind, space::LARGE_RADIUS);
            let operator = "÷×−+".contains(key);
            let ink = if operator { ui.theme.accent_text } else { ink };
            let size = if operator || key == "=" { 22 } else { 17 };
            let font = Font::new(font::BODY.face, size);
            if key == "C" && !self.entry.is_empty() && self.done.is_none() {
                ui.icon(cell, Icon::Backspace, 20, ink);
                if response.clicked {
                    self.remove();
                }
                continue;
            }
            // Signs stand lower than figures.
            let up = if size > 17 { 2 } else { 0 };
            ui.text(cell.moved(0, -up), font, Align::Centre, key, ink);
            if response.clicked {
                self.press(key);
            }
        }
    }
}
