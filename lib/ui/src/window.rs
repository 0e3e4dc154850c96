//! A window: its pixels, and how input becomes changed pixels.

use alloc::vec;
use alloc::vec::Vec;

use crate::canvas::Canvas;
use crate::frame::{Cells, Frame};
use crate::geometry::Rect;
use crate::input::Input;
use crate::text::{Atlas, Writer};
use crate::theme::Theme;
use crate::ui::{Copied, Memory, Ui};

/// How often a view is run for one input at most: a view that always changes something is shown anyway.
const RUNS: usize = 4;

/// A window.
#[derive(Debug)]
pub struct Window {
    frame: Frame,
    cells: Cells,
    memory: Memory,
    pixels: Vec<u32>,
    /// Pixels.
    width: i32,
    height: i32,
    scale: i32,
    theme: &'static Theme,
    /// One of `nonos_proto::display::cursor`.
    pub cursor: u64,
    /// What the program put on the clipboard.
    pub copied: Option<Copied>,
    /// The program asks the user to let it paste.
    pub asks_to_paste: bool,
}

/// What tests on the host look at.
#[cfg(feature = "host")]
impl Window {
    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(crate) fn focus(&self) -> Option<crate::ui::Id> {
        self.memory.focus()
    }

    pub(crate) fn move_focus_to(&mut self, id: Option<crate::ui::Id>) {
        self.memory.move_focus_to(id);
    }

    pub(crate) fn set_theme(&mut self, theme: &'static Theme) {
        self.reset(self.width, self.height, self.scale, theme);
    }

    /// What can have the keyboard, and where it is, pixels.
    pub(crate) fn controls(&self) -> Vec<(crate::ui::Id, Rect)> {
        let controls = self.memory.controls();
        controls
            .map(|(id, place)| (id, place.scaled(self.scale)))
            .collect()
    }
}

impl Window {
    /// A window of this size in pixels, with so many pixels for a point.
    #[inline(never)]
    pub fn new(width: i32, height: i32, scale: i32, theme: &'static Theme) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self {
            frame: Frame::default(),
            cells: Cells::default(),
            memory: Memory::default(),
            pixels: Vec::new(),
            width,
            height,
            scale: scale.max(1),
            theme,
            cursor: 0,
            copied: None,
            asks_to_paste: false,
        }
    }

    /// The menus of texts offer to paste: the program can ask the user for that.
    pub fn offer_to_paste(&mut self) {
        self.memory.text_menu.asks_to_paste = true;
    }

    /// What time it is, nanoseconds: what is clicked twice is told by that.
    pub fn set_time(&mut self, now_ns: u64) {
        self.memory.now_ns = now_ns;
    }

    /// Its pixels are lost: it is painted anew, in another size or another theme.
    pub fn reset(&mut self, width: i32, height: i32, scale: i32, theme: &'static Theme) {
        let memory = core::mem::take(&mut self.memory);
        *self = Self {
            memory,
            ..Self::new(width, height, scale, theme)
        };
    }

    /// A window that shows the same and was never painted.
    pub fn unpainted(&self) -> Self {
        Self {
            frame: self.frame.clone(),
            ..Self::new(self.width, self.height, self.scale, self.theme)
        }
    }

    /// Its pixels, line by line; none before it is painted for the first time.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Pixels in a line, and lines.
    pub fn size(&self) -> (i32, i32) {
        (self.width, self.height)
    }

    /// Runs the view for an input.
    #[inline(never)]
    pub fn input(&mut self, atlas: &dyn Atlas, input: Input, view: &mut dyn FnMut(&mut Ui<'_>)) {
        let size = Rect::new(0, 0, self.width / self.scale, self.height / self.scale);
        let mut input = Some(input);
        for _ in 0..RUNS {
            let look = (self.theme, self.scale, size);
            let input = input.take().unwrap_or(Input::None);
            let mut ui = Ui::new(
                Writer(atlas),
                look,
                &mut self.frame,
                &mut self.memory,
                input,
            );
            view(&mut ui);
            let outcome = ui.finish();
            self.cursor = outcome.cursor;
            self.copied = outcome.copied.or(self.copied.take());
            self.asks_to_paste |= outcome.asks_to_paste;
            if !outcome.again {
                break;
            }
        }
    }

    /// Paints what changed: where that is.
    #[inline(never)]
    pub fn paint(&mut self, atlas: &dyn Atlas) -> Vec<Rect> {
        let cells = self.frame.cells(self.width, self.height);
        let window = Rect::new(0, 0, self.width, self.height);
        let mut changed = cells.differences(&self.cells);
        self.cells = cells;
        let (width, height) = (self.width as usize, self.height as usize);
        if self.pixels.is_empty() {
            self.pixels = vec![0; width * height];
        }
        let mut canvas = Canvas::new(&mut self.pixels, width, height, width);
        for rect in &mut changed {
            *rect = rect.intersect(window);
            self.frame.paint(&mut canvas, Writer(atlas), *rect);
        }
        changed
    }
}
