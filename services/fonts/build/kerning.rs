//! Kerning: the font's pairs (GPOS, lookups of the feature `kern`), as classes of letters that keep the same distances.

use std::collections::BTreeMap;

use ttf_parser::gpos::{PairAdjustment, PositioningSubtable};
use ttf_parser::{Face, GlyphId, Tag};

/// Distances are in parts of the font's size, so many to one: half as fine as all else, to fit a byte.
const PARTS: f32 = 512.0;

/// Which distance each pair of classes has.
pub struct Kerning {
    /// Of each letter: its class on the left of a pair, and on the right.
    pub classes: Vec<(u8, u8)>,
    pub columns: usize,
    pub matrix: Vec<i8>,
}

impl Kerning {
    /// All distances are 0.
    pub fn none(letters: usize) -> Self {
        Self {
            classes: vec![(0, 0); letters],
            columns: 1,
            matrix: vec![0],
        }
    }

    pub fn rows(&self) -> usize {
        self.matrix.len() / self.columns
    }

    /// The kerning between these glyphs. `scale` makes 1/1024 of the font's units.
    pub fn read(face: &Face<'_>, glyphs: &[GlyphId], scale: f32) -> Self {
        let tables = pair_tables(face);
        let distance = |left, right| {
            let units = tables.iter().find_map(|table| pair(table, left, right));
            let scaled = f32::from(units.unwrap_or(0)) * scale * PARTS / crate::face::EM;
            scaled.round().clamp(-128.0, 127.0) as i8
        };
        let rows: Vec<Vec<i8>> = glyphs
            .iter()
            .map(|&left| glyphs.iter().map(|&right| distance(left, right)).collect())
            .collect();
        let column = |right: usize| rows.iter().map(|row| row[right]).collect::<Vec<_>>();
        let columns: Vec<_> = (0..glyphs.len()).map(column).collect();
        let (left, row_of) = classes(&rows);
        let (right, column_of) = classes(&columns);
        let cell = |row: usize| column_of.iter().map(move |&column| (row, column));
        let cells = row_of.iter().flat_map(|&row| cell(row));
        Self {
            classes: left.into_iter().zip(right).collect(),
            columns: column_of.len(),
            matrix: cells.map(|(row, column)| rows[row][column]).collect(),
        }
    }
}

/// The class of each vector, equal ones having the same, and one member of each class.
fn classes(vectors: &[Vec<i8>]) -> (Vec<u8>, Vec<usize>) {
    let (mut known, mut members, mut of) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (index, vector) in vectors.iter().enumerate() {
        let class = *known.entry(vector).or_insert_with(|| {
            members.push(index);
            members.len() - 1
        });
        of.push(u8::try_from(class).expect("at most 256 classes"));
    }
    (of, members)
}

/// Every table of pairs that kerning looks into, in order.
fn pair_tables<'a>(face: &Face<'a>) -> Vec<PairAdjustment<'a>> {
    let gpos = face.tables().gpos.expect("the font positions glyphs");
    let feature = gpos.features.find(Tag::from_bytes(b"kern"));
    let lookups = feature.expect("the font kerns").lookup_indices;
    lookups
        .into_iter()
        .filter_map(|index| gpos.lookups.get(index))
        .flat_map(|lookup| lookup.subtables.into_iter::<PositioningSubtable<'_>>())
        .filter_map(|table| match table {
            PositioningSubtable::Pair(pairs) => Some(pairs),
            _ => None,
        })
        .collect()
}

/// What a table says of a pair; `None` when it says nothing, and the next is to be asked.
fn pair(table: &PairAdjustment<'_>, left: GlyphId, right: GlyphId) -> Option<i16> {
    let covered = table.coverage().get(left)?;
    let values = match table {
        PairAdjustment::Format1 { sets, .. } => sets.get(covered)?.get(right)?,
        PairAdjustment::Format2 {
            classes, matrix, ..
        } => matrix.get((classes.0.get(left), classes.1.get(right)))?,
    };
    Some(values.0.x_advance)
}
