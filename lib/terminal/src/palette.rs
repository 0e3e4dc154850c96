//! The colours of a terminal; the boot screen has the same.

/// A colour: 0xRRGGBB.
pub type Color = u32;

/// Behind everything.
pub const BACKGROUND: Color = 0x0D_1117;
/// Text.
pub const FOREGROUND: Color = 0xD5_DBE1;
/// The cursor.
pub const CURSOR: Color = 0x56_B6C2;

/// The sixteen colours that programs choose from.
pub const PALETTE: [Color; 16] = [
    0x26_2D36, 0xFF_7B72, 0x7E_C699, 0xE3_B341, 0x6C_A4F8, 0xC6_8AEE, 0x56_B6C2, 0xB1_BAC4,
    0x8B_949E, 0xFF_A198, 0xA0_E0B4, 0xF2_CC60, 0x92_BFFF, 0xDB_B0FA, 0x7F_D6E0, 0xF0_F3F6,
];
