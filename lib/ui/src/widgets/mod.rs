//! Widgets. Each says in its result what the user did with it.

mod area;
mod button;
mod choice;
mod dialog;
mod field;
mod list;
mod menu;
mod scroll;
mod status;
mod text_menu;

pub use area::AreaEdited;
pub use button::Kind;
pub use field::Edited;
pub use list::{List, Picked};
pub use menu::Menu;
pub use scroll::Scroll;
pub use status::Note;
pub use text_menu::TextCommand;
pub(crate) use text_menu::TextMenu;
