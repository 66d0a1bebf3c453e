//! The storage accounts of shares and containers, and the Secrets that open them.

use std::collections::BTreeMap;

use moorline_sandbox_azure::AccountWish;
use serde_json::json;

use super::super::{Refusal, Request};
use super::home_group;
use super::parameters::Parameters;
use crate::cluster::Cluster;
use crate::object::{namespace, sha256_hex, uid};

/// Names of accounts that drivers make have so many characters.
const NAME_LENGTH: usize = 23;

/// An account to make volumes in.
pub(super) struct Account {
    pub(super) resource_group: String,
    pub(super) name: String,
}

/// An account that can be worked with, or when it can be.
pub(super) enum Found {
    Ready(Account),
    Until(jiff::Timestamp),
}

/// What an account is wanted for.
pub(super) struct Wanted<'a> {
    pub(super) sku: &'a str,
    pub(super) files: bool,
    /// How names of accounts begin that have to be made.
    pub(super) prefix: &'a str,
}

/// The account that the class names, or else the first that matches, or a new one. Who makes it again finds it.
pub(super) fn find(
    cluster: &Cluster,
    request: &Request,
    parameters: &Parameters,
    wanted: &Wanted,
) -> Result<Found, Refusal> {
    let resource_group = match parameters.get(&["resourcegroup"]) {
        "" => home_group(cluster),
        group => group.to_owned(),
    };
    let named = parameters.get(&["storageaccount"]);
    if !named.is_empty() {
        return Ok(Found::Ready(Account {
            resource_group,
            name: named.to_owned(),
        }));
    }
    let mut tags: BTreeMap<String, String> = parameters.tags()?;
    tags.insert("k8s-azure-created-by".to_owned(), "azure".to_owned());
    let mut name = format!("{}{}", wanted.prefix, sha256_hex(uid(request.claim)));
    name.truncate(NAME_LENGTH);
    let location = parameters.get(&["location"]);
    let wish = AccountWish {
        resource_group: resource_group.clone(),
        sku: wanted.sku.to_owned(),
        location: (!location.is_empty()).then(|| location.to_owned()),
        files: wanted.files,
        tags,
        name,
    };
    let (account, ready_at) = cluster
        .azure
        .match_account(&wish)
        .map_err(|error| Refusal::internal("failed to ensure storage account", error))?;
    if ready_at > cluster.now() {
        return Ok(Found::Until(ready_at));
    }
    Ok(Found::Ready(Account {
        resource_group,
        name: account.name,
    }))
}

/// The namespace of the Secret with an account's key.
pub(super) fn secret_namespace<'a>(request: &'a Request, parameters: &'a Parameters) -> &'a str {
    match parameters.get(&["secretnamespace"]) {
        "" => namespace(request.claim),
        given => given,
    }
}

/// Puts the account's key into a Secret; one that is there already stays as it is.
pub(super) fn keep_key(
    cluster: &Cluster,
    request: &Request,
    parameters: &Parameters,
    account: &str,
) -> Result<(), Refusal> {
    let key = cluster.azure.account_key(account).unwrap_or_default();
    let name = match parameters.get(&["secretname"]) {
        "" => format!("azure-storage-account-{account}-secret"),
        given => given.to_owned(),
    };
    let secret = json!({
        "metadata": {"name": name, "namespace": secret_namespace(request, parameters)}, "type": "Opaque",
        "stringData": {"azurestorageaccountname": account, "azurestorageaccountkey": key},
    });
    match cluster.api.create("secrets", secret, "azure-csi-driver") {
        Err(error) if error.status != 409 => Err(Refusal::internal("failed to store storage account key", error)),
        _ => Ok(()),
    }
}
