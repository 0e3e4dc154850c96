//! Expressions: `+ − × ÷`, brackets, a sign before a number, `%` behind it.

use core::iter::Peekable;
use core::str::Chars;

use crate::decimal::Decimal;

/// Why an expression has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// It is not finished, or not an expression.
    Incomplete,
    /// It divides by zero.
    Zero,
    /// Its value has too many digits.
    Large,
}

impl Wrong {
    /// For a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::Incomplete => "Incomplete",
            Self::Zero => "Division by zero",
            Self::Large => "Too many digits",
        }
    }
}

/// Most brackets within each other.
const DEEPEST: u32 = 32;

/// The value of an expression.
///
/// # Errors
/// Why it has none.
pub fn evaluate(text: &str) -> Result<Decimal, Wrong> {
    let mut parser = Parser {
        rest: text.chars().peekable(),
        depth: 0,
    };
    let value = parser.sum()?;
    match parser.rest.next() {
        None => Ok(value),
        Some(_) => Err(Wrong::Incomplete),
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    depth: u32,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Decimal, Wrong> {
        let mut value = self.product()?;
        while let Some(operator) = self.rest.next_if(|&next| matches!(next, '+' | '−')) {
            let other = self.product()?;
            let other = if operator == '+' {
                other
            } else {
                other.negated()
            };
            value = value.plus(other).ok_or(Wrong::Large)?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<Decimal, Wrong> {
        let mut value = self.factor()?;
        loop {
            match self.rest.peek() {
                Some('×') => {
                    self.rest.next();
                    value = value.times(self.factor()?).ok_or(Wrong::Large)?;
                }
                Some('÷') => {
                    self.rest.next();
                    let divisor = self.factor()?;
                    if divisor.is_zero() {
                        return Err(Wrong::Zero);
                    }
                    value = value.divided_by(divisor).ok_or(Wrong::Large)?;
                }
                // A bracket behind a number multiplies.
                Some('(') => value = value.times(self.factor()?).ok_or(Wrong::Large)?,
                _ => return Ok(value),
            }
        }
    }

    fn factor(&mut self) -> Result<Decimal, Wrong> {
        let mut negative = false;
        while let Some(sign) = self.rest.next_if(|&next| matches!(next, '−' | '+')) {
            negative ^= sign == '−';
        }
        let mut value = if self.rest.next_if_eq(&'(').is_some() {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(Wrong::Large);
            }
            let value = self.sum()?;
            self.depth -= 1;
            self.rest.next_if_eq(&')').ok_or(Wrong::Incomplete)?;
            value
        } else {
            self.number()?
        };
        while self.rest.next_if_eq(&'%').is_some() {
            value = value.percent().ok_or(Wrong::Large)?;
        }
        Ok(if negative { value.negated() } else { value })
    }

    fn number(&mut self) -> Result<Decimal, Wrong> {
        let mut text = alloc::string::String::new();
        while let Some(digit) = self
            .rest
            .next_if(|next| next.is_ascii_digit() || *next == '.')
        {
            text.push(digit);
        }
        if text.len() > 36 {
            return Err(Wrong::Large);
        }
        Decimal::parse(&text).ok_or(Wrong::Incomplete)
    }
}
