//! How much one run would delete, against how much it may.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::policy::Caps;

/// Volumes, or other things, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// GiB.
    pub gib: u64,
    /// US dollars a month, of those whose price is known.
    pub monthly: f64,
}

impl Sum {
    /// One more.
    pub fn add(&mut self, gib: u32, monthly: Option<f64>) {
        self.count += 1;
        self.gib += u64::from(gib);
        self.monthly += monthly.unwrap_or(0.0);
    }
}

/// A cap that a run would exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum Exceeded {
    /// Too many.
    #[error("{count} deletions would be made, and the policy allows {allowed} a run")]
    Count {
        /// How many there would be.
        count: u64,
        /// How many there may be.
        allowed: u64,
    },
    /// Too large a part of all.
    #[error("{count} of {all} volumes would be deleted, and the policy allows {allowed} per cent a run")]
    Percent {
        /// How many there would be.
        count: u64,
        /// How many were seen in all.
        all: u64,
        /// Per cent that there may be.
        allowed: u32,
    },
    /// Too much space.
    #[error("{gib} GiB would be deleted, and the policy allows {allowed} GiB a run")]
    Gib {
        /// How much there would be.
        gib: u64,
        /// How much there may be.
        allowed: u64,
    },
    /// Too much money: a sign that something is wrong, as nobody forgets that much.
    #[error("what costs {monthly:.2} US dollars a month would be deleted, and the policy allows {allowed:.2} a run")]
    Monthly {
        /// How much there would be.
        monthly: f64,
        /// How much there may be.
        allowed: f64,
    },
}

impl Caps {
    /// Every cap that deleting `sum` of `all` volumes would exceed.
    pub fn exceeded(&self, sum: &Sum, all: u64) -> Vec<Exceeded> {
        let Sum { count, gib, monthly } = *sum;
        let too_many = self.count.filter(|allowed| count > *allowed);
        let percent = u64::from(self.percent.unwrap_or(100));
        let too_large_a_part = count.saturating_mul(100) > percent.saturating_mul(all);
        let too_much = self.gib.filter(|allowed| gib > *allowed);
        // Not a number is no amount that anybody allowed.
        let too_dear = self
            .monthly
            .filter(|allowed| monthly.partial_cmp(allowed).is_none_or(Ordering::is_gt));
        [
            too_many.map(|allowed| Exceeded::Count { count, allowed }),
            too_large_a_part.then_some(Exceeded::Percent {
                count,
                all,
                allowed: self.percent.unwrap_or(100),
            }),
            too_much.map(|allowed| Exceeded::Gib { gib, allowed }),
            too_dear.map(|allowed| Exceeded::Monthly { monthly, allowed }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps() -> Caps {
        Caps {
            count: Some(10),
            percent: Some(5),
            gib: Some(100),
            monthly: Some(50.0),
        }
    }

    fn sum(count: u64, gib: u64, monthly: f64) -> Sum {
        Sum { count, gib, monthly }
    }

    #[test]
    fn what_just_fits_is_allowed() {
        assert_eq!(caps().exceeded(&sum(10, 100, 50.0), 200), []);
        assert_eq!(caps().exceeded(&sum(0, 0, 0.0), 0), []);
        assert_eq!(Caps::default().exceeded(&sum(1_000_000, u64::MAX, 1e12), 1_000_000), []);
    }

    #[test]
    fn each_cap_holds_by_itself() {
        let one = |sum: Sum, all| {
            let exceeded = caps().exceeded(&sum, all);
            assert_eq!(exceeded.len(), 1, "{exceeded:?}");
            exceeded[0].to_string()
        };
        assert!(one(sum(11, 0, 0.0), 1000).contains("allows 10 a run"));
        assert!(one(sum(6, 0, 0.0), 119).contains("5 per cent"));
        assert!(one(sum(1, 101, 0.0), 1000).contains("100 GiB"));
        assert!(one(sum(1, 1, 50.01), 1000).contains("50.00"));
        assert!(one(sum(1, 1, f64::NAN), 1000).contains("50.00"));
    }
}
