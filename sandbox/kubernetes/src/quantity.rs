//! Quantities: `10Gi`, `500m`, `1e3`; parsing, comparison and the canonical form in which the API server stores them.

use std::fmt;

/// The suffix family a quantity was written in; it is written back in the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Binary,
    Decimal,
    Exponent,
}

/// A quantity, exact to a billionth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    nanos: i128,
    family: Family,
}

/// What the API server says about text that is not a quantity.
pub(crate) const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const NANO: i128 = 1_000_000_000;

impl Quantity {
    /// Parses `text`; `None` when it is no quantity. Finer than a billionth is rounded up.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let split = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(split);
        let (multiplier, divisor, family) = scale(suffix)?;
        let (negative, digits) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let fraction = &fraction[..fraction.len().min(18)];
        let mantissa: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let unit = 10_i128
            .checked_pow(u32::try_from(fraction.len()).ok()?)?
            .checked_mul(divisor)?;
        let scaled = mantissa.checked_mul(multiplier)?.checked_mul(NANO)?;
        let nanos = scaled / unit + i128::from(scaled % unit != 0);
        Some(Self {
            nanos: if negative { -nanos } else { nanos },
            family,
        })
    }

    /// Whether it is below zero.
    pub(crate) fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(self) -> bool {
        self.nanos == 0
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.nanos.partial_cmp(&other.nanos)
    }
}

fn scale(suffix: &str) -> Option<(i128, i128, Family)> {
    let binary = |power: u32| Some((1_i128 << (10 * power), 1, Family::Binary));
    let decimal = |power: u32| Some((10_i128.pow(power), 1, Family::Decimal));
    match suffix {
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "n" => Some((1, NANO, Family::Decimal)),
        "u" => Some((1, 1_000_000, Family::Decimal)),
        "m" => Some((1, 1_000, Family::Decimal)),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs().min(18))?;
            if exponent < 0 {
                Some((1, power, Family::Exponent))
            } else {
                Some((power, 1, Family::Exponent))
            }
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        const EXPONENT: [&str; 10] = ["e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18"];
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        if self.family == Family::Binary && self.nanos.abs() >= 1024 * NANO {
            let mut value = self.nanos / NANO + i128::from(!whole && self.nanos > 0);
            let mut power = 0;
            while value % 1024 == 0 && power < 6 {
                value /= 1024;
                power += 1;
            }
            return write!(f, "{value}{}", BINARY[power]);
        }
        let (mut value, mut power) = (self.nanos, 0);
        while value % 1000 == 0 && power < 9 {
            value /= 1000;
            power += 1;
        }
        let suffixes = if self.family == Family::Exponent {
            EXPONENT
        } else {
            DECIMAL
        };
        write!(f, "{value}{}", suffixes[power])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_canonical_form() {
        for (given, canonical) in [
            ("10Gi", "10Gi"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("100", "100"),
            ("1000", "1k"),
            ("10240M", "10240M"),
            ("1e3", "1e3"),
            ("512Ki", "512Ki"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("0", "0"),
            ("-5Gi", "-5Gi"),
            (".5", "500m"),
        ] {
            assert_eq!(Quantity::parse(given).unwrap().to_string(), canonical, "{given}");
        }
    }

    #[test]
    fn compares_across_families() {
        assert!(Quantity::parse("1Gi").unwrap() > Quantity::parse("1G").unwrap());
        assert_eq!(Quantity::parse("1Gi"), Quantity::parse("1024Mi"));
    }

    #[test]
    fn refuses_what_is_no_quantity() {
        for text in ["", "Gi", "10GiB", "10 Gi", "ten", "1.2.3", "--1", "."] {
            assert!(Quantity::parse(text).is_none(), "{text}");
        }
    }
}
