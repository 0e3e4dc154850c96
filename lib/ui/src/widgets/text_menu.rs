//! The menu of a text: what keys do with the clipboard, for a hand that is at the pointer.

use nonos_proto::display::modifiers;

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

/// What can be done with a text that can be changed, as the menu shows it, and the letters of the keys that do it.
const ALL: [TextCommand; 4] = [
    TextCommand::Cut,
    TextCommand::Copy,
    TextCommand::Paste,
    TextCommand::SelectAll,
];
const NAMES: [&str; 4] = ["Cut", "Copy", "Paste", "Select all"];
const LETTERS: [char; 4] = ['x', 'c', 'v', 'a'];

/// What a window remembers of it.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct TextMenu {
    /// The text, and where the menu is.
    of: Option<(Id, Rect)>,
    menu: Menu,
    /// Whether the program can ask the user to let it paste.
    pub asks_to_paste: bool,
}

impl Ui<'_> {
    /// The menu of a text that can be changed, or is a secret: the key for what was picked there.
    #[inline(never)]
    pub(crate) fn edit_menu(&mut self, id: Id, rect: Rect, can_copy: bool) -> Option<Key> {
        let commands = if can_copy { &ALL[..] } else { &ALL[2..] };
        let picked = self.text_menu(id, rect, commands)?;
        self.focus(id);
        Some(Key {
            usage: 0,
            modifiers: modifiers::CONTROL,
            character: Some(LETTERS[picked as usize]),
        })
    }

    /// The menu of a text, which opens by the right button there and by the key for menus; what was picked. To paste, the user is asked
    /// when it was, and the text comes as it does with keys.
    #[inline(never)]
    pub fn text_menu(
        &mut self,
        id: Id,
        rect: Rect,
        commands: &[TextCommand],
    ) -> Option<TextCommand> {
        let mut place = self.take_right_press(rect);
        let is_menu_key =
            |key: &Key| key.usage == usage::MENU || key.usage == usage::F10 && key.shift();
        if self.has_focus(id) && self.take_key(is_menu_key).is_some() {
            place = Some((
                rect.x + space::MEDIUM,
                rect.y + rect.height.min(space::CONTROL),
            ));
        }
        if let Some((x, y)) = place {
            let menu = &mut self.memory.text_menu;
            menu.of = Some((id, Rect::new(x, y, 0, 0)));
            menu.menu.open();
            self.focus(id);
            self.changed();
        }
        let TextMenu {
            of,
            mut menu,
            asks_to_paste,
        } = self.memory.text_menu;
        let (_, place) = of.filter(|&(of, _)| of == id)?;
        let mut offered = ALL;
        let mut names = [""; ALL.len()];
        let mut count = 0;
        for &command in commands {
            if (command != TextCommand::Paste || asks_to_paste) && count < ALL.len() {
                (offered[count], names[count]) = (command, NAMES[command as usize]);
                count += 1;
            }
        }
        let picked = self.menu(place, "text", &mut menu, &names[..count], None);
        let state = &mut self.memory.text_menu;
        state.menu = menu;
        if !menu.is_open() {
            state.of = None;
        }
        let picked = offered[picked?.min(ALL.len() - 1)];
        self.asks_to_paste |= picked == TextCommand::Paste;
        Some(picked)
    }

    /// Whether the menu of a text is open: what is selected there is still to be seen.
    pub(crate) fn has_text_menu(&self, id: Id) -> bool {
        self.memory.text_menu.of.is_some_and(|(of, _)| of == id)
    }
}
