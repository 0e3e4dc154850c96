//! How the user is asked for what is on the clipboard.

use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::{App, Icon, Ui};

use crate::ask::{Chosen, Lasts, Thing};
use crate::{Question, allow_or_deny};

/// The window.
#[derive(Default, Debug)]
pub struct PasteDialog {
    lasts: usize,
    begun: bool,
    answer: Option<Option<Chosen>>,
}

impl Question for PasteDialog {
    fn answer(&mut self) -> Option<Option<Chosen>> {
        self.answer.take()
    }
}

impl App for PasteDialog {
    fn title(&self) -> &str {
        "Paste"
    }

    fn size(&self) -> (i32, i32) {
        (440, 184)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size().inset(space::MARGIN, space::MARGIN);
        let mut head = area.cut_top(24, space::MEDIUM);
        let buttons = area.cut_bottom(space::CONTROL, space::MEDIUM);
        let lasts = area.cut_top(space::CONTROL, space::SMALL);
        if !self.begun {
            self.begun = true;
            let id = ui.id("Allow");
            ui.focus(id);
        }
        let sign = head.cut_left(20, space::SMALL);
        ui.icon(sign, Icon::Copy, 18, ui.theme.accent_text);
        let text = "It wants to paste what you copied last.";
        ui.text(head, font::STRONG, Align::Left, text, ui.theme.text);
        ui.segmented(lasts, "lasts", &Lasts::USE_NAMES, &mut self.lasts);
        let text = match self.lasts {
            0 => "It gets the text that is on the clipboard now.",
            _ => "You are not asked again when you paste in its windows.",
        };
        ui.text(area, font::CAPTION, Align::Left, text, ui.theme.secondary);
        match allow_or_deny(ui, buttons, true) {
            Some(true) => {
                self.answer = Some(Some(Chosen {
                    thing: Thing::Clipboard,
                    lasts: Lasts::USES[self.lasts.min(2)],
                }));
            }
            Some(false) => self.answer = Some(None),
            None => {}
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

    use nonos_proto::display::theme::{DARK, LIGHT};
    use nonos_proto::usage;
    use nonos_ui::host::Stage;

    fn stage(theme: u64) -> Stage<PasteDialog> {
        Stage::new(PasteDialog::default(), theme, 1)
    }

    #[test]
    fn enter_allows_it_once_and_escape_says_no() {
        let mut asked = stage(DARK);
        asked.shoot("powerbox-paste");
        asked.press(usage::ENTER, 0);
        let once = Chosen {
            thing: Thing::Clipboard,
            lasts: Lasts::Once,
        };
        assert_eq!(asked.app.answer(), Some(Some(once)));
        assert_eq!(asked.app.answer(), None, "said once");
        let mut asked = stage(LIGHT);
        asked.press(usage::ESCAPE, 0);
        assert_eq!(asked.app.answer(), Some(None));
    }

    #[test]
    fn it_is_allowed_for_the_time_that_is_chosen() {
        for (steps, lasts) in [(1, Lasts::Hour), (2, Lasts::Session)] {
            let mut asked = stage(LIGHT);
            let back = nonos_proto::display::modifiers::SHIFT;
            asked.press(usage::TAB, back);
            (0..steps).for_each(|_| asked.press(usage::RIGHT, 0));
            asked.shoot("powerbox-paste-light");
            asked.press(usage::TAB, 0);
            asked.press(usage::ENTER, 0);
            let answer = asked.app.answer().flatten();
            assert_eq!(answer.map(|chosen| chosen.lasts), Some(lasts));
        }
    }

    #[test]
    fn keys_reach_every_control_and_all_can_be_read() {
        let count = nonos_ui::access::check(|| stage(DARK));
        assert!(count > 2, "{count}");
    }
}
