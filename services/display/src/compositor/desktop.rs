//! What the desktop does: the one program that shows wallpaper and dock, and arranges windows.

use alloc::vec::Vec;

use nonos_proto::Refusal;
use nonos_proto::desktop::{WindowState, action, layer, window_state};
use nonos_proto::display::event;

use super::Compositor;
use crate::window::Layer;

impl Compositor {
    /// Makes a window of the desktop, which does not show yet, a part of it without a frame.
    ///
    /// # Errors
    /// When it is not the desktop's, shows already, or there is no such layer.
    pub fn place(&mut self, key: u64, window: u64, layer: u64) -> Result<(), Refusal> {
        let layer = match layer {
            layer::WALLPAPER => Layer::Wallpaper,
            layer::DOCK => Layer::Dock,
            layer::LAUNCHER => Layer::Launcher,
            layer::NOTIFICATIONS => Layer::Notifications,
            _ => return Err(Refusal::Malformed),
        };
        self.put(key, window, layer).map(drop)
    }

    /// Puts a window that does not show yet into a layer.
    pub(super) fn put(&mut self, key: u64, window: u64, layer: Layer) -> Result<u32, Refusal> {
        let index = u32::try_from(window).ok().and_then(|id| self.index(id));
        let index = index.filter(|&index| self.windows[index].client == key);
        let index = index.ok_or(Refusal::NoSuchWindow)?;
        if self.windows[index].shown {
            return Err(Refusal::InUse);
        }
        let mut window = self.windows.remove(index);
        let id = window.id;
        window.layer = layer;
        let before = self.windows.iter().position(|other| other.layer > layer);
        self.windows
            .insert(before.unwrap_or(self.windows.len()), window);
        Ok(id)
    }

    /// Window `index` of those with a frame, the longest open first.
    ///
    /// # Errors
    /// Past the last.
    pub fn state(&self, index: u64) -> Result<WindowState, Refusal> {
        let mut ids: Vec<u32> = self.framed().map(|window| window.id).collect();
        ids.sort_unstable();
        let id = usize::try_from(index)
            .ok()
            .and_then(|index| ids.get(index).copied());
        let window = id
            .and_then(|id| self.window(id))
            .ok_or(Refusal::NoSuchWindow)?;
        let identity = self.client(window.client).map(|client| client.identity);
        let identity = identity.ok_or(Refusal::NoSuchWindow)?;
        let focused = if self.dock_has_keyboard() {
            self.later.filter(|_| window.visible())
        } else {
            self.focus
        };
        let bit = |holds: bool, bit: u64| if holds { bit } else { 0 };
        Ok(WindowState {
            window: window.id.into(),
            module: identity.module,
            process: identity.process,
            state: bit(focused == Some(window.id), window_state::FOCUSED)
                | bit(window.minimized, window_state::MINIMIZED)
                | bit(window.restore.is_some(), window_state::MAXIMIZED),
        })
    }

    pub(super) fn framed(&self) -> impl Iterator<Item = &super::Window> {
        self.windows
            .iter()
            .filter(|window| window.layer == Layer::Window && window.shown)
    }

    fn framed_id(&self, window: u64) -> Result<u32, Refusal> {
        let found = self.framed().find(|other| u64::from(other.id) == window);
        found.map(|window| window.id).ok_or(Refusal::NoSuchWindow)
    }

    /// Does something with a window.
    ///
    /// # Errors
    /// When there is no such window, or nothing of this number can be done.
    pub fn act(&mut self, window: u64, what: u64) -> Result<(), Refusal> {
        let id = self.framed_id(window)?;
        match what {
            action::ACTIVATE => self.activate(id),
            action::MINIMIZE => self.set_minimized(id, true),
            action::CLOSE => self.send(id, event::CLOSE, [0; 3]),
            _ => return Err(Refusal::Malformed),
        }
        Ok(())
    }
}
