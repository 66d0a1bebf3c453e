//! What there is in clouds and cluster, told so that two worlds can be compared: without the ids, times and addresses that differ
//! between any two runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::live::Live;

/// Sorts of things in the clouds, as the sandbox tells them.
const SORTS: [&str; 7] = [
    "volumes",
    "shares",
    "containers",
    "disks",
    "snapshots",
    "load_balancers",
    "storage_accounts",
];

/// Kinds of objects that are looked at whole.
const KINDS: [&str; 7] = [
    CLAIMS,
    PERSISTENT_VOLUMES,
    "/apis/apps/v1/statefulsets",
    "/api/v1/secrets",
    "/api/v1/services",
    "/api/v1/pods",
    "/apis/storage.k8s.io/v1/storageclasses",
];

/// Where all claims are listed.
pub const CLAIMS: &str = "/api/v1/persistentvolumeclaims";
/// Where all PersistentVolumes are listed.
pub const PERSISTENT_VOLUMES: &str = "/api/v1/persistentvolumes";

/// Times, what clouds and cluster choose anew each time, what wakes the binder where it has not bound by itself yet, and since when a
/// thing was seen unused.
const FLEETING: [&str; 19] = [
    "active_at",
    "attached",
    "attachment",
    "clusterIP",
    "clusterIPs",
    "created",
    "deleted_at",
    "device",
    "dns_name",
    "instance_port",
    "moorline-unused",
    "moorline.dev/resumed",
    "moorline.dev/unused",
    "moorline.dev/volume",
    "moorline_unused",
    "nodeName",
    "nodePort",
    "settles_at",
    "started",
];

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Each thing as a line, and how many there are of it.
    pub things: BTreeMap<String, usize>,
    /// The volumes by their ids, of every sort.
    pub volumes: BTreeSet<String>,
    /// The volumes that there are snapshots of.
    pub snapshots: BTreeSet<String>,
}

impl Facts {
    /// Looks.
    pub fn of(live: &Live) -> Self {
        let state = live.state();
        let mut things = BTreeMap::new();
        let mut note = |what: &str, thing: &Value| {
            *things.entry(format!("{what}: {}", settled(thing))).or_default() += 1;
        };
        for sort in SORTS {
            for thing in list(&state[sort]) {
                note(sort, thing);
            }
        }
        for kind in KINDS {
            let objects = live.served.get(kind);
            for object in list(&objects["items"]) {
                note(kind.rsplit('/').next().unwrap(), &lasting(kind, object));
            }
        }
        let text = |thing: &Value, field: &str| thing[field].as_str().unwrap_or_default().to_owned();
        let in_account = |thing: &Value| format!("{}/{}", text(thing, "account"), text(thing, "name"));
        let disks = list(&state["volumes"]).iter().map(|volume| text(volume, "id"));
        let shares = list(&state["shares"]).iter().map(in_account);
        let containers = list(&state["containers"]).iter().map(in_account);
        let snapshots = list(&state["snapshots"])
            .iter()
            .map(|snapshot| text(snapshot, "volume_id"));
        Self {
            things,
            volumes: disks.chain(shares).chain(containers).collect(),
            snapshots: snapshots.collect(),
        }
    }

    /// Whether there is the same in both. An account that never held a share is cleared away sooner than one that did.
    pub fn alike(&self, wanted: &Self) -> bool {
        let unlike = |(thing, count): (&String, &usize)| {
            let is_account = thing.starts_with("storage_accounts");
            let here = self.things.get(thing).unwrap_or(&0);
            here > count || (here < count && !is_account)
        };
        let more = self.things.keys().any(|thing| !wanted.things.contains_key(thing));
        !more && !wanted.things.iter().any(unlike) && self.snapshots == wanted.snapshots
    }

    /// What one has and the other has not, for messages.
    pub fn differences(&self, wanted: &Self) -> String {
        let lines = |sign: &str, here: &Self, there: &Self| {
            let only = here
                .things
                .iter()
                .filter(|(thing, count)| there.things.get(*thing) != Some(count));
            only.map(|(thing, count)| format!("{sign} {count} × {thing}"))
                .collect::<Vec<_>>()
        };
        [lines("+", self, wanted), lines("-", wanted, self)].concat().join("\n")
    }
}

/// Whether the PersistentVolume of each claim names a volume that is there, and no other names it.
pub fn pointers(live: &Live, facts: &Facts) -> Result<(), String> {
    let (claims, pvs) = (live.served.get(CLAIMS), live.served.get(PERSISTENT_VOLUMES));
    let claimed = |pv: &&Value| {
        let uid = &pv["spec"]["claimRef"]["uid"];
        list(&claims["items"])
            .iter()
            .any(|claim| claim["metadata"]["uid"] == *uid)
    };
    let mut named = BTreeSet::new();
    for pv in list(&pvs["items"]).iter().filter(claimed) {
        let handle = pv["spec"]["csi"]["volumeHandle"].as_str().unwrap_or_default();
        let found = facts
            .volumes
            .iter()
            .find(|id| id.split('/').all(|part| handle.contains(part)));
        let name = &pv["metadata"]["name"];
        let Some(volume) = found else {
            return Err(format!("PersistentVolume {name} names {handle}, which is not there"));
        };
        if !named.insert(volume) {
            return Err(format!("PersistentVolume {name} names {handle}, as another does"));
        }
    }
    Ok(())
}

/// PersistentVolumes without the claim that they were reserved for, and claims without the PersistentVolume that they name.
pub fn half_made(live: &Live) -> (usize, usize) {
    let (claims, pvs) = (live.served.get(CLAIMS), live.served.get(PERSISTENT_VOLUMES));
    let (claims, pvs) = (list(&claims["items"]), list(&pvs["items"]));
    let lonely_pv = |pv: &&Value| {
        claims
            .iter()
            .all(|claim| claim["metadata"]["uid"] != pv["spec"]["claimRef"]["uid"])
    };
    let lonely_claim = |claim: &&Value| {
        let name = &claim["spec"]["volumeName"];
        name.is_string() && pvs.iter().all(|pv| pv["metadata"]["name"] != *name)
    };
    (
        pvs.iter().filter(lonely_pv).count(),
        claims.iter().filter(lonely_claim).count(),
    )
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What of an object is the same in each world.
fn lasting(kind: &str, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let spec = if kind.ends_with("pods") || kind.ends_with("services") {
        &Value::Null
    } else {
        &object["spec"]
    };
    json!({
        "name": metadata["name"], "labels": metadata["labels"], "annotations": metadata["annotations"], "spec": spec,
        "phase": object["status"]["phase"], "ready": object["status"]["readyReplicas"],
    })
}

/// The thing without what differs between any two worlds.
fn settled(thing: &Value) -> String {
    let mut thing = thing.clone();
    forget_fleeting(&mut thing);
    without_ids(&thing.to_string())
}

fn forget_fleeting(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !FLEETING.contains(&key.as_str()));
            fields.values_mut().for_each(forget_fleeting);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_fleeting),
        _ => {}
    }
}

/// Each long word of hexadecimal digits, with or without dashes, is as good as another.
fn without_ids(text: &str) -> String {
    let of_id = |c: char| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let id = rest.find(|c| !of_id(c)).unwrap_or(rest.len());
        out.push_str(if id >= 12 { "…" } else { &rest[..id] });
        rest = &rest[id..];
        let word = rest.find(of_id).unwrap_or(rest.len());
        out.push_str(&rest[..word]);
        rest = &rest[word..];
    }
    out
}
