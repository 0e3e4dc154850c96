//! Pictures of the settings, to look at.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::Path;

use nonos_ui::App;
use nonos_ui::host::{Stage, write_png};
use settings::{Choices, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    for theme in 0..3 {
        let choices = move || Choices {
            theme,
            layouts: [
                "English (US)",
                "English (UK)",
                "Deutsch",
                "Français",
                "Español",
            ]
            .map(str::to_owned)
            .to_vec(),
            layout: 2,
            ..Choices::default()
        };
        let app = Settings::new(choices, |_| ());
        let width = app.size().0 as usize;
        let stage = Stage::new(app, theme as u64, 1);
        let name = format!("settings-{theme}.png");
        write_png(&Path::new(&folder).join(name), stage.window.pixels(), width)?;
    }
    Ok(())
}
