//! Keyboards and pointers, from the wire to the character.
//!
//! Bytes of the 8042 ([`controller`]) → [`scancode`] (keys by their place, as USB HID usages) → [`keyboard`] (modifiers and, by a
//! [`layout`], characters); bytes of a mouse → [`mouse`]. Nothing here but [`hardware`] knows of a machine. What devices send is hostile:
//! any bytes are taken, and whatever they were, a reset or a whole new key or packet puts things right.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod controller;
pub mod hardware;
pub mod keyboard;
pub mod layout;
pub mod mouse;
pub mod scancode;
