//! The locked screen: nothing of any program shows or hears of input but what asks for the passphrase.
//!
//! The compositor keeps the state itself and starts locked. If the program that unlocks ends, the screen stays as it is.

use nonos_proto::Refusal;
use nonos_proto::lock::state;

use super::Compositor;
use crate::window::Layer;

/// Whether the screen is locked: one of [`state`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock(u64);

impl Default for Lock {
    fn default() -> Self {
        Self(state::STARTED)
    }
}

impl Lock {
    /// Whether it is not.
    pub fn is_open(self) -> bool {
        self.0 == state::OPEN
    }
}

impl Compositor {
    /// One of [`state`].
    pub fn lock_state(&self) -> u64 {
        self.lock.0
    }

    /// Makes a window, which does not show yet, the one that the locked screen shows.
    ///
    /// # Errors
    /// As [`Compositor::place`].
    pub fn place_lock(&mut self, key: u64, window: u64) -> Result<(), Refusal> {
        self.put(key, window, Layer::Lock).map(drop)
    }

    /// Locks the screen: from now on no program hears of anything.
    pub fn lock(&mut self) {
        if self.lock.0 == state::LOCKED {
            return;
        }
        if self.lock.is_open() {
            // The menu went with the desktop.
            self.menu = None;
            if self.ready_prompt().is_none() {
                self.later = self.focus;
            }
        }
        self.lock = Lock(state::LOCKED);
        self.forget_toasts();
        self.drop_grab();
        self.keys.forget();
        let window = self.windows.iter().find(|w| w.layer == Layer::Lock);
        let window = window.map(|window| window.id);
        self.set_focus(window);
        self.notice.locked = true;
        self.damage.add(self.screen);
    }

    /// Unlocks it.
    pub fn unlock(&mut self, now_ns: u64) {
        self.lock = Lock(state::OPEN);
        self.drop_grab();
        self.quiet_prompt(now_ns);
        self.give_focus_back();
        self.damage.add(self.screen);
    }

    /// What the bar says of the vault.
    pub fn tell_vault(&mut self, locked: Option<bool>) {
        self.machine.vault_locked = locked;
        self.bar.stale.all = true;
    }

    /// Whether a window shows and hears of input, as far as lock and prompt go.
    pub(super) fn is_live(&self, id: u32, layer: Layer) -> bool {
        match (self.lock.is_open(), self.prompt_window()) {
            (false, _) => layer == Layer::Lock,
            (true, Some(_)) => self.ready_prompt() == Some(id),
            (true, None) => !matches!(layer, Layer::Lock | Layer::Prompt),
        }
    }

    /// Whether a window may have the keyboard now.
    pub(super) fn may_focus(&self, id: u32) -> bool {
        let Some(layer) = self.window(id).map(|window| window.layer) else {
            return false;
        };
        match (self.lock.is_open(), self.ready_prompt()) {
            (false, _) => layer == Layer::Lock,
            (true, Some(prompt)) => id == prompt,
            (true, None) => !matches!(layer, Layer::Lock | Layer::Prompt),
        }
    }

    /// Whether the user can do nothing with windows now.
    pub(super) fn is_modal(&self) -> bool {
        !self.lock.is_open() || self.prompt.is_some()
    }

    /// Gives the keyboard back to the window that had it before a prompt, the lock or the dock.
    pub(super) fn give_focus_back(&mut self) {
        let later = self.later.take();
        let there = |id: &u32| self.window(*id).is_some_and(super::Window::visible);
        match later.filter(there) {
            Some(id) => self.set_focus(Some(id)),
            None => self.focus_top(),
        }
    }
}
