//! What the build takes from, and takes out of, the linked ELF files: symbols for the kernel's fault reports, and
//! everything that is not loaded.

use anyhow::{Context, Result, ensure};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind, elf};

/// The file without what is not loaded: symbols, debug information, section headers.
///
/// The linker puts all that behind the loaded segments, so the file is cut there; the header then says that
/// there are no sections.
///
/// # Errors
/// When the file is no 64-bit little-endian ELF.
pub fn strip(file: &[u8]) -> Result<Vec<u8>> {
    let header = elf::FileHeader64::<LittleEndian>::parse(file).context("not an ELF file")?;
    let segments = header
        .program_headers(LittleEndian, file)
        .context("program headers")?;
    let table_end = header.e_phoff.get(LittleEndian) as usize + size_of_val(segments);
    // A segment of zeros takes nothing of the file, wherever the linker would have put it.
    let ends = segments.iter().map(|segment| {
        let (offset, bytes) = segment.file_range(LittleEndian);
        if bytes == 0 {
            0
        } else {
            (offset + bytes) as usize
        }
    });
    let end = ends.fold(table_end, usize::max);
    let mut stripped = file
        .get(..end)
        .context("a segment reaches past the end of the file")?
        .to_vec();
    stripped[SECTION_TABLE_OFFSET..SECTION_TABLE_OFFSET + 8].fill(0);
    stripped[SECTION_COUNT..SECTION_COUNT + 4].fill(0);
    let table = header.e_phoff.get(LittleEndian) as usize;
    for (number, segment) in segments.iter().enumerate() {
        if segment.p_filesz.get(LittleEndian) == 0 {
            let field = table + number * size_of_val(segment) + SEGMENT_OFFSET;
            stripped[field..field + 8].fill(0);
        }
    }
    Ok(stripped)
}

/// `p_offset` in `Elf64_Phdr`.
const SEGMENT_OFFSET: usize = 8;
/// `e_shoff` in `Elf64_Ehdr`.
const SECTION_TABLE_OFFSET: usize = 0x28;
/// `e_shnum`, followed by `e_shstrndx`, in `Elf64_Ehdr`.
const SECTION_COUNT: usize = 0x3C;

/// Prefix of the symbols at the numbers of functions' types (kCFI), right before the functions: no code.
const TYPE_OF_FUNCTION: &str = "__cfi_";

/// Functions of an ELF file as a [`nonos_image::symbols`] table, names demangled and without their hashes.
///
/// # Errors
/// When the file has no symbols.
pub fn symbols(file: &[u8]) -> Result<Vec<u8>> {
    let parsed = ElfFile64::<LittleEndian>::parse(file).context("not an ELF file")?;
    let functions = parsed
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
    let mut named: Vec<(u32, String)> = Vec::new();
    for symbol in functions {
        let name = symbol.name().context("a symbol's name")?;
        if name.starts_with(TYPE_OF_FUNCTION) {
            continue;
        }
        let name = format!("{:#}", rustc_demangle::demangle(name));
        named.push((
            u32::try_from(symbol.address()).context("a symbol's address")?,
            name,
        ));
    }
    ensure!(!named.is_empty(), "the kernel has no symbols");
    let borrowed: Vec<(u32, &str)> = named
        .iter()
        .map(|(at, name)| (*at, name.as_str()))
        .collect();
    nonos_image::symbols::build(&borrowed).context("symbol table")
}

/// Checks what the format asks of an executable, so that a mistake in linking shows in the build and not at boot.
///
/// # Errors
/// The first rule that is broken.
pub fn check(name: &str, file: &[u8]) -> Result<()> {
    nonos_image::elf::Executable::parse(file)
        .map(|_| ())
        .map_err(|refusal| anyhow::anyhow!("{name}: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::ObjectSection;

    /// The tests' own program: a large ELF file with symbols.
    fn program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn stripping_keeps_all_that_is_loaded_and_nothing_else() {
        let file = program();
        let stripped = strip(&file).unwrap();
        assert!(stripped.len() < file.len());
        let header = elf::FileHeader64::<LittleEndian>::parse(&*stripped).unwrap();
        let segments = header.program_headers(LittleEndian, &*stripped).unwrap();
        for segment in segments {
            let (offset, bytes) = segment.file_range(LittleEndian);
            // The header is another: the section table is gone from it.
            let start = (offset as usize).max(size_of_val(header));
            let end = (offset + bytes) as usize;
            assert_eq!(stripped.get(start..end), file.get(start..end));
        }
        let parsed = ElfFile64::<LittleEndian>::parse(&*stripped).unwrap();
        assert_eq!(
            parsed
                .sections()
                .filter(|section| section.size() > 0)
                .count(),
            0
        );
        assert_eq!(parsed.symbols().count(), 0);
    }

    #[test]
    fn symbols_have_readable_names() {
        let table = symbols(&program()).unwrap();
        let parsed = nonos_image::symbols::Symbols::parse(&table).unwrap();
        assert!(parsed.count() > 100);
        let names = String::from_utf8_lossy(&table);
        assert!(
            names.contains("xtask::elf::strip\0"),
            "no hash, no mangling"
        );
    }

    #[test]
    fn a_file_that_is_no_elf_is_an_error() {
        assert!(strip(b"MZ").is_err() && symbols(b"").is_err());
    }
}
