//! Headers, segments and relocations of ELF and PE files.

use std::env;

use anyhow::{Context, Result};
use nonos_image::elf::{Access, Executable};
use object::LittleEndian;
use object::pe;
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader};

use super::{Finding, without};
use crate::{boot_program, paths};

/// What holds of a kernel or module, stripped.
pub fn executable(file: &[u8]) -> Vec<Finding> {
    const ACCEPTED: &str = "PIE, relocations packed and relative, W^X";
    let executable = match Executable::parse(file) {
        Ok(executable) => executable,
        Err(refusal) => return vec![(ACCEPTED, false, refusal.to_string())],
    };
    let segments = executable.segments();
    let count = |access| segments.iter().filter(|s| s.access == access).count();
    let accepted = format!(
        "{} relocations; segments: {} R, {} RX, {} RW",
        executable.relocations().count(),
        count(Access::Read),
        count(Access::ReadExecute),
        count(Access::ReadWrite)
    );
    let relro = executable.relro().unwrap_or_default();
    let outside = executable
        .relocations()
        .filter(|(at, _)| !relro.contains(at))
        .map(|(at, _)| format!("{at:#x}"));
    let outside: Vec<_> = outside.collect();
    let relro = format!(
        "{} bytes read-only after relocation",
        relro.end - relro.start
    );
    let mut findings = vec![
        (ACCEPTED, true, accepted),
        without("RELRO holds every relocated word", relro, &outside),
    ];
    findings.extend(
        headers(file)
            .unwrap_or_else(|error| vec![("headers can be read", false, format!("{error:#}"))]),
    );
    findings
}

/// What the loader's parser does not look at: that it is refused without is no proof that it is there.
fn headers(file: &[u8]) -> Result<Vec<Finding>> {
    type Header = object::elf::FileHeader64<LittleEndian>;
    let header = Header::parse(file).context("not an ELF file")?;
    let segments = header
        .program_headers(LittleEndian, file)
        .context("program headers")?;
    let stack = segments
        .iter()
        .find(|segment| segment.p_type(LittleEndian) == object::elf::PT_GNU_STACK);
    let stack = stack.is_some_and(|s| s.p_flags(LittleEndian).0 & object::elf::PF_X.0 == 0);
    let sections = header.e_shnum.get(LittleEndian);
    let end = segments.iter().map(|segment| {
        let (offset, bytes) = segment.file_range(LittleEndian);
        offset + bytes
    });
    let behind = file.len() as u64 - end.max().unwrap_or(0).min(file.len() as u64);
    Ok(vec![
        ("no executable stack", stack, String::new()),
        (
            "stripped",
            sections == 0 && behind == 0,
            format!("{sections} sections, {behind} bytes that are not loaded"),
        ),
    ])
}

/// What holds of the boot loader, as it was linked.
///
/// # Errors
/// When it is no PE file.
pub fn boot_loader(file: &[u8]) -> Result<Vec<Finding>> {
    let (headers, directories, sections) = boot_program::parse(file)?;
    let optional = headers.optional_header();
    let characteristics = optional.dll_characteristics();
    let has = |flag| characteristics & flag == flag;
    let both = pe::IMAGE_SCN_MEM_WRITE | pe::IMAGE_SCN_MEM_EXECUTE;
    let writable_code: Vec<_> = sections
        .iter()
        .filter(|section| section.characteristics.get(LittleEndian) & both == both)
        .map(|section| String::from_utf8_lossy(section.raw_name()).into_owned())
        .collect();
    let symbols = headers.file_header().number_of_symbols.get(LittleEndian);
    let directory = |index| {
        directories
            .get(index)
            .is_some_and(|directory| directory.virtual_address.get(LittleEndian) != 0)
    };
    Ok(vec![
        (
            "relocatable anywhere, no executable data",
            has(pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE)
                && has(pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT)
                && has(pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA)
                && directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC),
            format!("characteristics {:#x}", characteristics.0),
        ),
        without(
            "no section is writable and executable",
            format!("{} sections", sections.len()),
            &writable_code,
        ),
        (
            "stripped, and the debug record names no folder",
            symbols == 0
                && debug_file(file)
                    .iter()
                    .all(|name| !name.contains(['/', '\\'])),
            format!("{symbols} symbols, {}", debug_file(file).join(", ")),
        ),
    ])
}

/// Whether the boot loader holds this program, with the access that its sections ask for.
///
/// # Errors
/// When it is no PE file that can be packed.
pub fn packed(boot_loader: &[u8], program: &[u8]) -> Result<Finding> {
    let packed = boot_program::pack(program)?;
    let counted = format!("{} bytes", packed.len());
    let held = holds(boot_loader, &packed);
    Ok((
        "in the boot loader, its code to be made read-only",
        held,
        counted,
    ))
}

/// What the debug records of a PE file (CodeView, `RSDS`, a GUID, an age, a name) say where its symbols are.
fn debug_file(file: &[u8]) -> Vec<String> {
    const NAME_AT: usize = 24;
    let records = (0..file.len()).filter(|&at| file[at..].starts_with(b"RSDS"));
    let names = records.filter_map(|at| file.get(at + NAME_AT..)?.split(|&byte| byte == 0).next());
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// Whether a file tells where it was built.
pub fn no_paths(file: &[u8]) -> Vec<Finding> {
    let home = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR"]
        .into_iter()
        .filter_map(|name| env::var(name).ok());
    let own = [paths::root(), paths::target()].map(|path| path.display().to_string());
    let fixed = ["/home/", "/root/", "/tmp/", "/build/"].map(str::to_owned);
    let mut named: Vec<_> = home
        .chain(own)
        .chain(fixed)
        .filter(|path| path.len() > 1 && holds(file, path.as_bytes()))
        .collect();
    named.sort();
    named.dedup();
    vec![without("no paths of the build", String::new(), &named)]
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(findings: &[Finding]) -> Vec<&'static str> {
        let failing = findings.iter().filter(|(_, holds, _)| !holds);
        failing.map(|(claim, ..)| *claim).collect()
    }

    const RELRO: usize = 64 + 56 * 3;
    const STACK: usize = 64 + 56 * 4;
    const TABLE: u64 = 0x400;
    const DYNAMIC: u64 = 0x440;
    const RELOCATED: u64 = 0x2000;

    /// A small executable: constants, code, relocated data that becomes read-only.
    fn small() -> Vec<u8> {
        let mut file = vec![0; 0x3000];
        file[..16].copy_from_slice(b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(16, &[3, 0, 62, 0, 1]);
        put(24, &0x1000_u64.to_le_bytes());
        put(32, &64_u64.to_le_bytes());
        put(52, &[64, 0, 56, 0, 6]);
        let segments: [(u32, u32, u64, u64, u64); 6] = [
            (1, 4, 0, 0x1000, 4096),
            (1, 5, 0x1000, 0x1000, 4096),
            (1, 6, 0x2000, 0x1000, 4096),
            (0x6474_E552, 4, 0x2000, 0x1000, 1),
            (0x6474_E551, 6, 0, 0, 0),
            (2, 4, DYNAMIC, 0x40, 8),
        ];
        for (number, (kind, flags, at, bytes, align)) in segments.into_iter().enumerate() {
            let header = 64 + 56 * number;
            put(header, &kind.to_le_bytes());
            put(header + 4, &flags.to_le_bytes());
            for (field, value) in [at, at, at, bytes, bytes, align].into_iter().enumerate() {
                put(header + 8 + 8 * field, &value.to_le_bytes());
            }
        }
        let dynamic = [36, TABLE, 35, 8, 37, 8, 0, 0];
        for (number, word) in dynamic.into_iter().enumerate() {
            put(DYNAMIC as usize + 8 * number, &u64::to_le_bytes(word));
        }
        put(TABLE as usize, &RELOCATED.to_le_bytes());
        put(RELOCATED as usize, &0x1000_u64.to_le_bytes());
        file
    }

    /// What fails after a byte was changed.
    fn after(at: usize, value: u8) -> Vec<&'static str> {
        let mut file = small();
        file[at] = value;
        failing(&executable(&file))
    }

    #[test]
    fn a_good_executable_passes() {
        assert_eq!(failing(&executable(&small())), [""; 0]);
    }

    #[test]
    fn what_the_loader_refuses_fails() {
        let accepted = ["PIE, relocations packed and relative, W^X"];
        assert_eq!(after(16, 2), accepted, "at a fixed address");
        assert_eq!(after(64 + 4, 7), accepted, "writable and executable");
        assert_eq!(after(STACK + 4, 7), accepted, "executable stack");
        assert_eq!(
            after(DYNAMIC as usize, 7),
            accepted,
            "another kind of relocations"
        );
    }

    #[test]
    fn what_is_missing_fails() {
        assert_eq!(
            after(RELRO, 0),
            ["PIE, relocations packed and relative, W^X"]
        );
        let mut file = small();
        file[RELRO..RELRO + 4].fill(0);
        assert_eq!(
            failing(&executable(&file)),
            ["RELRO holds every relocated word"]
        );
        let mut file = small();
        file[STACK..STACK + 4].fill(0);
        assert_eq!(failing(&executable(&file)), ["no executable stack"]);
    }

    #[test]
    fn what_is_left_over_fails() {
        let mut file = small();
        file.push(0);
        assert_eq!(failing(&executable(&file)), ["stripped"]);
        assert_eq!(after(0x3C, 1), ["stripped"]);
    }

    #[test]
    fn paths_of_the_build_fail() {
        assert_eq!(failing(&no_paths(b"/nonos/kernel/src/main.rs")), [""; 0]);
        let path = paths::root().join("kernel");
        assert_eq!(
            failing(&no_paths(path.display().to_string().as_bytes())),
            ["no paths of the build"]
        );
    }

    #[test]
    fn debug_records_name_their_file() {
        let mut file = b"..RSDS".to_vec();
        file.extend([7; 20]);
        file.extend(b"/home/me/boot.pdb\0..");
        assert_eq!(debug_file(&file), ["/home/me/boot.pdb"]);
        assert!(debug_file(b"RSDS").is_empty() && debug_file(b"").is_empty());
    }

    #[test]
    fn what_is_no_pe_file_is_an_error() {
        assert!(boot_loader(b"MZ").is_err() && boot_loader(&small()).is_err());
    }
}
