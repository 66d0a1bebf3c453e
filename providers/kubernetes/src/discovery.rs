//! Every kind that the server serves.

use std::collections::HashSet;

use futures::future::{join_all, try_join};
use moorline_api::{Error, ErrorKind, Gvk, Kinds, ResourceKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::call::{Call, Subject};
use crate::transport::{Answer, Transport};

/// Aggregated discovery: all groups in one answer, since Kubernetes 1.26. Older servers take the last and answer by group.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// One version of a group, with its kinds where its server answers.
#[derive(Debug)]
struct GroupVersion {
    group: String,
    version: String,
    kinds: Option<Vec<ResourceKind>>,
}

impl GroupVersion {
    fn name(&self) -> String {
        Gvk {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: String::new(),
        }
        .api_version()
    }
}

/// Asks the server.
pub(crate) async fn discover(transport: &Transport) -> Result<Kinds, Error> {
    let (core, groups) = try_join(root(transport, "/api"), root(transport, "/apis")).await?;
    Ok(preferred(core.into_iter().chain(groups)))
}

/// The versions of `/api` or `/apis`, each group's preferred one first.
async fn root(transport: &Transport, path: &'static str) -> Result<Vec<GroupVersion>, Error> {
    let mut call = Call::read("get", Subject::path(path), path);
    call.accept = AGGREGATED;
    let answer = match transport.try_send(&call).await? {
        Ok(answer) => answer,
        Err(refusal) if refusal.is_not_acceptable() => {
            call.accept = "application/json";
            transport.send(&call).await?
        }
        Err(refusal) => return Err(transport.refused(&call, refusal)),
    };
    match read::<Root>(&call, &answer)? {
        Root::Aggregated { items } => Ok(items.into_iter().flat_map(aggregated).collect()),
        Root::Core { versions } => {
            let versions = versions.into_iter().map(|version| (String::new(), version));
            Ok(join_all(versions.map(|(group, version)| one_version(transport, group, version))).await)
        }
        Root::Groups { groups } => {
            let versions = groups.into_iter().flat_map(versions_of);
            Ok(join_all(versions.map(|(group, version)| one_version(transport, group, version))).await)
        }
    }
}

fn read<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        call.error(ErrorKind::Internal, "the answer is not what discovery gives")
            .with_source(error)
    })
}

fn versions_of(group: Group) -> Vec<(String, String)> {
    let preferred = group.preferred_version.map(|preferred| preferred.version);
    let others = group.versions.into_iter().map(|version| version.version);
    let others: Vec<_> = others.filter(|version| Some(version) != preferred.as_ref()).collect();
    preferred
        .into_iter()
        .chain(others)
        .map(|version| (group.name.clone(), version))
        .collect()
}

/// The kinds of one group version; a group whose server fails is left incomplete, and the others stand.
async fn one_version(transport: &Transport, group: String, version: String) -> GroupVersion {
    let path = if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    };
    let call = Call::read("get", Subject::path(&path), path.clone());
    let listed = transport
        .send(&call)
        .await
        .and_then(|answer| read::<ResourceList>(&call, &answer));
    let kinds = listed
        .inspect_err(|error| tracing::debug!(%error, "a part of discovery failed"))
        .ok()
        .map(|list| {
            let resources = list
                .resources
                .into_iter()
                .filter(|resource| !resource.name.contains('/'));
            resources.map(|resource| resource.into_kind(&group, &version)).collect()
        });
    GroupVersion { group, version, kinds }
}

fn aggregated(item: AggregatedGroup) -> Vec<GroupVersion> {
    let group = item.metadata.name.unwrap_or_default();
    let versions = item.versions.into_iter().map(|version| {
        // A stale version lists what it had when its server last answered, or nothing.
        let answers = version.freshness.as_deref() != Some("Stale");
        let resources = version.resources.into_iter();
        let kinds = resources.map(|resource| resource.into_kind(&group, &version.version));
        GroupVersion {
            group: group.clone(),
            kinds: answers.then(|| kinds.collect()),
            version: version.version,
        }
    });
    versions.collect()
}

/// Each kind once per group, in the first version that has it.
fn preferred(versions: impl Iterator<Item = GroupVersion>) -> Kinds {
    let mut seen = HashSet::new();
    let mut found = Kinds::default();
    for version in versions {
        let name = version.name();
        let Some(kinds) = version.kinds else {
            found.unanswered.push(name);
            continue;
        };
        let new = |kind: &ResourceKind| seen.insert((kind.gvk.group.clone(), kind.plural.clone()));
        found.served.extend(kinds.into_iter().filter(new));
    }
    found
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Root {
    #[serde(rename = "APIGroupDiscoveryList")]
    Aggregated { items: Vec<AggregatedGroup> },
    #[serde(rename = "APIVersions")]
    Core { versions: Vec<String> },
    #[serde(rename = "APIGroupList")]
    Groups { groups: Vec<Group> },
}

#[derive(Deserialize)]
struct AggregatedGroup {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    versions: Vec<AggregatedVersion>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
}

#[derive(Deserialize)]
struct AggregatedVersion {
    version: String,
    #[serde(default)]
    resources: Vec<AggregatedResource>,
    freshness: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AggregatedResource {
    resource: String,
    response_kind: Option<ResponseKind>,
    scope: Option<String>,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

impl AggregatedResource {
    fn into_kind(self, group: &str, version: &str) -> ResourceKind {
        let kind = self.response_kind.map(|response| response.kind).unwrap_or_default();
        ResourceKind {
            gvk: Gvk {
                group: group.to_owned(),
                version: version.to_owned(),
                kind,
            },
            plural: self.resource,
            namespaced: self.scope.as_deref() == Some("Namespaced"),
            verbs: self.verbs,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    #[serde(default)]
    versions: Vec<VersionName>,
    preferred_version: Option<VersionName>,
}

#[derive(Deserialize)]
struct VersionName {
    version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Resource {
    fn into_kind(self, group: &str, version: &str) -> ResourceKind {
        let gvk = Gvk {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: self.kind,
        };
        ResourceKind {
            gvk,
            plural: self.name,
            namespaced: self.namespaced,
            verbs: self.verbs,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_appears_once_in_its_preferred_version() {
        let item = |name, versions| json!({"metadata": {"name": name}, "versions": versions});
        let resource = |plural, kind, scope| {
            json!({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": scope,
                   "verbs": ["get"], "subresources": [{"subresource": "status"}]})
        };
        let scaler = resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "Namespaced");
        let list = json!({"kind": "APIGroupDiscoveryList", "items": [
            item("autoscaling", json!([
                {"version": "v2", "freshness": "Current", "resources": [scaler]},
                {"version": "v1", "freshness": "Current", "resources": [scaler, resource("olds", "Old", "Cluster")]},
            ])),
            item("metrics.k8s.io", json!([{"version": "v1beta1", "freshness": "Stale", "resources": []}])),
            item("once.example.com", json!([{"version": "v1", "freshness": "Stale", "resources": [resource("was", "Was", "Cluster")]}])),
        ]});
        let Root::Aggregated { items } = serde_json::from_value(list).unwrap() else {
            unreachable!()
        };
        let found = preferred(items.into_iter().flat_map(aggregated));
        let names: Vec<_> = found
            .served
            .iter()
            .map(|kind| (kind.gvk.to_string(), kind.namespaced))
            .collect();
        assert_eq!(
            names,
            [
                ("autoscaling/v2 HorizontalPodAutoscaler".to_owned(), true),
                ("autoscaling/v1 Old".to_owned(), false),
            ]
        );
        assert_eq!(found.unanswered, ["metrics.k8s.io/v1beta1", "once.example.com/v1"]);
    }

    #[test]
    fn the_preferred_version_comes_first() {
        let group = json!({"name": "g", "versions": [{"version": "v1beta1"}, {"version": "v1"}], "preferredVersion": {"version": "v1"}});
        let versions = versions_of(serde_json::from_value(group).unwrap());
        assert_eq!(
            versions,
            [
                ("g".to_owned(), "v1".to_owned()),
                ("g".to_owned(), "v1beta1".to_owned())
            ]
        );
    }
}
