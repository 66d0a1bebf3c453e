//! Sizes for people.

/// Units of 1024, as `df -h` has them.
const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];

/// As `df -h` prints it: `0`, `512`, `1.0K`, `45M`, `1.5G`; one decimal below ten, and rounded up, so that what is full never
/// looks less so.
pub(super) fn short(bytes: u64) -> String {
    let Some((unit, scale)) = unit_of(bytes) else {
        return bytes.to_string();
    };
    let (bytes, scale) = (u128::from(bytes), u128::from(scale));
    let tenths = (bytes * 10).div_ceil(scale);
    if tenths < 100 {
        return format!("{}.{}{unit}", tenths / 10, tenths % 10);
    }
    match bytes.div_ceil(scale) {
        // Rounded up to the next unit.
        1024 => next(unit).map_or_else(|| format!("1024{unit}"), |next| format!("1.0{next}")),
        whole => format!("{whole}{unit}"),
    }
}

/// The same with the whole unit: `0B`, `45MiB`.
pub(super) fn long(bytes: u64) -> String {
    let short = short(bytes);
    let unit = if short.ends_with(UNITS) { "iB" } else { "B" };
    short + unit
}

/// The largest unit that the size fills, and its bytes.
fn unit_of(bytes: u64) -> Option<(char, u64)> {
    let power = bytes.checked_ilog2()? / 10;
    let unit = UNITS.get(usize::try_from(power).ok()?.checked_sub(1)?)?;
    Some((*unit, 1 << (10 * power)))
}

fn next(unit: char) -> Option<char> {
    let at = UNITS.iter().position(|&known| known == unit)?;
    UNITS.get(at + 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_df_prints_them() {
        for (bytes, expected) in [
            (0, "0"),
            (1, "1"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10 * 1024 - 1, "10K"),
            (10 * 1024, "10K"),
            (10 * 1024 + 1, "11K"),
            ((1 << 20) - 1, "1.0M"),
            (45 << 20, "45M"),
            (1 << 30, "1.0G"),
            ((1 << 30) - 65536, "1.0G"),
            (3 << 29, "1.5G"),
            (100 << 40, "100T"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(short(bytes), expected, "{bytes}");
        }
        assert_eq!([0, 7, 45 << 20].map(long), ["0B", "7B", "45MiB"]);
    }
}
