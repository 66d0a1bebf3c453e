//! What an unquoted word means to `kubectl`, whose YAML is that of go-yaml v2: mostly YAML 1.1, with `yes`, `on` and octal
//! numbers, without base-60 numbers and timestamps.

use serde_json::Number;

use crate::node::Value;

/// Why a word has no meaning in JSON, which is what the API server takes.
pub(super) const NOT_FINITE: &str = "infinity and not-a-number have no place here";

/// The meaning of a plain scalar.
pub(super) fn plain(text: &str) -> Result<Value, &'static str> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => {
            return Err(NOT_FINITE);
        }
        _ if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) => {
            let digits = text.replace('_', "");
            match (integer(&digits), is_decimal(&digits)) {
                (Some(integer), _) => Value::Number(integer),
                (None, true) => Value::Number(digits.parse().ok().and_then(Number::from_f64).ok_or(NOT_FINITE)?),
                (None, false) => Value::String(text.to_owned()),
            }
        }
        _ => Value::String(text.to_owned()),
    })
}

/// An integer that JSON's numbers hold.
fn integer(text: &str) -> Option<Number> {
    match text.strip_prefix('-') {
        Some(digits) => Some(0_i64.checked_sub_unsigned(magnitude(digits)?)?.into()),
        None => Some(magnitude(text.strip_prefix('+').unwrap_or(text))?.into()),
    }
}

/// An integer without sign, in base 2, 8, 10 or 16 by its prefix; a leading zero is octal.
fn magnitude(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

/// Digits with a sign, at most one point, and an exponent: `1`, `-1.`, `.5`, `1e3`, `1.5E-7`.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && (!whole.is_empty() || !fraction.is_empty()) && exponent_fits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::node::Node;

    fn json(text: &str) -> serde_json::Value {
        Node {
            span: crate::source::Span::default(),
            value: plain(text).unwrap(),
        }
        .to_json()
    }

    #[test]
    fn reads_what_kubectl_reads() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("10", json!(10)),
            ("-7", json!(-7)),
            ("+7", json!(7)),
            ("010", json!(8)),
            ("08", json!(8.0)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("0o17", json!(15)),
            ("1_000", json!(1000)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("12:30", json!("12:30")),
            ("2001-01-01", json!("2001-01-01")),
            ("10Gi", json!("10Gi")),
            ("10.0.0.0/8", json!("10.0.0.0/8")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            ("+", json!("+")),
            (".", json!(".")),
            ("0x", json!("0x")),
            ("1e", json!("1e")),
            ("0x-1", json!("0x-1")),
            ("-é", json!("-é")),
        ] {
            assert_eq!(json(text), expected, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_json_cannot_say() {
        for text in [".inf", "-.Inf", ".NaN", "1e999"] {
            assert!(plain(text).is_err(), "{text:?}");
        }
    }
}
