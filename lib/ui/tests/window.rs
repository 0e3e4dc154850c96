//! Windows: what is painted anew, and what keyboard and pointer do.

use nonos_proto::display::modifiers::{CONTROL, SHIFT};
use nonos_proto::display::theme::{DARK, LIGHT};
use nonos_ui::host::HostAtlas;
use nonos_ui::input::{Input, Key, usage};
use nonos_ui::theme::font;
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List, Menu, Scroll};
use nonos_ui::window::Window;
use nonos_ui::{Edit, Icon, Rect, Theme, Ui};
use proptest::prelude::*;

/// One of each widget, and what was done with them.
#[derive(Default)]
struct Everything {
    pressed: Vec<&'static str>,
    on: bool,
    segment: usize,
    tab: usize,
    chosen: usize,
    menu: Menu,
    name: Edit,
    search: Edit,
    list: List,
    scroll: Scroll,
    deep: usize,
    asked: bool,
    answer: Option<usize>,
}

const WIDTH: i32 = 480;
const HEIGHT: i32 = 400;

impl Everything {
    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut rest = ui.size().inset(16, 16);
        let mut row = rest.cut_top(32, 8);
        for (label, kind) in [("Ask", Kind::Primary), ("Plain", Kind::Plain)] {
            if ui.button(row.cut_left(90, 8), label, kind) {
                self.pressed.push(label);
                self.asked |= label == "Ask";
            }
        }
        if ui.icon_button(row.cut_left(32, 8), Icon::Trash, "Erase", Kind::Quiet) {
            self.pressed.push("Erase");
        }
        ui.toggle(rest.cut_top(32, 8), "Switch", &mut self.on);
        ui.segmented(
            rest.cut_top(32, 8),
            "segments",
            &["a", "b", "c"],
            &mut self.segment,
        );
        ui.tabs(
            rest.cut_top(32, 8),
            "tabs",
            &["First", "Second"],
            &mut self.tab,
        );
        ui.choose(
            rest.cut_top(32, 8),
            "choice",
            &mut self.menu,
            &["One", "Two", "Three"],
            &mut self.chosen,
        );
        let mut row = rest.cut_top(32, 8);
        ui.field(row.cut_left(200, 8), "name", &mut self.name, "Name");
        ui.search(row, "search", &mut self.search, "Search");
        let left = rest.cut_left(200, 8);
        ui.list(
            left,
            "list",
            &mut self.list,
            (50, 24),
            |ui, row, index, _| {
                ui.label(row, &format!("Row {index}"));
            },
        );
        let deep = &mut self.deep;
        ui.scroll(rest, "scroll", &mut self.scroll, 600, |ui, mut place| {
            for number in 0..10 {
                let button = place.cut_top(32, 28);
                if ui.scope("deep", number, |ui| ui.button(button, "Deep", Kind::Plain)) {
                    *deep = number + 1;
                }
            }
        });
        if self.asked {
            let answer = ui.dialog(
                "Really?",
                "It is a question of some length, so that it takes two lines.",
                &[("No", Kind::Plain), ("Yes", Kind::Primary)],
            );
            if answer.is_some() {
                self.answer = answer;
                self.asked = false;
            }
        }
    }
}

struct Bench {
    atlas: HostAtlas,
    window: Window,
    state: Everything,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            atlas: HostAtlas::new(),
            window: Window::new(WIDTH, HEIGHT, 1, Theme::of(LIGHT)),
            state: Everything::default(),
        };
        bench.input(Input::Focus(true));
        bench.window.paint(&bench.atlas);
        bench
    }

    fn input(&mut self, input: Input) {
        let state = &mut self.state;
        self.window
            .input(&self.atlas, input, &mut |ui| state.view(ui));
    }

    fn press(&mut self, usage: u8, modifiers: u64) {
        self.input(Input::Key(Key {
            usage,
            modifiers,
            character: None,
        }));
    }

    fn write(&mut self, text: &str) {
        for character in text.chars() {
            self.input(Input::Key(Key {
                character: Some(character),
                ..Key::default()
            }));
        }
    }

    fn click(&mut self, x: i32, y: i32) {
        self.input(Input::Pointer(x, y, 0, 0));
        self.input(Input::Pointer(x, y, 1, 0));
        self.input(Input::Pointer(x, y, 0, 0));
    }

    /// What the same state looks like in a window that is painted all at once.
    fn whole(&mut self) -> Vec<u32> {
        let mut other = self.window_like();
        std::mem::swap(&mut other, &mut self.window);
        self.window.paint(&self.atlas);
        std::mem::swap(&mut other, &mut self.window);
        other.pixels().to_vec()
    }

    /// A window with the same list of shapes that never was painted.
    fn window_like(&self) -> Window {
        self.window.unpainted()
    }
}

#[test]
fn tab_reaches_every_widget_and_comes_round() {
    let mut bench = Bench::new();
    let mut pictures = Vec::new();
    // Three buttons, switch, segments, tabs, choice, two fields, list, ten buttons that are scrolled to.
    for _ in 0..20 {
        bench.press(usage::TAB, 0);
        bench.window.paint(&bench.atlas);
        pictures.push(bench.window.pixels().to_vec());
    }
    // The last button and a margin, at the bottom of the place.
    assert_eq!(
        bench.state.scroll.offset,
        9 * 60 + 32 + 12 - (HEIGHT - 16 - 16 - 6 * 40)
    );
    for (index, picture) in pictures.iter().enumerate() {
        assert!(
            !pictures[..index].contains(picture),
            "stop {index} looks like another"
        );
    }
    bench.press(usage::ENTER, 0);
    assert_eq!(bench.state.deep, 10);
    bench.press(usage::TAB, 0);
    bench.press(usage::TAB, 0);
    bench.press(usage::SPACE, 0);
    assert_eq!(bench.state.pressed, ["Plain"]);
    bench.press(usage::TAB, SHIFT);
    bench.press(usage::TAB, SHIFT);
    bench.press(usage::SPACE, 0);
    assert_eq!(bench.state.deep, 10);
}

#[test]
fn widgets_do_what_keys_say() {
    let mut bench = Bench::new();
    let tab = |bench: &mut Bench| bench.press(usage::TAB, 0);
    (0..4).for_each(|_| tab(&mut bench));
    bench.press(usage::SPACE, 0);
    assert!(bench.state.on);
    tab(&mut bench);
    bench.press(usage::RIGHT, 0);
    bench.press(usage::RIGHT, 0);
    bench.press(usage::LEFT, 0);
    assert_eq!(bench.state.segment, 1);
    tab(&mut bench);
    bench.press(usage::RIGHT, 0);
    assert_eq!(bench.state.tab, 1);
    tab(&mut bench);
    bench.press(usage::ENTER, 0);
    bench.press(usage::DOWN, 0);
    bench.press(usage::ENTER, 0);
    assert_eq!(bench.state.chosen, 1);
    bench.press(usage::ENTER, 0);
    bench.press(usage::DOWN, 0);
    bench.press(usage::ESCAPE, 0);
    assert_eq!(bench.state.chosen, 1, "Escape leaves it");
    tab(&mut bench);
    bench.write("Größe");
    bench.press(usage::A, CONTROL);
    bench.press(usage::A + 23, CONTROL);
    assert_eq!(
        (
            bench.state.name.text(),
            bench
                .window
                .copied
                .take()
                .map(|copied| copied.text)
                .as_deref()
        ),
        ("", Some("Größe"))
    );
    bench.input(Input::Paste("pasted\n".into()));
    assert_eq!(bench.state.name.text(), "pasted");
    tab(&mut bench);
    bench.write("x");
    bench.press(usage::ESCAPE, 0);
    assert_eq!(bench.state.search.text(), "");
    tab(&mut bench);
    bench.press(usage::END, 0);
    assert_eq!(bench.state.list.selected, Some(49));
    assert!(bench.state.list.scroll.offset > 900);
    bench.press(usage::UP, 0);
    assert_eq!(bench.state.list.selected, Some(48));
}

#[test]
fn what_lies_behind_a_dialog_hears_nothing() {
    let mut bench = Bench::new();
    bench.click(30, 30);
    assert!(bench.state.asked);
    bench.click(130, 30);
    bench.write("y");
    (0..5).for_each(|_| bench.press(usage::TAB, 0));
    assert_eq!(bench.state.pressed, ["Ask"]);
    assert_eq!(bench.state.name.text(), "");
    // Five stops on from the usual answer, of two.
    bench.press(usage::ENTER, 0);
    assert_eq!((bench.state.answer, bench.state.asked), (Some(0), false));
    bench.click(130, 30);
    assert_eq!(bench.state.pressed, ["Ask", "Plain"]);
}

#[test]
fn a_click_counts_where_the_button_went_down_and_up() {
    let mut bench = Bench::new();
    bench.input(Input::Pointer(130, 30, 1, 0));
    bench.input(Input::Pointer(30, 30, 1, 0));
    bench.input(Input::Pointer(30, 30, 0, 0));
    assert!(bench.state.pressed.is_empty());
    bench.input(Input::Pointer(30, 30, 1, 0));
    bench.input(Input::Pointer(130, 30, 1, 0));
    bench.input(Input::Pointer(30, 30, 0, 0));
    assert_eq!(bench.state.pressed, ["Ask"]);
}

#[test]
fn little_is_painted_when_little_changes() {
    let mut bench = Bench::new();
    assert!(bench.window.paint(&bench.atlas).is_empty());
    bench.input(Input::None);
    assert!(bench.window.paint(&bench.atlas).is_empty());
    (0..8).for_each(|_| bench.press(usage::TAB, 0));
    bench.window.paint(&bench.atlas);
    bench.write("a");
    let changed = bench.window.paint(&bench.atlas);
    let area: i32 = changed.iter().map(|rect| rect.width * rect.height).sum();
    assert!(area > 0 && area <= 128 * 64, "{changed:?}");
}

#[test]
fn another_theme_is_painted_all_over() {
    let mut bench = Bench::new();
    let light = bench.window.pixels().to_vec();
    bench.window.reset(WIDTH, HEIGHT, 1, Theme::of(DARK));
    bench.input(Input::None);
    let changed = bench.window.paint(&bench.atlas);
    let area: i32 = changed.iter().map(|rect| rect.width * rect.height).sum();
    assert_eq!(area, WIDTH * HEIGHT);
    assert_ne!(light[0], bench.window.pixels()[0]);
}

#[test]
fn long_text_is_cut_and_paragraphs_wrap() {
    let atlas = HostAtlas::new();
    let mut window = Window::new(200, 100, 1, Theme::of(LIGHT));
    window.input(&atlas, Input::None, &mut |ui| {
        let height = |ui: &mut Ui<'_>, text| {
            ui.paragraph(
                Rect::new(0, 0, 120, 0),
                font::BODY,
                text,
                ui.theme.text,
                true,
            )
        };
        assert_eq!(height(ui, "short"), 19);
        assert_eq!(height(ui, "It is a question of some length."), 2 * 19);
        assert_eq!(height(ui, "Donaudampfschifffahrtsgesellschaftskapitän"), 19);
        ui.text(
            Rect::new(0, 0, 50, 20),
            font::BODY,
            Align::Right,
            "Donaudampfschifffahrt",
            ui.theme.text,
        );
    });
}

/// Anything that a user may do.
fn inputs() -> impl Strategy<Value = Input> {
    let keys = prop_oneof![
        Just(usage::TAB),
        Just(usage::ENTER),
        Just(usage::SPACE),
        Just(usage::ESCAPE),
        0x4A_u8..0x53,
        4_u8..30
    ];
    let key = (keys, 0_u64..4, proptest::option::of(any::<char>())).prop_map(
        |(usage, modifiers, character)| {
            Input::Key(Key {
                usage,
                modifiers,
                character,
            })
        },
    );
    prop_oneof![
        4 => key,
        6 => (0..WIDTH, 0..HEIGHT, 0_u64..2, -3..4).prop_map(|(x, y, down, wheel)| Input::Pointer(x, y, down, wheel)),
        1 => Just(Input::Leave),
        1 => any::<bool>().prop_map(Input::Focus),
        1 => "\\PC{0,20}".prop_map(Input::Paste),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn painting_what_differs_is_painting_all(inputs in proptest::collection::vec(inputs(), 1..30)) {
        let mut bench = Bench::new();
        for input in inputs {
            bench.input(input);
            bench.window.paint(&bench.atlas);
            prop_assert!(bench.whole() == bench.window.pixels());
        }
    }
}

/// Presses the right button.
fn right_click(bench: &mut Bench, x: i32, y: i32) {
    for buttons in [0, nonos_proto::input::buttons::RIGHT, 0] {
        bench.input(Input::Pointer(x, y, buttons, 0));
    }
}

fn copied(bench: &mut Bench) -> Option<String> {
    bench.window.copied.take().map(|copied| copied.text)
}

#[test]
fn the_menu_of_a_text_does_what_keys_do() {
    let mut bench = Bench::new();
    let (x, y) = (100, 232);
    bench.click(x, y);
    bench.write("some text");
    right_click(&mut bench, x, y);
    bench.write("not typed: the menu is open");
    // Nothing is selected, and nobody can be asked for the clipboard: that leaves one.
    bench.press(usage::ENTER, 0);
    bench.window.paint(&bench.atlas);
    bench.press(usage::C, CONTROL);
    assert_eq!(copied(&mut bench).as_deref(), Some("some text"));
    bench.window.offer_to_paste();
    right_click(&mut bench, x, y);
    // Cut, Copy, Paste, Select all.
    bench.press(usage::DOWN, 0);
    bench.press(usage::ENTER, 0);
    assert_eq!(copied(&mut bench).as_deref(), Some("some text"));
    right_click(&mut bench, x, y);
    bench.click(x + 30, y + 20);
    assert_eq!(copied(&mut bench).as_deref(), Some("some text"));
    assert_eq!(bench.state.name.text(), "");
    // The key for menus, and the other keys for it.
    for (usage, modifiers) in [(usage::MENU, 0), (usage::F10, SHIFT)] {
        bench.press(usage, modifiers);
        assert!(!bench.window.asks_to_paste);
        bench.press(usage::ENTER, 0);
        assert!(std::mem::take(&mut bench.window.asks_to_paste));
        bench.input(Input::Paste("ab".into()));
    }
    assert_eq!(bench.state.name.text(), "abab");
    // A press beside it closes it, and does nothing else.
    right_click(&mut bench, x, y);
    right_click(&mut bench, 30, 30);
    bench.write("c");
    assert_eq!(bench.state.name.text(), "ababc");
}
