//! Zones that a class allows.

use moorline_api::{FieldPath, FieldProblem, StorageClass};
use serde_json::Value;

use crate::parameters;

/// Node labels that name a zone: the current one, the CSI driver's own, and the one before Kubernetes 1.17.
const ZONE_KEYS: [&str; 3] = [
    "topology.kubernetes.io/zone",
    "topology.ebs.csi.aws.com/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// The zones that a class allows, in its order; `None` where it allows all.
pub(crate) fn zones(
    class: &StorageClass,
    by_parameter: Option<&(String, Vec<String>)>,
    known: Option<&[String]>,
) -> Result<Option<Vec<String>>, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    if let Some((key, _)) = by_parameter.filter(|_| !class.allowed_topologies.is_empty()) {
        problems.push(parameters::problem(
            key,
            format!("{key} and allowedTopologies exclude each other"),
            "keep allowedTopologies",
        ));
    }
    let mut allowed = Vec::new();
    if let Some((key, zones)) = by_parameter {
        for zone in zones {
            check_zone(zone, known, parameters::at(key), &mut problems);
            push_new(&mut allowed, zone);
        }
    }
    for (index, term) in class.allowed_topologies.iter().enumerate() {
        for zone in zones_of_term(term, index, known, &mut problems) {
            push_new(&mut allowed, &zone);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok((!allowed.is_empty()).then_some(allowed))
}

fn push_new(zones: &mut Vec<String>, zone: &str) {
    if !zones.iter().any(|known| known == zone) {
        zones.push(zone.to_owned());
    }
}

/// Terms are alternatives; the expressions of one term hold all at once.
fn zones_of_term(
    term: &Value,
    index: usize,
    known: Option<&[String]>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<String> {
    let here = |rest: &[&str]| {
        let path = [
            "allowedTopologies".to_owned(),
            index.to_string(),
            "matchLabelExpressions".to_owned(),
        ];
        FieldPath::Class(
            path.into_iter()
                .chain(rest.iter().map(|&part| part.to_owned()))
                .collect(),
        )
    };
    let expressions = term
        .get("matchLabelExpressions")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut allowed: Option<Vec<String>> = None;
    let before = problems.len();
    for (position, expression) in expressions.iter().enumerate() {
        let position = position.to_string();
        let key = expression.get("key").and_then(Value::as_str).unwrap_or_default();
        if !ZONE_KEYS.contains(&key) {
            problems.push(FieldProblem {
                field: here(&[&position, "key"]),
                cause: format!("EBS volumes cannot be placed by {key:?}"),
                cure: format!("use key {}", ZONE_KEYS[0]),
            });
            continue;
        }
        let values = expression
            .get("values")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        for (nth, zone) in values.iter().enumerate() {
            check_zone(zone, known, here(&[&position, "values", &nth.to_string()]), problems);
        }
        allowed = Some(match allowed {
            None => values.iter().map(|&zone| zone.to_owned()).collect(),
            Some(before) => before
                .into_iter()
                .filter(|zone| values.contains(&zone.as_str()))
                .collect(),
        });
    }
    let allowed = allowed.unwrap_or_default();
    if allowed.is_empty() && problems.len() == before {
        problems.push(FieldProblem {
            field: here(&[]),
            cause: "no zone satisfies this term".to_owned(),
            cure: format!("give one expression with key {} and the zones as values", ZONE_KEYS[0]),
        });
    }
    allowed
}

fn check_zone(zone: &str, known: Option<&[String]>, field: FieldPath, problems: &mut Vec<FieldProblem>) {
    let Some(known) = known.filter(|known| !known.iter().any(|known| known == zone)) else {
        return;
    };
    let cause = format!("zone {zone:?} is not in this region");
    problems.push(FieldProblem {
        field,
        cause,
        cure: format!("use one of {}", known.join(", ")),
    });
}
