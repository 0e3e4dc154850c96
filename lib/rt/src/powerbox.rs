//! Files and the use of keys that the user gives to this program.

use nonos_proto::files::NAME_BYTES;
use nonos_proto::powerbox::{Answer, Client, KEY, OPENED_WITH};
use nonos_proto::vault;
use nonos_proto::{CallError, Refusal};

use crate::files::File;
use crate::object::{Endpoint, Notification};
use crate::parent;

/// What the user gave.
#[derive(Debug)]
pub struct Given {
    /// The file or directory.
    pub file: File,
    /// Bits of [`nonos_proto::files::rights`].
    pub rights: u64,
    name: [u8; NAME_BYTES],
    name_bytes: usize,
}

impl Given {
    /// Its name, for a person.
    pub fn name(&self) -> &str {
        let name = self.name.get(..self.name_bytes).unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }
}

/// The power box.
#[derive(Debug)]
pub struct PowerBox(Client<Endpoint>);

impl PowerBox {
    /// Connects; bits of the notification are signalled when the user answered.
    pub fn connect(signals: &Notification, bits: u64) -> Result<Self, CallError> {
        let client = Client(parent::connect("powerbox")?);
        let copy = signals.to_send().map_err(CallError::Unreachable)?;
        client.watch(copy.handle(), bits)?;
        Ok(Self(client))
    }

    /// Asks for a file with these rights: the number of the request.
    pub fn open(&self, rights: u64) -> Result<u64, CallError> {
        self.0.open(rights)
    }

    /// Asks for a file to save in; the name is a suggestion.
    pub fn save(&self, name: &str) -> Result<u64, CallError> {
        self.0.save(name.as_bytes())
    }

    /// Asks for a directory with these rights.
    pub fn folder(&self, rights: u64) -> Result<u64, CallError> {
        self.0.folder(rights)
    }

    /// Asks for a key of the vault for these uses; the name is a suggestion.
    pub fn key(&self, uses: u64, name: &str) -> Result<u64, CallError> {
        self.0.key(uses, name.as_bytes())
    }

    /// Asks to paste; when the user allows it the compositor says so.
    pub fn paste(&self) -> Result<(), CallError> {
        self.0.paste()
    }

    /// The answer to a request for a key; none while there is none.
    pub fn answered_key(&self, request: u64) -> Result<Option<vault::Client<Endpoint>>, CallError> {
        let Some(answer) = self.answered(request, &mut [0; NAME_BYTES])? else {
            return Ok(None);
        };
        let key = Endpoint::from_handle(answer.handle);
        match answer.kind {
            KEY => Ok(Some(vault::Client(key))),
            _ => Err(CallError::BadReply),
        }
    }

    /// The answer to a request; none while there is none. [`Refusal::Declined`] when the user said no.
    pub fn answer(&self, request: u64) -> Result<Option<Given>, CallError> {
        let mut name = [0; NAME_BYTES];
        let answer = self.answered(request, &mut name)?;
        Ok(answer.map(|answer| Given {
            file: File::from_parts(Endpoint::from_handle(answer.handle), answer.kind),
            rights: answer.rights,
            name,
            name_bytes: usize::try_from(answer.name_bytes).unwrap_or(0),
        }))
    }

    /// What the power box says of a request; none while the user has not answered.
    fn answered(&self, request: u64, name: &mut [u8]) -> Result<Option<Answer>, CallError> {
        match self.0.answer(request, name) {
            Err(CallError::Refused(Refusal::NotAnswered)) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// What the program was opened with, if anything.
    pub fn opened_with(&self) -> Result<Option<Given>, CallError> {
        match self.answer(OPENED_WITH) {
            Err(CallError::Refused(Refusal::NotStored)) => Ok(None),
            answer => answer,
        }
    }

    /// Gives a request up.
    pub fn withdraw(&self, request: u64) -> Result<(), CallError> {
        self.0.withdraw(request)
    }
}

/// A program that asks the power box, which may be another one after it ended.
#[derive(Debug)]
pub struct Asker<'a> {
    signals: &'a Notification,
    bits: u64,
    powerbox: Option<PowerBox>,
}

impl<'a> Asker<'a> {
    /// Bits of the notification are signalled when the user answered. Nothing is connected yet.
    pub fn new(signals: &'a Notification, bits: u64) -> Self {
        Self {
            signals,
            bits,
            powerbox: None,
        }
    }

    /// Asks, and connects to a new power box when the last one is gone.
    pub fn with<T>(
        &mut self,
        ask: impl Fn(&PowerBox) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        if let Some(powerbox) = &self.powerbox {
            match ask(powerbox) {
                Err(CallError::Unreachable(_)) => {}
                outcome => return outcome,
            }
        }
        let powerbox = PowerBox::connect(self.signals, self.bits)?;
        ask(self.powerbox.insert(powerbox))
    }
}
