//! A line with pipes and redirections: where a command reads from, and where what it writes goes.
//!
//! `COMMAND < FILE | hash > FILE`. Text between double quotes is one word, and means nothing here.

/// Commands that can read from a pipe.
const FILTERS: &str = "cat, hash and write FILE";

/// Where the text that runs through a line comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source<'a> {
    /// From a command.
    Command(&'a str),
    /// From a file.
    File(&'a str),
}

/// A file that takes what a line writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub file: &'a str,
    /// What it holds stays.
    pub append: bool,
}

/// A line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pipeline<'a> {
    /// Where the text comes from.
    pub source: Source<'a>,
    /// Its hash goes on in its place.
    pub hash: bool,
    /// Where it ends; the screen when there is none.
    pub target: Option<Target<'a>>,
}

/// Why a line is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong<'a> {
    /// Nothing stands before or after a `|`.
    NoCommand,
    /// No file stands after a `<` or `>`, or more than a name.
    NoFile,
    /// Input or output goes to two places.
    Twice,
    /// This does not read from a pipe or a file.
    NotAFilter(&'a str),
}

impl core::fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoCommand => f.write_str("a command is missing before or after |"),
            Self::NoFile => f.write_str("one file name is needed after <, > and >>"),
            Self::Twice => f.write_str("only one input, one hash and one output are possible"),
            Self::NotAFilter(command) => {
                write!(f, "{command} reads from no pipe and no file: {FILTERS} do")
            }
        }
    }
}

/// The words of a text; what stands between double quotes is one.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        rest = after;
        Some(word)
    })
}

/// Where the first of these characters stands outside of quotes.
fn find(text: &str, wanted: &[char]) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (!quoted && wanted.contains(&c)).then_some(at)
    })
}

/// The only word of a text.
fn only_word(text: &str) -> Result<&str, Wrong<'_>> {
    let mut words = words(text);
    let word = words.next().filter(|word| !word.is_empty());
    match (word, words.next()) {
        (Some(word), None) => Ok(word),
        _ => Err(Wrong::NoFile),
    }
}

/// One command of a line with its redirections.
struct Part<'a> {
    command: &'a str,
    input: Option<&'a str>,
    output: Option<Target<'a>>,
}

fn part(text: &str) -> Result<Part<'_>, Wrong<'_>> {
    let end = find(text, &['<', '>']).unwrap_or(text.len());
    let (command, mut rest) = text.split_at(end);
    let mut part = Part {
        command: command.trim(),
        input: None,
        output: None,
    };
    while let Some(sign) = rest.chars().next() {
        let append = rest.starts_with(">>");
        let file = &rest[if append { 2 } else { 1 }..];
        let end = find(file, &['<', '>']).unwrap_or(file.len());
        let (file, after) = file.split_at(end);
        let file = only_word(file)?;
        let twice = match sign {
            '<' => part.input.replace(file).is_some(),
            _ => part.output.replace(Target { file, append }).is_some(),
        };
        if twice {
            return Err(Wrong::Twice);
        }
        rest = after;
    }
    Ok(part)
}

/// Reads a line.
///
/// # Errors
/// When it cannot mean anything.
pub fn split(line: &str) -> Result<Pipeline<'_>, Wrong<'_>> {
    let mut rest = Some(line);
    let mut pipeline: Option<Pipeline<'_>> = None;
    while let Some(text) = rest {
        let end = find(text, &['|']);
        rest = end.map(|end| &text[end + 1..]);
        let part = part(end.map_or(text, |end| &text[..end]))?;
        let last = rest.is_none();
        if part.command.is_empty() && (pipeline.is_some() || !last || part.output.is_some()) {
            return Err(Wrong::NoCommand);
        }
        let piped = pipeline.is_some();
        let mut line = match (pipeline, part.input) {
            (Some(_), Some(_)) => return Err(Wrong::Twice),
            (Some(line), None) => line,
            (None, input) => Pipeline {
                source: input.map_or(Source::Command(part.command), Source::File),
                hash: false,
                target: None,
            },
        };
        if line.target.is_some() {
            return Err(Wrong::Twice);
        }
        line.target = part.output;
        if piped || part.input.is_some() {
            filter(part.command, &mut line)?;
        }
        pipeline = Some(line);
    }
    pipeline.ok_or(Wrong::NoCommand)
}

/// What a command does with the text that it reads.
fn filter<'a>(command: &'a str, line: &mut Pipeline<'a>) -> Result<(), Wrong<'a>> {
    let mut parts = words(command);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("cat"), None, _) => {}
        (Some("hash"), None, _) => {
            if core::mem::replace(&mut line.hash, true) {
                return Err(Wrong::Twice);
            }
        }
        (Some("write"), Some(file), None) => {
            let append = false;
            if line.target.replace(Target { file, append }).is_some() {
                return Err(Wrong::Twice);
            }
        }
        _ => return Err(Wrong::NotAFilter(command)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(source: Source<'a>, hash: bool, target: Option<(&'a str, bool)>) -> Pipeline<'a> {
        Pipeline {
            source,
            hash,
            target: target.map(|(file, append)| Target { file, append }),
        }
    }

    #[test]
    fn lines_are_read() {
        use Source::{Command, File};
        for (text, expected) in [
            ("", line(Command(""), false, None)),
            ("ps", line(Command("ps"), false, None)),
            (
                " echo  a > b ",
                line(Command("echo  a"), false, Some(("b", false))),
            ),
            (
                "echo a>>b",
                line(Command("echo a"), false, Some(("b", true))),
            ),
            ("ls | hash", line(Command("ls"), true, None)),
            (
                "ls|cat|hash>f",
                line(Command("ls"), true, Some(("f", false))),
            ),
            (
                "ls | write f",
                line(Command("ls"), false, Some(("f", false))),
            ),
            ("cat < f", line(File("f"), false, None)),
            ("hash < f >> g", line(File("f"), true, Some(("g", true)))),
            ("write g < f", line(File("f"), false, Some(("g", false)))),
            (
                "cat \"a | b\" > \"c > d\"",
                line(Command("cat \"a | b\""), false, Some(("c > d", false))),
            ),
            (
                "cat \"open > b",
                line(Command("cat \"open > b"), false, None),
            ),
        ] {
            assert_eq!(split(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (text, wrong) in [
            ("|", Wrong::NoCommand),
            ("ls |", Wrong::NoCommand),
            ("| hash", Wrong::NoCommand),
            ("> f", Wrong::NoCommand),
            ("ls >", Wrong::NoFile),
            ("ls > a b", Wrong::NoFile),
            ("ls > \"\"", Wrong::NoFile),
            ("ls > a > b", Wrong::Twice),
            ("ls > a | hash", Wrong::Twice),
            ("ls | hash < a", Wrong::Twice),
            ("ls | hash | hash", Wrong::Twice),
            ("ls | write a > b", Wrong::Twice),
            ("ls | ps", Wrong::NotAFilter("ps")),
            ("ls | cat a", Wrong::NotAFilter("cat a")),
            ("ls | write a b", Wrong::NotAFilter("write a b")),
            ("ps < a", Wrong::NotAFilter("ps")),
            ("ls < a", Wrong::NotAFilter("ls")),
        ] {
            assert_eq!(split(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn words_end_at_spaces_outside_of_quotes() {
        let all = |text| words(text).collect::<Vec<_>>();
        assert_eq!(all(" a  \"b c\" d"), ["a", "b c", "d"]);
        assert_eq!(all("\"open a"), ["open a"]);
        assert_eq!(all("  "), [""; 0]);
    }
}
