//! Writes pictures of all widgets, in every theme: `cargo run -p nonos-ui --features host --example gallery -- FOLDER`.
#![forbid(unsafe_code)]

use std::path::Path;

use nonos_proto::display::theme::{DARK, HIGH_CONTRAST, LIGHT};
use nonos_ui::host::{HostAtlas, write_png};
use nonos_ui::input::Input;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List, Menu, Scroll};
use nonos_ui::window::Window;
use nonos_ui::{Edit, Icon, Theme, Ui};

/// One of each.
#[derive(Default)]
struct Gallery {
    name: Edit,
    search: Edit,
    list: List,
    scroll: Scroll,
    menu: Menu,
    chosen: usize,
    page: usize,
    on: bool,
    off: bool,
    dialog: bool,
}

impl Gallery {
    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut rest = ui.size().inset(space::MARGIN, space::MARGIN);
        let title = rest.cut_top(32, 4);
        ui.text(
            title,
            font::TITLE,
            Align::Left,
            "Widgets of NØNOS",
            ui.theme.text,
        );
        let tabs = rest.cut_top(36, 16);
        ui.tabs(
            tabs,
            "pages",
            &["Overview", "Permissions", "Häufig", "Ελληνικά", "Кириллица"],
            &mut self.page,
        );
        let mut left = rest.cut_left(300, 24);
        let theme = ui.theme;

        let mut row = left.cut_top(space::CONTROL, space::MEDIUM);
        for (label, kind) in [
            ("Save", Kind::Primary),
            ("Cancel", Kind::Plain),
            ("Delete", Kind::Danger),
        ] {
            let place = row.cut_left(ui.button_width(label), space::SMALL);
            ui.button(place, label, kind);
        }
        let mut row = left.cut_top(space::CONTROL, space::MEDIUM);
        for (icon, name) in [
            (Icon::Undo, "Undo"),
            (Icon::Redo, "Redo"),
            (Icon::Search, "Find"),
            (Icon::More, "More"),
            (Icon::Trash, "Erase"),
            (Icon::Refresh, "Again"),
        ] {
            ui.icon_button(row.cut_left(space::CONTROL, 4), icon, name, Kind::Quiet);
        }
        ui.segmented(
            left.cut_top(space::CONTROL, space::MEDIUM),
            "look",
            &["Light", "Dark", "Contrast"],
            &mut self.chosen,
        );
        ui.choose(
            left.cut_top(space::CONTROL, space::MEDIUM),
            "layout",
            &mut self.menu,
            &[
                "English (US)",
                "English (UK)",
                "Deutsch",
                "Français",
                "Español",
            ],
            &mut self.chosen,
        );
        ui.field(
            left.cut_top(space::CONTROL, space::MEDIUM),
            "name",
            &mut self.name,
            "Name of the file",
        );
        ui.search(
            left.cut_top(space::CONTROL, space::MEDIUM),
            "search",
            &mut self.search,
            "Search",
        );
        let card = left.cut_top(97, space::MEDIUM);
        ui.card(card);
        let mut inner = card.inset(16, 4);
        ui.toggle(inner.cut_top(44, 0), "Show seconds", &mut self.on);
        ui.separator(inner.cut_top(1, 0));
        ui.toggle(inner.cut_top(44, 0), "Reduce motion", &mut self.off);
        ui.progress(left.cut_top(12, space::MEDIUM), 620);
        let mut row = left.cut_top(24, 0);
        for (icon, color) in [
            (Icon::ShieldCheck, theme.good),
            (Icon::Warning, theme.warning),
            (Icon::Shield, theme.danger),
            (Icon::Onion, theme.accent_text),
        ] {
            ui.icon(row.cut_left(24, 8), icon, 20, color);
        }
        left.cut_top(8, 0);
        ui.paragraph(left, font::BODY, "The quick brown fox jumps over the lazy dog. AVATAR, Type, Wörter, “quotes” – and figures: 0123456789.", theme.secondary, true);

        let place = rest.cut_top(260, space::MEDIUM);
        ui.card(place);
        let icons = Icon::ALL;
        ui.list(
            place.inset(1, 5),
            "icons",
            &mut self.list,
            (icons.len(), space::ROW),
            |ui, mut row, index, _| {
                let icon = row.cut_left(20, space::MEDIUM);
                ui.icon(icon, icons[index], 18, ui.theme.accent_text);
                let note = row.cut_right(60, 8);
                ui.label(row, &format!("{:?}", icons[index]));
                ui.text(
                    note,
                    font::CAPTION,
                    Align::Right,
                    &format!("{} KiB", index * 37 + 4),
                    ui.theme.secondary,
                );
            },
        );
        let mut plot = rest.cut_top(120, space::MEDIUM);
        ui.card(plot);
        plot = plot.inset(16, 12);
        let head = plot.cut_top(18, 6);
        ui.text(head, font::STRONG, Align::Left, "Processor", theme.text);
        ui.text(head, font::BODY, Align::Right, "37 %", theme.secondary);
        let values: Vec<u16> = (0..60_u32)
            .map(|x| (300 + (x * 7919 % 400) / 2 + x * 5) as u16)
            .collect();
        ui.plot(plot, &values, theme.accent_text);
        ui.scroll(rest, "text", &mut self.scroll, 400, |ui, place| {
            ui.text(place, font::MONO, Align::Left, "", ui.theme.text);
            let mut place = place;
            for line in [
                "fn main() -> u64 { run(|ui| view(ui)) }",
                "│ ├── Größe: 0x7F3A λ → Ж",
                "└── 192.168.0.1 != ::1",
            ] {
                let line_place = place.cut_top(20, 0);
                ui.text(line_place, font::MONO, Align::Left, line, ui.theme.text);
            }
        });
        if self.dialog {
            ui.dialog("Erase the vault?", "All keys in it are destroyed, and what was encrypted with them can never be read again.", &[("Keep it", Kind::Plain), ("Erase", Kind::Danger)]);
        }
    }
}

fn main() {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/screens".to_owned());
    let atlas = HostAtlas::new();
    for (name, number) in [
        ("light", LIGHT),
        ("dark", DARK),
        ("contrast", HIGH_CONTRAST),
    ] {
        for scale in [1, 2] {
            let mut gallery = Gallery {
                name: Edit::new("Übersicht.txt"),
                on: true,
                dialog: false,
                ..Gallery::default()
            };
            gallery.list.selected = Some(2);
            let (width, height) = (760, 620);
            let mut window = Window::new(width * scale, height * scale, scale, Theme::of(number));
            let mut view = |ui: &mut Ui<'_>| gallery.view(ui);
            window.input(&atlas, Input::Focus(true), &mut view);
            window.input(&atlas, Input::None, &mut view);
            window.paint(&atlas);
            let path = Path::new(&folder).join(format!("gallery-{name}-{scale}.png"));
            write_png(&path, window.pixels(), (width * scale) as usize)
                .expect("the picture can be written");
            println!("{}", path.display());
        }
    }
}
