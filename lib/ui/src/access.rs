//! Whether everybody can use a window: with keys alone, seeing what has the keyboard, and reading what stands there. For tests, on the host.

extern crate std;

use std::collections::HashMap;
use std::string::String;
use std::vec;
use std::vec::Vec;

use nonos_proto::display::{modifiers, theme};
use nonos_proto::fonts::face;

use crate::canvas::Canvas;
use crate::color::Color;
use crate::frame::{Command, Shape};
use crate::geometry::Rect;
use crate::host::{HostAtlas, Stage};
use crate::input::usage;
use crate::program::App;
use crate::text::Writer;
use crate::ui::Id;
use crate::window::Window;

/// Least contrast of text, and of icons and other signs, with what they stand on (WCAG 2.2, 1.4.3 and 1.4.11, AA).
const TEXT: f32 = 4.5;
const SIGN: f32 = 3.0;

/// Expects of a program, in every theme, that Tab leads to each of its controls and back, Shift+Tab the other way, that each looks different while it
/// has the keyboard, and that whatever stands in the window then can be read. Returns how many controls there are.
///
/// # Panics
/// When that is not so.
pub fn check<A: App>(make: impl Fn() -> Stage<A>) -> usize {
    let themes = [theme::LIGHT, theme::DARK, theme::HIGH_CONTRAST];
    let counts = themes.map(|theme| {
        let mut stage = make();
        stage.set_theme(theme);
        check_contrast(&stage.window);
        go_round(&mut stage)
    });
    assert!(
        counts.iter().all(|count| *count == counts[0]),
        "themes have controls of their own: {counts:?}"
    );
    counts[0]
}

fn go_round<A: App>(stage: &mut Stage<A>) -> usize {
    let mut seen: Vec<Id> = Vec::new();
    let first = step(stage, 0);
    let mut at = first;
    loop {
        let id = at.expect("Tab leads to no control");
        assert!(!seen.contains(&id), "Tab leads back before it led to all");
        seen.push(id);
        check_contrast(&stage.window);
        check_look(stage, id, seen.len());
        at = step(stage, 0);
        if at == first {
            break;
        }
    }
    let count = stage.window.controls().len();
    assert_eq!(seen.len(), count, "Tab leads to some of the controls only");
    if count > 1 {
        assert_eq!(step(stage, modifiers::SHIFT).as_ref(), seen.last());
    }
    count
}

/// Expects that a control, with what is right around it, looks different when another one that is apart has the keyboard, or none.
fn check_look<A: App>(stage: &mut Stage<A>, id: Id, number: usize) {
    const RING: i32 = 4;
    let controls = stage.window.controls();
    let own = controls.iter().find(|(other, _)| *other == id);
    let own = own.map(|&(_, place)| place).unwrap_or_default();
    let apart = |part: Rect| {
        let mut others = controls.iter();
        let other = others.find(|(_, place)| place.inset(-RING, -RING).intersect(part).is_empty());
        other.map(|&(other, _)| (part, Some(other)))
    };
    let around = own.inset(-RING, -RING);
    let (seen, other) = apart(around)
        .or_else(|| apart(own))
        .unwrap_or((around, None));
    let with = part(&stage.window, seen);
    stage.window.move_focus_to(other);
    stage.show();
    if controls.len() == 1 && stage.window.focus() == Some(id) {
        // The window gives it back: it is never without.
        return;
    }
    let differs = part(&stage.window, seen) != with;
    assert!(
        differs,
        "control {number} at {own:?} looks as without the keyboard"
    );
    stage.window.move_focus_to(Some(id));
    stage.show();
}

/// Pixels of a part of a window.
fn part(window: &Window, part: Rect) -> Vec<u32> {
    let (width, height) = window.size();
    let part = part.intersect(Rect::new(0, 0, width, height));
    let lines = (part.y..part.bottom()).map(|y| (y * width + part.x) as usize);
    let pixels = window.pixels();
    lines
        .flat_map(|start| &pixels[start..start + part.width as usize])
        .copied()
        .collect()
}

/// Tab, or Ctrl+Tab where Tab types one; what has the keyboard then.
fn step<A: App>(stage: &mut Stage<A>, modifiers: u64) -> Option<Id> {
    let before = stage.window.focus();
    stage.press(usage::TAB, modifiers);
    if stage.window.focus() == before && stage.window.controls().len() > 1 {
        stage.press(usage::TAB, modifiers | modifiers::CONTROL);
    }
    stage.window.focus()
}

/// Expects that each text and icon can be told from what it stands on, unless something lies over it.
///
/// # Panics
/// When one cannot.
pub fn check_contrast(window: &Window) {
    let atlas = HostAtlas::new();
    let (width, height) = window.size();
    let whole = Rect::new(0, 0, width, height);
    let mut pixels = vec![0; (width * height) as usize];
    let frame = window.frame();
    for command in &frame.commands {
        if let Shape::Text(font, _, text, ink) = command.shape
            && let Some(ground) = ground(&pixels, width, command, whole)
            && Some(ground) == self::ground(window.pixels(), width, command, whole)
        {
            let least = if font.face == face::ICONS { SIGN } else { TEXT };
            let contrast = ink.over(ground).contrast(ground);
            let text: String = frame.text_of(text).into();
            assert!(
                contrast >= least,
                "{text:?}: {ink:x?} on {ground:x?}: {contrast:.2}"
            );
        }
        let mut canvas = Canvas::new(&mut pixels, width as usize, height as usize, width as usize);
        frame.paint_one(&mut canvas, Writer(&atlas), command, whole);
    }
}

/// The colour that most of the pixels of a command's place have, of what is seen of it.
fn ground(pixels: &[u32], width: i32, command: &Command, whole: Rect) -> Option<Color> {
    let seen = command.rect.intersect(command.clip).intersect(whole);
    let mut counts: HashMap<u32, u32> = HashMap::new();
    for y in seen.y..seen.bottom() {
        let line = (y * width + seen.x) as usize;
        for pixel in pixels.get(line..line + seen.width as usize)? {
            *counts.entry(*pixel).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|&(_, count)| count);
    most.map(|(pixel, _)| Color::rgb(pixel))
}
