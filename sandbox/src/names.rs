//! The names of the clusters.

use serde::{Deserialize, Serialize};

/// The first cluster, which is always there.
pub const FIRST_CLUSTER: &str = "moorline-sandbox";

/// The most clusters of a sandbox.
const MOST: usize = 8;

/// The most letters of a name.
const LONGEST: usize = 40;

/// The clusters of a sandbox, by the names of their contexts: [`FIRST_CLUSTER`], and up to seven more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ClusterNames(Vec<String>);

/// Why names are not those of clusters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongNames {
    /// The first is missing.
    #[error("the first cluster is always {FIRST_CLUSTER:?}; name it first")]
    First,
    /// Too many.
    #[error("{0} clusters are too many; {MOST} are the most")]
    TooMany(usize),
    /// Not a name.
    #[error(
        "{0:?} does not name a cluster; use up to {LONGEST} of a-z, 0-9 and -, beginning and ending with a letter or digit"
    )]
    Malformed(String),
    /// Twice.
    #[error("two clusters are named {0:?}")]
    Twice(String),
}

impl ClusterNames {
    /// Those of clusters that run, which were checked when they were started.
    pub(crate) fn of_running(names: Vec<String>) -> Self {
        Self(names)
    }

    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for ClusterNames {
    fn default() -> Self {
        Self(vec![FIRST_CLUSTER.to_owned()])
    }
}

impl TryFrom<Vec<String>> for ClusterNames {
    type Error = WrongNames;

    fn try_from(names: Vec<String>) -> Result<Self, WrongNames> {
        if names.first().is_none_or(|first| first != FIRST_CLUSTER) {
            return Err(WrongNames::First);
        }
        if names.len() > MOST {
            return Err(WrongNames::TooMany(names.len()));
        }
        for (index, name) in names.iter().enumerate() {
            if !is_name(name) {
                return Err(WrongNames::Malformed(name.clone()));
            }
            if names.iter().take(index).any(|other| other == name) {
                return Err(WrongNames::Twice(name.clone()));
            }
        }
        Ok(Self(names))
    }
}

impl From<ClusterNames> for Vec<String> {
    fn from(names: ClusterNames) -> Self {
        names.0
    }
}

fn is_name(name: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_inner = |byte: u8| is_end(Some(byte)) || byte == b'-';
    name.len() <= LONGEST && is_end(name.bytes().next()) && is_end(name.bytes().last()) && name.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Result<ClusterNames, WrongNames> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        ClusterNames::try_from(names)
    }

    #[test]
    fn the_first_is_there_and_none_is_there_twice() {
        assert!(named(&[FIRST_CLUSTER, "b", "c-2"]).is_ok());
        assert_eq!(named(&[]), Err(WrongNames::First));
        assert_eq!(named(&["b"]), Err(WrongNames::First));
        assert_eq!(
            named(&[FIRST_CLUSTER, "b", "b"]),
            Err(WrongNames::Twice("b".to_owned()))
        );
        let many = [FIRST_CLUSTER, "a", "b", "c", "d", "e", "f", "g", "h"];
        assert!(named(&many[..8]).is_ok());
        assert_eq!(named(&many), Err(WrongNames::TooMany(9)));
    }

    #[test]
    fn names_are_good_in_paths_kubeconfigs_and_fault_rules() {
        for bad in ["", "-", "a-", "-a", "A", "a/b", "a b", "a_b", "ä", &"x".repeat(41)] {
            assert_eq!(
                named(&[FIRST_CLUSTER, bad]),
                Err(WrongNames::Malformed(bad.to_owned())),
                "{bad}"
            );
        }
    }
}
