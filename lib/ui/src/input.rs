//! What the user does, as a window hears of it.

use alloc::string::String;

use nonos_proto::display::modifiers;

/// Keys by their place: usages of the keyboard page (USB HID Usage Tables 1.5, chapter 10).
#[allow(missing_docs)] // Their names say which.
pub mod usage {
    pub const A: u16 = 0x04;
    pub const ENTER: u16 = 0x28;
    pub const ESCAPE: u16 = 0x29;
    pub const BACKSPACE: u16 = 0x2A;
    pub const TAB: u16 = 0x2B;
    pub const SPACE: u16 = 0x2C;
    pub const HOME: u16 = 0x4A;
    pub const PAGE_UP: u16 = 0x4B;
    pub const DELETE: u16 = 0x4C;
    pub const END: u16 = 0x4D;
    pub const PAGE_DOWN: u16 = 0x4E;
    pub const RIGHT: u16 = 0x4F;
    pub const LEFT: u16 = 0x50;
    pub const DOWN: u16 = 0x51;
    pub const UP: u16 = 0x52;
    pub const KEYPAD_ENTER: u16 = 0x58;
}

/// A key that was pressed, or is held down.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Key {
    /// One of [`usage`], among others.
    pub usage: u16,
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
        let letter = u8::try_from(self.usage.wrapping_sub(usage::A))
            .ok()
            .filter(|&letter| letter < 26);
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
    /// The pointer is here (pixels of the window), with these buttons down (`nonos_proto::input::buttons`), and its wheel turned by so
    /// many steps towards the user.
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
