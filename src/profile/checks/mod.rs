//! Everything that can be wrong with objects and can be seen without a cluster or a cloud.

mod claims;
mod classes;
mod metadata;
mod services;
mod workloads;

use std::collections::HashMap;

use crate::Surroundings;
use crate::config::ProfileFile;
use crate::diagnostic::Findings;
use crate::manifests::Item;
use crate::source::Span;

/// Checks objects one by one and against each other.
pub(crate) struct Checker<'a> {
    items: &'a [Item],
    config: &'a ProfileFile,
    surroundings: &'a Surroundings<'a>,
    /// The StorageClasses of the profile, by name.
    classes: HashMap<&'a str, &'a Item>,
    findings: &'a mut Findings,
}

/// Reports everything that is wrong with the objects of a profile.
pub(crate) fn check(items: &[Item], config: &ProfileFile, surroundings: &Surroundings<'_>, findings: &mut Findings) {
    let classes = items.iter().filter(|item| item.is("storage.k8s.io/v1", "StorageClass"));
    let classes = classes.map(|item| (&*item.name, item)).collect();
    let mut checker = Checker { items, config, surroundings, classes, findings };
    for item in items {
        checker.metadata(item);
        checker.workload(item);
        match (&*item.gvk.api_version(), &*item.gvk.kind) {
            ("v1", "Service") => checker.service(item),
            ("v1", "PersistentVolumeClaim") => checker.standalone_claim(item),
            ("apps/v1", "StatefulSet") => checker.claim_templates(item),
            ("storage.k8s.io/v1", "StorageClass") => checker.class(item),
            _ => {}
        }
    }
    checker.claim_names();
}

impl Checker<'_> {
    fn error(&mut self, item: &Item, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.findings.error(&item.source, span, cause, cure);
    }

    fn warning(&mut self, item: &Item, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.findings.warning(&item.source, span, cause, cure);
    }
}
