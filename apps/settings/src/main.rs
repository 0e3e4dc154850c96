//! Settings, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;

use nonos_proto::display::{self, Look};
use nonos_proto::settings::{Client, LAYOUT_BYTES, Layouts};
use nonos_rt::object::Endpoint;
use nonos_rt::parent;
use settings::{Change, Choices, Settings};

nonos_rt::entry!(main);

fn main() -> u64 {
    let endpoints = parent::connect("settings")
        .and_then(|settings| Ok((settings, parent::connect("display")?)));
    let Ok((settings, display)) = endpoints else {
        return 1;
    };
    let (settings, display) = (Client(settings), display::Client(display));
    let settings = &settings;
    nonos_ui::app::run(Settings::new(
        move || choices(settings, &display),
        move |change| {
            // What was refused is seen: it is as before.
            let _ = match change {
                Change::Look(theme, scale) => settings.set_look(theme as u64, scale as u64 + 1),
                Change::Layout(layout) => settings.set_layout(layout as u64),
            };
        },
    ))
}

/// What is chosen now; nothing of what cannot be asked.
fn choices(settings: &Client<Endpoint>, display: &display::Client<Endpoint>) -> Choices {
    let mut choices = Choices::default();
    if let Ok(Look { theme, scale, .. }) = display.look() {
        choices.theme = theme as usize;
        choices.scale = scale.saturating_sub(1) as usize;
    }
    if let Ok(Layouts { count, chosen }) = settings.layouts() {
        choices.layout = chosen as usize;
        let mut name = [0; LAYOUT_BYTES];
        choices.layouts = (0..count.min(64))
            .map(|layout| {
                let length = settings.layout_name(layout, &mut name).unwrap_or(0) as usize;
                String::from_utf8_lossy(name.get(..length).unwrap_or_default()).into_owned()
            })
            .collect();
    }
    choices
}
