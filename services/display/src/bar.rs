//! The trusted bar: the program that has the keyboard, the state of the machine, and the time.
//!
//! What changes often has a part of its own, which is painted alone: the program with the title of its window, and the clock.

use alloc::string::String;

use nonos_ui::canvas::Canvas;
use nonos_ui::text::Font;
use nonos_ui::theme::font;
use nonos_ui::{Color, Rect};

use crate::client::Identity;
use crate::clock::Clock;
use crate::state::Machine;
use crate::trim::{GAP, Pen, Strip};
use crate::window::points;

/// What the bar says.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Title and program of the window that has the keyboard.
    pub program: Option<(&'a str, Identity)>,
    /// The state of the machine.
    pub machine: Machine,
    /// Name of the keyboard's layout.
    pub layout: &'a str,
    /// The time.
    pub clock: &'a Clock,
}

/// What of the bar is to be painted again.
#[derive(Clone, Copy, Default, Debug)]
pub struct Stale {
    /// All of it.
    pub all: bool,
    /// The program.
    pub program: bool,
    /// The clock.
    pub clock: bool,
}

/// The bar.
#[derive(Default, Debug)]
pub struct Bar {
    /// Its picture.
    pub strip: Strip,
    /// What has changed since that was painted.
    pub stale: Stale,
    /// Where the program's name may be, and where it ends.
    program: Rect,
    program_end: i32,
    clock: Rect,
}

/// With so many points there is room for the day beside the time.
const WITH_DAY: i32 = 1000;

/// With fewer points what is as it should be is an icon without a text.
const WITH_TEXTS: i32 = 720;

/// What letters may stand out of their place, points.
const OVERHANG: i32 = 4;

impl Bar {
    /// Whether it is to be painted.
    pub fn is_stale(&self) -> bool {
        let Stale {
            all,
            program,
            clock,
        } = self.stale;
        all || program || clock
    }

    /// Paints what changed; returns where that is.
    pub fn paint(&mut self, pen: &Pen<'_>, width: i32, facts: &Facts<'_>) -> [Rect; 2] {
        let stale = core::mem::take(&mut self.stale);
        let clock = facts.clock.text(width / pen.scale >= WITH_DAY);
        let clock = clock.as_deref().unwrap_or_default();
        let as_wide = !stale.clock || room(pen, clock) == self.clock.width;
        if stale.all || !as_wide || !self.strip.is(width, points::BAR * pen.scale) {
            return [self.paint_all(pen, width, facts, clock), Rect::default()];
        }
        let mut changed = [Rect::default(); 2];
        let canvas = &mut self.strip.canvas();
        if stale.program && !self.program.is_empty() {
            let before = self.program_end;
            let reach = |end| {
                let Rect { x, y, height, .. } = self.program;
                Rect::new(x, y, end - x, height).inset(-OVERHANG * pen.scale, 0)
            };
            pen.ground(canvas, reach(before));
            self.program_end = pen.program(canvas, self.program, facts.program);
            changed[0] = reach(before.max(self.program_end));
        }
        if stale.clock {
            changed[1] = self.clock.inset(-OVERHANG * pen.scale, 0);
            pen.ground(canvas, changed[1]);
            pen.right(
                canvas,
                &mut self.clock.clone(),
                font::BODY,
                clock,
                pen.theme.text,
            );
        }
        changed
    }

    fn paint_all(&mut self, pen: &Pen<'_>, width: i32, facts: &Facts<'_>, clock: &str) -> Rect {
        let Pen { theme, scale, .. } = *pen;
        let all = Rect::new(0, 0, width, points::BAR * scale);
        let canvas = &mut self.strip.resized(all.width, all.height);
        pen.ground(canvas, all);
        let mut rest = all.inset(GAP * scale, 0);
        self.clock = rest.cut_right(room(pen, clock), GAP * scale);
        pen.right(
            canvas,
            &mut self.clock.clone(),
            font::BODY,
            clock,
            theme.text,
        );
        for sign in facts.machine.signs().into_iter().rev() {
            if !sign.good || width / scale >= WITH_TEXTS {
                pen.right(canvas, &mut rest, font::CAPTION, sign.text, theme.text);
            }
            let icon = rest.cut_right(20 * scale, GAP * scale);
            pen.icon(canvas, 14, icon, sign.icon, sign.color(theme));
        }
        pen.right(
            canvas,
            &mut rest,
            font::CAPTION,
            facts.layout,
            theme.secondary,
        );
        rest.cut_right(0, 2 * GAP * scale);
        rest.cut_left(2 * scale, 0);
        let end = pen.write(canvas, font::STRONG, rest, "NØNOS", theme.accent_text);
        rest.cut_left(end - rest.x, 2 * GAP * scale);
        self.program = rest;
        self.program_end = pen.program(canvas, rest, facts.program);
        all
    }
}

/// Width of the clock's part: one for all times of a day, whose digits are of different widths.
fn room(pen: &Pen<'_>, clock: &str) -> i32 {
    let widest = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let clock: String = clock.chars().map(widest).collect();
    match pen.width(font::BODY, &clock) {
        0 => 0,
        width => width + OVERHANG * pen.scale,
    }
}

/// Parts of the bar.
impl Pen<'_> {
    /// What a part of the bar is painted on.
    fn ground(&self, canvas: &mut Canvas<'_>, part: Rect) {
        canvas.fill(part, self.theme.sidebar);
        let line = part.clone().cut_bottom(self.scale, 0);
        canvas.fill(line, self.theme.border);
    }

    /// A text at the right end of what is left; returns its place.
    fn right(
        &self,
        canvas: &mut Canvas<'_>,
        rest: &mut Rect,
        font: Font,
        text: &str,
        color: Color,
    ) -> Rect {
        let place = rest.cut_right(self.width(font, text), 0);
        self.write(canvas, font, place, text, color);
        place
    }

    /// The title of a window, and its program; returns where they end.
    fn program(
        &self,
        canvas: &mut Canvas<'_>,
        place: Rect,
        program: Option<(&str, Identity)>,
    ) -> i32 {
        let Some((title, identity)) = program else {
            return place.x;
        };
        let mut rest = place;
        rest.width = rest.width * 2 / 3;
        let end = self.write(canvas, font::BODY, rest, title, self.theme.text);
        let mut rest = place;
        rest.cut_left(end - place.x, GAP * self.scale);
        self.identity(canvas, rest, &identity, self.theme.secondary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use nonos_abi::Name;
    use nonos_ui::Theme;
    use nonos_ui::host::HostAtlas;
    use nonos_ui::text::Writer;

    const MINUTE_NS: u64 = 60_000_000_000;

    #[test]
    fn every_time_has_room() {
        let atlas = HostAtlas::new();
        let pen = Pen {
            writer: Writer(&atlas),
            theme: Theme::of(0),
            scale: 1,
        };
        let mut clock = Clock::new(Some(1_795_823_910));
        for day in 0..366 {
            for minute in 0..24 * 60 {
                // All days, and on the first all minutes.
                if day > 0 && minute > 0 {
                    break;
                }
                clock.tick((day * 24 * 60 + minute) * MINUTE_NS);
                let text = clock.text(true).unwrap();
                let room = room(&pen, &text);
                let (part, all) = pen.writer.fit(font::BODY, &text, room);
                assert!(all && part == text, "{text}");
            }
        }
        assert_eq!(room(&pen, ""), 0);
    }

    #[test]
    fn a_bar_painted_in_parts_is_one_painted_at_once() {
        let atlas = HostAtlas::new();
        let identity = Identity {
            module: Name::new("editor").unwrap(),
            publisher: Name::new("nonos").unwrap(),
            process: 1,
        };
        for (width, scale) in [(1280, 1), (1280, 2), (640, 2)] {
            let pen = Pen {
                writer: Writer(&atlas),
                theme: Theme::of(0),
                scale,
            };
            let mut clock = Clock::new(Some(1_795_823_910));
            let mut bar = Bar::default();
            let titles = [
                "A",
                "Áj – Editor",
                "",
                "A title that is long and has no room in 300",
            ];
            for step in 0..40 {
                let stale = Stale {
                    all: false,
                    program: step % 3 != 1,
                    clock: step % 3 != 0,
                };
                // What is not stale has not changed.
                let shown = step - usize::from(!stale.program);
                let title = titles[shown % titles.len()];
                if stale.clock {
                    clock.tick(step as u64 * 61 * MINUTE_NS);
                }
                bar.stale = stale;
                let facts = Facts {
                    program: Some((title, identity)).filter(|_| shown % 8 < 6),
                    machine: Machine::default(),
                    layout: "English",
                    clock: &clock,
                };
                let before = bar.strip.clone();
                let changed = bar.paint(&pen, width, &facts);
                let mut at_once = Bar::default();
                at_once.paint(&pen, width, &facts);
                for y in 0..bar.strip.height() {
                    let mut pairs = bar.strip.row(y).iter().zip(at_once.strip.row(y));
                    let unlike = pairs.position(|(a, b)| a != b);
                    assert_eq!(unlike, None, "step {step} line {y} width {width}");
                    for x in 0..width {
                        let at = |strip: &Strip| strip.row(y).get(x as usize).copied();
                        let covered = changed.iter().any(|part| part.contains(x, y));
                        let (old, new) = (at(&before), at(&bar.strip));
                        assert!(covered || old == new, "step {step} at {x} {y}");
                    }
                }
            }
        }
    }
}
