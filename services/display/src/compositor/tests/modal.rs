//! Prompts and the locked screen.

use nonos_proto::lock::state;

use super::*;
use crate::compositor::prompt::QUIET_NS;

/// The program that asks in the system's name; the programs of the others are 1 and 2.
const ASKER: u64 = 3;

/// A desk with the window of program 1, which has the keyboard, and a prompt about program 2.
fn prompted() -> (Desk, u32, u32) {
    let mut desk = Desk::new();
    let window = desk.shown(1);
    let prompt = prompt(&mut desk);
    desk.events(1);
    desk.events(ASKER);
    (desk, window, prompt)
}

fn prompt(desk: &mut Desk) -> u32 {
    let prompt = desk.open(ASKER, 100, 80);
    let subject = Identity {
        process: 2,
        ..Identity::default()
    };
    let placed = desk.compositor.place_prompt(ASKER, prompt.into(), subject);
    placed.unwrap();
    desk.present(ASKER, prompt);
    prompt
}

fn wait(desk: &mut Desk) {
    desk.now_ns = desk.compositor.wake_ns().unwrap();
    desk.compositor.tick(desk.now_ns);
}

#[test]
fn a_prompt_gets_keys_only_after_the_user_pressed_nothing_for_a_while() {
    let (mut desk, window, prompt) = prompted();
    for _ in 0..5 {
        desk.now_ns += QUIET_NS - 1;
        desk.key(A, key_state::DOWN);
    }
    assert_eq!(desk.compositor.focus, Some(window));
    assert_eq!(desk.kinds(ASKER), []);
    assert_eq!(
        desk.kinds(1).len(),
        5,
        "the keys went where they went before"
    );
    assert_eq!(desk.compositor.wake_ns(), Some(desk.now_ns + QUIET_NS));
    desk.compositor.tick(desk.now_ns + QUIET_NS - 1);
    assert_eq!(desk.compositor.focus, Some(window));
    desk.now_ns += QUIET_NS;
    // Without anyone having woken the compositor.
    desk.press(&[usage::ENTER]);
    assert_eq!(desk.compositor.focus, Some(prompt));
    assert_eq!(desk.kinds(ASKER), [event::FOCUS, event::KEY, event::KEY]);
    assert_eq!(desk.kinds(1), [event::FOCUS]);
    assert_eq!(desk.compositor.wake_ns(), None);
}

#[test]
fn a_press_that_was_meant_for_something_else_answers_no_prompt() {
    let (mut desk, _, prompt) = prompted();
    let place = desk.content(prompt);
    let (x, y) = (place.x + 20, place.y + 20);
    desk.click(x, y);
    assert_eq!(desk.kinds(ASKER), []);
    wait(&mut desk);
    desk.events(ASKER);
    desk.click(x, y);
    assert!(desk.kinds(ASKER).contains(&event::POINTER));
}

#[test]
fn nothing_but_the_prompt_hears_of_anything_or_takes_its_keyboard() {
    let (mut desk, window, prompt) = prompted();
    wait(&mut desk);
    desk.events(1);
    let before = desk.content(window);
    // Beside the prompt, on the window and its title, and with the keys of windows.
    desk.drag(
        (before.x + 2, before.y - 10),
        (before.x + 90, before.y + 90),
    );
    desk.click(before.x + 2, before.y + 2);
    desk.press(&[ALT, usage::TAB]);
    desk.press(&[usage::LEFT_SUPER]);
    assert!(!desk.compositor.take_notice().launcher);
    // A program that starts, one that asks for it, and the desktop.
    desk.shown(2);
    desk.compositor
        .act(window.into(), action::ACTIVATE)
        .unwrap();
    assert_eq!(desk.compositor.focus, Some(prompt));
    assert_eq!(desk.content(window), before);
    assert_eq!(desk.kinds(1), []);
    let top = desk.compositor.windows.last().unwrap().id;
    assert_eq!(top, prompt, "and nothing is before it");
}

#[test]
fn everything_behind_a_prompt_is_dimmed_and_comes_back() {
    let (mut desk, window, prompt) = prompted();
    desk.draw();
    let place = desk.content(window);
    let color = desk.colors.0[&desk.compositor.window(window).unwrap().surface.id];
    let corner = (place.x + 1, place.bottom() - 20);
    let inside = desk.content(prompt).contains(corner.0, corner.1);
    assert!(!inside, "the prompt does not cover it");
    assert_eq!(desk.pixel(corner.0, corner.1), color >> 1 & 0x7F_7F7F);
    wait(&mut desk);
    desk.compositor.close(ASKER, prompt.into()).unwrap();
    desk.draw();
    assert_eq!(desk.pixel(corner.0, corner.1), color);
    assert_eq!(desk.compositor.focus, Some(window), "with the keyboard");
}

#[test]
fn there_is_one_prompt_at_a_time_and_its_frame_names_who_asks() {
    let (mut desk, _, _) = prompted();
    wait(&mut desk);
    let second = desk.open(ASKER, 10, 10);
    let placed = desk
        .compositor
        .place_prompt(ASKER, second.into(), Identity::default());
    assert_eq!(placed, Err(Refusal::InUse));
    let (_, identity) = desk.compositor.focused_program().unwrap();
    assert_eq!(identity.process, 2, "so does the bar");
    // The menu ends who asks, not the system's program.
    desk.press(&[CONTROL, ALT, usage::ESCAPE]);
    desk.press(&[usage::DOWN]);
    desk.press(&[usage::ENTER]);
    assert_eq!(desk.compositor.take_actions(), [Action::End(2)]);
}

#[test]
fn no_pixel_key_or_button_reaches_a_program_while_the_screen_is_locked() {
    let mut desk = Desk::new();
    let window = desk.shown(1);
    desk.draw();
    let lit: Vec<u32> = desk.colors.0.values().copied().collect();
    desk.press(&[usage::LEFT_SUPER, usage::L]);
    assert_eq!(desk.compositor.lock_state(), state::LOCKED);
    assert!(desk.compositor.take_notice().locked);
    desk.events(1);
    let place = desk.content(window);
    desk.click(place.x + 5, place.y + 5);
    desk.press(&[A]);
    desk.press(&[CONTROL, usage::V]);
    desk.press(&[ALT, usage::TAB]);
    desk.shown(2);
    desk.compositor
        .act(window.into(), action::ACTIVATE)
        .unwrap();
    desk.draw();
    assert_eq!(desk.kinds(1), []);
    assert_eq!(desk.kinds(2), []);
    assert!(!desk.screen.iter().any(|pixel| lit.contains(pixel)));
    // The program that asks for the passphrase, alone.
    let asks = desk.open(ASKER, 200, 100);
    desk.compositor.place_lock(ASKER, asks.into()).unwrap();
    desk.present(ASKER, asks);
    desk.press(&[A]);
    assert_eq!(desk.kinds(ASKER), [event::FOCUS, event::KEY, event::KEY]);
    // When it ends the screen stays as it is.
    desk.compositor.disconnect(ASKER);
    desk.press(&[A]);
    desk.draw();
    assert_eq!(desk.kinds(1), []);
    assert_eq!(desk.compositor.lock_state(), state::LOCKED);
    assert!(!desk.screen.iter().any(|pixel| lit.contains(pixel)));
    desk.compositor.unlock(desk.now_ns);
    desk.press(&[A]);
    assert_eq!(desk.compositor.focus, Some(window));
    assert!(desk.kinds(1).contains(&event::KEY));
    assert_ne!(window, 0);
}

#[test]
fn a_prompt_waits_behind_the_lock() {
    let (mut desk, window, prompt) = prompted();
    wait(&mut desk);
    desk.press(&[usage::LEFT_SUPER, usage::L]);
    desk.events(ASKER);
    desk.now_ns += QUIET_NS;
    desk.press(&[usage::ENTER]);
    assert_eq!(desk.kinds(ASKER), []);
    assert_eq!(desk.compositor.wake_ns(), None);
    desk.compositor.unlock(desk.now_ns);
    assert_eq!(desk.compositor.focus, Some(window));
    wait(&mut desk);
    assert_eq!(desk.compositor.focus, Some(prompt));
}

#[test]
fn the_compositor_starts_locked() {
    let mut compositor = Compositor::new(WIDTH, HEIGHT, Machine::default());
    assert_eq!(compositor.lock_state(), state::STARTED);
    compositor.connect(1, Identity::default());
    assert_eq!(compositor.focus, None);
    // The menu offers what is done to the machine, and no more.
    let mut desk = Desk::new();
    desk.shown(1);
    desk.compositor.lock();
    desk.press(&[CONTROL, ALT, usage::ESCAPE]);
    let choices = &desk.compositor.menu.as_ref().unwrap().choices;
    assert!(!choices.contains(&crate::menu::Choice::EndProgram));
    assert_eq!(choices.len(), 3);
}

#[test]
fn the_screen_says_that_the_machine_ends_before_it_does() {
    let mut desk = Desk::new();
    desk.shown(1);
    desk.draw();
    let lit: Vec<u32> = desk.colors.0.values().copied().collect();
    desk.press(&[CONTROL, ALT, usage::ESCAPE]);
    desk.press(&[usage::UP]);
    desk.press(&[usage::ENTER]);
    assert_eq!(desk.draw(), [Action::PowerOff]);
    assert!(!desk.screen.iter().any(|pixel| lit.contains(pixel)));
    desk.compositor.go_on();
    desk.draw();
    assert!(desk.screen.iter().any(|pixel| lit.contains(pixel)));
}

#[test]
fn notifications_name_their_program_end_and_are_limited() {
    let mut desk = Desk::new();
    desk.draw();
    let before = desk.screen.clone();
    let at = (WIDTH - 100, points::BAR + points::GAP + 20);
    desk.compositor.notify(1, "one", desk.now_ns).unwrap();
    desk.draw();
    assert_ne!(desk.screen, before);
    let again = desk.compositor.notify(1, "two", desk.now_ns + 999_999_999);
    assert_eq!(again, Err(Refusal::TooSoon));
    desk.compositor.notify(2, "two", desk.now_ns).unwrap();
    desk.compositor.notify(3, "three", desk.now_ns).unwrap();
    desk.now_ns += 1_000_000_000;
    desk.compositor.notify(1, "again", desk.now_ns).unwrap();
    desk.compositor.connect(
        4,
        Identity {
            process: 4,
            ..Identity::default()
        },
    );
    let full = desk.compositor.notify(4, "four", desk.now_ns);
    assert_eq!(full, Err(Refusal::Full));
    let long = desk.compositor.notify(2, &"x".repeat(161), desk.now_ns);
    assert_eq!(long, Err(Refusal::TooLong));
    // A click takes one away, and is for nothing else.
    let window = desk.shown(1);
    desk.compositor.move_to(window, at.0 - 50, at.1);
    desk.events(1);
    desk.click(at.0, at.1);
    desk.now_ns += 1_000_000_000;
    assert!(desk.compositor.notify(4, "five", desk.now_ns).is_ok());
    let pressed = |e: &Event| e[0] & 0xFF == event::POINTER && e[2] != 0;
    assert!(!desk.events(1).iter().any(pressed));
    desk.compositor.close(1, window.into()).unwrap();
    // They end, and nobody has to look.
    while let Some(at_ns) = desk.compositor.wake_ns() {
        desk.now_ns = at_ns;
        desk.compositor.tick(at_ns);
    }
    desk.point(WIDTH / 2, HEIGHT / 2, 0);
    desk.draw();
    assert_eq!(desk.screen, before);
    desk.compositor
        .notify(2, "six", desk.now_ns + 2_000_000_000)
        .unwrap();
    desk.compositor.lock();
    desk.compositor.unlock(desk.now_ns);
    desk.draw();
    assert_eq!(desk.screen, before, "the lock took it away");
    desk.compositor.lock();
    let locked = desk
        .compositor
        .notify(3, "seven", desk.now_ns + 9_000_000_000);
    assert_eq!(locked, Err(Refusal::Locked));
}

#[test]
fn the_pointer_moves_as_fast_as_it_is_set_to_and_loses_nothing() {
    let mut desk = Desk::new();
    let before = (desk.compositor.pointer.x, desk.compositor.pointer.y);
    let moves = |desk: &mut Desk| {
        for _ in 0..7 {
            desk.compositor.point([1, -3, 0], 0, desk.now_ns);
        }
        let pointer = &desk.compositor.pointer;
        (pointer.x - before.0, pointer.y - before.1)
    };
    assert_eq!(moves(&mut desk), (7, -21));
    desk.compositor.set_pointer_speed(0).unwrap();
    assert_eq!(moves(&mut desk), (7 + 3, -21 - 10));
    assert_eq!(desk.compositor.pointer_speed(), 0);
    assert!(desk.compositor.set_pointer_speed(4).is_err());
}
