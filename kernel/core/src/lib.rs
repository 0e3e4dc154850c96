//! The kernel's logic: capabilities, processes, memory, calls, scheduling, module admission, every system call.
//!
//! [`Kernel`] is a deterministic state machine. The machine runs user space until something happens and reports it as an
//! [`machine::Event`]; [`Kernel::handle`] changes the state and says who runs next. It knows the
//! hardware through [`machine::Machine`] only, so all of it runs, and is tested, on a host.
//!
//! Where to look: `syscall` decodes and checks arguments, one file per family; then one file per kind of object
//! (`process`, `thread`, `memory`, `endpoint`, `notification`, `timer`, `interrupt`, `module`); `handle` is the way from a process
//! to an object; `arena` is where objects live; `frame` is physical memory, `region` is address spaces, `loader` makes
//! programs of modules, `scheduler` and `budget` are who runs where and at whose cost, `user` copies from and to user space; `invariants` is what must hold after every event.
//!
//! Invariants of the whole: no `unsafe`; no heap; no input from user space makes it panic; every object is charged to
//! the process that made it; when a process has ended, nothing of it is left but a record.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "testing"))]
extern crate std;

mod arena;
mod audit;
mod budget;
mod device;
mod dma;
mod endpoint;
mod entropy;
mod fast_map;
mod fast_move;
mod fast_path;
mod fault;
mod frame;
mod handle;
mod interrupt;
#[cfg(any(test, feature = "testing"))]
pub mod invariants;
mod kernel;
mod lease;
mod lineage;
mod loader;
mod log;
pub mod machine;
mod memory;
mod message;
mod module;
mod notification;
mod object;
mod process;
mod queue;
mod random;
mod reference;
mod region;
mod revoke;
mod scheduler;
mod shadow_stack;
mod sizes;
mod speculation;
mod syscall;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod thread;
mod timer;
mod user;

pub use arena::{Empty, Entry};
pub use device::Window;
pub use endpoint::Endpoint;
pub use frame::FrameInfo;
pub use handle::Slot;
pub use interrupt::Interrupt;
pub use kernel::{BootRecord, Kernel, StartError};
pub use lineage::Node;
pub use memory::Memory;
pub use module::Module;
pub use notification::Notification;
pub use process::{Process, Watch};
pub use region::Region;
pub use sizes::{Arenas, Sizes};
pub use thread::Thread;
pub use timer::Timer;
