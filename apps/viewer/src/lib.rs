//! The viewer: one picture, as large as fits or as the user wants it, in a file that the user gave.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod place;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::{CallError, Refusal};
use nonos_ui::input::{Key, usage};
use nonos_ui::picture::Picture;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::Kind;
use nonos_ui::{App, Icon, Rect, Ui};
use place::Place;

/// How far an arrow moves the picture, pixels.
const STEP: i32 = 64;

/// What the user gave: a name, and what is in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The file's name.
    pub name: String,
    /// Its bytes; one more than a picture may have when there are more.
    pub bytes: Vec<u8>,
}

/// The user, who is asked for files.
pub trait User {
    /// Asks for a file, in place of one that was asked for before.
    fn ask(&mut self) -> Result<(), CallError>;

    /// The answer, once; none while there is none.
    fn answer(&mut self) -> Result<Option<Given>, CallError>;

    /// What the program was opened with.
    fn opened_with(&mut self) -> Result<Option<Given>, CallError>;
}

/// The window.
#[derive(Debug)]
pub struct Viewer<U> {
    user: U,
    title: String,
    picture: Option<Rc<Picture>>,
    place: Place,
    /// Where the pointer was last, while the picture is dragged.
    grabbed: Option<(i32, i32)>,
    /// Why there is no picture.
    problem: String,
}

/// Whether a key types one of these characters, without Control and the like.
fn types(characters: &str) -> impl Fn(&Key) -> bool {
    move |key| key.text().is_some_and(|typed| characters.contains(typed))
}

impl<U: User> Viewer<U> {
    /// With what the program was opened with.
    pub fn new(mut user: U) -> Self {
        let given = user.opened_with();
        let mut viewer = Self {
            user,
            title: "Images".into(),
            picture: None,
            place: Place::default(),
            grabbed: None,
            problem: String::new(),
        };
        viewer.take(given);
        viewer
    }

    /// Shows what the user gave. The picture that was there stays until there is another.
    fn take(&mut self, given: Result<Option<Given>, CallError>) {
        let given = match given {
            Ok(Some(given)) => given,
            Ok(None) | Err(CallError::Refused(Refusal::Declined)) => return,
            Err(error) => {
                self.problem = format!("The file cannot be read: {error}");
                return;
            }
        };
        match nonos_picture::decode(&given.bytes) {
            Ok(decoded) => {
                let (width, height) = (decoded.width, decoded.height);
                let picture = Picture::new(width, height, decoded.pixels);
                self.picture = picture.map(Rc::new);
                self.title = given.name;
                self.place = Place::default();
                self.problem.clear();
            }
            Err(problem) => self.problem = format!("{}: {problem}.", given.name),
        }
    }

    fn bar(&mut self, ui: &mut Ui<'_>, mut bar: Rect) {
        let open = bar.cut_left(ui.button_width("Open…"), space::MEDIUM);
        let key = |key: &Key| key.shortcut() == Some('o');
        if ui.button(open, "Open…", Kind::Plain) || ui.take_key(key).is_some() {
            if let Err(error) = self.user.ask() {
                self.problem = format!("The user cannot be asked: {error}");
            }
            ui.changed();
        }
        let Some(picture) = &self.picture else {
            return ui.note(bar, &self.problem);
        };
        let size = (picture.width(), picture.height());
        let mut zoom = |ui: &mut Ui<'_>, icon, name, keys, act: &mut dyn FnMut(&mut Place)| {
            let button = bar.cut_right(space::CONTROL, 4);
            if ui.icon_button(button, icon, name, Kind::Quiet) || ui.take_key(types(keys)).is_some()
            {
                act(&mut self.place);
                ui.changed();
            }
        };
        zoom(ui, Icon::Plus, "larger", "+=", &mut |place| {
            place.zoom(5, 4, (0, 0))
        });
        zoom(ui, Icon::Minus, "smaller", "-", &mut |place| {
            place.zoom(4, 5, (0, 0))
        });
        let whole = bar.cut_right(ui.button_width("100 %"), 4);
        if ui.button(whole, "100 %", Kind::Quiet) || ui.take_key(types("0")).is_some() {
            self.place.set(1000);
            ui.changed();
        }
        let fit = bar.cut_right(ui.button_width("Fit"), 4);
        if ui.button(fit, "Fit", Kind::Quiet) || ui.take_key(types("fF")).is_some() {
            self.place = Place::default();
            ui.changed();
        }
        let percent = self.place.of_1000().div_ceil(10);
        match self.problem.as_str() {
            "" => ui.note(
                bar,
                &format!("{} × {} pixels, at {percent} %", size.0, size.1),
            ),
            problem => ui.note(bar, problem),
        }
    }

    fn moves(&mut self, ui: &mut Ui<'_>, area: Rect) {
        let scale = ui.scale();
        let middle = (area.x + area.width / 2, area.y + area.height / 2);
        let turns = ui.take_wheel(area);
        if turns != 0 {
            let at = ui.pointer_in(area).unwrap_or(middle);
            let at = ((at.0 - middle.0) * scale, (at.1 - middle.1) * scale);
            for _ in 0..turns.unsigned_abs().min(8) {
                let (by, of) = if turns < 0 { (5, 4) } else { (4, 5) };
                self.place.zoom(by, of, at);
            }
            ui.changed();
        }
        for (key, x, y) in [
            (usage::LEFT, STEP, 0),
            (usage::RIGHT, -STEP, 0),
            (usage::UP, 0, STEP),
            (usage::DOWN, 0, -STEP),
        ] {
            if ui.take_key(|pressed| pressed.usage == key).is_some() {
                self.place.pan(x * scale, y * scale);
                ui.changed();
            }
        }
        let id = ui.id("picture");
        ui.interact(id, area, false);
        let pointer = ui.dragged(id);
        if let (Some(from), Some(to)) = (self.grabbed, pointer)
            && from != to
        {
            self.place
                .pan((to.0 - from.0) * scale, (to.1 - from.1) * scale);
            ui.changed();
        }
        self.grabbed = pointer;
    }
}

impl<U: User> App for Viewer<U> {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (i32, i32) {
        (800, 600)
    }

    fn limits(&self) -> [(i32, i32); 2] {
        [(480, 320), (0, 0)]
    }

    fn signal(&mut self, _: u64) {
        let answer = self.user.answer();
        self.take(answer);
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size();
        let bar = area.cut_top(48, 0).inset(space::MEDIUM, space::SMALL);
        ui.fill(area, ui.theme.sidebar);
        let Some(picture) = self.picture.clone() else {
            let text = match self.problem.as_str() {
                "" => "Open a PNG, JPEG or QOI file.",
                problem => problem,
            };
            let color = ui.theme.secondary;
            ui.text(
                area.inset(space::MARGIN, 0),
                font::BODY,
                Align::Centre,
                text,
                color,
            );
            return self.bar(ui, bar);
        };
        let pixels = area.scaled(ui.scale());
        let size = (picture.width() as i32, picture.height() as i32);
        self.place.fit(size, (pixels.width, pixels.height));
        self.moves(ui, area);
        self.bar(ui, bar);
        let place = self.place.fit(size, (pixels.width, pixels.height));
        let rect = Rect::new(
            pixels.x + place.x,
            pixels.y + place.y,
            place.width,
            place.height,
        );
        ui.clipped(area, |ui| ui.picture(rect, &picture));
    }
}
