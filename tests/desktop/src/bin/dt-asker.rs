//! A program that asks the user for files when keys are pressed, and says what it was given: `o` opens, `s` saves, `f` asks for a
//! folder, `m` asks for too much, `n` tells the user something, `r` reads again what it was given, `k` asks to sign with a key, `u` tries
//! all uses of the key that it was given, `c` copies, `p` asks to paste.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use desktop_clients::Desk;
use nonos_proto::display::event;
use nonos_proto::files::rights;
use nonos_proto::input::key_state;
use nonos_proto::vault::{self, uses};
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::Endpoint;
use nonos_rt::powerbox::{Given, PowerBox};

nonos_rt::entry!(main);

/// Bit of the notification: the user answered.
const ANSWERED: u64 = 1 << 1;

fn main() -> u64 {
    u64::from(run().is_err())
}

fn run() -> Result<(), CallError> {
    let mut desk = Desk::connect()?;
    let outcome = serve(&mut desk);
    if let Err(error) = &outcome {
        desk.say(format_args!("asker: {error}"));
    }
    outcome
}

fn serve(desk: &mut Desk) -> Result<(), CallError> {
    let power_box = PowerBox::connect(desk.signals(), ANSWERED)?;
    let _window = desk.open(720, 560, "A window that asks", 0x60_30A0)?;
    let mut given: Option<Given> = None;
    let mut key: Option<vault::Client<Endpoint>> = None;
    let (mut last, mut last_key) = (0, u64::MAX);
    desk.say(format_args!("asker: ready"));
    if let Some(opened) = power_box.opened_with()? {
        tell(desk, &opened);
        given = Some(opened);
    }
    loop {
        let mut typed = ['\0'; 16];
        let mut count = 0;
        let mut pastes = false;
        desk.wait(|[first, _, b, c]| {
            pastes |= first & 0xFF == event::PASTE;
            if first & 0xFF == event::KEY
                && b & 0xFF != key_state::UP
                && let Some(slot) = typed.get_mut(count)
            {
                *slot = u32::try_from(c)
                    .ok()
                    .and_then(char::from_u32)
                    .unwrap_or('\0');
                count += 1;
            }
        })?;
        if pastes {
            let mut text = [0; 64];
            match desk.display.paste(&mut text) {
                Ok(length) => {
                    let text = text.get(..length as usize).unwrap_or_default();
                    let text = core::str::from_utf8(text).unwrap_or("?");
                    desk.say(format_args!("asker: pasted {text:?}"));
                }
                Err(error) => desk.say(format_args!("asker: not pasted: {error}")),
            }
        }
        for letter in typed.into_iter().take(count) {
            let asked = match letter {
                'o' => power_box.open(rights::READ | rights::WRITE),
                's' => power_box.save("plan.txt"),
                'f' => power_box.folder(rights::READ | rights::LIST | rights::WRITE),
                'm' => ask_too_much(&power_box),
                // It has no answer to wait for.
                'p' => power_box.paste().map(|()| last),
                'n' => {
                    let told = desk
                        .display
                        .notify("héllo from the \u{202E}asker".as_bytes());
                    match told {
                        Ok(()) => desk.say(format_args!("asker: told")),
                        Err(error) => desk.say(format_args!("asker: not told: {error}")),
                    }
                    continue;
                }
                'k' => {
                    last_key = power_box.key(uses::SIGN, "mail")?;
                    desk.say(format_args!("asker: asked"));
                    continue;
                }
                'u' => {
                    match &key {
                        Some(key) => use_key(desk, key),
                        None => desk.say(format_args!("asker: no key was given")),
                    }
                    continue;
                }
                'c' => {
                    match desk.display.copy(b"copied before") {
                        Ok(()) => desk.say(format_args!("asker: copied")),
                        Err(error) => desk.say(format_args!("asker: not copied: {error}")),
                    }
                    continue;
                }
                'r' => {
                    again(desk, given.as_ref());
                    continue;
                }
                other => {
                    desk.say(format_args!("asker: heard {other:?}"));
                    continue;
                }
            };
            match asked {
                Ok(number) => {
                    last = number;
                    desk.say(format_args!("asker: asked"));
                }
                Err(error) => desk.say(format_args!("asker: refused: {error}")),
            }
        }
        match power_box.answered_key(last_key) {
            Ok(None) | Err(CallError::Refused(Refusal::NotStored)) => {}
            Ok(Some(answer)) => {
                use_key(desk, &answer);
                key = Some(answer);
            }
            Err(error) => desk.say(format_args!("asker: no key: {error}")),
        }
        match power_box.answer(last) {
            Ok(None) | Err(CallError::Refused(Refusal::NotStored)) => {}
            Ok(Some(answer)) => {
                tell(desk, &answer);
                given = Some(answer);
            }
            Err(error) => desk.say(format_args!("asker: {error}")),
        }
    }
}

/// Asks until that is refused, and takes all of it back.
fn ask_too_much(power_box: &PowerBox) -> Result<u64, CallError> {
    let mut asked = [0; 64];
    for slot in &mut asked {
        match power_box.open(rights::READ) {
            Ok(number) => *slot = number,
            Err(error) => {
                for &number in asked.iter().filter(|&&number| number != 0) {
                    power_box.withdraw(number)?;
                }
                return Err(error);
            }
        }
    }
    Ok(0)
}

/// Says what was given: a file is read and written, in a folder one is opened.
fn tell(desk: &mut Desk, given: &Given) {
    let name = given.name();
    if given.file.is_directory() {
        let opened = given.file.open("note", rights::READ);
        let ok = opened.is_ok();
        core::mem::forget(opened);
        desk.say(format_args!("asker: folder {name}, note opened: {ok}"));
        return;
    }
    let mut bytes = [0; 32];
    let read = given.file.read(0, &mut bytes).unwrap_or(0);
    let text = core::str::from_utf8(&bytes[..read]).unwrap_or("?").trim();
    desk.say(format_args!("asker: file {name} holds {text:?}"));
    if let Err(error) = given.file.write(0, b"by the asker") {
        desk.say(format_args!("asker: cannot write: {error}"));
    }
}

/// Signs with a key, and tries what it was not given it for.
fn use_key(desk: &mut Desk, key: &vault::Client<Endpoint>) {
    const MESSAGE: &[u8] = b"from the asker";
    let mut signature = [0; 64];
    let signed = key.sign(MESSAGE, &mut signature);
    let verified = signed.and_then(|_| key.verify(MESSAGE, &signature));
    match verified {
        Ok(()) => desk.say(format_args!("asker: signed")),
        Err(error) => desk.say(format_args!("asker: cannot sign: {error}")),
    }
    let mut out = [0; 32];
    let beyond = [
        ("export", key.export(0, &mut out)),
        ("derive", key.derive(0, b"", &mut out)),
        ("wrap", key.wrap(0, &mut [0; vault::BLOB_BYTES])),
        ("grant", key.grant(uses::SIGN, 0).map(drop)),
        ("rotate", key.rotate().map(drop)),
        ("destroy", key.destroy()),
        ("list", key.list(0).map(drop)),
        ("lend", key.lend(0, uses::SIGN).map(drop)),
        ("wipe", key.wipe()),
    ];
    for (what, outcome) in beyond {
        match outcome {
            Ok(()) => desk.say(format_args!("ATTACK SUCCEEDED: {what}")),
            Err(error) => desk.say(format_args!("asker: {what} denied: {error}")),
        }
    }
}

/// Uses what was given before once more.
fn again(desk: &mut Desk, given: Option<&Given>) {
    let mut bytes = [0; 32];
    match given.map(|given| given.file.read(0, &mut bytes)) {
        Some(Ok(_)) => desk.say(format_args!("asker: still there")),
        Some(Err(error)) => desk.say(format_args!("asker: denied: {error}")),
        None => desk.say(format_args!("asker: nothing was given")),
    }
}
