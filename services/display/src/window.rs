//! Windows: where they are, what surrounds them, and what of them is below a point.

use alloc::string::String;

use nonos_proto::display::cursor;
use nonos_ui::Rect;

use crate::client::Identity;
use crate::trim::Strip;

/// Lengths of frames, points.
pub mod points {
    pub use nonos_proto::display::points::{BAR, BORDER, TITLE};

    /// Corners.
    pub const RADIUS: i32 = 10;
    /// Width of a button in a title.
    pub const BUTTON: i32 = 38;
    /// How far from an edge it can be taken.
    pub const GRIP: i32 = 6;
    /// How far from a corner both its edges are taken.
    pub const CORNER: i32 = 16;
    /// What of a window stays on the screen, however it is moved.
    pub const KEPT: i32 = 64;
    /// Between the dock and what is beside it.
    pub const GAP: i32 = 10;
    /// What a window can be made no smaller than.
    pub const LEAST: (i32, i32) = (160, 60);
}

/// What lies before what, from behind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Layer {
    /// Behind all windows.
    Wallpaper,
    /// A window with a frame.
    Window,
    /// At the lower edge.
    Dock,
    /// In the middle.
    Launcher,
    /// In the upper right corner.
    Notifications,
    /// The system asks.
    Prompt,
    /// On the locked screen.
    Lock,
}

/// A surface of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Surface {
    /// What it is known by to whoever reads it.
    pub id: u32,
    /// Pixels in a line.
    pub width: i32,
    /// Lines.
    pub height: i32,
}

impl Surface {
    /// Pixels.
    pub fn pixels(&self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// An edge of the contents, which stays where it is when their size changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// The left or upper edge.
    Near(i32),
    /// The right or lower edge.
    Far(i32),
}

impl Anchor {
    /// The near edge of what is so large.
    pub fn near(self, size: i32) -> i32 {
        match self {
            Self::Near(edge) => edge,
            Self::Far(edge) => edge - size,
        }
    }
}

/// Sizes that the user can give a window, pixels; 0 for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Least width and height.
    pub least: (i32, i32),
    /// Most width and height.
    pub most: (i32, i32),
}

impl Limits {
    fn fixed((least, most): (i32, i32)) -> bool {
        most != 0 && least >= most
    }

    /// Whether the user can change the size.
    pub fn resizable(&self) -> bool {
        !Self::fixed((self.least.0, self.most.0)) && !Self::fixed((self.least.1, self.most.1))
    }

    /// The nearest size within them.
    pub fn within(&self, (width, height): (i32, i32), scale: i32) -> (i32, i32) {
        let limit = |size: i32, least: i32, most: i32, floor: i32| {
            let size = if most > 0 { size.min(most) } else { size };
            size.max(least)
                .max(if least == 0 { floor * scale } else { 1 })
        };
        (
            limit(width, self.least.0, self.most.0, points::LEAST.0),
            limit(height, self.least.1, self.most.1, points::LEAST.1),
        )
    }
}

/// Edges that are moved together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Edges {
    /// -1 for the left one, 1 for the right one.
    pub across: i32,
    /// -1 for the upper one, 1 for the lower one.
    pub down: i32,
}

/// A button of a title.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Button {
    /// Closes.
    Close,
    /// Fills the screen, or no more.
    Maximize,
    /// Hides.
    Minimize,
}

impl Button {
    /// Those of a window, from the right.
    pub const fn of(resizable: bool) -> &'static [Self] {
        match resizable {
            true => &[Self::Close, Self::Maximize, Self::Minimize],
            false => &[Self::Close, Self::Minimize],
        }
    }
}

/// A part of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The program's surface.
    Content,
    /// The title.
    Title,
    /// A button in it.
    Button(Button),
    /// Where its size is changed.
    Edge(Edges),
}

/// A window.
#[derive(Debug)]
pub struct Window {
    /// Its number.
    pub id: u32,
    /// Whose it is: a client's key.
    pub client: u64,
    /// Where it lies.
    pub layer: Layer,
    /// What it shows.
    pub surface: Surface,
    /// What it shows from the next `present` on.
    pub next: Option<Surface>,
    /// Whether there was one.
    pub shown: bool,
    /// Whether the user hid it.
    pub minimized: bool,
    /// Where it was and how large before it filled the screen.
    pub restore: Option<Rect>,
    /// Sizes that the user can give it.
    pub limits: Limits,
    /// Whether it is put where it is seen when it has another size.
    pub misplaced: bool,
    /// What the pointer looks like over it.
    pub cursor: u64,
    /// Its title.
    pub title: String,
    /// Of a prompt: which program it is about.
    pub subject: Option<Identity>,
    /// Which edges of the contents stay where they are.
    pub anchors: (Anchor, Anchor),
    /// Its title as it is drawn.
    pub strip: Strip,
}

impl Window {
    /// A window that does not show yet.
    pub fn new(id: u32, client: u64, surface: Surface, title: String) -> Self {
        Self {
            id,
            client,
            layer: Layer::Window,
            surface,
            next: None,
            shown: false,
            minimized: false,
            restore: None,
            limits: Limits::default(),
            misplaced: false,
            cursor: cursor::ARROW,
            title,
            subject: None,
            anchors: (Anchor::Near(0), Anchor::Near(0)),
            strip: Strip::default(),
        }
    }

    /// Whether it is on the screen.
    pub fn visible(&self) -> bool {
        self.shown && !self.minimized
    }

    /// Where the surface is.
    pub fn content(&self) -> Rect {
        let Surface { width, height, .. } = self.surface;
        let (x, y) = (self.anchors.0.near(width), self.anchors.1.near(height));
        Rect::new(x, y, width, height)
    }

    /// The surface with its frame, if it has one.
    pub fn frame(&self, scale: i32) -> Rect {
        let content = self.content();
        match self.layer {
            Layer::Window | Layer::Prompt => around(content, scale),
            _ => content,
        }
    }

    /// Moves the contents here.
    pub fn place(&mut self, x: i32, y: i32) {
        self.anchors = (Anchor::Near(x), Anchor::Near(y));
    }

    /// What of it is at a point, if it is there at all.
    pub fn part_at(&self, x: i32, y: i32, scale: i32) -> Option<Part> {
        if self.content().contains(x, y) {
            return Some(Part::Content);
        }
        let frame = self.frame(scale);
        let grip = points::GRIP * scale;
        let taken = frame.inset(-grip, -grip);
        if self.layer != Layer::Window || !taken.contains(x, y) {
            return None;
        }
        let resizable = self.limits.resizable() && self.restore.is_none();
        let edges = edges(frame, (x, y), scale);
        if resizable && edges != Edges::default() {
            return Some(Part::Edge(edges));
        }
        if !frame.contains(x, y) {
            return None;
        }
        if y >= frame.y + points::TITLE * scale {
            // The line around a window whose size is fixed.
            return Some(Part::Title);
        }
        let button = (0..)
            .zip(Button::of(self.limits.resizable()))
            .find(|&(index, _)| button(frame, index, scale).contains(x, y));
        Some(button.map_or(Part::Title, |(_, button)| Part::Button(*button)))
    }
}

/// -1 before `near`, 1 from `far` on, 0 between them.
fn side_of(at: i32, near: i32, far: i32) -> i32 {
    i32::from(at >= far) - i32::from(at < near)
}

/// The edges that are taken at a point in a frame or close to it.
fn edges(frame: Rect, (x, y): (i32, i32), scale: i32) -> Edges {
    let (border, top) = (points::BORDER * scale, points::GRIP * scale / 2);
    let across = side_of(x, frame.x + border, frame.right() - border);
    let down = side_of(y, frame.y + top, frame.bottom() - border);
    if (across, down) == (0, 0) {
        return Edges::default();
    }
    // Close to a corner both edges are meant.
    let corner = points::CORNER * scale;
    let both = |side: i32, close: i32| if side == 0 { close } else { side };
    let beside = side_of(x, frame.x + corner, frame.right() - corner);
    let above = side_of(y, frame.y + corner, frame.bottom() - corner);
    Edges {
        across: both(across, beside),
        down: both(down, above),
    }
}

/// Contents with a frame around them.
pub fn around(content: Rect, scale: i32) -> Rect {
    let border = points::BORDER * scale;
    let title = points::TITLE * scale;
    Rect::new(
        content.x - border,
        content.y - title,
        content.width + 2 * border,
        content.height + title + border,
    )
}

/// Contents of a frame.
pub fn inside(frame: Rect, scale: i32) -> Rect {
    let border = points::BORDER * scale;
    let title = points::TITLE * scale;
    Rect::new(
        frame.x + border,
        frame.y + title,
        frame.width - 2 * border,
        frame.height - title - border,
    )
}

/// Where a button of a title is, counted from the right.
pub fn button(frame: Rect, index: i32, scale: i32) -> Rect {
    let width = points::BUTTON * scale;
    Rect::new(
        frame.right() - (index + 1) * width,
        frame.y,
        width,
        points::TITLE * scale,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        let surface = Surface {
            id: 1,
            width: 400,
            height: 300,
        };
        let mut window = Window::new(1, 1, surface, String::new());
        window.place(100, 100);
        window
    }

    #[test]
    fn every_part_is_where_it_is_seen() {
        let window = window();
        let frame = window.frame(1);
        let at = |x, y| window.part_at(x, y, 1);
        assert_eq!(at(100, 100), Some(Part::Content));
        assert_eq!(at(499, 399), Some(Part::Content));
        assert_eq!(at(200, 90), Some(Part::Title));
        assert_eq!(
            at(frame.right() - 10, 85),
            Some(Part::Button(Button::Close))
        );
        assert_eq!(
            at(frame.right() - 100, 85),
            Some(Part::Button(Button::Minimize))
        );
        let edge = |across, down| Some(Part::Edge(Edges { across, down }));
        assert_eq!(at(frame.x - 3, 250), edge(-1, 0));
        assert_eq!(at(frame.right() + 2, frame.bottom() + 2), edge(1, 1));
        assert_eq!(at(250, frame.bottom() + 2), edge(0, 1));
        assert_eq!(at(frame.x - 20, 250), None);
    }

    #[test]
    fn a_window_of_fixed_size_has_no_edges_to_take() {
        let mut window = window();
        window.limits = Limits {
            least: (400, 300),
            most: (400, 300),
        };
        let frame = window.frame(1);
        assert_eq!(window.part_at(frame.x - 3, 250, 1), None);
        assert_eq!(
            window.part_at(frame.right() - 60, 85, 1),
            Some(Part::Button(Button::Minimize)),
            "in the place of the button that it has not"
        );
    }

    #[test]
    fn what_is_anchored_to_its_far_edges_grows_to_the_near_ones() {
        let mut window = window();
        window.anchors = (Anchor::Far(500), Anchor::Far(400));
        window.surface.width = 450;
        assert_eq!(window.content(), Rect::new(50, 100, 450, 300));
    }

    #[test]
    fn sizes_stay_within_limits() {
        let limits = Limits {
            least: (200, 0),
            most: (0, 500),
        };
        assert_eq!(limits.within((10, 10), 1), (200, 60));
        assert_eq!(limits.within((900, 900), 1), (900, 500));
        assert!(limits.resizable());
    }
}
