//! Settings, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::display::{self, Look};
use nonos_proto::files::{NAME_BYTES, rights};
use nonos_proto::permissions::{self, OF_CLIPBOARD, OF_KEY};
use nonos_proto::settings::{Client, LAYOUT_BYTES, Layouts};
use nonos_proto::vault::uses;
use nonos_rt::object::Endpoint;
use nonos_rt::{parent, syscall};
use settings::{Change, Choices, Permission, Settings, What};

nonos_rt::entry!(main);

fn main() -> u64 {
    let endpoints = parent::connect("settings")
        .and_then(|settings| Ok((settings, parent::connect("display")?)));
    let Ok((settings, display)) = endpoints else {
        return 1;
    };
    let (settings, display) = (Client(settings), display::Client(display));
    let permissions = parent::connect("permissions").ok().map(permissions::Client);
    let (settings, permissions) = (&settings, &permissions);
    nonos_ui::app::run(Settings::new(
        move || {
            let mut choices = choices(settings, &display);
            choices.permissions = permissions.as_ref().map(given).unwrap_or_default();
            choices
        },
        move |change| {
            // What was refused is seen: it is as before.
            let _ = match change {
                Change::Speed(speed) => settings.set_pointer(speed as u64),
                Change::Zone(zone) => settings.set_zone(zone as u64),
                Change::Revoke(number) => match permissions {
                    Some(permissions) => permissions.revoke(number),
                    None => Ok(()),
                },
                Change::Look(theme, scale) => settings.set_look(theme as u64, scale as u64 + 1),
                Change::Layout(layout) => settings.set_layout(layout as u64),
            };
        },
    ))
}

/// Nanoseconds in a minute.
const MINUTE_NS: u64 = 60_000_000_000;

/// What programs were given.
fn given(permissions: &permissions::Client<Endpoint>) -> Vec<Permission> {
    let mut all = Vec::new();
    let mut name = [0; NAME_BYTES];
    while let Ok(given) = permissions.permission(all.len() as u64, &mut name) {
        let length = given.name_bytes as usize;
        let what = match given.rights {
            with if with & OF_CLIPBOARD != 0 => What::Clipboard,
            with if with & OF_KEY != 0 => What::Key,
            with if with & rights::LIST != 0 => What::Folder,
            _ => What::File,
        };
        let changes = given.rights & (rights::WRITE | rights::CREATE | rights::DELETE);
        let can = match (what, changes) {
            (What::Key, _) => {
                let uses: Vec<&str> = uses::named(given.rights & uses::ALL).collect();
                format!("can {} with this key", uses.join(" and "))
            }
            (What::Clipboard, _) => "can paste without a question".into(),
            (_, 0) => "can read it".into(),
            _ => "can read and change it".into(),
        };
        let left_ns = given.until_ns.saturating_sub(syscall::clock_ns());
        all.push(Permission {
            number: given.number,
            what,
            name: String::from_utf8_lossy(name.get(..length).unwrap_or_default()).into_owned(),
            who: format!("{} {can}", given.module),
            until: match given.until_ns {
                0 => "until it ends".into(),
                u64::MAX => "this session".into(),
                _ => format!("{} min left", left_ns.div_ceil(MINUTE_NS)),
            },
        });
        if all.len() >= MOST {
            break;
        }
    }
    all
}

/// Most permissions that are shown.
const MOST: usize = 64;

/// What is chosen now; nothing of what cannot be asked.
fn choices(settings: &Client<Endpoint>, display: &display::Client<Endpoint>) -> Choices {
    let mut choices = Choices::default();
    if let Ok(Look { theme, scale, .. }) = display.look() {
        choices.theme = theme as usize;
        choices.scale = scale.saturating_sub(1) as usize;
    }
    choices.zone = settings.zone().unwrap_or(0) as usize;
    choices.speed = settings.pointer().unwrap_or(1) as usize;
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
