//! Fields of text.

use alloc::borrow::Cow;

use nonos_proto::display::cursor;

use crate::edit::{Edit, Outcome};
use crate::geometry::Rect;
use crate::icon::Icon;
use crate::input::{Key, usage};
use crate::theme::{font, space};
use crate::ui::{Align, Ui};

/// What became of a field.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Edited {
    /// Its text is another.
    pub changed: bool,
    /// Enter was pressed.
    pub entered: bool,
}

impl Ui<'_> {
    /// A field of one line; `hint` is shown while it is empty.
    #[inline(never)]
    pub fn field(&mut self, rect: Rect, name: &str, edit: &mut Edit, hint: &str) -> Edited {
        let inner = rect.inset(10, 0);
        self.field_with(rect, inner, name, (edit, false), hint)
    }

    /// A field for a secret: dots stand for its characters, and it cannot be copied from here.
    #[inline(never)]
    pub fn secret_field(&mut self, rect: Rect, name: &str, edit: &mut Edit, hint: &str) -> Edited {
        let inner = rect.inset(10, 0);
        self.field_with(rect, inner, name, (edit, true), hint)
    }

    /// A field to search with.
    #[inline(never)]
    pub fn search(&mut self, rect: Rect, name: &str, edit: &mut Edit, hint: &str) -> Edited {
        let mut inner = rect.inset(10, 0);
        let icon = inner.cut_left(16, space::SMALL);
        let mut edited = Edited::default();
        let clear = (!edit.text().is_empty()).then(|| inner.cut_right(20, 4));
        edited.changed |= self.has_focus(self.id(name)) && !edit.text().is_empty() && {
            let cleared = self.take_key(|key| key.usage == usage::ESCAPE).is_some();
            if cleared {
                edit.set("");
            }
            cleared
        };
        let typed = self.field_with(rect, inner, name, (edit, false), hint);
        self.icon(icon, Icon::Search, 16, self.theme.secondary);
        if let Some(clear) = clear {
            let id = self.id("clear");
            let response = self.interact(id, clear.inset(0, 4), false);
            let ink = if response.hovered {
                self.theme.text
            } else {
                self.theme.secondary
            };
            self.icon(clear, Icon::Close, 14, ink);
            if response.clicked {
                edit.set("");
                edited.changed = true;
            }
        }
        Edited {
            changed: edited.changed || typed.changed,
            entered: typed.entered,
        }
    }

    #[inline(never)]
    fn field_with(
        &mut self,
        rect: Rect,
        inner: Rect,
        name: &str,
        (edit, hidden): (&mut Edit, bool),
        hint: &str,
    ) -> Edited {
        let theme = self.theme;
        let id = self.id(name);
        let mut response = self.interact(id, rect, true);
        let mut edited = Edited::default();
        let nothing = edit.selection().is_empty();
        let pointed = nothing && self.right_press(rect).is_some();
        if let Some((x, _)) = self.pointer_in(rect) {
            self.cursor = cursor::TEXT;
            if response.pressed || pointed {
                let at = self.byte_at(font::BODY, &seen(edit, hidden), x - inner.x + edit.scrolled);
                edit.move_to(typed_place(edit, hidden, at), false);
                if response.pressed && self.clicks() > 1 {
                    edit.select_all();
                }
            }
        }
        let selects = self.clicks() < 2 && !response.pressed;
        if let Some((x, _)) = self.dragged(id).filter(|_| selects) {
            let at = self.byte_at(font::BODY, &seen(edit, hidden), x - inner.x + edit.scrolled);
            edit.move_to(typed_place(edit, hidden, at), true);
        }
        let picked = self.edit_menu(id, rect, !hidden && !edit.selection().is_empty());
        if response.focused || picked.is_some() {
            edited = self.type_into(edit, hidden, picked);
        }
        response.focused |= self.has_text_menu(id);
        self.rounded(rect, space::RADIUS, theme.surface);
        let (line, color) = if response.focused {
            (2, theme.ring)
        } else {
            (1, theme.edge)
        };
        self.outline(rect, space::RADIUS, line, color);
        let place = |byte| seen_place(edit, hidden, byte);
        let (caret, selected) = (place(edit.caret()), edit.selection());
        let selected = place(selected.start)..place(selected.end);
        let text = seen(edit, hidden).into_owned();
        let before = self.text_width(font::BODY, &text[..caret]);
        let whole = self.text_width(font::BODY, &text);
        edit.scrolled = edit.scrolled.min((whole + 2 - inner.width).max(0));
        edit.scrolled = edit
            .scrolled
            .min(before)
            .max(before + 2 - inner.width)
            .max(0);
        let scrolled = edit.scrolled;
        self.clipped(inner.inset(-2, 0), |ui| {
            let line = Rect::new(inner.x - scrolled, rect.y, whole + 20, rect.height);
            if response.focused && !selected.is_empty() {
                let from = ui.text_width(font::BODY, &text[..selected.start]);
                let to = ui.text_width(font::BODY, &text[..selected.end]);
                let mark = Rect::new(line.x + from, rect.y + 6, to - from, rect.height - 12);
                ui.rounded(mark, 3, theme.selection);
            }
            if text.is_empty() {
                ui.text(inner, font::BODY, Align::Left, hint, theme.secondary);
            } else {
                ui.text(line, font::BODY, Align::Left, &text, theme.text);
            }
            if response.focused {
                let caret = Rect::new(line.x + before, rect.y + 7, 1, rect.height - 14);
                ui.fill(caret, theme.accent_text);
            }
        });
        edited
    }

    /// Has the keyboard's input, or keys that were picked in its menu, change a text.
    #[inline(never)]
    fn type_into(&mut self, edit: &mut Edit, hidden: bool, picked: Option<Key>) -> Edited {
        let mut edited = Edited::default();
        if let Some(text) = self.take_paste() {
            edit.insert(&text);
            edited.changed = true;
        }
        if self.take_key(|key| key.is_enter()).is_some() {
            edited.entered = true;
        } else if hidden && self.take_key(is_copy).is_some() {
            // It stays hidden.
        } else if let Some(key) = picked.or(self.key()).filter(|key| key.usage != usage::TAB) {
            let outcome = edit.key(&key);
            if outcome != Outcome::Ignored {
                self.take_key(|_| true);
            }
            match outcome {
                Outcome::Changed => edited.changed = true,
                Outcome::Copied(text, changed) => {
                    edited.changed = changed;
                    self.copy(text);
                }
                Outcome::Ignored | Outcome::Moved => {}
            }
        }
        edited
    }
}

/// Stands for a character of a secret.
const DOT: &str = "•";

/// What is seen of a text.
fn seen(edit: &Edit, hidden: bool) -> Cow<'_, str> {
    match hidden {
        true => DOT.repeat(edit.text().chars().count()).into(),
        false => edit.text().into(),
    }
}

/// Where in what is seen a byte of the text is.
fn seen_place(edit: &Edit, hidden: bool, byte: usize) -> usize {
    match hidden {
        true => DOT.len() * edit.text()[..byte].chars().count(),
        false => byte,
    }
}

/// The byte of the text for a place in what is seen.
fn typed_place(edit: &Edit, hidden: bool, place: usize) -> usize {
    let character = |at| edit.text().char_indices().nth(at);
    match hidden {
        true => character(place / DOT.len()).map_or(edit.text().len(), |(byte, _)| byte),
        false => place,
    }
}

fn is_copy(key: &Key) -> bool {
    matches!(key.shortcut(), Some('c' | 'x'))
}
