//! The kernel's logic in safe Rust.
#![no_std]
#![forbid(unsafe_code)]

mod arena;
mod endpoint;
mod frame;
mod handle;
mod interrupt;
mod kernel;
pub mod machine;
mod memory;
mod module;
mod notification;
mod object;
mod process;
mod region;
mod sizes;
mod thread;

pub use arena::{Empty, Entry};
pub use endpoint::Endpoint;
pub use frame::FrameInfo;
pub use handle::Slot;
pub use interrupt::Interrupt;
pub use kernel::{BootRecord, Kernel, StartError};
pub use memory::Memory;
pub use module::Module;
pub use notification::Notification;
pub use process::{Process, Watch};
pub use region::Region;
pub use sizes::{Arenas, Sizes};
pub use thread::Thread;
