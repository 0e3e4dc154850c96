//! What is pressed.

use crate::color::Color;
use crate::geometry::Rect;
use crate::icon::Icon;
use crate::theme::{font, space};
use crate::ui::{Align, Response, Ui};

/// How much a button is to be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What is done usually.
    Primary,
    /// One of several.
    Plain,
    /// Beside others, without a frame.
    Quiet,
    /// It destroys something.
    Danger,
}

impl Ui<'_> {
    /// A button. Its label names it.
    #[inline(never)]
    pub fn button(&mut self, rect: Rect, label: &str, kind: Kind) -> bool {
        let (response, ink) = self.button_ground(rect, label, kind, space::RADIUS);
        let font = if kind == Kind::Primary {
            font::STRONG
        } else {
            font::BODY
        };
        self.text(rect.inset(space::SMALL, 0), font, Align::Centre, label, ink);
        response.clicked
    }

    /// How wide a button with this label should be.
    #[inline(never)]
    pub fn button_width(&self, label: &str) -> i32 {
        (self.text_width(font::STRONG, label) + 32).max(80)
    }

    /// A button with an icon alone; the name is not shown.
    #[inline(never)]
    pub fn icon_button(&mut self, rect: Rect, icon: Icon, name: &str, kind: Kind) -> bool {
        let (response, ink) = self.button_ground(rect, name, kind, space::RADIUS);
        self.icon(rect, icon, 18, ink);
        response.clicked
    }

    /// The ground of a button, and what colour to write on it in.
    #[inline(never)]
    pub fn button_ground(
        &mut self,
        rect: Rect,
        name: &str,
        kind: Kind,
        radius: i32,
    ) -> (Response, Color) {
        let id = self.id(name);
        let response = self.pressable(id, rect);
        let theme = self.theme;
        let pick = |plain: Color, hover: Color, pressed: Color| {
            if response.held {
                pressed
            } else if response.hovered {
                hover
            } else {
                plain
            }
        };
        let ink = match kind {
            Kind::Primary => {
                let ground = pick(theme.accent, theme.accent_hover, theme.accent_pressed);
                self.rounded(rect, radius, ground);
                theme.on_accent
            }
            Kind::Plain | Kind::Danger => {
                let ground = pick(theme.control, theme.control_hover, theme.control_pressed);
                self.rounded(rect, radius, ground);
                self.outline(rect, radius, 1, theme.border);
                if kind == Kind::Danger {
                    theme.danger
                } else {
                    theme.text
                }
            }
            Kind::Quiet => {
                if response.hovered || response.held {
                    let ground = pick(theme.control, theme.control_hover, theme.control_pressed);
                    self.rounded(rect, radius, ground);
                }
                theme.text
            }
        };
        if response.ring {
            self.ring(rect, radius);
        }
        (response, ink)
    }
}
