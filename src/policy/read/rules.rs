//! What a run may do: `grace`, `caps`, `snapshotFirst`, `protect`, `staleAfter`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use moorline_api::VolumeSort;
use moorline_gc::leftovers::Grace as LeftoverGrace;
use moorline_gc::policy::{Caps, Grace, Protect};
use moorline_yaml::Node;
use moorline_yaml::words::{label_value, not_blank, qualified_name, quote};

use super::{Reader, join};
use crate::duration::{self, shown};

/// Between these a listing can be stale: less is over before a large account is read.
const STALE: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_hours(24)];

impl Reader<'_> {
    pub(super) fn grace(&mut self, document: &Node) -> (Grace, LeftoverGrace) {
        let (mut grace, mut leftovers) = (Grace::default(), LeftoverGrace::default());
        let Some(block) = document.get("grace") else {
            return (grace, leftovers);
        };
        let fields = [
            ("leftBehind", &mut grace.left_behind),
            ("released", &mut grace.released),
            ("orphan", &mut grace.orphan),
            ("loadBalancer", &mut leftovers.load_balancer),
            ("storageAccount", &mut leftovers.storage_account),
        ];
        for (key, field) in fields {
            let Some((wait, span)) = self.duration(block, "grace", key) else {
                continue;
            };
            if wait.is_zero() {
                let cause = format!("grace.{key} is 0: the run after the one that first saw a thing unused deletes it");
                self.warning(span, cause, "give people time to notice: 7d");
            }
            *field = wait;
        }
        (grace, leftovers)
    }

    pub(super) fn caps(&mut self, document: &Node) -> Caps {
        let Some(block) = document.get("caps") else {
            return Caps::default();
        };
        Caps {
            count: self.whole(block, "count").and_then(|number| number.try_into().ok()),
            percent: self.whole(block, "percent").and_then(|number| number.try_into().ok()),
            gib: self.whole(block, "gib").and_then(|number| number.try_into().ok()),
            monthly: self.money(block),
        }
    }

    fn whole(&mut self, block: &Node, key: &str) -> Option<i64> {
        let node = self.given(block, key, "caps")?;
        let number = node.as_i64()?;
        // What the shape has refused with its range already.
        if number >= 1 || key == "percent" {
            return Some(number);
        }
        let cure = "write 1 or more; to delete nothing, run without --apply";
        self.error(
            node.span,
            format!("caps.{key} cannot be {number}: nothing could go"),
            cure,
        );
        None
    }

    fn money(&mut self, block: &Node) -> Option<f64> {
        let node = self.given(block, "monthly", "caps")?;
        let amount = node.as_f64()?;
        if amount > 0.0 {
            return Some(amount);
        }
        let cure = "write US dollars, more than 0; to delete nothing, run without --apply";
        self.error(
            node.span,
            format!("caps.monthly cannot be {amount}: nothing could go"),
            cure,
        );
        None
    }

    pub(super) fn snapshot_first(&mut self, document: &Node) -> BTreeMap<VolumeSort, SignedDuration> {
        let mut first = BTreeMap::new();
        for entry in document.entries_at(&["snapshotFirst"]) {
            let what = join("snapshotFirst", &entry.key);
            let sort = match &*entry.key {
                "disk" => VolumeSort::Disk,
                "share" => VolumeSort::Share,
                "container" => {
                    let cure = "remove it; containers come back where their storage account keeps deleted ones (container soft \
                                delete), and protect: keeps them";
                    self.error(
                        entry.key_span,
                        "snapshotFirst.container: Azure has no snapshots of containers",
                        cure,
                    );
                    continue;
                }
                other => {
                    let cause = format!("{what} is unknown: no sort of volume is called {}", quote(other));
                    self.error(entry.key_span, cause, "use disk or share");
                    continue;
                }
            };
            if entry.value.is_null() {
                let cause = format!("{what} is given no value");
                self.error(entry.key_span, cause, "say how long snapshots are kept: 30d");
            }
            match self.duration_of(&entry.value, &what) {
                Some((keep, span)) if keep.is_zero() => {
                    let cause = format!("{what} cannot be 0: the snapshot would expire at once");
                    self.error(span, cause, "say how long snapshots are kept: 30d");
                }
                Some((keep, _)) => {
                    first.insert(sort, keep);
                }
                None => {}
            }
        }
        first
    }

    pub(super) fn stale_after(&mut self, document: &Node) -> Option<SignedDuration> {
        let (stale_after, span) = self.duration(document, "", "staleAfter")?;
        let [least, most] = STALE;
        if (least..=most).contains(&stale_after) {
            return Some(stale_after);
        }
        let cause = format!("staleAfter is out of range: {}", duration::shown(stale_after));
        self.error(span, cause, format!("use {} to {}", shown(least), shown(most)));
        None
    }

    pub(super) fn protect(&mut self, document: &Node) -> Protect {
        let Some(block) = document.get("protect") else {
            return Protect::default();
        };
        let names = self.texts(
            block,
            ("protect", "names"),
            pattern,
            "write a name, or part of one with *: db-*",
        );
        let namespaces = self.texts(
            block,
            ("protect", "namespaces"),
            namespace,
            "write a namespace, or part of one with *: prod-*",
        );
        for (key, patterns) in [("names", &names), ("namespaces", &namespaces)] {
            for (_, span) in patterns
                .iter()
                .filter(|(text, _)| text.bytes().all(|byte| byte == b'*'))
            {
                let cause = format!("protect.{key} has *: nothing at all is ever deleted");
                self.warning(*span, cause, "remove it, or name what is to be kept");
            }
        }
        let texts = |patterns: Vec<(String, _)>| patterns.into_iter().map(|(text, _)| text).collect();
        Protect {
            names: texts(names),
            tags: self.pairs(block, "tags", tag_key, tag_value),
            namespaces: texts(namespaces),
            labels: self.pairs(block, "labels", qualified_name, label_value),
        }
    }

    /// Keys with values; a key without one stands for any value.
    fn pairs(
        &mut self,
        block: &Node,
        what: &str,
        key_problem: impl Fn(&str) -> Result<(), String>,
        value_problem: impl Fn(&str) -> Result<(), String>,
    ) -> BTreeMap<String, Option<String>> {
        let mut pairs = BTreeMap::new();
        for entry in block.entries_at(&[what]) {
            let path = format!("protect.{what}");
            if let Err(why) = key_problem(&entry.key) {
                let cause = format!("{path} cannot have the key {}: {why}", quote(&entry.key));
                self.error(entry.key_span, cause, "write the key as it stands on the thing");
                continue;
            }
            let value = entry.value.as_str();
            if let Some((value, why)) = value.and_then(|value| Some((value, no_star(value, &value_problem).err()?))) {
                let cause = format!("{path}.{} cannot be {}: {why}", entry.key, quote(value));
                let cure = "write the value as it stands on the thing, or none for any";
                self.error(entry.value.span, cause, cure);
            }
            pairs.insert(entry.key.clone(), value.map(str::to_owned));
        }
        pairs
    }
}

/// A value is compared as it is: a star in it would protect nothing.
fn no_star(value: &str, problem: impl Fn(&str) -> Result<(), String>) -> Result<(), String> {
    if value.contains('*') {
        return Err("* has no meaning in values".to_owned());
    }
    problem(value)
}

/// A name of anything, with `*` for anything. What no name has would protect nothing.
fn pattern(text: &str) -> Result<(), String> {
    not_blank(text)?;
    let odd = |c: &char| c.is_whitespace() || c.is_control() || "?[]{}^$|+\\\"'<>".contains(*c);
    match text.chars().find(odd) {
        Some(odd) => Err(format!("no name has {odd:?}; only * stands for anything")),
        None => Ok(()),
    }
}

fn namespace(text: &str) -> Result<(), String> {
    not_blank(text)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '*');
    match text.chars().find(|c| !allowed(*c)) {
        Some(odd) => Err(format!("no namespace has {odd:?}; only * stands for anything")),
        None => Ok(()),
    }
}

fn tag_key(text: &str) -> Result<(), String> {
    not_blank(text)?;
    match text.chars().count() {
        _ if text.contains('*') => Err("* has no meaning in keys".to_owned()),
        1..=512 => Ok(()),
        length => Err(format!(
            "it has {length} characters; no cloud has tags of more than 512"
        )),
    }
}

fn tag_value(text: &str) -> Result<(), String> {
    match text.chars().count() {
        0..=256 => Ok(()),
        length => Err(format!(
            "it has {length} characters; no cloud has values of more than 256"
        )),
    }
}
