//! In which zone a volume is made.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::nodes::{DISK_ZONE, EBS_ZONE, ZONE};
use crate::object::{list, text};

/// The zones that a class allows; `None` for all.
pub(crate) fn zones_of(class: &Value) -> Option<Vec<String>> {
    let parameter = |key: &str| text(&class["parameters"], &format!("/{key}"));
    let in_tree = parameter("zone").split(',').chain(parameter("zones").split(','));
    let mut zones: Vec<String> = in_tree
        .map(str::trim)
        .filter(|zone| !zone.is_empty())
        .map(str::to_owned)
        .collect();
    for term in list(class, "/allowedTopologies") {
        for expression in list(term, "/matchLabelExpressions") {
            if matches!(
                text(expression, "/key"),
                ZONE | EBS_ZONE | DISK_ZONE | "failure-domain.beta.kubernetes.io/zone"
            ) {
                zones.extend(
                    list(expression, "/values")
                        .iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned),
                );
            }
        }
    }
    zones.sort_unstable();
    zones.dedup();
    (!zones.is_empty()).then_some(zones)
}

/// The zone for a claim that no node was chosen for. The claims of a StatefulSet go around the zones by their ordinal.
pub(super) fn spread<'a>(claim: &str, zones: &'a [String]) -> Option<&'a String> {
    let (front, ordinal) = claim
        .rsplit_once('-')
        .and_then(|(front, last)| Some((front, last.parse::<usize>().ok()?)))
        .unwrap_or((claim, 0));
    let hash = usize::from(Sha256::digest(front)[0]);
    zones.get((hash.wrapping_add(ordinal)) % zones.len().max(1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sets_claims_go_around_the_zones() {
        let zones = ["a", "b", "c"].map(str::to_owned);
        let mut chosen: Vec<_> = (0..3)
            .map(|n| spread(&format!("data-web-{n}"), &zones).unwrap().clone())
            .collect();
        assert_eq!(spread("data-web-3", &zones), spread("data-web-0", &zones));
        chosen.sort();
        assert_eq!(chosen, zones);
        assert_eq!(spread("data", &[]), None);
    }

    #[test]
    fn allowed_zones_of_either_form() {
        let csi =
            json!({"allowedTopologies": [{"matchLabelExpressions": [{"key": EBS_ZONE, "values": ["z2", "z1"]}]}]});
        assert_eq!(zones_of(&csi), Some(vec!["z1".to_owned(), "z2".to_owned()]));
        assert_eq!(
            zones_of(&json!({"parameters": {"zones": "z1, z3"}})),
            Some(vec!["z1".to_owned(), "z3".to_owned()])
        );
        assert_eq!(zones_of(&json!({})), None);
    }
}
