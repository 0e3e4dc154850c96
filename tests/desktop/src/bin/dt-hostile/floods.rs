//! Floods of damage, titles, sizes and messages.

use desktop_clients::{Desk, Window};
use nonos_abi::{Handle, Message, MessageInfo};
use nonos_proto::CallError;
use nonos_proto::display::{self, Rect, event};
use nonos_rt::object::{Endpoint, Memory, Notification};
use nonos_rt::{parent, syscall};

/// Messages of arbitrary contents.
const MESSAGES: u64 = 1_000_000;

/// Presents all of its window so many times.
pub fn presents(desk: &Desk, window: &Window, times: u32) -> Result<(), CallError> {
    (0..times).try_for_each(|_| desk.present(window))
}

/// Damage, titles and sizes without end, and events that nobody takes.
pub fn damage(desk: &mut Desk) -> Result<(), CallError> {
    let all = Rect {
        width: u16::MAX,
        height: u16::MAX,
        ..Rect::default()
    };
    let window = desk.open(200, 100, "flood", 0x80_2020)?;
    for round in 0_u32..5000 {
        desk.display
            .present(window.surface.window, all.word(), all.word())?;
        if round.is_multiple_of(50) {
            desk.display.title(
                window.surface.window,
                &[b'a' + (round / 50 % 26) as u8; display::TITLE_BYTES],
            )?;
        }
    }
    for round in 0..1000 {
        let surface = desk
            .display
            .resize(window.surface.window, 100 + round % 50, 100)?;
        drop(Memory::from_handle(surface.memory));
        let word = all.word();
        desk.display.present(window.surface.window, word, word)?;
    }
    desk.display.close(window.surface.window)?;
    desk.say(format_args!("denied: a flood"));
    Ok(())
}

/// Messages that fit no operation, or hardly.
pub fn messages(desk: &mut Desk) -> Result<(), CallError> {
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
