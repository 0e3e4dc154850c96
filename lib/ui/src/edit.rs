//! A line of text that is being edited: caret, selection, and what keys do.

use alloc::string::{String, ToString};
use core::ops::Range;

use crate::caret::step;
use crate::input::{Key, usage};

/// Longest text, bytes.
const LONGEST: usize = 4096;

/// A line of text with a caret.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Edit {
    text: String,
    /// Where the caret stands, and where the selection began: bytes, at the beginning of a character.
    caret: usize,
    anchor: usize,
    /// Pixels that are scrolled out on the left.
    pub(crate) scrolled: i32,
}

/// What a key did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is for someone else.
    Ignored,
    /// The caret moved.
    Moved,
    /// The text is another.
    Changed,
    /// This goes to the clipboard; whether the text is another.
    Copied(String, bool),
}

impl Edit {
    /// This text, with the caret at its end.
    pub fn new(text: &str) -> Self {
        let mut edit = Self::default();
        edit.insert(text);
        edit
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Another text, with the caret at its end.
    pub fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Where the caret stands, bytes.
    pub fn caret(&self) -> usize {
        self.caret
    }

    /// What is selected, bytes.
    pub fn selection(&self) -> Range<usize> {
        self.caret.min(self.anchor)..self.caret.max(self.anchor)
    }

    /// Moves the caret, and selects when asked.
    pub fn move_to(&mut self, byte: usize, select: bool) {
        self.caret = self.text.floor_char_boundary(byte);
        if !select {
            self.anchor = self.caret;
        }
    }

    /// Selects all.
    pub fn select_all(&mut self) {
        self.anchor = 0;
        self.caret = self.text.len();
    }

    /// Puts text in place of the selection. Control characters are left out, and what makes it too long.
    #[inline(never)]
    pub fn insert(&mut self, text: &str) {
        self.remove(self.selection());
        for character in text.chars().filter(|character| !character.is_control()) {
            if self.text.len() + character.len_utf8() > LONGEST {
                break;
            }
            self.text.insert(self.caret, character);
            self.caret += character.len_utf8();
        }
        self.anchor = self.caret;
    }

    fn remove(&mut self, range: Range<usize>) {
        self.caret = range.start;
        self.anchor = range.start;
        self.text.replace_range(range, "");
    }

    /// The place before or behind one; that of a word when asked.
    fn step(&self, from: usize, forward: bool, word: bool) -> usize {
        if forward {
            from + step(self.text[from..].chars(), forward, word)
        } else {
            from - step(self.text[..from].chars().rev(), forward, word)
        }
    }

    /// Does what a key says.
    #[inline(never)]
    pub fn key(&mut self, key: &Key) -> Outcome {
        let word = key.control();
        let select = key.shift();
        let selected = self.selection();
        match (key.usage, key.shortcut()) {
            (usage::LEFT | usage::RIGHT, _) => {
                let forward = key.usage == usage::RIGHT;
                let to = match (selected.is_empty() || select, forward) {
                    (true, _) => self.step(self.caret, forward, word),
                    (false, true) => selected.end,
                    (false, false) => selected.start,
                };
                self.move_to(to, select);
            }
            (usage::HOME, _) => self.move_to(0, select),
            (usage::END, _) => self.move_to(self.text.len(), select),
            (usage::BACKSPACE | usage::DELETE, _) => {
                let range = if selected.is_empty() {
                    let other = self.step(self.caret, key.usage == usage::DELETE, word);
                    other.min(self.caret)..other.max(self.caret)
                } else {
                    selected
                };
                if range.is_empty() {
                    return Outcome::Moved;
                }
                self.remove(range);
                return Outcome::Changed;
            }
            (_, Some('a')) => self.select_all(),
            (_, Some('c')) if !selected.is_empty() => {
                return Outcome::Copied(self.text[selected].to_string(), false);
            }
            (_, Some('x')) if !selected.is_empty() => {
                let text = self.text[selected.clone()].to_string();
                self.remove(selected);
                return Outcome::Copied(text, true);
            }
            _ => {
                let Some(character) = key.text() else {
                    return Outcome::Ignored;
                };
                self.insert(character.encode_utf8(&mut [0; 4]));
                return Outcome::Changed;
            }
        }
        Outcome::Moved
    }
}

#[cfg(test)]
mod tests {
    use nonos_proto::display::modifiers::{CONTROL, SHIFT};

    use super::*;

    fn press(edit: &mut Edit, usage: u8, modifiers: u64) -> Outcome {
        edit.key(&Key {
            usage,
            modifiers,
            character: None,
        })
    }

    #[test]
    fn the_caret_moves_by_letters_with_their_marks_and_by_words() {
        let mut edit = Edit::new("één na\u{308}xt word");
        press(&mut edit, usage::LEFT, CONTROL);
        assert_eq!(&edit.text()[edit.caret()..], "word");
        press(&mut edit, usage::LEFT, CONTROL);
        press(&mut edit, usage::RIGHT, 0);
        press(&mut edit, usage::RIGHT, 0);
        assert_eq!(&edit.text()[edit.caret()..], "xt word");
        press(&mut edit, usage::LEFT, 0);
        assert_eq!(&edit.text()[edit.caret()..], "a\u{308}xt word");
        press(&mut edit, usage::HOME, 0);
        press(&mut edit, usage::RIGHT, CONTROL);
        assert_eq!(&edit.text()[..edit.caret()], "één");
    }

    #[test]
    fn typing_replaces_what_is_selected() {
        let mut edit = Edit::new("ab cd");
        press(&mut edit, usage::LEFT, CONTROL | SHIFT);
        assert_eq!(edit.selection(), 3..5);
        let typed = Key {
            character: Some('ß'),
            ..Key::default()
        };
        assert_eq!(edit.key(&typed), Outcome::Changed);
        assert_eq!((edit.text(), edit.caret()), ("ab ß", 5));
        press(&mut edit, usage::BACKSPACE, 0);
        assert_eq!(edit.text(), "ab ");
        press(&mut edit, usage::HOME, 0);
        press(&mut edit, usage::DELETE, CONTROL);
        assert_eq!(edit.text(), " ");
    }

    #[test]
    fn what_is_cut_goes_to_the_clipboard_and_control_characters_never_get_in() {
        let mut edit = Edit::new("one\ntwo\u{1b}[0m");
        assert_eq!(edit.text(), "onetwo[0m");
        let x = usage::A + 23;
        assert_eq!(press(&mut edit, x, CONTROL), Outcome::Ignored);
        press(&mut edit, usage::A, CONTROL);
        assert_eq!(
            press(&mut edit, x, CONTROL),
            Outcome::Copied("onetwo[0m".into(), true)
        );
        assert_eq!(edit, Edit::default());
        edit.insert(&"é".repeat(LONGEST));
        assert_eq!(edit.text().len(), LONGEST);
    }
}
