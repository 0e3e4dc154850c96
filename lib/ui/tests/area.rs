//! Text areas: the text against a plain string, and what keys and pointer do.

use nonos_proto::display::modifiers::{CONTROL, SHIFT};
use nonos_proto::display::theme::{DARK, HIGH_CONTRAST, LIGHT};
use nonos_ui::area::{Area, Outcome, Refused};
use nonos_ui::buffer::{Buffer, LONGEST};
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, Key, usage};
use nonos_ui::search::Needle;
use nonos_ui::{App, Ui};
use proptest::prelude::*;

fn buffer(text: &str) -> Buffer {
    let mut buffer = Buffer::default();
    buffer.load(text).unwrap();
    buffer
}

fn all(buffer: &Buffer) -> String {
    buffer.text(0..buffer.len())
}

/// A window with nothing else.
struct Page {
    area: Area,
    refused: Option<Refused>,
}

impl App for Page {
    fn title(&self) -> &str {
        "Text"
    }

    fn size(&self) -> (i32, i32) {
        (640, 400)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let size = ui.size();
        if !ui.any_focus() {
            let id = ui.id("text");
            ui.focus(id);
        }
        self.refused = ui
            .text_area(size, "text", &mut self.area)
            .refused
            .or(self.refused);
    }
}

fn page(text: &str) -> Stage<Page> {
    let area = Area::new(buffer(text));
    Stage::new(
        Page {
            area,
            refused: None,
        },
        DARK,
        1,
    )
}

fn text_of(stage: &Stage<Page>) -> String {
    all(stage.app.area.buffer())
}

#[derive(Clone, Debug)]
enum Edit {
    Replace(usize, usize, String),
    ReplaceAll(String, String),
    Undo,
    Redo,
}

fn edits() -> impl Strategy<Value = Edit> {
    let text = "[aäß\n\r €]{0,12}";
    prop_oneof![
        6 => (any::<usize>(), 0..40_usize, text)
            .prop_map(|(at, length, text)| Edit::Replace(at, length, text)),
        1 => ("[aä\n]{1,2}", text).prop_map(|(needle, with)| Edit::ReplaceAll(needle, with)),
        3 => Just(Edit::Undo),
        2 => Just(Edit::Redo),
    ]
}

proptest! {
    /// Whatever is edited, undone and done again, the text is that of a plain string, and so are its lines.
    #[test]
    fn a_buffer_is_a_string_with_a_memory(begin in "[aä\n\r ]{0,9000}", edits in prop::collection::vec(edits(), 1..40)) {
        let mut buffer = buffer(&begin);
        let mut text = begin;
        // The text before each change, and after those that were undone.
        let (mut before, mut after): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for edit in edits {
            match edit {
                Edit::Replace(at, length, new) => {
                    let start = text.floor_char_boundary(at % (text.len() + 1));
                    let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
                    buffer.replace(at % (text.len() + 1)..end, &new, false, (0, 0)).unwrap();
                    if start < end || !new.is_empty() {
                        before.push(text.clone());
                        after.clear();
                    }
                    text.replace_range(start..end, &new);
                }
                Edit::ReplaceAll(needle, with) => {
                    let count = buffer.replace_all(&Needle::new(&needle, true), &with, (0, 0)).unwrap();
                    prop_assert_eq!(count, text.matches(&needle).count());
                    if count > 0 {
                        before.push(text.clone());
                        after.clear();
                    }
                    text = text.replace(&needle, &with);
                }
                Edit::Undo => {
                    prop_assert_eq!(buffer.undo().is_some(), !before.is_empty());
                    if let Some(last) = before.pop() {
                        after.push(core::mem::replace(&mut text, last));
                    }
                }
                Edit::Redo => {
                    prop_assert_eq!(buffer.redo().is_some(), !after.is_empty());
                    if let Some(next) = after.pop() {
                        before.push(core::mem::replace(&mut text, next));
                    }
                }
            }
            prop_assert_eq!(&all(&buffer), &text);
            prop_assert_eq!(buffer.lines(), text.matches('\n').count() + 1);
            for at in [0, text.len() / 3, text.len() / 2, text.len()] {
                let at = text.floor_char_boundary(at);
                let (head, tail) = text.split_at(at);
                let line = head.matches('\n').count();
                let start = head.rfind('\n').map_or(0, |end| end + 1);
                prop_assert_eq!(buffer.line_of(at), line);
                prop_assert_eq!(buffer.line_start(line), start);
                prop_assert_eq!(buffer.line_start_before(at), start);
                prop_assert!(buffer.chars(at).take(5).eq(tail.chars().take(5)));
                prop_assert!(buffer.chars_before(at).take(5).eq(head.chars().rev().take(5)));
            }
        }
    }

    /// Rows follow one another without a gap, in lines of any length.
    #[test]
    fn rows_have_all_of_the_text_once(words in prop::collection::vec("[a-zä\t]{1,30}( |\n|\r\n|-)", 0..300), long in 0..3_usize) {
        let mut text = words.concat();
        text.push_str(&"0123456789äb".repeat(long * 1500));
        let mut stage = page(&text);
        let area = &mut stage.app.area;
        let (mut at, mut rows) = (Some(0), Vec::new());
        while let Some(start) = at {
            let row = area.row(start);
            prop_assert_eq!(row.start, start);
            let between = row.next.map(|next| &text[row.end..next]);
            prop_assert!(matches!(between, None | Some("" | "\n" | "\r\n")), "{:?}", between);
            prop_assert!(row.next.is_some() || row.end == text.len());
            rows.push(row);
            at = row.next;
        }
        // The same from any place in a row.
        for &row in rows.iter().step_by(7) {
            let middle = text.floor_char_boundary(row.start + (row.end - row.start) / 2);
            prop_assert_eq!(area.row(middle), row);
        }
    }
}

#[test]
fn words_are_undone_one_by_one_and_a_saved_text_is_not_changed() {
    let mut stage = page("");
    stage.write("one two");
    stage.press(usage::ENTER, 0);
    stage.write("ä");
    assert_eq!(text_of(&stage), "one two\nä");
    stage.app.area.set_saved();
    stage.write("b");
    assert!(stage.app.area.buffer().is_changed());
    let z = usage::A + 25;
    stage.press(z, CONTROL);
    assert_eq!(
        text_of(&stage),
        "one two\nä",
        "a saved text is a place to go back to"
    );
    assert!(!stage.app.area.buffer().is_changed());
    for left in ["one two\n", "one two", "one ", ""] {
        stage.press(z, CONTROL);
        assert_eq!(text_of(&stage), left);
    }
    assert!(stage.app.area.buffer().is_changed());
    for _ in 0..9 {
        stage.press(z, CONTROL | SHIFT);
    }
    assert_eq!(text_of(&stage), "one two\näb");
    // Removed letters come back at once.
    for _ in 0..3 {
        stage.press(usage::BACKSPACE, 0);
    }
    assert_eq!(text_of(&stage), "one two");
    stage.press(z, CONTROL);
    assert_eq!(text_of(&stage), "one two\näb");
}

#[test]
fn keys_move_through_lines_words_pages_and_keep_their_column() {
    let mut stage = page("first line\r\nä\r\nthird line\r\n\tx");
    let at = |stage: &Stage<Page>| stage.app.area.caret();
    stage.press(usage::RIGHT, CONTROL);
    assert_eq!(at(&stage), 5);
    for (to, left) in [
        (14, usage::DOWN),
        (21, usage::DOWN),
        (30, usage::DOWN),
        (30, usage::DOWN),
    ] {
        stage.press(left, 0);
        assert_eq!(at(&stage), to);
    }
    stage.press(usage::UP, 0);
    assert_eq!(at(&stage), 21, "the column was kept");
    stage.press(usage::HOME, 0);
    stage.press(usage::LEFT, 0);
    assert_eq!(at(&stage), 14, "CR and LF are one");
    stage.press(usage::BACKSPACE, 0);
    stage.press(usage::BACKSPACE, 0);
    stage.press(usage::END, CONTROL);
    stage.press(usage::ENTER, 0);
    assert_eq!(
        text_of(&stage),
        "first line\r\n\r\nthird line\r\n\tx\r\n\t".replace("\n\r\nthird", "\nthird")
    );
    stage.press(usage::HOME, CONTROL | SHIFT);
    assert_eq!(stage.app.area.selection(), 0..stage.app.area.buffer().len());
    stage.write("ß");
    assert_eq!(text_of(&stage), "ß");
}

#[test]
fn the_pointer_selects_letters_words_and_lines() {
    let mut stage = page("some words\nmore of them\n");
    let press = |stage: &mut Stage<Page>, x, y| {
        stage.input(Input::Pointer(x, y, 1, 0));
    };
    // Behind the line numbers, in the second line.
    let (x, y) = (92, 36);
    stage.click(x, y);
    let caret = stage.app.area.caret();
    assert!((12..23).contains(&caret) && stage.app.area.selection().is_empty());
    press(&mut stage, x, y);
    assert_eq!(stage.app.area.selection(), 16..18, "the word");
    stage.input(Input::Pointer(x, y, 0, 0));
    stage.click(x, y);
    assert_eq!(stage.app.area.selection(), 11..24, "the line");
    stage.window.set_time(10_000_000_000);
    press(&mut stage, 70, 16);
    stage.input(Input::Pointer(600, 390, 1, 0));
    assert_eq!(stage.app.area.selection().end, 24);
    stage.input(Input::Pointer(600, 390, 0, 0));
    stage.press(usage::C, CONTROL);
    assert!(
        stage
            .window
            .copied
            .as_ref()
            .unwrap()
            .text
            .ends_with("more of them\n")
    );
}

#[test]
fn what_is_pasted_has_the_lines_of_the_text_and_no_control_characters() {
    let mut stage = page("a\r\nb");
    stage.input(Input::Paste("one\ntwo\u{1b}\tx\0".into()));
    assert_eq!(text_of(&stage), "one\r\ntwo\txa\r\nb");
    assert!(stage.app.area.is_crlf());
}

#[test]
fn what_the_clipboard_does_not_take_is_not_cut() {
    let mut stage = page(&"a".repeat(70_000));
    stage.press(usage::A, CONTROL);
    stage.press(usage::A + 23, CONTROL);
    assert_eq!(stage.app.refused, Some(Refused::TooLong));
    assert_eq!(stage.app.area.buffer().len(), 70_000);
}

#[test]
fn a_text_never_gets_longer_than_it_may_and_keeps_all_it_has() {
    let mut area = Area::new(buffer(&"b".repeat(LONGEST - 1)));
    assert_eq!(area.insert("é"), Outcome::Refused(Refused::Full));
    assert_eq!(area.insert("c"), Outcome::Changed);
    assert_eq!(
        area.replace_all(&Needle::new("b", true), "xy"),
        Err(Refused::Full)
    );
    assert_eq!(area.buffer().len(), LONGEST);
    assert!(area.undo() && !area.buffer().is_changed());
}

#[test]
fn matches_are_found_in_both_directions_and_replaced() {
    let mut area = Area::new(buffer("Äpfel und äpfel, APFEL"));
    let needle = Needle::new("äpfel", false);
    assert!(area.find(&needle, true));
    assert_eq!(area.selection(), 0..6);
    assert!(area.find(&needle, true));
    assert_eq!(area.selection(), 11..17);
    assert!(
        area.find(&needle, true) && area.selection().start == 0,
        "round"
    );
    assert!(
        area.find(&needle, false) && area.selection().start == 11,
        "round"
    );
    assert_eq!(area.replace_next(&needle, "Obst"), Ok(true));
    assert_eq!(all(area.buffer()), "Äpfel und Obst, APFEL");
    assert_eq!(area.replace_all(&needle, "x"), Ok(1));
    assert!(!area.find(&needle, true));
    assert!(area.undo() && area.undo() && !area.undo());
    assert_eq!(all(area.buffer()), "Äpfel und äpfel, APFEL");
}

#[test]
fn files_of_10_mb_are_edited_at_their_end_with_lines_or_without() {
    for line in [
        "a line of some 60 bytes, as they are in texts and programs\n",
        "one line of all ",
    ] {
        let mut stage = page(&line.repeat((10 << 20) / line.len()));
        stage.press(usage::END, CONTROL);
        let all = stage.app.area.buffer().len();
        stage.write("é");
        stage.press(usage::PAGE_UP, 0);
        stage.press(usage::HOME, 0);
        stage.press(usage::BACKSPACE, 0);
        assert_eq!(stage.app.area.buffer().len(), all + 1);
    }
}

#[test]
fn pictures() {
    let text = "# Notes\n\nA long line goes on in the next row, where a word begins; numbers stand beside the first row of a line alone.\n\
        \n\tindented by a tab\n\u{1}control characters are seen\nZażółć gęślą jaźń, ΑΒΓ, Привет — “quoted” … 10 €\n";
    for (name, theme) in [
        ("light", LIGHT),
        ("dark", DARK),
        ("contrast", HIGH_CONTRAST),
    ] {
        let mut area = Area::new(buffer(&text.repeat(6)));
        area.mark(Needle::new("line", false));
        area.select(20..36);
        let mut stage = Stage::new(
            Page {
                area,
                refused: None,
            },
            theme,
            if name == "dark" { 2 } else { 1 },
        );
        stage.press(usage::DOWN, SHIFT);
        stage.shoot(&format!("area-{name}"));
        stage.input(Input::Key(Key {
            character: Some('x'),
            ..Key::default()
        }));
        stage.input(Input::Focus(false));
        stage.shoot(&format!("area-{name}-unfocused"));
    }
}

#[test]
fn the_menu_of_a_text_keeps_what_is_selected_and_else_begins_where_it_was_opened() {
    let mut stage = page("one two");
    stage.window.offer_to_paste();
    let right_click = |stage: &mut Stage<Page>, x| {
        for buttons in [0, nonos_proto::input::buttons::RIGHT, 0] {
            stage.input(Input::Pointer(x, 14, buttons, 0));
        }
    };
    // Paste, behind the text.
    right_click(&mut stage, 600);
    stage.shoot("text-menu");
    stage.press(usage::ENTER, 0);
    assert!(std::mem::take(&mut stage.window.asks_to_paste));
    stage.input(Input::Paste(" three".into()));
    assert_eq!(text_of(&stage), "one two three");
    // Cut, of what is selected.
    stage.press(usage::LEFT, CONTROL | SHIFT);
    right_click(&mut stage, 600);
    stage.shoot("text-menu-selected");
    stage.press(usage::ENTER, 0);
    assert_eq!(text_of(&stage), "one two ");
    let copied = stage.window.copied.take().map(|copied| copied.text);
    assert_eq!(copied.as_deref(), Some("three"));
}
