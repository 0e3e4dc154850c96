//! The fonts service, see `nonos_proto::fonts`.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::collections::BTreeMap;
use core::sync::atomic::AtomicU32;

use fonts::atlas::{Added, Atlas, WORDS};
use nonos_proto::fonts::{self as interface, ENSURED, Fonts, GLYPHS, Key};
use nonos_proto::{CallError, Caller, Lease, Refusal};
use nonos_rt::abi::{Error, Handle, Message, PAGE_BYTES, Rights};
use nonos_rt::mapping::Mapping;
use nonos_rt::object::Memory;
use nonos_rt::parent;
use nonos_rt::service::{Server, read_lent};

nonos_rt::entry!(main);

/// Glyphs that are drawn for one program at most.
const SHARE: u32 = GLYPHS / 4;

/// Programs that are remembered with what they had drawn. Those that come when there are so many have a share together.
const PROGRAMS: usize = 256;

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("fonts")?;
    let pages = (WORDS * 4).div_ceil(PAGE_BYTES);
    let memory = Memory::create(pages as u64).map_err(CallError::Unreachable)?;
    let words = memory.map().map_err(CallError::Unreachable)?;
    let atlas = Atlas::new(Words(words)).ok_or(CallError::Unreachable(Error::OutOfMemory))?;
    let mut service = Service {
        memory,
        atlas,
        drawn: BTreeMap::new(),
    };
    Ok(nonos_rt::service::serve(&endpoint, &mut service))
}

/// The memory, mapped.
struct Words(Mapping);

impl AsRef<[AtomicU32]> for Words {
    fn as_ref(&self) -> &[AtomicU32] {
        self.0.words()
    }
}

struct Service {
    memory: Memory,
    atlas: Atlas<Words>,
    /// Glyphs that were drawn for a program, by its badge.
    drawn: BTreeMap<u64, u32>,
}

impl Fonts for Service {
    fn atlas(&mut self, _: Caller) -> Result<Handle, Refusal> {
        let rights = Rights::READ.or(Rights::GRANT);
        let copy = self.memory.copy(rights).map_err(|_| Refusal::Full)?;
        Ok(copy.into_handle())
    }

    fn ensure(&mut self, caller: Caller, keys: Lease) -> Result<(), Refusal> {
        let mut bytes = [0; ENSURED * 4];
        let length = usize::try_from(keys.length).map_err(|_| Refusal::Full)?;
        let bytes = bytes.get_mut(..length).ok_or(Refusal::Full)?;
        read_lent(keys, 0, bytes)?;
        let room = self.drawn.len() < PROGRAMS || self.drawn.contains_key(&caller.badge);
        let program = if room { caller.badge } else { u64::MAX };
        let drawn = self.drawn.entry(program).or_default();
        for &key in bytes.as_chunks().0 {
            if *drawn >= SHARE {
                return Err(Refusal::Full);
            }
            match self.atlas.ensure(Key(u32::from_le_bytes(key))) {
                Added::Known | Added::Missing => {}
                Added::Drawn(_) => *drawn += 1,
                Added::Full => return Err(Refusal::Full),
            }
        }
        Ok(())
    }
}

impl Server for Service {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        interface::dispatch(self, caller, request)
    }

    fn signal(&mut self, _: u64) {}
}
