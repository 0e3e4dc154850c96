//! The parts of the compositor that call nothing: they run and are tested on the host.
//!
//! [`compositor`] is the whole of it: windows, who has keyboard and pointer, what programs may do. It keeps [`client`]s (who they are, what
//! waits for them, what they may have) and [`window`]s, and says as [`damage`] what of the screen is to be drawn again; [`scene`] then gives
//! the pixels, line by line, from the programs' surfaces and from what is drawn here alone: frames and menu ([`trim`]), the [`bar`] with its [`clock`], shadows and
//! corners ([`shade`]), the [`cursor`].
//!
//! Invariants: no pixel of a program shows outside of its window's surface, and none before the trusted bar or the menu; a key reaches
//! at most the program whose window has the keyboard; no program is called, and none is waited for.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bar;
pub mod client;
pub mod clock;
pub mod compositor;
pub mod cursor;
pub mod damage;
pub mod ending;
pub mod menu;
pub mod scene;
pub mod shade;
pub mod state;
pub mod trim;
pub mod window;
