//! Cells to pixels, in the colours of the boot screen.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use nonos_terminal::grid::{Cell, Grid};
use nonos_terminal::palette::{BACKGROUND, CURSOR, Color, FOREGROUND, PALETTE};

const FONT: RasterHeight = RasterHeight::Size20;
const WEIGHT: FontWeight = FontWeight::Regular;
/// Pixels in a line of a character.
pub const CELL_WIDTH: usize = get_raster_width(WEIGHT, FONT);
/// Lines of pixels of a character, with the space between lines.
pub const CELL_HEIGHT: usize = GLYPH_HEIGHT + 2 * LEADING;
const GLYPH_HEIGHT: usize = FONT.val();
const LEADING: usize = 1;
/// Least space between text and the edges of the screen.
const MARGIN: usize = 8;
/// Steps from background to foreground.
const SHADES: usize = 32;

/// Where pixels go.
pub trait Surface {
    /// Width and height in pixels.
    fn size(&self) -> (usize, usize);

    /// Sets pixels from (x, y) to the right, all within the surface.
    fn write(&mut self, x: usize, y: usize, pixels: &[Color]);
}

/// Columns and rows of text that a surface has room for; at least one each.
pub fn text_size(surface: &impl Surface) -> (usize, usize) {
    let (width, height) = surface.size();
    let columns = width.saturating_sub(2 * MARGIN) / CELL_WIDTH;
    let rows = height.saturating_sub(2 * MARGIN) / CELL_HEIGHT;
    (columns.max(1), rows.max(1))
}

/// Keeps a surface showing what a grid says.
pub struct Painter<'a, S> {
    surface: S,
    /// The cells as they were drawn last, line by line.
    shown: &'a mut [u32],
    columns: usize,
    left: usize,
    top: usize,
    colors: (Color, Color),
    shades: [Color; SHADES],
}

impl<'a, S: Surface> Painter<'a, S> {
    /// Clears the surface. `shown` holds zeros, one for each cell.
    pub fn new(mut surface: S, shown: &'a mut [u32]) -> Self {
        let (width, height) = surface.size();
        let (columns, rows) = text_size(&surface);
        let row = [BACKGROUND; 256];
        for y in 0..height {
            for x in (0..width).step_by(row.len()) {
                surface.write(x, y, &row[..row.len().min(width - x)]);
            }
        }
        Self {
            left: width.saturating_sub(columns * CELL_WIDTH) / 2,
            top: height.saturating_sub(rows * CELL_HEIGHT) / 2,
            surface,
            shown,
            columns,
            colors: (0, 0),
            shades: [0; SHADES],
        }
    }

    /// Draws the cells that changed.
    pub fn refresh(&mut self, grid: &mut Grid<&mut [u32]>) {
        for row in grid.changed() {
            for column in 0..self.columns.min(grid.size().0) {
                let cell = grid.cell(row, column);
                let Some(shown) = self.shown.get_mut(row * self.columns + column) else {
                    return;
                };
                if *shown != cell.0 {
                    *shown = cell.0;
                    self.draw(row, column, cell);
                }
            }
        }
    }

    fn draw(&mut self, row: usize, column: usize, cell: Cell) {
        let foreground = cell.foreground().map_or(FOREGROUND, |color| PALETTE[color]);
        let background = cell.background().map_or(BACKGROUND, |color| PALETTE[color]);
        match cell.has_cursor() {
            true => self.mix(BACKGROUND, CURSOR),
            false => self.mix(foreground, background),
        }
        let (x, y) = (
            self.left + column * CELL_WIDTH,
            self.top + row * CELL_HEIGHT,
        );
        let (width, height) = self.surface.size();
        if x + CELL_WIDTH > width || y + CELL_HEIGHT > height {
            return;
        }
        let blank = [self.shades[0]; CELL_WIDTH];
        let Some([first, second]) = cell.character().map(glyphs) else {
            (0..CELL_HEIGHT).for_each(|line| self.surface.write(x, y + line, &blank));
            return;
        };
        for line in 0..LEADING {
            self.surface.write(x, y + line, &blank);
            self.surface
                .write(x, y + LEADING + GLYPH_HEIGHT + line, &blank);
        }
        for line in 0..GLYPH_HEIGHT {
            let at = line * CELL_WIDTH..(line + 1) * CELL_WIDTH;
            let mut pixels = blank;
            let weights = first[at.clone()].iter().zip(&second[at]);
            for (pixel, (a, b)) in pixels.iter_mut().zip(weights) {
                *pixel = self.shades[usize::from(*a.max(b)) * SHADES / 256];
            }
            self.surface.write(x, y + LEADING + line, &pixels);
        }
    }

    /// Prepares the shades between two colours.
    fn mix(&mut self, foreground: Color, background: Color) {
        if self.colors == (foreground, background) {
            return;
        }
        self.colors = (foreground, background);
        let last = SHADES as u32 - 1;
        for (step, shade) in (0..).zip(&mut self.shades) {
            let channel = |shift: u32| {
                let (below, above) = (background >> shift & 0xFF, foreground >> shift & 0xFF);
                ((below * (last - step) + above * step) / last) << shift
            };
            *shade = channel(16) | channel(8) | channel(0);
        }
    }
}

/// Weights of the pixels of a character, from two shapes that lie on each other. The font holds ASCII
/// only; the letter of the system's own name is put together.
fn glyphs(character: char) -> [&'static [u8]; 2] {
    let shape = |character| get_raster(character, WEIGHT, FONT).map(|glyph| glyph.pixels());
    let (first, second) = match character {
        'Ø' => ('O', '/'),
        'ø' => ('o', '/'),
        other => (other, other),
    };
    let unknown = || shape('?').unwrap_or(&[0; CELL_WIDTH * GLYPH_HEIGHT]);
    [first, second].map(|part| shape(part).unwrap_or_else(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_terminal::ansi::Action;

    struct Picture {
        width: usize,
        pixels: Vec<Color>,
        writes: usize,
    }

    impl Picture {
        fn new(width: usize, height: usize) -> Self {
            Self {
                width,
                pixels: vec![0; width * height],
                writes: 0,
            }
        }
    }

    impl Surface for &mut Picture {
        fn size(&self) -> (usize, usize) {
            (self.width, self.pixels.len() / self.width)
        }

        fn write(&mut self, x: usize, y: usize, pixels: &[Color]) {
            assert!(x + pixels.len() <= self.width);
            let start = y * self.width + x;
            self.pixels[start..start + pixels.len()].copy_from_slice(pixels);
            self.writes += 1;
        }
    }

    #[test]
    fn only_cells_that_changed_are_drawn() {
        let mut picture = Picture::new(640, 480);
        let (columns, rows) = text_size(&&mut picture);
        let (mut cells, mut shown) = (vec![0; columns * rows], vec![0; columns * rows]);
        let mut grid = Grid::new(&mut cells[..], columns, rows);
        let mut painter = Painter::new(&mut picture, &mut shown);
        painter.refresh(&mut grid);
        let before = painter.surface.writes;
        grid.act(Action::Print('x'));
        painter.refresh(&mut grid);
        assert_eq!(
            painter.surface.writes - before,
            2 * CELL_HEIGHT,
            "the letter and the cursor"
        );
        let before = painter.surface.writes;
        painter.refresh(&mut grid);
        assert_eq!(painter.surface.writes, before);
        (0..rows).for_each(|_| grid.act(Action::NewLine));
        painter.refresh(&mut grid);
        assert_eq!(
            painter.surface.writes - before,
            3 * CELL_HEIGHT,
            "scrolling draws no blanks"
        );
    }

    #[test]
    fn letters_stand_out_from_the_background() {
        let mut picture = Picture::new(200, 100);
        let (mut cells, mut shown) = (vec![0; 100], vec![0; 100]);
        let (columns, rows) = text_size(&&mut picture);
        let mut grid = Grid::new(&mut cells[..], columns, rows);
        Painter::new(&mut picture, &mut shown).refresh(&mut grid);
        assert!(
            picture
                .pixels
                .iter()
                .all(|&pixel| pixel == BACKGROUND || pixel == CURSOR)
        );
        for character in ['M', 'Ø', '\u{1F}', '猫'] {
            let (mut cells, mut shown) = (vec![0; 100], vec![0; 100]);
            let mut grid = Grid::new(&mut cells[..], columns, rows);
            grid.act(Action::Print(character));
            Painter::new(&mut picture, &mut shown).refresh(&mut grid);
            assert!(picture.pixels.contains(&FOREGROUND), "{character}");
        }
    }

    #[test]
    fn tiny_surfaces_show_nothing_and_do_not_panic() {
        for (width, height) in [(1, 1), (5, 300), (300, 5)] {
            let mut picture = Picture::new(width, height);
            let (mut cells, mut shown) = (vec![0; 64], vec![0; 64]);
            let (columns, rows) = text_size(&&mut picture);
            let mut grid = Grid::new(&mut cells[..], columns, rows);
            grid.act(Action::Print('x'));
            Painter::new(&mut picture, &mut shown).refresh(&mut grid);
        }
    }
}
