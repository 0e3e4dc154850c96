//! Handles to keys. For each key there are two handles in between, from which those of its owner and those that were granted are
//! derived: revoking one makes them dead, wherever they went.

use nonos_proto::Refusal;
use nonos_rt::abi::{Error, Handle, Rights};
use nonos_rt::object::Endpoint;
use vault::badge::KeyBadge;
use vault::store::MOST;

/// Rights of a handle in between.
const BETWEEN: Rights = Rights::WRITE.or(Rights::GRANT).or(Rights::REVOKE);
/// Rights that leave. GRANT stays behind, unless the handle is for passing on.
const GIVEN: Rights = Rights::WRITE.or(Rights::GRANT);

/// For whom a handle is.
#[derive(Clone, Copy)]
pub enum For {
    /// The module that owns the key.
    Owner,
    /// Whoever the owner gives it to.
    Others,
}

/// The handles in between of one key: for its owner, and for others.
type OfKey = [Option<Endpoint>; 2];

/// The handles in between of all keys.
pub struct Handles {
    issuer: Endpoint,
    keys: [OfKey; MOST],
}

impl Handles {
    /// None yet.
    pub fn new(issuer: Endpoint) -> Self {
        Self {
            issuer,
            keys: [const { [None, None] }; MOST],
        }
    }

    /// A handle to a key, until this time (0: for as long as the key is there).
    pub fn make(&mut self, key: KeyBadge, to: For, until_ns: u64) -> Result<Handle, Refusal> {
        let of_key = self.keys.get_mut(usize::from(key.place));
        let between = &mut of_key.ok_or(Refusal::Gone)?[to as usize];
        let between = match between {
            Some(between) => between,
            None => between.insert(self.issuer.copy(BETWEEN)?),
        };
        let handle = between.badge_until(key.raw(), GIVEN, until_ns)?;
        Ok(handle.into_handle())
    }

    /// Makes all handles dead that others were given to a key.
    pub fn revoke_others(&mut self, key: KeyBadge) -> Result<(), Error> {
        let of_key = self.keys.get_mut(usize::from(key.place));
        match of_key.and_then(|of_key| of_key[For::Others as usize].as_ref()) {
            Some(between) => between.revoke(),
            None => Ok(()),
        }
    }

    /// Makes all handles to these keys dead; a bit for each place.
    pub fn revoke_all(&mut self, places: u64) {
        let keys = self.keys.iter_mut().enumerate();
        let gone = keys.filter(|(place, _)| places >> place & 1 != 0);
        for between in gone.flat_map(|(_, of_key)| of_key) {
            // The badge's generation is over in any case: what the kernel does not revoke is refused at each call.
            if let Some(between) = between.take() {
                let _ = between.revoke();
            }
        }
    }
}
