//! The calculator, as a user sees it.

use std::format;
use std::string::ToString;

use nonos_proto::display::modifiers::CONTROL;
use nonos_proto::display::theme::{DARK, HIGH_CONTRAST, LIGHT};
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, usage};

use crate::Calculator;
use crate::expression::{Wrong, evaluate};

#[test]
fn values_are_exact_in_decimal() {
    let value = |text: &str| evaluate(text).map(|value| value.to_string());
    for (expression, expected) in [
        ("0.1+0.2", "0.3"),
        ("2+3×4", "14"),
        ("(2+3)×4", "20"),
        ("2(3+4)", "14"),
        ("−3×−3", "9"),
        ("10−4−3", "3"),
        ("1÷3", "0.333333333333333"),
        ("2÷3", "0.666666666666667"),
        ("−2÷3", "−0.666666666666667"),
        ("19%×50", "9.5"),
        ("0.001×0.001", "0.000001"),
        ("5−5", "0"),
        (".5+.5", "1"),
        ("999999999×999999999", "999999998000000001"),
    ] {
        assert_eq!(value(expression).as_deref(), Ok(expected), "{expression}");
    }
    for (expression, wrong) in [
        ("", Wrong::Incomplete),
        ("1+", Wrong::Incomplete),
        ("(1", Wrong::Incomplete),
        ("1)", Wrong::Incomplete),
        ("1.2.3", Wrong::Incomplete),
        ("5÷(3−3)", Wrong::Zero),
    ] {
        assert_eq!(value(expression), Err(wrong), "{expression}");
    }
    let nines = "9".repeat(30);
    assert_eq!(value(&format!("{nines}×{nines}")), Err(Wrong::Large));
    assert_eq!(value(&"(".repeat(10_000)), Err(Wrong::Large));
}

#[test]
fn thousands_are_grouped() {
    let grouped = |text: &str| evaluate(text).unwrap().grouped();
    assert_eq!(grouped("1234567.8901"), "1,234,567.8901");
    assert_eq!(grouped("−123456"), "−123,456");
    assert_eq!(grouped("−12"), "−12");
}

#[test]
fn keys_type_compute_and_go_on() {
    let mut stage = Stage::new(Calculator::default(), LIGHT, 1);
    stage.write("12*(3,5-1)");
    assert_eq!(stage.app.entry(), "12×(3.5−1)");
    stage.press(usage::ENTER, 0);
    assert_eq!(stage.app.entry(), "30");
    stage.press(usage::A + 2, CONTROL);
    assert_eq!(
        stage
            .window
            .copied
            .take()
            .map(|copied| copied.text)
            .as_deref(),
        Some("30")
    );
    stage.write("/4");
    stage.press(usage::KEYPAD_ENTER, 0);
    assert_eq!(stage.app.entry(), "7.5");
    stage.write("1");
    assert_eq!(stage.app.entry(), "1");
    stage.press(usage::BACKSPACE, 0);
    stage.input(Input::Paste(" 8-3 apples ".into()));
    assert_eq!(stage.app.entry(), "8−3");
    stage.press(usage::ESCAPE, 0);
    assert_eq!(stage.app.entry(), "");
}

#[test]
fn every_key_can_be_clicked_and_reached_with_tab() {
    let mut stage = Stage::new(Calculator::default(), LIGHT, 1);
    // Seven, by the pointer; then Tab to the key after it.
    stage.click(45, 200);
    assert_eq!(stage.app.entry(), "7");
    stage.press(usage::TAB, 0);
    stage.press(usage::SPACE, 0);
    assert_eq!(stage.app.entry(), "78");
}

#[test]
fn pictures() {
    for (name, theme) in [
        ("light", LIGHT),
        ("dark", DARK),
        ("contrast", HIGH_CONTRAST),
    ] {
        let mut stage = Stage::new(Calculator::default(), theme, 2);
        stage.write("1299.95*3+19%*42");
        stage.shoot(&format!("calculator-{name}"));
        stage.press(usage::ENTER, 0);
        stage.press(usage::TAB, 0);
        stage.shoot(&format!("calculator-{name}-done"));
        assert_eq!(stage.app.entry(), "3907.83");
    }
}

#[test]
fn keys_reach_every_control_and_all_can_be_read() {
    let count = nonos_ui::access::check(|| Stage::new(Calculator::default(), LIGHT, 1));
    assert!(count > 15, "{count}");
}
