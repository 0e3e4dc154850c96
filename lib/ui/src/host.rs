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

/// Writes pixels as a PNG file (ISO/IEC 15948), not compressed.
///
/// # Errors
/// When that fails.
pub fn write_png(path: &Path, pixels: &[u32], width: usize) -> io::Result<()> {
    let mut lines = Vec::new();
    for line in pixels.chunks_exact(width) {
        lines.push(0);
        for pixel in line {
            lines.extend(&pixel.to_be_bytes()[1..]);
        }
    }
    // Blocks that are stored as they are (RFC 1951, 3.2.4), in a zlib stream (RFC 1950).
    let mut stream = Vec::from([0x78, 0x01]);
    let mut blocks = lines.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        stream.push(u8::from(blocks.peek().is_none()));
        let length = block.len() as u16;
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(&lines).to_be_bytes());
    let height = pixels.len() / width;
    let mut header = Vec::new();
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut file = Vec::from(*b"\x89PNG\r\n\x1a\n");
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &stream);
    chunk(&mut file, *b"IEND", &[]);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, file)
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], bytes: &[u8]) {
    file.extend((bytes.len() as u32).to_be_bytes());
    let begin = file.len();
    file.extend(kind);
    file.extend(bytes);
    let sum = crc32(&file[begin..]);
    file.extend(sum.to_be_bytes());
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    b << 16 | a
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            sum >> 1 ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}
