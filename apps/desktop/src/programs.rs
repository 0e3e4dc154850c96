//! The programs that a person starts: which of the image's modules they are, and how they look.

use nonos_ui::ui::Align;
use nonos_ui::{Color, Icon, Rect, Ui};

/// A program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Program {
    /// Name of its module.
    pub module: &'static str,
    /// Name for a person.
    pub title: &'static str,
    /// What else finds it.
    pub words: &'static str,
    /// What it is shown by.
    pub icon: Icon,
    /// The icon's colour.
    pub color: Color,
}

/// All of them, as the launcher shows them. An image need not have all.
pub const PROGRAMS: &[Program] = &[
    program(
        "terminal",
        "Terminal",
        "shell console command",
        Icon::Terminal,
        0x2B303B,
    ),
    program(
        "file-manager",
        "Files",
        "folder documents",
        Icon::Folder,
        0x2F6FDB,
    ),
    program("editor", "Editor", "text write notes", Icon::Edit, 0xB4541F),
    program(
        "viewer",
        "Images",
        "picture photo png jpeg",
        Icon::Image,
        0x8A3FA8,
    ),
    program(
        "calculator",
        "Calculator",
        "compute sum",
        Icon::Calculator,
        0x47515F,
    ),
    program(
        "monitor",
        "Monitor",
        "system process memory load task",
        Icon::Chip,
        0x19795B,
    ),
    program(
        "vault-manager",
        "Vault",
        "password key secret",
        Icon::Key,
        0x96690F,
    ),
    program(
        "security",
        "Security",
        "boot chain audit trust",
        Icon::ShieldCheck,
        0x1B7A43,
    ),
    program(
        "settings",
        "Settings",
        "theme keyboard layout preferences",
        Icon::Settings,
        0x5A6372,
    ),
    program("about", "About", "version licence", Icon::Info, 0x3F57D6),
];

const fn program(
    module: &'static str,
    title: &'static str,
    words: &'static str,
    icon: Icon,
    color: u32,
) -> Program {
    Program {
        module,
        title,
        words,
        icon,
        color: Color::rgb(color),
    }
}

/// The program with this module.
pub fn find(module: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.module == module)
}

impl Program {
    /// Whether what a person typed means it: the beginning of a word.
    pub fn matches(&self, typed: &str) -> bool {
        let typed = typed.trim();
        let begins = |word: &str| {
            let head = word.get(..typed.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(typed))
        };
        let words = self.title.split(' ').chain(self.words.split(' '));
        typed.is_empty() || begins(self.title) || words.into_iter().any(begins)
    }

    /// Draws its icon in a square.
    pub fn draw(&self, ui: &mut Ui<'_>, square: Rect) {
        tile(ui, square, self.icon, self.color);
    }
}

/// An icon on a ground of its own.
pub fn tile(ui: &mut Ui<'_>, square: Rect, icon: Icon, color: Color) {
    ui.rounded(square, square.width * 9 / 40, color);
    ui.icon(square, icon, square.width * 11 / 20, Color::rgb(0xFFFFFF));
}

/// The first letter of a module without a picture.
pub fn letter(ui: &mut Ui<'_>, square: Rect, module: &str, color: Color) {
    ui.rounded(square, square.width * 9 / 40, color);
    let first = module.get(..1).unwrap_or("?");
    let font = nonos_ui::theme::font::TITLE;
    ui.text(square, font, Align::Centre, first, Color::rgb(0xFFFFFF));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_the_beginnings_of_words() {
        let found = |typed| PROGRAMS.iter().find(|program| program.matches(typed));
        assert_eq!(found("TERM").unwrap().module, "terminal");
        assert_eq!(found("pass").unwrap().module, "vault-manager");
        assert_eq!(found("layout").unwrap().module, "settings");
        assert!(found("erminal").is_none());
        assert!(found("ü").is_none());
        assert!(PROGRAMS.iter().all(|program| program.matches(" ")));
    }

    #[test]
    fn icons_are_seen_on_their_grounds() {
        for program in PROGRAMS {
            let contrast = program.color.contrast(Color::rgb(0xFFFFFF));
            assert!(contrast >= 4.5, "{}: {contrast}", program.title);
        }
    }
}
