//! Claims and claim templates: what they ask for, of which class, under which name.

use std::collections::{HashMap, HashSet};

use moorline_api::{ClaimShape, FieldPath, FieldProblem, Object, StorageClass, quantity};

use super::Checker;
use crate::manifests::Item;
use crate::model::ClassRef;
use crate::resolve;
use moorline_yaml::diagnostic::Diagnostic;
use moorline_yaml::source::Span;
use moorline_yaml::words::{dns_label, dns_subdomain, nearest, quote};
use moorline_yaml::{Node, Value};

const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"];
const VOLUME_MODES: [&str; 2] = ["Filesystem", "Block"];

/// Fields of a claim's spec that choose a volume, which moorline makes itself.
const CHOOSING: &[(&str, &str)] = &[
    ("volumeName", "moorline makes the volume and names it here itself"),
    ("selector", "moorline makes the volume; there is none to select"),
    ("dataSource", "moorline makes empty volumes"),
    ("dataSourceRef", "moorline makes empty volumes"),
    (
        "volumeAttributesClassName",
        "moorline does not apply VolumeAttributesClasses",
    ),
];

impl Checker<'_> {
    pub(super) fn standalone_claim(&mut self, item: &Item) {
        self.claim(item, &item.node);
    }

    pub(super) fn claim_templates(&mut self, item: &Item) {
        let mut names = HashMap::new();
        for template in item.node.items_at(&["spec", "volumeClaimTemplates"]) {
            let name = template
                .at(&["metadata", "name"])
                .and_then(|node| Some((node.span, node.as_str()?)));
            let Some((at, name)) = name.filter(|(_, name)| !name.is_empty()) else {
                // Metadata that is missing altogether is reported with the shape.
                if template.get("metadata").is_none() {
                    continue;
                }
                let cause = "a claim template without a name";
                self.error(
                    item,
                    template.place(&["metadata", "name"]),
                    cause,
                    "add metadata: with name: below, as the volumeMounts call it",
                );
                continue;
            };
            if let Err(why) = dns_label(name) {
                let cause = format!("a claim template cannot be named {}: {why}", quote(name));
                self.error(
                    item,
                    at,
                    cause,
                    "shorten or rename it, also in volumeMounts: it names a volume of the pod",
                );
            }
            if let Some(first) = names.insert(name, at) {
                let diagnostic = Diagnostic::new(
                    item.source.locate(at),
                    format!("two claim templates are named {}", quote(name)),
                    "rename one of them, also in volumeMounts",
                );
                self.findings
                    .add(diagnostic.also(item.source.locate(first), "first given here"));
            }
            if let Some(namespace) = template.at(&["metadata", "namespace"]) {
                let cause = "a claim template has no namespace: claims go where the set is";
                self.error(item, namespace.span, cause, "remove it");
            }
            self.template_labels(item, template);
            self.claim(item, template);
        }
    }

    fn template_labels(&mut self, item: &Item, template: &Node) {
        // The labels of a template are checked as if it were an object of its own.
        let copy = Item {
            source: item.source.clone(),
            node: template.clone(),
            gvk: item.gvk.clone(),
            name: String::new(),
            namespace: None,
        };
        self.labels(&copy, &["metadata"]);
    }

    /// A claim or a template; `claim` has `metadata` and `spec`.
    fn claim(&mut self, item: &Item, claim: &Node) {
        let class = resolve::class_ref(claim);
        if let Some(node) = claim.at(&["metadata", "annotations", resolve::CLASS_ANNOTATION]) {
            let cause = "the annotation that names a class is obsolete";
            self.warning(item, node.span, cause, "use spec.storageClassName");
        }
        // Without a class, a volume that exists is what the claim is for.
        if class != ClassRef::None {
            for (field, why) in CHOOSING {
                if let Some(entry) = claim
                    .at(&["spec"])
                    .and_then(|spec| spec.entry(field))
                    .filter(|entry| !entry.value.is_null())
                {
                    let cause = format!("spec.{field} cannot be given: {why}");
                    let cure = "remove it, or write storageClassName: \"\" for a volume that exists already";
                    self.error(item, entry.key_span, cause, cure);
                }
            }
        }
        let mode = claim.str_at(&["spec", "volumeMode"]).unwrap_or("Filesystem");
        let whole = self.access_modes(item, claim) & self.storage(item, claim) & VOLUME_MODES.contains(&mode);
        if let ClassRef::Named(name) = &class {
            self.named_class(item, claim, name, whole);
        }
    }

    /// Whether the access modes can be read; unknown ones are reported with the claim's shape.
    fn access_modes(&mut self, item: &Item, claim: &Node) -> bool {
        let path = ["spec", "accessModes"];
        let modes = claim.items_at(&path);
        let Some(first) = modes.first() else {
            if claim
                .at(&path)
                .is_some_and(|modes| !matches!(modes.value, Value::List(_)))
            {
                return false;
            }
            let cause = "the claim has no access mode";
            self.error(
                item,
                claim.place(&path),
                cause,
                "add accessModes: [ReadWriteOnce] to its spec",
            );
            return false;
        };
        if modes.len() > 1 && modes.iter().any(|mode| mode.as_str() == Some("ReadWriteOncePod")) {
            let cause = "ReadWriteOncePod goes with no other access mode";
            self.error(item, first.span, cause, "keep one of them");
        }
        modes
            .iter()
            .all(|mode| mode.as_str().is_some_and(|mode| ACCESS_MODES.contains(&mode)))
    }

    fn storage(&mut self, item: &Item, claim: &Node) -> bool {
        let path = ["spec", "resources", "requests", "storage"];
        let Some(node) = claim.at(&path) else {
            let cause = "the claim does not say how much storage it wants";
            self.error(
                item,
                claim.place(&path),
                cause,
                "add resources: requests: storage: 10Gi to its spec",
            );
            return false;
        };
        let written = match &node.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return false,
        };
        let (cause, cure) = match quantity::bytes(&written) {
            Some(0) => (
                "the claim asks for no storage".to_owned(),
                "ask for at least 1Gi".to_owned(),
            ),
            Some(_) => return true,
            None if written.starts_with('-') => (
                format!("storage is negative: {}", quote(&written)),
                "write it like 10Gi".to_owned(),
            ),
            None => (
                format!("{} is no quantity", quote(&written)),
                format!("write it like {}", meant(&written)),
            ),
        };
        self.error(item, node.span, cause, cure);
        false
    }

    /// `whole` says that the claim itself can be read; only then is it measured against the class.
    fn named_class(&mut self, item: &Item, claim: &Node, name: &str, whole: bool) {
        let at = resolve::class_node(claim).map_or_else(|| claim.start(), |node| node.span);
        if let Err(why) = dns_subdomain(name) {
            let cause = format!("a StorageClass cannot be named {}: {why}", quote(name));
            return self.error(item, at, cause, "use the name of a StorageClass");
        }
        if let Some(class) = self.find("StorageClass", None, name) {
            if whole {
                self.placed(item, claim, class);
            }
            return;
        }
        if self.config.external_classes.iter().any(|external| external == name) {
            return;
        }
        let known = self
            .names("StorageClass", None)
            .into_iter()
            .chain(self.config.external_classes.iter().map(String::as_str));
        let near = nearest(name, known)
            .map(|near| format!("did you mean {near}? otherwise "))
            .unwrap_or_default();
        let cause = format!("StorageClass {} is not in this profile", quote(name));
        let cure = format!(
            "{near}add a manifest of it, or externalClasses: [{name}] to profile.yaml where the cluster has it"
        );
        self.error(item, at, cause, cure);
    }

    /// What the provider says to this claim of this class.
    fn placed(&mut self, item: &Item, claim: &Node, class: &Item) {
        let (Some(rules), Ok(object)) = (self.rules_of(class), Object::from_value(class.node.to_json())) else {
            return;
        };
        let Some(shape) = resolve::shape(claim) else { return };
        let problems = match rules.place(&StorageClass::from_object(&object), &shape, self.surroundings.zones) {
            Ok(placement) => return self.larger_than_asked(item, claim, (&shape, placement.size_gib)),
            Err(problems) => problems,
        };
        for FieldProblem { field, cause, cure } in problems {
            match field {
                FieldPath::Claim(path) => self.error(item, claim.place(&path), cause, cure),
                FieldPath::Class(path) => {
                    let claimant = item
                        .source
                        .locate(claim.place(&["spec", "resources", "requests", "storage"]));
                    self.class_problem(class, &path, (cause, cure), Some(claimant));
                }
            }
        }
    }

    /// Some volumes are not to be had as small as a claim asks for, and cost what they are.
    fn larger_than_asked(&mut self, item: &Item, claim: &Node, (shape, gib): (&ClaimShape, u32)) {
        let asked = quantity::gib_rounded_up(shape.bytes);
        if u64::from(gib) > asked {
            let cause = format!("the claim asks for {asked} GiB and gets {gib} GiB: its class has nothing smaller");
            let at = claim.place(&["spec", "resources", "requests", "storage"]);
            let cure = format!("ask for {gib}Gi, or use a class with smaller volumes");
            self.warning(item, at, cause, cure);
        }
    }

    /// A claim's name belongs to one maker, and fits.
    pub(super) fn claim_names(&mut self) {
        let items = self.items;
        let standalone: Vec<_> = items
            .iter()
            .filter(|item| item.is("v1", "PersistentVolumeClaim"))
            .collect();
        let mut made: HashMap<(Option<&str>, String), (&Item, Span)> = HashMap::new();
        for set in items.iter().filter(|item| item.is("apps/v1", "StatefulSet")) {
            let first = set
                .node
                .at(&["spec", "ordinals", "start"])
                .and_then(Node::as_i64)
                .unwrap_or(0)
                .max(0);
            let last = first + resolve::replicas(&set.node).map_or(1, i64::from) - 1;
            for template in set.node.items_at(&["spec", "volumeClaimTemplates"]) {
                let Some(name) = template.str_at(&["metadata", "name"]) else {
                    continue;
                };
                let at = template.place(&["metadata", "name"]);
                let prefix = format!("{name}-{}-", set.name);
                self.claim_of_set(&standalone, set, (&prefix, at), last);
                let namespace = set.namespace.as_deref();
                // Two sets make one name only if all before the ordinal is the same.
                if let Some((other, place)) = made
                    .insert((namespace, prefix.clone()), (set, at))
                    .filter(|(other, _)| other.name != set.name)
                {
                    let cause = format!("the claims {prefix}<ordinal> are those of {} too", other.title());
                    let diagnostic = Diagnostic::new(set.source.locate(at), cause, "rename one of the templates");
                    self.findings
                        .add(diagnostic.also(other.source.locate(place), "the other template"));
                }
            }
        }
    }

    fn claim_of_set(&mut self, standalone: &[&Item], set: &Item, (prefix, at): (&str, Span), last: i64) {
        let length = prefix.len() + last.max(0).to_string().len();
        if length > 253 {
            let cause = format!("the claims' names have {length} characters; 253 are allowed");
            self.error(set, at, cause, "shorten the template's or the set's name");
        }
        let mut ordinals = HashSet::new();
        for claim in standalone.iter().filter(|claim| claim.namespace == set.namespace) {
            let ordinal = claim
                .name
                .strip_prefix(prefix)
                .filter(|ordinal| ordinal.bytes().all(|byte| byte.is_ascii_digit()));
            let Some(ordinal) = ordinal
                .and_then(|ordinal| ordinal.parse::<u32>().ok())
                .filter(|ordinal| ordinals.insert(*ordinal))
            else {
                continue;
            };
            let cause = format!(
                "claim {} is also that of {}'s ordinal {ordinal}",
                claim.name,
                set.title()
            );
            let cure = "remove it: the set's template makes it, or rename it";
            let place = claim.source.locate(claim.place(&["metadata", "name"]));
            self.findings
                .add(Diagnostic::new(place, cause, cure).also(set.source.locate(at), "the set's template"));
        }
    }
}

/// What was probably meant by text that is no quantity.
fn meant(text: &str) -> String {
    let digits: String = text
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let unit = text.trim()[digits.len()..].trim().to_ascii_lowercase();
    let unit = match &*unit {
        "ki" | "kib" | "kb" | "k" => "Ki",
        "mi" | "mib" | "mb" | "m" => "Mi",
        "ti" | "tib" | "tb" | "t" => "Ti",
        _ => "Gi",
    };
    match quantity::bytes(&format!("{digits}{unit}")) {
        Some(_) => format!("{digits}{unit}"),
        None => "10Gi".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn what_was_meant_is_a_quantity() {
        for (text, expected) in [
            ("10GB", "10Gi"),
            ("10 Gi", "10Gi"),
            ("1.5gib", "1.5Gi"),
            ("500mb", "500Mi"),
            ("ten", "10Gi"),
            ("", "10Gi"),
            ("5é", "5Gi"),
        ] {
            assert_eq!(meant(text), expected, "{text:?}");
        }
    }
}
