//! `docs/abi.md`: the system interface for those who write programs and drivers, from the source of `abi/`.
//!
//! System calls, rights and errors are asked of the crate itself, so the page says what the kernel is compiled with. Doc
//! comments of modules, records and constants are read from the source. Nothing is written here that `abi/` does not say, but
//! headings.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use nonos_abi::syscall::HandleNeed;
use nonos_abi::words::Words;
use nonos_abi::{Error, Name, ObjectKind, Rights, Syscall};
use syn::{Attribute, Expr, Fields, Item, ItemConst, ItemEnum, ItemStruct, Lit, Meta, Type};

use crate::page::Page;
use crate::paths;

/// Arguments and results in register order.
const ARGUMENT_REGISTERS: [&str; 6] = ["rdi", "rsi", "rdx", "r10", "r8", "r9"];

/// Rights by name, in the order of their bits.
const RIGHTS: [(&str, Rights); 5] = [
    ("READ", Rights::READ),
    ("WRITE", Rights::WRITE),
    ("EXECUTE", Rights::EXECUTE),
    ("GRANT", Rights::GRANT),
    ("REVOKE", Rights::REVOKE),
];

/// Headings that links in doc comments lead to.
const SECTIONS: [(&str, &str); 4] = [
    ("message", "messages"),
    ("start", "start-of-a-process"),
    ("info", "records"),
    ("rights", "rights"),
];

/// The page.
pub const PAGE: Page = Page {
    file: "docs/abi.md",
    command: "cargo xtask abi",
    text: page,
};

fn page() -> Result<String> {
    let mut page = String::from("# System interface\n\n");
    page += "Written by `cargo xtask abi` from the doc comments of `abi/`; to change it, change these.\n\n";
    page += &module("syscall")?.text;
    page += &calls_table();
    for &call in Syscall::ALL {
        page += &call_section(call);
    }
    page += &rights_section()?;
    page += &message_section()?;
    page += &start_section()?;
    page += &records_section()?;
    page += &errors_section();
    Ok(page)
}

/// All calls at a glance.
fn calls_table() -> String {
    let mut table = String::from("\n| number | call | arguments | results |\n|---|---|---|---|\n");
    for &call in Syscall::ALL {
        let arguments = call.arguments().iter().map(|argument| argument.name);
        let _ = writeln!(
            table,
            "| {} | [`{call:?}`](#{}) | {} | {} |",
            call as u64,
            anchor(call),
            arguments.collect::<Vec<_>>().join(", "),
            call.results().join(", ")
        );
    }
    table
}

fn anchor(call: Syscall) -> String {
    format!("{}-{}", call as u64, format!("{call:?}").to_lowercase())
}

fn call_section(call: Syscall) -> String {
    let mut section = format!(
        "\n### {} {call:?}\n\n{}",
        call as u64,
        prose(call.text().lines())
    );
    if !call.arguments().is_empty() || !call.results().is_empty() {
        section += "\n| register | | |\n|---|---|---|\n";
    }
    for (argument, register) in call.arguments().iter().zip(ARGUMENT_REGISTERS) {
        let need = argument.handle.map(needed).unwrap_or_default();
        let _ = writeln!(section, "| `{register}` | {} | {need} |", argument.name);
    }
    for (result, register) in call.results().iter().zip(ARGUMENT_REGISTERS) {
        let _ = writeln!(section, "| → `{register}` | {result} | |");
    }
    let errors: Vec<String> = Error::ALL
        .iter()
        .filter(|&&error| call.can_fail_with(error))
        .map(|error| format!("`{error:?}`"))
        .collect();
    if !errors.is_empty() {
        let _ = writeln!(section, "\nErrors: {}.", errors.join(", "));
    }
    section
}

/// What a handle must be, in words.
fn needed(need: HandleNeed) -> String {
    let kind = need.kind.map_or("any handle".to_owned(), |kind| {
        format!("handle of kind {}", kind.text())
    });
    let names = RIGHTS
        .iter()
        .filter(|(_, right)| need.rights.contains(*right));
    let names: Vec<_> = names.map(|(name, _)| *name).collect();
    match names.is_empty() {
        true => kind,
        false => format!("{kind}, with {}", names.join(" and ")),
    }
}

fn rights_section() -> Result<String> {
    let source = module("rights")?;
    let mut section = format!("\n## Rights\n\n{}\n", source.text);
    for item in &source.file.items {
        let Item::Impl(block) = item else { continue };
        for item in &block.items {
            if let syn::ImplItem::Const(constant) = item
                && RIGHTS.iter().any(|(name, _)| constant.ident == name)
            {
                let bit = RIGHTS.iter().find(|(name, _)| constant.ident == name);
                let bit = bit.map_or(0, |(_, right)| right.bits());
                let text = docs(&constant.attrs);
                let _ = writeln!(section, "- `{}` ({bit}): {}", constant.ident, text.trim());
            }
        }
    }
    section += "\nWhat each right allows, by kind of object; an empty cell allows nothing.\n\n| kind | object |";
    let mut line = String::from("\n|---|---|");
    for (name, _) in RIGHTS {
        let _ = write!(section, " {name} |");
        line += "---|";
    }
    section += &line;
    for &kind in ObjectKind::ALL {
        let description = prose(kind.description().lines());
        let _ = write!(
            section,
            "\n| {} {} | {} |",
            kind as u8,
            kind.text(),
            description.trim()
        );
        for (_, right) in RIGHTS {
            let cell = kind.rights().iter().find(|(listed, _)| *listed == right);
            let _ = write!(section, " {} |", cell.map_or("", |(_, text)| text));
        }
    }
    section.push('\n');
    Ok(section)
}

fn message_section() -> Result<String> {
    let source = module("message")?;
    let mut section = format!("\n## Messages\n\n{}\n", source.text);
    section += &constants(source.constants());
    for item in &source.file.items {
        if let Item::Struct(ItemStruct { ident, attrs, .. }) = item
            && ident == "MessageInfo"
        {
            let _ = write!(section, "\n### {ident}\n\n{}", docs(attrs));
        }
    }
    Ok(section)
}

fn start_section() -> Result<String> {
    let source = module("start")?;
    let mut section = format!("\n## Start of a process\n\n{}\n", source.text);
    section += &constants(source.constants());
    Ok(section)
}

fn records_section() -> Result<String> {
    let source = module("info")?;
    let mut section = format!("\n## Records\n\n{}", source.text);
    for item in &source.file.items {
        section += &match item {
            Item::Enum(item) => numbers(item)?,
            Item::Macro(item) if item.mac.path.is_ident("record") => {
                record(&item.mac.parse_body()?)?
            }
            Item::Mod(item) => {
                let items = item.content.as_ref().map(|(_, items)| items.as_slice());
                let found = items.unwrap_or_default().iter().filter_map(as_constant);
                let (title, text) = (&item.ident, docs(&item.attrs));
                format!("\n### {title}\n\n{text}\n{}", constants(found))
            }
            _ => String::new(),
        };
    }
    Ok(section)
}

/// An enumeration whose variants have numbers.
fn numbers(item: &ItemEnum) -> Result<String> {
    let mut table = format!("\n### {}\n\n{}\n", item.ident, docs(&item.attrs));
    table += "| number | name | |\n|---|---|---|\n";
    for variant in &item.variants {
        let number = variant
            .discriminant
            .as_ref()
            .context("a variant without a number")?;
        let (text, number) = (docs(&variant.attrs), source_of(&number.1));
        let _ = writeln!(
            table,
            "| {number} | `{}` | {} |",
            variant.ident,
            text.trim()
        );
    }
    Ok(table)
}

/// A record, with the position of each field.
fn record(item: &ItemStruct) -> Result<String> {
    let mut table = format!("\n### {}\n\n{}\n", item.ident, docs(&item.attrs));
    table += "| word | field | |\n|---|---|---|\n";
    let Fields::Named(fields) = &item.fields else {
        bail!("{}: a record has named fields", item.ident);
    };
    let mut at = 0;
    for field in &fields.named {
        let name = field.ident.as_ref().context("a field without a name")?;
        let count = words(&field.ty).with_context(|| format!("{}::{name}", item.ident))?;
        let position = match count {
            1 => at.to_string(),
            _ => format!("{at}–{}", at + count - 1),
        };
        let _ = writeln!(
            table,
            "| {position} | `{name}` | {} |",
            docs(&field.attrs).trim()
        );
        at += count;
    }
    Ok(table)
}

/// How many words a field takes.
fn words(field: &Type) -> Result<usize> {
    match field {
        Type::Path(path) if path.path.is_ident("u64") => Ok(1),
        Type::Path(path) if path.path.is_ident("Name") => Ok(Name::COUNT),
        Type::Array(array) => match &array.len {
            Expr::Lit(length) => match &length.lit {
                Lit::Int(length) => Ok(words(&array.elem)? * length.base10_parse::<usize>()?),
                _ => bail!("a length that is no number"),
            },
            _ => bail!("a length that is no number"),
        },
        _ => bail!("a field of unknown length"),
    }
}

fn errors_section() -> String {
    let mut section = String::from("\n## Errors\n\n| number | name | meaning |\n|---|---|---|\n");
    for &error in Error::ALL {
        let _ = writeln!(section, "| {} | `{error:?}` | {error} |", error.raw());
    }
    section
}

/// A module of `abi/`.
struct Module {
    file: syn::File,
    /// Its own doc comment.
    text: String,
}

impl Module {
    fn constants(&self) -> impl Iterator<Item = &ItemConst> {
        self.file.items.iter().filter_map(as_constant)
    }
}

fn module(name: &str) -> Result<Module> {
    let path = paths::root().join(format!("abi/src/{name}.rs"));
    let source = String::from_utf8(paths::read(&path)?)?;
    let file = syn::parse_file(&source).with_context(|| path.display().to_string())?;
    let text = docs(&file.attrs);
    Ok(Module { file, text })
}

fn as_constant(item: &Item) -> Option<&ItemConst> {
    match item {
        Item::Const(constant) => Some(constant),
        _ => None,
    }
}

fn constants<'a>(list: impl Iterator<Item = &'a ItemConst>) -> String {
    let mut table = String::new();
    for constant in list.filter(|constant| !matches!(*constant.ty, Type::Array(_))) {
        let value = source_of(&constant.expr);
        let text = docs(&constant.attrs);
        let _ = writeln!(table, "- `{}` = `{value}`: {}", constant.ident, text.trim());
    }
    table
}

/// An expression of one line, as it is written.
fn source_of(expression: &Expr) -> String {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.to_string(),
            _ => String::new(),
        },
        Expr::Binary(binary) => {
            let sign = match binary.op {
                syn::BinOp::Shl(_) => "<<",
                syn::BinOp::Mul(_) => "*",
                _ => "?",
            };
            format!(
                "{} {sign} {}",
                source_of(&binary.left),
                source_of(&binary.right)
            )
        }
        Expr::Call(call) => {
            let arguments: Vec<_> = call.args.iter().map(source_of).collect();
            format!("{}({})", source_of(&call.func), arguments.join(", "))
        }
        Expr::Path(path) => {
            let names = path.path.segments.iter().map(|part| part.ident.to_string());
            names.collect::<Vec<_>>().join("::")
        }
        _ => String::from("?"),
    }
}

/// The doc comment among these attributes.
fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let Expr::Lit(value) = &pair.value else {
            return None;
        };
        match &value.lit {
            Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value()),
            _ => None,
        }
    });
    prose(lines.collect::<Vec<_>>().iter().map(String::as_str))
}

/// Lines of a doc comment as Markdown: one line for each paragraph, and links that lead somewhere on the page.
fn prose<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut in_paragraph = false;
    for line in lines {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        let own_line = line.is_empty() || line.starts_with('|') || line.starts_with("- ");
        if in_paragraph {
            text.push(if own_line { '\n' } else { ' ' });
        }
        text += line;
        in_paragraph = !own_line;
        if own_line {
            text.push('\n');
        }
    }
    if in_paragraph {
        text.push('\n');
    }
    link(&text)
}

/// ``[`crate::message`]`` leads to a heading, ``[`Error::NoHandle`]`` is a name.
fn link(text: &str) -> String {
    let mut rest = text;
    let mut linked = String::new();
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((path, after)) = after.split_once("`]") else {
            break;
        };
        linked += before;
        let path = path.trim_start_matches("crate::");
        let last = path.rsplit("::").next().unwrap_or(path);
        // Without the modules that lead to it.
        let name = path.trim_start_matches(|letter: char| !letter.is_uppercase());
        let name = if name.is_empty() { last } else { name };
        let section = SECTIONS.iter().find(|(module, _)| *module == path);
        let is_record = path.starts_with("info::");
        linked += &match section {
            Some((_, heading)) => format!("[{}](#{heading})", heading.replace('-', " ")),
            None if is_record => format!("[`{last}`](#{})", last.to_lowercase()),
            None => format!("`{name}`"),
        };
        rest = after;
    }
    linked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_call_right_and_error() {
        let page = page().unwrap();
        for call in Syscall::ALL {
            assert!(page.contains(&format!("\n### {} {call:?}\n", *call as u64)));
        }
        for error in Error::ALL {
            assert!(page.contains(&format!("| {} | `{error:?}` |", error.raw())));
        }
        for kind in ObjectKind::ALL {
            assert!(page.contains(&format!("\n| {} {} |", *kind as u8, kind.text())));
        }
        assert!(!page.contains("crate::") && !page.contains("`?"));
    }

    #[test]
    fn paragraphs_are_joined_and_tables_are_not() {
        let lines = [
            " one",
            " two",
            "",
            " | a |",
            " | b |",
            " see [`crate::message`]",
        ];
        assert_eq!(
            prose(lines.into_iter()),
            "one two\n\n| a |\n| b |\nsee [messages](#messages)\n"
        );
    }

    #[test]
    fn positions_of_fields_follow_from_their_types() {
        let item: ItemStruct =
            syn::parse_str("pub struct R { pub a: Name, pub b: u64, pub c: [u64; 4], pub d: u64 }")
                .unwrap();
        let table = record(&item).unwrap();
        for row in [
            "| 0–3 | `a` |",
            "| 4 | `b` |",
            "| 5–8 | `c` |",
            "| 9 | `d` |",
        ] {
            assert!(table.contains(row), "{table}");
        }
    }
}
