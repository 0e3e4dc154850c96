//! A picture of the terminal, to look at.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::Path;

use nonos_terminal::ansi::Parser;
use nonos_ui::host::{HostAtlas, write_png};
use nonos_ui::input::Input;
use nonos_ui::theme::Theme;
use nonos_ui::window::Window;
use terminal::view::{self, View};

const TEXT: &str = "\nNØNOS 0.1.0    help lists the commands, status shows what protects this system\n\nnonos> \x1B[1mstatus\x1B[0m\n\
\x1B[32m✓\x1B[0m Secure Boot  on\n\x1B[31mno TPM\x1B[0m\n\x1B[44m blue \x1B[0m ├── docs\n│   └── Größe → 12\n└── λ Ж\nnonos> ";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let atlas = HostAtlas::new();
    let mut window = Window::new(760, 480, 1, Theme::of(0));
    let mut state = View::default();
    let mut cells = view::cells(80, 25);
    window.input(&atlas, Input::None, &mut |ui| {
        let room = view::room(ui);
        cells = view::resized(&cells, room.0, room.1);
    });
    let mut parser = Parser::new();
    for byte in TEXT.bytes() {
        parser.feed(byte, &mut |action| cells.act(action));
    }
    window.input(&atlas, Input::None, &mut |ui| state.show(ui, &cells, true));
    window.paint(&atlas);
    write_png(
        &Path::new(&folder).join("terminal.png"),
        window.pixels(),
        760,
    )?;
    Ok(())
}
