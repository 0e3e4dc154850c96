//! Rectangles, and how windows are laid out: by cutting pieces off them.

/// A rectangle. An edge belongs to it on the left and at the top. Sizes are never negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
}

impl Rect {
    /// A rectangle; a negative size counts as none.
    pub const fn new(x: i32, y: i32, width: i32, height: i32) -> Self {
        Self {
            x,
            y,
            width: if width > 0 { width } else { 0 },
            height: if height > 0 { height } else { 0 },
        }
    }

    /// The edge behind the last column.
    pub const fn right(self) -> i32 {
        self.x + self.width
    }

    /// The edge below the last line.
    pub const fn bottom(self) -> i32 {
        self.y + self.height
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Whether a point is in it.
    pub const fn contains(self, x: i32, y: i32) -> bool {
        x >= self.x && x < self.right() && y >= self.y && y < self.bottom()
    }

    /// What both have.
    pub fn intersect(self, other: Self) -> Self {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        Self::new(
            x,
            y,
            self.right().min(other.right()) - x,
            self.bottom().min(other.bottom()) - y,
        )
    }

    /// The smallest that has both.
    #[inline(never)]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = (
            self.right().max(other.right()),
            self.bottom().max(other.bottom()),
        );
        Self::new(x, y, right - x, bottom - y)
    }

    /// Without a margin on the left and right, and one above and below; negative ones add.
    pub const fn inset(self, across: i32, down: i32) -> Self {
        Self::new(
            self.x + across,
            self.y + down,
            self.width - 2 * across,
            self.height - 2 * down,
        )
    }

    /// Moved.
    pub const fn moved(self, right: i32, down: i32) -> Self {
        Self::new(self.x + right, self.y + down, self.width, self.height)
    }

    /// Everything times so much.
    pub const fn scaled(self, by: i32) -> Self {
        Self::new(self.x * by, self.y * by, self.width * by, self.height * by)
    }

    /// One of this size in the middle.
    pub const fn centred(self, width: i32, height: i32) -> Self {
        Self::new(
            self.x + (self.width - width) / 2,
            self.y + (self.height - height) / 2,
            width,
            height,
        )
    }

    /// Takes a piece off the top, and a gap below it.
    pub fn cut_top(&mut self, height: i32, gap: i32) -> Self {
        let piece = Self::new(self.x, self.y, self.width, height.min(self.height));
        let taken = (piece.height + gap).min(self.height);
        *self = Self::new(self.x, self.y + taken, self.width, self.height - taken);
        piece
    }

    /// Takes a piece off the bottom, and a gap above it.
    pub fn cut_bottom(&mut self, height: i32, gap: i32) -> Self {
        let height = height.min(self.height);
        let piece = Self::new(self.x, self.bottom() - height, self.width, height);
        self.height = (self.height - height - gap).max(0);
        piece
    }

    /// Takes a piece off the left, and a gap beside it.
    pub fn cut_left(&mut self, width: i32, gap: i32) -> Self {
        let piece = Self::new(self.x, self.y, width.min(self.width), self.height);
        let taken = (piece.width + gap).min(self.width);
        *self = Self::new(self.x + taken, self.y, self.width - taken, self.height);
        piece
    }

    /// Takes a piece off the right, and a gap beside it.
    pub fn cut_right(&mut self, width: i32, gap: i32) -> Self {
        let width = width.min(self.width);
        let piece = Self::new(self.right() - width, self.y, width, self.height);
        self.width = (self.width - width - gap).max(0);
        piece
    }

    /// Cell of a grid with gaps that fills it, whose columns and lines differ by a point at most.
    #[inline(never)]
    pub fn cell(self, (columns, rows): (i32, i32), gap: i32, (column, row): (i32, i32)) -> Self {
        let part = |size: i32, count: i32, index: i32| {
            let all = size + gap;
            let (first, next) = (all * index / count, all * (index + 1) / count);
            (first, next - first - gap)
        };
        let (x, width) = part(self.width, columns, column);
        let (y, height) = part(self.height, rows, row);
        Self::new(self.x + x, self.y + y, width, height)
    }
}

/// Two rectangles that cover all of these, which go from the top down: what is above the widest gap between them, and what is below.
#[inline(never)]
pub fn in_two(rects: &[Rect]) -> [Rect; 2] {
    let all = |rects: &[Rect]| {
        rects
            .iter()
            .fold(Rect::default(), |all, &rect| all.union(rect))
    };
    let (mut widest, mut split, mut bottom) = (0, 0, i32::MAX);
    for (index, rect) in rects.iter().enumerate() {
        let gap = rect.y.saturating_sub(bottom);
        if gap > widest {
            (widest, split) = (gap, index);
        }
        bottom = if index == 0 {
            rect.bottom()
        } else {
            bottom.max(rect.bottom())
        };
    }
    let (above, below) = rects.split_at(split);
    [all(above), all(below)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cover_all_and_nothing_between() {
        let at = |y, height| Rect::new(5, y, 10, height);
        assert_eq!(in_two(&[]), [Rect::default(); 2]);
        assert_eq!(in_two(&[at(7, 3)]), [Rect::default(), at(7, 3)]);
        let rects = [
            at(0, 4),
            at(2, 30),
            at(36, 2),
            Rect::new(20, 80, 5, 5),
            at(90, 10),
        ];
        let below = Rect::new(5, 80, 20, 20);
        assert_eq!(in_two(&rects), [at(0, 38), below]);
        // Not from the top down: still all of it.
        assert_eq!(in_two(&[at(50, 5), at(0, 5)]), [Rect::default(), at(0, 55)]);
    }

    #[test]
    fn pieces_and_gaps_fill_what_they_are_cut_from() {
        let mut rest = Rect::new(10, 20, 100, 50);
        assert_eq!(rest.cut_top(10, 2), Rect::new(10, 20, 100, 10));
        assert_eq!(rest.cut_left(30, 4), Rect::new(10, 32, 30, 38));
        assert_eq!(rest.cut_bottom(8, 1), Rect::new(44, 62, 66, 8));
        assert_eq!(rest.cut_right(6, 1), Rect::new(104, 32, 6, 29));
        assert_eq!(rest, Rect::new(44, 32, 59, 29));
        assert_eq!(rest.cut_top(100, 5).height, 29);
        assert!(rest.is_empty() && rest.cut_left(5, 5).is_empty());
    }

    #[test]
    fn cells_fill_the_grid_with_equal_gaps() {
        let grid = Rect::new(0, 0, 103, 50);
        let cells: alloc::vec::Vec<_> = (0..4)
            .map(|column| grid.cell((4, 1), 5, (column, 0)))
            .collect();
        assert!(
            cells
                .windows(2)
                .all(|pair| pair[1].x - pair[0].right() == 5)
        );
        assert_eq!((cells[0].x, cells[3].right()), (0, 103));
        assert!(cells.iter().all(|cell| (21..=23).contains(&cell.width)));
    }

    #[test]
    fn what_two_have_and_what_has_two() {
        let (a, b) = (Rect::new(0, 0, 10, 10), Rect::new(5, 8, 10, 10));
        assert_eq!(a.intersect(b), Rect::new(5, 8, 5, 2));
        assert_eq!(a.union(b), Rect::new(0, 0, 15, 18));
        assert!(a.intersect(Rect::new(20, 0, 5, 5)).is_empty());
        assert_eq!(a.union(Rect::default()), a);
    }
}
