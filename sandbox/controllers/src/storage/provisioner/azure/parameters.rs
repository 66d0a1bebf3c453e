//! A StorageClass's parameters, read as Azure's drivers read them: by keys in any letter case, of which none may be unknown.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::{Refusal, Request};
use crate::object::{name, namespace};

/// Keys that the provisioner beside each driver keeps to itself.
const PREFIX: &str = "csi.storage.k8s.io/";

/// A class's parameters and what the provisioner adds to them.
pub(super) struct Parameters {
    /// As the class has them.
    given: Map<String, Value>,
}

/// Reads the parameters of the class; the driver knows `keys`, which are lower case.
pub(super) fn read(request: &Request, keys: &[&str]) -> Result<Parameters, Refusal> {
    let mut given = Map::new();
    for (key, value) in request.class["parameters"].as_object().into_iter().flatten() {
        if key.starts_with(PREFIX) {
            continue;
        }
        if !keys.contains(&key.to_lowercase().as_str()) {
            return Err(Refusal::Invalid(format!(
                "invalid parameter \"{key}\" in storage class"
            )));
        }
        given.insert(key.clone(), value.clone());
    }
    for (key, value) in [
        ("pv/name", request.volume),
        ("pvc/name", name(request.claim)),
        ("pvc/namespace", namespace(request.claim)),
    ] {
        given.insert(format!("{PREFIX}{key}"), value.into());
    }
    Ok(Parameters { given })
}

impl Parameters {
    /// The first of these keys that has a value, or `""`.
    pub(super) fn get(&self, keys: &[&str]) -> &str {
        let value = |wanted: &&str| {
            let found = self.given.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
            found
                .and_then(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        keys.iter().find_map(value).unwrap_or_default()
    }

    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.get(&[key]).eq_ignore_ascii_case(value)
    }

    /// Sets a value, under the key as the class writes it where it has it.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        let present = self.given.keys().find(|present| present.eq_ignore_ascii_case(key));
        let key = present.cloned().unwrap_or_else(|| key.to_owned());
        self.given.insert(key, value.into());
    }

    /// A value in which names of claim and volume are put, or `""`.
    pub(super) fn filled(&self, key: &str, request: &Request) -> String {
        let value = self.get(&[key]);
        let value = value.replace("${pvc.metadata.name}", name(request.claim));
        let value = value.replace("${pvc.metadata.namespace}", namespace(request.claim));
        value.replace("${pv.metadata.name}", request.volume)
    }

    /// The tags for what has to be made: `key=value,key=value`.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, String>, Refusal> {
        let text = self.get(&["tags"]);
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
        pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=').ok_or_else(|| {
                    Refusal::Invalid(format!(
                        "Tags '{text}' are invalid, the format should like: 'key1=value1,key2=value2'"
                    ))
                })?;
                Ok((key.trim().to_owned(), value.trim().to_owned()))
            })
            .collect()
    }

    /// What the volume object tells whoever mounts the volume.
    pub(super) fn attributes(self, driver: &str) -> Map<String, Value> {
        let mut attributes = self.given;
        attributes.insert(
            "storage.kubernetes.io/csiProvisionerIdentity".to_owned(),
            format!("sandbox-{driver}").into(),
        );
        attributes
    }
}
