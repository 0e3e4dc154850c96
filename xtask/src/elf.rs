//! What the build takes from, and takes out of, the linked ELF files: symbols for the kernel's fault reports, and
//! everything that is not loaded.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSegment, ObjectSymbol, SymbolKind, elf};

/// The file without what is not loaded: symbols, debug information, section headers, and what fills pages between segments, which
/// only a loader that maps the file itself needs.
///
/// # Errors
/// When the file is no 64-bit little-endian ELF, or a segment is not in it.
pub fn strip(file: &[u8]) -> Result<Vec<u8>> {
    let header = elf::FileHeader64::<LittleEndian>::parse(file).context("not an ELF file")?;
    let segments = header
        .program_headers(LittleEndian, file)
        .context("program headers")?;
    let table = header.e_phoff.get(LittleEndian) as usize;
    let mut stripped = file
        .get(..table + size_of_val(segments))
        .context("no program headers")?
        .to_vec();
    // Where each loaded segment's contents were and are.
    let mut moved: Vec<(Range<usize>, usize)> = Vec::new();
    for segment in segments.iter().filter(|segment| is_loaded(segment)) {
        let (start, bytes) = segment.file_range(LittleEndian);
        let (start, end) = (start as usize, (start + bytes) as usize);
        let contents = file
            .get(start..end)
            .context("a segment is not in the file")?;
        if start == 0 {
            // It begins with the headers.
            ensure!(contents.len() >= stripped.len(), "headers are not loaded");
            stripped = contents.to_vec();
            moved.push((start..end, 0));
            continue;
        }
        let address = segment.p_vaddr.get(LittleEndian) as usize;
        while stripped.len() % ALIGNMENT != address % ALIGNMENT {
            stripped.push(0);
        }
        moved.push((start..end, stripped.len()));
        stripped.extend(contents);
    }
    stripped[SECTION_TABLE_OFFSET..SECTION_TABLE_OFFSET + 8].fill(0);
    stripped[SECTION_COUNT..SECTION_COUNT + 4].fill(0);
    for (number, segment) in segments.iter().enumerate() {
        let (start, bytes) = segment.file_range(LittleEndian);
        let holds = |range: &Range<usize>| {
            range.start <= start as usize && (start + bytes) as usize <= range.end
        };
        // A segment of zeros takes nothing of the file, wherever the linker would have put it.
        let offset = match moved.iter().find(|(range, _)| bytes > 0 && holds(range)) {
            Some((range, to)) => start as usize - range.start + to,
            None => 0,
        };
        let entry = table + number * size_of_val(segment);
        put(&mut stripped, entry + SEGMENT_OFFSET, offset);
        if segment.p_type.get(LittleEndian) == elf::PT_LOAD {
            put(&mut stripped, entry + SEGMENT_ALIGNMENT, ALIGNMENT);
        }
    }
    Ok(stripped)
}

/// Whether a segment is loaded from the file.
fn is_loaded(segment: &elf::ProgramHeader64<LittleEndian>) -> bool {
    segment.p_type.get(LittleEndian) == elf::PT_LOAD && segment.p_filesz.get(LittleEndian) > 0
}

fn put(file: &mut [u8], at: usize, value: usize) {
    file[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
}

/// Of segments in the file, bytes: that of what is in them.
const ALIGNMENT: usize = 16;
/// `p_offset` in `Elf64_Phdr`.
const SEGMENT_OFFSET: usize = 8;
/// `p_align` in `Elf64_Phdr`.
const SEGMENT_ALIGNMENT: usize = 48;
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

/// Address of a symbol of an ELF file, and this many bytes there; zeros where the file has none.
///
/// # Errors
/// When the file has no such symbol, or it lies outside.
pub fn at_symbol(file: &[u8], name: &str, bytes: usize) -> Result<(u64, Vec<u8>)> {
    let parsed = ElfFile64::<LittleEndian>::parse(file).context("not an ELF file")?;
    let symbol = parsed.symbol_by_name(name).context("no such symbol")?;
    let address = symbol.address();
    let mut segments = parsed.segments();
    let found = segments.find_map(|segment| segment.data_range(address, bytes as u64).ok()?);
    let found = found.map_or(vec![0; bytes], <[u8]>::to_vec);
    Ok((address, found))
}

/// Address of a function or static of an ELF file, by its name demangled and without its hash.
///
/// # Errors
/// When the file has none of this name.
pub fn address_of(file: &[u8], name: &str) -> Result<u64> {
    let parsed = ElfFile64::<LittleEndian>::parse(file).context("not an ELF file")?;
    let named = |symbol: &_| {
        let mangled = ObjectSymbol::name(symbol).unwrap_or_default();
        let demangled = format!("{:#}", rustc_demangle::demangle(mangled));
        // A static of one part may be named as that.
        demangled.strip_suffix(".0").unwrap_or(&demangled) == name
    };
    let symbol = parsed.symbols().find(named);
    Ok(symbol.with_context(|| format!("no {name}"))?.address())
}

/// Where in an executable stands what lies at an address.
///
/// # Errors
/// When it is no executable, or has nothing there.
pub fn place(executable: &[u8], address: u64) -> Result<usize> {
    let executable = nonos_image::elf::Executable::parse(executable)?;
    let mut segments = executable.segments().iter();
    let inside = segments.find_map(|segment| {
        let from = usize::try_from(address.checked_sub(segment.virtual_offset)?).ok()?;
        (from < segment.file_bytes).then_some(segment.file_offset + from)
    });
    inside.with_context(|| format!("nothing at {address:#x}"))
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
        let before = elf::FileHeader64::<LittleEndian>::parse(&*file).unwrap();
        let before = before.program_headers(LittleEndian, &*file).unwrap();
        // The headers are others.
        let headers = header.e_phoff.get(LittleEndian) as usize + size_of_val(segments);
        for (segment, before) in segments.iter().zip(before) {
            let contents = |file: &[u8], segment: &elf::ProgramHeader64<LittleEndian>| {
                let (start, bytes) = segment.file_range(LittleEndian);
                let skipped = headers.saturating_sub(start as usize);
                let contents = &file[start as usize..(start + bytes) as usize];
                contents.get(skipped..).map(<[u8]>::to_vec)
            };
            assert_eq!(contents(&stripped, segment), contents(&file, before));
            let (offset, address) = (
                segment.p_offset.get(LittleEndian),
                segment.p_vaddr.get(LittleEndian),
            );
            let align = segment.p_align.get(LittleEndian).max(1);
            let empty = segment.p_filesz.get(LittleEndian) == 0;
            assert!(empty || offset % align == address % align);
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
