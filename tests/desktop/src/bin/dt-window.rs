//! A program that shows a window and says what it hears. Its colour is that of the last key. It copies a text with Ctrl+C, and says what
//! is pasted.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use desktop_clients::{Desk, Window};
use nonos_proto::CallError;
use nonos_proto::display::{event, modifiers};
use nonos_proto::input::key_state;

nonos_rt::entry!(main);

fn main() -> u64 {
    u64::from(run().is_err())
}

fn run() -> Result<(), CallError> {
    let mut desk = Desk::connect()?;
    let mut window = desk.open(360, 240, "A window for tests – naïve café", 0x30_A060)?;
    desk.say(format_args!("window {} is open", window.surface.window));
    let mut pressed = false;
    loop {
        let mut events = [None; 64];
        let mut count = 0;
        desk.wait(|event| {
            if let Some(slot) = events.get_mut(count) {
                *slot = Some(event);
                count += 1;
            }
        })?;
        for [first, a, b, c] in events.into_iter().flatten() {
            match first & 0xFF {
                event::KEY if b & 0xFF != key_state::UP => {
                    let typed = u32::try_from(c).ok().and_then(char::from_u32);
                    let typed = typed.filter(|&c| c > ' ').unwrap_or('-');
                    window.fill(0x30_0000 | (a as u32 * 0x0103) & 0xFFFF);
                    desk.present(&window)?;
                    desk.say(format_args!("key {a:#x} {:#x} {typed}", b >> 8));
                    if (b >> 8, typed) == (modifiers::CONTROL, 'c') {
                        desk.display.copy(b"of the user")?;
                        desk.say(format_args!("copied"));
                    }
                }
                event::POINTER => {
                    let (x, y) = (a as u16 as i16, (a >> 16) as u16 as i16);
                    if b != 0 || pressed {
                        desk.say(format_args!("pointer {x} {y} {b}"));
                    }
                    pressed = b != 0;
                    if c != 0 {
                        desk.say(format_args!("wheel {}", c as i64));
                    }
                }
                event::PASTE => {
                    let mut out = [0; 64];
                    let length = desk.display.paste(&mut out)? as usize;
                    let text = out.get(..length).unwrap_or_default();
                    let text = core::str::from_utf8(text).unwrap_or("?");
                    desk.say(format_args!("pasted {text}"));
                }
                event::FOCUS => desk.say(format_args!("focus {a}")),
                event::RESIZE => {
                    let surface = desk.display.resize(window.surface.window, a, b)?;
                    window = Window::new(surface)?;
                    window.fill(0x30_60A0);
                    desk.present(&window)?;
                    desk.say(format_args!("size {a} {b}"));
                }
                event::CLOSE => {
                    desk.display.close(window.surface.window)?;
                    desk.say(format_args!("closed"));
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}
