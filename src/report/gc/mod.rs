//! Garbage collection for people: what is unused, why, what it costs, and what became of it.

mod explain;
mod history;
mod reasoned;
mod run;
mod sums;
mod tagging;

use moorline_gc::caps::Sum;

pub(crate) use explain::explanations;
pub(crate) use history::{history, past_run};
pub(crate) use run::report;
pub(crate) use tagging::{protected, unmarked};

/// The rows of a table that is not `wide`: what does not fit on a few screens nobody reads.
const ROWS: usize = 100;

/// US dollars a month; a dash where no price is known.
fn money(monthly: Option<f64>) -> String {
    monthly.map_or_else(|| "-".to_owned(), |monthly| format!("{monthly:.2}"))
}

fn size(gib: impl std::fmt::Display) -> String {
    format!("{gib}GiB")
}

/// `3 volumes (30 GiB, $2.40 a month)`.
fn sum(sum: &Sum, what: &str) -> String {
    let Sum { gib, monthly, .. } = sum;
    format!(
        "{} ({} GiB, ${monthly:.2} a month)",
        counted(sum.count, what),
        grouped(*gib)
    )
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{} {what}s", grouped(count))
    }
}

/// A number with its thousands apart: `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod numbers {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "volume"), "1 volume");
        assert_eq!(counted(1200, "volume"), "1,200 volumes");
    }
}
