//! Sizes: `10Gi`, `5G`, `1073741824`.

/// How many bytes a storage quantity is, rounded up; `None` when it is none.
pub(crate) fn bytes(quantity: &str) -> Option<u64> {
    let split = quantity
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(split);
    let unit: u128 = match suffix {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        exponent => 10_u128.checked_pow(exponent.strip_prefix(['e', 'E'])?.parse().ok()?)?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    u64::try_from(digits.checked_mul(unit)?.div_ceil(scale)).ok()
}

/// How many whole GiB hold a storage quantity.
pub(crate) fn gib(quantity: &str) -> Option<u64> {
    bytes(quantity).map(|bytes| bytes.div_ceil(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_rounded_up() {
        assert_eq!(bytes("10Gi"), Some(10 << 30));
        assert_eq!(bytes("1.5Ki"), Some(1536));
        assert_eq!(bytes("5G"), Some(5_000_000_000));
        assert_eq!(bytes("1e3"), Some(1000));
        assert_eq!((gib("10Gi"), gib("5G"), gib("1")), (Some(10), Some(5), Some(1)));
        assert_eq!(
            (bytes(""), bytes("Gi"), bytes("ten"), bytes("-1Gi")),
            (None, None, None, None)
        );
    }
}
