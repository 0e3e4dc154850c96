//! What stands in for the font service on the host, and pictures in files.

extern crate std;

use std::boxed::Box;
use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::vec::Vec;
use std::{fs, io};

use fonts::atlas;
use nonos_proto::fonts::Key as Glyph;

use crate::input::{Input, Key};
use crate::program::App;
use crate::text::Atlas;
use crate::theme::Theme;
use crate::window::Window;

/// An atlas of this process.
#[derive(Debug)]
pub struct HostAtlas(RefCell<atlas::Atlas<Box<[AtomicU32]>>>);

impl HostAtlas {
    /// Without glyphs.
    pub fn new() -> Self {
        let words = (0..atlas::WORDS).map(|_| AtomicU32::new(0)).collect();
        let atlas = atlas::Atlas::new(words);
        Self(RefCell::new(
            atlas.expect("it has as many words as it needs"),
        ))
    }
}

impl Default for HostAtlas {
    fn default() -> Self {
        Self::new()
    }
}

impl Atlas for HostAtlas {
    fn read(&self, first: usize, out: &mut [u32]) {
        let atlas = self.0.borrow();
        let words = atlas.words().get(first..).unwrap_or_default();
        out.fill(0);
        for (out, word) in out.iter_mut().zip(words) {
            *out = word.load(Ordering::Acquire);
        }
    }

    fn ensure(&self, keys: &[Glyph]) {
        for &key in keys {
            self.0.borrow_mut().ensure(key);
        }
    }
}

/// A program with its window, on the host.
#[derive(Debug)]
pub struct Stage<A> {
    /// The program.
    pub app: A,
    /// Its window.
    pub window: Window,
    atlas: HostAtlas,
}

impl<A: App> Stage<A> {
    /// The program in a window as large as it wants, which has the keyboard. `theme` is one of `nonos_proto::display::theme`.
    pub fn new(app: A, theme: u64, scale: i32) -> Self {
        let (width, height) = app.size();
        Self::sized(app, theme, scale, (width, height))
    }

    /// The same in a window of this size, points.
    pub fn sized(app: A, theme: u64, scale: i32, (width, height): (i32, i32)) -> Self {
        let mut stage = Self {
            app,
            window: Window::new(width * scale, height * scale, scale, Theme::of(theme)),
            atlas: HostAtlas::new(),
        };
        stage.input(Input::Focus(true));
        stage
    }

    /// Something happens.
    pub fn input(&mut self, input: Input) {
        let app = &mut self.app;
        self.window
            .input(&self.atlas, input, &mut |ui| app.view(ui));
        self.window.paint(&self.atlas);
    }

    /// It has another theme, one of `nonos_proto::display::theme`.
    pub fn set_theme(&mut self, theme: u64) {
        self.window.set_theme(Theme::of(theme));
        self.show();
    }

    /// It is shown as it is now.
    pub fn show(&mut self) {
        self.input(Input::None);
    }

    /// A key is pressed.
    pub fn press(&mut self, usage: u8, modifiers: u64) {
        self.input(Input::Key(Key {
            usage,
            modifiers,
            character: None,
        }));
    }

    /// Text is typed.
    pub fn write(&mut self, text: &str) {
        for character in text.chars() {
            self.input(Input::Key(Key {
                character: Some(character),
                ..Key::default()
            }));
        }
    }

    /// The left button is clicked at a place, pixels.
    pub fn click(&mut self, x: i32, y: i32) {
        for down in [0, 1, 0] {
            self.input(Input::Pointer(x, y, down, 0));
        }
    }

    /// Writes the picture of the window to `target/screens/NAME.png`.
    ///
    /// # Panics
    /// When that fails.
    pub fn shoot(&self, name: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screens");
        let width = self.window.size().0 as usize;
        let path = root.join(name).with_extension("png");
        write_png(&path, self.window.pixels(), width).expect("the picture can be written");
    }
}

/// Writes pixels as a PNG file.
///
/// # Errors
/// When that fails.
pub fn write_png(path: &Path, pixels: &[u32], width: usize) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let height = pixels.len() / width;
    let mut png = png::Encoder::new(fs::File::create(path)?, width as u32, height as u32);
    png.set_color(png::ColorType::Rgb);
    let bytes = pixels.iter().flat_map(|pixel| {
        let [_, red, green, blue] = pixel.to_be_bytes();
        [red, green, blue]
    });
    png.write_header()?
        .write_image_data(&bytes.collect::<Vec<_>>())?;
    Ok(())
}
