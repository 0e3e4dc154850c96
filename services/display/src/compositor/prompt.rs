//! Prompts: windows in which the system asks about a program.
//!
//! While one shows, everything else is dimmed and hears nothing of the pointer; the frame names the program that is asked about. Keyboard and
//! pointer are the prompt's once the user pressed nothing for [`QUIET_NS`]: until then keys go where they went before, so that
//! nobody answers a question with what was typed for another window.

use nonos_proto::Refusal;

use super::Compositor;
use crate::client::Identity;
use crate::window::Layer;

/// So long the user pressed nothing before a prompt hears of keys and buttons, nanoseconds.
pub const QUIET_NS: u64 = 400_000_000;

/// The prompt that shows.
#[derive(Debug)]
pub struct Prompt {
    window: u32,
    /// When it hears of keys and buttons; nothing when it does.
    ready_ns: Option<u64>,
}

impl Compositor {
    /// Makes a window, which does not show yet, a prompt about a program.
    ///
    /// # Errors
    /// [`Refusal::InUse`] while there is another, and as [`Compositor::place`].
    pub fn place_prompt(
        &mut self,
        key: u64,
        window: u64,
        subject: Identity,
    ) -> Result<(), Refusal> {
        let mut layers = self.windows.iter().map(|window| window.layer);
        if layers.any(|layer| layer == Layer::Prompt) {
            return Err(Refusal::InUse);
        }
        let id = self.put(key, window, Layer::Prompt)?;
        if let Some(window) = self.window_mut(id) {
            window.subject = Some(subject);
        }
        Ok(())
    }

    /// A prompt shows from now on.
    pub(super) fn prompt_shown(&mut self, id: u32, now_ns: u64) {
        self.prompt = Some(Prompt {
            window: id,
            ready_ns: Some(now_ns.saturating_add(QUIET_NS)),
        });
        self.drop_grab();
        self.keys.stop();
        self.damage.add(self.screen);
    }

    /// The prompt is no more.
    pub(super) fn prompt_lost(&mut self, id: u32) {
        if self.prompt.take_if(|prompt| prompt.window == id).is_some() {
            self.damage.add(self.screen);
        }
    }

    /// The window of the prompt that shows.
    pub(super) fn prompt_window(&self) -> Option<u32> {
        self.prompt.as_ref().map(|prompt| prompt.window)
    }

    /// The same, once keys and buttons are for it.
    pub(super) fn ready_prompt(&self) -> Option<u32> {
        let ready = self.prompt.as_ref().filter(|p| p.ready_ns.is_none());
        ready.map(|prompt| prompt.window)
    }

    /// The user pressed something. A prompt that does not hear of it yet waits again.
    pub(super) fn postpone_prompt(&mut self, now_ns: u64) {
        self.tick(now_ns);
        if let Some(ready_ns) = self.prompt.as_mut().and_then(|p| p.ready_ns.as_mut()) {
            *ready_ns = now_ns.saturating_add(QUIET_NS);
        }
    }

    /// A prompt that is there waits for quiet again.
    pub(super) fn quiet_prompt(&mut self, now_ns: u64) {
        if let Some(prompt) = &mut self.prompt {
            prompt.ready_ns = Some(now_ns.saturating_add(QUIET_NS));
        }
    }

    /// When [`Self::tick`] has something to do next.
    pub fn wake_ns(&self) -> Option<u64> {
        let prompt = self.prompt.as_ref().and_then(|prompt| prompt.ready_ns);
        let prompt = prompt.filter(|_| self.lock.is_open());
        let toasts = self.toasts.next_end_ns();
        let minute = self.clock.next_ns();
        prompt.into_iter().chain(toasts).chain(minute).min()
    }

    /// Time went by.
    pub fn tick(&mut self, now_ns: u64) {
        self.expire_toasts(now_ns);
        self.bar.stale.clock |= self.clock.tick(now_ns);
        if let Some(prompt) = self.prompt.as_mut().filter(|_| self.lock.is_open())
            && prompt.ready_ns.is_some_and(|at| at <= now_ns)
        {
            prompt.ready_ns = None;
            let window = prompt.window;
            self.later = self.focus;
            self.set_focus(Some(window));
        }
    }
}
