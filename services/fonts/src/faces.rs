//! The faces that the build script made.

use nonos_proto::fonts::{face, table};

use crate::outline::Outline;

/// A face.
#[derive(Clone, Copy, Debug)]
pub struct Face {
    /// Its table as `nonos_proto::fonts::table` describes it.
    pub tables: &'static [u8],
    outlines: &'static [u8],
}

macro_rules! made {
    ($name:literal) => {
        Face {
            tables: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".tables")),
            outlines: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".outlines")),
        }
    };
}

/// All faces, in the order of `nonos_proto::fonts::face`.
pub const FACES: [Face; face::COUNT as usize] =
    [made!("sans"), made!("bold"), made!("mono"), made!("icons")];

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    bytes
        .as_chunks()
        .0
        .get(index)
        .copied()
        .map(u32::from_le_bytes)
}

impl Face {
    /// The number of a character in this face.
    fn index(&self, character: char) -> Option<usize> {
        let ranges = word(self.tables, table::RANGES)? as usize;
        let mut before = 0;
        for range in 0..ranges {
            let first = word(self.tables, table::REST + 2 * range)?;
            let count = word(self.tables, table::REST + 2 * range + 1)?;
            let within = u32::from(character).wrapping_sub(first);
            if within < count {
                return Some((before + within) as usize);
            }
            before += count;
        }
        None
    }

    /// The outline of a character.
    pub fn outline(&self, character: char) -> Option<Outline<'static>> {
        let index = self.index(character)?;
        let starts = word(self.tables, table::CHARACTERS)? as usize + 1;
        let bytes = self.outlines.get(4 * starts..)?;
        let first = word(self.outlines, index)? as usize;
        let end = word(self.outlines, index + 1)? as usize;
        bytes.get(first..end).map(Outline::new)
    }
}
