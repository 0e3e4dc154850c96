//! The program on the host, with files that are made up.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use nonos_proto::display::modifiers::CONTROL;
use nonos_proto::display::theme::DARK;
use nonos_proto::{CallError, Refusal};
use nonos_ui::App;
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, usage};

use crate::{Given, User, Viewer};

/// What the user answers, and how often the user was asked.
#[derive(Default, Debug)]
struct Fake {
    answer: Option<Result<Given, CallError>>,
    asked: u32,
}

type Shared = Rc<RefCell<Fake>>;

impl User for Shared {
    fn ask(&mut self) -> Result<(), CallError> {
        self.borrow_mut().asked += 1;
        Ok(())
    }

    fn answer(&mut self) -> Result<Option<Given>, CallError> {
        self.borrow_mut().answer.take().transpose()
    }

    fn opened_with(&mut self) -> Result<Option<Given>, CallError> {
        self.answer()
    }
}

/// A QOI file (QOI 1.0) of one colour.
fn file(width: u32, height: u32, color: [u8; 3]) -> Given {
    let mut bytes = Vec::from(*b"qoif");
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([3, 0, 0xFE]);
    bytes.extend(color);
    // Runs of at most 62 pixels.
    let mut left = width * height - 1;
    while left > 0 {
        let run = left.min(62);
        bytes.push(0xC0 | (run - 1) as u8);
        left -= run;
    }
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    Given {
        name: "test.qoi".into(),
        bytes,
    }
}

fn stage(given: Given) -> (Stage<Viewer<Shared>>, Shared) {
    let shared = Rc::new(RefCell::new(Fake {
        answer: Some(Ok(given)),
        ..Fake::default()
    }));
    (Stage::new(Viewer::new(shared.clone()), DARK, 1), shared)
}

/// How many pixels of the window have a colour.
fn count(stage: &Stage<Viewer<Shared>>, color: u32) -> usize {
    let pixels = stage.window.pixels().iter();
    pixels.filter(|&&pixel| pixel == color).count()
}

const RED: u32 = 0xE0_2010;

#[test]
fn a_picture_is_shown_pixel_by_pixel_larger_and_smaller() {
    let (mut stage, _) = stage(file(100, 50, [0xE0, 0x20, 0x10]));
    assert_eq!(stage.app.title(), "test.qoi");
    assert_eq!(count(&stage, RED), 100 * 50);
    stage.write("+");
    assert_eq!(count(&stage, RED), 125 * 62);
    stage.write("0");
    assert_eq!(count(&stage, RED), 100 * 50);
    for _ in 0..20 {
        stage.input(Input::Pointer(400, 300, 0, -1));
    }
    assert_eq!(
        count(&stage, RED),
        800 * 552,
        "all of the window below the bar"
    );
    stage.write("f");
    assert_eq!(count(&stage, RED), 100 * 50);
    stage.shoot("viewer");
}

#[test]
fn a_large_picture_fits_and_is_moved_by_keys_and_pointer() {
    let mut given = file(1600, 552, [0xE0, 0x20, 0x10]);
    given.name = "wide.qoi".into();
    let (mut stage, _) = stage(given);
    assert_eq!(count(&stage, RED), 800 * 276);
    stage.write("0");
    let begin = stage.app.place;
    stage.press(usage::RIGHT, 0);
    let moved = stage.app.place;
    assert!(moved != begin);
    stage.press(usage::LEFT, 0);
    assert_eq!(stage.app.place, begin);
    for (x, down) in [(400, 0), (400, 1), (336, 1), (336, 0)] {
        stage.input(Input::Pointer(x, 300, down, 0));
    }
    assert_eq!(stage.app.place, moved);
    stage.input(Input::Pointer(200, 300, 0, 0));
    assert_eq!(stage.app.place, moved, "the button is up");
}

#[test]
fn another_file_is_opened_and_what_is_no_picture_leaves_the_one_that_is_there() {
    let (mut stage, shared) = stage(file(10, 10, [1, 2, 3]));
    stage.press(usage::A + 14, CONTROL); // O
    assert_eq!(shared.borrow().asked, 1);
    let mut answer = |answer| {
        shared.borrow_mut().answer = Some(answer);
        stage.app.signal(1 << 8);
        stage.input(Input::None);
        (count(&stage, RED), stage.app.problem.clone())
    };
    let declined = Err(CallError::Refused(Refusal::Declined));
    assert_eq!(answer(declined), (0, "".into()));
    assert_eq!(
        answer(Ok(file(20, 20, [0xE0, 0x20, 0x10]))),
        (400, "".into())
    );
    let text = Given {
        name: "text".into(),
        bytes: b"no picture".to_vec(),
    };
    let refused = answer(Ok(text));
    assert_eq!(refused.0, 400);
    assert!(refused.1.contains("no PNG, JPEG or QOI file"));
    let failed = answer(Err(CallError::Refused(Refusal::Locked)));
    assert!(failed.0 == 400 && failed.1.contains("cannot be read"));
}
