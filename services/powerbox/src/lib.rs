//! The parts of the power box that call nothing: they run and are tested on the host.
//!
//! [`ask`] is what programs ask for and what the user says, [`dialog`] how the user is asked for documents, [`keys`] for keys and [`paste`]
//! for what is on the clipboard, [`permissions`] the list of what was given.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ask;
pub mod dialog;
pub mod keys;
pub mod paste;
pub mod permissions;

use nonos_ui::theme::space;
use nonos_ui::widgets::Kind;
use nonos_ui::{Rect, Ui};

/// A window in which the user is asked.
pub trait Question: nonos_ui::App {
    /// What the user said since the last call, if anything: nothing chosen stands for no.
    fn answer(&mut self) -> Option<Option<ask::Chosen>>;
}

/// The buttons of a question that is answered with yes or no, and Escape; what the user said.
fn allow_or_deny(ui: &mut Ui<'_>, mut buttons: Rect, can_allow: bool) -> Option<bool> {
    let allow = buttons.cut_right(ui.button_width("Allow"), space::SMALL);
    let allowed = can_allow && ui.button(allow, "Allow", Kind::Primary);
    let deny = buttons.cut_right(ui.button_width("Deny"), space::SMALL);
    let escape = ui.take_key(|key| key.usage == nonos_proto::usage::ESCAPE);
    let denied = ui.button(deny, "Deny", Kind::Plain) || escape.is_some();
    match (denied, allowed) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}
