//! Menus.

use crate::geometry::Rect;
use crate::icon::Icon;
use crate::input::usage;
use crate::theme::{font, space};
use crate::ui::{Align, Ui};

use super::Kind;

/// Height of an item.
const ITEM: i32 = 32;

/// A menu.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Menu {
    /// Which item keys lead to, while it is open.
    open: Option<usize>,
}

impl Menu {
    pub(crate) fn open(&mut self) {
        self.open = Some(0);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

impl Ui<'_> {
    /// A button that shows one of several, and a menu to choose another from; whether another was chosen.
    #[inline(never)]
    pub fn choose(
        &mut self,
        rect: Rect,
        name: &str,
        menu: &mut Menu,
        labels: &[&str],
        chosen: &mut usize,
    ) -> bool {
        let (response, ink) = self.button_ground(rect, name, Kind::Plain, space::RADIUS);
        let mut inner = rect.inset(space::MEDIUM, 0);
        let arrow = inner.cut_right(16, 4);
        let label = labels.get(*chosen).copied().unwrap_or_default();
        self.text(inner, font::BODY, Align::Left, label, ink);
        self.icon(arrow, Icon::Down, 14, self.theme.secondary);
        if response.clicked {
            menu.open = Some(*chosen);
        }
        let Some(picked) = self.menu(rect, name, menu, labels, Some(*chosen)) else {
            return false;
        };
        let changed = *chosen != picked;
        *chosen = picked;
        changed
    }

    /// A button with an icon, and a menu of what can be done; which item was picked.
    #[inline(never)]
    pub fn menu_button(
        &mut self,
        rect: Rect,
        name: &str,
        menu: &mut Menu,
        icon: Icon,
        labels: &[&str],
    ) -> Option<usize> {
        let (response, ink) = self.button_ground(rect, name, Kind::Quiet, space::RADIUS);
        self.icon(rect, icon, 18, ink);
        if response.clicked {
            menu.open();
        }
        self.menu(rect, name, menu, labels, None)
    }

    /// The items of an open menu below a place, or above it; which was picked.
    #[inline(never)]
    pub(crate) fn menu(
        &mut self,
        below: Rect,
        name: &str,
        menu: &mut Menu,
        labels: &[&str],
        chosen: Option<usize>,
    ) -> Option<usize> {
        let mut at = menu.open?;
        let widest = labels
            .iter()
            .map(|label| self.text_width(font::BODY, label))
            .max();
        let margins = if chosen.is_some() { 56 } else { 40 };
        let width = (widest.unwrap_or(0) + margins).max(below.width);
        let height = labels.len() as i32 * ITEM + 8;
        let window = self.size();
        let under = below.bottom() + 4;
        let y = if under + height > window.bottom() {
            below.y - 4 - height
        } else {
            under
        };
        let rect = Rect::new(
            below.x.min(window.right() - width - 4).max(4),
            y.max(4),
            width,
            height,
        );
        let last = labels.len().saturating_sub(1);
        let mut picked = None;
        self.in_front(|ui| {
            const KEYS: [u8; 4] = [usage::UP, usage::DOWN, usage::ESCAPE, usage::TAB];
            let key = ui.take_key(|key| {
                KEYS.contains(&key.usage) || key.is_enter() || key.usage == usage::SPACE
            });
            match key.map(|key| key.usage) {
                Some(usage::UP) => at = at.saturating_sub(1),
                Some(usage::DOWN) => at = (at + 1).min(last),
                Some(usage::ESCAPE | usage::TAB) => menu.open = None,
                Some(_) => picked = Some(at),
                None => {}
            }
            if ui.pressed_beside(rect) {
                menu.open = None;
                ui.changed();
            }
            ui.shadow(rect, space::LARGE_RADIUS, 24);
            ui.rounded(rect, space::LARGE_RADIUS, ui.theme.surface);
            ui.outline(rect, space::LARGE_RADIUS, 1, ui.theme.border);
            let mut rest = rect.inset(4, 4);
            for (index, label) in labels.iter().enumerate() {
                let item = rest.cut_top(ITEM, 0);
                let id = ui.scope(name, index, |ui| ui.id(label));
                let response = ui.interact(id, item, false);
                if response.hovered {
                    at = index;
                }
                if response.clicked {
                    picked = Some(index);
                }
                let marked = at == index;
                if marked {
                    ui.rounded(item, space::RADIUS, ui.theme.accent);
                }
                let ink = if marked {
                    ui.theme.on_accent
                } else {
                    ui.theme.text
                };
                let mut inner = item.inset(8, 0);
                if let Some(chosen) = chosen {
                    let check = inner.cut_left(16, space::SMALL);
                    if chosen == index {
                        ui.icon(check, Icon::Check, 14, ink);
                    }
                }
                ui.text(inner, font::BODY, Align::Left, label, ink);
            }
        });
        if picked.is_some() {
            menu.open = None;
            self.changed();
        } else if menu.open.is_some() {
            menu.open = Some(at);
        }
        picked
    }
}
