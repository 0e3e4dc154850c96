//! The lock: its state, the passphrase, and what is shown while the vault is locked.

use alloc::format;
use alloc::string::String;

use nonos_proto::vault::{Status, status};
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::Kind;
use nonos_ui::{Edit, Icon, Rect, Ui};

use crate::Manager;
use crate::keeper::Keeper;

/// After how many seconds the vault can lock itself, and what a person calls that.
const TIMES: [(u64, &str); 4] = [(0, "Never"), (60, "1 min"), (600, "10 min"), (3600, "1 h")];

/// What the page remembers.
#[derive(Default, Debug)]
pub struct Page {
    typed: Edit,
    again: Edit,
}

/// State of the vault, as rows.
fn rows(state: &Status) -> [(&'static str, String); 4] {
    let has = |flag| state.flags & flag != 0;
    let passphrase = match has(status::PASSPHRASE) {
        true => "set",
        false => "none: whoever sits here opens the vault",
    };
    let tpm = match (has(status::TPM), has(status::KEPT)) {
        (false, _) => "none: what is locked rests on the passphrase alone",
        (true, false) => "seals the vault to this system (PCR 7 and 11)",
        (true, true) => "keeps the vault over restarts, sealed to this system",
    };
    let uses = format!("{}, and {} refused", state.uses, state.denials);
    [
        ("Passphrase", passphrase.into()),
        ("TPM", tpm.into()),
        ("Keys", format!("{}", state.keys)),
        ("Uses of secrets", uses),
    ]
}

impl<K: Keeper> Manager<K> {
    /// What is shown while the vault is locked: no more than how to open it.
    pub(crate) fn locked(&mut self, ui: &mut Ui<'_>, area: Rect) {
        let theme = ui.theme;
        let mut card = area.centred(380, 268);
        ui.card(card);
        card = card.inset(32, 24);
        ui.icon(card.cut_top(48, 8), Icon::Lock, 40, theme.accent_text);
        let heading = card.cut_top(28, 4);
        let text = match self.state {
            Ok(_) => "The vault is locked",
            Err(_) => "The vault does not answer",
        };
        ui.text(heading, font::HEADING, Align::Centre, text, theme.text);
        let note = card.cut_top(20, 16);
        ui.text(
            note,
            font::CAPTION,
            Align::Centre,
            &self.said,
            theme.secondary,
        );
        let place = card.cut_top(space::CONTROL, 12);
        let field = ui.id("passphrase");
        if !ui.any_focus() {
            ui.focus(field);
        }
        let typed = &mut self.lock.typed;
        let entered = ui
            .secret_field(place, "passphrase", typed, "Passphrase")
            .entered;
        let button = card.cut_top(space::CONTROL, 0);
        if ui.button(button, "Unlock", Kind::Primary) || entered {
            let done = self.keeper.unlock(self.lock.typed.text());
            self.lock.typed = Edit::default();
            self.done(ui, done, "");
        }
    }

    /// The page.
    pub(crate) fn lock(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        let Ok(state) = self.state else {
            return;
        };
        let mut card = area.cut_top(4 * 28 + 24, space::MARGIN);
        ui.card(card);
        card = card.inset(16, 12);
        for (name, text) in rows(&state) {
            let mut row = card.cut_top(28, 0);
            let label = row.cut_left(160, space::MEDIUM);
            ui.text(label, font::BODY, Align::Left, name, ui.theme.secondary);
            ui.label(row, &text);
        }

        let mut row = area.cut_top(space::CONTROL, space::MARGIN);
        let label = row.cut_left(176, space::MEDIUM);
        ui.label(label, "Locks itself unused for");
        let names = TIMES.map(|(_, name)| name);
        let now = TIMES
            .iter()
            .position(|&(seconds, _)| seconds == state.auto_lock_seconds);
        let mut chosen = now.unwrap_or(TIMES.len());
        if ui.segmented(row, "auto-lock", &names, &mut chosen) {
            let seconds = TIMES.get(chosen).map_or(0, |&(seconds, _)| seconds);
            let done = self.keeper.set_auto_lock(seconds);
            self.done(ui, done, "");
        }

        let heading = area.cut_top(24, space::SMALL);
        ui.text(
            heading,
            font::HEADING,
            Align::Left,
            "New passphrase",
            ui.theme.text,
        );
        let mut row = area.cut_top(space::CONTROL, space::MARGIN);
        let set = row.cut_right(ui.button_width("Set it"), space::MEDIUM);
        let Page { typed, again } = &mut self.lock;
        let (first, second) = (row.cell((2, 1), 12, (0, 0)), row.cell((2, 1), 12, (1, 0)));
        let hint = "Empty for none";
        let entered = ui
            .secret_field(first, "new passphrase", typed, hint)
            .entered
            | ui.secret_field(second, "again", again, "The same again")
                .entered;
        if ui.button(set, "Set it", Kind::Plain) || entered {
            if self.lock.typed.text() == self.lock.again.text() {
                let done = self.keeper.set_passphrase(self.lock.typed.text());
                let said = match self.lock.typed.text().is_empty() {
                    true => "No passphrase is set.",
                    false => "The passphrase is set.",
                };
                self.done(ui, done, said);
            } else {
                self.said = "These are not the same: nothing was done.".into();
            }
            self.lock = Page::default();
            ui.changed();
        }

        let mut row = area.cut_top(space::CONTROL, 0);
        let button = row.cut_left(ui.button_width("Lock now"), space::MEDIUM);
        if ui.button(button, "Lock now", Kind::Primary) {
            let done = self.keeper.lock();
            self.done(ui, done, "");
        }
        ui.note(
            row,
            "Ctrl+L. Everything secret is wiped; files are locked, too.",
        );
    }
}
