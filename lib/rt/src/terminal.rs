//! The console, as its clients use it.

use core::fmt;

use nonos_proto::console::Client;
use nonos_proto::{Bytes, CallError};

use crate::object::{Endpoint, Notification};
use crate::parent;

/// Most bytes that are gathered: much text goes in few calls.
const GATHERED: usize = 1024;

/// A connection to the console, made anew when it broke: when the console ended or the handle was taken back. Text is gathered and sent when a message is full, at [`Terminal::flush`], and before input is read.
#[derive(Debug)]
pub struct Terminal {
    client: Client<Endpoint>,
    pending: [u8; GATHERED],
    length: usize,
    failure: Option<CallError>,
}

impl Terminal {
    /// Connects.
    pub fn connect() -> Result<Self, CallError> {
        let client = Client(parent::connect("console")?);
        Ok(Self {
            client,
            pending: [0; GATHERED],
            length: 0,
            failure: None,
        })
    }

    /// Connects again, through `init`.
    ///
    /// # Errors
    /// When there is no console any more, or it is not granted any more.
    pub fn reconnect(&mut self) -> Result<(), CallError> {
        self.client = Client(parent::connect("console")?);
        Ok(())
    }

    /// Shows what was gathered.
    ///
    /// # Errors
    /// The first failure since the last call; text was lost.
    pub fn flush(&mut self) -> Result<(), CallError> {
        self.send(false);
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Calls the console, and once more the next one when this one ends meanwhile.
    fn call<T>(
        &mut self,
        call: impl Fn(&Client<Endpoint>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        match call(&self.client) {
            Err(CallError::Unreachable(_)) => {
                self.reconnect()?;
                call(&self.client)
            }
            result => result,
        }
    }

    /// Sends what was gathered. The console shows it at once unless there is more to come.
    fn send(&mut self, more: bool) {
        let gathered = self.pending;
        let text = &gathered[..self.length];
        self.length = 0;
        let sent = if text.len() > Bytes::MOST || more {
            self.call(|client| client.write_long(text))
        } else if text.is_empty() {
            return;
        } else {
            self.call(|client| client.write(Bytes::prefix_of(text)))
        };
        // Long text is shown with the next, which may be none.
        let shown = if text.len() > Bytes::MOST && !more {
            sent.and_then(|()| self.call(|client| client.write(Bytes::NONE)))
        } else {
            sent
        };
        if let Err(error) = shown {
            self.failure.get_or_insert(error);
        }
    }

    /// Starts a new line unless the cursor stands at the beginning of one.
    pub fn fresh_line(&mut self) -> Result<(), CallError> {
        self.flush()?;
        self.call(Client::fresh_line)
    }

    /// Waits for input. When the console ends meanwhile this fails, because the next one shows nothing of what this one
    /// showed: the caller has to [`Self::reconnect`] and show it again.
    pub fn read(&mut self) -> Result<Bytes, CallError> {
        self.flush()?;
        self.client.read()
    }

    /// Takes the input that is there.
    pub fn poll(&mut self) -> Result<Bytes, CallError> {
        self.flush()?;
        self.call(Client::poll)
    }

    /// Has bits of a notification signalled when input arrives. The console gets a handle to it with WRITE alone.
    pub fn watch(&mut self, notification: &Notification, bits: u64) -> Result<(), CallError> {
        let copy = notification.to_send().map_err(CallError::Unreachable)?;
        self.call(|client| client.watch(copy.handle(), bits))
    }

    /// Columns and rows of the screen.
    pub fn size(&mut self) -> Result<(u64, u64), CallError> {
        self.call(Client::size)
            .map(|size| (size.columns, size.rows))
    }
}

impl fmt::Write for Terminal {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while !text.is_empty() {
            let fits = text.floor_char_boundary(GATHERED - self.length);
            let (now, rest) = text.split_at(fits);
            self.pending[self.length..self.length + fits].copy_from_slice(now.as_bytes());
            self.length += fits;
            text = rest;
            if !text.is_empty() {
                self.send(true);
            }
        }
        Ok(())
    }
}
