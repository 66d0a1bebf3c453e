//! What objects of a cluster call the things of a cloud.

use moorline_api::Object;
use serde_json::Value;

/// Something by which an object may mean a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// A host name or address, in lower case.
    Host(String),
    /// `namespace/name` of a Service.
    Service(String),
    /// `namespace/name` of an Ingress.
    Ingress(String),
    /// A group of Ingresses that share one load balancer.
    Group(String),
    /// Any such group: of an Ingress that does not say which, and has no load balancer yet.
    AnyGroup,
    /// The name that cloud controllers give the load balancer of a Service: of its UID.
    OfUid(String),
    /// Part of any text, in lower case: an account's name, a snapshot's id.
    Word(String),
}

/// How an object means a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// It shows, or asks for, the candidate's host name or address.
    Address,
    /// The candidate's name is of its UID.
    Uid,
    /// It is what the candidate's tags say that it was made for.
    Maker,
    /// It names the candidate.
    Mention,
}

/// The longest name of a load balancer.
const LONGEST_NAME: usize = 32;
const GROUP: &str = "alb.ingress.kubernetes.io/group.name";

/// Everything that an object calls a thing of a cloud, and how.
pub(super) fn each(object: &Object, mut found: impl FnMut(&Name, Hint)) {
    let gvk = object.gvk();
    match (&*gvk.group, &*gvk.kind) {
        ("", "Service") => {
            addresses(object, &mut found);
            found(&Name::Service(full_name(object)), Hint::Maker);
            if let Some(uid) = object.uid() {
                found(&Name::OfUid(of_uid(uid)), Hint::Uid);
            }
        }
        ("networking.k8s.io" | "extensions", "Ingress") => {
            addresses(object, &mut found);
            found(&Name::Ingress(full_name(object)), Hint::Maker);
            match object.annotation(GROUP) {
                Some(group) => found(&Name::Group(group.to_owned()), Hint::Maker),
                // Its class may put it into a group, too.
                None if !has_address(object) => found(&Name::AnyGroup, Hint::Maker),
                None => {}
            }
        }
        ("gateway.networking.k8s.io", "Gateway") => addresses(object, &mut found),
        _ => mentions(object, &mut found),
    }
}

fn full_name(object: &Object) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name())
}

/// As `DefaultLoadBalancerName` of Kubernetes' cloud providers makes it.
fn of_uid(uid: &str) -> String {
    let name = format!("a{}", uid.replace('-', ""));
    name.chars().take(LONGEST_NAME).collect()
}

/// Where Services, Ingresses and Gateways show or ask for addresses.
const ADDRESSES: [&[&str]; 3] = [
    &["status", "loadBalancer", "ingress"],
    &["status", "addresses"],
    &["spec", "addresses"],
];

fn each_address(object: &Object, mut found: impl FnMut(&str)) {
    for entry in ADDRESSES.into_iter().flat_map(|path| object.list_at(path)) {
        let fields = ["hostname", "ip", "value"].into_iter();
        fields
            .filter_map(|field| entry.get(field)?.as_str())
            .filter(|address| !address.is_empty())
            .for_each(&mut found);
    }
}

fn has_address(object: &Object) -> bool {
    let mut any = false;
    each_address(object, |_| any = true);
    any
}

fn addresses(object: &Object, found: &mut impl FnMut(&Name, Hint)) {
    each_address(object, |address| {
        found(&Name::Host(address.to_ascii_lowercase()), Hint::Address);
    });
}

/// Every word of every text of an object but its metadata: PersistentVolumes, classes and snapshots name accounts and snapshots
/// in handles, parameters, Secrets' names and host names.
fn mentions(object: &Object, found: &mut impl FnMut(&Name, Hint)) {
    let mut word = |word: &str| found(&Name::Word(word.to_ascii_lowercase()), Hint::Mention);
    for (field, value) in object.fields() {
        if !matches!(field.as_str(), "metadata" | "apiVersion" | "kind") {
            words(value, &mut word);
        }
    }
}

fn words(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => {
            found(text);
            // `snap-0abc` is one word, and so is the account in `azure-storage-account-abc-secret`.
            let rough = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let fine = text.split(|c: char| !c.is_ascii_alphanumeric());
            rough.chain(fine).filter(|word| word.len() > 2).for_each(found);
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, found)),
        Value::Object(map) => map.values().for_each(|value| words(value, found)),
        _ => {}
    }
}
