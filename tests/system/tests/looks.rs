//! How the booted desktop looks: its screen is compared, but for the clock, with pictures in `references/`, at which people have looked and found
//! them right.
//!
//! What differs is kept under `target/screens`. When it is meant and looks right, it is the new reference.

use std::path::PathBuf;

use system_tests::images;
use system_tests::machine::{Machine, keys_for};
use system_tests::saved;
use system_tests::screen::Picture;

/// Steps of a colour that do not count.
const NEAR: u8 = 16;
/// Pixels that may differ, of a million.
const MOST: usize = 50;

/// A machine, and which of its screens are not as in the references.
struct Looks {
    machine: Machine,
    unlike: Vec<String>,
}

impl Looks {
    /// Presses keys together, and waits until the machine has done what they make it do.
    fn press(&mut self, keys: &[&str]) {
        self.machine.press(keys);
        self.machine.settle();
    }

    /// Compares the screen with its reference.
    fn like(&mut self, name: &str) {
        let picture = self.machine.picture_with_clock();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("references");
        let reference = Picture::read_png(&folder.join(name).with_extension("png"));
        let unlike = reference.and_then(|reference| {
            let shown = picture.clone().without_clock();
            shown.unlike_pixels(&reference.without_clock(), NEAR)
        });
        if unlike.is_none_or(|unlike| unlike > MOST) {
            let kept = picture.keep(name);
            let unlike = unlike.map_or("no reference of this size".into(), |unlike| {
                format!("{unlike} pixels differ")
            });
            self.unlike.push(format!("{}: {unlike}", kept.display()));
        }
    }

    /// Types a text.
    fn text(&mut self, text: &str) {
        for character in text.chars() {
            self.press(&keys_for(character));
        }
    }

    /// Opens the launcher, types a word, and starts what is found.
    fn launch(&mut self, word: &str) {
        self.press(&["meta_l"]);
        self.text(word);
        self.press(&["ret"]);
    }

    fn close(&mut self) {
        self.press(&["alt", "f4"]);
    }

    /// Lets the clock go on: a prompt has the keyboard only when nothing was pressed for a while.
    fn rest(&mut self) {
        let now = self.machine.clock_seconds();
        self.machine
            .wait_until("two seconds", |machine| machine.clock_seconds() > now + 2);
        self.machine.settle();
    }
}

#[test]
fn the_screen_looks_as_in_the_references() {
    let image = images::with_desktop().machine_without_tpm();
    let mut looks = Looks {
        machine: saved::counting_at_prompt(&image),
        unlike: Vec::new(),
    };
    looks.machine.settle();
    looks.machine.command("mkdir letters");
    looks
        .machine
        .command("write groceries.txt Bread, tea, paper");
    looks.machine.settle();
    // Out of the way.
    looks.machine.point(600, 330);
    looks.machine.settle();
    looks.like("desktop");
    looks.press(&["meta_l"]);
    looks.text("e");
    looks.like("launcher");
    looks.press(&["esc"]);
    looks.launch("calc");
    looks.text("12*3.5");
    looks.press(&["ret"]);
    looks.like("calculator");
    looks.close();
    looks.launch("vault");
    looks.like("vault");
    looks.close();
    looks.launch("ima");
    looks.like("viewer");
    looks.close();
    looks.launch("term");
    looks.text("ls\n");
    looks.like("terminal");
    looks.launch("files");
    looks.like("files");
    looks.launch("edit");
    looks.text("dear reader,\n\nnobody but this window heard these keys.");
    looks.like("editor");
    // A dialog of the system's over a window, both dimmed but for the dialog.
    looks.press(&["ctrl", "s"]);
    looks.rest();
    looks.like("dialog");
    looks.press(&["esc"]);
    looks.press(&["ctrl", "alt", "esc"]);
    looks.like("menu");
    looks.press(&["esc"]);
    looks.press(&["meta_l", "l"]);
    looks.rest();
    looks.like("locked");
    looks.press(&["ret"]);
    looks.rest();
    looks.launch("sett");
    looks.like("settings");
    // Past the pages to the first setting, the theme, and to the next, the size of everything.
    looks.press(&["tab"]);
    looks.press(&["tab"]);
    looks.press(&["left"]);
    looks.like("light");
    looks.press(&["right"]);
    looks.press(&["right"]);
    looks.like("high-contrast");
    looks.press(&["left"]);
    looks.press(&["tab"]);
    looks.press(&["right"]);
    looks.like("scale-2");
    assert!(looks.unlike.is_empty(), "{}", looks.unlike.join("\n"));
}
