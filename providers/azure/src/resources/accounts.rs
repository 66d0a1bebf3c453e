//! Storage accounts.

use std::collections::BTreeMap;
use std::time::Duration;

use azure_core::http::Method;
use moorline_api::{AzureAccount, ErrorKind, Result, Sensitive};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AccountPlace, Storage, as_json};
use crate::arm::{Answer, Call, Listing, Path, Version};
use crate::governor::Family;

/// How soon an account that is being made is looked at first, and how often at last.
const FIRST_LOOK: Duration = Duration::from_millis(400);
const LAST_LOOK: Duration = Duration::from_secs(4);

/// An account as Azure shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StorageAccount {
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) location: String,
    #[serde(default)]
    pub(crate) sku: Sku,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) properties: AccountState,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sku {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountState {
    pub(crate) provisioning_state: Option<String>,
    #[serde(default)]
    pub(crate) primary_endpoints: Endpoints,
    pub(crate) creation_time: Option<String>,
    #[serde(default)]
    pub(crate) private_endpoint_connections: Vec<serde_json::Value>,
    pub(crate) custom_domain: Option<serde_json::Value>,
}

/// Where an account's services are.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Endpoints {
    pub(crate) blob: Option<String>,
}

impl StorageAccount {
    /// The resource group, which only the id names.
    pub(crate) fn group(&self) -> Option<&str> {
        let mut parts = self.id.split('/');
        parts.find(|part| part.eq_ignore_ascii_case("resourceGroups"))?;
        parts.next()
    }

    pub(crate) fn is_ready(&self) -> bool {
        let state = self.properties.provisioning_state.as_deref();
        state.is_none_or(|state| state.eq_ignore_ascii_case("Succeeded"))
    }
}

impl StorageAccount {
    /// Whether it is new, and nothing can be in it yet.
    pub(crate) fn is_being_made(&self) -> bool {
        let state = self.properties.provisioning_state.as_deref().unwrap_or_default();
        ["Creating", "ResolvingDNS"]
            .iter()
            .any(|early| state.eq_ignore_ascii_case(early))
    }
}

/// An account to be.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AccountBody {
    pub(crate) sku: Sku,
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) properties: AccountProperties,
}

/// What an account can be asked for; what is `None` is left to Azure.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountProperties {
    pub(crate) supports_https_traffic_only: bool,
    pub(crate) minimum_tls_version: &'static str,
    pub(crate) allow_blob_public_access: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_shared_key_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_network_access: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) large_file_shares_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is_hns_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption: Option<serde_json::Value>,
}

impl AccountBody {
    /// The body for what a class wants.
    pub(crate) fn new(wanted: &AzureAccount, location: &str, tags: BTreeMap<String, String>) -> Self {
        let layered = wanted.infrastructure_encryption.filter(|wanted| *wanted);
        Self {
            sku: Sku {
                name: wanted.sku.clone(),
            },
            kind: wanted.kind.clone(),
            location: location.to_owned(),
            tags,
            properties: AccountProperties {
                supports_https_traffic_only: wanted.https_only,
                minimum_tls_version: "TLS1_2",
                allow_blob_public_access: wanted.public_blobs,
                allow_shared_key_access: wanted.shared_keys,
                public_network_access: wanted.public_network_access.clone(),
                large_file_shares_state: wanted.large_file_shares.filter(|large| *large).map(|_| "Enabled"),
                access_tier: wanted.access_tier.clone(),
                is_hns_enabled: wanted.hierarchical,
                encryption: layered
                    .map(|_| json!({"keySource": "Microsoft.Storage", "requireInfrastructureEncryption": true})),
            },
        }
    }
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    name_available: bool,
    #[serde(default)]
    message: Option<String>,
}

impl Storage<'_> {
    /// Why nobody could make an account of this name now; `None` where it is free.
    pub(crate) async fn name_taken(&self, name: &str) -> Result<Option<String>> {
        let path = Path::subscription(Version::Storage, self.subscription)
            .fixed("providers/Microsoft.Storage/checkNameAvailability");
        let subject = ("Microsoft.Storage/checkNameAvailability/action", name);
        let call = self.request(subject, (Method::Post, &path), Family::Reads)?;
        let call = Call {
            body: Some(json!({"name": name, "type": "Microsoft.Storage/storageAccounts"})),
            ..call
        };
        let said: Availability = self.arm.call(&call).await?.read(&call)?;
        let why = || said.message.unwrap_or_else(|| "Azure gives no reason".to_owned());
        Ok((!said.name_available).then(why))
    }

    /// Makes an account, or brings one of ours to the same shape, and waits until it can be used.
    pub(crate) async fn create_account(&self, place: &AccountPlace, body: &AccountBody) -> Result<StorageAccount> {
        let path = self.account_path(place);
        let subject = ("Microsoft.Storage/storageAccounts/write", &*place.account);
        let call = self.request(subject, (Method::Put, &path), Family::Writes)?;
        let call = Call {
            body: Some(as_json(body, &call)?),
            ..call
        };
        let begun = self.arm.call(&call).await?;
        let accepted = begun.status == 202;
        let answer = tokio::select! {
            answer = self.arm.follow(&call, begun) => answer?,
            account = self.becomes_ready(place), if accepted => return Ok(account),
        };
        // The last answer of an operation may have no body.
        match made(&answer, &call) {
            Some(account) => Ok(account),
            None => self.account(place).await?.ok_or_else(|| {
                let message = "Azure made it and does not show it; run again to look";
                call.subject().error(ErrorKind::Internal, message)
            }),
        }
    }

    /// Looks at an account that is being made until it can be used. Operations ask to be looked at after whole seconds or
    /// more, and accounts are often ready before: a look costs a read, of which there are plenty. Never ends where the account
    /// cannot be seen: what went wrong its operation says.
    async fn becomes_ready(&self, place: &AccountPlace) -> StorageAccount {
        let mut pause = FIRST_LOOK;
        loop {
            tokio::time::sleep(pause).await;
            match self.account(place).await {
                Ok(Some(account)) if account.is_ready() => return account,
                Ok(_) => pause = (pause * 5 / 4).min(LAST_LOOK),
                Err(_) => return std::future::pending().await,
            }
        }
    }

    pub(crate) async fn account(&self, place: &AccountPlace) -> Result<Option<StorageAccount>> {
        let path = self.account_path(place);
        let subject = ("Microsoft.Storage/storageAccounts/read", &*place.account);
        self.arm
            .get(&self.request(subject, (Method::Get, &path), Family::Reads)?)
            .await
    }

    /// Gives an account these tags and no others.
    pub(crate) async fn set_account_tags(
        &self,
        place: &AccountPlace,
        tags: &BTreeMap<String, String>,
    ) -> Result<StorageAccount> {
        let path = self.account_path(place);
        let subject = ("Microsoft.Storage/storageAccounts/write", &*place.account);
        let call = Call {
            body: Some(json!({"tags": tags})),
            ..self.request(subject, (Method::Patch, &path), Family::Writes)?
        };
        self.arm.call(&call).await?.read(&call)
    }

    /// Deletes an account with everything in it; one that is absent is success.
    pub(crate) async fn delete_account(&self, place: &AccountPlace) -> Result<()> {
        let path = self.account_path(place);
        let subject = ("Microsoft.Storage/storageAccounts/delete", &*place.account);
        let call = self.request(subject, (Method::Delete, &path), Family::Writes)?;
        match self.arm.complete(&call).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Every account of the scope.
    pub(crate) async fn accounts(&self) -> Result<Vec<StorageAccount>> {
        let listings = self.everywhere(
            (Version::Storage, "Microsoft.Storage/storageAccounts"),
            |path, place| Listing {
                operation: "Microsoft.Storage/storageAccounts/read",
                resource: format!("accounts of {place}"),
                path,
                family: Family::Lists,
            },
        );
        self.arm.all_of(listings).await
    }

    /// The account's first key.
    pub(crate) async fn key(&self, place: &AccountPlace) -> Result<Sensitive> {
        let path = self.account_path(place).fixed("listKeys");
        let subject = ("Microsoft.Storage/storageAccounts/listKeys/action", &*place.account);
        let call = self.request(subject, (Method::Post, &path), Family::Urgent)?;
        let keys: Keys = self.arm.call(&call).await?.read(&call)?;
        let first = keys.keys.into_iter().next().map(|key| Sensitive::new(key.value));
        first.ok_or_else(|| call.subject().error(ErrorKind::Internal, "the account has no keys"))
    }
}

fn made(answer: &Answer, call: &Call<'_>) -> Option<StorageAccount> {
    let account: StorageAccount = answer.read(call).ok()?;
    (account.is_ready() && account.group().is_some()).then_some(account)
}
