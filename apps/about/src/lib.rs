//! About this system: its version, and the machine that it runs on.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use nonos_abi::info::{BootStatus, CpuStatus, MemoryStatus};
use nonos_ui::text::Font;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::Scroll;
use nonos_ui::{App, Icon, Rect, Ui};

/// Records of the kernel; `None` for what could not be read.
#[derive(Clone, Default, Debug)]
pub struct Facts {
    /// How the system was booted.
    pub boot: Option<BootStatus>,
    /// The CPU.
    pub cpu: Option<CpuStatus>,
    /// Memory.
    pub memory: Option<MemoryStatus>,
    /// Nanoseconds since the kernel started.
    pub running_ns: u64,
}

/// Whose work is in the system, beside its own.
const THANKS: &str = "NØNOS is free software under the MIT or Apache 2.0 licence. \
    Text is set in Inter by Rasmus Andersson and JetBrains Mono by JetBrains, both under the SIL Open Font License 1.1. \
    Cryptography is by dalek-cryptography, RustCrypto, integritychain, the BLAKE3 team and mit-plv.";

/// The window.
#[derive(Debug)]
pub struct About<F> {
    read: F,
    facts: Facts,
    page: usize,
    scroll: Scroll,
}

/// The CPU's name: printable ASCII, up to the first other byte.
fn brand(words: &[u64; 6]) -> String {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    let text: String = bytes
        .take_while(|byte| matches!(byte, b' '..=b'~'))
        .map(char::from)
        .collect();
    text.trim().to_string()
}

/// A time span for a person.
fn span(ns: u64) -> String {
    let minutes = ns / 60_000_000_000;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

impl<F: FnMut() -> Facts> About<F> {
    /// Reads the records for the first time.
    pub fn new(mut read: F) -> Self {
        let facts = read();
        Self {
            read,
            facts,
            page: 0,
            scroll: Scroll::default(),
        }
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let unknown = || "not known".to_string();
        let Facts {
            boot,
            cpu,
            memory,
            running_ns,
        } = &self.facts;
        let version = boot
            .as_ref()
            .map(|boot| boot.image_security_version.to_string());
        let hash = boot
            .as_ref()
            .map(|boot| format!("{:016x}…", boot.payload_hash[0].swap_bytes()));
        let processor = cpu
            .as_ref()
            .map(|cpu| brand(&cpu.brand))
            .filter(|brand| !brand.is_empty());
        let speed = cpu.as_ref().map(|cpu| match cpu.cpus {
            1 => format!("1, {} MHz", cpu.tsc_hz / 1_000_000),
            cpus => format!("{cpus}, {} MHz", cpu.tsc_hz / 1_000_000),
        });
        let size = memory.as_ref().map(|memory| {
            let (free, total) = (memory.free_pages / 256, memory.total_pages / 256);
            format!("{total} MiB, {free} MiB of it free")
        });
        [
            ("Security version", version),
            ("System image", hash),
            ("Processor", processor),
            ("CPUs", speed),
            ("Memory", size),
            ("Running for", Some(span(*running_ns))),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_else(unknown)))
        .collect()
    }

    fn head(ui: &mut Ui<'_>, place: Rect) {
        let theme = ui.theme;
        let mut rest = place;
        let sign = rest.cut_top(72, 16).centred(72, 72);
        ui.rounded(sign, 18, theme.accent);
        ui.icon(sign, Icon::ShieldCheck, 42, theme.on_accent);
        let title = Font::new(font::TITLE.face, 28);
        ui.text(
            rest.cut_top(36, 0),
            title,
            Align::Centre,
            "NØNOS",
            theme.text,
        );
        let version = concat!("Version ", env!("CARGO_PKG_VERSION"));
        ui.text(
            rest.cut_top(20, 0),
            font::BODY,
            Align::Centre,
            version,
            theme.secondary,
        );
    }
}

impl<F: FnMut() -> Facts> App for About<F> {
    fn title(&self) -> &str {
        "About NØNOS"
    }

    fn size(&self) -> (i32, i32) {
        (440, 480)
    }

    fn period_ns(&self) -> u64 {
        10_000_000_000
    }

    fn tick(&mut self) {
        self.facts = (self.read)();
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut rest = ui.size().inset(24, 24);
        Self::head(ui, rest.cut_top(144, 16));
        let pages = rest
            .cut_top(space::CONTROL, 16)
            .centred(240, space::CONTROL);
        ui.segmented(pages, "pages", &["Machine", "Licences"], &mut self.page);
        let theme = ui.theme;
        if self.page == 1 {
            let text = rest.inset(8, 0);
            let height = ui.paragraph(text, font::BODY, THANKS, theme.text, false);
            ui.scroll(text, "thanks", &mut self.scroll, height, |ui, place| {
                ui.paragraph(place, font::BODY, THANKS, theme.secondary, true);
            });
            return;
        }
        let rows = self.rows();
        let mut card = rest.cut_top(rows.len() as i32 * space::ROW + 8, 0);
        ui.card(card);
        card = card.inset(16, 4);
        for (index, (name, value)) in rows.iter().enumerate() {
            let mut row = card.cut_top(space::ROW, 0);
            if index > 0 {
                ui.separator(Rect::new(row.x, row.y, row.width, 1));
            }
            ui.text(
                row.cut_left(110, 8),
                font::BODY,
                Align::Left,
                name,
                theme.secondary,
            );
            ui.text(row, font::BODY, Align::Right, value, theme.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use nonos_abi::words::Words;
    use nonos_proto::display::theme::{DARK, LIGHT};
    use nonos_ui::host::Stage;
    use nonos_ui::input::usage;

    use super::*;

    fn zeroed<T: Words>() -> T {
        T::read_words(&[0; 64]).unwrap()
    }

    fn facts() -> Facts {
        let mut name = [0; 48];
        let text = b"  Intel(R) Xeon(R) Processor @ 2.60GHz\0\x7f";
        name[..text.len()].copy_from_slice(text);
        let mut brand = [0; 6];
        for (word, bytes) in brand.iter_mut().zip(name.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Facts {
            boot: Some(BootStatus {
                image_security_version: 3,
                payload_hash: [0xEFCD_AB89_6745_2301; 4],
                ..zeroed()
            }),
            cpu: Some(CpuStatus {
                brand,
                cpus: 2,
                tsc_hz: 2_600_000_000,
                ..zeroed()
            }),
            memory: Some(MemoryStatus {
                total_pages: 60_000,
                free_pages: 47_000,
                ..zeroed()
            }),
            running_ns: 5_520_000_000_000,
        }
    }

    #[test]
    fn records_become_words_and_what_is_missing_is_said() {
        let value = |about: &About<fn() -> Facts>, name: &str| {
            let rows = about.rows();
            rows.into_iter().find(|row| row.0 == name).unwrap().1
        };
        let about: About<fn() -> Facts> = About::new(facts);
        assert_eq!(
            value(&about, "Processor"),
            "Intel(R) Xeon(R) Processor @ 2.60GHz"
        );
        assert_eq!(value(&about, "System image"), "0123456789abcdef…");
        assert_eq!(value(&about, "Running for"), "1 h 32 min");
        let about: About<fn() -> Facts> = About::new(Facts::default);
        assert_eq!(value(&about, "Memory"), "not known");
        assert_eq!(span(200_000_000_000_000), "2 d 7 h");
    }

    #[test]
    fn pictures() {
        let mut light = Stage::new(About::new(facts), LIGHT, 2);
        light.shoot("about-light");
        light.press(usage::TAB, 0);
        light.press(usage::RIGHT, 0);
        light.shoot("about-light-licences");
        assert_eq!(light.app.page, 1);
        Stage::new(About::new(facts), DARK, 2).shoot("about-dark");
    }

    #[test]
    fn keys_reach_every_control_and_all_can_be_read() {
        for page in 0..3 {
            let count = nonos_ui::access::check(|| {
                let mut stage = Stage::new(About::new(facts), LIGHT, 1);
                stage.press(usage::TAB, 0);
                (0..page).for_each(|_| stage.press(usage::RIGHT, 0));
                stage
            });
            assert!(count > 0, "{count}");
        }
    }
}
