//! Decimal numbers: exact sums and products, quotients to 15 digits.

use alloc::string::{String, ToString};
use core::fmt;

/// Most places behind the point.
const PLACES: u32 = 15;

/// A number: `digits` divided by ten to the power of `places`. The last digit behind the point is not 0.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Decimal {
    digits: i128,
    places: u32,
}

/// A half, away from zero.
fn rounded(digits: i128, by: i128) -> i128 {
    let half = if digits < 0 { -(by / 2) } else { by / 2 };
    digits.saturating_add(half) / by
}

impl Decimal {
    /// The number in its shortest form, with at most [`PLACES`] places.
    fn new(digits: i128, places: u32) -> Option<Self> {
        let (mut digits, mut places) = (digits, places);
        if places > PLACES {
            digits = rounded(digits, 10_i128.checked_pow(places - PLACES)?);
            places = PLACES;
        }
        while places > 0 && digits % 10 == 0 {
            (digits, places) = (digits / 10, places - 1);
        }
        Some(Self { digits, places })
    }

    /// A number as it is written, digits with at most one point.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut digits, mut places, mut point, mut any) = (0_i128, 0, false, false);
        for character in text.chars() {
            match character.to_digit(10) {
                Some(digit) => {
                    digits = digits.checked_mul(10)?.checked_add(digit.into())?;
                    places += u32::from(point);
                    any = true;
                }
                None if character == '.' && !point => point = true,
                None => return None,
            }
        }
        Self::new(digits, places).filter(|_| any)
    }

    /// Both with as many places.
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let places = self.places.max(other.places);
        let scaled = |number: Self| {
            number
                .digits
                .checked_mul(10_i128.checked_pow(places - number.places)?)
        };
        Some((scaled(self)?, scaled(other)?, places))
    }

    /// The sum; `None` when it is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b, places) = self.aligned(other)?;
        Self::new(a.checked_add(b)?, places)
    }

    /// The opposite.
    pub fn negated(self) -> Self {
        Self {
            digits: self.digits.saturating_neg(),
            ..self
        }
    }

    /// The product; `None` when it is too large.
    pub fn times(self, other: Self) -> Option<Self> {
        Self::new(
            self.digits.checked_mul(other.digits)?,
            self.places + other.places,
        )
    }

    /// The quotient; `None` when it is too large or the divisor 0.
    pub fn divided_by(self, other: Self) -> Option<Self> {
        let (mut a, b, _) = self.aligned(other)?;
        let mut places = 0;
        while places <= PLACES
            && let Some(more) = a.checked_mul(10)
        {
            (a, places) = (more, places + 1);
        }
        if b == 0 {
            return None;
        }
        Self::new(rounded_quotient(a, b)?, places)
    }

    /// A hundredth.
    pub fn percent(self) -> Option<Self> {
        Self::new(self.digits, self.places + 2)
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// With a narrow gap between thousands.
    pub fn grouped(self) -> String {
        let plain = self.to_string();
        let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
        let (sign, digits) = match whole.strip_prefix('−') {
            Some(digits) => ("−", digits),
            None => ("", whole),
        };
        let mut out = String::from(sign);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        out + rest
    }
}

fn rounded_quotient(a: i128, b: i128) -> Option<i128> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let up = rest.unsigned_abs() >= b.unsigned_abs().div_ceil(2);
    let sign = if (a < 0) == (b < 0) { 1 } else { -1 };
    quotient.checked_add(if up { sign } else { 0 })
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut left = self.digits.unsigned_abs();
        let mut count = 0;
        // From the last digit to the first.
        while left > 0 || count <= self.places {
            if count == self.places && count > 0 {
                text.push('.');
            }
            text.push(char::from(b'0' + (left % 10) as u8));
            left /= 10;
            count += 1;
        }
        if self.digits < 0 {
            text.push('−');
        }
        let forwards: String = text.chars().rev().collect();
        f.write_str(&forwards)
    }
}
