//! Init of a Linux whose only other program is OpenSSL: runs it once for each line of a file, with the arguments of that line, and lets it
//! print.

use std::fs;
use std::process::Command;

/// Written by `xtask`.
const LINES: &str = "/arguments";

fn main() {
    let lines = fs::read_to_string(LINES).expect("the file is in the initramfs");
    for line in lines.lines() {
        println!("bench: openssl {line}");
        let status = Command::new("/openssl").args(line.split(' ')).status();
        if !status.is_ok_and(|status| status.success()) {
            println!("bench: openssl failed");
        }
    }
    println!("bench: end");
    // Without init, a kernel with `panic=-1` restarts, which ends the machine.
}
