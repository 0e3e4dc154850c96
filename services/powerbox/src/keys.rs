//! How the user is asked for the use of a key: a list of the vault's keys that have it.

use alloc::format;
use alloc::vec::Vec;

use nonos_abi::Name;
use nonos_proto::vault::{kind, uses};
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::List;
use nonos_ui::{App, Icon, Ui};

use crate::ask::{Chosen, Lasts, Thing};
use crate::{Question, allow_or_deny};

/// A key of the vault.
#[derive(Clone, Debug)]
pub struct Key {
    /// What the vault knows it by.
    pub number: u64,
    /// One of [`kind`].
    pub kind: u64,
    /// Whose it is.
    pub owner: Name,
    /// What it is called.
    pub name: Name,
}

/// The window.
#[derive(Debug)]
pub struct KeyDialog {
    uses: u64,
    keys: Vec<Key>,
    list: List,
    lasts: usize,
    begun: bool,
    answer: Option<Option<Chosen>>,
}

impl KeyDialog {
    /// Asks for these uses of one of the keys, which have them; the one of a name is chosen at first.
    pub fn new(uses: u64, suggested: &str, keys: Vec<Key>) -> Self {
        let first = keys.iter().position(|key| key.name.as_str() == suggested);
        let first = first.or((!keys.is_empty()).then_some(0));
        Self {
            uses,
            keys,
            list: List {
                selected: first,
                ..List::default()
            },
            lasts: 0,
            begun: false,
            answer: None,
        }
    }

    fn allow(&mut self) {
        let key = self.list.selected.and_then(|at| self.keys.get(at));
        if let Some(&Key {
            number,
            owner,
            name,
            ..
        }) = key
        {
            self.answer = Some(Some(Chosen {
                thing: Thing::Key {
                    number,
                    owner,
                    name,
                },
                lasts: Lasts::ALL[self.lasts.min(2)],
            }));
        }
    }
}

impl Question for KeyDialog {
    fn answer(&mut self) -> Option<Option<Chosen>> {
        self.answer.take()
    }
}

impl App for KeyDialog {
    fn title(&self) -> &str {
        "Use a key"
    }

    fn size(&self) -> (i32, i32) {
        (480, 320)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let said = uses::named(self.uses).collect::<Vec<_>>().join(" and ");
        let mut area = ui.size().inset(space::MARGIN, space::MARGIN);
        let mut head = area.cut_top(24, space::MEDIUM);
        let buttons = area.cut_bottom(space::CONTROL, space::MEDIUM);
        let note = area.cut_bottom(18, space::MEDIUM);
        let lasts = area.cut_bottom(space::CONTROL, space::SMALL);
        if !self.begun {
            self.begun = true;
            let id = ui.id("keys");
            ui.focus(id);
        }
        ui.icon(
            head.cut_left(20, space::SMALL),
            Icon::Key,
            18,
            ui.theme.accent_text,
        );
        let text = format!("It wants to {said} with this key:");
        ui.text(head, font::STRONG, Align::Left, &text, ui.theme.text);

        ui.card(area);
        let Self { list, keys, .. } = self;
        if keys.is_empty() {
            let color = ui.theme.secondary;
            ui.text(
                area,
                font::BODY,
                Align::Centre,
                "The vault has no such key.",
                color,
            );
        }
        let count = (keys.len(), space::ROW);
        let picked = ui.list(
            area.inset(0, 4),
            "keys",
            list,
            count,
            |ui, mut row, at, _| {
                let Some(key) = keys.get(at) else { return };
                let of = (key.kind as usize).checked_sub(1);
                let of = of.and_then(|at| kind::NAMES.get(at)).unwrap_or(&"?");
                let place = row.cut_right(200, space::SMALL);
                let text = format!("{of}, of {}", key.owner);
                ui.text(
                    place,
                    font::CAPTION,
                    Align::Right,
                    &text,
                    ui.theme.secondary,
                );
                ui.label(row, key.name.as_str());
            },
        );
        ui.segmented(lasts, "lasts", &Lasts::NAMES, &mut self.lasts);
        let text = "It gets the use of this key alone. The key stays in the vault.";
        ui.text(note, font::CAPTION, Align::Left, text, ui.theme.secondary);

        match allow_or_deny(ui, buttons, !self.keys.is_empty()) {
            Some(false) => self.answer = Some(None),
            said if said.is_some() || picked.entered => self.allow(),
            _ => {}
        }
    }

    fn close(&mut self) -> bool {
        self.answer = Some(None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    use nonos_proto::display::theme::{DARK, LIGHT};
    use nonos_proto::usage;
    use nonos_ui::host::Stage;

    fn key(number: u64, name: &str) -> Key {
        Key {
            number,
            kind: kind::ED25519,
            owner: Name::new("shell").unwrap(),
            name: Name::new(name).unwrap(),
        }
    }

    fn stage(theme: u64, suggested: &str) -> Stage<KeyDialog> {
        let keys = vec![key(7, "mail"), key(9, "letters")];
        Stage::new(KeyDialog::new(uses::SIGN, suggested, keys), theme, 1)
    }

    #[test]
    fn the_key_that_is_chosen_is_given_for_the_time_that_is_chosen() {
        let mut stage = stage(DARK, "");
        stage.shoot("powerbox-key");
        stage.press(usage::DOWN, 0);
        stage.press(usage::TAB, 0);
        stage.press(usage::RIGHT, 0);
        assert_eq!(stage.app.answer, None);
        stage.press(usage::TAB, 0);
        stage.press(usage::ENTER, 0);
        let Some(Some(Chosen {
            thing: Thing::Key { number, name, .. },
            lasts,
        })) = stage.app.answer()
        else {
            panic!("no key")
        };
        assert_eq!((number, name.as_str(), lasts), (9, "letters", Lasts::Hour));
        assert_eq!(stage.app.answer(), None, "said once");
    }

    #[test]
    fn the_key_that_is_suggested_is_chosen_at_first_and_escape_says_no() {
        let mut stage = stage(LIGHT, "letters");
        stage.shoot("powerbox-key-light");
        assert_eq!(stage.app.list.selected, Some(1));
        stage.press(usage::ESCAPE, 0);
        assert_eq!(stage.app.answer(), Some(None));
    }

    #[test]
    fn without_a_key_nothing_is_given() {
        let mut stage = Stage::new(KeyDialog::new(uses::DERIVE, "", vec![]), DARK, 1);
        stage.shoot("powerbox-key-none");
        for key in [usage::ENTER, usage::TAB, usage::TAB, usage::ENTER] {
            stage.press(key, 0);
        }
        stage.app.allow();
        assert!(!matches!(stage.app.answer, Some(Some(_))));
    }

    #[test]
    fn keys_reach_every_control_and_all_can_be_read() {
        let count = nonos_ui::access::check(|| stage(DARK, "mail"));
        assert!(count > 2, "{count}");
    }
}
