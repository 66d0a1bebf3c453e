//! Storage accounts, shares and containers that classes name: an account has one SKU and one place, whichever class says so, and
//! a share or container is one claim's.

use std::collections::HashMap;

use moorline_api::{AzureAccount, ClaimShape, Object, StorageClass, VolumeConfig};

use super::Checker;
use crate::manifests::Item;
use crate::resolve;
use moorline_yaml::Node;
use moorline_yaml::diagnostic::{Diagnostic, Location};
use moorline_yaml::source::Span;
use moorline_yaml::words::quote;

/// What two classes of one account have to agree about: the parameter, its other name, and the value of a class.
type Agreement = (&'static str, &'static str, fn(&AzureAccount) -> Option<&str>);

const AGREEMENTS: [Agreement; 3] = [
    ("skuName", "storageAccountType", |account| Some(&account.sku)),
    ("resourceGroup", "resourceGroup", |account| {
        account.resource_group.as_deref()
    }),
    ("storageAccount", "storageAccount", |account| Some(&account.kind)),
];

/// A claim's name and place.
type Claimant = (String, Location);

impl<'a> Checker<'a> {
    /// Classes against each other, and against the subscription that the profile is pinned to.
    pub(super) fn accounts(&mut self) {
        let items = self.items;
        let mut named: HashMap<String, (&Item, AzureAccount)> = HashMap::new();
        for class in items.iter().filter(|item| item.is("storage.k8s.io/v1", "StorageClass")) {
            let Some(account) = self.account_of(class) else {
                continue;
            };
            self.subscription(class, &account);
            let Some(name) = account.name.clone() else { continue };
            match named.get(&name) {
                Some((other, theirs)) => self.disagreement(class, (&name, &account), (other, theirs)),
                None => {
                    named.insert(name, (class, account));
                }
            }
        }
    }

    /// A share or container that a class names belongs to one claim: deleting the second one would take the first one's data.
    pub(super) fn named_volumes(&mut self) {
        let mut taken = HashMap::new();
        for item in self.items {
            for (claim, names) in claims_of(item) {
                let Some((class, config)) = self.config_of(claim) else {
                    continue;
                };
                let namespace = item.namespace.as_deref().unwrap_or(&self.config.namespace);
                // Where no account is named, the class decides about it.
                let account = config.holder().unwrap_or(&class.name);
                let at = item.source.locate(claim.place(&["metadata", "name"]));
                for name in names {
                    if let Some(volume) = config.named_for(namespace, &name) {
                        let key = (config.sort(), account.to_owned(), volume.clone());
                        let first = taken.insert(key, (name.clone(), at.clone()));
                        self.taken_twice((class, &volume), first, (name, at.clone()));
                    }
                }
            }
        }
    }

    fn taken_twice(&mut self, (class, volume): (&Item, &str), first: Option<Claimant>, (name, at): Claimant) {
        let Some((first, place)) = first else { return };
        let cause = format!(
            "claims {first} and {name} would both get {}, which StorageClass {} names",
            quote(volume),
            class.name
        );
        let cure = "put ${pvc.metadata.name} into the class's name, or let the pods share one claim";
        self.findings
            .add(Diagnostic::new(at, cause, cure).also(place, "the first claim"));
    }

    /// What a claim or template gets, and of which class of the profile.
    fn config_of(&self, claim: &Node) -> Option<(&'a Item, VolumeConfig)> {
        let class = self.find("StorageClass", None, resolve::class_ref(claim).name()?)?;
        let object = Object::from_value(class.node.to_json()).ok()?;
        let shape = resolve::shape(claim)?;
        let placed = self
            .rules_of(class)?
            .place(&StorageClass::from_object(&object), &shape, None);
        Some((class, placed.ok()?.config))
    }

    /// The account that a class asks for; `None` where the class is none of Azure's, or wrong by itself.
    fn account_of(&self, class: &Item) -> Option<AzureAccount> {
        let rules = self.rules_of(class)?;
        let object = Object::from_value(class.node.to_json()).ok()?;
        let claim = ClaimShape {
            bytes: 1 << 30,
            access_modes: vec!["ReadWriteOnce".to_owned()],
            volume_mode: "Filesystem".to_owned(),
        };
        let placed = rules.place(&StorageClass::from_object(&object), &claim, None).ok()?;
        match placed.config {
            VolumeConfig::AzureFile(share) => Some(share.account),
            VolumeConfig::AzureBlob(container) => Some(container.account),
            _ => None,
        }
    }

    fn subscription(&mut self, class: &Item, account: &AzureAccount) {
        let (Some(pinned), Some(asked)) = (self.config.provider.account(), account.subscription.as_deref()) else {
            return;
        };
        if pinned != asked {
            let cause = format!("subscriptionID {asked} is not the one that the profile is pinned to, {pinned}");
            let cure = "remove it, or correct provider.azure.subscription in profile.yaml";
            self.error(class, parameter(class, &["subscriptionID"]), cause, cure);
        }
    }

    fn disagreement(
        &mut self,
        class: &Item,
        (name, ours): (&str, &AzureAccount),
        (other, theirs): (&Item, &AzureAccount),
    ) {
        let differs = AGREEMENTS
            .iter()
            .find(|(.., value)| value(ours).is_some() && value(theirs).is_some() && value(ours) != value(theirs));
        let Some((key, alias, value)) = differs else { return };
        let (Some(here), Some(there)) = (value(ours), value(theirs)) else {
            return;
        };
        let cause = format!(
            "storage account {} cannot be {here} here, and {there} for StorageClass {}",
            quote(name),
            other.name
        );
        let at = class.source.locate(parameter(class, &[key, alias, "storageAccount"]));
        let there = other.source.locate(parameter(other, &[key, alias, "storageAccount"]));
        let cure = "say the same in both classes, or name two accounts";
        self.findings
            .add(Diagnostic::new(at, cause, cure).also(there, "the other class"));
    }
}

/// The claims of an object, each with its names. Two ordinals of a set show whether all would get the same.
fn claims_of(item: &Item) -> Vec<(&Node, Vec<String>)> {
    if item.is("v1", "PersistentVolumeClaim") {
        return vec![(&item.node, vec![item.name.clone()])];
    }
    if !item.is("apps/v1", "StatefulSet") {
        return Vec::new();
    }
    let replicas = resolve::replicas(&item.node).unwrap_or(1);
    let templates = item.node.items_at(&["spec", "volumeClaimTemplates"]).iter();
    let templates = templates.filter_map(|template| Some((template, template.str_at(&["metadata", "name"])?)));
    let names = |template: &str| {
        (0..replicas.min(2))
            .map(|ordinal| format!("{template}-{}-{ordinal}", item.name))
            .collect()
    };
    templates.map(|(template, name)| (template, names(name))).collect()
}

/// The place of the first of these parameters that a class has; their names have no case.
fn parameter(class: &Item, keys: &[&str]) -> Span {
    let entries = class.node.entries_at(&["parameters"]);
    let found = keys
        .iter()
        .find_map(|key| entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(key)));
    found.map_or_else(
        || class.place(&["parameters"]),
        |entry| class.node.place_of_entry(&["parameters", &entry.key]),
    )
}
