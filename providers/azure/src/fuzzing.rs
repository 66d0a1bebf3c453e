//! The readers of what Azure sends, for the fuzz targets: they are no part of the contract.

use std::collections::BTreeMap;

use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use bytes::Bytes;
use moorline_api::{Error, Tags};

use crate::arm::Answer;
use crate::errors::{self, Subject};
use crate::metadata;

/// The error that an answer of this status becomes.
pub fn refusal(status: u16, retry_after: &str, body: &[u8]) -> Error {
    let subject = Subject {
        operation: "Microsoft.Storage/storageAccounts/write",
        resource: "account fuzz",
    };
    let mut headers = Headers::new();
    headers.insert(
        HeaderName::from_static("retry-after"),
        HeaderValue::from(retry_after.to_owned()),
    );
    let answer = Answer {
        status,
        headers,
        body: Bytes::copy_from_slice(body),
    };
    errors::from_answer(subject, &answer)
}

/// The error of an operation that was accepted and whose status says that it failed.
pub fn failed_operation(error: &serde_json::Value) -> Error {
    let subject = Subject {
        operation: "Microsoft.Compute/disks/write",
        resource: "",
    };
    errors::failed_operation(subject, Some(error))
}

/// Metadata of shares and containers as tags.
pub fn decoded(metadata: &BTreeMap<String, String>) -> Tags {
    metadata::decode(metadata)
}

/// Tags as metadata and back.
pub fn there_and_back(tags: &Tags) -> Tags {
    metadata::decode(&metadata::encode(tags))
}

/// Tags as those of a resource of Resource Manager and back.
pub fn there_and_back_on_a_resource(tags: &Tags) -> Tags {
    metadata::of_resource(&metadata::resource_tags(tags))
}
