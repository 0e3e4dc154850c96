//! Finds what a source file says is `unsafe`, and the reason that stands with it.
//!
//! Works on tokens, so that the bodies of macros count like other code and comments and strings do not. Reasons are comments, which are no
//! tokens: they are read from the lines above.

use std::fmt;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What is unsafe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A block.
    Block,
    /// A function that its callers must be careful with.
    Function,
    /// An implementation of an unsafe trait.
    Implementation,
    /// A trait that its implementations must be careful with.
    Trait,
    /// Declarations of what is defined elsewhere.
    External,
    /// Assembly outside functions.
    Assembly,
    /// An attribute such as `no_mangle`.
    Attribute,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Block,
        Self::Function,
        Self::Implementation,
        Self::Trait,
        Self::External,
        Self::Assembly,
        Self::Attribute,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "block",
            Self::Function => "function",
            Self::Implementation => "implementation",
            Self::Trait => "trait",
            Self::External => "declarations",
            Self::Assembly => "assembly",
            Self::Attribute => "attribute",
        })
    }
}

/// Something unsafe in a source file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// What.
    pub kind: Kind,
    /// The item it is in or is, as `Type::function`; empty at the top of a file.
    pub item: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Why it is sound, or what callers must do.
    pub reason: Option<String>,
}

/// Everything unsafe in a source file, in its order.
///
/// # Errors
/// When it is no Rust.
pub fn sites(source: &str) -> Result<Vec<Site>> {
    let tokens: TokenStream = source.parse().map_err(|error| anyhow!("{error}"))?;
    let mut found = Vec::new();
    walk(tokens, "", &mut found);
    let lines: Vec<&str> = source.lines().collect();
    for site in &mut found {
        site.reason = reason(&lines, site);
    }
    Ok(found)
}

/// Goes through the tokens of one pair of brackets, which are part of `item`.
fn walk(tokens: TokenStream, item: &str, found: &mut Vec<Site>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    // The item whose body is still to come.
    let mut coming = String::new();
    for (index, tree) in trees.iter().enumerate() {
        let (before, after) = (&trees[..index], &trees[index + 1..]);
        match tree {
            TokenTree::Ident(word) => {
                if let Some(name) = named(&word.to_string(), before, after, !coming.is_empty()) {
                    coming = name;
                }
                let kind = match word.to_string().as_str() {
                    "unsafe" => kind(before, after),
                    "global_asm" if is_sign(after.first(), '!') => Some(Kind::Assembly),
                    _ => None,
                };
                if let Some(kind) = kind {
                    let own = match kind {
                        Kind::Block | Kind::External | Kind::Assembly | Kind::Attribute => "",
                        _ => &own_name(after),
                    };
                    let own = if kind == Kind::Block { &coming } else { own };
                    found.push(Site {
                        kind,
                        item: join(item, own),
                        line: word.span().start().line,
                        reason: None,
                    });
                }
            }
            TokenTree::Group(group) => {
                let is_body = group.delimiter() == Delimiter::Brace;
                // What is declared in an external block belongs to the block.
                if is_body && is_external(before) {
                    continue;
                }
                walk(group.stream(), &join(item, &coming), found);
                if is_body && !is_sign(after.first(), '=') {
                    coming.clear();
                }
            }
            TokenTree::Punct(sign) if sign.as_char() == ';' => coming.clear(),
            _ => {}
        }
    }
}

/// The name of an item that begins with this word. In types, which have signs before these words, none does.
fn named(word: &str, before: &[TokenTree], after: &[TokenTree], in_item: bool) -> Option<String> {
    let in_type = matches!(before.last(), Some(TokenTree::Punct(sign)) if sign.as_char() != ';');
    if in_item || in_type {
        return None;
    }
    match (word, after) {
        ("fn" | "mod" | "trait" | "const" | "static", [TokenTree::Ident(name), ..]) => {
            let name = name.to_string();
            let is_name = !["fn", "unsafe", "extern", "mut"].contains(&name.as_str());
            is_name.then_some(name)
        }
        ("macro_rules", [_, TokenTree::Ident(name), ..]) => Some(format!("{name}!")),
        ("impl", _) => Some(implementer(after)),
        _ => None,
    }
}

/// The type of `impl<…> Trait for Type<…> {`, without parameters.
fn implementer(after: &[TokenTree]) -> String {
    let (mut name, mut depth) = (String::new(), 0);
    for tree in after {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            TokenTree::Punct(sign) if sign.as_char() == '<' => depth += 1,
            TokenTree::Punct(sign) if sign.as_char() == '>' => depth -= 1,
            TokenTree::Ident(word) if depth == 0 => match word.to_string().as_str() {
                "where" => break,
                // The type comes after the trait, and the end of a path counts.
                word => name = word.to_owned(),
            },
            _ => {}
        }
    }
    name
}

/// What `unsafe` stands before; nothing for the type of a function pointer.
fn kind(before: &[TokenTree], after: &[TokenTree]) -> Option<Kind> {
    match after {
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => Some(Kind::Block),
        [TokenTree::Group(_), ..] if before.is_empty() => Some(Kind::Attribute),
        [TokenTree::Ident(word), rest @ ..] => match word.to_string().as_str() {
            "impl" => Some(Kind::Implementation),
            "trait" => Some(Kind::Trait),
            "fn" => matches!(rest, [TokenTree::Ident(_), ..]).then_some(Kind::Function),
            "extern" => match rest {
                [TokenTree::Literal(_), rest @ ..] => external(rest),
                rest => external(rest),
            },
            _ => Some(Kind::Block),
        },
        // A macro's pattern, or something new: to be looked at.
        _ => Some(Kind::Block),
    }
}

fn external(rest: &[TokenTree]) -> Option<Kind> {
    match rest {
        [TokenTree::Group(_), ..] => Some(Kind::External),
        [TokenTree::Ident(_), TokenTree::Ident(_), ..] => Some(Kind::Function),
        _ => None,
    }
}

/// Whether the braces after these tokens are those of `extern "C" { … }`.
fn is_external(before: &[TokenTree]) -> bool {
    let word = match before {
        [.., TokenTree::Ident(word), TokenTree::Literal(_)] => word,
        [.., TokenTree::Ident(word)] => word,
        _ => return false,
    };
    word == "extern"
}

/// The name of the unsafe item that begins with these tokens.
fn own_name(after: &[TokenTree]) -> String {
    let mut words = after
        .iter()
        .enumerate()
        .filter_map(|(at, tree)| match tree {
            TokenTree::Ident(word) => Some((at, word.to_string())),
            _ => None,
        });
    match words.find(|(_, word)| ["fn", "trait", "impl"].contains(&word.as_str())) {
        Some((at, word)) if word == "impl" => implementer(&after[at + 1..]),
        Some((at, _)) => after
            .get(at + 1)
            .map(ToString::to_string)
            .unwrap_or_default(),
        None => String::new(),
    }
}

fn is_sign(tree: Option<&TokenTree>, sign: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(found)) if found.as_char() == sign)
}

fn join(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", name) | (name, "") => name.to_owned(),
        (outer, inner) => format!("{outer}::{inner}"),
    }
}

/// The reason in the comment above, which may stand above the statement that goes on to this line.
fn reason(lines: &[&str], site: &Site) -> Option<String> {
    let above = &lines[..site.line.saturating_sub(1).min(lines.len())];
    let mut comment: Vec<&str> = Vec::new();
    for line in above.iter().rev().map(|line| line.trim()) {
        if let Some(text) = line.strip_prefix("//") {
            comment.push(text);
            continue;
        }
        let goes_on = !line.is_empty() && !line.ends_with([';', '{', '}']);
        if !(goes_on && (comment.is_empty() || line.starts_with("#["))) {
            break;
        }
    }
    comment.reverse();
    contract(&comment).or_else(|| plain_reason(&comment))
}

/// The section `# Safety` of a doc comment.
fn contract(comment: &[&str]) -> Option<String> {
    let doc = comment.iter().filter_map(|line| line.strip_prefix('/'));
    let section = doc
        .map(str::trim)
        .skip_while(|line| *line != "# Safety")
        .skip(1)
        .take_while(|line| !line.starts_with("# "));
    sentence(section)
}

/// What follows `SAFETY:`.
fn plain_reason(comment: &[&str]) -> Option<String> {
    let mut lines = comment.iter().map(|line| line.trim());
    let first = lines.find_map(|line| line.strip_prefix("SAFETY:"))?;
    sentence(std::iter::once(first).chain(lines))
}

fn sentence<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let text = words.join(" ");
    (!text.is_empty()).then_some(text)
}
