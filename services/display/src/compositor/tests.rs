mod modal;

use std::collections::HashMap;
use std::vec;

use nonos_proto::Refusal;
use nonos_proto::desktop::{action, layer, window_state};
use nonos_proto::input::{buttons, key_state};
use nonos_proto::usage;

use super::*;
use crate::client::Event;
use crate::window::Surface;

const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;

/// Glyphs that are not there.
struct NoAtlas;

impl Atlas for NoAtlas {
    fn read(&self, _: usize, out: &mut [u32]) {
        out.fill(0);
    }

    fn ensure(&self, _: &[nonos_proto::fonts::Key]) {}
}

/// Surfaces of one colour each.
#[derive(Default)]
struct Colors(HashMap<u32, u32>);

impl Surfaces for Colors {
    fn read(&self, surface: u32, _: usize, out: &mut [u32]) {
        out.fill(
            *self
                .0
                .get(&surface)
                .expect("only surfaces that exist are read"),
        );
    }
}

/// A compositor with a screen, and the programs' surfaces.
struct Desk {
    compositor: Compositor,
    colors: Colors,
    screen: Vec<u32>,
    now_ns: u64,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Self {
            compositor: Compositor::new(WIDTH, HEIGHT, Machine::default()),
            colors: Colors::default(),
            screen: vec![0xDEAD; (WIDTH * HEIGHT) as usize],
            now_ns: 10_000_000_000,
        };
        desk.compositor.unlock(desk.now_ns);
        for key in 1..=3 {
            let identity = Identity {
                process: key,
                ..Identity::default()
            };
            desk.compositor.connect(key, identity);
        }
        desk
    }

    /// Draws what changed, and does what is to be done.
    fn draw(&mut self) -> Vec<Action> {
        let actions = self.compositor.take_actions();
        for action in &actions {
            if let Action::Release(id) = action {
                self.colors
                    .0
                    .remove(id)
                    .expect("a surface is given up once");
            }
        }
        let (screen, mut line) = (&mut self.screen, vec![0; WIDTH as usize]);
        self.compositor
            .draw(&NoAtlas, &self.colors, &mut line, |x, y, pixels| {
                let at = (y * WIDTH + x) as usize;
                screen[at..at + pixels.len()].copy_from_slice(pixels);
            });
        actions
    }

    fn surface(&mut self, width: i32, height: i32) -> Surface {
        let id = self.colors.0.keys().max().map_or(1, |last| last + 1);
        self.colors.0.insert(id, 0x10_0000 + id);
        Surface { id, width, height }
    }

    /// A window of a program that is not shown yet.
    fn open(&mut self, key: u64, width: i32, height: i32) -> u32 {
        let surface = self.surface(width, height);
        self.compositor.open(key, surface, "a window")
    }

    fn present(&mut self, key: u64, id: u32) {
        let all = Rect::new(0, 0, WIDTH, HEIGHT);
        self.compositor
            .present(key, id.into(), [all, Rect::default()], self.now_ns)
            .unwrap();
    }

    fn shown(&mut self, key: u64) -> u32 {
        let id = self.open(key, 200, 150);
        self.present(key, id);
        id
    }

    fn key(&mut self, usage: u8, state: u64) {
        self.compositor.key(usage.into(), state, self.now_ns);
    }

    fn press(&mut self, keys: &[u8]) {
        keys.iter().for_each(|&key| self.key(key, key_state::DOWN));
        keys.iter()
            .rev()
            .for_each(|&key| self.key(key, key_state::UP));
    }

    /// Moves the pointer to a place with these buttons down.
    fn point(&mut self, x: i32, y: i32, down: u64) {
        let pointer = &self.compositor.pointer;
        let by = [i64::from(x - pointer.x), i64::from(y - pointer.y), 0];
        self.compositor.point(by, down, self.now_ns);
    }

    fn click(&mut self, x: i32, y: i32) {
        self.point(x, y, 0);
        self.point(x, y, buttons::LEFT);
        self.point(x, y, 0);
    }

    fn drag(&mut self, from: (i32, i32), to: (i32, i32)) {
        self.point(from.0, from.1, 0);
        self.point(from.0, from.1, buttons::LEFT);
        self.point(to.0, to.1, buttons::LEFT);
        self.point(to.0, to.1, 0);
    }

    fn content(&self, id: u32) -> Rect {
        self.compositor.window(id).unwrap().content()
    }

    fn events(&mut self, key: u64) -> Vec<Event> {
        std::iter::from_fn(|| self.compositor.next_event(key)).collect()
    }

    fn kinds(&mut self, key: u64) -> Vec<u64> {
        self.events(key)
            .iter()
            .map(|event| event[0] & 0xFF)
            .collect()
    }

    fn pixel(&self, x: i32, y: i32) -> u32 {
        self.screen[(y * WIDTH + x) as usize]
    }
}

const A: u8 = usage::A;
const CONTROL: u8 = usage::LEFT_CONTROL;
const ALT: u8 = usage::LEFT_ALT;

#[test]
fn keys_reach_the_focused_window_alone_and_stop_when_it_loses_the_keyboard() {
    let mut desk = Desk::new();
    let (first, second) = (desk.shown(1), desk.shown(2));
    desk.events(1);
    desk.events(2);
    desk.press(&[A]);
    assert_eq!(desk.kinds(1), []);
    assert_eq!(desk.kinds(2), [event::KEY, event::KEY]);
    // The key is still down when the other window gets the keyboard: neither hears of its release.
    desk.key(A, key_state::DOWN);
    desk.compositor.activate(first);
    desk.key(A, key_state::UP);
    assert_eq!(desk.kinds(2), [event::KEY, event::FOCUS]);
    assert_eq!(desk.kinds(1), [event::FOCUS]);
    assert_ne!(first, second);
}

#[test]
fn a_program_that_opens_a_window_while_the_user_types_does_not_get_the_keyboard() {
    let mut desk = Desk::new();
    let first = desk.shown(1);
    desk.press(&[A]);
    desk.shown(2);
    assert_eq!(desk.compositor.focus, Some(first));
    assert_eq!(
        desk.compositor.windows.last().unwrap().id,
        first,
        "and is behind"
    );
    // Not even its second window, however long the user waits.
    desk.now_ns += 60_000_000_000;
    desk.shown(2);
    assert_eq!(desk.compositor.focus, Some(first));
    // One that starts then does, and so does one that was started by a line that was sent off.
    let third = desk.shown(3);
    assert_eq!(desk.compositor.focus, Some(third));
    // A program that closes its first window has no other first one.
    desk.compositor.activate(first);
    desk.compositor.close(3, third.into()).unwrap();
    desk.shown(3);
    assert_eq!(desk.compositor.focus, Some(first));
}

#[test]
fn a_line_that_was_sent_off_is_no_typing() {
    let mut desk = Desk::new();
    desk.shown(1);
    desk.press(&[A]);
    desk.press(&[usage::ENTER]);
    let second = desk.shown(2);
    assert_eq!(desk.compositor.focus, Some(second));
}

#[test]
fn windows_of_others_are_refused() {
    let mut desk = Desk::new();
    let id = u64::from(desk.shown(1));
    let surface = desk.surface(10, 10);
    let compositor = &mut desk.compositor;
    let part = Rect::new(0, 0, 1, 1);
    for result in [
        compositor.present(2, id, [part; 2], 0),
        compositor.resize(2, id, surface),
        compositor.retitle(2, id, "mine"),
        compositor.limit(2, id, [0; 4]),
        compositor.shape(2, id, 1),
        compositor.close(2, id),
        compositor.place(2, id, layer::DOCK),
        compositor.check_window(2, id),
        compositor.present(1, id + (1 << 32), [part; 2], 0),
    ] {
        assert_eq!(result, Err(Refusal::NoSuchWindow));
    }
}

#[test]
fn surfaces_and_windows_are_limited() {
    let mut desk = Desk::new();
    let (width, height) = (WIDTH as u64, HEIGHT as u64);
    assert_eq!(
        desk.compositor.check_surface(1, 0, 1),
        Err(Refusal::TooLarge)
    );
    assert_eq!(
        desk.compositor.check_surface(1, 1 << 40, 1 << 40),
        Err(Refusal::TooLarge)
    );
    for _ in 0..4 {
        desk.compositor.check_surface(1, width, height).unwrap();
        desk.open(1, WIDTH, HEIGHT);
    }
    assert_eq!(
        desk.compositor.check_surface(1, 1, 1),
        Err(Refusal::OutOfStorage)
    );
    assert!(
        desk.compositor.check_surface(2, 1, 1).is_ok(),
        "others have their own share"
    );
    for _ in 0..crate::client::WINDOWS {
        desk.compositor.check_windows(2).unwrap();
        desk.open(2, 1, 1);
    }
    assert_eq!(desk.compositor.check_windows(2), Err(Refusal::Full));
}

#[test]
fn a_window_is_moved_by_its_title_and_stays_reachable() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    let content = desk.content(id);
    let title = (content.x + 20, content.y - 10);
    desk.drag(title, (title.0 + 30, title.1 + 40));
    assert_eq!(desk.content(id), content.moved(30, 40));
    for to in [(-5000, -5000), (5000, 5000)] {
        let content = desk.content(id);
        desk.drag((content.x.max(0) + 20, content.y - 10), to);
        desk.draw();
        let frame = desk.compositor.window(id).unwrap().frame(1);
        assert!(frame.y >= points::BAR, "below the bar");
        assert!(!frame.intersect(Rect::new(0, 0, WIDTH, HEIGHT)).is_empty());
    }
}

#[test]
fn a_size_is_asked_for_and_the_other_edges_stay() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    let content = desk.content(id);
    desk.events(1);
    let corner = (content.x - 2, content.bottom());
    desk.drag(corner, (corner.0 - 50, corner.1 + 30));
    let wanted = desk.events(1);
    assert_eq!(
        wanted.last(),
        Some(&[event::RESIZE | u64::from(id) << 8, 250, 180, 0])
    );
    assert_eq!(desk.content(id), content, "until the program agrees");
    let surface = desk.surface(250, 180);
    desk.compositor.resize(1, id.into(), surface).unwrap();
    assert_eq!(desk.content(id), content, "until it has drawn");
    desk.present(1, id);
    assert_eq!(
        desk.content(id),
        Rect::new(content.x - 50, content.y, 250, 180)
    );
    assert_eq!(desk.draw().len(), 1, "the old surface is given up");
}

#[test]
fn buttons_of_the_title_do_what_they_show() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    desk.events(1);
    let press = |desk: &mut Desk, index: i32| {
        let frame = desk.compositor.window(id).unwrap().frame(1);
        let place = crate::window::button(frame, index, 1);
        desk.click(place.x + 10, place.y + 10);
    };
    press(&mut desk, 1);
    assert_eq!(desk.events(1).last().unwrap()[0] & 0xFF, event::RESIZE);
    assert!(desk.compositor.window(id).unwrap().restore.is_some());
    press(&mut desk, 0);
    assert!(desk.kinds(1).contains(&event::CLOSE));
    press(&mut desk, 2);
    assert!(!desk.compositor.window(id).unwrap().visible());
    assert_eq!(desk.compositor.focus, None);
    desk.press(&[ALT, usage::TAB]);
    assert_eq!(desk.compositor.focus, Some(id), "and back");
}

#[test]
fn a_button_that_is_released_elsewhere_does_nothing() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    desk.events(1);
    let frame = desk.compositor.window(id).unwrap().frame(1);
    desk.drag(
        (frame.right() - 10, frame.y + 10),
        (frame.right() - 100, frame.y + 10),
    );
    assert!(!desk.kinds(1).contains(&event::CLOSE));
}

#[test]
fn alt_tab_goes_round() {
    let mut desk = Desk::new();
    let ids = [desk.shown(1), desk.shown(2), desk.shown(3)];
    desk.press(&[ALT, usage::TAB]);
    assert_eq!(desk.compositor.focus, Some(ids[1]));
    desk.press(&[ALT, usage::TAB]);
    assert_eq!(desk.compositor.focus, Some(ids[2]), "the one before");
    desk.press(&[ALT, usage::TAB, usage::TAB]);
    assert_eq!(desk.compositor.focus, Some(ids[0]));
}

#[test]
fn the_secure_keys_open_the_menu_which_takes_all_input() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    desk.events(1);
    desk.press(&[CONTROL, ALT, usage::ESCAPE]);
    assert!(desk.compositor.menu.is_some());
    let before = desk.kinds(1).len();
    desk.press(&[A]);
    desk.compositor.move_to(id, 5, 100);
    desk.click(6, 101);
    assert_eq!(
        desk.kinds(1),
        [],
        "after {before} events of the keys that opened it"
    );
    desk.press(&[usage::DOWN]);
    desk.press(&[usage::ENTER]);
    assert!(desk.compositor.menu.is_none());
    assert_eq!(desk.draw(), [Action::End(1)]);
}

#[test]
fn no_program_draws_over_bar_or_menu() {
    let mut desk = Desk::new();
    // All that a program can try: larger than the screen, the wallpaper, the launcher.
    for (index, of) in [
        layer::WALLPAPER,
        layer::DOCK,
        layer::LAUNCHER,
        layer::NOTIFICATIONS,
    ]
    .into_iter()
    .enumerate()
    {
        let id = desk.open(1 + index as u64 % 3, WIDTH, HEIGHT * 2);
        desk.compositor
            .place(1 + index as u64 % 3, id.into(), of)
            .unwrap();
        desk.present(1 + index as u64 % 3, id);
    }
    let id = desk.open(1, WIDTH * 2, HEIGHT * 2);
    desk.present(1, id);
    desk.drag((300, 300), (300, 0));
    desk.compositor.open_menu();
    desk.draw();
    let programs = |pixel: u32| pixel & 0xFF_FF00 == 0x10_0000;
    assert!(desk.screen.iter().any(|&pixel| programs(pixel)));
    let menu = desk
        .compositor
        .menu_place()
        .inset(points::RADIUS, points::RADIUS);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            if y < points::BAR || menu.contains(x, y) {
                assert!(!programs(desk.pixel(x, y)), "{x} {y}");
            }
        }
    }
}

#[test]
fn the_clipboard_is_for_who_the_user_copies_and_pastes_with() {
    let mut desk = Desk::new();
    let now = desk.now_ns;
    desk.shown(1);
    assert_eq!(
        desk.compositor.copy(1, b"x".to_vec(), now),
        Err(Refusal::NotAskedByUser)
    );
    desk.press(&[CONTROL, usage::C]);
    desk.compositor.copy(1, "käse".into(), now).unwrap();
    assert_eq!(
        desk.compositor.copy(2, b"x".to_vec(), now),
        Err(Refusal::NotAskedByUser)
    );
    assert_eq!(
        desk.compositor.copy(1, vec![0xFF], now),
        Err(Refusal::Malformed)
    );
    let second = desk.shown(2);
    assert_eq!(desk.compositor.paste(2, 100), Err(Refusal::NotAskedByUser));
    desk.compositor.activate(second);
    desk.events(2);
    desk.press(&[CONTROL, usage::V]);
    let kinds = desk.kinds(2);
    assert!(kinds.contains(&event::PASTE));
    assert_eq!(
        kinds.iter().filter(|&&kind| kind == event::KEY).count(),
        2,
        "Control alone"
    );
    assert_eq!(desk.compositor.paste(1, 100), Err(Refusal::NotAskedByUser));
    assert_eq!(desk.compositor.paste(2, 1), Err(Refusal::TooShort));
    assert_eq!(desk.compositor.paste(2, 100), Ok("käse".as_bytes()));
    assert_eq!(
        desk.compositor.paste(2, 100),
        Err(Refusal::NotAskedByUser),
        "once"
    );
}

#[test]
fn a_program_that_the_user_lets_paste_does_it_once_and_while_it_has_the_keyboard() {
    let mut desk = Desk::new();
    let now = desk.now_ns;
    let first = desk.shown(1);
    desk.press(&[usage::C]);
    desk.compositor.copy(1, "text".into(), now).unwrap();
    let second = desk.shown(2);
    desk.compositor.activate(second);
    desk.events(2);
    desk.compositor.let_paste(2, None).unwrap();
    assert_eq!(desk.kinds(2), [event::PASTE]);
    assert_eq!(desk.compositor.paste(2, 100), Ok("text".as_bytes()));
    let denied = Err(Refusal::NotAskedByUser);
    assert_eq!(desk.compositor.paste(2, 100), denied, "once");
    // One that may do it without a question, only when the user just did something there.
    let (again, much_later) = (Some(desk.now_ns), Some(desk.now_ns + 60_000_000_000));
    assert_eq!(
        desk.compositor.let_paste(2, again),
        Err(Refusal::NotAskedByUser)
    );
    desk.press(&[usage::A]);
    let again = Some(desk.now_ns);
    assert_eq!(
        desk.compositor.let_paste(2, much_later),
        Err(Refusal::NotAskedByUser)
    );
    assert_eq!(desk.compositor.let_paste(2, again), Ok(()));
    desk.compositor.activate(first);
    assert_eq!(
        desk.compositor.paste(2, 100),
        denied,
        "not without the keyboard"
    );
    for now in [None, again] {
        assert_eq!(
            desk.compositor.let_paste(2, now),
            Err(Refusal::NotAskedByUser)
        );
    }
    assert_eq!(
        desk.compositor.let_paste(9, None),
        Err(Refusal::NotAskedByUser)
    );
}

#[test]
fn a_secret_is_on_the_clipboard_for_its_time_and_what_was_copied_after_it_stays() {
    let mut desk = Desk::new();
    let now = desk.now_ns;
    desk.shown(1);
    let mut copy = |text: &str, until_ns: Option<u64>| {
        desk.press(&[CONTROL, usage::C]);
        let compositor = &mut desk.compositor;
        compositor.copy(1, text.into(), desk.now_ns).unwrap();
        if let Some(until_ns) = until_ns {
            compositor.keep_clipboard_until(until_ns);
        }
        compositor.expire_clipboard(now + 99);
        let before = compositor.clipboard.clone();
        compositor.expire_clipboard(now + 100);
        (before, compositor.clipboard.clone())
    };
    let secret = (b"secret".to_vec(), Vec::new());
    assert_eq!(copy("secret", Some(now + 100)), secret);
    let both = (b"text".to_vec(), b"text".to_vec());
    assert_eq!(copy("text", None), both, "for good");
    assert_eq!(copy("secret", Some(now + 101)).1, b"secret");
    assert_eq!(copy("text", None), both, "in place of the secret");
}

#[test]
fn the_pointer_is_told_to_the_focused_window_and_to_the_desktop() {
    let mut desk = Desk::new();
    let (first, second) = (desk.shown(1), desk.shown(2));
    let place = desk.content(second);
    desk.compositor
        .move_to(second, place.x + 120, place.y + 100);
    desk.events(1);
    desk.events(2);
    let content = desk.content(first);
    desk.point(content.x + 5, content.y + 6, 0);
    assert_eq!(desk.kinds(1), [], "it has not the keyboard");
    desk.click(content.x + 5, content.y + 6);
    let events = desk.events(1);
    let pressed = [
        event::POINTER | u64::from(first) << 8,
        5 | 6 << 16,
        buttons::LEFT,
        0,
    ];
    assert!(events.contains(&pressed), "{events:?}");
    // What was pressed in it goes on outside of it.
    desk.point(content.x + 5, content.y + 6, buttons::LEFT);
    desk.point(content.x - 1, content.y - 2, buttons::LEFT);
    let outside = [
        event::POINTER | u64::from(first) << 8,
        0xFFFF | 0xFFFE << 16,
        buttons::LEFT,
        0,
    ];
    assert!(desk.events(1).contains(&outside));
    desk.point(1, 400, 0);
    assert_eq!(desk.kinds(1).last(), Some(&event::LEAVE));
}

#[test]
fn a_title_cannot_turn_the_text_around_it() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    desk.compositor
        .retitle(1, id.into(), "a\u{202E}b\nc\u{200B}")
        .unwrap();
    assert_eq!(desk.compositor.window(id).unwrap().title, "abc");
}

#[test]
fn what_a_program_had_is_gone_with_it() {
    let mut desk = Desk::new();
    let first = desk.shown(1);
    desk.shown(2);
    let surface = desk.surface(10, 10);
    let id = desk.compositor.windows.last().unwrap().id;
    desk.compositor.resize(2, id.into(), surface).unwrap();
    desk.compositor.disconnect(2);
    assert_eq!(desk.draw().len(), 2, "both surfaces");
    assert_eq!(desk.compositor.focus, Some(first));
    assert!(!desk.compositor.knows(2));
}

/// A generator for tests (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % limit
    }
}

/// One thing that a program, the desktop or the user does.
fn random_step(desk: &mut Desk, random: &mut Random) {
    let key = 1 + random.below(3);
    let last = u64::from(desk.compositor.last_window);
    let window = 1 + random.below(last.max(1) + 1);
    desk.now_ns += random.below(1_000_000_000);
    let now = desk.now_ns;
    match random.below(14) {
        0 | 1 => {
            let (width, height) = (1 + random.below(400), 1 + random.below(300));
            let allowed = desk.compositor.check_windows(key).is_ok()
                && desk.compositor.check_surface(key, width, height).is_ok();
            if allowed {
                let id = desk.open(key, width as i32, height as i32);
                if random.below(4) == 0 {
                    let _ = desk.compositor.place(key, id.into(), random.below(5));
                }
                desk.present(key, id);
            }
        }
        2 | 3 => {
            let [part, other] = [(); 2].map(|()| {
                let [x, y, width] = [(); 3].map(|()| random.below(300) as i32);
                Rect::new(x, y, width, 50)
            });
            let _ = desk.compositor.present(key, window, [part, other], now);
        }
        4 => {
            let surface = desk.surface(1 + random.below(500) as i32, 1 + random.below(400) as i32);
            if desk.compositor.resize(key, window, surface).is_err() {
                desk.colors.0.remove(&surface.id);
            }
        }
        5 if random.below(2) == 0 => desk.compositor.tick(now),
        5 => drop(desk.compositor.retitle(key, window, "another")),
        6 => drop(desk.compositor.act(window, 1 + random.below(4))),
        7 if random.below(3) == 0 => drop(desk.compositor.close(key, window)),
        7 => drop(
            desk.compositor
                .limit(key, window, [random.below(300), 0, random.below(300), 0]),
        ),
        8 => drop(
            desk.compositor
                .set_look(random.below(4), 1 + random.below(2)),
        ),
        9 if random.below(4) == 0 => {
            desk.compositor.disconnect(key);
            desk.compositor.connect(key, Identity::default());
        }
        9 | 10 => {
            const KEYS: [u8; 14] = [
                A,
                ALT,
                CONTROL,
                usage::TAB,
                usage::LEFT_SUPER,
                usage::UP,
                usage::LEFT,
                usage::DOWN,
                usage::F7,
                usage::F8,
                usage::ESCAPE,
                usage::ENTER,
                usage::SPACE,
                usage::F4,
            ];
            let key = KEYS[random.below(KEYS.len() as u64) as usize];
            desk.key(key, random.below(3));
        }
        _ => {
            let by = [
                random.below(300) as i64 - 150,
                random.below(300) as i64 - 150,
                0,
            ];
            desk.compositor.point(by, random.below(4) & 1, now);
        }
    }
}

#[test]
fn what_is_drawn_by_damage_is_what_is_drawn_at_once() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let mut desk = Desk::new();
        for step in 0..150 {
            random_step(&mut desk, &mut random);
            if random.below(3) > 0 {
                continue;
            }
            desk.draw();
            let by_damage = desk.screen.clone();
            desk.compositor.damage.add(desk.compositor.screen);
            desk.screen.fill(0xDEAD);
            desk.draw();
            let wrong = by_damage.iter().zip(&desk.screen).position(|(a, b)| a != b);
            assert_eq!(
                wrong.map(|at| (at as i32 % WIDTH, at as i32 / WIDTH)),
                None,
                "seed {seed} step {step}"
            );
        }
    }
}

#[test]
fn surfaces_are_given_up_when_nobody_shows_them() {
    let mut random = Random(99);
    let mut desk = Desk::new();
    for _ in 0..3000 {
        random_step(&mut desk, &mut random);
        desk.draw();
        let windows = desk.compositor.windows.iter();
        let used: usize = windows
            .map(|window| 1 + usize::from(window.next.is_some()))
            .sum();
        assert_eq!(desk.colors.0.len(), used);
    }
    assert_eq!(action::CLOSE, 3, "random acts reach past the last");
}

#[test]
fn what_the_user_starts_gets_the_keyboard_also_right_after_typing() {
    let mut desk = Desk::new();
    let window = desk.shown(1);
    desk.press(&[A]);
    let launcher = desk.open(2, 100, 100);
    desk.compositor
        .place(2, launcher.into(), layer::LAUNCHER)
        .unwrap();
    desk.present(2, launcher);
    // What opens while the user types what to start does not.
    desk.press(&[A]);
    desk.shown(3);
    assert_eq!(desk.compositor.focus, Some(launcher));
    desk.press(&[usage::ENTER]);
    desk.compositor.close(2, launcher.into()).unwrap();
    desk.compositor.disconnect(3);
    desk.compositor.connect(3, Identity::default());
    let started = desk.shown(3);
    assert_eq!(desk.compositor.focus, Some(started));
    assert_ne!(started, window);
}

#[test]
fn the_dock_has_the_keyboard_when_the_user_asks_and_gives_it_back() {
    const KEYS: [u8; 2] = [usage::LEFT_SUPER, usage::T];
    let mut desk = Desk::new();
    desk.press(&KEYS);
    let dock = desk.open(2, 300, 60);
    desk.compositor.place(2, dock.into(), layer::DOCK).unwrap();
    desk.present(2, dock);
    assert_eq!(desk.compositor.focus, None, "not by itself");
    let window = desk.shown(1);
    let other = desk.shown(1);
    desk.compositor.activate(window);
    let states = |desk: &Desk| [0, 1].map(|at| desk.compositor.state(at).unwrap().state);
    for back in [&[usage::ESCAPE][..], &KEYS] {
        desk.press(&KEYS);
        assert_eq!(desk.compositor.focus, Some(dock));
        assert_eq!(states(&desk), [window_state::FOCUSED, 0]);
        desk.events(2);
        desk.press(&[usage::RIGHT]);
        assert_eq!(desk.kinds(2), [event::KEY, event::KEY]);
        desk.press(back);
        assert_eq!(desk.compositor.focus, Some(window));
    }
    assert!(!desk.compositor.take_notice().launcher);
    // What is hidden from there does not get it back.
    desk.press(&KEYS);
    desk.compositor
        .act(window.into(), action::MINIMIZE)
        .unwrap();
    assert_eq!(states(&desk), [window_state::MINIMIZED, 0]);
    desk.press(&[usage::ESCAPE]);
    assert_eq!(desk.compositor.focus, Some(other));
    // What is started there does, also right after typing.
    desk.press(&[A]);
    desk.press(&KEYS);
    desk.press(&[usage::ENTER]);
    let started = desk.shown(3);
    assert_eq!(desk.compositor.focus, Some(started));
    desk.compositor.lock();
    desk.press(&KEYS);
    assert_ne!(desk.compositor.focus, Some(dock));
}

#[test]
fn the_pointer_tells_of_modifiers_only_who_has_the_keyboard() {
    use nonos_proto::display::modifiers::SHIFT;
    let mut desk = Desk::new();
    let wallpaper = desk.open(2, WIDTH, HEIGHT);
    desk.compositor
        .place(2, wallpaper.into(), layer::WALLPAPER)
        .unwrap();
    desk.present(2, wallpaper);
    let id = desk.shown(1);
    let content = desk.compositor.window(id).unwrap().content();
    desk.key(usage::LEFT_SHIFT, key_state::DOWN);
    let mut told = |key: u64, x: i32, y: i32| {
        desk.events(key);
        desk.point(x, y, 0);
        let events = desk.events(key).into_iter();
        let mut pointer = events.filter(|event| event[0] & 0xFF == event::POINTER);
        pointer.next().map(|event| event[2])
    };
    assert_eq!(told(1, content.x + 9, content.y + 9), Some(SHIFT << 8));
    assert_eq!(told(2, 5, HEIGHT - 5), Some(0));
}

#[test]
fn another_minute_draws_the_clock_and_nothing_else_and_wakes_nobody() {
    const MINUTE_NS: u64 = 60_000_000_000;
    let mut desk = Desk::new();
    desk.shown(1);
    desk.compositor.clock = Clock::new(Some(1_795_823_910));
    let atlas = nonos_ui::host::HostAtlas::new();
    let mut line = vec![0; WIDTH as usize];
    let mut draw = |desk: &mut Desk| {
        let mut drawn = Rect::default();
        desk.compositor
            .draw(&atlas, &desk.colors, &mut line, |x, y, pixels| {
                drawn = drawn.union(Rect::new(x, y, pixels.len() as i32, 1));
            });
        drawn
    };
    for locked in [false, true] {
        if locked {
            desk.compositor.lock();
        }
        desk.compositor.set_look(1, 1).unwrap();
        assert_eq!(draw(&mut desk), desk.compositor.screen);
        desk.compositor.take_signals().for_each(drop);
        desk.compositor.take_notice();
        let next_ns = desk.compositor.wake_ns().unwrap();
        desk.compositor.tick(next_ns - 1);
        assert!(!desk.compositor.is_damaged());
        desk.compositor.tick(next_ns);
        assert!(desk.compositor.is_damaged());
        let drawn = draw(&mut desk);
        assert!(drawn.x > WIDTH - 120 && drawn.right() <= WIDTH, "{drawn:?}");
        assert_eq!((drawn.y, drawn.height), (0, points::BAR));
        assert_eq!(desk.compositor.wake_ns(), Some(next_ns + MINUTE_NS));
        assert_eq!(desk.compositor.take_signals().count(), 0);
        assert_eq!(desk.compositor.take_notice(), Notice::default());
    }
}

#[test]
fn another_title_is_drawn_in_frame_and_bar_and_nothing_else() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    desk.draw();
    let key = |desk: &Desk| desk.compositor.window(id).unwrap().client;
    desk.compositor
        .retitle(key(&desk), id.into(), "another")
        .unwrap();
    let mut drawn = 0;
    let mut line = vec![0; WIDTH as usize];
    desk.compositor
        .draw(&NoAtlas, &desk.colors, &mut line, |_, _, pixels| {
            drawn += pixels.len() as i32;
        });
    let frame = desk.compositor.window(id).unwrap().frame(1);
    // Of the bar it is what stands beside the title.
    let of_bar = drawn - points::TITLE * frame.width;
    assert!(of_bar > 0 && of_bar < points::BAR * WIDTH / 4, "{of_bar}");
}

#[test]
fn windows_that_grow_with_the_points_have_their_title_on_the_screen() {
    let mut desk = Desk::new();
    let id = desk.shown(1);
    desk.compositor
        .limit(1, id.into(), [100, 60, 0, 0])
        .unwrap();
    desk.compositor.move_to(id, WIDTH - 100, HEIGHT - 100);
    let wide = desk.shown(2);
    while desk.compositor.next_event(1).is_some() {}
    desk.compositor.set_look(0, 2).unwrap();
    for (key, id, width, height) in [(1, id, 400, 300), (2, wide, 700, 600)] {
        let surface = desk.surface(width, height);
        desk.compositor.resize(key, id.into(), surface).unwrap();
        desk.present(key, id);
        let frame = desk.compositor.window(id).unwrap().frame(2);
        assert!(
            frame.right() <= WIDTH,
            "the buttons of its title: {frame:?}"
        );
        assert!(frame.y >= 2 * points::BAR, "below the bar: {frame:?}");
        desk.draw();
    }
    let events: Vec<Event> = core::iter::from_fn(|| desk.compositor.next_event(1)).collect();
    let asked = events.iter().any(|event| event[0] & 0xFF == event::RESIZE);
    assert!(!asked, "it fits");
    // What does not is asked to be smaller, once.
    desk.compositor.set_look(0, 1).unwrap();
    let surface = desk.surface(900, 900);
    desk.compositor.resize(1, id.into(), surface).unwrap();
    desk.present(1, id);
    let events: Vec<Event> = core::iter::from_fn(|| desk.compositor.next_event(1)).collect();
    let room = desk.compositor.work_area();
    let room = crate::window::inside(room, 1);
    let asked = [room.width as u64, room.height as u64];
    let found = events
        .iter()
        .filter(|event| event[0] & 0xFF == event::RESIZE);
    let found: Vec<[u64; 2]> = found.map(|event| [event[1], event[2]]).collect();
    assert_eq!(found, [asked]);
}
