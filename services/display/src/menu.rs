//! The trusted menu: what it offers, and how it is answered.

use alloc::vec::Vec;

use nonos_proto::usage;
use nonos_ui::Rect;

/// Points: width, height of a row, of what is above the rows, and below them.
mod points {
    pub const WIDTH: i32 = 360;
    pub const ROW: i32 = 40;
    pub const HEAD: i32 = 84;
    pub const FOOT: i32 = 16;
    pub const MARGIN: i32 = 12;
}

/// What the menu offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Goes back.
    Back,
    /// Ends the program that had the keyboard.
    EndProgram,
    /// Takes a picture of the screen.
    Picture,
    /// Locks the screen.
    Lock,
    /// Restarts the machine.
    Restart,
    /// Turns the machine off.
    PowerOff,
}

impl Choice {
    /// What it says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Back => "Back to the desktop",
            Self::EndProgram => "End program",
            Self::Picture => "Save a picture of the screen",
            Self::Lock => "Lock",
            Self::Restart => "Restart",
            Self::PowerOff => "Power off",
        }
    }
}

/// The menu, while it is open.
#[derive(Clone, Debug)]
pub struct Menu {
    /// What can be chosen.
    pub choices: Vec<Choice>,
    /// Which of them is chosen now.
    pub chosen: usize,
}

impl Menu {
    /// The menu; with a program to end or without.
    pub fn new(program: bool) -> Self {
        let mut choices = Vec::from([Choice::Back]);
        choices.extend(program.then_some(Choice::EndProgram));
        choices.extend([
            Choice::Picture,
            Choice::Lock,
            Choice::Restart,
            Choice::PowerOff,
        ]);
        Self { choices, chosen: 0 }
    }

    /// The menu of a locked screen.
    pub fn locked() -> Self {
        let choices = Vec::from([Choice::Back, Choice::Restart, Choice::PowerOff]);
        Self { choices, chosen: 0 }
    }

    /// Takes a key that was pressed; what was chosen with it.
    pub fn key(&mut self, usage: u8) -> Option<Choice> {
        let count = self.choices.len();
        match usage {
            usage::UP => self.chosen = (self.chosen + count - 1) % count,
            usage::DOWN | usage::TAB => self.chosen = (self.chosen + 1) % count,
            usage::ENTER | usage::KEYPAD_ENTER | usage::SPACE => {
                return self.choices.get(self.chosen).copied();
            }
            usage::ESCAPE => return Some(Choice::Back),
            _ => {}
        }
        None
    }

    /// Where it is.
    pub fn place(&self, screen: Rect, scale: i32) -> Rect {
        let rows = self.choices.len() as i32 * points::ROW;
        let height = points::HEAD + rows + points::FOOT;
        screen.centred(points::WIDTH * scale, height * scale)
    }

    /// Where a choice is in it.
    pub fn row(&self, place: Rect, index: usize, scale: i32) -> Rect {
        let top = points::HEAD + index as i32 * points::ROW;
        Rect::new(
            place.x + points::MARGIN * scale,
            place.y + top * scale,
            place.width - 2 * points::MARGIN * scale,
            points::ROW * scale,
        )
    }

    /// The choice at a point.
    pub fn at(&self, place: Rect, (x, y): (i32, i32), scale: i32) -> Option<usize> {
        (0..self.choices.len()).find(|&index| self.row(place, index, scale).contains(x, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_answered_by_keys() {
        let mut menu = Menu::new(true);
        assert_eq!(menu.key(usage::ESCAPE), Some(Choice::Back));
        assert_eq!(
            menu.key(usage::ENTER),
            Some(Choice::Back),
            "the first is harmless"
        );
        assert_eq!(menu.key(usage::UP), None);
        assert_eq!(menu.key(usage::ENTER), Some(Choice::PowerOff));
        menu.key(usage::DOWN);
        menu.key(usage::DOWN);
        assert_eq!(menu.key(usage::ENTER), Some(Choice::EndProgram));
        assert!(!Menu::new(false).choices.contains(&Choice::EndProgram));
    }

    #[test]
    fn each_row_is_where_its_choice_is() {
        let menu = Menu::new(true);
        let place = menu.place(Rect::new(0, 0, 1280, 800), 1);
        for index in 0..menu.choices.len() {
            let row = menu.row(place, index, 1);
            assert_eq!(menu.at(place, (row.x, row.y), 1), Some(index));
            assert!(place.contains(row.x, row.bottom()));
        }
        assert_eq!(menu.at(place, (place.x, place.y), 1), None);
    }
}
