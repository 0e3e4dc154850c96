//! A text of many lines that is being edited: caret, selection, the rows that it is shown in, and what keys do.
//!
//! Long lines go on in further rows, of so many columns; all columns are equally wide. Only rows that are seen are laid out: a place in the
//! text stands for how far it is scrolled. A line is laid out in parts of at most [`PART`] bytes, so one of 10 MB costs no more than others.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;

use nonos_proto::display::CLIPBOARD_BYTES;

use crate::buffer::{Buffer, Full};
use crate::caret::step;
use crate::input::{Key, usage};
use crate::search::Needle;
use crate::widgets::Scroll;

/// Longest part of a line that is laid out at once, bytes.
const PART: usize = 8192;
/// Columns from tab to tab.
const TAB: usize = 4;
/// What is seen before and behind a place that is gone to, rows.
const AROUND: usize = 3;

/// A row: bytes of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The first.
    pub start: usize,
    /// Behind the last, without the line end.
    pub end: usize,
    /// Where the next row begins.
    pub next: Option<usize>,
    /// A line begins with it.
    pub first: bool,
}

/// What was typed last: what goes on is undone with it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Typing {
    #[default]
    Nothing,
    /// A character, and whether that was white.
    Character(bool),
    Removal,
}

/// Why something was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The text would be too long, or too much was changed.
    Full,
    /// More than the clipboard takes.
    TooLong,
}

/// What a key did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is for someone else.
    Ignored,
    /// The caret moved.
    Moved,
    /// The text is another.
    Changed,
    /// This goes to the clipboard; whether the text is another.
    Copied(String, bool),
    /// Nothing was done.
    Refused(Refused),
}

/// A part of a line as it was laid out last.
#[derive(Clone, Default, Debug)]
struct Laid {
    /// Of this version of the text, for so many columns.
    version: u64,
    columns: usize,
    part: Range<usize>,
    next: Option<usize>,
    /// A line begins with it.
    first: bool,
    /// Where its rows begin, from its own beginning.
    starts: Vec<usize>,
}

/// A text with a caret.
#[derive(Default, Debug)]
pub struct Area {
    buffer: Buffer,
    /// Where the caret stands, and where the selection began.
    caret: usize,
    anchor: usize,
    /// The column that the caret keeps while it moves up and down.
    wanted: Option<usize>,
    typing: Typing,
    /// Lines end in CR and LF.
    crlf: bool,
    /// Where the first row begins that is seen.
    top: usize,
    /// Places that are asked for are mostly close to one another.
    laid: RefCell<Laid>,
    /// Columns of a row, and rows that are seen.
    pub(crate) room: (usize, usize),
    /// The caret is to be scrolled to.
    pub(crate) reveal: bool,
    pub(crate) scroll: Scroll,
    /// What is marked wherever it is seen.
    pub(crate) marked: Needle,
    /// What the button went down on, and how often it did there: the pointer selects letters, words or lines.
    grabbed: (Range<usize>, u32),
}

/// The column behind a character.
pub(crate) fn column_behind(column: usize, character: char) -> usize {
    if character == '\t' {
        (column / TAB + 1) * TAB
    } else {
        column + 1
    }
}

/// Where rows of a text begin, which has no line end.
fn wrap(text: &str, columns: usize) -> Vec<usize> {
    let mut starts = Vec::from([0]);
    let (mut start, mut column, mut behind_space) = (0, 0, 0);
    for (byte, character) in text.char_indices() {
        // Spaces at the end of a row need no room.
        if character != ' ' && column_behind(column, character) > columns && byte > start {
            start = if behind_space > start {
                behind_space
            } else {
                byte
            };
            starts.push(start);
            let rest = text.get(start..byte).unwrap_or_default();
            column = rest.chars().fold(0, column_behind);
        }
        column = column_behind(column, character);
        if matches!(character, ' ' | '\t' | '-' | '/') {
            behind_space = byte + 1;
        }
    }
    starts
}

impl Area {
    /// A text that was read, with the caret at its beginning. Lines that are added end as the first one does.
    pub fn new(buffer: Buffer) -> Self {
        let first = buffer.line_start(1);
        let crlf = buffer.lines() > 1 && buffer.chars_before(first).nth(1) == Some('\r');
        Self {
            buffer,
            crlf,
            ..Self::default()
        }
    }

    /// The text.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The text was saved as it is now.
    pub fn set_saved(&mut self) {
        self.typing = Typing::Nothing;
        self.buffer.set_saved();
    }

    /// Whether lines end in CR and LF.
    pub fn is_crlf(&self) -> bool {
        self.crlf
    }

    /// Where the caret stands, bytes.
    pub fn caret(&self) -> usize {
        self.caret
    }

    /// Line and column of the caret, from 0.
    pub fn place(&self) -> (usize, usize) {
        let start = self.buffer.line_start_before(self.caret);
        let before = self.buffer.parts(start..self.caret);
        (
            self.buffer.line_of(self.caret),
            before.map(|part| part.chars().count()).sum(),
        )
    }

    /// What is selected, bytes.
    pub fn selection(&self) -> Range<usize> {
        self.caret.min(self.anchor)..self.caret.max(self.anchor)
    }

    /// Selects a range, with the caret at its end, and scrolls there.
    pub fn select(&mut self, range: Range<usize>) {
        self.move_to(range.start, false);
        self.move_to(range.end, true);
    }

    /// Moves the caret, and selects when asked.
    pub fn move_to(&mut self, to: usize, select: bool) {
        self.caret = self.buffer.floor(to);
        if !select {
            self.anchor = self.caret;
        }
        self.wanted = None;
        self.typing = Typing::Nothing;
        self.reveal = true;
    }

    /// The pointer is at a place; `clicks`: the button went down just now, so often there.
    pub(crate) fn point_to(&mut self, at: usize, clicks: Option<u32>) {
        let unit = match clicks.unwrap_or(self.grabbed.1) {
            0 | 1 => at..at,
            2 => self.word(at),
            _ => self.line(at),
        };
        if let Some(clicks) = clicks {
            self.grabbed = (unit.clone(), clicks);
        }
        let Range { start, end } = self.grabbed.0;
        let (anchor, caret) = if unit.start < start {
            (end, unit.start)
        } else {
            (start, unit.end.max(end))
        };
        self.move_to(anchor, false);
        self.move_to(caret, true);
        self.reveal = false;
    }

    /// Marks all that matches.
    pub fn mark(&mut self, needle: Needle) {
        self.marked = needle;
    }

    // Rows.

    /// The part of a line that a place is in, without the line end, and where the next one begins.
    fn part(&self, at: usize) -> (Range<usize>, Option<usize>, bool) {
        let buffer = &self.buffer;
        let line = buffer.line_start_before(at);
        let begin = |part: usize| buffer.floor(line + part * PART);
        let mut part = (at - line) / PART;
        if at >= begin(part + 1) && begin(part + 1) < buffer.len() {
            part += 1;
        }
        // The end of a line is in its last part.
        if part > 0
            && at == begin(part)
            && matches!(buffer.chars(at).next(), None | Some('\r' | '\n'))
        {
            part -= 1;
        }
        let (start, limit) = (begin(part), begin(part + 1));
        let mut end = start;
        for text in buffer.parts(start..limit) {
            if let Some(found) = text.find('\n') {
                end += found;
                let cr = buffer.chars_before(end).next() == Some('\r') && end > start;
                return (start..end - usize::from(cr), Some(end + 1), part == 0);
            }
            end += text.len();
        }
        let next = match buffer.chars(end).next() {
            None => None,
            Some('\n') => Some(end + 1),
            Some(_) => Some(end),
        };
        (start..end, next, part == 0)
    }

    /// Lays out the part of a line that a place is in, if it is not the one that was last.
    fn lay_out(&self, at: usize) {
        let mut laid = self.laid.borrow_mut();
        let (version, columns) = (self.buffer.version(), self.room.0.max(TAB));
        let same = (version, columns) == (laid.version, laid.columns) && !laid.starts.is_empty();
        let last = at == laid.part.end && laid.next != Some(at);
        if same && (laid.part.contains(&at) || last) {
            return;
        }
        let (part, next, first) = self.part(at);
        *laid = Laid {
            version,
            columns,
            starts: wrap(&self.buffer.text(part.clone()), columns),
            part,
            next,
            first,
        };
    }

    /// Tells of the rows from that of a place on, until `see` says no.
    fn rows_from(&self, at: usize, mut see: impl FnMut(Row) -> bool) {
        let mut from = Some(at);
        while let Some(at) = from {
            self.lay_out(at);
            let laid = self.laid.borrow();
            let (begin, end) = (laid.part.start, laid.part.end);
            let behind = laid.starts.partition_point(|start| begin + start <= at);
            for index in behind.saturating_sub(1)..laid.starts.len() {
                let following = laid.starts.get(index + 1).map(|start| begin + start);
                let row = Row {
                    start: begin + laid.starts[index],
                    end: following.unwrap_or(end),
                    next: following.or(laid.next),
                    first: laid.first && index == 0,
                };
                if !see(row) {
                    return;
                }
            }
            from = laid.next;
        }
    }

    /// The row of a place.
    pub fn row(&self, at: usize) -> Row {
        let mut found = None;
        self.rows_from(at, |row| {
            found = Some(row);
            false
        });
        found.unwrap_or(Row {
            start: 0,
            end: 0,
            next: None,
            first: true,
        })
    }

    /// The row before one.
    fn row_before(&self, row: Row) -> Option<Row> {
        let back = step(self.buffer.chars_before(row.start), false, false);
        (back > 0).then(|| self.row(row.start - back))
    }

    /// So many rows from the first one on that is seen.
    pub(crate) fn seen(&self, count: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        self.rows_from(self.top, |row| {
            rows.push(row);
            rows.len() < count
        });
        rows
    }

    /// So many rows up from one.
    fn up(&self, mut row: Row, rows: usize) -> Row {
        for _ in 0..rows {
            match self.row_before(row) {
                Some(before) => row = before,
                None => break,
            }
        }
        row
    }

    /// Scrolls by rows, negative is up. The last rows fill the place.
    pub(crate) fn scroll_by(&mut self, rows: isize) {
        let at = self.row(self.top);
        if rows < 0 {
            self.top = self.up(at, rows.unsigned_abs()).start;
            return;
        }
        let mut last = at;
        let mut count = 0;
        self.rows_from(self.top, |row| {
            last = row;
            count += 1;
            count < rows.unsigned_abs() + self.room.1
        });
        self.top = self
            .up(last, self.room.1.saturating_sub(1))
            .start
            .max(at.start);
    }

    /// The first line that is seen, from 0.
    pub(crate) fn top_line(&self) -> usize {
        self.buffer.line_of(self.top)
    }

    /// Scrolls to a line.
    pub(crate) fn show_line(&mut self, line: usize) {
        self.top = self.buffer.line_start(line);
        self.scroll_by(0);
    }

    /// Scrolls as little as shows the caret; further when it is far away. The text may be another, and rows as well.
    pub(crate) fn settle(&mut self) {
        self.top = self.row(self.top).start;
        if !core::mem::take(&mut self.reveal) {
            return;
        }
        let caret = self.row(self.caret);
        let rows = self.room.1.max(1);
        let seen = self.seen(rows);
        if seen.iter().any(|row| row.start == caret.start) {
            return;
        }
        let above = caret.start < self.top;
        let next = match (above, seen.first(), seen.last()) {
            (true, Some(first), _) => first.start == caret.next.unwrap_or(0),
            (false, _, Some(last)) => last.next == Some(caret.start),
            _ => false,
        };
        let around = AROUND.min(rows / 2);
        let before = match (above, next) {
            (true, true) => 0,
            (false, true) => rows - 1,
            (true, false) => around,
            (false, false) => rows - 1 - around,
        };
        self.top = self.up(caret, before).start;
    }

    /// The column of a place in its row.
    pub(crate) fn column(&self, row: Row, at: usize) -> usize {
        let text = self.buffer.text(row.start..at.min(row.end));
        text.chars().fold(0, column_behind)
    }

    /// The place in a row that begins closest to a column. The end of a row that goes on is the next one's.
    pub(crate) fn at_column(&self, row: Row, column: usize) -> usize {
        let text = self.buffer.text(row.start..row.end);
        let (mut before, mut last) = (0, row.start);
        for (byte, character) in text.char_indices() {
            let behind = column_behind(before, character);
            last = row.start + byte;
            if column * 2 < before + behind {
                return last;
            }
            before = behind;
        }
        if row.next == Some(row.end) {
            last
        } else {
            row.end
        }
    }

    // Moving.

    fn step(&self, forward: bool, word: bool) -> usize {
        if forward {
            self.caret + step(self.buffer.chars(self.caret), forward, word)
        } else {
            self.caret - step(self.buffer.chars_before(self.caret), forward, word)
        }
    }

    /// Moves the caret by rows, negative is up.
    fn move_rows(&mut self, rows: isize, select: bool) {
        let mut row = self.row(self.caret);
        let column = self.wanted.unwrap_or_else(|| self.column(row, self.caret));
        let from = row.start;
        if rows < 0 {
            row = self.up(row, rows.unsigned_abs());
        } else {
            let mut left = rows;
            self.rows_from(from, |next| {
                row = next;
                left -= 1;
                left >= 0
            });
        }
        let to = match (row.start == from, rows < 0) {
            (true, true) => 0,
            (true, false) => row.end,
            _ => self.at_column(row, column),
        };
        self.move_to(to, select);
        self.wanted = Some(column);
    }

    /// The word at a place, or what is between words.
    pub(crate) fn word(&self, at: usize) -> Range<usize> {
        let alike = |character: char| {
            let white = character.is_whitespace();
            (
                white,
                !white && (character.is_alphanumeric() || character == '_'),
            )
        };
        let first = self.buffer.chars(at).next();
        let Some(kind) = first
            .filter(|&first| first != '\n' && first != '\r')
            .map(alike)
        else {
            return at..at;
        };
        let same =
            |character: &char| alike(*character) == kind && !matches!(character, '\n' | '\r');
        let length = |bytes: usize, character: char| bytes + character.len_utf8();
        let before = self
            .buffer
            .chars_before(at)
            .take_while(same)
            .fold(0, length);
        let behind = self.buffer.chars(at).take_while(same).fold(0, length);
        at - before..at + behind
    }

    /// The line at a place, with its end.
    pub(crate) fn line(&self, at: usize) -> Range<usize> {
        let start = self.buffer.line_start_before(at);
        start..self.buffer.line_start(self.buffer.line_of(at) + 1)
    }

    // Changing.

    fn replace(&mut self, range: Range<usize>, text: &str, typing: Typing) -> Outcome {
        let joined = match (self.typing, typing) {
            // With each word something new to undo begins.
            (Typing::Character(was_white), Typing::Character(white)) => !was_white || white,
            (before, now) => before == now && now == Typing::Removal,
        };
        let caret = range.start + text.len();
        let selection = (self.anchor, self.caret);
        match self.buffer.replace(range, text, joined, selection) {
            Ok(()) => {
                self.move_to(caret, false);
                self.typing = typing;
                Outcome::Changed
            }
            Err(Full) => Outcome::Refused(Refused::Full),
        }
    }

    /// Puts text in place of the selection. Its lines end as the others do; control characters are left out.
    pub fn insert(&mut self, text: &str) -> Outcome {
        let mut clean = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            let kept = |character: &char| *character == '\t' || !character.is_control();
            clean.extend(content.chars().filter(kept));
            if content.len() < line.len() {
                clean.push_str(self.line_end());
            }
        }
        self.replace(self.selection(), &clean, Typing::Nothing)
    }

    fn line_end(&self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }

    /// Enter: the next line begins as far to the right.
    fn new_line(&mut self) -> Outcome {
        let selected = self.selection();
        let line = self.buffer.line_start_before(selected.start);
        let before = self.buffer.text(line..selected.start);
        let text = before.trim_start_matches([' ', '\t']);
        let white = before.get(..before.len() - text.len()).unwrap_or_default();
        let text = self.line_end().to_string() + white;
        self.replace(selected, &text, Typing::Nothing)
    }

    /// Replaces the selection when it matches, and selects the next match: whether there is one.
    pub fn replace_next(&mut self, needle: &Needle, with: &str) -> Result<bool, Refused> {
        let selected = self.selection();
        if !selected.is_empty()
            && self.buffer.find(needle, selected.start) == Some(selected.clone())
            && let Outcome::Refused(why) = self.replace(selected, with, Typing::Nothing)
        {
            return Err(why);
        }
        Ok(self.find(needle, true))
    }

    /// Replaces all matches: how many there were.
    pub fn replace_all(&mut self, needle: &Needle, with: &str) -> Result<usize, Refused> {
        let selection = (self.anchor, self.caret);
        let replaced = self.buffer.replace_all(needle, with, selection);
        self.move_to(self.caret, false);
        replaced.map_err(|Full| Refused::Full)
    }

    /// Selects the next match behind the selection, or the last one before it; from the other end on when there is none.
    pub fn find(&mut self, needle: &Needle, forward: bool) -> bool {
        let selected = self.selection();
        let found = if forward {
            let next = self.buffer.find(needle, selected.end);
            next.or_else(|| self.buffer.find(needle, 0))
        } else {
            let last = self.buffer.find_before(needle, selected.start);
            last.or_else(|| self.buffer.find_before(needle, self.buffer.len()))
        };
        match found {
            Some(found) => self.select(found),
            None => return false,
        }
        true
    }

    /// Undoes the last change.
    pub fn undo(&mut self) -> bool {
        let Some((anchor, caret)) = self.buffer.undo() else {
            return false;
        };
        self.move_to(anchor, false);
        self.move_to(caret, true);
        true
    }

    /// Does again what was undone last.
    pub fn redo(&mut self) -> bool {
        let Some(caret) = self.buffer.redo() else {
            return false;
        };
        self.move_to(caret, false);
        true
    }

    fn copied(&mut self, cut: bool) -> Outcome {
        let selected = self.selection();
        if selected.len() > CLIPBOARD_BYTES {
            return Outcome::Refused(Refused::TooLong);
        }
        let text = self.buffer.text(selected.clone());
        if cut {
            match self.replace(selected, "", Typing::Nothing) {
                Outcome::Changed => {}
                refused => return refused,
            }
        }
        Outcome::Copied(text, cut)
    }

    fn remove(&mut self, forward: bool, word: bool) -> Outcome {
        let selected = self.selection();
        if !selected.is_empty() {
            return self.replace(selected, "", Typing::Nothing);
        }
        let other = self.step(forward, word);
        let range = other.min(self.caret)..other.max(self.caret);
        if range.is_empty() {
            return Outcome::Moved;
        }
        self.replace(range, "", Typing::Removal)
    }

    /// Does what a key says.
    pub fn key(&mut self, key: &Key) -> Outcome {
        let (select, word) = (key.shift(), key.control());
        let selected = self.selection();
        let page = self.room.1.saturating_sub(1).max(1) as isize;
        match (key.usage, key.shortcut()) {
            (usage::LEFT, _) if !select && !selected.is_empty() => {
                self.move_to(selected.start, false)
            }
            (usage::RIGHT, _) if !select && !selected.is_empty() => {
                self.move_to(selected.end, false)
            }
            (usage::LEFT | usage::RIGHT, _) => {
                let to = self.step(key.usage == usage::RIGHT, word);
                self.move_to(to, select);
            }
            (usage::UP, _) => self.move_rows(-1, select),
            (usage::DOWN, _) => self.move_rows(1, select),
            (usage::PAGE_UP, _) => self.move_rows(-page, select),
            (usage::PAGE_DOWN, _) => self.move_rows(page, select),
            (usage::HOME, _) if word => self.move_to(0, select),
            (usage::END, _) if word => self.move_to(self.buffer.len(), select),
            (usage::HOME, _) => self.move_to(self.row(self.caret).start, select),
            (usage::END, _) => {
                let to = self.at_column(self.row(self.caret), usize::MAX / 2);
                self.move_to(to, select);
            }
            (usage::BACKSPACE, _) => return self.remove(false, word),
            (usage::DELETE, _) => return self.remove(true, word),
            (_, Some('a')) => {
                self.move_to(0, false);
                self.move_to(self.buffer.len(), true);
                self.reveal = false;
            }
            (_, Some(letter @ ('c' | 'x'))) if !selected.is_empty() => {
                return self.copied(letter == 'x');
            }
            (_, Some('z')) if select => return changed(self.redo()),
            (_, Some('z')) => return changed(self.undo()),
            (_, Some('y')) => return changed(self.redo()),
            (usage::TAB, _) if !word && !select => {
                return self.replace(selected, "\t", Typing::Character(true));
            }
            _ if key.is_enter() && !word => return self.new_line(),
            _ => {
                let Some(character) = key.text() else {
                    return Outcome::Ignored;
                };
                let typing = Typing::Character(character.is_whitespace());
                return self.replace(selected, character.encode_utf8(&mut [0; 4]), typing);
            }
        }
        Outcome::Moved
    }
}

/// A change that there may have been nothing for.
fn changed(done: bool) -> Outcome {
    if done {
        Outcome::Changed
    } else {
        Outcome::Moved
    }
}
