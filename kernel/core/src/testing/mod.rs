//! Running the kernel on a host: a machine without hardware, a signed system image, and a driver that makes system
//! calls in the name of a process and checks the [`crate::invariants`] after each event.

mod image;
mod machine;
pub(crate) mod player;
mod world;

pub use image::{MODULE_PRIORITY, MODULE_QUOTA_PAGES, payload};
#[cfg(test)]
pub(crate) use image::{Parts, description, executable, keys, layout, list, other_keys};
pub use machine::{FakeCpu, FakeDevice, FakeMachine, FakeSource, Mapping, noise};
pub use player::Player;
#[cfg(test)]
pub(crate) use world::new_arenas;
pub use world::{World, WorldOptions};
