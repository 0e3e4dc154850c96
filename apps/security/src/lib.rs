//! The security screen: how this system was booted, what protects it, which flaws its processor has, and what programs were denied.
//!
//! Everything shown is read from records of the kernel while it is shown. What could not be read counts as not protected.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod claim;
pub mod facts;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use claim::{Claim, Link, Standing, chain, flaws, protections, worst};
use facts::{Facts, Source};
use nonos_abi::info::AuditRecord;
use nonos_abi::{Error, ObjectKind, Syscall};
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{List, Scroll};
use nonos_ui::{App, Color, Icon, Rect, Theme, Ui};

/// Denials that are kept; older ones are forgotten here.
const KEPT: usize = 500;

/// Pages, with their icons.
const PAGES: [(&str, Icon); 4] = [
    ("Boot chain", Icon::Lock),
    ("Protections", Icon::Shield),
    ("Processor", Icon::Chip),
    ("Denied calls", Icon::Eye),
];

/// Height of a line of a card.
const LINE: i32 = 24;

/// The screen.
#[derive(Debug)]
pub struct Security<S> {
    source: S,
    facts: Facts,
    chain: Vec<Link>,
    protections: Vec<Claim>,
    flaws: Vec<Claim>,
    /// The newest last; `None` when they may not be read.
    denials: Option<Vec<AuditRecord>>,
    page: List,
    scrolls: [Scroll; 3],
    list: List,
}

fn color_of(theme: &Theme, standing: Standing) -> Color {
    match standing {
        Standing::Good => theme.good,
        Standing::Weak => theme.warning,
        Standing::Bad => theme.danger,
    }
}

fn icon_of(standing: Standing) -> Icon {
    match standing {
        Standing::Good => Icon::Check,
        Standing::Weak => Icon::Minus,
        Standing::Bad => Icon::Close,
    }
}

impl<S: Source> Security<S> {
    /// Reads the records for the first time.
    pub fn new(source: S) -> Self {
        let mut screen = Self {
            source,
            facts: Facts::default(),
            chain: Vec::new(),
            protections: Vec::new(),
            flaws: Vec::new(),
            denials: Some(Vec::new()),
            page: List {
                selected: Some(0),
                ..List::default()
            },
            scrolls: [Scroll::default(); 3],
            list: List::default(),
        };
        screen.read();
        screen
    }

    fn read(&mut self) {
        self.facts = self.source.facts();
        self.chain = chain(&self.facts);
        self.protections = protections(&self.facts);
        self.flaws = flaws(&self.facts);
        self.denials = match (self.denials.take(), self.source.denials()) {
            (Some(mut known), Some(new)) => {
                known.extend(new);
                known.drain(..known.len().saturating_sub(KEPT));
                Some(known)
            }
            _ => None,
        };
    }

    fn chain_claims(&self) -> impl Iterator<Item = &Claim> {
        self.chain.iter().flat_map(|link| &link.claims)
    }

    fn summary(&self, ui: &mut Ui<'_>, mut place: Rect) {
        let claims = || {
            self.chain_claims()
                .chain(&self.protections)
                .chain(&self.flaws)
        };
        let count = |wanted| claims().filter(|claim| claim.standing == wanted).count();
        let (bad, weak) = (count(Standing::Bad), count(Standing::Weak));
        let standing = worst(claims());
        let color = color_of(ui.theme, standing);
        let icon = match standing {
            Standing::Good => Icon::ShieldCheck,
            Standing::Weak => Icon::Shield,
            Standing::Bad => Icon::Warning,
        };
        let sign = place.cut_left(44, 16);
        ui.rounded(sign, space::LARGE_RADIUS, color.with_opacity(36));
        ui.icon(sign, icon, 26, color);
        let title = match standing {
            Standing::Good => "Everything holds",
            Standing::Weak => "Protected, with limits",
            Standing::Bad => "Not fully protected",
        };
        ui.text(
            place.cut_top(26, 0),
            font::HEADING,
            Align::Left,
            title,
            ui.theme.text,
        );
        let all = claims().count();
        let plural = |count, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let mut note = format!("{} of {all} checks hold", all - bad - weak);
        if weak > 0 {
            note += &format!(
                " · {}",
                plural(weak, "limit of this machine", "limits of this machine")
            );
        }
        if bad > 0 {
            note += &format!(
                " · {}",
                plural(bad, "protection missing", "protections missing")
            );
        }
        ui.text(place, font::BODY, Align::Left, &note, ui.theme.secondary);
    }

    fn claim(ui: &mut Ui<'_>, mut line: Rect, claim: &Claim, name_width: i32) {
        let color = color_of(ui.theme, claim.standing);
        ui.icon(line.cut_left(16, 10), icon_of(claim.standing), 16, color);
        ui.label(line.cut_left(name_width, 12), claim.name);
        let ink = if claim.standing == Standing::Good {
            ui.theme.secondary
        } else {
            color
        };
        ui.text(line, font::BODY, Align::Left, &claim.text, ink);
    }

    fn link_height(link: &Link) -> i32 {
        16 + 24
            + 8
            + link.claims.len() as i32 * LINE
            + if link.hash.is_some() { 52 } else { 0 }
            + 12
    }

    fn boot_chain(&mut self, ui: &mut Ui<'_>, place: Rect) {
        const GAP: i32 = 24;
        let heights = self.chain.iter().map(|link| Self::link_height(link) + GAP);
        let height = heights.sum::<i32>() - GAP + 20;
        let chain = &self.chain;
        ui.scroll(
            place,
            "chain",
            &mut self.scrolls[0],
            height,
            |ui, mut rest| {
                rest.width -= 16;
                for (index, link) in chain.iter().enumerate() {
                    let card = rest.cut_top(Self::link_height(link), GAP);
                    if index > 0 {
                        let x = card.x + 31;
                        let color = color_of(ui.theme, worst(&chain[index - 1].claims));
                        ui.fill(Rect::new(x, card.y - GAP, 2, GAP - 2), color);
                        ui.icon(Rect::new(x - 8, card.y - 13, 18, 18), Icon::Down, 18, color);
                    }
                    Self::link(ui, card, index, link);
                }
            },
        );
    }

    fn link(ui: &mut Ui<'_>, card: Rect, index: usize, link: &Link) {
        ui.card(card);
        let color = color_of(ui.theme, worst(&link.claims));
        let mut inner = card.inset(16, 16);
        let mut head = inner.cut_top(24, 8);
        let number = head.cut_left(32, 10).centred(24, 24);
        ui.rounded(number, 12, color.with_opacity(36));
        ui.text(
            number,
            font::STRONG,
            Align::Centre,
            &format!("{}", index + 1),
            color,
        );
        ui.text(head, font::HEADING, Align::Left, link.name, ui.theme.text);
        inner.cut_left(42, 0);
        for claim in &link.claims {
            Self::claim(ui, inner.cut_top(LINE, 0), claim, 100);
        }
        if let Some((title, hash)) = &link.hash {
            inner.cut_top(6, 0);
            let mut lines = inner.cut_top(44, 0);
            let title_place = lines.cut_left(126, 12);
            ui.text(
                Rect::new(title_place.x + 26, title_place.y, title_place.width, 20),
                font::BODY,
                Align::Left,
                title,
                ui.theme.secondary,
            );
            for part in [hash.get(..32), hash.get(32..)] {
                let line = lines.cut_top(20, 0);
                ui.text(
                    line,
                    font::MONO,
                    Align::Left,
                    part.unwrap_or_default(),
                    ui.theme.secondary,
                );
            }
        }
    }

    fn claims(ui: &mut Ui<'_>, place: Rect, name: &str, scroll: &mut Scroll, claims: &[Claim]) {
        const ROW: i32 = 36;
        let height = claims.len() as i32 * ROW + 16;
        ui.scroll(place, name, scroll, height + 20, |ui, mut rest| {
            rest.width -= 16;
            let mut card = rest.cut_top(height, 0);
            ui.card(card);
            card = card.inset(16, 8);
            for (index, claim) in claims.iter().enumerate() {
                let line = card.cut_top(ROW, 0);
                if index > 0 {
                    ui.separator(Rect::new(line.x + 26, line.y, line.width - 26, 1));
                }
                Self::claim(ui, line, claim, 130);
            }
        });
    }

    fn denied(&mut self, ui: &mut Ui<'_>, place: Rect) {
        let card = Rect::new(place.x, place.y, place.width - 16, place.height - 20);
        ui.card(card);
        let message = match &self.denials {
            None => "This program may not read the record of denied calls.",
            Some(denials) if denials.is_empty() => "No program was denied anything so far.",
            Some(_) => "",
        };
        ui.text(card, font::BODY, Align::Centre, message, ui.theme.secondary);
        let denials = self.denials.as_deref().unwrap_or_default();
        ui.list(
            card.inset(1, 6),
            "denials",
            &mut self.list,
            (denials.len(), 52),
            |ui, place, index, _| {
                // The newest first.
                if let Some(record) = denials.iter().rev().nth(index) {
                    denial(ui, place, record);
                }
            },
        );
    }
}

/// A denied call: who, why, what, when.
fn denial(ui: &mut Ui<'_>, place: Rect, record: &AuditRecord) {
    let mut inner = place.inset(0, 7);
    let mut above = inner.cut_top(20, 0);
    let seconds = record.time_ns / 1_000_000_000;
    let time = format!(
        "{}:{:02}:{:02} after start",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    ui.text(
        above.cut_right(150, 8),
        font::CAPTION,
        Align::Right,
        &time,
        ui.theme.secondary,
    );
    let name = format!("{} ({})", record.name.as_str(), record.process);
    ui.text(above, font::STRONG, Align::Left, &name, ui.theme.text);
    let why = match Error::from_raw(record.reason) {
        Some(Error::NoHandle) => "it has no such handle",
        Some(Error::WrongKind) => "the handle is for something else",
        Some(Error::Revoked) => "the handle was taken back",
        Some(Error::Expired) => "the handle has expired",
        Some(Error::MissingRight) => "the handle lacks the right",
        _ => "for a reason that this program does not know",
    };
    let call = match Syscall::from_raw(record.syscall) {
        Some(call) => format!("{call:?}"),
        None => format!("System call {}", record.syscall),
    };
    let object = match ObjectKind::from_raw(record.kind) {
        Some(kind) => format!(" on {} {}", kind.text(), record.object),
        None => String::new(),
    };
    ui.note(inner, &format!("{call}{object}: {why}"));
}

impl<S: Source> App for Security<S> {
    fn title(&self) -> &str {
        "Security"
    }

    fn size(&self) -> (i32, i32) {
        (800, 600)
    }

    fn limits(&self) -> [(i32, i32); 2] {
        [(640, 420), (0, 0)]
    }

    fn period_ns(&self) -> u64 {
        2_000_000_000
    }

    fn tick(&mut self) {
        self.read();
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut rest = ui.size();
        let side = rest.cut_left(184, 0);
        ui.fill(side, ui.theme.sidebar);
        ui.separator(Rect::new(side.right() - 1, side.y, 1, side.height));
        let standings = [
            worst(self.chain_claims()),
            worst(&self.protections),
            worst(&self.flaws),
            if self.denials.is_some() {
                Standing::Good
            } else {
                Standing::Bad
            },
        ];
        let pages = side.inset(4, 12);
        ui.list(
            pages,
            "pages",
            &mut self.page,
            (PAGES.len(), space::ROW),
            |ui, mut row, index, _| {
                let (title, icon) = PAGES[index];
                let mark = row.cut_right(8, 8).centred(8, 8);
                ui.rounded(mark, 4, color_of(ui.theme, standings[index]));
                ui.icon(row.cut_left(20, 10), icon, 18, ui.theme.accent_text);
                ui.label(row, title);
            },
        );
        let mut content = Rect::new(rest.x + 24, rest.y + 20, rest.width - 32, rest.height - 20);
        self.summary(ui, content.cut_top(48, 20));
        match self.page.selected {
            Some(0) | None => self.boot_chain(ui, content),
            Some(1) => Self::claims(
                ui,
                content,
                "protections",
                &mut self.scrolls[1],
                &self.protections,
            ),
            Some(2) => Self::claims(ui, content, "flaws", &mut self.scrolls[2], &self.flaws),
            Some(_) => self.denied(ui, content),
        }
    }
}
