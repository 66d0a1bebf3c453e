//! Everything that can be wrong with objects and can be seen without a cluster or a cloud.

mod accounts;
mod claims;
mod classes;
pub(crate) mod lock;
mod metadata;
mod services;
mod workloads;

use std::collections::HashMap;

use crate::Surroundings;
use crate::config::ProfileFile;
use crate::manifests::Item;
use moorline_yaml::Node;
use moorline_yaml::diagnostic::Findings;
use moorline_yaml::source::Span;

/// Kinds that other objects refer to by name.
const REFERRED: &[(&str, &str)] = &[
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("storage.k8s.io/v1", "StorageClass"),
];

/// Kind, namespace and name.
type Name<'a> = (&'a str, Option<&'a str>, &'a str);

/// Checks objects one by one and against each other.
pub(crate) struct Checker<'a> {
    items: &'a [Item],
    config: &'a ProfileFile,
    surroundings: &'a Surroundings<'a>,
    /// StorageClasses, Services and claims, by kind, namespace and name.
    named: HashMap<Name<'a>, &'a Item>,
    /// The pod templates of all workloads, with their namespaces.
    templates: Vec<(Option<&'a str>, &'a Node)>,
    findings: &'a mut Findings,
}

/// Reports everything that is wrong with the objects of a profile.
pub(crate) fn check(items: &[Item], config: &ProfileFile, surroundings: &Surroundings<'_>, findings: &mut Findings) {
    let refers = items
        .iter()
        .filter(|item| REFERRED.iter().any(|(api_version, kind)| item.is(api_version, kind)));
    let named = refers
        .map(|item| ((&*item.gvk.kind, item.namespace.as_deref(), &*item.name), item))
        .collect();
    let templates = items
        .iter()
        .filter_map(|item| Some((item.namespace.as_deref(), workloads::pod_template(item)?)))
        .collect();
    let mut checker = Checker {
        items,
        config,
        surroundings,
        named,
        templates,
        findings,
    };
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
    checker.accounts();
    checker.named_volumes();
}

impl<'a> Checker<'a> {
    /// The object that another one refers to.
    fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&'a Item> {
        self.named.get(&(kind, namespace, name)).copied()
    }

    /// The names of a kind's objects in a namespace, for messages.
    fn names(&self, kind: &str, namespace: Option<&str>) -> Vec<&'a str> {
        let mut names: Vec<_> = self
            .named
            .keys()
            .filter(|(of, within, _)| *of == kind && *within == namespace)
            .map(|(.., name)| *name)
            .collect();
        names.sort_unstable();
        names
    }

    fn error(&mut self, item: &Item, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.findings.error(&item.source, span, cause, cure);
    }

    fn warning(&mut self, item: &Item, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.findings.warning(&item.source, span, cause, cure);
    }
}
