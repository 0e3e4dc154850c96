//! What a stream of text means: a tolerant parser for UTF-8 and a subset of ECMA-48, and the way back.
//!
//! Whatever is not understood is dropped, never shown and never passed on; an escape sequence that does
//! not end is given up at the first character that cannot be part of it.

use core::fmt::{self, Write};

/// One thing for a terminal to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Show a character.
    Print(char),
    /// Go to the beginning of the next line.
    NewLine,
    /// Go to the beginning of the line.
    CarriageReturn,
    /// Go one character back.
    Backspace,
    /// Go to the next multiple of eight columns.
    Tab,
    /// Change how characters look.
    Style(Style),
    /// Move the cursor by lines, negative is up.
    Lines(i16),
    /// Move the cursor by columns, negative is left.
    Columns(i16),
    /// Go to a column, counted from 1.
    Column(u16),
    /// Go to a line and a column, counted from 1.
    Position(u16, u16),
    /// Erase part of the line.
    EraseLine(Part),
    /// Erase part of the screen.
    EraseScreen(Part),
}

/// How characters look (SGR, ECMA-48 8.3.117).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// As at the start.
    Reset,
    /// Bold: shown brighter.
    Bold(bool),
    /// Foreground: 0 to 15, `None` for the default.
    Foreground(Option<u8>),
    /// Background: 0 to 15, `None` for the default.
    Background(Option<u8>),
}

/// Part of a line or screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// From the cursor to the end.
    After,
    /// From the beginning to the cursor.
    Before,
    /// All.
    All,
}

/// Most parameters of a sequence; later ones are dropped.
const PARAMETERS: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// A character of several bytes: what there is of it, and how many bytes are missing.
    Character {
        bits: u32,
        missing: u8,
        least: u32,
    },
    Escape,
    Sequence,
    /// A sequence with characters that none of ours has.
    Foreign,
    /// A string (OSC, DCS and the like), up to BEL or ESC.
    Ignored,
}

/// The parser.
pub struct Parser {
    state: State,
    parameters: [u16; PARAMETERS],
    /// Parameters begun.
    count: usize,
}

impl Parser {
    /// At the beginning of text.
    pub const fn new() -> Self {
        Self {
            state: State::Text,
            parameters: [0; PARAMETERS],
            count: 0,
        }
    }

    /// Takes a byte and tells what there is to do.
    pub fn feed(&mut self, byte: u8, act: &mut impl FnMut(Action)) {
        match self.state {
            State::Text => self.text(byte, act),
            State::Character {
                bits,
                missing,
                least,
            } => {
                if byte & 0xC0 == 0x80 {
                    self.continuation(bits << 6 | u32::from(byte & 0x3F), missing - 1, least, act);
                } else {
                    self.state = State::Text;
                    act(Action::Print('?'));
                    self.text(byte, act);
                }
            }
            State::Escape => match byte {
                b'[' => {
                    self.parameters = [0; PARAMETERS];
                    self.count = 0;
                    self.state = State::Sequence;
                }
                b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Ignored,
                0x1B => {}
                // Intermediate bytes of a short sequence such as ESC ( B.
                0x20..=0x2F => {}
                _ => self.state = State::Text,
            },
            State::Sequence | State::Foreign => self.sequence(byte, act),
            State::Ignored => match byte {
                0x07 => self.state = State::Text,
                0x1B => self.state = State::Escape,
                _ => {}
            },
        }
    }

    fn text(&mut self, byte: u8, act: &mut impl FnMut(Action)) {
        let mut character = |bits: u8, missing, least| {
            self.state = State::Character {
                bits: u32::from(bits),
                missing,
                least,
            };
        };
        match byte {
            b'\n' => act(Action::NewLine),
            b'\r' => act(Action::CarriageReturn),
            b'\t' => act(Action::Tab),
            0x08 => act(Action::Backspace),
            0x1B => self.state = State::Escape,
            0x20..=0x7E => act(Action::Print(byte.into())),
            0xC2..=0xDF => character(byte & 0x1F, 1, 0x80),
            0xE0..=0xEF => character(byte & 0x0F, 2, 0x800),
            0xF0..=0xF4 => character(byte & 0x07, 3, 0x1_0000),
            0x80..=0xFF => act(Action::Print('?')),
            _ => {}
        }
    }

    fn continuation(&mut self, bits: u32, missing: u8, least: u32, act: &mut impl FnMut(Action)) {
        if missing > 0 {
            self.state = State::Character {
                bits,
                missing,
                least,
            };
            return;
        }
        self.state = State::Text;
        let valid = char::from_u32(bits).filter(|c| bits >= least && !c.is_control());
        act(Action::Print(valid.unwrap_or('?')));
    }

    fn sequence(&mut self, byte: u8, act: &mut impl FnMut(Action)) {
        match byte {
            b'0'..=b'9' => {
                self.count = self.count.max(1);
                if let Some(parameter) = self.parameters.get_mut(self.count - 1) {
                    *parameter = parameter
                        .saturating_mul(10)
                        .saturating_add((byte - b'0').into());
                }
            }
            b';' => self.count = self.count.max(1).saturating_add(1),
            0x20..=0x3F => self.state = State::Foreign,
            0x40..=0x7E => {
                if self.state == State::Sequence {
                    self.finish(byte, act);
                }
                self.state = State::Text;
            }
            0x1B => self.state = State::Escape,
            _ => self.state = State::Text,
        }
    }

    /// The sequence is complete: its last byte says what it is.
    fn finish(&self, last: u8, act: &mut impl FnMut(Action)) {
        let first = self.parameters[0];
        let distance = i16::try_from(first.max(1)).unwrap_or(i16::MAX);
        let part = match first {
            0 => Some(Part::After),
            1 => Some(Part::Before),
            2 => Some(Part::All),
            _ => None,
        };
        match last {
            b'A' => act(Action::Lines(-distance)),
            b'B' => act(Action::Lines(distance)),
            b'C' => act(Action::Columns(distance)),
            b'D' => act(Action::Columns(-distance)),
            b'G' => act(Action::Column(first.max(1))),
            b'H' | b'f' => act(Action::Position(first.max(1), self.parameters[1].max(1))),
            b'J' => part
                .into_iter()
                .for_each(|part| act(Action::EraseScreen(part))),
            b'K' => part
                .into_iter()
                .for_each(|part| act(Action::EraseLine(part))),
            b'm' => self.styles(act),
            _ => {}
        }
    }

    fn styles(&self, act: &mut impl FnMut(Action)) {
        let given = &self.parameters[..self.count.clamp(1, PARAMETERS)];
        let mut parameters = given.iter().copied();
        while let Some(parameter) = parameters.next() {
            let style = match parameter {
                0 => Style::Reset,
                1 => Style::Bold(true),
                22 => Style::Bold(false),
                30..=37 => Style::Foreground(Some((parameter - 30) as u8)),
                39 => Style::Foreground(None),
                40..=47 => Style::Background(Some((parameter - 40) as u8)),
                49 => Style::Background(None),
                90..=97 => Style::Foreground(Some((parameter - 90 + 8) as u8)),
                100..=107 => Style::Background(Some((parameter - 100 + 8) as u8)),
                // Extended colours: 5;n or 2;r;g;b follow, and are not shown.
                38 | 48 => {
                    let more = match parameters.next() {
                        Some(5) => 1,
                        Some(2) => 3,
                        _ => 0,
                    };
                    parameters.by_ref().take(more).for_each(drop);
                    continue;
                }
                _ => continue,
            };
            act(Action::Style(style));
        }
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

/// The bytes that have a terminal do it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = |f: &mut fmt::Formatter<'_>, by: i16, forward: char, back: char| match by {
            0 => Ok(()),
            _ => write!(
                f,
                "\x1B[{}{}",
                by.unsigned_abs(),
                if by > 0 { forward } else { back }
            ),
        };
        match *self {
            Self::Print(character) => f.write_char(character),
            Self::NewLine => f.write_str("\r\n"),
            Self::CarriageReturn => f.write_char('\r'),
            Self::Backspace => f.write_char('\x08'),
            Self::Tab => f.write_char('\t'),
            Self::Style(style) => style.fmt(f),
            Self::Lines(by) => moved(f, by, 'B', 'A'),
            Self::Columns(by) => moved(f, by, 'C', 'D'),
            Self::Column(column) => write!(f, "\x1B[{column}G"),
            Self::Position(row, column) => write!(f, "\x1B[{row};{column}H"),
            Self::EraseLine(part) => write!(f, "\x1B[{}K", part as u8),
            Self::EraseScreen(part) => write!(f, "\x1B[{}J", part as u8),
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let color = |color: Option<u8>, dark: u8, bright: u8| match color {
            Some(color @ 0..8) => dark + color,
            Some(color) => bright + (color & 7),
            None => dark + 9,
        };
        let parameter = match *self {
            Self::Reset => 0,
            Self::Bold(true) => 1,
            Self::Bold(false) => 22,
            Self::Foreground(shade) => color(shade, 30, 90),
            Self::Background(shade) => color(shade, 40, 100),
        };
        write!(f, "\x1B[{parameter}m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Vec<Action> {
        let mut parser = Parser::new();
        let mut actions = Vec::new();
        bytes
            .iter()
            .for_each(|&byte| parser.feed(byte, &mut |action| actions.push(action)));
        actions
    }

    fn printed(bytes: &[u8]) -> String {
        let print = |action| match action {
            Action::Print(character) => Some(character),
            _ => None,
        };
        parse(bytes).into_iter().filter_map(print).collect()
    }

    #[test]
    fn text_and_control_characters_are_told_apart() {
        use Action::*;
        let expected = [
            Print('a'),
            NewLine,
            CarriageReturn,
            Tab,
            Backspace,
            Print('Ø'),
        ];
        assert_eq!(parse("a\n\r\t\x08\0\x07Ø".as_bytes()), expected);
    }

    #[test]
    fn sequences_the_shell_uses_are_understood() {
        use Action::*;
        assert_eq!(
            parse(b"\x1B[K\x1B[2J\x1B[H"),
            [
                EraseLine(Part::After),
                EraseScreen(Part::All),
                Position(1, 1)
            ]
        );
        assert_eq!(
            parse(b"\x1B[3D\x1B[C\x1B[12G\x1B[A"),
            [Columns(-3), Columns(1), Column(12), Lines(-1)]
        );
        let bold_red = [
            Style(super::Style::Bold(true)),
            Style(super::Style::Foreground(Some(1))),
        ];
        assert_eq!(parse(b"\x1B[1;31m"), bold_red);
        assert_eq!(parse(b"\x1B[m"), [Style(super::Style::Reset)]);
        assert_eq!(
            parse(b"\x1B[96;49m")[0],
            Style(super::Style::Foreground(Some(14)))
        );
    }

    #[test]
    fn what_is_not_understood_is_dropped_whole() {
        assert_eq!(printed(b"\x1B]52;c;c2VjcmV0\x07a"), "a");
        assert_eq!(printed(b"\x1BP$q\"p\x1B\\b"), "b");
        assert_eq!(printed(b"\x1B[?25l\x1B[>c\x1B[6nc"), "c");
        assert_eq!(parse(b"\x1B[6n\x1B[c\x1B[?1049h\x1Bc\x1B(B"), []);
        assert_eq!(parse(b"\x1B[38;5;196mx"), [Action::Print('x')]);
        assert_eq!(parse(b"\x1B[38;2;1;2;3;1m").len(), 1);
    }

    #[test]
    fn broken_characters_become_one_question_mark() {
        assert_eq!(printed(b"\xC3a"), "?a");
        assert_eq!(printed(b"\xFF\x80"), "??");
        assert_eq!(printed(b"\xE0\x80\x80"), "?", "overlong");
        assert_eq!(printed(b"\xED\xA0\x80"), "?", "surrogate");
        assert_eq!(
            printed("\u{85}\u{9B}31m".as_bytes()),
            "??31m",
            "C1 controls"
        );
        assert_eq!(printed("日本".as_bytes()), "日本");
    }

    #[test]
    fn long_sequences_neither_panic_nor_overflow() {
        let many = "\x1B[".to_owned() + &"9999999;".repeat(1000) + "H";
        assert_eq!(parse(many.as_bytes()), [Action::Position(65535, 65535)]);
        assert_eq!(parse(b"\x1B[99999A"), [Action::Lines(-i16::MAX)]);
    }

    #[test]
    fn actions_survive_the_way_to_bytes_and_back() {
        let text = "a\r\x08\t\x1B[0m\x1B[1m\x1B[22m\x1B[31m\x1B[95m\x1B[39m\x1B[44m\x1B[101m\x1B[49m\
            \x1B[2A\x1B[3B\x1B[4C\x1B[5D\x1B[6G\x1B[7;8H\x1B[0K\x1B[1K\x1B[2JØ";
        let actions = parse(text.as_bytes());
        assert_eq!(actions.len(), 23);
        let back: String = actions.iter().map(Action::to_string).collect();
        assert_eq!(back, text);
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 1_u32;
        let bytes: Vec<u8> = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"\x1B[;0123456789mHJKx\xC3\x98\xF0"[(state >> 16) as usize % 21]
            })
            .collect();
        parse(&bytes);
    }
}
