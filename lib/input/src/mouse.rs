//! Packets of a PS/2 mouse, with a wheel when it has one (Microsoft's IntelliMouse protocol: 4 bytes in place of 3).

use nonos_proto::input::buttons;

/// Bits of a packet's first byte.
const BUTTONS: u8 = 0b111;
const ALWAYS: u8 = 1 << 3;
const LEFTWARDS: u8 = 1 << 4;
const DOWNWARDS: u8 = 1 << 5;
const OVERFLOW: u8 = 0b1100_0000;

/// What a mouse sends when it was plugged in: its self-test passed, and its number.
const PLUGGED: [u8; 2] = [0xAA, 0x00];

/// What a packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Motion {
    /// How far it moved to the right.
    pub right: i64,
    /// How far it moved down.
    pub down: i64,
    /// How far its wheel was turned towards the user.
    pub wheel: i64,
    /// [`buttons`] that are down.
    pub buttons: u64,
}

/// What bytes of a mouse meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It moved, or a button or its wheel did.
    Motion(Motion),
    /// A mouse was plugged in and waits to be turned on.
    Plugged,
}

/// Reads packets.
#[derive(Clone, Debug)]
pub struct Decoder {
    bytes: [u8; 4],
    count: usize,
    length: usize,
}

impl Decoder {
    /// For a mouse with a wheel or without.
    pub const fn new(wheel: bool) -> Self {
        Self {
            bytes: [0; 4],
            count: 0,
            length: if wheel { 4 } else { 3 },
        }
    }

    /// Takes a byte. One that cannot begin a packet is skipped.
    pub fn feed(&mut self, byte: u8) -> Option<Event> {
        if self.count == 0 && byte & ALWAYS == 0 {
            return None;
        }
        self.bytes[self.count] = byte;
        self.count += 1;
        if self.count == PLUGGED.len() && self.bytes.starts_with(&PLUGGED) {
            self.reset();
            return Some(Event::Plugged);
        }
        if self.count < self.length {
            return None;
        }
        let motion = motion(self.bytes);
        self.reset();
        Some(Event::Motion(motion))
    }

    /// Forgets a packet that was begun, and of which nothing came for a while or a byte was damaged.
    pub fn reset(&mut self) {
        (self.bytes, self.count) = ([0; 4], 0);
    }
}

/// A packet's motion: none when it says that it moved further than it can say.
fn motion([first, x, y, z]: [u8; 4]) -> Motion {
    let signed =
        |value: u8, negative: u8| i64::from(value) - if first & negative != 0 { 256 } else { 0 };
    let (right, up) = match first & OVERFLOW {
        0 => (signed(x, LEFTWARDS), signed(y, DOWNWARDS)),
        _ => (0, 0),
    };
    const { assert!(buttons::LEFT | buttons::RIGHT | buttons::MIDDLE == BUTTONS as u64) };
    Motion {
        right,
        down: -up,
        // 4 bits, two's complement: mice with more buttons have them above.
        wheel: i64::from((z << 4) as i8 >> 4),
        buttons: u64::from(first & BUTTONS),
    }
}

/// Motions that are told as one, as long as no button changes.
#[derive(Clone, Debug, Default)]
pub struct Joined(Motion);

impl Joined {
    /// Adds a motion. Returns what is to be told now, in this order: a button is pressed where the pointer is then, not where it went afterwards.
    pub fn add(&mut self, motion: Motion) -> [Option<Motion>; 2] {
        if motion.buttons != self.0.buttons {
            let before = self.take();
            self.0.buttons = motion.buttons;
            return [before, Some(motion)];
        }
        self.0.right += motion.right;
        self.0.down += motion.down;
        self.0.wheel += motion.wheel;
        [None; 2]
    }

    /// What was not told yet, if anything.
    pub fn take(&mut self) -> Option<Motion> {
        let rest = Motion {
            buttons: self.0.buttons,
            ..Motion::default()
        };
        let motion = core::mem::replace(&mut self.0, rest);
        (motion != rest).then_some(motion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motions_are_joined_and_buttons_are_pressed_where_the_pointer_was() {
        let motion = |right, buttons| Motion {
            right,
            buttons,
            ..Motion::default()
        };
        let mut joined = Joined::default();
        assert_eq!(joined.add(motion(3, 0)), [None; 2]);
        assert_eq!(joined.add(motion(4, 0)), [None; 2]);
        let press = motion(0, buttons::LEFT);
        assert_eq!(joined.add(press), [Some(motion(7, 0)), Some(press)]);
        assert_eq!(joined.add(motion(5, buttons::LEFT)), [None; 2]);
        let release = motion(1, 0);
        let dragged = motion(5, buttons::LEFT);
        assert_eq!(joined.add(release), [Some(dragged), Some(release)]);
        assert_eq!(joined.take(), None);
        joined.add(motion(2, 0));
        assert_eq!((joined.take(), joined.take()), (Some(motion(2, 0)), None));
    }

    fn decoded(wheel: bool, bytes: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::new(wheel);
        bytes
            .iter()
            .filter_map(|&byte| decoder.feed(byte))
            .collect()
    }

    #[test]
    fn packets_say_how_far_and_which_buttons() {
        let moved = Motion {
            right: 5,
            down: 3,
            wheel: 0,
            buttons: buttons::LEFT,
        };
        assert_eq!(decoded(false, &[0x29, 5, 253]), [Event::Motion(moved)]);
        let moved = Motion {
            right: -1,
            down: -2,
            wheel: -1,
            buttons: buttons::RIGHT | buttons::MIDDLE,
        };
        assert_eq!(decoded(true, &[0x1E, 255, 2, 0x0F]), [Event::Motion(moved)]);
    }

    #[test]
    fn a_stream_that_lost_a_byte_is_found_again() {
        // The rest of a packet, none of whose bytes can begin one, then a whole one.
        let events = decoded(false, &[0x07, 0x01, 0x08, 1, 1]);
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_mouse_that_went_within_a_packet_is_known_when_it_is_back() {
        let mut decoder = Decoder::new(true);
        assert_eq!(decoder.feed(0x08), None);
        decoder.reset();
        assert_eq!(decoder.feed(0xAA), None);
        assert_eq!(decoder.feed(0x00), Some(Event::Plugged));
    }

    #[test]
    fn an_overflow_moves_nothing_and_plugging_in_is_told() {
        let Event::Motion(motion) = decoded(false, &[0x48, 255, 255])[0] else {
            panic!()
        };
        assert_eq!(motion, Motion::default());
        assert_eq!(
            decoded(true, &[0xAA, 0x00, 0x08, 1, 0, 0])[0],
            Event::Plugged
        );
    }
}
