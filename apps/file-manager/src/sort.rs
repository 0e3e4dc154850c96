//! Names in the order that a person looks for them in.

use core::cmp::Ordering;
use core::iter::Peekable;
use core::str::Chars;

use nonos_ui::search::fold;

/// The letter that an accented small one is sorted by.
fn base(letter: char) -> char {
    match letter {
        'à'..='æ' | 'ā'..='ą' => 'a',
        'ç' | 'ć'..='č' => 'c',
        'ð' | 'ď'..='đ' => 'd',
        'è'..='ë' | 'ē'..='ě' => 'e',
        'ĝ'..='ģ' => 'g',
        'ĥ'..='ħ' => 'h',
        'ì'..='ï' | 'ĩ'..='ĳ' => 'i',
        'ĵ' => 'j',
        'ķ' | 'ĸ' => 'k',
        'ĺ'..='ł' => 'l',
        'ñ' | 'ń'..='ŋ' => 'n',
        'ò'..='ö' | 'ø' | 'ō'..='œ' => 'o',
        'ŕ'..='ř' => 'r',
        'ß' | 'ś'..='š' => 's',
        'þ' | 'ţ'..='ŧ' => 't',
        'ù'..='ü' | 'ũ'..='ų' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź'..='ž' => 'z',
        other => other,
    }
}

/// Takes a number: its digits, without zeros before them.
fn number<'a>(text: &mut Peekable<Chars<'a>>, digits: &mut [char; 20]) -> usize {
    let mut count = 0;
    while let Some(digit) = text.next_if(char::is_ascii_digit) {
        if (count > 0 || digit != '0') && count < digits.len() {
            digits[count] = digit;
            count += 1;
        }
    }
    count
}

/// Compares names: accents and capitals matter last, and numbers by their value.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return a.cmp(b),
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let mut digits = [['0'; 20]; 2];
                let (x, y) = (
                    number(&mut left, &mut digits[0]),
                    number(&mut right, &mut digits[1]),
                );
                x.cmp(&y).then(digits[0].cmp(&digits[1]))
            }
            _ => {
                let sorted = |letter: char| base(fold(letter));
                left.next().map(sorted).cmp(&right.next().map(sorted))
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_capitals_matter_last_and_numbers_by_their_value() {
        let sorted = [
            "",
            "2 b",
            "02 c",
            "10 a",
            "apfel",
            "Äpfel",
            "äpfel",
            "Apfelmus",
            "file 9.txt",
            "File 10.txt",
            "file 10b",
            "Łódź",
            "m",
            "žába",
        ];
        for (index, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), index.cmp(&other), "{a} and {b}");
            }
        }
    }
}
