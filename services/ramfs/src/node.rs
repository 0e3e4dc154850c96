//! Nodes: the records of files and directories.
//!
//! A node is named by its place, a page and an eighth of it. Pages of nodes stay pages of nodes, so that a node which is looked at
//! after it was freed is one still; its `id`, which no other node ever has, then is another or 0.

use nonos_proto::Refusal;

use crate::pages::{PageNumber, Pages, Supply};

/// Bytes of a node.
const NODE_BYTES: usize = 512;
/// Nodes in a page.
const NODES_PER_PAGE: u32 = (nonos_abi::PAGE_BYTES / NODE_BYTES) as u32;
/// Blocks that a node finds without a map.
pub const DIRECT_BLOCKS: u64 = 2;
/// Bytes that say where a block is and how it is sealed.
pub const ENTRY_BYTES: usize = 32;
/// Longest name, bytes.
pub const NAME_BYTES: usize = nonos_proto::files::NAME_BYTES;
/// Bytes of the hash of a name and its directory.
pub const HASH_BYTES: usize = 16;
/// Bytes of a key that is wrapped: key, number of the message, tag.
pub const WRAPPED_BYTES: usize = 32 + 8 + 16;
/// Bytes that say how a name is sealed: number of the message, tag.
pub const NAME_SEAL_BYTES: usize = 8 + 16;

/// Where the entries of the first blocks are.
const DIRECT_AT: usize = 152;
const NAME_SEAL_AT: usize = DIRECT_AT + DIRECT_BLOCKS as usize * ENTRY_BYTES;
const NAME_AT: usize = NAME_SEAL_AT + NAME_SEAL_BYTES;
const _: () = assert!(NAME_AT + NAME_BYTES <= NODE_BYTES);

/// The place of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node(u32);

impl Node {
    /// No node.
    pub const NONE: Self = Self(0);

    /// The node, unless it is none.
    pub fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }

    fn place(self, at: usize) -> (PageNumber, usize) {
        let slot = (self.0 % NODES_PER_PAGE) as usize;
        (self.0 / NODES_PER_PAGE, slot * NODE_BYTES + at)
    }
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $set:ident: $type:ty = $at:literal;)+) => {
        impl<S: Supply> Pages<S> {$(
            $(#[$doc])*
            pub fn $name(&self, node: Node) -> $type {
                let (page, at) = node.place($at);
                <$type>::from_le_bytes(self.bytes(page, at))
            }

            $(#[$doc])*
            pub fn $set(&mut self, node: Node, value: $type) {
                let (page, at) = node.place($at);
                self.set_bytes(page, at, &value.to_le_bytes());
            }
        )+}
    };
}

macro_rules! links {
    ($($(#[$doc:meta])* $name:ident $set:ident = $at:literal;)+) => {
        impl<S: Supply> Pages<S> {$(
            $(#[$doc])*
            pub fn $name(&self, node: Node) -> Node {
                let (page, at) = node.place($at);
                Node(self.u32(page, at))
            }

            $(#[$doc])*
            pub fn $set(&mut self, node: Node, value: Node) {
                let (page, at) = node.place($at);
                self.set_u32(page, at, value.0);
            }
        )+}
    };
}

macro_rules! arrays {
    ($($(#[$doc:meta])* $name:ident $set:ident: $bytes:ident = $at:expr;)+) => {
        impl<S: Supply> Pages<S> {$(
            $(#[$doc])*
            pub fn $name(&self, node: Node) -> [u8; $bytes] {
                let (page, at) = node.place($at);
                self.bytes(page, at)
            }

            $(#[$doc])*
            pub fn $set(&mut self, node: Node, value: &[u8; $bytes]) {
                let (page, at) = node.place($at);
                self.set_bytes(page, at, value);
            }
        )+}
    };
}

fields! {
    /// Its number, which no other node ever has; 0 when it is free.
    id set_id: u64 = 0;
    /// Messages that its key has sealed.
    sealed set_sealed: u64 = 8;
    /// Bytes of a file, entries of a directory.
    size set_size: u64 = 16;
    /// Place among the entries of its directory: grows from one to the next.
    order set_order: u64 = 24;
    /// Of a directory: the order of the next entry.
    next_order set_next_order: u64 = 32;
    /// Page of a file's map; 0 for none.
    map set_map: u32 = 64;
    /// Pages of a file: blocks and maps.
    pages_of set_pages_of: u32 = 68;
    /// What it is, as [`Self::kind`] reads it.
    kind_byte set_kind_byte: u8 = 76;
    /// Whose storage it is part of.
    home set_home: u8 = 77;
    /// Length of its name, bytes.
    name_bytes set_name_bytes: u8 = 78;
}

links! {
    /// Its directory.
    parent set_parent = 40;
    /// The entry before it.
    previous set_previous = 44;
    /// The entry after it; of a free node, the next free one.
    next set_next = 48;
    /// Of a directory: the first entry.
    first set_first = 52;
    /// Of a directory: the last entry.
    last set_last = 56;
    /// The next node with a like hash.
    chain set_chain = 60;
}

arrays! {
    /// Hash of its name and directory.
    hash set_hash: HASH_BYTES = 80;
    /// Its key.
    wrapped set_wrapped: WRAPPED_BYTES = 96;
    /// How its name is sealed.
    name_seal set_name_seal: NAME_SEAL_BYTES = NAME_SEAL_AT;
}

impl<S: Supply> Pages<S> {
    /// What it is; `None` for a free node.
    pub fn kind(&self, node: Node) -> Option<Kind> {
        match self.kind_byte(node) {
            1 => Some(Kind::File),
            2 => Some(Kind::Directory),
            _ => None,
        }
    }

    /// Says what it is.
    pub fn set_kind(&mut self, node: Node, kind: Kind) {
        let byte = match kind {
            Kind::File => 1,
            Kind::Directory => 2,
        };
        self.set_kind_byte(node, byte);
    }

    /// The node that a place of a page names.
    pub fn node_at(&self, page: PageNumber, at: usize) -> Node {
        Node(self.u32(page, at))
    }

    /// Has a place of a page name a node.
    pub fn set_node_at(&mut self, page: PageNumber, at: usize, node: Node) {
        self.set_u32(page, at, node.0);
    }

    /// Its sealed name.
    pub fn name(&self, node: Node) -> &[u8] {
        let length = usize::from(self.name_bytes(node));
        let (page, at) = node.place(NAME_AT);
        &self.page(page)[at..at + length]
    }

    /// Keeps a sealed name of at most [`NAME_BYTES`].
    pub fn set_name(&mut self, node: Node, name: &[u8]) {
        self.set_name_bytes(node, name.len() as u8);
        let (page, at) = node.place(NAME_AT);
        self.set_bytes(page, at, name);
    }

    /// Where the entry of one of the first blocks is.
    pub fn direct(&self, node: Node, block: u64) -> (PageNumber, usize) {
        node.place(DIRECT_AT + block as usize * ENTRY_BYTES)
    }

    /// A node of zeros.
    ///
    /// # Errors
    /// [`Refusal::OutOfStorage`].
    pub fn take_node(&mut self, free: &mut Node) -> Result<Node, Refusal> {
        if *free == Node::NONE {
            let first = self.take_zeroed()? * NODES_PER_PAGE;
            for number in first..first + NODES_PER_PAGE {
                self.set_next(Node(number), *free);
                *free = Node(number);
            }
        }
        let node = *free;
        *free = self.next(node);
        self.set_next(node, Node::NONE);
        Ok(node)
    }

    /// Wipes a node and takes it back.
    pub fn give_back_node(&mut self, node: Node, free: &mut Node) {
        self.wipe_node(node);
        self.set_next(node, *free);
        *free = node;
    }

    fn wipe_node(&mut self, node: Node) {
        let (page, at) = node.place(0);
        self.page_mut(page)[at..at + NODE_BYTES].fill(0);
    }
}
