//! `profile.yaml`: its fields, and what they may say.

use moorline_api::{CloudName, places};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::{ClusterPins, LockPlace, OnDown, ProviderBlock};
use moorline_yaml::diagnostic::{Diagnostic, Findings};
use moorline_yaml::shape::Shapes;
use moorline_yaml::source::{Source, Span};
use moorline_yaml::words::{account, dns_label, dns_subdomain, not_blank, quote, region};
use moorline_yaml::{Entry, Node, Value};

/// A moorline profile: which cloud and cluster a folder of Kubernetes manifests is for, and what happens to its volumes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "profile")]
pub(crate) struct ProfileFile {
    /// The profile's name: a DNS label of at most 63 lower-case letters, digits and `-`. It becomes the label
    /// `moorline.dev/profile` of every object and the tag of every volume; two profiles of one cluster need two names.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub(crate) name: String,
    /// The cloud: exactly one.
    pub(crate) provider: ProviderBlock,
    /// Pins the profile to one cluster; every other one is refused.
    #[serde(default)]
    pub(crate) cluster: ClusterPins,
    /// The namespace of namespaced objects that name none. Default: `default`.
    #[serde(default = "default_namespace")]
    pub(crate) namespace: String,
    /// Who answers for the volumes: a team or an address. It goes into their tag `moorline.dev/owner`.
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// What `down` does to the volumes. Default: `reclaim-policy`.
    #[serde(default)]
    pub(crate) on_down: OnDown,
    /// Where the Lease is that keeps other runs out.
    #[serde(default)]
    pub(crate) lock: LockPlace,
    /// The manifests: file names or globs inside the folder, such as `*.yaml` or `base/*.yml`. Default: every `*.yaml`,
    /// `*.yml` and `*.json` beside this file whose name does not begin with a dot.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "the patterns are read from the document, where each has its place"
    )]
    pub(crate) manifests: Option<Vec<String>>,
    /// StorageClasses that the cluster has already and that claims may name, such as `gp2`.
    #[serde(default)]
    pub(crate) external_classes: Vec<String>,
    /// Whether the file has errors that leave the cloud open.
    #[serde(skip)]
    cloud_is_open: bool,
}

impl ProfileFile {
    /// The cloud; `None` where the file names none, or several, which is reported with the file.
    pub(crate) fn cloud(&self) -> Option<CloudName> {
        (!self.cloud_is_open).then(|| self.provider.cloud())
    }
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// Reads `profile.yaml`; `None` where it says nothing at all. What has errors is reported, and never comes out as a profile.
pub(crate) fn read(
    source: &Source,
    documents: &[Node],
    shapes: &Shapes,
    findings: &mut Findings,
) -> Option<ProfileFile> {
    let mut documents = documents.iter().filter(|document| !document.is_null());
    let Some(document) = documents.next() else {
        let cure = "give it at least name: and provider: with aws: {} or azure: {} below";
        findings.error(source, Span::default(), "the file is empty", cure);
        return None;
    };
    if let Some(second) = documents.next() {
        let cure = "put manifests into files of their own beside it";
        findings.error(source, second.start(), "profile.yaml is one document", cure);
    }
    shapes.check("profile", source, document, findings);
    let mut checker = Checker {
        source,
        document,
        findings,
    };
    checker.provider();
    checker.names();
    checker.pins();
    let readable = serde_json::from_value(given(document.to_json())).ok();
    // The objects are checked even where this file has errors, so that all problems come at once.
    matches!(document.value, Value::Map(_)).then(|| readable.unwrap_or_else(|| as_far_as_readable(document)))
}

/// What the checks of objects need of a file with errors.
fn as_far_as_readable(document: &Node) -> ProfileFile {
    let classes = document.items_at(&["externalClasses"]).iter();
    let clouds = clouds(document);
    ProfileFile {
        name: String::new(),
        provider: match clouds[..] {
            [("azure", _)] => ProviderBlock::Azure {
                subscription: None,
                resource_group: None,
                location: None,
                create_resource_group: false,
                tenant: None,
            },
            _ => ProviderBlock::Aws {
                region: document.str_at(&["provider", "aws", "region"]).map(str::to_owned),
                account: None,
            },
        },
        cloud_is_open: clouds.len() != 1,
        cluster: ClusterPins::default(),
        namespace: document
            .str_at(&["namespace"])
            .map_or_else(default_namespace, str::to_owned),
        owner: None,
        on_down: OnDown::default(),
        lock: LockPlace::default(),
        manifests: None,
        external_classes: classes.filter_map(|class| Some(class.as_str()?.to_owned())).collect(),
    }
}

/// Only what is given: null is as good as missing, and a cloud with nothing below it is one without pins.
fn given(mut document: Json) -> Json {
    for cloud in CLOUDS {
        if let Some(block) = document
            .pointer_mut(&format!("/provider/{}", cloud.key()))
            .filter(|block| block.is_null())
        {
            *block = Json::Object(serde_json::Map::new());
        }
    }
    without_nulls(document)
}

/// The clouds that a file names, and where; one with nothing below it is named too.
fn clouds(document: &Node) -> Vec<(&'static str, Span)> {
    let named = document.entries_at(&["provider"]).iter().filter_map(|entry| {
        let cloud = CLOUDS.iter().find(|cloud| cloud.key() == entry.key)?;
        Some((cloud.key(), entry.key_span))
    });
    named.collect()
}

fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(fields) => {
            let given = fields.into_iter().filter(|(_, value)| !value.is_null());
            given.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        other => other,
    }
}

struct Checker<'a> {
    source: &'a Source,
    document: &'a Node,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    /// Checks the string at a path, where there is one.
    fn text(&mut self, path: &[&str], check: impl Fn(&str) -> Result<(), String>, cure: &str) {
        let document = self.document;
        if let Some((node, text)) = document.at(path).and_then(|node| Some((node, node.as_str()?))) {
            self.item(node, &path.join("."), text, check, cure);
        }
    }

    fn item(&mut self, node: &Node, what: &str, text: &str, check: impl Fn(&str) -> Result<(), String>, cure: &str) {
        if let Err(why) = check(text) {
            self.findings.error(
                self.source,
                node.span,
                format!("{what} cannot be {}: {why}", quote(text)),
                cure,
            );
        }
    }

    fn provider(&mut self) {
        let names_no_cloud = |entry: &&Entry| matches!(&entry.value.value, Value::Map(clouds) if clouds.is_empty());
        if let Some(entry) = self.document.entry("provider").filter(names_no_cloud) {
            let cure = "write provider: with aws: {} or azure: {} below";
            self.findings
                .error(self.source, entry.key_span, "provider names no cloud", cure);
        }
        if let [(one, first), (other, second), ..] = clouds(self.document)[..] {
            let cause = format!("provider names two clouds, {one} and {other}");
            let cure = "keep one of them; what is in another cloud is a profile of its own";
            let diagnostic = Diagnostic::new(self.source.locate(second), cause, cure);
            self.findings
                .add(diagnostic.also(self.source.locate(first), "the other cloud"));
        }
    }

    fn names(&mut self) {
        self.text(&["name"], dns_label, "use a name such as web-1");
        self.text(&["namespace"], dns_label, "use a name such as default");
        self.text(&["lock", "namespace"], dns_label, "use a name such as default");
        self.text(&["owner"], owner, "use a name such as team-web or web@example.com");
        for (index, class) in self.document.items_at(&["externalClasses"]).iter().enumerate() {
            if let Some(name) = class.as_str() {
                self.item(
                    class,
                    &format!("externalClasses[{index}]"),
                    name,
                    dns_subdomain,
                    "use a StorageClass's name such as gp2",
                );
            }
        }
    }

    fn pins(&mut self) {
        self.text(&["provider", "aws", "region"], region, "use a region such as us-east-1");
        self.text(
            &["provider", "aws", "account"],
            account,
            "use an account number such as \"123456789012\"",
        );
        self.azure();
        self.text(
            &["cluster", "context"],
            not_blank,
            "use a name of: kubectl config get-contexts",
        );
        let uid = "use the UID of: kubectl get namespace kube-system -o jsonpath={.metadata.uid}";
        self.text(&["cluster", "uid"], uuid, uid);
    }

    fn azure(&mut self) {
        let subscription = "use the id of: az account show --query id";
        self.text(&["provider", "azure", "subscription"], uuid, subscription);
        let tenant = "use the id of: az account show --query tenantId";
        self.text(&["provider", "azure", "tenant"], uuid, tenant);
        let group = "use a name of: az group list --query [].name";
        self.text(&["provider", "azure", "resourceGroup"], resource_group, group);
        let path = ["provider", "azure", "location"];
        let name = self.document.str_at(&path).and_then(places::location_name);
        let cure = name.map_or_else(
            || "use a name of: az account list-locations --query [].name".to_owned(),
            |name| format!("write location: {name}"),
        );
        self.text(&path, location, &cure);
        let Some(block) = self.document.at(&["provider", "azure"]) else {
            return;
        };
        let creates = block.entry("createResourceGroup");
        let Some(entry) = creates.filter(|entry| matches!(entry.value.value, Value::Bool(true))) else {
            return;
        };
        for needed in ["resourceGroup", "location"] {
            if block.get(needed).is_none() {
                let cause = format!("createResourceGroup needs {needed}: a resource group has a name and a place");
                let cure = format!("add {needed}: beside it, or remove createResourceGroup");
                self.findings.error(self.source, entry.key_span, cause, cure);
            }
        }
    }
}

/// The clouds that a profile may name.
const CLOUDS: [CloudName; 2] = [CloudName::Aws, CloudName::Azure];

/// What a tag's value may be in every cloud.
fn owner(text: &str) -> Result<(), String> {
    not_blank(text)?;
    let length = text.chars().count();
    if length > 256 {
        return Err(format!("it has {length} characters; 256 are allowed in a tag"));
    }
    let allowed = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@');
    match text.chars().find(|c| !allowed(c)) {
        Some(wrong) => Err(format!("a tag may not contain {wrong:?}")),
        None => Ok(()),
    }
}

fn uuid(text: &str) -> Result<(), String> {
    places::uuid_problem(text).map_or(Ok(()), Err)
}

fn resource_group(text: &str) -> Result<(), String> {
    places::resource_group_problem(text).map_or(Ok(()), Err)
}

/// Only as Azure compares it: what is pinned is compared, too.
fn location(text: &str) -> Result<(), String> {
    match places::location_name(text) {
        Some(name) if name == text => Ok(()),
        Some(_) => Err("that is what Azure shows, and no location's name".to_owned()),
        None => Err("it is no location".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_and_places_are_recognised() {
        assert!(uuid("3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f").is_ok() && uuid("3f0c").is_err());
        assert_eq!(location("eastus2"), Ok(()));
        assert!(location("East US").is_err_and(|why| why.contains("shows")));
        assert!(location("east.us").is_err() && resource_group("rg-1").is_ok() && resource_group("rg.").is_err());
        assert!(owner("team web/1 <x>").is_err() && owner("web@example.com").is_ok() && owner("  ").is_err());
    }
}
