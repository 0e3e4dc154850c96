//! What a person does at the desktop: keys, of which each is seen on the screen before the next.

use crate::images;
use crate::machine::{Machine, keys_for};
use crate::saved;
use crate::screen::Picture;
use xtask::qemu::{Graphics, MachineConfig};

/// Pixels that the launcher changes at least.
const LAUNCHER: usize = 100_000;
/// Pixels that a large window changes at least, and the launcher does not.
const WINDOW: usize = 300_000;

/// Colour of the window of `dt-window` before a key is pressed.
pub const COLOR: [u8; 3] = [0x30, 0xA0, 0x60];
/// Its size.
pub const SIZE: (usize, usize) = (360, 240);

/// A machine with a desktop, at the prompt of its serial line.
pub fn at_prompt() -> Machine {
    saved::at_prompt(&images::with_desktop().machine_without_tpm())
}

/// A machine whose screen is a GPU of virtio's behind an IOMMU, at the prompt, which counts its instructions.
/// QEMU gets these arguments, too.
pub fn at_prompt_with_gpu(arguments: &[&str]) -> Machine {
    let config = MachineConfig {
        graphics: Graphics::Virtio,
        ..images::with_desktop().machine_without_tpm()
    };
    saved::counting_at_prompt_with(&config, arguments)
}

/// Presses keys together and waits until they changed more than so many pixels of the screen.
#[track_caller]
pub fn press_and_see(machine: &mut Machine, keys: &[&str], pixels: usize) {
    let before = machine.picture();
    machine.press(keys);
    machine.wait_until(&format!("what {keys:?} does to the screen"), |machine| {
        let changed = machine.picture().changed_pixels(&before);
        changed.is_some_and(|changed| changed > pixels)
    });
}

/// Types a text. The keyboard controller keeps few keys.
#[track_caller]
pub fn type_text(machine: &mut Machine, text: &str) {
    for character in text.chars() {
        press_and_see(machine, &keys_for(character), 0);
    }
}

/// Opens the launcher and has it start what is found by a word.
#[track_caller]
pub fn launch(machine: &mut Machine, word: &str) {
    press_and_see(machine, &["meta_l"], LAUNCHER);
    type_text(machine, word);
    type_text(machine, "\n");
}

/// The same for a program whose window is larger than the launcher, and waits until it is there.
#[track_caller]
pub fn launch_and_see(machine: &mut Machine, word: &str) {
    let before = machine.picture();
    launch(machine, word);
    machine.wait_until(&format!("the window of {word}"), |machine| {
        let changed = machine.picture().changed_pixels(&before);
        changed.is_some_and(|changed| changed > WINDOW)
    });
}

/// What the trusted bar says of the program with the keyboard: the pixels of its left half.
pub fn bar(picture: &Picture) -> Vec<[u8; 3]> {
    const HEIGHT: usize = 28;
    let places = (0..HEIGHT).flat_map(|y| (0..picture.width / 2).map(move |x| (x, y)));
    places.map(|(x, y)| picture.pixel(x, y)).collect()
}

/// A machine with the window, and where its contents are: left and top.
pub fn with_window() -> (Machine, (usize, usize)) {
    let mut machine = at_prompt();
    machine.command("run dt-window &");
    let place = wait_for_window(&mut machine);
    (machine, place)
}

#[track_caller]
fn wait_for_window(machine: &mut Machine) -> (usize, usize) {
    let mut place = None;
    machine.wait_until("the window on the screen", |machine| {
        place = content(&machine.picture());
        place.is_some()
    });
    place.unwrap_or_default()
}

/// Where the window's contents are, when all of it is to be seen.
pub fn content(picture: &Picture) -> Option<(usize, usize)> {
    let [left, top, right, bottom] = picture.bounds_of(COLOR)?;
    ((right - left, bottom - top) == SIZE).then_some((left, top))
}

/// Moves the pointer from the middle of the screen to a place.
#[track_caller]
pub fn point_from_middle(machine: &mut Machine, (x, y): (usize, usize)) {
    let Picture { width, height, .. } = machine.picture();
    machine.point(x as i64 - width as i64 / 2, y as i64 - height as i64 / 2);
}

/// Presses the left button of the mouse and releases it.
#[track_caller]
pub fn click(machine: &mut Machine) {
    machine.left_button(true);
    machine.left_button(false);
}
