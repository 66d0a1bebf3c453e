//! Kubernetes quantities, as far as storage needs them.

/// Bytes of a quantity such as `10Gi`, `50Mi`, `1e9`, `1.5G`; rounded up. `None` where it is not one, negative, or over 2^63.
pub fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '+' || c == '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor: (u64, u64) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: u32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            (10_u64.checked_pow(power)?, 1)
        }
    };
    decimal_times(number, factor)
}

/// `number * numerator / denominator` in whole units, rounded up, without floating point.
fn decimal_times(number: &str, (numerator, denominator): (u64, u64)) -> Option<u64> {
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let value = digits.checked_mul(numerator.into())?;
    let value = value.div_ceil(scale.checked_mul(denominator.into())?);
    u64::try_from(value).ok().filter(|value| i64::try_from(*value).is_ok())
}

/// Whole GiB that hold `bytes`, at least 1.
pub fn gib_rounded_up(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_reads() {
        for (text, expected) in [
            ("10Gi", Some(10 << 30)),
            ("50Mi", Some(50 << 20)),
            ("1.5Gi", Some(3 << 29)),
            ("1e3", Some(1000)),
            ("2E", Some(2_000_000_000_000_000_000)),
            ("0.1", Some(1)),
            ("100m", Some(1)),
            ("+5k", Some(5000)),
            ("-1", None),
            ("", None),
            (".", None),
            ("Gi", None),
            ("10GB", None),
            ("10 Gi", None),
            ("16Ei", None),
            ("1e99", None),
        ] {
            assert_eq!(bytes(text), expected, "{text:?}");
        }
    }

    #[test]
    fn rounds_up_to_whole_gib() {
        assert_eq!(gib_rounded_up(50 << 20), 1);
        assert_eq!(gib_rounded_up(10 << 30), 10);
        assert_eq!(gib_rounded_up((10 << 30) + 1), 11);
        assert_eq!(gib_rounded_up(0), 1);
    }
}
