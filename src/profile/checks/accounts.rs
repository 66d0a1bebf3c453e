//! Storage accounts that classes name: one account has one SKU and one place, whichever class says so.

use std::collections::HashMap;

use moorline_api::{AzureAccount, ClaimShape, Object, StorageClass, VolumeConfig};

use super::Checker;
use crate::diagnostic::Diagnostic;
use crate::manifests::Item;
use crate::source::Span;
use crate::words::quote;

/// What two classes of one account have to agree about: the parameter, its other name, and the value of a class.
type Agreement = (&'static str, &'static str, fn(&AzureAccount) -> Option<&str>);

const AGREEMENTS: [Agreement; 3] = [
    ("skuName", "storageAccountType", |account| Some(&account.sku)),
    ("resourceGroup", "resourceGroup", |account| {
        account.resource_group.as_deref()
    }),
    ("storageAccount", "storageAccount", |account| Some(&account.kind)),
];

impl Checker<'_> {
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
