//! Attempts that are made when a key is pressed.

use core::sync::atomic::Ordering;

use desktop_clients::{Desk, Window};
use nonos_abi::{Message, MessageInfo};
use nonos_proto::display::Rect;
use nonos_proto::{
    CallError, Refusal, desktop, input, lock, open_with, permissions, powerbox, prompt, vault::uses,
};
use nonos_rt::{parent, syscall};

use crate::{COLOR, verdict};

/// What it was not granted: to be the desktop, a keyboard, the screen.
pub fn services(desk: &mut Desk) {
    for name in [
        "desktop",
        "input",
        "screen",
        "prompt",
        "lock",
        "permissions",
        "open-with",
        "documents",
        "files",
        "vault",
        "lender",
    ] {
        verdict(desk, name, parent::connect(name));
    }
    verdict(desk, "the frame buffer", parent::screen());
    verdict(desk, "the keyboard controller", parent::ps2());
    operation(desk, "a key of its own", input::label(1), [4, 1], true);
    operation(desk, "another look", desktop::label(4), [4, 1], true);
    operation(desk, "to unlock the screen", lock::label(4), [4, 1], true);
}

/// Calls an operation of another interface through the handle that it has.
fn operation(desk: &mut Desk, what: &str, label: u16, [a, b]: [u64; 2], says: bool) {
    let request = Message {
        info: MessageInfo::new(label, 2, 0),
        words: [a, b, 0, 0, 0, 0, 0, 0],
        ..Message::default()
    };
    let refusal = syscall::call(desk.display.0.handle(), &request)
        .map(|reply| Refusal::from_label(reply.info.label()));
    match refusal {
        Ok(Some(refusal)) if says => desk.say(format_args!("denied: {what}: {refusal}")),
        Ok(Some(_)) => {}
        _ => desk.say(format_args!("ATTACK SUCCEEDED: {what}")),
    }
}

/// What the desktop alone does with windows.
pub fn to_be_the_desktop(desk: &mut Desk, window: u64, says: bool) {
    for layer in 0..5 {
        let words = [window, layer];
        operation(
            desk,
            "a place of the desktop",
            desktop::label(1),
            words,
            says,
        );
    }
    let words = [window, desktop::action::ACTIVATE];
    operation(desk, "the keyboard", desktop::label(3), words, says);
}

/// To draw where the trusted bar is: windows as large as the screen and larger, which stay.
pub fn bar(desk: &mut Desk) -> Result<(), CallError> {
    let look = desk.display.look()?;
    let (width, height) = (look.screen_width, look.screen_height);
    let title = "\u{202E}\u{200B}NONOS \u{2066}verified\n\n";
    desk.open(width, height, title, COLOR)?;
    let mut large = desk.open(width / 2, height / 2, "small", COLOR)?;
    to_be_the_desktop(desk, large.surface.window, true);
    let surface = desk
        .display
        .resize(large.surface.window, width + 200, height + 200)?;
    large = Window::new(surface)?;
    large.fill(COLOR);
    let everywhere = Rect {
        width: u16::MAX,
        height: u16::MAX,
        ..Rect::default()
    };
    desk.display
        .present(large.surface.window, everywhere.word(), everywhere.word())?;
    let huge = desk.display.resize(large.surface.window, 1 << 13, 1 << 13);
    verdict(desk, "a window far beyond the screen", huge);
    Ok(())
}

/// To ask the user as the system does.
pub fn prompt(desk: &mut Desk, window: &Window) {
    verdict(
        desk,
        "to ask in the system's name",
        parent::connect("prompt"),
    );
    let number = window.surface.window;
    for program in [0, 1, 4, u64::MAX] {
        let words = [number, program];
        operation(desk, "a prompt of its own", prompt::label(1), words, true);
    }
    to_take_pictures(desk);
    operation(desk, "the locked screen", lock::label(5), [number, 0], true);
    to_be_the_desktop(desk, number, true);
    let title = "dt-window asks for a file · nonos".as_bytes();
    if let Err(error) = desk.display.title(number, title) {
        desk.say(format_args!("ATTACK SUCCEEDED: no title: {error}"));
    }
}

/// Files that nobody gave it.
pub fn files(desk: &mut Desk) {
    let Ok(endpoint) = parent::connect("powerbox") else {
        desk.say(format_args!("ATTACK SUCCEEDED: there is no power box"));
        return;
    };
    let power_box = powerbox::Client(endpoint);
    let mut name = [0; 256];
    for request in [0, 1, 2, u64::MAX] {
        let answer = power_box.answer(request, &mut name);
        verdict(desk, "an answer that it gives itself", answer);
    }
    for rights in [0, u64::MAX, nonos_proto::files::rights::ALL] {
        verdict(desk, "more rights", power_box.open(rights));
        verdict(desk, "more rights", power_box.folder(rights));
    }
    for uses in [0, uses::EXPORT, uses::SIGN | uses::MANAGE, u64::MAX] {
        verdict(desk, "more of a key", power_box.key(uses, b""));
    }
    let long = [b'a'; 300];
    verdict(desk, "a long name", power_box.save(&long));
    let client = permissions::Client(power_box.0);
    verdict(
        desk,
        "what others were given",
        client.permission(1 << 40, &mut name),
    );
    let client = open_with::Client(client.0);
    let module = nonos_abi::Name::new("settings").unwrap_or_default();
    verdict(desk, "a start", client.open(module, 1, b"a"));
}

fn to_take_pictures(desk: &mut Desk) {
    let what = "pictures of the screen";
    operation(desk, what, prompt::label(3), [0, 0], true);
}

/// Windows whose numbers it can guess.
pub fn windows_of_others(desk: &mut Desk, own: u64) {
    to_touch_windows_of_others(desk, own);
    desk.say(format_args!("denied: windows of others"));
    verdict(desk, "the screen", parent::connect("screen"));
    verdict(desk, "the frame buffer", parent::screen());
    to_take_pictures(desk);
    operation(desk, "windows of others", desktop::label(2), [1, 0], true);
}

/// The same, and says only what was not refused.
pub fn to_touch_windows_of_others(desk: &mut Desk, own: u64) {
    for window in (0..64).filter(|&window| window != own) {
        let display = &desk.display;
        let all = Rect {
            width: 100,
            height: 100,
            ..Rect::default()
        };
        let results = [
            display.present(window, all.word(), all.word()),
            display.title(window, b"System update"),
            display.limits(window, 1, 1, 1, 1),
            display.cursor(window, 1),
            display.close(window),
            display.resize(window, 10, 10).map(drop),
        ];
        if results
            .iter()
            .any(|result| *result != Err(CallError::Refused(Refusal::NoSuchWindow)))
        {
            desk.say(format_args!("ATTACK SUCCEEDED: window {window} of another"));
        }
    }
}

/// The clipboard, when the user pressed a key in its window but pastes nothing.
pub fn clipboard(desk: &mut Desk) {
    let mut out = [0; 64];
    let pasted = desk.display.paste(&mut out);
    verdict(desk, "pasting", pasted);
}

/// More than its share, and surfaces that held another's pixels.
pub fn memory(desk: &mut Desk) -> Result<(), CallError> {
    let huge = desk.display.open(1 << 20, 1 << 20, b"");
    verdict(desk, "a huge window", huge);
    let look = desk.display.look()?;
    let mut opened = [0; 64];
    let mut count = 0;
    let refusal = loop {
        let (width, height) = (look.screen_width, look.screen_height);
        let surface = match desk.display.open(width, height, b"") {
            Ok(surface) => surface,
            Err(error) => break Err(error),
        };
        let window = Window::new(surface)?;
        let mut words = window.pixels.words().iter();
        if words.any(|word| word.load(Ordering::Relaxed) != 0) {
            desk.say(format_args!("ATTACK SUCCEEDED: pixels of another"));
        }
        let Some(slot) = opened.get_mut(count) else {
            break Ok(());
        };
        *slot = window.surface.window;
        count += 1;
    };
    verdict(desk, "all memory", refusal);
    for &window in &opened[..count] {
        desk.display.close(window)?;
    }
    Ok(())
}
