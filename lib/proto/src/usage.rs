//! Usages of the keyboard page (USB HID Usage Tables 1.5, chapter 10): keys by their place on a US keyboard.

/// A.
pub const A: u8 = 0x04;
/// C.
pub const C: u8 = 0x06;
/// L.
pub const L: u8 = 0x0F;
/// T.
pub const T: u8 = 0x17;
/// V.
pub const V: u8 = 0x19;
/// 0, the last of the row of digits.
pub const ZERO: u8 = 0x27;
/// Enter.
pub const ENTER: u8 = 0x28;
/// Escape.
pub const ESCAPE: u8 = 0x29;
/// Backspace.
pub const BACKSPACE: u8 = 0x2A;
/// Tab.
pub const TAB: u8 = 0x2B;
/// Space.
pub const SPACE: u8 = 0x2C;
/// `-`, the first of the keys with punctuation.
pub const MINUS: u8 = 0x2D;
/// `/`, the last of them.
pub const SLASH: u8 = 0x38;
/// Caps Lock.
pub const CAPS_LOCK: u8 = 0x39;
/// F2.
pub const F2: u8 = 0x3B;
/// F4.
pub const F4: u8 = 0x3D;
/// F7.
pub const F7: u8 = 0x40;
/// F8.
pub const F8: u8 = 0x41;
/// F10.
pub const F10: u8 = 0x43;
/// Print Screen.
pub const PRINT_SCREEN: u8 = 0x46;
/// Pause.
pub const PAUSE: u8 = 0x48;
/// Insert.
pub const INSERT: u8 = 0x49;
/// Home.
pub const HOME: u8 = 0x4A;
/// Page up.
pub const PAGE_UP: u8 = 0x4B;
/// Delete.
pub const DELETE: u8 = 0x4C;
/// End.
pub const END: u8 = 0x4D;
/// Page down.
pub const PAGE_DOWN: u8 = 0x4E;
/// Arrow to the right.
pub const RIGHT: u8 = 0x4F;
/// Arrow to the left.
pub const LEFT: u8 = 0x50;
/// Arrow down.
pub const DOWN: u8 = 0x51;
/// Arrow up.
pub const UP: u8 = 0x52;
/// Num Lock.
pub const NUM_LOCK: u8 = 0x53;
/// `/` of the keypad, its first key.
pub const KEYPAD_SLASH: u8 = 0x54;
/// Enter of the keypad.
pub const KEYPAD_ENTER: u8 = 0x58;
/// 1 of the keypad.
pub const KEYPAD_ONE: u8 = 0x59;
/// `.` of the keypad, its last key.
pub const KEYPAD_POINT: u8 = 0x63;
/// The key beside the left Shift that US keyboards lack.
pub const NON_US: u8 = 0x64;
/// The key for menus.
pub const MENU: u8 = 0x65;
/// Control, left.
pub const LEFT_CONTROL: u8 = 0xE0;
/// Shift, left.
pub const LEFT_SHIFT: u8 = 0xE1;
/// Alt, left.
pub const LEFT_ALT: u8 = 0xE2;
/// The key with a logo, left.
pub const LEFT_SUPER: u8 = 0xE3;
/// Control, right.
pub const RIGHT_CONTROL: u8 = 0xE4;
/// Shift, right.
pub const RIGHT_SHIFT: u8 = 0xE5;
/// Alt, right: AltGr.
pub const RIGHT_ALT: u8 = 0xE6;
/// The key with a logo, right.
pub const RIGHT_SUPER: u8 = 0xE7;
