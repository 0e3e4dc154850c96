//! What the user does, as a window hears of it.

use alloc::string::String;

use nonos_proto::display::modifiers;
pub use nonos_proto::usage;

/// A key that was pressed, or is held down.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Key {
    /// One of [`usage`], among others.
    pub usage: u8,
    /// Bits of [`modifiers`].
    pub modifiers: u64,
    /// What it types.
    pub character: Option<char>,
}

impl Key {
    /// Whether Shift is down.
    pub fn shift(&self) -> bool {
        self.modifiers & modifiers::SHIFT != 0
    }

    /// Whether Control is down.
    pub fn control(&self) -> bool {
        self.modifiers & modifiers::CONTROL != 0
    }

    /// Whether it is Enter.
    pub fn is_enter(&self) -> bool {
        matches!(self.usage, usage::ENTER | usage::KEYPAD_ENTER)
    }

    /// The letter, when it is pressed with Control alone: what it types, else what its place types in English.
    pub fn shortcut(&self) -> Option<char> {
        let other = modifiers::ALT | modifiers::SUPER;
        if !self.control() || self.modifiers & other != 0 {
            return None;
        }
        let typed = self
            .character
            .filter(|character| character.is_ascii_alphanumeric());
        let letter = self.usage.wrapping_sub(usage::A);
        let letter = (letter < 26).then_some(letter);
        typed
            .map(|character| character.to_ascii_lowercase())
            .or(letter.map(|letter| char::from(b'a' + letter)))
    }

    /// The character, when it is text and no command.
    pub fn text(&self) -> Option<char> {
        let command = modifiers::CONTROL | modifiers::ALT | modifiers::SUPER;
        let plain = self.modifiers & command == 0;
        self.character
            .filter(|character| plain && !character.is_control())
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Nothing: the program wants to show something.
    None,
    /// The pointer is here (pixels of the window), with these buttons down (`nonos_proto::input::buttons`, and [`modifiers`] in bits 8 to
    /// 15), and its wheel turned by so many steps towards the user.
    Pointer(i32, i32, u64, i32),
    /// The pointer left.
    Leave,
    /// A key.
    Key(Key),
    /// The window has the keyboard, or no more.
    Focus(bool),
    /// The user pastes this.
    Paste(String),
}
