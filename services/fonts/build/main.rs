//! Makes the service's fonts of the system's: what is needed of each, in the form that needs the least code to read.
//!
//! Inter and JetBrains Mono (SIL OFL 1.1) come from the Debian packages `fonts-inter` and `fonts-jetbrains-mono`, icons from
//! `icons.txt`. Each face becomes two files: `NAME.tables`, words that the service copies into the atlas as they are
//! (`nonos_proto::fonts`), and `NAME.outlines` (`src/outline.rs`). All lengths are in 1/1024 of the font's size.
#![forbid(unsafe_code)]

mod face;
mod icons;
mod kerning;
mod outline;

use std::path::Path;
use std::{env, fs};

use face::Face;

/// Letters, punctuation and signs of all text.
const TEXT: &[(u32, u32)] = &[
    (0x20, 0x7E),     // ASCII
    (0xA0, 0x17F),    // Latin-1, Latin Extended-A
    (0x218, 0x21B),   // Romanian
    (0x384, 0x3CE),   // Greek
    (0x400, 0x45F),   // Cyrillic
    (0x490, 0x491),   // Ukrainian
    (0x2010, 0x2026), // dashes, quotation marks, bullets
    (0x2030, 0x203A), // per mille, primes
    (0x2044, 0x2044), // fraction slash
    (0x20AC, 0x20AC), // euro
    (0x2116, 0x2116), // numero
    (0x2122, 0x2122), // trade mark
    (0x2190, 0x2193), // arrows
    (0x2212, 0x221E), // minus, root, infinity
    (0x2248, 0x2265), // comparisons
    (0x2318, 0x2318), // command
    (0x2713, 0x2717), // check marks
];

/// What titles and buttons are written in: the same, without what is seldom in them.
const TITLES: &[(u32, u32)] = &[
    (0x20, 0x7E),
    (0xA0, 0x17F),
    (0x384, 0x3CE),
    (0x400, 0x45F),
    (0x2010, 0x2026),
];

/// What terminals draw with besides.
const DRAWING: &[(u32, u32)] = &[(0x2500, 0x259F), (0x25A0, 0x25CF)];

fn main() {
    let out = env::var("OUT_DIR").expect("cargo says where to write");
    let write = |name: &str, face: Face| {
        let path = Path::new(&out).join(name);
        fs::write(path.with_extension("tables"), face.tables()).expect("the tables can be written");
        fs::write(path.with_extension("outlines"), face.outlines())
            .expect("the outlines can be written");
    };
    let inter = "/usr/share/fonts/opentype/inter";
    let mono = "/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf";
    write(
        "sans",
        Face::read(&format!("{inter}/Inter-Regular.otf"), &[TEXT], true),
    );
    write(
        "bold",
        Face::read(&format!("{inter}/Inter-SemiBold.otf"), &[TITLES], true),
    );
    write("mono", Face::read(mono, &[TEXT, DRAWING], false));
    write("icons", icons::face("icons.txt"));
    println!("cargo::rerun-if-changed=build");
}
