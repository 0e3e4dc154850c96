//! Text of many lines, as a piece table.
//!
//! All text that was read or typed stays where it was first put, in blocks that only grow. The text is a list of pieces of these; an edit
//! replaces pieces, and undoing it puts the former ones back. Each piece is short and knows how many lines end in it, so places and lines are
//! found by going over the list: for 10 MB some thousand steps.
//!
//! Places are bytes from the beginning, and lie at the beginning of a character: what lies within one is moved there.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ops::Range;

use crate::search::{Needle, matches};

/// Longest text, bytes.
pub const LONGEST: usize = 12 << 20;
/// Bytes of a block.
const BLOCK: usize = 1 << 16;
/// Most blocks: what is typed or replaced beside the longest text.
const BLOCKS: usize = 2 * LONGEST / BLOCK;
/// Longest piece, bytes.
const PIECE: usize = 4096;
/// Most changes that can be undone.
const CHANGES: usize = 4096;
/// Matches that are replaced at a time.
const MATCHES: usize = 1024;

/// The text would be too long, or too much was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// A part of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Piece {
    block: u16,
    start: u16,
    length: u16,
    /// Lines that end in it.
    breaks: u16,
}

/// Pieces that were put in place of others.
#[derive(Debug)]
struct Change {
    /// Counts up.
    number: u64,
    at: usize,
    removed: Vec<Piece>,
    put: Vec<Piece>,
    /// Anchor and caret before it.
    selection: (usize, usize),
}

/// A piece that was found: its number, where it begins, and how many lines end before it.
#[derive(Clone, Copy, Default, Debug)]
struct Seen {
    index: usize,
    start: usize,
    breaks: usize,
}

/// A text.
#[derive(Default, Debug)]
pub struct Buffer {
    blocks: Vec<String>,
    pieces: Vec<Piece>,
    length: usize,
    breaks: usize,
    /// The piece that was looked for last: the next is mostly close to it.
    last_seen: Cell<Seen>,
    /// Counts all that changed the text.
    version: u64,
    done: VecDeque<Change>,
    undone: Vec<Change>,
    /// Number of the last change, of the last one that was forgotten, and of the last one when the text was saved.
    last: u64,
    forgotten: u64,
    saved: u64,
}

fn length(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| usize::from(piece.length)).sum()
}

fn breaks(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

/// Adds a piece, to the last one when it goes on there.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match pieces.last_mut() {
        Some(last) if last.goes_on(&piece) => last.add(&piece),
        _ => pieces.push(piece),
    }
}

impl Piece {
    fn goes_on(&self, next: &Self) -> bool {
        let end = usize::from(self.start) + usize::from(self.length);
        self.block == next.block
            && end == usize::from(next.start)
            && usize::from(self.length) + usize::from(next.length) <= PIECE
    }

    fn add(&mut self, next: &Self) {
        self.length += next.length;
        self.breaks += next.breaks;
    }
}

impl Buffer {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Another number whenever the text is another.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Lines: one more than there are line ends.
    pub fn lines(&self) -> usize {
        self.breaks + 1
    }

    fn text_of(&self, piece: &Piece) -> &str {
        let start = usize::from(piece.start);
        let block = self.blocks.get(usize::from(piece.block));
        let text = block.and_then(|block| block.get(start..start + usize::from(piece.length)));
        text.unwrap_or_default()
    }

    /// The piece that has the byte at a place; past the last piece at the end.
    fn seek(&self, at: usize) -> Seen {
        let Seen {
            mut index,
            mut start,
            mut breaks,
        } = self.last_seen.get();
        while start > at
            && let Some(before) = index.checked_sub(1)
        {
            let piece = &self.pieces[before];
            index = before;
            start -= usize::from(piece.length);
            breaks -= usize::from(piece.breaks);
        }
        while let Some(piece) = self.pieces.get(index) {
            let end = start + usize::from(piece.length);
            if at < end {
                break;
            }
            (index, start) = (index + 1, end);
            breaks += usize::from(piece.breaks);
        }
        let seen = Seen {
            index,
            start,
            breaks,
        };
        self.last_seen.set(seen);
        seen
    }

    fn piece_at(&self, at: usize) -> (usize, usize) {
        let seen = self.seek(at);
        (seen.index, seen.start)
    }

    /// The beginning of the character at a place.
    pub fn floor(&self, at: usize) -> usize {
        let at = at.min(self.length);
        let (index, start) = self.piece_at(at);
        let within = self.pieces.get(index).map_or(0, |piece| {
            self.text_of(piece).floor_char_boundary(at - start)
        });
        start + within
    }

    /// The text from a place on, in parts.
    fn parts_from(&self, at: usize) -> impl Iterator<Item = &str> + Clone {
        let (index, start) = self.piece_at(at);
        let mut skip = at.saturating_sub(start);
        let pieces = self.pieces.get(index..).unwrap_or_default();
        pieces.iter().map(move |piece| {
            let text = self.text_of(piece);
            text.get(core::mem::take(&mut skip)..).unwrap_or(text)
        })
    }

    /// The text in a range, in parts.
    pub fn parts(&self, range: Range<usize>) -> impl Iterator<Item = &str> {
        let start = self.floor(range.start);
        let mut left = self.floor(range.end).saturating_sub(start);
        self.parts_from(start).map_while(move |part| {
            let taken = part.len().min(left);
            left -= taken;
            part.get(..taken).filter(|part| !part.is_empty())
        })
    }

    /// The text in a range.
    pub fn text(&self, range: Range<usize>) -> String {
        self.parts(range).collect()
    }

    /// Characters from a place on.
    pub fn chars(&self, at: usize) -> impl Iterator<Item = char> + Clone {
        self.parts_from(self.floor(at)).flat_map(str::chars)
    }

    /// Characters before a place, the last first.
    pub fn chars_before(&self, at: usize) -> impl Iterator<Item = char> {
        let at = self.floor(at);
        let (index, start) = self.piece_at(at);
        let head = self
            .pieces
            .get(index)
            .map_or("", |piece| self.text_of(piece));
        let before = self.pieces.get(..index).unwrap_or_default();
        core::iter::once(head.get(..at - start).unwrap_or_default())
            .chain(before.iter().rev().map(|piece| self.text_of(piece)))
            .flat_map(|text| text.chars().rev())
    }

    /// Number of the line that a place is in, from 0.
    pub fn line_of(&self, at: usize) -> usize {
        let at = self.floor(at);
        let Seen {
            index,
            start,
            breaks: before,
        } = self.seek(at);
        let head = self
            .pieces
            .get(index)
            .map_or("", |piece| self.text_of(piece));
        before + breaks(head.get(..at - start).unwrap_or_default())
    }

    /// Where a line begins; the end of the text when there is none such.
    pub fn line_start(&self, line: usize) -> usize {
        if line == 0 {
            return 0;
        }
        let (mut left, mut at) = (line, 0);
        for piece in &self.pieces {
            let breaks = usize::from(piece.breaks);
            if left <= breaks {
                let text = self.text_of(piece);
                let end = text.match_indices('\n').nth(left - 1);
                return at + end.map_or(text.len(), |(end, _)| end + 1);
            }
            left -= breaks;
            at += usize::from(piece.length);
        }
        self.length
    }

    /// Where the line begins that a place is in.
    pub fn line_start_before(&self, at: usize) -> usize {
        let at = self.floor(at);
        let (index, start) = self.piece_at(at);
        let mut end = at;
        let head = self
            .pieces
            .get(index)
            .map_or("", |piece| self.text_of(piece));
        let head = (head.get(..at - start).unwrap_or_default(), true);
        let before = self.pieces.get(..index).unwrap_or_default();
        let before = before
            .iter()
            .rev()
            .map(|piece| (self.text_of(piece), piece.breaks > 0));
        for (text, may_have) in core::iter::once(head).chain(before) {
            let found = if may_have { text.rfind('\n') } else { None };
            if let Some(found) = found {
                return end - text.len() + found + 1;
            }
            end -= text.len();
        }
        0
    }

    /// Where the next match of a needle is, from a place on.
    pub fn find(&self, needle: &Needle, from: usize) -> Option<Range<usize>> {
        let from = self.floor(from);
        matches(self.chars(from), needle, from).next()
    }

    /// The last match that begins before a place.
    pub fn find_before(&self, needle: &Needle, before: usize) -> Option<Range<usize>> {
        matches(self.chars(0), needle, 0)
            .take_while(|found| found.start < before)
            .last()
    }

    // Changes.

    /// Puts text into the blocks.
    fn store(&mut self, mut text: &str) -> Result<Vec<Piece>, Full> {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let room = self.blocks.last().map_or(0, |block| BLOCK - block.len());
            let (head, rest) = text.split_at(text.floor_char_boundary(room.min(PIECE)));
            if head.is_empty() {
                let mut block = String::new();
                let room = self.blocks.len() < BLOCKS && block.try_reserve_exact(BLOCK).is_ok();
                if !room {
                    return Err(Full);
                }
                self.blocks.push(block);
                continue;
            }
            let number = self.blocks.len() - 1;
            let block = &mut self.blocks[number];
            let piece = Piece {
                block: number as u16,
                start: block.len() as u16,
                length: head.len() as u16,
                breaks: breaks(head) as u16,
            };
            block.push_str(head);
            push(&mut pieces, piece);
            text = rest;
        }
        Ok(pieces)
    }

    /// Cuts the piece at a place in two: the number of the one that begins there.
    fn cut(&mut self, at: usize) -> usize {
        let (index, start) = self.piece_at(at);
        if at <= start {
            return index;
        }
        let piece = self.pieces[index];
        let head = at - start;
        let ended = breaks(self.text_of(&piece).get(..head).unwrap_or_default()) as u16;
        let head = head as u16;
        let (left, right) = (
            Piece {
                length: head,
                breaks: ended,
                ..piece
            },
            Piece {
                start: piece.start + head,
                length: piece.length - head,
                breaks: piece.breaks - ended,
                ..piece
            },
        );
        self.pieces[index] = left;
        self.pieces.insert(index + 1, right);
        index + 1
    }

    /// Makes one of the piece with this number and the one before, when they were one.
    fn join(&mut self, index: usize) {
        if let Some([left, right]) = index
            .checked_sub(1)
            .and_then(|left| self.pieces.get_mut(left..=index))
            && left.goes_on(right)
        {
            left.add(right);
            self.pieces.remove(index);
        }
    }

    /// Puts pieces in place of a range: those that were there.
    fn splice(&mut self, range: Range<usize>, put: &[Piece]) -> Vec<Piece> {
        let (first, end) = (self.cut(range.start), self.cut(range.end));
        // The piece before stays where it is.
        let seen = self.seek(range.start.saturating_sub(1));
        let removed: Vec<Piece> = self
            .pieces
            .splice(first..end.max(first), put.iter().copied())
            .collect();
        let ended = |pieces: &[Piece]| -> usize {
            pieces.iter().map(|piece| usize::from(piece.breaks)).sum()
        };
        self.length = self.length - length(&removed) + length(put);
        self.breaks = self.breaks - ended(&removed) + ended(put);
        self.last_seen.set(seen);
        self.version += 1;
        self.join(first + put.len());
        self.join(first);
        removed
    }

    /// Adds what was read to the end: no change of the user's.
    ///
    /// # Errors
    /// When it is too long.
    pub fn load(&mut self, text: &str) -> Result<(), Full> {
        if text.len() > LONGEST - self.length {
            return Err(Full);
        }
        let pieces = self.store(text)?;
        self.version += 1;
        self.length += text.len();
        self.breaks += breaks(text);
        for piece in pieces {
            push(&mut self.pieces, piece);
        }
        Ok(())
    }

    /// Puts text in place of a range. `joined`: it is undone with the last change, when it goes on there. `selection`: anchor and
    /// caret before.
    ///
    /// # Errors
    /// When the text would be too long, or too much was changed since it was read. Nothing is changed then.
    pub fn replace(
        &mut self,
        range: Range<usize>,
        text: &str,
        joined: bool,
        selection: (usize, usize),
    ) -> Result<(), Full> {
        let range = self.floor(range.start)..self.floor(range.end.max(range.start));
        if text.len() > LONGEST - (self.length - range.len()) {
            return Err(Full);
        }
        let put = self.store(text)?;
        self.change(range, put, joined, selection);
        Ok(())
    }

    fn change(
        &mut self,
        range: Range<usize>,
        put: Vec<Piece>,
        joined: bool,
        selection: (usize, usize),
    ) {
        if range.is_empty() && put.is_empty() {
            return;
        }
        let mut removed = self.splice(range.clone(), &put);
        self.undone.clear();
        self.last += 1;
        let number = self.last;
        let saved = self.saved;
        let last = self.done.back_mut();
        let last = last.filter(|last| joined && last.number != saved);
        match last {
            // Typed behind what was typed.
            Some(last) if removed.is_empty() && range.start == last.at + length(&last.put) => {
                put.into_iter().for_each(|piece| push(&mut last.put, piece));
                last.number = number;
            }
            // Removed before or behind what was removed.
            Some(last) if put.is_empty() && last.put.is_empty() && range.end == last.at => {
                removed.append(&mut last.removed);
                (last.removed, last.at) = (removed, range.start);
                last.number = number;
            }
            Some(last) if put.is_empty() && last.put.is_empty() && range.start == last.at => {
                last.removed.append(&mut removed);
                last.number = number;
            }
            _ => {
                if self.done.len() == CHANGES
                    && let Some(oldest) = self.done.pop_front()
                {
                    self.forgotten = oldest.number;
                }
                self.done.push_back(Change {
                    number,
                    at: range.start,
                    removed,
                    put,
                    selection,
                });
            }
        }
    }

    /// Undoes the last change: anchor and caret before it.
    pub fn undo(&mut self) -> Option<(usize, usize)> {
        let change = self.done.pop_back()?;
        self.splice(change.at..change.at + length(&change.put), &change.removed);
        let selection = change.selection;
        self.undone.push(change);
        Some(selection)
    }

    /// Does again what was undone last: where the caret is then.
    pub fn redo(&mut self) -> Option<usize> {
        let change = self.undone.pop()?;
        self.splice(change.at..change.at + length(&change.removed), &change.put);
        let caret = change.at + length(&change.put);
        self.done.push_back(change);
        Some(caret)
    }

    /// Whether there is something to undo, and something to do again.
    pub fn can_undo(&self) -> (bool, bool) {
        (!self.done.is_empty(), !self.undone.is_empty())
    }

    fn number(&self) -> u64 {
        let last = self.done.back();
        last.map_or(self.forgotten, |change| change.number)
    }

    /// Whether the text is another than when it was saved or read.
    pub fn is_changed(&self) -> bool {
        self.number() != self.saved
    }

    /// The text was saved as it is now.
    pub fn set_saved(&mut self) {
        self.saved = self.number();
    }

    /// Replaces all matches, as one change: how many there were.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn replace_all(
        &mut self,
        needle: &Needle,
        with: &str,
        selection: (usize, usize),
    ) -> Result<usize, Full> {
        let (mut put, mut count, mut from, mut first) = (Vec::new(), 0, 0, None);
        let mut length_now = self.length;
        loop {
            let found: Vec<_> = matches(self.chars(from), needle, from)
                .take(MATCHES)
                .collect();
            if found.is_empty() {
                break;
            }
            for found in found {
                length_now = length_now - found.len() + with.len();
                if length_now > LONGEST {
                    return Err(Full);
                }
                // What lies between stays where it is when it is long; many short pieces would make everything slow.
                if first.is_some() && found.start - from >= PIECE / 4 {
                    for piece in self.pieces_of(from..found.start) {
                        push(&mut put, piece);
                    }
                } else if first.is_some() {
                    let between = self.text(from..found.start);
                    self.store(&between)?
                        .into_iter()
                        .for_each(|piece| push(&mut put, piece));
                }
                first.get_or_insert(found.start);
                for piece in self.store(with)? {
                    push(&mut put, piece);
                }
                from = found.end;
                count += 1;
            }
        }
        if let Some(first) = first {
            self.change(first..from, put, false, selection);
        }
        Ok(count)
    }

    /// The pieces of a range.
    fn pieces_of(&mut self, range: Range<usize>) -> Vec<Piece> {
        let (first, end) = (self.cut(range.start), self.cut(range.end));
        self.pieces[first..end].to_vec()
    }
}
