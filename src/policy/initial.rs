//! The first policy file: what `gc init` saw, with the rest explained in comments.

use std::collections::HashMap;
use std::fmt::Write as _;

use moorline_yaml::words::visible;

use crate::model::{AwsScope, AzureScope, ClusterAccess, ClusterSpec, ScopeSpec};

/// The longest reason that a comment repeats, in characters.
const LONGEST_REASON: usize = 160;

/// What was seen of clouds and clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The accounts and subscriptions that the credentials reach.
    pub scopes: Vec<ScopeSpec>,
    /// The clusters of the kubeconfig, or the one that the run is in.
    pub clusters: Vec<SeenCluster>,
    /// Ids of clusters in the tags of volumes (`kubernetes.io/cluster/<id>`), each with how many volumes have it. Which cluster
    /// has which id, tags do not say.
    pub tag_ids: Vec<(String, usize)>,
    /// Where runs are to be kept, where that was said.
    pub store: Option<String>,
}

/// A cluster that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCluster {
    /// How it is reached, with its UID where it answered.
    pub spec: ClusterSpec,
    /// Why it did not answer, in one line.
    pub silent: Option<String>,
}

/// A commented policy of what was seen. It reads back without errors where at least one scope and one cluster were seen; where not, what
/// is missing is left to be filled in.
///
/// Clusters that did not answer are named all the same: as long as they are, what they might use is kept.
pub fn render_initial(seen: &Seen) -> String {
    let scopes: String = seen.scopes.iter().map(scope).collect();
    let mut text = String::new();
    text.push_str(
        "# A policy of moorline gc: https://moorline.dev/schemas/policy.schema.json describes every key, docs/policy.md explains it.\n\
         # Look at what it would do with `moorline gc`; nothing is marked or deleted without --apply.\n\n\
         # Where volumes are looked for.\n",
    );
    text.push_str("scopes:\n");
    text.push_str(if scopes.is_empty() { NO_SCOPES } else { &scopes });
    text.push_str(
        "\n# EVERY cluster that may use volumes there. What a cluster made that is not named here is never deleted, unless it \
         passes for one\n# of these: give no two clusters one id.\n",
    );
    text.push_str("clusters:\n");
    text.push_str(&clusters(&seen.clusters));
    if !seen.tag_ids.is_empty() {
        text.push_str("# Volumes bear tags of these clusters; add each id to its cluster as tagIds: [id], or leave it out if unsure:\n");
    }
    for (id, volumes) in &seen.tag_ids {
        let plural = if *volumes == 1 { "" } else { "s" };
        let _ = writeln!(text, "#   {} ({volumes} volume{plural})", comment(id));
    }
    text.push_str(RULES);
    let store = seen.store.as_deref().unwrap_or("moorline-runs");
    let _ = writeln!(text, "store: {}", scalar(store));
    text.push_str(SETTINGS);
    text
}

const NO_SCOPES: &str = "  # No credentials were found. Fill in at least one:
  # - aws: {regions: [us-east-1]}
  # - azure: {subscription: 00000000-0000-0000-0000-000000000000}
";

const NO_CLUSTERS: &str = "  # No kubeconfig was found. Fill in at least one:
  # - context: prod
";

const RULES: &str = "
# How long each waits, from when a run first saw it unused. As soon as it is used again, the time begins anew.
grace:
  leftBehind: 7d      # claims, with their volumes, whose StatefulSet is gone
  released: 7d        # volumes whose claim is gone and whose PersistentVolume is there
  orphan: 7d          # volumes that nothing points to
  loadBalancer: 7d    # load balancers whose Service is gone
  storageAccount: 7d  # storage accounts that hold nothing

# The most that one run may delete. Over any of them it deletes nothing.
caps:
  count: 50
  # percent: 10       # of all volumes that are seen
  # gib: 5000
  # monthly: 500      # US dollars; what has no known price is then never deleted

# A snapshot before each deletion, kept so long.
snapshotFirst:
  disk: 30d
  # share: 14d        # needs soft delete in the storage account, for at least as long

# Whether released volumes go whose PersistentVolume says Retain.
includeRetain: false

# What is never deleted. * stands for anything; a tag or label without a value, for any value.
protect:
  names: []
  namespaces: [kube-system]
  # tags: {keep: , team: database}
  # labels: {app.kubernetes.io/part-of: billing}

# Where records of runs and the lock are kept, for everyone who runs this policy: a folder, s3://bucket/prefix, or
# azblob://account/container/prefix.
";

const SETTINGS: &str = "
# How two runs are kept apart: a run that died is followed after this time.
# lock: {span: 2m, margin: 15s}

# A listing that began longer ago counts as not read.
# staleAfter: 1h

# Prices in US dollars where yours differ from the list.
# prices:
#   aws: {us-east-1: {gp3: 0.07, gp3.iops: 0.004}}
";

fn scope(scope: &ScopeSpec) -> String {
    match scope {
        ScopeSpec::Aws(AwsScope {
            profile,
            role,
            external_id,
            account,
            regions,
        }) => {
            let mut text = "  - aws:\n".to_owned();
            let fields = [
                ("profile", profile),
                ("role", role),
                ("externalId", external_id),
                ("account", account),
            ];
            for (key, value) in fields {
                line(&mut text, "      ", key, value.as_deref());
            }
            let _ = writeln!(text, "      regions: {}", list(regions));
            text
        }
        ScopeSpec::Azure(AzureScope {
            subscription,
            tenant,
            resource_groups,
        }) => {
            let mut text = "  - azure:\n".to_owned();
            line(&mut text, "      ", "subscription", Some(subscription));
            line(&mut text, "      ", "tenant", tenant.as_deref());
            if resource_groups.is_empty() {
                text.push_str(
                    "      # resourceGroups: []  # the only ones that are looked at; all where nothing is said\n",
                );
            } else {
                let _ = writeln!(text, "      resourceGroups: {}", list(resource_groups));
            }
            text
        }
    }
}

fn clusters(seen: &[SeenCluster]) -> String {
    if seen.is_empty() {
        return NO_CLUSTERS.to_owned();
    }
    let mut text = String::new();
    let mut by_uid = HashMap::new();
    for SeenCluster { spec, silent } in seen {
        let same = spec.uid.as_ref().and_then(|uid| by_uid.insert(uid, &spec.name));
        let item = cluster(spec);
        match (same, silent) {
            (Some(other), _) => {
                let _ = writeln!(text, "  # The same cluster as {}:", comment(other));
                for line in item.lines() {
                    let _ = writeln!(text, "  #{}", line.trim_start_matches(' '));
                }
            }
            (None, Some(why)) => {
                let _ = writeln!(
                    text,
                    "  # It did not answer: {}. As long as it is named and silent, nothing that it might use is deleted;\n  # remove it \
                     if it is gone for good, or uses nothing of these scopes.",
                    comment(why)
                );
                text.push_str(&item);
            }
            (None, None) => text.push_str(&item),
        }
    }
    text
}

fn cluster(spec: &ClusterSpec) -> String {
    let mut text = String::new();
    line(&mut text, "    ", "name", Some(&spec.name));
    match &spec.access {
        ClusterAccess::InCluster => text.push_str("    inCluster: true\n"),
        ClusterAccess::Kubeconfig { file, context } => {
            let file = file.as_ref().map(|file| file.to_string_lossy());
            line(&mut text, "    ", "kubeconfig", file.as_deref());
            line(&mut text, "    ", "context", context.as_deref());
        }
    }
    line(&mut text, "    ", "uid", spec.uid.as_deref());
    if !spec.tag_ids.is_empty() {
        let _ = writeln!(text, "    tagIds: {}", list(&spec.tag_ids));
    }
    text.replacen("    ", "  - ", 1)
}

fn line(text: &mut String, indent: &str, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = writeln!(text, "{indent}{key}: {}", scalar(value));
    }
}

fn list(texts: &[String]) -> String {
    let items: Vec<_> = texts.iter().map(|text| scalar(text)).collect();
    format!("[{}]", items.join(", "))
}

/// Text as a YAML scalar: in quotes unless it can be nothing but that text.
fn scalar(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'/' | b'.' | b'_');
    let word = text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(plain);
    // y, no, off, null …: no such word is that long and has a dash.
    if word && (text.len() > 5 || text.contains('-')) {
        return text.to_owned();
    }
    // A JSON string is a YAML string.
    serde_json::Value::from(text).to_string()
}

/// Text that stays in the line of its comment.
fn comment(text: &str) -> String {
    let line: String = visible(text).chars().take(LONGEST_REASON).collect();
    line.trim_end_matches('.').to_owned()
}
