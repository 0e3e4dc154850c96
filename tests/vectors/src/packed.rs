//! Reading what `build.rs` packed. It is a part of this program, so what is malformed is a panic.

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vectors.bin"));

/// Most fields of a test.
const FIELDS_MOST: usize = 8;

/// What must come of a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It is refused.
    Refused,
    /// The result is the one in the vector.
    Works,
    /// The result is the one in the vector, or it is refused for good reason.
    WorksOrRefused,
}

/// A test.
#[derive(Clone, Copy, Debug)]
pub struct Test<'a> {
    /// Its number in the file.
    pub id: u32,
    /// What must come of it.
    pub expected: Expected,
    /// How many fields it has.
    pub fields: usize,
    field: [&'a [u8]; FIELDS_MOST],
}

impl<'a> Test<'a> {
    /// A field; what stands in it is for the suite to know.
    pub fn field(&self, number: usize) -> &'a [u8] {
        assert!(
            number < self.fields,
            "test {} has no field {number}",
            self.id
        );
        self.field[number]
    }

    /// A field that must have one length to be given to `lib/crypto`.
    pub fn array<const BYTES: usize>(&self, number: usize) -> Option<&'a [u8; BYTES]> {
        self.field(number).try_into().ok()
    }

    /// The same with another last field.
    #[cfg(test)]
    pub fn with_last_field<'b>(&self, bytes: &'b [u8]) -> Test<'b>
    where
        'a: 'b,
    {
        let mut field: [&'b [u8]; FIELDS_MOST] = self.field;
        field[self.fields - 1] = bytes;
        Test { field, ..*self }
    }
}

/// The place in the packed vectors.
pub struct Reader(&'static [u8]);

impl Reader {
    /// At the start of all.
    pub fn of_all() -> Self {
        Self(PACKED)
    }

    /// The next suite and how many tests follow.
    pub fn suite(&mut self) -> Option<(&'static str, u32)> {
        if self.0.is_empty() {
            return None;
        }
        let name = core::str::from_utf8(self.bytes()).expect("a name is text");
        Some((name, self.number()))
    }

    /// The next test.
    pub fn test(&mut self) -> Test<'static> {
        let id = self.number();
        let expected = match self.number() {
            0 => Expected::Refused,
            1 => Expected::Works,
            2 => Expected::WorksOrRefused,
            other => panic!("test {id}: no result {other}"),
        };
        let fields = self.number() as usize;
        let mut field = [&[][..]; FIELDS_MOST];
        for field in &mut field[..fields] {
            *field = self.bytes();
        }
        Test {
            id,
            expected,
            fields,
            field,
        }
    }

    fn number(&mut self) -> u32 {
        let (number, rest) = self.0.split_first_chunk().expect("a number");
        self.0 = rest;
        u32::from_le_bytes(*number)
    }

    fn bytes(&mut self) -> &'static [u8] {
        let length = self.number() as usize;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}
