//! What is higher than the place it has.

use crate::geometry::Rect;
use crate::input::usage;
use crate::ui::Ui;

/// Points for a step of the wheel.
const STEP: i32 = 48;

/// How far something is scrolled.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Scroll {
    /// Points above the top.
    pub offset: i32,
    /// Where the bar was grabbed.
    grabbed: i32,
}

impl Scroll {
    /// Scrolls as little as shows a part (from and to, from the top of the contents).
    pub fn show(&mut self, from: i32, to: i32, height: i32) {
        self.offset = self.offset.max(to - height).min(from);
    }
}

impl Ui<'_> {
    /// Contents of this height within a rectangle; the view is given their place.
    #[inline(never)]
    pub fn scroll<T>(
        &mut self,
        rect: Rect,
        name: &str,
        scroll: &mut Scroll,
        height: i32,
        view: impl FnOnce(&mut Self, Rect) -> T,
    ) -> T {
        let most = (height - rect.height).max(0);
        let before = scroll.offset;
        let id = self.scope(name, 0, |ui| ui.id("bar"));
        if most > 0 {
            self.scroll_bar(rect, id, scroll, most);
        }
        scroll.offset = scroll.offset.clamp(0, most);
        let contents = Rect::new(
            rect.x,
            rect.y - scroll.offset,
            rect.width,
            height.max(rect.height),
        );
        let result = self.clipped(rect, |ui| view(ui, contents));
        if let Some(revealed) = self.take_revealed() {
            let from = revealed.y - contents.y;
            scroll.show(from - 12, from + revealed.height + 12, rect.height);
        }
        scroll.offset += self.take_wheel(rect) * STEP;
        if most > 0
            && let Some(key) =
                self.take_key(|key| matches!(key.usage, usage::PAGE_UP | usage::PAGE_DOWN))
        {
            let page = (rect.height - STEP).max(STEP);
            scroll.offset += if key.usage == usage::PAGE_UP {
                -page
            } else {
                page
            };
        }
        scroll.offset = scroll.offset.clamp(0, most);
        if scroll.offset != before {
            self.changed();
        }
        if most > 0 {
            self.thumb(rect, id, scroll, most);
        }
        result
    }

    #[inline(never)]
    fn thumb_of(rect: Rect, scroll: &Scroll, most: i32) -> Rect {
        let track = Rect::new(rect.right() - 10, rect.y + 4, 6, rect.height - 8);
        let part =
            |of: i32, all: i32| (i64::from(of) * i64::from(track.height) / i64::from(all)) as i32;
        let height = part(rect.height, rect.height + most)
            .max(24)
            .min(track.height);
        let room = i64::from(track.height - height);
        let y = track.y + (room * i64::from(scroll.offset.clamp(0, most)) / i64::from(most)) as i32;
        Rect::new(track.x, y, 6, height)
    }

    pub(super) fn scroll_bar(
        &mut self,
        rect: Rect,
        id: crate::ui::Id,
        scroll: &mut Scroll,
        most: i32,
    ) {
        let thumb = Self::thumb_of(rect, scroll, most);
        let grip = Rect::new(thumb.x - 4, thumb.y, 14, thumb.height);
        let response = self.interact(id, grip, false);
        if let Some((_, y)) = self.dragged(id) {
            if response.pressed {
                scroll.grabbed = y - thumb.y;
            }
            let room = (rect.height - 8 - thumb.height).max(1);
            let moved = i64::from(y - scroll.grabbed - rect.y - 4);
            scroll.offset =
                (moved * i64::from(most) / i64::from(room)).clamp(0, most.into()) as i32;
        }
    }

    pub(super) fn thumb(&mut self, rect: Rect, id: crate::ui::Id, scroll: &Scroll, most: i32) {
        let thumb = Self::thumb_of(rect, scroll, most);
        let strong = self.dragged(id).is_some() || self.pointer_in(thumb.inset(-4, 0)).is_some();
        let color = self
            .theme
            .secondary
            .with_opacity(if strong { 200 } else { 110 });
        self.rounded(thumb, 3, color);
    }
}
