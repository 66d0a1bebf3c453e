//! How a run works: `store`, `lock`, `prices`, `concurrency`.

use std::time::Duration;

use jiff::SignedDuration;
use moorline_api::{CloudName, places};
use moorline_prices::{Overrides, PriceError};
use moorline_store::Location;
use moorline_yaml::diagnostic::Diagnostic;
use moorline_yaml::words::{nearest, quote, region};
use moorline_yaml::{Entry, Node};

use super::Reader;
use crate::duration::shown;
use crate::model::LockTerms;

/// Between these a lock can be held without renewal, and clocks be wrong.
const SPANS: [SignedDuration; 2] = [SignedDuration::from_secs(1), SignedDuration::from_hours(1)];
const MARGINS: [SignedDuration; 2] = [SignedDuration::ZERO, SignedDuration::from_mins(10)];

impl Reader<'_> {
    pub(super) fn store(&mut self, document: &Node) -> Option<Location> {
        let node = self.given(document, "store", "")?;
        let text = node.as_str()?;
        let (cause, cure) = match text.parse() {
            Ok(Location::Folder(folder)) if text.contains("://") => return Some(Location::Folder(folder)),
            Ok(Location::Folder(_)) => match self.path(text) {
                Ok(folder) => return Some(Location::Folder(folder)),
                Err((why, cure)) => (format!("store is no folder: {why}"), cure),
            },
            Ok(location) => return Some(location),
            Err(error) => {
                let cure = "write a folder, s3://bucket/prefix, or azblob://account/container/prefix";
                (error.to_string(), cure.to_owned())
            }
        };
        let mut place = self.source.locate(node.span);
        // There may be a secret in it.
        place.snippet = None;
        self.findings.add(Diagnostic::new(place, cause, cure));
        None
    }

    pub(super) fn lock(&mut self, document: &Node) -> LockTerms {
        let mut terms = LockTerms::default();
        let Some(block) = document.get("lock") else {
            return terms;
        };
        let fields = [("span", &mut terms.span, SPANS), ("margin", &mut terms.margin, MARGINS)];
        for (key, field, [least, most]) in fields {
            let Some((duration, span)) = self.duration(block, "lock", key) else {
                continue;
            };
            if (least..=most).contains(&duration) {
                *field = duration.unsigned_abs();
            } else {
                let cause = format!("lock.{key} is out of range: {}", shown(duration));
                self.error(span, cause, format!("use {} to {}", shown(least), shown(most)));
            }
        }
        if terms.span <= terms.margin * 2 {
            let place = block.place(&[if block.get("margin").is_some() {
                "margin"
            } else {
                "span"
            }]);
            let show = |duration: Duration| SignedDuration::try_from(duration).map(shown).unwrap_or_default();
            let (span, margin) = (show(terms.span), show(terms.margin));
            let cause = format!(
                "lock.span is {span}, which is not more than twice lock.margin, {margin}: nothing is left of it"
            );
            self.error(place, cause, "make span longer, or margin shorter");
        }
        terms
    }

    pub(super) fn prices(&mut self, document: &Node) -> Overrides {
        let mut overrides = Overrides::none();
        for cloud in [CloudName::Aws, CloudName::Azure] {
            for of_region in document.entries_at(&["prices", cloud.key()]) {
                let path = format!("prices.{}", cloud.key());
                if let Err((why, cure)) = region_problem(cloud, &of_region.key) {
                    let cause = format!("{path} cannot have the region {}: {why}", quote(&of_region.key));
                    self.error(of_region.key_span, cause, cure);
                }
                for item in of_region.value.entries() {
                    // What nobody will be shown needs no advice.
                    if self.findings.is_full() {
                        return overrides;
                    }
                    let path = format!("{path}.{}", of_region.key);
                    self.price(cloud, &path, (&of_region.key, item), &mut overrides);
                }
            }
        }
        overrides
    }

    fn price(&mut self, cloud: CloudName, path: &str, (region, item): (&str, &Entry), overrides: &mut Overrides) {
        if item.value.is_null() {
            let cause = format!("{path}.{} is given no value", item.key);
            self.error(item.key_span, cause, "give it one, or remove the line");
        }
        // What is no number has been refused; its name may still be wrong.
        let price = item.value.as_f64().unwrap_or_default();
        match overrides.insert(cloud, region, &item.key, price) {
            Ok(()) => {}
            Err(PriceError::NoPrice) => {
                let cause = format!("{path}.{} cannot be {price}: a price is 0 or more", item.key);
                self.error(item.value.span, cause, "write US dollars, such as 0.08");
            }
            Err(PriceError::Unknown { .. }) => {
                let cause = format!(
                    "{path} has {}, and nothing of {cloud} is priced by that name",
                    quote(&item.key)
                );
                self.error(item.key_span, cause, price_cure(cloud, &item.key));
            }
        }
    }

    pub(super) fn concurrency(&mut self, document: &Node) -> Option<usize> {
        let node = self.given(document, "concurrency", "")?;
        node.as_i64()?.try_into().ok()
    }
}

fn price_cure(cloud: CloudName, item: &str) -> String {
    let items = moorline_prices::items(cloud);
    if let Some(nearest) = nearest(item, items.iter().map(String::as_str)) {
        return format!("did you mean {nearest}?");
    }
    let some: Vec<_> = items.iter().take(6).map(String::as_str).collect();
    format!("use one of {} …; docs/policy.md has all", some.join(", "))
}

fn region_problem(cloud: CloudName, text: &str) -> Result<(), (String, String)> {
    match cloud {
        CloudName::Aws => region(text).map_err(|why| (why, "use a region such as us-east-1".to_owned())),
        CloudName::Azure => match places::location_name(text) {
            Some(name) if name == text => Ok(()),
            Some(name) => Err((
                "that is what Azure shows, and no location's name".to_owned(),
                format!("write {name}"),
            )),
            None => {
                let cure = "use a name of: az account list-locations --query [].name".to_owned();
                Err(("it is no location".to_owned(), cure))
            }
        },
    }
}
