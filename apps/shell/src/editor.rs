//! The line editor: one line at a time, with history and completion.
//!
//! It writes only what changes, with cursor movement that any terminal knows, and never the prompt: that
//! is the caller's. Lines are ASCII and short enough not to wrap in 80 columns.

use core::fmt::{self, Write};

use crate::keys::Key;

/// Most characters of a line.
pub const MOST: usize = 72;
/// Lines that are remembered.
const HISTORY: usize = 16;

/// A line.
#[derive(Clone, Copy)]
pub struct Line {
    bytes: [u8; MOST],
    length: usize,
}

impl Line {
    const EMPTY: Self = Self {
        bytes: [0; MOST],
        length: 0,
    };

    /// The text; ASCII.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or("")
    }

    fn insert(&mut self, at: usize, byte: u8) -> bool {
        if self.length == MOST {
            return false;
        }
        self.bytes.copy_within(at..self.length, at + 1);
        self.bytes[at] = byte;
        self.length += 1;
        true
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.bytes.copy_within(to..self.length, from);
        self.length -= to - from;
    }
}

/// What a key led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The line goes on.
    Editing,
    /// The line is complete: [`Editor::take`] it.
    Entered,
    /// The line was given up; the cursor is on a new line.
    Interrupted,
    /// The screen is to be cleared, then prompt and [`Editor::show`].
    Clear,
    /// Words that fit were listed; prompt and [`Editor::show`] are to follow.
    Listed,
}

/// Words that could stand at a place.
pub trait Candidates {
    /// Names each word that may follow `before`, the text before the word at the cursor.
    fn visit(&self, before: &str, visit: &mut dyn FnMut(&str));
}

/// The editor.
pub struct Editor {
    line: Line,
    cursor: usize,
    history: [Line; HISTORY],
    /// Lines ever remembered; the last is at `(remembered - 1) % HISTORY`.
    remembered: usize,
    /// How many lines back in the history the line is, 0 for a new line.
    back: usize,
    /// The new line, while another is shown.
    draft: Line,
}

impl Editor {
    /// An empty line and no history.
    pub const fn new() -> Self {
        Self {
            line: Line::EMPTY,
            cursor: 0,
            history: [Line::EMPTY; HISTORY],
            remembered: 0,
            back: 0,
            draft: Line::EMPTY,
        }
    }

    /// The line that was entered; the editor starts with an empty one.
    pub fn take(&mut self) -> Line {
        let line = core::mem::replace(&mut self.line, Line::EMPTY);
        self.cursor = 0;
        self.back = 0;
        line
    }

    /// Shows the line behind a prompt that was just written.
    pub fn show(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str(self.line.as_str())?;
        left(out, self.line.length - self.cursor)
    }

    /// Does what a key asks for.
    pub fn key(
        &mut self,
        key: Key,
        candidates: &impl Candidates,
        out: &mut impl Write,
    ) -> Result<Event, fmt::Error> {
        match key {
            Key::Character(byte) => self.insert(byte, out)?,
            Key::Left => self.go(self.cursor.saturating_sub(1), out)?,
            Key::Right => self.go((self.cursor + 1).min(self.line.length), out)?,
            Key::Home => self.go(0, out)?,
            Key::End => self.go(self.line.length, out)?,
            Key::Backspace => self.remove(self.cursor.saturating_sub(1), self.cursor, out)?,
            Key::Delete => {
                let end = (self.cursor + 1).min(self.line.length);
                self.remove(self.cursor, end, out)?;
            }
            Key::KillBefore => self.remove(0, self.cursor, out)?,
            Key::KillAfter => self.remove(self.cursor, self.line.length, out)?,
            Key::KillWord => self.remove(self.word_start(), self.cursor, out)?,
            Key::Up => self.recall(self.back + 1, out)?,
            Key::Down => self.recall(self.back.saturating_sub(1), out)?,
            Key::Tab => return self.complete(candidates, out),
            Key::Clear => return Ok(Event::Clear),
            Key::Interrupt => {
                out.write_str("^C\n")?;
                self.take();
                return Ok(Event::Interrupted);
            }
            Key::Enter => {
                out.write_char('\n')?;
                self.remember();
                return Ok(Event::Entered);
            }
        }
        Ok(Event::Editing)
    }

    fn insert(&mut self, byte: u8, out: &mut impl Write) -> fmt::Result {
        if self.line.insert(self.cursor, byte) {
            self.cursor += 1;
            self.rewrite(self.cursor - 1, out)?;
        }
        Ok(())
    }

    fn go(&mut self, to: usize, out: &mut impl Write) -> fmt::Result {
        if to < self.cursor {
            left(out, self.cursor - to)?;
        } else if to > self.cursor {
            write!(out, "\x1B[{}C", to - self.cursor)?;
        }
        self.cursor = to;
        Ok(())
    }

    fn remove(&mut self, from: usize, to: usize, out: &mut impl Write) -> fmt::Result {
        if from == to {
            return Ok(());
        }
        self.go(from, out)?;
        self.line.remove(from, to);
        out.write_str("\x1B[K")?;
        self.rewrite(from, out)
    }

    /// Writes the line again from `from`, where the terminal's cursor is, and goes to the cursor.
    fn rewrite(&self, from: usize, out: &mut impl Write) -> fmt::Result {
        out.write_str(&self.line.as_str()[from..])?;
        left(out, self.line.length - self.cursor)
    }

    fn replace(&mut self, line: Line, out: &mut impl Write) -> fmt::Result {
        self.go(0, out)?;
        self.line = line;
        self.cursor = line.length;
        out.write_str("\x1B[K")?;
        out.write_str(line.as_str())
    }

    /// Where the word before the cursor starts.
    fn word_start(&self) -> usize {
        let before = &self.line.as_str()[..self.cursor];
        let word_end = before.trim_end().len();
        before[..word_end].rfind(' ').map_or(0, |space| space + 1)
    }

    fn remembered_line(&self, back: usize) -> Option<&Line> {
        let kept = self.remembered.min(HISTORY);
        (1..=kept)
            .contains(&back)
            .then(|| &self.history[(self.remembered - back) % HISTORY])
    }

    fn remember(&mut self) {
        let last = self.remembered_line(1).map(Line::as_str);
        if self.line.as_str().trim().is_empty() || last == Some(self.line.as_str()) {
            return;
        }
        self.history[self.remembered % HISTORY] = self.line;
        self.remembered += 1;
    }

    fn recall(&mut self, back: usize, out: &mut impl Write) -> fmt::Result {
        let line = match back {
            0 if self.back == 0 => return Ok(()),
            0 => self.draft,
            _ => match self.remembered_line(back) {
                Some(&line) => line,
                None => return Ok(()),
            },
        };
        if self.back == 0 {
            self.draft = self.line;
        }
        self.back = back;
        self.replace(line, out)
    }

    /// Completes the word before the cursor as far as the candidates agree; lists them when that is not further.
    fn complete(
        &mut self,
        candidates: &impl Candidates,
        out: &mut impl Write,
    ) -> Result<Event, fmt::Error> {
        let before = Line {
            length: self.cursor,
            ..self.line
        };
        let start = before.as_str().rfind(' ').map_or(0, |space| space + 1);
        let (before, word) = before.as_str().split_at(start);
        let (mut count, mut common) = (0, Line::EMPTY);
        candidates.visit(before, &mut |candidate| {
            if !candidate.starts_with(word) {
                return;
            }
            let shared = match count {
                0 => candidate.len().min(MOST),
                _ => common
                    .as_str()
                    .bytes()
                    .zip(candidate.bytes())
                    .take_while(|(a, b)| a == b)
                    .count(),
            };
            common.bytes[..shared].copy_from_slice(&candidate.as_bytes()[..shared]);
            common.length = shared;
            count += 1;
        });
        if count > 1 && common.length == word.len() {
            out.write_char('\n')?;
            candidates.visit(before, &mut |candidate| {
                if candidate.starts_with(word) {
                    let _ = write!(out, "{candidate}  ");
                }
            });
            out.write_char('\n')?;
            return Ok(Event::Listed);
        }
        let end = if count == 1 { " " } else { "" };
        let rest = common.as_str().get(word.len()..).unwrap_or("");
        for byte in rest.bytes().chain(end.bytes()) {
            self.insert(byte, out)?;
        }
        Ok(Event::Editing)
    }
}

impl Default for Editor {
    fn default() -> Self {
        Self::new()
    }
}

fn left(out: &mut impl Write, by: usize) -> fmt::Result {
    match by {
        0 => Ok(()),
        1 => out.write_char('\x08'),
        _ => write!(out, "\x1B[{by}D"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Decoder;

    struct Words(&'static [&'static str]);

    impl Candidates for Words {
        fn visit(&self, before: &str, visit: &mut dyn FnMut(&str)) {
            if before.is_empty() || before == "run " {
                self.0.iter().for_each(|word| visit(word));
            }
        }
    }

    const WORDS: Words = Words(&["status", "modules", "mem", "memory", "help"]);

    struct Session {
        editor: Editor,
        decoder: Decoder,
        out: String,
        entered: Vec<String>,
    }

    impl Session {
        fn new() -> Self {
            Self {
                editor: Editor::new(),
                decoder: Decoder::new(),
                out: String::new(),
                entered: vec![],
            }
        }

        fn send(&mut self, bytes: &str) -> &mut Self {
            for key in bytes.bytes().filter_map(|byte| self.decoder.feed(byte)) {
                if self.editor.key(key, &WORDS, &mut self.out).unwrap() == Event::Entered {
                    self.entered.push(self.editor.take().as_str().to_owned());
                }
            }
            self
        }

        /// What a terminal shows of the current line, and where its cursor is.
        fn shown(&self) -> (String, usize) {
            let (mut cells, mut cursor) = (Vec::new(), 0_usize);
            let last = self.out.rsplit('\n').next().unwrap();
            let mut rest = last.chars();
            while let Some(c) = rest.next() {
                if c == '\x08' {
                    cursor -= 1;
                    continue;
                }
                if c != '\x1B' {
                    cells.truncate(cells.len().max(cursor));
                    if cursor == cells.len() {
                        cells.push(c)
                    } else {
                        cells[cursor] = c
                    }
                    cursor += 1;
                    continue;
                }
                rest.next();
                let digits: String = rest.clone().take_while(char::is_ascii_digit).collect();
                let by = digits.parse().unwrap_or(1);
                match rest.nth(digits.len()).unwrap() {
                    'D' => cursor -= by,
                    'C' => cursor += by,
                    'K' => cells.truncate(cursor),
                    other => panic!("{other}"),
                }
            }
            (cells.into_iter().collect(), cursor)
        }
    }

    #[track_caller]
    fn check(bytes: &str, line: &str, cursor: usize) {
        let mut session = Session::new();
        session.send(bytes);
        assert_eq!(session.editor.line.as_str(), line);
        assert_eq!(
            session.shown(),
            (line.to_owned(), cursor),
            "what the terminal shows"
        );
    }

    #[test]
    fn characters_go_where_the_cursor_is() {
        check("status", "status", 6);
        check("sttus\x1B[D\x1B[D\x1B[Da", "status", 3);
        check("tatus\x01s\x05!", "status!", 7);
        check("ab\x1B[C\x1B[C\x1B[D\x1B[D\x1B[D", "ab", 0);
    }

    #[test]
    fn deleting_leaves_the_rest() {
        check("stattus\x1B[D\x1B[D\x7F", "status", 4);
        check("sstatus\x01\x1B[3~\x04", "tatus", 0);
        check("run one two\x17", "run one ", 8);
        check("run one  \x17", "run ", 4);
        check("run one\x1B[D\x1B[D\x15", "ne", 0);
        check("run one\x1B[D\x1B[D\x0B", "run o", 5);
        check("\x7F\x7F\x04\x17\x15\x0B", "", 0);
    }

    #[test]
    fn a_full_line_takes_no_more() {
        let long = "x".repeat(MOST + 10);
        check(&long, &long[..MOST], MOST);
    }

    #[test]
    fn history_goes_back_and_returns_to_the_draft() {
        let mut session = Session::new();
        session.send("one\rtwo\rtwo\r  \rdraft\x1B[A");
        assert_eq!(session.shown(), ("two".into(), 3));
        session.send("\x1B[A\x1B[A\x1B[A");
        assert_eq!(
            session.shown(),
            ("one".into(), 3),
            "equal lines are remembered once"
        );
        session.send("\x1B[B\x1B[B\x1B[B");
        assert_eq!(session.shown(), ("draft".into(), 5));
        session.send("\x1B[A!\r");
        assert_eq!(session.entered, ["one", "two", "two", "  ", "two!"]);
        for i in 0..40 {
            session.send(&format!("line{i}\r"));
        }
        session.send(&"\x1B[A".repeat(100));
        assert_eq!(session.shown().0, "line24", "the oldest of sixteen");
    }

    #[test]
    fn completion_goes_as_far_as_the_words_agree() {
        check("st\t", "status ", 7);
        check("run me\t", "run mem", 7);
        check("run mo\t", "run modules ", 12);
        check("x\t", "x", 1);
        check("run run m\t", "run run m", 9);
        let mut session = Session::new();
        session.send("m\t");
        assert!(
            session.out.ends_with("\nmodules  mem  memory  \n"),
            "{:?}",
            session.out
        );
    }

    #[test]
    fn interrupt_gives_the_line_up() {
        let mut session = Session::new();
        session.send("rm -rf\x03ok\r");
        assert_eq!(session.entered, ["ok"]);
        assert!(session.out.contains("^C\n"));
    }

    #[test]
    fn random_keys_keep_terminal_and_line_in_step() {
        let mut state = 3_u32;
        for _ in 0..300 {
            let mut session = Session::new();
            for _ in 0..200 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let keys = [
                    "a", "b ", "\x1B[D", "\x1B[C", "\x7F", "\x1B[3~", "\x17", "\x01", "\x05",
                    "\x1B[A", "\x1B[B", "\r",
                ];
                session.send(keys[(state >> 16) as usize % keys.len()]);
                let expected = (
                    session.editor.line.as_str().to_owned(),
                    session.editor.cursor,
                );
                assert_eq!(session.shown(), expected);
            }
        }
    }
}
