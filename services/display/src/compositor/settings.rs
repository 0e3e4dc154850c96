//! What the user sets: how things look, and what the keyboard types.

use alloc::vec::Vec;

use nonos_input::layout::LAYOUTS;
use nonos_proto::Refusal;
use nonos_proto::display::{event, theme};
use nonos_proto::settings::{Layouts, POINTER_SPEEDS, ZONES};
use nonos_ui::Theme;

use super::{Compositor, Shades};

impl Compositor {
    /// Sets how things look.
    ///
    /// # Errors
    /// When there is no such theme or scale.
    pub fn set_look(&mut self, new_theme: u64, scale: u64) -> Result<(), Refusal> {
        if new_theme > theme::HIGH_CONTRAST || !(1..=2).contains(&scale) {
            return Err(Refusal::Malformed);
        }
        let scaled = core::mem::replace(&mut self.scale, scale as i32) != scale as i32;
        self.theme = new_theme;
        self.shades = Shades::new(Theme::of(new_theme), self.scale);
        self.cursors = [const { None }; 5];
        self.redraw_toasts();
        (self.bar.stale.all, self.menu_strip.stale) = (true, true);
        for window in &mut self.windows {
            window.strip.stale = true;
        }
        for client in &mut self.clients {
            client.push(event::LOOK, 0, [0; 3]);
        }
        self.damage.add(self.screen);
        // Frames and bar have other sizes now.
        let framed = self
            .framed()
            .filter(|_| scaled)
            .map(|window| (window.id, window.content()));
        for (id, content) in framed.collect::<Vec<_>>() {
            self.move_to(id, content.x, content.y);
            if let Some(window) = self.window_mut(id) {
                window.misplaced = true;
            }
        }
        Ok(())
    }

    /// How fast the pointer moves: a place in [`POINTER_SPEEDS`].
    pub fn pointer_speed(&self) -> u64 {
        let speed = |&other: &i64| other == self.pointer.speed;
        POINTER_SPEEDS.iter().position(speed).unwrap_or(0) as u64
    }

    /// Has the pointer move so fast.
    ///
    /// # Errors
    /// When there is no such speed.
    pub fn set_pointer_speed(&mut self, speed: u64) -> Result<(), Refusal> {
        let speed = usize::try_from(speed)
            .ok()
            .and_then(|at| POINTER_SPEEDS.get(at));
        self.pointer.speed = *speed.ok_or(Refusal::Malformed)?;
        Ok(())
    }

    /// In which of [`ZONES`] the clock shows the time.
    pub fn zone(&self) -> u64 {
        self.clock.zone() as u64
    }

    /// Has it show the time of that zone.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn set_zone(&mut self, zone: u64) -> Result<(), Refusal> {
        let zone = usize::try_from(zone).ok();
        let zone = zone.filter(|&zone| zone < ZONES.len());
        self.clock.set_zone(zone.ok_or(Refusal::Malformed)?);
        self.bar.stale.clock = true;
        Ok(())
    }

    /// Layouts of the keyboard.
    pub fn layouts(&self) -> Layouts {
        Layouts {
            count: LAYOUTS.len() as u64,
            chosen: self.keys.layout() as u64,
        }
    }

    /// Name of a layout.
    ///
    /// # Errors
    /// When there is none of this number.
    pub fn layout_name(layout: u64) -> Result<&'static str, Refusal> {
        let layout = usize::try_from(layout).ok().and_then(|at| LAYOUTS.get(at));
        layout.map(|layout| layout.name).ok_or(Refusal::Malformed)
    }

    /// Has the keyboard type by a layout.
    ///
    /// # Errors
    /// When there is none of this number.
    pub fn set_layout(&mut self, layout: u64) -> Result<(), Refusal> {
        Self::layout_name(layout)?;
        self.use_layout(layout as usize);
        Ok(())
    }
}
