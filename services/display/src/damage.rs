//! What of the screen is to be drawn again.

use nonos_ui::Rect;

/// Most rectangles; more are joined.
const MOST: usize = 12;

/// Rectangles that cover all that changed. They may overlap.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    rects: [Rect; MOST],
    count: usize,
}

impl Damage {
    /// Adds a rectangle. One that is close to another is joined with it: that draws a little more, but less often.
    pub fn add(&mut self, rect: Rect) {
        if rect.is_empty() {
            return;
        }
        let mut rect = rect;
        // What was joined may be close to others now.
        while let Some(index) = self.rects().iter().position(|other| close(other, &rect)) {
            rect = rect.union(self.rects[index]);
            self.remove(index);
        }
        if self.count == MOST {
            let all = self
                .rects()
                .iter()
                .fold(rect, |all, other| all.union(*other));
            (self.rects[0], self.count) = (all, 1);
            return;
        }
        self.rects[self.count] = rect;
        self.count += 1;
    }

    fn remove(&mut self, index: usize) {
        self.count -= 1;
        self.rects[index] = self.rects[self.count];
    }

    /// The rectangles.
    pub fn rects(&self) -> &[Rect] {
        &self.rects[..self.count]
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Whether drawing what covers both costs hardly more than drawing both.
fn close(a: &Rect, b: &Rect) -> bool {
    let area = |rect: &Rect| i64::from(rect.width) * i64::from(rect.height);
    area(&a.union(*b)) <= (area(a) + area(b)) * 5 / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_added_is_covered() {
        let mut seed = 1_u32;
        let mut draw = |limit: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % limit
        };
        for _ in 0..200 {
            let mut damage = Damage::default();
            let mut added = Vec::new();
            for _ in 0..draw(40) {
                let rect = Rect::new(
                    draw(300) as i32,
                    draw(300) as i32,
                    draw(60) as i32,
                    draw(60) as i32,
                );
                damage.add(rect);
                added.push(rect);
            }
            for rect in added {
                for (x, y) in [(rect.x, rect.y), (rect.right() - 1, rect.bottom() - 1)] {
                    let covered = damage.rects().iter().any(|r| r.contains(x, y));
                    assert!(rect.is_empty() || covered, "{rect:?}");
                }
            }
        }
    }

    #[test]
    fn a_step_of_a_window_is_one_rectangle_and_far_corners_are_two() {
        let mut damage = Damage::default();
        damage.add(Rect::new(0, 0, 100, 100));
        damage.add(Rect::new(5, 0, 100, 100));
        assert_eq!(damage.rects(), [Rect::new(0, 0, 105, 100)]);
        damage.add(Rect::new(900, 700, 10, 10));
        assert_eq!(damage.rects().len(), 2);
    }
}
