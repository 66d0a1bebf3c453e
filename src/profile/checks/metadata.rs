//! Names, labels and annotations of every object.

use super::Checker;
use crate::manifests::Item;
use moorline_yaml::Entry;
use moorline_yaml::words::{
    dns_label, dns_label_of_service, dns_subdomain, label_value, path_segment, qualified_name, quote,
};

/// Keys under this prefix are moorline's own.
const RESERVED: &str = "moorline.dev/";
/// The most that all annotations of an object may have together, in bytes.
const MOST_ANNOTATIONS: usize = 256 << 10;
/// The longest name whose pods get a `controller-revision-hash` label: 63 characters, less `-` and a hash of ten.
const LONGEST_SET: usize = 52;

impl Checker<'_> {
    pub(super) fn metadata(&mut self, item: &Item) {
        self.name(item);
        if let Some(namespace) = item.node.str_at(&["metadata", "namespace"])
            && let Err(why) = dns_label(namespace)
        {
            let cause = format!("metadata.namespace cannot be {}: {why}", quote(namespace));
            self.error(
                item,
                item.place(&["metadata", "namespace"]),
                cause,
                "use a name such as default",
            );
        }
        self.labels(item, &["metadata"]);
        for field in ["uid", "resourceVersion", "managedFields", "selfLink"] {
            if let Some(entry) = item.node.at(&["metadata"]).and_then(|metadata| metadata.entry(field)) {
                let cause = format!("metadata.{field} is the server's to set");
                self.error(
                    item,
                    entry.key_span,
                    cause,
                    "remove it: it was copied from a live object",
                );
            }
        }
    }

    fn name(&mut self, item: &Item) {
        let name = &*item.name;
        let verdict = match (&*item.gvk.group, &*item.gvk.kind) {
            ("", "Service") => dns_label_of_service(name),
            ("", "Namespace") | ("batch", "Job") => dns_label(name),
            ("apps", "StatefulSet") => dns_label(name).and_then(|()| set_name(name)),
            ("batch", "CronJob") => dns_subdomain(name).and_then(|()| at_most(name, 52, "its Jobs' names add eleven")),
            ("rbac.authorization.k8s.io", _) => path_segment(name),
            _ => dns_subdomain(name),
        };
        if let Err(why) = verdict {
            let cause = format!("{} cannot be named {}: {why}", item.gvk.kind, quote(name));
            self.error(
                item,
                item.place(&["metadata", "name"]),
                cause,
                "shorten or rename it, also where others refer to it",
            );
        }
    }

    /// Labels and annotations of the metadata at a path: the object's own, a pod template's, a claim template's.
    pub(super) fn labels(&mut self, item: &Item, metadata: &[&str]) {
        let Some(metadata) = item.node.at(metadata) else { return };
        for entry in metadata.entries_at(&["labels"]) {
            self.key(item, entry, "label");
            if let Some((value, Err(why))) = entry.value.as_str().map(|value| (value, label_value(value))) {
                let cause = format!("label {} cannot be {}: {why}", entry.key, quote(value));
                self.error(
                    item,
                    entry.value.span,
                    cause,
                    "shorten or rename it, or make it an annotation",
                );
            }
        }
        let annotations = metadata.entries_at(&["annotations"]);
        for entry in annotations {
            self.key(item, entry, "annotation");
        }
        let size: usize = annotations
            .iter()
            .map(|entry| entry.key.len() + entry.value.as_str().map_or(0, str::len))
            .sum();
        if size > MOST_ANNOTATIONS {
            let cause = format!("the annotations have {size} bytes; {MOST_ANNOTATIONS} are allowed");
            self.error(
                item,
                metadata.place(&["annotations"]),
                cause,
                "move what is large into a ConfigMap",
            );
        }
    }

    fn key(&mut self, item: &Item, entry: &Entry, what: &str) {
        if let Err(why) = qualified_name(&entry.key) {
            let cause = format!("{what} key {} is wrong: {why}", quote(&entry.key));
            self.error(item, entry.key_span, cause, "write it like app.kubernetes.io/name");
        }
        if entry.key.starts_with(RESERVED) {
            let cause = format!(
                "{what} {} is reserved: moorline writes the keys under {RESERVED}",
                quote(&entry.key)
            );
            self.error(item, entry.key_span, cause, "use another prefix");
        }
    }
}

fn set_name(name: &str) -> Result<(), String> {
    at_most(
        name,
        LONGEST_SET,
        "its pods' label controller-revision-hash adds eleven and has 63",
    )
}

fn at_most(name: &str, most: usize, why: &str) -> Result<(), String> {
    let length = name.len();
    if length > most {
        Err(format!("it has {length} characters; {most} are allowed, because {why}"))
    } else {
        Ok(())
    }
}
