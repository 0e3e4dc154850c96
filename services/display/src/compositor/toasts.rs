//! Notifications: what programs tell the user, for a few seconds, each beside the name of its program.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::Refusal;
use nonos_proto::display::NOTE_BYTES;
use nonos_ui::Rect;

use super::Compositor;
use super::requests::printable;
use crate::client::Identity;
use crate::trim::{Pen, Strip};
use crate::window::points;

/// How long each shows, nanoseconds.
const SHOWN_NS: u64 = 6_000_000_000;
/// A program tells something at most so often, nanoseconds.
const EVERY_NS: u64 = 1_000_000_000;
/// Most that show at a time.
const MOST: usize = 3;
/// Width and height, points.
const SIZE: (i32, i32) = (340, 64);

/// One of them.
#[derive(Debug)]
pub struct Toast {
    identity: Identity,
    text: String,
    until_ns: u64,
    /// Its picture.
    pub strip: Strip,
}

impl Toast {
    /// Draws it, unless it was.
    pub fn draw(&mut self, pen: &Pen<'_>) {
        let size = (SIZE.0 * pen.scale, SIZE.1 * pen.scale);
        pen.toast(&mut self.strip, size, &self.text, &self.identity);
    }
}

/// Those that show, the oldest first.
#[derive(Debug, Default)]
pub struct Toasts {
    list: Vec<Toast>,
}

impl Toasts {
    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Toast> {
        self.list.iter_mut()
    }

    /// Where each is, below the upper right corner of a place.
    pub fn places(&self, area: Rect, scale: i32) -> impl Iterator<Item = (&Toast, Rect)> {
        let (width, height) = (SIZE.0 * scale, SIZE.1 * scale);
        let step = height + points::GAP * scale;
        (0..).zip(&self.list).map(move |(index, toast)| {
            let (x, y) = (area.right() - width, area.y + index * step);
            (toast, Rect::new(x, y, width, height))
        })
    }

    /// When the first ends.
    pub fn next_end_ns(&self) -> Option<u64> {
        self.list.iter().map(|toast| toast.until_ns).min()
    }
}

impl Compositor {
    /// Where notifications are: below the bar.
    pub(super) fn toasts_place(&self) -> Rect {
        let mut area = self.screen;
        area.cut_top((points::BAR + points::GAP) * self.scale, 0);
        area.cut_right(points::GAP * self.scale, 0);
        area
    }

    /// Shows what a program tells the user, in place of what it told before.
    ///
    /// # Errors
    /// [`Refusal::TooLong`], [`Refusal::Locked`], [`Refusal::TooSoon`], [`Refusal::Full`].
    pub fn notify(&mut self, key: u64, text: &str, now_ns: u64) -> Result<(), Refusal> {
        if text.len() > NOTE_BYTES {
            return Err(Refusal::TooLong);
        }
        if !self.lock.is_open() {
            return Err(Refusal::Locked);
        }
        let client = self.client_mut(key).ok_or(Refusal::Gone)?;
        let before_ns = client.notified_ns;
        if before_ns.is_some_and(|at| now_ns.saturating_sub(at) < EVERY_NS) {
            return Err(Refusal::TooSoon);
        }
        client.notified_ns = Some(now_ns);
        let identity = client.identity;
        // A program has one place at most, or it would take those of all others.
        self.touch_toasts();
        let of_others = |toast: &Toast| toast.identity.process != identity.process;
        self.toasts.list.retain(of_others);
        if self.toasts.list.len() >= MOST {
            return Err(Refusal::Full);
        }
        self.toasts.list.push(Toast {
            identity,
            text: printable(text),
            until_ns: now_ns.saturating_add(SHOWN_NS),
            strip: Strip::default(),
        });
        self.touch_toasts();
        Ok(())
    }

    /// Removes what showed for long enough.
    pub(super) fn expire_toasts(&mut self, now_ns: u64) {
        if self.toasts.next_end_ns().is_some_and(|at| at <= now_ns) {
            self.touch_toasts();
            self.toasts.list.retain(|toast| toast.until_ns > now_ns);
        }
    }

    /// Removes all.
    pub(super) fn forget_toasts(&mut self) {
        self.touch_toasts();
        self.toasts.list.clear();
    }

    /// Removes the one at a point, if there is one.
    pub(super) fn dismiss_toast(&mut self, x: i32, y: i32) -> bool {
        if self.is_modal() {
            return false;
        }
        let mut places = self.toasts.places(self.toasts_place(), self.scale);
        let Some(index) = places.position(|(_, place)| place.contains(x, y)) else {
            return false;
        };
        drop(places);
        self.touch_toasts();
        self.toasts.list.remove(index);
        true
    }

    /// How they look is another.
    pub(super) fn redraw_toasts(&mut self) {
        self.toasts
            .list
            .iter_mut()
            .for_each(|toast| toast.strip.stale = true);
    }

    fn touch_toasts(&mut self) {
        let places = self.toasts.places(self.toasts_place(), self.scale);
        let all = places
            .map(|(_, place)| place)
            .fold(Rect::default(), Rect::union);
        let reach = self.shades.shadows[1].around(all);
        self.damage.add(reach.intersect(self.screen));
    }
}
