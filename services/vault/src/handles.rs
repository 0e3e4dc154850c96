//! Handles to keys. For each key there are three handles in between, from which those of its owner, those that were granted and those
//! that the user lent are derived: revoking one makes them dead, wherever they went.

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
    /// Who asks the user, and takes back what it passes on.
    Lender,
}

/// The handles in between of one key: for its owner, for others, and for what the user lends.
type OfKey = [Option<Endpoint>; 3];

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
            keys: [const { [None, None, None] }; MOST],
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
        let rights = match to {
            For::Owner | For::Others => GIVEN,
            For::Lender => BETWEEN,
        };
        let handle = between.badge_until(key.raw(), rights, until_ns)?;
        Ok(handle.into_handle())
    }

    /// Makes all handles dead that others were given to a key, by its owner or the user.
    pub fn revoke_others(&mut self, key: KeyBadge) -> Result<(), Error> {
        let of_key = self.keys.get_mut(usize::from(key.place));
        let [_, others @ ..] = of_key.ok_or(Error::NotFound)?;
        others.iter().flatten().try_for_each(Endpoint::revoke)
    }

    /// Makes all handles dead that the user lent, also when one of them fails.
    pub fn revoke_lent(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for between in self.keys.iter().flat_map(|[_, _, lent]| lent) {
            outcome = outcome.and(between.revoke());
        }
        outcome
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
