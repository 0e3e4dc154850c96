//! Text, with the fonts that the system has.

use nonos_proto::fonts::{Key, face};
use nonos_ui::canvas::Canvas;
use nonos_ui::color::Color;
use nonos_ui::geometry::Rect;
use nonos_ui::host::HostAtlas;
use nonos_ui::icon::Icon;
use nonos_ui::text::{Atlas, Font, Writer};
use nonos_ui::theme::font;

const INK: Color = Color::rgb(0xFF_FFFF);

#[test]
fn letters_keep_the_distances_that_the_font_says() {
    let atlas = HostAtlas::new();
    let writer = Writer(&atlas);
    let font = Font::new(face::SANS, 100);
    let apart = writer.width(font, "A") + writer.width(font, "V");
    assert!(
        writer.width(font, "AV") < apart - 4,
        "A and V stand closer than A and A"
    );
    assert!((writer.width(font, "HH") - 2 * writer.width(font, "H")).abs() <= 1);
    let mono = Font::new(face::MONO, 16);
    assert_eq!(writer.width(mono, "iiii"), writer.width(mono, "WW█é"));
}

#[test]
fn every_letter_of_the_languages_is_there() {
    let atlas = HostAtlas::new();
    let writer = Writer(&atlas);
    let text = "Zwölf Boxkämpfer, où l’été; ¿ñandú? Žluťoučký kůň, Ξεσκεπάζω ψυχοφθόρα, Съешь ещё ґ – “x” → ≤ ≠ √ € …";
    for face in [face::SANS, face::MONO] {
        writer.place(Font::new(face, 14), text, |placed| {
            let there = text[placed.byte..].chars().next().unwrap();
            assert_eq!(placed.character, there, "face {face}");
        });
    }
    writer.place(
        Font::new(face::MONO, 14),
        "│┌─┼╬█▓░",
        |placed| assert_ne!(placed.character, '?'),
    );
}

#[test]
fn every_icon_has_a_picture() {
    let atlas = HostAtlas::new();
    for &icon in Icon::ALL {
        let mut pixels = vec![0; 24 * 24];
        let mut canvas = Canvas::new(&mut pixels, 24, 24, 24);
        let text = icon.character().to_string();
        Writer(&atlas).paint(&mut canvas, Font::new(face::ICONS, 24), (0, 24), &text, INK);
        let inked = pixels.iter().filter(|&&pixel| pixel != 0).count();
        assert!((8..400).contains(&inked), "{icon:?}: {inked}");
    }
}

#[test]
fn text_is_painted_the_same_in_pieces() {
    let atlas = HostAtlas::new();
    let paint = |clips: &[Rect]| {
        let mut pixels = vec![0; 200 * 40];
        let mut canvas = Canvas::new(&mut pixels, 200, 40, 200);
        for &clip in clips {
            canvas.set_clip(clip);
            Writer(&atlas).paint(&mut canvas, font::TITLE, (3, 28), "Qualität, fjord", INK);
        }
        pixels
    };
    let whole = paint(&[Rect::new(0, 0, 200, 40)]);
    let pieces: Vec<_> = (0..20)
        .map(|part| Rect::new(part * 10, 0, 10, 40))
        .collect();
    assert!(whole.contains(&(INK.0 & 0xFF_FFFF)));
    assert_eq!(whole, paint(&pieces));
}

#[test]
fn places_in_a_line_and_in_its_text_belong_together() {
    let atlas = HostAtlas::new();
    let writer = Writer(&atlas);
    let text = "Tàble ünd";
    let mut starts = Vec::new();
    let end = writer.place(font::BODY, text, |placed| {
        starts.push((placed.x, placed.byte))
    });
    starts.push((end, text.len()));
    for (x, byte) in starts {
        assert_eq!(writer.byte_at(font::BODY, text, (x + 32) / 64), byte);
    }
    assert_eq!(writer.byte_at(font::BODY, text, -50), 0);
    assert_eq!(writer.fit(font::BODY, text, 500), (text, true));
    let (short, all) = writer.fit(font::BODY, text, 40);
    assert!(
        !all && text.starts_with(short) && writer.width(font::BODY, &format!("{short}…")) <= 40
    );
}

/// An atlas with anything in it.
struct Hostile(u64);

impl Atlas for Hostile {
    fn read(&self, first: usize, out: &mut [u32]) {
        for (index, word) in out.iter_mut().enumerate() {
            let mixed = (first as u64 + index as u64 + 1)
                .wrapping_mul(self.0 | 1)
                .rotate_left(23);
            *word = match first + index {
                0 => nonos_proto::fonts::MAGIC,
                at if at % 3 == 0 => u32::MAX,
                _ => mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) as u32 >> (mixed % 32),
            };
        }
    }

    fn ensure(&self, _: &[Key]) {}
}

#[test]
fn an_atlas_that_holds_anything_does_no_harm() {
    for seed in 0..2000 {
        let atlas = Hostile(seed * 0x1234_5677 + 1);
        let mut pixels = vec![0; 64 * 32];
        let mut canvas = Canvas::new(&mut pixels, 64, 32, 64);
        let writer = Writer(&atlas);
        writer.paint(&mut canvas, font::BODY, (0, 20), "What is this? Ω→é", INK);
        let _ = writer.fit(font::TITLE, "What is this?", 30);
        let _ = writer.heights(font::DISPLAY);
    }
}
