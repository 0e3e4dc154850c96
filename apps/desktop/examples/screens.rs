//! Pictures of the desktop's parts, to look at.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::Path;

use desktop::dock::{self, Window as Shown};
use desktop::launcher::{self, Launcher};
use desktop::wallpaper;
use nonos_ui::host::{HostAtlas, write_png};
use nonos_ui::input::Input;
use nonos_ui::theme::Theme;
use nonos_ui::window::Window;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = Path::new(&folder);
    let atlas = HostAtlas::new();
    let (width, height) = (1280, 800);
    let mut pixels = vec![0; width * height];
    for (y, line) in pixels.chunks_mut(width).enumerate() {
        wallpaper::line(line, y, (width, height));
    }
    let mut put = |window: &Window, left: usize, top: usize| {
        let wide = window.size().0 as usize;
        for (y, line) in window.pixels().chunks(wide).enumerate() {
            let at = (top + y) * width + left;
            pixels[at..at + wide].copy_from_slice(line);
        }
    };
    let windows = [
        Shown {
            number: 1,
            module: "terminal",
            focused: true,
        },
        Shown {
            number: 2,
            module: "calculator",
            focused: false,
        },
        Shown {
            number: 3,
            module: "sample",
            focused: false,
        },
    ];
    let wide = dock::width(&windows, |_| true);
    let mut window = Window::new(wide, dock::HEIGHT, 1, Theme::of(1));
    window.input(&atlas, Input::None, &mut |ui| {
        let _ = dock::show(ui, &windows, |_| true);
    });
    window.paint(&atlas);
    put(
        &window,
        (width - wide as usize) / 2,
        height - dock::HEIGHT as usize - 8,
    );
    for (theme, left) in [(0, 100), (1, 680)] {
        let mut state = Launcher::default();
        let mut window = Window::new(launcher::SIZE.0, launcher::SIZE.1, 1, Theme::of(theme));
        window.input(&atlas, Input::Focus(true), &mut |ui| {
            let _ = state.show(ui, |_| true);
        });
        window.paint(&atlas);
        put(&window, left, 160);
    }
    write_png(&folder.join("desktop.png"), &pixels, width)?;
    Ok(())
}
