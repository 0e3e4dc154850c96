//! Colours and sizes: light, dark, and high contrast.

use nonos_proto::display::theme;
use nonos_proto::fonts::face;

use crate::color::Color;
use crate::text::Font;

/// Fonts, sizes in points.
pub mod font {
    use super::{Font, face};

    /// Notes and labels of plots.
    pub const CAPTION: Font = Font::new(face::SANS, 11);
    /// Almost everything.
    pub const BODY: Font = Font::new(face::SANS, 13);
    /// What of that is to be seen first.
    pub const STRONG: Font = Font::new(face::BOLD, 13);
    /// Above groups.
    pub const HEADING: Font = Font::new(face::BOLD, 15);
    /// Above a window's contents.
    pub const TITLE: Font = Font::new(face::BOLD, 22);
    /// Few large digits.
    pub const DISPLAY: Font = Font::new(face::SANS, 40);
    /// Code, addresses, hashes.
    pub const MONO: Font = Font::new(face::MONO, 13);
    /// Icons beside text.
    pub const ICON: Font = Font::new(face::ICONS, 18);
}

/// Lengths in points; the grid is of 4.
pub mod space {
    /// Between what belongs together.
    pub const SMALL: i32 = 8;
    /// Between groups' parts.
    pub const MEDIUM: i32 = 12;
    /// Between a window's edge and its contents.
    pub const MARGIN: i32 = 20;
    /// Height of buttons and fields.
    pub const CONTROL: i32 = 32;
    /// Height of a row of a list.
    pub const ROW: i32 = 36;
    /// Corners of controls.
    pub const RADIUS: i32 = 8;
    /// Corners of cards, menus and windows.
    pub const LARGE_RADIUS: i32 = 12;
}

/// Colours by what they are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Theme {
    /// Behind everything in a window.
    pub background: Color,
    /// Cards, lists, fields.
    pub surface: Color,
    /// Beside the contents.
    pub sidebar: Color,
    /// Buttons.
    pub control: Color,
    /// A button below the pointer.
    pub control_hover: Color,
    /// A button that is pressed.
    pub control_pressed: Color,
    /// Lines around controls.
    pub border: Color,
    /// Edges of fields and of switches, by which these are known.
    pub edge: Color,
    /// Lines between parts.
    pub separator: Color,
    /// Text.
    pub text: Color,
    /// Text that explains, and knobs of switches that are off.
    pub secondary: Color,
    /// What is chosen or done first.
    pub accent: Color,
    /// The same below the pointer.
    pub accent_hover: Color,
    /// The same, pressed.
    pub accent_pressed: Color,
    /// Text on these.
    pub on_accent: Color,
    /// Text, icons and curves in that colour.
    pub accent_text: Color,
    /// Around what has the keyboard.
    pub ring: Color,
    /// Behind selected text and rows.
    pub selection: Color,
    /// What went wrong, or destroys.
    pub danger: Color,
    /// What needs a look.
    pub warning: Color,
    /// What is well.
    pub good: Color,
    /// Grooves of progress bars and toggles that are off.
    pub track: Color,
    /// Below menus, dialogs and windows.
    pub shadow: Color,
    /// Over what a dialog hides.
    pub scrim: Color,
}

/// Dark on light.
pub const LIGHT: Theme = Theme {
    background: Color::rgb(0xF5F5F8),
    surface: Color::rgb(0xFFFFFF),
    sidebar: Color::rgb(0xECECF1),
    control: Color::rgb(0xFFFFFF),
    control_hover: Color::rgb(0xF0F0F4),
    control_pressed: Color::rgb(0xE3E3EA),
    border: Color::rgb(0xCFCFD8),
    edge: Color::rgb(0x868692),
    separator: Color::rgb(0xE4E4EA),
    text: Color::rgb(0x1B1B21),
    secondary: Color::rgb(0x5C5C69),
    accent: Color::rgb(0x3F57D6),
    accent_hover: Color::rgb(0x364DC6),
    accent_pressed: Color::rgb(0x2C41AE),
    on_accent: Color::rgb(0xFFFFFF),
    accent_text: Color::rgb(0x3A50C9),
    ring: Color::rgb(0x5B74F0),
    selection: Color::rgb(0xDDE3FB),
    danger: Color::rgb(0xBF2B33),
    warning: Color::rgb(0x875400),
    good: Color::rgb(0x1B7340),
    track: Color::rgb(0xC9C9D3),
    shadow: Color(0x3A00_0018),
    scrim: Color(0x5200_0010),
};

/// Light on dark.
pub const DARK: Theme = Theme {
    background: Color::rgb(0x1B1B20),
    surface: Color::rgb(0x26262D),
    sidebar: Color::rgb(0x212127),
    control: Color::rgb(0x35353E),
    control_hover: Color::rgb(0x3E3E49),
    control_pressed: Color::rgb(0x2D2D35),
    border: Color::rgb(0x4A4A56),
    edge: Color::rgb(0x7E7E8C),
    separator: Color::rgb(0x34343C),
    text: Color::rgb(0xF1F1F5),
    secondary: Color::rgb(0xACACB9),
    accent: Color::rgb(0x4A61DD),
    accent_hover: Color::rgb(0x556BE0),
    accent_pressed: Color::rgb(0x3F55CB),
    on_accent: Color::rgb(0xFFFFFF),
    accent_text: Color::rgb(0x9FB0FF),
    ring: Color::rgb(0x8FA3FF),
    selection: Color::rgb(0x353E6B),
    danger: Color::rgb(0xFF8A8A),
    warning: Color::rgb(0xF0BD5B),
    good: Color::rgb(0x6FD295),
    track: Color::rgb(0x50505C),
    shadow: Color(0x8000_0000),
    scrim: Color(0x8000_0000),
};

/// White and yellow on black.
pub const HIGH_CONTRAST: Theme = Theme {
    background: Color::rgb(0x000000),
    surface: Color::rgb(0x000000),
    sidebar: Color::rgb(0x000000),
    control: Color::rgb(0x000000),
    control_hover: Color::rgb(0x2A2A2A),
    control_pressed: Color::rgb(0x404040),
    border: Color::rgb(0xFFFFFF),
    edge: Color::rgb(0xFFFFFF),
    separator: Color::rgb(0x9A9A9A),
    text: Color::rgb(0xFFFFFF),
    secondary: Color::rgb(0xE6E6E6),
    accent: Color::rgb(0xFFE100),
    accent_hover: Color::rgb(0xFFF07A),
    accent_pressed: Color::rgb(0xD9BF00),
    on_accent: Color::rgb(0x000000),
    accent_text: Color::rgb(0xFFE100),
    ring: Color::rgb(0x00E5FF),
    selection: Color::rgb(0x5A4F00),
    danger: Color::rgb(0xFF9C9C),
    warning: Color::rgb(0xFFC24D),
    good: Color::rgb(0x7CFF9B),
    track: Color::rgb(0x5E5E5E),
    shadow: Color(0),
    scrim: Color(0xB000_0000),
};

impl Theme {
    /// The theme with this number, one of `nonos_proto::display::theme`; light when there is none.
    pub fn of(number: u64) -> &'static Self {
        match number {
            theme::DARK => &DARK,
            theme::HIGH_CONTRAST => &HIGH_CONTRAST,
            _ => &LIGHT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_be_read_on_everything_it_stands_on() {
        for (name, theme) in [
            ("light", LIGHT),
            ("dark", DARK),
            ("high contrast", HIGH_CONTRAST),
        ] {
            let grounds = [
                theme.background,
                theme.surface,
                theme.sidebar,
                theme.control,
                theme.control_hover,
                theme.control_pressed,
                theme.selection,
            ];
            let inks = [theme.text, theme.secondary];
            let pairs = inks
                .into_iter()
                .flat_map(|ink| grounds.map(|ground| (ink, ground)));
            let fills = [theme.accent, theme.accent_hover, theme.accent_pressed];
            let on_fills = fills.map(|fill| (theme.on_accent, fill));
            let signs = [theme.accent_text, theme.danger, theme.warning, theme.good];
            let on_grounds = signs.into_iter().flat_map(|sign| {
                [
                    theme.background,
                    theme.surface,
                    theme.sidebar,
                    theme.control,
                ]
                .map(|ground| (sign, ground))
            });
            for (ink, ground) in pairs.chain(on_fills).chain(on_grounds) {
                let contrast = ink.contrast(ground);
                assert!(
                    contrast >= 4.5,
                    "{name}: {ink:x?} on {ground:x?}: {contrast:.2}"
                );
            }
            // What is no text: 3 (WCAG 2.2, 1.4.11). A field is filled with the surface's colour, the knob of a switch stands on its track.
            assert!(theme.secondary.contrast(theme.track) >= 3.0, "{name}: knob");
            for ground in [
                theme.background,
                theme.surface,
                theme.sidebar,
                theme.control,
            ] {
                for (what, color) in [("ring", theme.ring), ("edge", theme.edge)] {
                    let contrast = color.contrast(ground);
                    assert!(
                        contrast >= 3.0,
                        "{name}: {what} on {ground:x?}: {contrast:.2}"
                    );
                }
            }
        }
    }
}
