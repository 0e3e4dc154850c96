//! Locks the screen and unlocks it: when the user wants, and when the vault is locked.
//!
//! The compositor keeps the state ([`nonos_proto::lock`]); this program asks for the passphrase and has the vault check it. When it ends
//! the screen stays as it is. It tells the bar whether the vault is locked.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::string::{String, ToString};

use lock::{Locked, Unlock};
use nonos_proto::lock::{Client as Screen, state, vault as told};
use nonos_proto::vault::{Client, Status, status};
use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::Error;
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::{log, parent};
use nonos_ui::App;
use nonos_ui::app::{EVENTS, GONE, Outcome, Session, Shown};
use nonos_ui::input::Input;

nonos_rt::entry!(main);

/// Bits of the notification: the screen was locked; the vault changed; it ended.
const LOCKED: u64 = 1 << 1;
const VAULT: u64 = 1 << 2;
const VAULT_GONE: u64 = 1 << 3;

fn main() -> u64 {
    nonos_rt::service::main(|| run().map(|never| match never {}))
}

/// The vault, as the locked screen sees it.
struct Vault<'a> {
    vault: &'a Client<Endpoint>,
    /// Whether a passphrase was set when the screen was locked.
    required: bool,
}

impl Unlock for Vault<'_> {
    fn needs_passphrase(&self) -> bool {
        self.required
    }

    fn unlock(&mut self, passphrase: &[u8]) -> Result<(), String> {
        if self.required {
            // It may have been opened elsewhere, and what is open checks nothing.
            let _ = self.vault.lock();
        } else if !self.status()?.is_locked {
            return Ok(());
        }
        self.vault.unlock(passphrase).map_err(|error| match error {
            CallError::Refused(Refusal::NotLocked | Refusal::NoPassphrase) => {
                "The vault was started again: restart the machine.".into()
            }
            CallError::Refused(Refusal::WrongPassphrase | Refusal::TooSoon) => {
                match self.status().map_or(0, |status| status.wait_s) {
                    0 => "Wrong passphrase.".into(),
                    seconds => format!("Wrong passphrase: wait {seconds} s."),
                }
            }
            other => other.to_string(),
        })
    }
}

/// What matters of the vault's state.
struct State {
    is_locked: bool,
    has_passphrase: bool,
    wait_s: u64,
}

fn state_of(vault: &Client<Endpoint>) -> Result<State, CallError> {
    let Status { flags, wait_ns, .. } = vault.status()?;
    Ok(State {
        is_locked: flags & status::LOCKED != 0,
        has_passphrase: flags & status::PASSPHRASE != 0,
        wait_s: wait_ns.div_ceil(1_000_000_000),
    })
}

impl Vault<'_> {
    fn status(&self) -> Result<State, String> {
        state_of(self.vault).map_err(|error| error.to_string())
    }
}

fn run() -> Result<core::convert::Infallible, CallError> {
    let vault = Client(parent::connect("vault")?);
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    let mut session = Session::connect(&signals)?;
    let screen = Screen(parent::connect("lock")?);
    let copy = signals.to_send().map_err(CallError::Unreachable)?;
    screen.watch(copy.handle(), LOCKED)?;
    watch(&vault, &signals)?;
    let mut asks: Option<(Shown, Locked<Vault<'_>>)> = None;
    let starts = screen.state()? == state::STARTED;
    // There is nothing to keep from anyone yet.
    if starts && !state_of(&vault)?.has_passphrase {
        screen.unlock()?;
    }
    let mut bits = VAULT;
    loop {
        if bits & GONE != 0 {
            return Err(CallError::Unreachable(Error::PeerGone));
        }
        if bits & VAULT_GONE != 0 {
            watch(&vault, &signals)?;
        }
        if bits & (VAULT | VAULT_GONE) != 0 {
            let is_locked = state_of(&vault).map(|state| state.is_locked);
            screen.tell(match is_locked {
                Ok(true) => told::LOCKED,
                Ok(false) => told::OPEN,
                Err(_) => told::UNKNOWN,
            })?;
            if is_locked == Ok(true) && screen.state()? == state::OPEN {
                screen.lock()?;
            }
        }
        if asks.is_none() && screen.state()? != state::OPEN {
            asks = Some(ask(&vault, &session, &screen)?);
        }
        if let Some((shown, locked)) = asks.as_mut().filter(|_| bits & EVENTS != 0) {
            for event in session.events()? {
                if let Outcome::Input(input) = shown.event(&mut session, event)? {
                    shown.input(&session, input, &mut |ui| locked.view(ui));
                }
            }
            shown.show(&session)?;
        }
        if let Some((shown, _)) = asks.take_if(|(_, locked)| locked.open) {
            screen.unlock()?;
            shown.close(&session)?;
        }
        bits = signals.wait().map_err(CallError::Unreachable)?;
    }
}

/// Has changes and the end of the vault signalled.
fn watch(vault: &Client<Endpoint>, signals: &Notification) -> Result<(), CallError> {
    // Answered once there is a vault; that one's end is waited for.
    vault.status()?;
    parent::service_end("vault", signals, VAULT_GONE)?;
    let copy = signals.to_send().map_err(CallError::Unreachable)?;
    vault.watch(copy.handle(), VAULT)
}

/// Locks the vault, if that can be, and shows the window that asks.
fn ask<'a>(
    vault: &'a Client<Endpoint>,
    session: &Session,
    screen: &Screen<Endpoint>,
) -> Result<(Shown, Locked<Vault<'a>>), CallError> {
    let required = state_of(vault).map_or(true, |state| state.has_passphrase);
    match vault.lock() {
        Ok(()) | Err(CallError::Refused(Refusal::NoPassphrase | Refusal::Locked)) => {}
        Err(error) => log!("the vault stays open: {error}"),
    }
    let mut locked = Locked::new(Vault { vault, required });
    let mut shown = Shown::open(session, locked.title(), locked.size())?;
    screen.place(shown.number())?;
    shown.input(session, Input::None, &mut |ui| locked.view(ui));
    shown.show(session)?;
    Ok((shown, locked))
}
