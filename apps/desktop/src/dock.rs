//! The dock: programs that are always there, and those that run.

use alloc::vec::Vec;

use nonos_ui::input::usage;
use nonos_ui::{Color, Icon, Rect, Ui};

use crate::programs::{self, Program};

/// Side of an icon, points.
const ICON: i32 = 44;
/// Between icons, and around them.
const GAP: i32 = 12;
/// Height of the dock, points: below an icon is a dot while its program runs.
pub const HEIGHT: i32 = ICON + 2 * GAP;
/// Most icons.
const MOST: usize = 16;

/// Ground, in every theme: icons have colours of their own.
const GROUND: Color = Color::rgb(0x171A21);
/// Below the pointer.
const HOVER: Color = Color::rgb(0x2C313C);
/// A dot below what runs, and a wider one below what has the keyboard; around the icon that keys are for.
const DOT: Color = Color::rgb(0xC9CFDA);
/// The launcher's tile.
const LAUNCHER: Color = Color::rgb(0x3A4150);
/// The tile of a module without a picture.
const OTHER: Color = Color::rgb(0x5A6372);

/// Programs that are always there, when the image has them.
const PINNED: [&str; 5] = ["terminal", "file-manager", "editor", "security", "settings"];

/// A window, as the compositor tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window<'a> {
    /// Its number.
    pub number: u64,
    /// Name of its program's module.
    pub module: &'a str,
    /// It has the keyboard.
    pub focused: bool,
}

/// What the user wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish<'a> {
    /// The launcher.
    Launcher,
    /// This module started.
    Start(&'a str),
    /// This window before all others.
    Activate(u64),
    /// This window hidden.
    Minimize(u64),
}

/// An icon of the dock.
struct Item<'a> {
    module: &'a str,
    program: Option<&'static Program>,
    /// Its window that was opened first.
    window: Option<Window<'a>>,
}

/// What the dock shows. `has`: which modules the image has.
fn items<'a>(windows: &[Window<'a>], has: impl Fn(&str) -> bool) -> Vec<Item<'a>> {
    let pinned = PINNED.iter().filter_map(|module| programs::find(module));
    let mut items: Vec<_> = pinned
        .filter(|program| has(program.module))
        .map(|program| Item {
            module: program.module,
            program: Some(program),
            window: None,
        })
        .collect();
    for &window in windows {
        if let Some(item) = items.iter_mut().find(|item| item.module == window.module) {
            // Its focused window stands for it.
            if item.window.is_none() || window.focused {
                item.window = Some(window);
            }
        } else if items.len() < MOST {
            items.push(Item {
                module: window.module,
                program: programs::find(window.module),
                window: Some(window),
            });
        }
    }
    items
}

/// Width of the dock, points.
pub fn width(windows: &[Window<'_>], has: impl Fn(&str) -> bool) -> i32 {
    (items(windows, has).len() as i32 + 1) * (ICON + GAP) + GAP
}

/// Shows the dock: what the user wants, if anything.
pub fn show<'a>(
    ui: &mut Ui<'_>,
    windows: &[Window<'a>],
    has: impl Fn(&str) -> bool,
) -> Option<Wish<'a>> {
    let mut wish = None;
    // Only keys give it the keyboard.
    ui.show_focus();
    if !ui.any_focus() {
        let first = ui.id("launcher");
        ui.focus(first);
    }
    let arrow = ui.take_key(|key| matches!(key.usage, usage::LEFT | usage::RIGHT));
    ui.fill(ui.size(), GROUND);
    let mut row = ui.size().inset(GAP, GAP);
    let square = row.cut_left(ICON, GAP);
    if pressed(ui, "launcher", square) {
        wish = Some(Wish::Launcher);
    }
    programs::tile(ui, square, Icon::Grid, LAUNCHER);
    for item in items(windows, has) {
        let square = row.cut_left(ICON, GAP);
        if pressed(ui, item.module, square) {
            wish = Some(match item.window {
                None => Wish::Start(item.module),
                Some(window) if window.focused => Wish::Minimize(window.number),
                Some(window) => Wish::Activate(window.number),
            });
        }
        match item.program {
            Some(program) => program.draw(ui, square),
            None => programs::letter(ui, square, item.module, OTHER),
        }
        if let Some(window) = item.window {
            let width = if window.focused { 16 } else { 4 };
            let dot = Rect::new(square.x + (ICON - width) / 2, square.bottom() + 4, width, 4);
            ui.rounded(dot, 2, DOT);
        }
    }
    if let Some(key) = arrow {
        ui.move_focus(if key.usage == usage::LEFT { -1 } else { 1 });
    }
    wish
}

fn pressed(ui: &mut Ui<'_>, name: &str, square: Rect) -> bool {
    let id = ui.id(name);
    let response = ui.pressable(id, square);
    if response.hovered {
        ui.rounded(square.inset(-5, -5), 14, HOVER);
    }
    if response.ring {
        ui.outline(square.inset(-3, -3), 13, 2, DOT);
    }
    response.clicked
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_proto::display::theme::DARK;
    use nonos_ui::App;
    use nonos_ui::host::Stage;
    use nonos_ui::input::Input;

    fn window(number: u64, module: &str, focused: bool) -> Window<'_> {
        Window {
            number,
            module,
            focused,
        }
    }

    #[test]
    fn programs_of_the_image_are_pinned_and_others_come_while_they_run() {
        let windows = [
            window(1, "calculator", false),
            window(2, "file-manager", false),
            window(3, "file-manager", true),
        ];
        let items = items(&windows, |module| module != "editor");
        let modules: Vec<_> = items.iter().map(|item| item.module).collect();
        assert_eq!(
            modules,
            [
                "terminal",
                "file-manager",
                "security",
                "settings",
                "calculator"
            ]
        );
        assert_eq!(items[1].window, Some(windows[2]), "the focused one");
        assert_eq!(items[0].window, None);
        assert_eq!(
            width(&windows, |module| module != "editor"),
            6 * (ICON + GAP) + GAP
        );
    }

    /// Two windows, of which the first has the keyboard.
    const WINDOWS: [Window<'static>; 2] = [
        Window {
            number: 1,
            module: "editor",
            focused: true,
        },
        Window {
            number: 2,
            module: "calculator",
            focused: false,
        },
    ];

    /// The dock as a program, and what was wished.
    #[derive(Default)]
    struct Shown(Vec<Wish<'static>>);

    impl App for Shown {
        fn title(&self) -> &str {
            "Dock"
        }

        fn size(&self) -> (i32, i32) {
            (width(&WINDOWS, |_| true), HEIGHT)
        }

        fn view(&mut self, ui: &mut Ui<'_>) {
            self.0.extend(show(ui, &WINDOWS, |_| true));
        }
    }

    #[test]
    fn keys_do_what_clicks_do() {
        let stage = || Stage::new(Shown::default(), DARK, 1);
        assert_eq!(nonos_ui::access::check(stage), 7);
        let mut stage = stage();
        let expected = [
            Wish::Launcher,
            Wish::Start("terminal"),
            Wish::Start("file-manager"),
            Wish::Minimize(1),
            Wish::Start("security"),
            Wish::Start("settings"),
            Wish::Activate(2),
        ];
        for _ in expected {
            stage.press(usage::SPACE, 0);
            stage.press(usage::RIGHT, 0);
        }
        assert_eq!(stage.app.0, expected);
        // Round, and back by the other arrow.
        stage.press(usage::LEFT, 0);
        stage.press(usage::ENTER, 0);
        assert_eq!(stage.app.0.pop(), Some(Wish::Activate(2)));
        // It shows as long as the dock has the keyboard, whatever the pointer did there.
        let with = stage.window.pixels().to_vec();
        stage.input(Input::Focus(false));
        assert!(stage.window.pixels() != with);
        stage.click(GAP + 6 * (ICON + GAP) + 10, 20);
        stage.input(Input::Leave);
        stage.input(Input::Focus(true));
        assert!(stage.window.pixels() == with);
    }
}
