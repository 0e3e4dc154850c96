//! The kernel on a fake machine: one file per family of system calls. [`crate::testing::World`] checks all
//! invariants after each event.

mod budgets;
mod calls;
mod clock;
mod cpus;
mod denials;
mod devices;
mod dma;
mod entropy;
mod family;
mod fast_map;
mod fast_path;
mod handles;
mod hardware;
mod leases;
mod lineage;
mod loading;
mod memory;
mod modules;
mod notifications;
mod placement;
mod processes;
mod random;
mod scheduling;
mod shadow_stacks;
mod system;
mod table;
mod threads;
mod timers;
