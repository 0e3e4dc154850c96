//! What was given: handles to documents and keys, and how they are taken back.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::files::{self, how, rights};
use nonos_proto::powerbox::KEY;
use nonos_proto::vault::{self, Offer};
use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::{Handle, Name, Rights};
use nonos_rt::object::Endpoint;
use nonos_rt::parent;
use powerbox::ask::{Ask, Pick, Thing};
use powerbox::keys::Key;

use crate::documents::directory;

/// Something that was given. What its program has is derived from this.
pub struct Given {
    between: Between,
    /// One of `nonos_proto::files::kind`, or [`KEY`].
    pub kind: u64,
}

enum Between {
    Document(files::Client<Endpoint>),
    Key(vault::Client<Endpoint>),
}

fn lender() -> Result<vault::Client<Endpoint>, CallError> {
    parent::connect("lender").map(vault::Client)
}

/// The keys of the vault that have these uses.
pub fn keys(with: u64) -> Result<Vec<Key>, CallError> {
    let vault = lender()?;
    let mut keys = Vec::new();
    for index in 0.. {
        let mut name = [0; Name::BYTES];
        let Offer {
            number,
            kind,
            uses,
            module,
        } = match vault.offer(index, &mut name) {
            Ok(offer) => offer,
            Err(CallError::Refused(Refusal::NoSuchKey)) => break,
            Err(error) => return Err(error),
        };
        let name = Name::from_bytes(name).ok_or(CallError::BadReply)?;
        if with & !uses == 0 {
            let owner = module;
            keys.push(Key {
                number,
                kind,
                owner,
                name,
            });
        }
    }
    Ok(keys)
}

impl Given {
    /// Opens what was chosen.
    pub fn open(ask: &Ask, thing: &Thing) -> Result<Self, CallError> {
        match (thing, ask) {
            (Thing::Document { path, name }, Ask::Document(pick)) => {
                Self::document(pick, path, name.as_deref())
            }
            (Thing::Key { number, .. }, Ask::Key(uses, _)) => Ok(Self {
                between: Between::Key(vault::Client(Endpoint::from_handle(
                    lender()?.lend(*number, *uses)?.0,
                ))),
                kind: KEY,
            }),
            _ => Err(CallError::BadReply),
        }
    }

    fn document(pick: &Pick, path: &[String], name: Option<&str>) -> Result<Self, CallError> {
        let all = rights::ALL;
        let with = pick.rights();
        let at = directory(path)?;
        let file = match (name, pick) {
            (None, _) => at,
            (Some(name), Pick::Save(_)) => at.open(name, all | how::CREATE | how::EMPTY)?,
            (Some(name), _) => at.open(name, with | rights::GRANT)?,
        };
        Ok(Self {
            between: Between::Document(files::Client(file.share(with)?)),
            kind: file.kind,
        })
    }

    fn endpoint(&self) -> &Endpoint {
        match &self.between {
            Between::Document(client) => &client.0,
            Between::Key(client) => &client.0,
        }
    }

    /// A handle for the program that works until a time (0: for good), to be moved to it.
    pub fn handle(&self, until_ns: u64) -> Result<Handle, Refusal> {
        let rights = Rights::WRITE.or(Rights::GRANT);
        let handle = self.endpoint().copy_until(rights, until_ns)?;
        Ok(handle.into_handle())
    }

    /// Whether the program closed it, or it was removed or taken back by another.
    pub fn is_gone(&self) -> bool {
        match &self.between {
            Between::Document(client) => {
                matches!(client.state(), Err(CallError::Refused(Refusal::Gone)))
            }
            Between::Key(client) => client.info().is_err(),
        }
    }

    /// Takes it back: the program's handle is dead, and all that was opened through it, when this returns.
    pub fn revoke(self) {
        // An object that is gone leaves nothing to take back.
        let _ = self.endpoint().revoke();
        if let Between::Document(client) = self.between {
            let _ = client.revoke();
        }
    }
}
