//! The menu of a text: what keys do with the clipboard, for a hand that is at the pointer.

use alloc::vec::Vec;

use crate::geometry::Rect;
use crate::input::{Key, usage};
use crate::theme::space;
use crate::ui::{Id, Ui};
use crate::widgets::Menu;

/// What can be done with a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextCommand {
    /// To the clipboard, and away here.
    Cut,
    /// To the clipboard.
    Copy,
    /// From the clipboard.
    Paste,
    /// All of it is selected.
    SelectAll,
}

impl TextCommand {
    fn name(self) -> &'static str {
        match self {
            Self::Cut => "Cut",
            Self::Copy => "Copy",
            Self::Paste => "Paste",
            Self::SelectAll => "Select all",
        }
    }

    /// The keys that do the same.
    fn key(self) -> Key {
        let character = match self {
            Self::Cut => 'x',
            Self::Copy => 'c',
            Self::Paste => 'v',
            Self::SelectAll => 'a',
        };
        Key {
            usage: 0,
            modifiers: nonos_proto::display::modifiers::CONTROL,
            character: Some(character),
        }
    }
}

/// What a window remembers of it.
#[derive(Default, Debug)]
pub(crate) struct TextMenu {
    /// The text, and where the menu is.
    of: Option<(Id, Rect)>,
    menu: Menu,
    /// Whether the program can ask the user to let it paste.
    pub asks_to_paste: bool,
}

impl Ui<'_> {
    /// The menu of a text that can be changed, or is a secret: the keys for what was picked there.
    pub(crate) fn edit_menu(
        &mut self,
        id: Id,
        rect: Rect,
        (selected, secret): (bool, bool),
    ) -> Option<Key> {
        let (copy, cut) = (TextCommand::Copy, TextCommand::Cut);
        let mut commands = Vec::new();
        if selected && !secret {
            commands.extend([cut, copy]);
        }
        commands.extend([TextCommand::Paste, TextCommand::SelectAll]);
        let picked = self.text_menu(id, rect, &commands)?;
        self.focus(id);
        Some(picked.key())
    }

    /// The menu of a text, which opens by the right button there and by the key for menus; what was picked. To paste, the user is asked
    /// when it was, and the text comes as it does with keys.
    pub fn text_menu(
        &mut self,
        id: Id,
        rect: Rect,
        commands: &[TextCommand],
    ) -> Option<TextCommand> {
        let is_menu_key =
            |key: &Key| key.usage == usage::MENU || key.usage == usage::F10 && key.shift();
        let place = if let Some((x, y)) = self.take_right_press(rect) {
            Some(Rect::new(x, y, 0, 0))
        } else if self.has_focus(id) && self.take_key(is_menu_key).is_some() {
            let below = rect.y + rect.height.min(space::CONTROL);
            Some(Rect::new(rect.x + space::MEDIUM, below, 0, 0))
        } else {
            None
        };
        if let Some(place) = place {
            let menu = self.text_menu_state();
            menu.of = Some((id, place));
            menu.menu.open();
            self.focus(id);
            self.changed();
        }
        let state = self.text_menu_state();
        let (_, place) = state.of.filter(|&(of, _)| of == id)?;
        let mut menu = state.menu;
        let can_paste = state.asks_to_paste;
        let offered = |command: &TextCommand| *command != TextCommand::Paste || can_paste;
        let commands: Vec<TextCommand> = commands.iter().copied().filter(offered).collect();
        let names: Vec<&str> = commands.iter().map(|command| command.name()).collect();
        let picked = self.menu(place, "text", &mut menu, &names, None);
        let state = self.text_menu_state();
        state.menu = menu;
        if !menu.is_open() {
            state.of = None;
        }
        let picked = picked.and_then(|at| commands.get(at).copied())?;
        if picked == TextCommand::Paste {
            self.ask_to_paste();
        }
        Some(picked)
    }

    /// Whether the menu of a text is open: what is selected there is still to be seen.
    pub(crate) fn has_text_menu(&mut self, id: Id) -> bool {
        self.text_menu_state().of.is_some_and(|(of, _)| of == id)
    }
}
