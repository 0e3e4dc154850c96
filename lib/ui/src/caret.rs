//! How far a caret moves through text.

/// Marks stand on the letter before them.
fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36F}').contains(&character)
}

/// Bytes to the next place in a direction, given the characters there in their order: past a letter with its marks or a line end; past a
/// word when asked.
pub fn step(characters: impl Iterator<Item = char>, forward: bool, word: bool) -> usize {
    let mut characters = characters.peekable();
    let (mut bytes, mut letters) = (0, false);
    while let Some(character) = characters.next() {
        let letter = character.is_alphanumeric() || is_mark(character);
        if word && letters && !letter {
            break;
        }
        letters |= letter;
        bytes += character.len_utf8();
        let goes_on = match (forward, character, characters.peek()) {
            _ if word => true,
            (true, '\r', Some('\n')) | (false, '\n', Some('\r')) => true,
            (true, _, next) => next.copied().is_some_and(is_mark),
            (false, mark, _) => is_mark(mark),
        };
        if !goes_on {
            break;
        }
    }
    bytes
}
