//! Spins for ever and never calls the kernel: others must go on, and Ctrl-C must end it.
#![no_std]
#![no_main]

nonos_rt::entry!(main);

fn main() {
    adversaries::say(&mut adversaries::console(), format_args!("spinning"));
    loop {
        core::hint::spin_loop();
    }
}
