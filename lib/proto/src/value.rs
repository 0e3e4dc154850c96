//! How values travel in the words and handles of a message.

use nonos_abi::message::{LEASE_ACCESS, MESSAGE_HANDLES, MESSAGE_LEASES, MESSAGE_WORDS};
use nonos_abi::words::Words;
use nonos_abi::{Handle, Message, MessageInfo, Name};

/// A value that takes a fixed number of words and handles.
pub trait Value: Sized {
    /// Words it takes.
    const WORDS: usize;
    /// Handles it takes.
    const HANDLES: usize;

    /// Appends the value.
    fn pack(&self, out: &mut Packer);

    /// Takes the value, or `None` when the message ends before it or holds no valid value.
    fn unpack(input: &mut Unpacker<'_>) -> Option<Self>;
}

/// A message that is being written. `interface!` checks when it is compiled that an
/// operation's values fit; what does not fit here would be dropped and then refused as malformed.
#[derive(Default)]
pub struct Packer {
    message: Message,
    words: usize,
    handles: usize,
    /// Which handles their receiver may pass on.
    passable: u8,
}

impl Packer {
    /// Appends a word.
    pub fn word(&mut self, word: u64) {
        if let Some(slot) = self.message.words.get_mut(self.words) {
            *slot = word;
            self.words += 1;
        }
    }

    /// Appends a handle, for its receiver only.
    pub fn handle(&mut self, handle: Handle) {
        if let Some(slot) = self.message.handles.get_mut(self.handles) {
            *slot = handle;
            self.handles += 1;
        }
    }

    /// Appends a handle that its receiver may pass on.
    pub fn passable_handle(&mut self, handle: Handle) {
        if self.handles < MESSAGE_HANDLES {
            self.passable |= 1 << self.handles;
        }
        self.handle(handle);
    }

    /// The message, its handles to be copied.
    pub fn request(self, label: u16) -> Message {
        let info = self.info(label);
        Message {
            info,
            ..self.message
        }
    }

    /// The message of a successful reply, its handles to be moved.
    pub fn reply(self) -> Message {
        let info = self.info(0).moving(self.all());
        Message {
            info,
            ..self.message
        }
    }

    fn info(&self, label: u16) -> MessageInfo {
        MessageInfo::new(label, self.words, self.handles)
            .for_receiver_only(self.all() & !self.passable)
    }

    /// A bit for each handle.
    fn all(&self) -> u8 {
        (1 << self.handles) - 1
    }
}

/// A message that is being read. Only words and handles within its counts exist.
pub struct Unpacker<'a> {
    words: core::slice::Iter<'a, u64>,
    handles: core::slice::Iter<'a, Handle>,
}

impl<'a> Unpacker<'a> {
    /// Starts at the beginning of a message.
    pub fn new(message: &'a Message) -> Self {
        let words = message.info.words().min(MESSAGE_WORDS);
        let handles = message.info.handles().min(MESSAGE_HANDLES);
        Self {
            words: message.words[..words].iter(),
            handles: message.handles[..handles].iter(),
        }
    }

    /// The next word.
    pub fn word(&mut self) -> Option<u64> {
        self.words.next().copied()
    }

    /// The next handle. A handle that did not arrive does not count.
    pub fn handle(&mut self) -> Option<Handle> {
        self.handles
            .next()
            .copied()
            .filter(|&handle| handle != Handle::NONE)
    }

    /// `Some` when everything was read.
    pub fn end(&self) -> Option<()> {
        (self.words.len() == 0 && self.handles.len() == 0).then_some(())
    }
}

impl Value for () {
    const WORDS: usize = 0;
    const HANDLES: usize = 0;

    fn pack(&self, _: &mut Packer) {}

    fn unpack(_: &mut Unpacker<'_>) -> Option<Self> {
        Some(())
    }
}

impl Value for u64 {
    const WORDS: usize = 1;
    const HANDLES: usize = 0;

    fn pack(&self, out: &mut Packer) {
        out.word(*self);
    }

    fn unpack(input: &mut Unpacker<'_>) -> Option<Self> {
        input.word()
    }
}

/// An empty name is refused.
impl Value for Name {
    const WORDS: usize = <Self as Words>::COUNT;
    const HANDLES: usize = 0;

    fn pack(&self, out: &mut Packer) {
        let mut words = [0; <Self as Words>::COUNT];
        self.write_words(&mut words);
        words.into_iter().for_each(|word| out.word(word));
    }

    fn unpack(input: &mut Unpacker<'_>) -> Option<Self> {
        let mut words = [0; <Self as Words>::COUNT];
        for word in &mut words {
            *word = input.word()?;
        }
        Self::read_words(&words).filter(|name| *name != Self::default())
    }
}

impl Value for Handle {
    const WORDS: usize = 0;
    const HANDLES: usize = 1;

    fn pack(&self, out: &mut Packer) {
        out.handle(*self);
    }

    fn unpack(input: &mut Unpacker<'_>) -> Option<Self> {
        input.handle()
    }
}

/// A handle that its receiver may pass on: it arrives with GRANT if it is sent with it. Any other arrives without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passable(pub Handle);

impl Value for Passable {
    const WORDS: usize = 0;
    const HANDLES: usize = 1;

    fn pack(&self, out: &mut Packer) {
        out.passable_handle(self.0);
    }

    fn unpack(input: &mut Unpacker<'_>) -> Option<Self> {
        input.handle().map(Self)
    }
}

/// Memory that a caller lends with its call, until it is answered.
#[derive(Debug)]
pub enum Lent<'a> {
    /// The receiver may read it.
    Read(&'a [u8]),
    /// The receiver may write it.
    Write(&'a mut [u8]),
    /// The receiver may read and write it.
    ReadWrite(&'a mut [u8]),
}

/// The same, as the receiver sees it: memory that the caller of a request lends until it is answered. Its contents are read and written through the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The reply handle of the call.
    pub reply: Handle,
    /// Number of the lease in the call.
    pub number: u64,
    /// Bytes.
    pub length: u64,
}

impl Lease {
    /// Lease `number` of a request; `None` when it lends no such.
    pub fn of(request: &Message, number: usize) -> Option<Self> {
        let lent = number < request.info.leases().min(MESSAGE_LEASES);
        let length = lent.then(|| request.words[MESSAGE_WORDS - 2 - 2 * number])?;
        Some(Self {
            reply: request.info.reply(),
            number: number as u64,
            length: length & !LEASE_ACCESS,
        })
    }
}

/// Up to [`Bytes::MOST`] bytes: a piece of text or input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes {
    length: u8,
    bytes: [u8; Bytes::MOST],
}

impl Bytes {
    /// Most bytes: what a message holds beside the length.
    pub const MOST: usize = (MESSAGE_WORDS - 1) * 8;

    /// No bytes.
    pub const NONE: Self = Self {
        length: 0,
        bytes: [0; Self::MOST],
    };

    /// As many bytes of `source` as fit.
    pub fn prefix_of(source: &[u8]) -> Self {
        let length = source.len().min(Self::MOST);
        let mut bytes = [0; Self::MOST];
        bytes[..length].copy_from_slice(&source[..length]);
        Self {
            length: length as u8,
            bytes,
        }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The length, then the bytes; those beyond the length must be zero.
impl Value for Bytes {
    const WORDS: usize = MESSAGE_WORDS;
    const HANDLES: usize = 0;

    fn pack(&self, out: &mut Packer) {
        out.word(u64::from(self.length));
        for chunk in self.bytes.as_chunks().0 {
            out.word(u64::from_le_bytes(*chunk));
        }
    }

    fn unpack(input: &mut Unpacker<'_>) -> Option<Self> {
        let length = u8::try_from(input.word()?).ok()?;
        let mut bytes = [0; Self::MOST];
        for chunk in bytes.as_chunks_mut().0 {
            *chunk = input.word()?.to_le_bytes();
        }
        let rest = bytes.get(usize::from(length)..)?;
        rest.iter()
            .all(|&byte| byte == 0)
            .then_some(Self { length, bytes })
    }
}

/// Declares a result of several parts.
macro_rules! parts {
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[$inner:meta])* pub $field:ident: $type:ty,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name { $($(#[$inner])* pub $field: $type,)+ }

        impl $crate::Value for $name {
            const WORDS: usize = 0 $(+ <$type as $crate::Value>::WORDS)+;
            const HANDLES: usize = 0 $(+ <$type as $crate::Value>::HANDLES)+;

            fn pack(&self, out: &mut $crate::Packer) {
                $($crate::Value::pack(&self.$field, out);)+
            }

            fn unpack(input: &mut $crate::Unpacker<'_>) -> Option<Self> {
                $(let $field = <$type as $crate::Value>::unpack(input)?;)+
                Some(Self { $($field,)+ })
            }
        }
    };
}

pub(crate) use parts;
