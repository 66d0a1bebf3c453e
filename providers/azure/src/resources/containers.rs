//! Blob containers, by Resource Manager.

use std::collections::BTreeMap;

use azure_core::http::Method;
use moorline_api::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AccountPlace, Storage};
use crate::arm::{Call, IF_MATCH, Listing, Path};
use crate::governor::Family;

/// A container as Azure shows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Container {
    pub(crate) name: String,
    /// Which state of it this is.
    #[serde(default)]
    pub(crate) etag: Option<String>,
    #[serde(default)]
    pub(crate) properties: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerState {
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    pub(crate) last_modified_time: Option<String>,
    pub(crate) deleted: Option<bool>,
    pub(crate) remaining_retention_days: Option<u32>,
    pub(crate) lease_state: Option<String>,
    pub(crate) has_legal_hold: Option<bool>,
    pub(crate) has_immutability_policy: Option<bool>,
}

impl Container {
    pub(crate) fn is_deleted(&self) -> bool {
        self.properties.deleted == Some(true)
    }
}

/// A container to be.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerBody {
    pub(crate) public_access: &'static str,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Storage<'_> {
    fn containers_path(&self, place: &AccountPlace) -> Path {
        self.account_path(place).fixed("blobServices/default/containers")
    }

    fn container_call<'a>(
        &self,
        (operation, container): (&'static str, &'a str),
        method: Method,
        place: &AccountPlace,
    ) -> Result<Call<'a>> {
        let path = self.containers_path(place).named(container);
        self.request((operation, container), (method, &path), Family::of_one(method))
    }

    /// Makes a container. `true` where it is new, `false` where one of that name was there already.
    pub(crate) async fn create_container(
        &self,
        place: &AccountPlace,
        name: &str,
        body: &ContainerBody,
    ) -> Result<bool> {
        let subject = ("Microsoft.Storage/storageAccounts/blobServices/containers/write", name);
        let call = Call {
            body: Some(json!({"properties": body})),
            ..self.container_call(subject, Method::Put, place)?
        };
        Ok(self.arm.call(&call).await?.status == 201)
    }

    pub(crate) async fn container(&self, place: &AccountPlace, name: &str) -> Result<Option<Container>> {
        let subject = ("Microsoft.Storage/storageAccounts/blobServices/containers/read", name);
        self.arm.get(&self.container_call(subject, Method::Get, place)?).await
    }

    /// Deletes a container; one that is absent is success. `true` where Azure answered that it is gone, `false` where it is on
    /// its way out.
    pub(crate) async fn delete_container(&self, place: &AccountPlace, name: &str) -> Result<bool> {
        let subject = ("Microsoft.Storage/storageAccounts/blobServices/containers/delete", name);
        let call = self.container_call(subject, Method::Delete, place)?;
        match self.arm.call(&call).await {
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.kind == moorline_api::ErrorKind::TokenBurnt => Ok(false),
            other => other.map(|answer| answer.status != 202),
        }
    }

    /// Gives a container these metadata and no others, if it is still what was read; `ErrorKind::Stale` where it is not.
    pub(crate) async fn set_container_metadata(
        &self,
        place: &AccountPlace,
        name: &str,
        (metadata, etag): (&BTreeMap<String, String>, Option<String>),
    ) -> Result<()> {
        let subject = ("Microsoft.Storage/storageAccounts/blobServices/containers/write", name);
        let call = Call {
            body: Some(json!({"properties": {"metadata": metadata}})),
            header: etag.map(|etag| (IF_MATCH, etag)),
            ..self.container_call(subject, Method::Patch, place)?
        };
        self.arm.call(&call).await.map(drop)
    }

    /// The account's containers, without metadata; deleted ones that are kept too, where asked.
    pub(crate) async fn containers(&self, place: &AccountPlace, deleted: bool) -> Result<Vec<Container>> {
        self.arm.all(self.container_listing(place, deleted)).await
    }

    /// The listing of an account's containers.
    pub(crate) fn container_listing(&self, place: &AccountPlace, deleted: bool) -> Listing {
        let mut path = self.containers_path(place);
        if deleted {
            path = path.query("$include", "deleted");
        }
        Listing {
            operation: "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            resource: format!("containers of account {}", place.account),
            path,
            family: Family::Lists,
        }
    }
}
