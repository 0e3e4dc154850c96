//! A program that tries what no program may, and says of each what came of it.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use desktop_clients::Desk;
use nonos_abi::{Handle, Message, MessageInfo};
use nonos_proto::display::{self, Rect, event};
use nonos_proto::{
    CallError, Refusal, desktop, input, lock, open_with, permissions, powerbox, prompt, vault::uses,
};
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

/// Messages of arbitrary contents.
const MESSAGES: u64 = 1_000_000;

fn main() -> u64 {
    u64::from(run().is_err())
}

fn run() -> Result<(), CallError> {
    let mut desk = Desk::connect()?;
    services(&mut desk);
    files(&mut desk);
    windows_of_others(&mut desk);
    clipboard(&mut desk);
    memory(&mut desk)?;
    floods(&mut desk)?;
    messages(&mut desk)?;
    desk.say(format_args!("hostile: done"));
    Ok(())
}

fn verdict<T>(desk: &mut Desk, what: &str, result: Result<T, CallError>) {
    match result {
        Ok(_) => desk.say(format_args!("ATTACK SUCCEEDED: {what}")),
        Err(CallError::Refused(refusal)) => desk.say(format_args!("denied: {what}: {refusal}")),
        Err(error) => desk.say(format_args!(
            "ATTACK SUCCEEDED: {what} broke the compositor: {error}"
        )),
    }
}

/// What it was not granted: to be the desktop, a keyboard, the screen.
fn services(desk: &mut Desk) {
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
    // The other interfaces' operations, through the handle that it has.
    let Ok(endpoint) = parent::connect("display") else {
        return;
    };
    for (what, label) in [
        ("a key of its own", input::label(1)),
        ("another look", desktop::label(5)),
        ("a prompt of its own", prompt::label(1)),
        ("to unlock the screen", lock::label(4)),
    ] {
        let request = Message {
            info: MessageInfo::new(label, 2, 0),
            words: [4, 1, 0, 0, 0, 0, 0, 0],
            ..Message::default()
        };
        let refusal = syscall::call(endpoint.handle(), &request)
            .map(|reply| Refusal::from_label(reply.info.label()));
        match refusal {
            Ok(Some(refusal)) => desk.say(format_args!("denied: {what}: {refusal}")),
            _ => desk.say(format_args!("ATTACK SUCCEEDED: {what}")),
        }
    }
}

/// Files that nobody gave it.
fn files(desk: &mut Desk) {
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

/// Windows whose numbers it can guess.
fn windows_of_others(desk: &mut Desk) {
    for window in 0..64 {
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
    desk.say(format_args!("denied: windows of others"));
}

/// The clipboard without the user.
fn clipboard(desk: &mut Desk) {
    let copied = desk.display.copy(b"sudo");
    verdict(desk, "copying", copied);
    let mut out = [0; 64];
    let pasted = desk.display.paste(&mut out);
    verdict(desk, "pasting", pasted);
}

/// More than its share, and surfaces that held another's pixels.
fn memory(desk: &mut Desk) -> Result<(), CallError> {
    let huge = desk.display.open(1 << 20, 1 << 20, b"");
    verdict(desk, "a huge window", huge.map(drop));
    let look = desk.display.look()?;
    let mut opened = 0;
    let refusal = loop {
        match desk
            .display
            .open(look.screen_width, look.screen_height, b"")
        {
            Ok(surface) if opened < 100 => {
                let window = desktop_clients::Window::new(surface)?;
                let clean = |word: &core::sync::atomic::AtomicU32| {
                    word.load(core::sync::atomic::Ordering::Relaxed) == 0
                };
                if !window.pixels.words().iter().all(clean) {
                    desk.say(format_args!("ATTACK SUCCEEDED: pixels of another"));
                }
                opened += 1;
            }
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    verdict(desk, "all memory", refusal);
    Ok(())
}

/// Damage and titles without end, and events that nobody takes.
fn floods(desk: &mut Desk) -> Result<(), CallError> {
    let all = Rect {
        width: u16::MAX,
        height: u16::MAX,
        ..Rect::default()
    };
    for window in 0..64 {
        let _ = desk.display.close(window);
    }
    let window = desk.open(200, 100, "flood", 0x80_2020)?;
    for round in 0_u32..5000 {
        desk.display.present(window.surface.window, all.word(), 0)?;
        if round.is_multiple_of(50) {
            desk.display.title(
                window.surface.window,
                &[b'a' + (round / 50 % 26) as u8; display::TITLE_BYTES],
            )?;
        }
    }
    desk.display.close(window.surface.window)?;
    desk.say(format_args!("denied: a flood"));
    Ok(())
}

/// Messages that fit no operation, or hardly.
fn messages(desk: &mut Desk) -> Result<(), CallError> {
    let endpoint = parent::connect("display")?;
    let gift = Notification::create().map_err(CallError::Unreachable)?;
    let mut state = 7_u64;
    let mut draw = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    for _ in 0..MESSAGES {
        let label = match draw(2) {
            // Operations that exist, but those that fill the log.
            0 => display::label(1 + draw(14) as u8),
            _ => draw(0x1_0000) as u16,
        };
        let message = Message {
            info: MessageInfo::new(label, draw(9) as usize, draw(3) as usize),
            words: core::array::from_fn(|_| match draw(3) {
                0 => draw(u64::MAX),
                _ => draw(300),
            }),
            handles: [gift.handle(); 4],
        };
        if let Ok(reply) = syscall::call(endpoint.handle(), &message) {
            let received = reply
                .handles
                .into_iter()
                .filter(|&handle| handle != Handle::NONE);
            received.for_each(|handle| drop(Endpoint::from_handle(handle)));
        }
    }
    let mut taken = 0;
    desk.take(|event| taken += u64::from(event[0] & 0xFF == event::KEY))?;
    match desk.display.look() {
        Ok(_) => desk.say(format_args!("denied: {MESSAGES} messages")),
        Err(error) => desk.say(format_args!(
            "ATTACK SUCCEEDED: the compositor does not answer: {error}"
        )),
    }
    Ok(())
}
