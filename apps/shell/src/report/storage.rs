//! `mem` and `modules`: memory, and the programs of the image.

use core::fmt::{self, Write};

use nonos_abi::Error;
use nonos_abi::info::{MemoryStatus, ModuleInfo, module_state, needs};

use super::{HEADING, Hash, RESET, Tone, row, set_bits, words};

/// Kibibytes of a number of pages.
struct Kibibytes(u64);

impl fmt::Display for Kibibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} KiB", self.0.saturating_mul(4))
    }
}

/// Writes `mem`.
pub fn memory(out: &mut impl Write, memory: &MemoryStatus) -> fmt::Result {
    let used = memory.total_pages.saturating_sub(memory.free_pages);
    let mut line = |label, pages| {
        row(
            out,
            label,
            Tone::Plain,
            format_args!("{}", Kibibytes(pages)),
        )
    };
    line("For processes", memory.total_pages)?;
    line("  in use", used)?;
    line("  free", memory.free_pages)?;
    line("Kernel objects", memory.kernel_pages)?;
    line("  free", memory.kernel_free_pages)?;
    line("System image", memory.image_pages)?;
    let processes = format_args!("{} of at most {}", memory.processes, memory.process_limit);
    row(out, "Processes", Tone::Plain, processes)
}

/// Writes a module of `modules`.
pub fn module(out: &mut impl Write, info: &ModuleInfo) -> fmt::Result {
    let kibibytes = info.stored_bytes.div_ceil(1024);
    write!(
        out,
        "{HEADING}{:<20}{RESET} {kibibytes:>4} KiB  ",
        info.name
    )?;
    match info.state {
        module_state::UNVERIFIED => writeln!(out, "not verified yet: nothing asked for it"),
        module_state::ADMITTED => {
            let ModuleInfo {
                publisher,
                security_version,
                priority,
                quota_pages,
                ..
            } = info;
            writeln!(
                out,
                "{}verified{RESET}, signed by {publisher}",
                Tone::Good.color()
            )?;
            let limits = format_args!(
                "security version {security_version}, priority {priority}, {quota_pages} pages"
            );
            row(out, "manifest", Tone::Plain, limits)?;
            words(out, "needs", set_bits(info.needs, &needs::NAMES))?;
            writeln!(out, "  BLAKE3 {}", Hash(&info.elf_hash))
        }
        state => {
            let number = state.wrapping_sub(module_state::REFUSED);
            let reason = Error::from_raw(number).map_or("reason unknown", Error::text);
            writeln!(out, "{}! {reason}{RESET}", Tone::Bad.color())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;
    use nonos_abi::Name;

    fn shown(state: u64) -> String {
        let name = Name::new("console").unwrap();
        let mut out = String::new();
        let info = ModuleInfo {
            name,
            publisher: Name::new("nonos").unwrap(),
            state,
            stored_bytes: 50_000,
            needs: u64::MAX,
            ..ModuleInfo::default()
        };
        module(&mut out, &info).unwrap();
        let text = plain(&out);
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        text
    }

    #[test]
    fn a_refused_module_says_why() {
        let refused = module_state::REFUSED + Error::ModuleMlDsa.raw();
        assert!(shown(refused).contains("! module refused: ML-DSA-65 signature is invalid"));
        assert!(shown(module_state::REFUSED + 999).contains("reason unknown"));
    }

    #[test]
    fn only_an_admitted_module_is_called_verified() {
        assert!(shown(module_state::ADMITTED).contains("verified, signed by nonos"));
        assert!(shown(module_state::UNVERIFIED).contains("not verified yet"));
    }
}
