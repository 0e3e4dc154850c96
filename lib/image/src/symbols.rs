//! Names of the kernel's functions, for its fault reports.
//!
//! `[magic "NONOSSYM" 8][count u32][bytes of names u32]`, then for each symbol `[offset u32][where its name starts
//! u32]`, offsets from the kernel's base, strictly ascending; then the names, each UTF-8 and ended by a zero byte.
//! Nothing follows.

use core::fmt;

use crate::bytes::Fields;

const MAGIC: &[u8; 8] = b"NONOSSYM";
const ENTRY_BYTES: usize = 8;

/// A symbol table whose shape was checked. Names are checked when they are looked up.
#[derive(Clone, Copy)]
pub struct Symbols<'a> {
    table: &'a [[u8; ENTRY_BYTES]],
    names: &'a [u8],
}

/// Why bytes are no symbol table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SymbolsError {
    /// They start with other bytes.
    Magic,
    /// Their length does not follow from the counts.
    Length {
        /// Bytes.
        found: usize,
    },
    /// The offset of this symbol is not greater than the one before.
    Order {
        /// Number of the symbol.
        symbol: usize,
    },
    /// Building only: more than the format's 32-bit numbers can say, or a name with a zero byte.
    Unrepresentable,
}

impl fmt::Display for SymbolsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("symbol table: wrong magic"),
            Self::Length { found } => {
                write!(f, "symbol table: {found} bytes do not fit the counts")
            }
            Self::Order { symbol } => write!(f, "symbol table: symbol {symbol} is out of order"),
            Self::Unrepresentable => {
                f.write_str("symbol table: too large, or a name has a zero byte")
            }
        }
    }
}

impl core::error::Error for SymbolsError {}

impl<'a> Symbols<'a> {
    /// Checks lengths and order.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SymbolsError> {
        let length = SymbolsError::Length { found: bytes.len() };
        let mut fields = Fields(bytes);
        if fields.array() != Some(MAGIC) {
            return Err(SymbolsError::Magic);
        }
        let count = fields.u32().ok_or(length)? as usize;
        let names_bytes = fields.u32().ok_or(length)? as usize;
        let table = count
            .checked_mul(ENTRY_BYTES)
            .and_then(|bytes| fields.bytes(bytes))
            .ok_or(length)?;
        let names = fields
            .bytes(names_bytes)
            .filter(|_| fields.0.is_empty())
            .ok_or(length)?;
        let (table, _) = table.as_chunks();
        match table
            .windows(2)
            .position(|pair| split(&pair[0]).0 >= split(&pair[1]).0)
        {
            Some(before) => Err(SymbolsError::Order { symbol: before + 1 }),
            None => Ok(Self { table, names }),
        }
    }

    /// The last symbol at or before an offset from the kernel's base, and how far the offset is behind it.
    pub fn resolve(&self, offset: u32) -> Option<(&'a str, u32)> {
        let after = self.table.partition_point(|entry| split(entry).0 <= offset);
        let (start, name_at) = split(self.table.get(after.checked_sub(1)?)?);
        let name = self.names.get(name_at as usize..)?;
        let length = name.iter().position(|&byte| byte == 0)?;
        Some((
            core::str::from_utf8(name.get(..length)?).ok()?,
            offset - start,
        ))
    }

    /// How many symbols there are.
    pub fn count(&self) -> usize {
        self.table.len()
    }
}

fn split(&[a, b, c, d, e, f, g, h]: &[u8; ENTRY_BYTES]) -> (u32, u32) {
    (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    )
}

/// Puts a symbol table together, from symbols in any order. Of several at one offset the first by name stays.
///
/// # Errors
/// [`SymbolsError::Unrepresentable`].
#[cfg(feature = "sign")]
pub fn build(symbols: &[(u32, &str)]) -> Result<alloc::vec::Vec<u8>, SymbolsError> {
    use alloc::vec::Vec;

    let mut sorted = symbols.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by_key(|(offset, _)| *offset);
    let number = |value: usize| u32::try_from(value).map_err(|_| SymbolsError::Unrepresentable);
    let mut table = Vec::new();
    let mut names = Vec::new();
    for (offset, name) in &sorted {
        if name.contains('\0') {
            return Err(SymbolsError::Unrepresentable);
        }
        table.extend_from_slice(&offset.to_le_bytes());
        table.extend_from_slice(&number(names.len())?.to_le_bytes());
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&number(sorted.len())?.to_le_bytes());
    bytes.extend_from_slice(&number(names.len())?.to_le_bytes());
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(&names);
    Ok(bytes)
}
