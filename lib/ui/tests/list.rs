//! Lists, of which any number of rows can be selected.

use nonos_proto::display::modifiers::{CONTROL, SHIFT};
use nonos_proto::display::theme::LIGHT;
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, usage};
use nonos_ui::widgets::List;
use nonos_ui::{App, Ui};

/// Height of a row.
const ROW: i32 = 20;

/// Ten rows, and how often one was entered.
#[derive(Default)]
struct Rows<const MANY: bool> {
    list: List<MANY>,
    entered: usize,
}

impl<const MANY: bool> App for Rows<MANY> {
    fn title(&self) -> &str {
        "Rows"
    }

    fn size(&self) -> (i32, i32) {
        (200, 10 * ROW)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let picked = ui.list(
            ui.size(),
            "rows",
            &mut self.list,
            (10, ROW),
            |_, _, _, _| {},
        );
        self.entered += usize::from(picked.entered);
    }
}

fn rows<const MANY: bool>() -> Stage<Rows<MANY>> {
    let mut stage = Stage::new(Rows::default(), LIGHT, 1);
    stage.press(usage::TAB, 0);
    stage
}

fn click<const MANY: bool>(stage: &mut Stage<Rows<MANY>>, row: i32, held: u64) {
    for down in [0, 1, 0] {
        let down = held << 8 | down;
        stage.input(Input::Pointer(100, row * ROW + 10, down, 0));
    }
}

fn selected(stage: &Stage<Rows<true>>) -> Vec<usize> {
    stage.app.list.rows().collect()
}

#[test]
fn clicks_select_one_or_add_one_or_all_up_to_it() {
    let mut stage = rows::<true>();
    click(&mut stage, 3, 0);
    click(&mut stage, 7, CONTROL);
    click(&mut stage, 1, CONTROL);
    assert_eq!(selected(&stage), [1, 3, 7]);
    click(&mut stage, 3, CONTROL);
    assert_eq!(selected(&stage), [1, 7], "taken out");
    // What was clicked last begins the range.
    click(&mut stage, 5, SHIFT);
    assert_eq!(selected(&stage), [3, 4, 5]);
    click(&mut stage, 2, SHIFT);
    assert_eq!(selected(&stage), [2, 3]);
    click(&mut stage, 9, 0);
    assert_eq!(selected(&stage), [9]);
    for (held, row, chosen, entered) in [(CONTROL, 4, 9, 0), (0, 6, 6, 1)] {
        click(&mut stage, row, held);
        click(&mut stage, row, held);
        assert_eq!(
            (selected(&stage), stage.app.entered),
            (vec![chosen], entered)
        );
    }
}

#[test]
fn keys_select_what_clicks_do() {
    let mut stage = rows::<true>();
    stage.press(usage::DOWN, 0);
    stage.press(usage::DOWN, CONTROL);
    stage.press(usage::DOWN, CONTROL);
    assert_eq!(selected(&stage), [0], "gone elsewhere");
    stage.press(usage::SPACE, CONTROL);
    assert_eq!(selected(&stage), [0, 2]);
    stage.press(usage::SPACE, 0);
    stage.press(usage::END, CONTROL);
    stage.press(usage::SPACE, CONTROL);
    assert_eq!(selected(&stage), [0, 2, 9]);
    stage.press(usage::SPACE, CONTROL);
    assert_eq!(selected(&stage), [0, 2]);
    stage.press(usage::UP, SHIFT);
    stage.press(usage::UP, SHIFT);
    assert_eq!(selected(&stage), [7, 8, 9]);
    stage.press(usage::HOME, 0);
    assert_eq!(selected(&stage), [0]);
    stage.press(usage::A, CONTROL);
    assert_eq!(selected(&stage).len(), 10);
    stage.app.list.select(None);
    stage.press(usage::UP, CONTROL);
    assert_eq!(selected(&stage), []);
    stage.press(usage::UP, SHIFT);
    assert_eq!(selected(&stage), [8, 9], "from where the keys had gone");
}

#[test]
fn where_keys_go_is_seen_without_being_selected() {
    let mut stage = rows::<true>();
    click(&mut stage, 0, 0);
    stage.input(Input::Leave);
    let mut pictures = vec![stage.window.pixels().to_vec()];
    for key in [usage::DOWN, usage::DOWN, usage::SPACE, usage::SPACE] {
        stage.press(key, CONTROL);
        pictures.push(stage.window.pixels().to_vec());
    }
    assert!((1..4).all(|at| !pictures[..at].contains(&pictures[at])));
    assert!(pictures[4] == pictures[2]);
}

#[test]
fn where_one_can_be_selected_one_is() {
    let mut stage = rows::<false>();
    click(&mut stage, 3, 0);
    for (key, held, at) in [
        (usage::A, CONTROL, 3),
        (usage::DOWN, SHIFT, 4),
        (usage::DOWN, CONTROL, 5),
        (usage::SPACE, CONTROL, 5),
    ] {
        stage.press(key, held);
        assert_eq!(stage.app.list.selected, Some(at));
    }
    click(&mut stage, 2, CONTROL);
    click(&mut stage, 8, SHIFT);
    assert_eq!(stage.app.list.selected, Some(8));
}
