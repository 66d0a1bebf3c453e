//! What is served, in the forms in which clients ask for it.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::registry::{Kind, Registry};

/// Review resources: group, plural, kind, namespaced.
type Reviews = [(&'static str, &'static str, &'static str, bool)];

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
    })
}

/// `/api`.
pub(crate) fn api_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/`.
pub(crate) fn paths(registry: &Registry) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in registry.groups() {
        if !group.is_empty() {
            paths.push(format!("/apis/{group}"));
            paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
        }
    }
    paths.extend(
        [
            "/healthz",
            "/livez",
            "/openapi/v2",
            "/openapi/v3",
            "/readyz",
            "/version",
        ]
        .map(str::to_owned),
    );
    json!({"paths": paths})
}

/// Named groups with their versions, reviews included.
fn groups(registry: &Registry, reviews: &Reviews) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = registry
        .groups()
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .collect();
    for (group, ..) in reviews {
        if !groups.iter().any(|(known, _)| known == group) {
            groups.push(((*group).to_owned(), vec!["v1".to_owned()]));
        }
    }
    groups
}

fn group_json(group: &str, versions: &[String]) -> Value {
    let version = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({"name": group, "versions": versions.iter().map(version).collect::<Vec<_>>(), "preferredVersion": version(&versions[0])})
}

/// `/apis`.
pub(crate) fn group_list(registry: &Registry, reviews: &Reviews) -> Value {
    let groups: Vec<Value> = groups(registry, reviews)
        .iter()
        .map(|(group, versions)| group_json(group, versions))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/<group>`.
pub(crate) fn group(registry: &Registry, reviews: &Reviews, name: &str) -> Result<Value, ApiError> {
    let groups = groups(registry, reviews);
    let (group, versions) = groups
        .iter()
        .find(|(group, _)| group == name)
        .ok_or_else(ApiError::unknown_path)?;
    let mut value = group_json(group, versions);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Ok(value)
}

/// A subresource: name, group, version and kind of its objects, verbs.
fn subresources(kind: &Kind) -> Vec<(&'static str, Value, &'static [&'static str])> {
    let own = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let mut all: Vec<(&'static str, Value, &'static [&'static str])> = Vec::new();
    for name in &kind.subresources {
        all.push(match *name {
            "binding" => (
                "binding",
                json!({"group": "", "version": "v1", "kind": "Binding"}),
                &["create"],
            ),
            "eviction" => (
                "eviction",
                json!({"group": "policy", "version": "v1", "kind": "Eviction"}),
                &["create"],
            ),
            other => (other, own.clone(), &["update"]),
        });
    }
    if kind.scale {
        all.push((
            "scale",
            json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}),
            &["get", "patch", "update"],
        ));
    }
    if kind.status {
        all.push(("status", own, &["get", "patch", "update"]));
    }
    all
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub(crate) fn resources(registry: &Registry, reviews: &Reviews, group: &str, version: &str) -> Result<Value, ApiError> {
    let mut resources = Vec::new();
    for kind in registry
        .kinds()
        .iter()
        .filter(|kind| kind.group == group && kind.version == version)
    {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind, "verbs": verbs(kind),
            "storageVersionHash": storage_hash(kind),
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            resource["categories"] = json!(kind.categories);
        }
        resources.push(resource);
        for (name, about, verbs) in subresources(kind) {
            let mut sub = json!({
                "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": about["kind"], "verbs": verbs,
            });
            if about["group"] != *kind.group || about["version"] != *kind.version {
                sub["group"] = about["group"].clone();
                sub["version"] = about["version"].clone();
            }
            resources.push(sub);
        }
    }
    for (_, plural, kind, namespaced) in reviews.iter().filter(|review| review.0 == group && version == "v1") {
        resources.push(json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind, "verbs": ["create"]}));
    }
    if resources.is_empty() {
        return Err(ApiError::unknown_path());
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Ok(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}))
}

fn verbs(kind: &Kind) -> Vec<&'static str> {
    let single = matches!(&*kind.id, "namespaces" | "services");
    VERBS
        .into_iter()
        .filter(|verb| !(single && *verb == "deletecollection"))
        .collect()
}

/// Stable for a kind, as clients expect.
fn storage_hash(kind: &Kind) -> String {
    use base64::Engine as _;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in format!("{}/{}/{}", kind.group, kind.version, kind.kind).bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    base64::engine::general_purpose::STANDARD.encode(hash.to_be_bytes())
}

/// `/api` or `/apis` as one aggregated document.
pub(crate) fn aggregated(registry: &Registry, reviews: &Reviews, core: bool) -> Value {
    let groups = if core {
        vec![(String::new(), vec!["v1".to_owned()])]
    } else {
        groups(registry, reviews)
    };
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| json!({"version": version, "freshness": "Current", "resources": aggregated_resources(registry, reviews, group, version)}))
                .collect();
            let metadata = if group.is_empty() { json!({"creationTimestamp": null}) } else { json!({"name": group, "creationTimestamp": null}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_resources(registry: &Registry, reviews: &Reviews, group: &str, version: &str) -> Vec<Value> {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let mut resources = Vec::new();
    for kind in registry
        .kinds()
        .iter()
        .filter(|kind| kind.group == group && kind.version == version)
    {
        let mut resource = json!({
            "resource": kind.plural, "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "scope": scope(kind.namespaced), "singularResource": kind.singular, "verbs": verbs(kind),
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            resource["categories"] = json!(kind.categories);
        }
        let subresources: Vec<Value> = subresources(kind)
            .into_iter()
            .map(|(name, about, verbs)| json!({"subresource": name, "responseKind": about, "verbs": verbs}))
            .collect();
        if !subresources.is_empty() {
            resource["subresources"] = json!(subresources);
        }
        resources.push(resource);
    }
    for (_, plural, kind, namespaced) in reviews.iter().filter(|review| review.0 == group && version == "v1") {
        resources.push(json!({
            "resource": plural, "responseKind": {"group": group, "version": "v1", "kind": kind}, "scope": scope(*namespaced),
            "singularResource": kind.to_lowercase(), "verbs": ["create"],
        }));
    }
    resources
}
