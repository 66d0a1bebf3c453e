//! Where the Lease of a profile is: outside of what `down` deletes.

use moorline_yaml::Node;
use moorline_yaml::diagnostic::{Diagnostic, Findings};
use moorline_yaml::source::Source;
use moorline_yaml::words::quote;

use crate::manifests::Item;
use crate::model::is_everlasting;

/// Reports a `lock.namespace` that is one of the profile's own: `up` would need it before it is there, and `down` would delete
/// the Lease that it holds.
pub(crate) fn check(source: &Source, document: &Node, items: &[Item], findings: &mut Findings) {
    let Some(chosen) = document.at(&["lock", "namespace"]) else {
        return;
    };
    let Some(name) = chosen.as_str().filter(|name| !is_everlasting(name)) else {
        return;
    };
    let made = items
        .iter()
        .find(|item| item.is("v1", "Namespace") && item.name == name);
    if let Some(made) = made {
        let cause = format!(
            "lock.namespace cannot be {}: the profile makes that namespace, and down deletes it",
            quote(name)
        );
        let cure = "name one that is there before the profile and outlives it, such as default";
        let also = made.source.locate(made.place(&["metadata", "name"]));
        findings.add(Diagnostic::new(source.locate(chosen.span), cause, cure).also(also, "the profile's own"));
    }
}
