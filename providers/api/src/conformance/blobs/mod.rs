//! What blob storage does: containers, blobs, conditions and leases, as the REST documentation of Azure Storage says it.
//!
//! What is built on it counts on every word of this: that of two writers one wins, and that what is leased is not deleted.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Case, cases};

mod containers;
mod leases;
mod writes;

/// Blob storage under test.
pub type Backend = Arc<dyn BlobBackend>;

/// A refusal, by its status and its code: `409 ContainerAlreadyExists`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code of Azure Storage.
    pub code: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

/// What comes of a call.
pub type Outcome<T> = Result<T, Refusal>;

/// On what a write depends.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// On nothing.
    None,
    /// That there is no such blob: `If-None-Match: *`.
    Absent,
    /// That the blob is still this one: `If-Match`.
    Unchanged(&'a str),
}

/// What is done with a lease.
#[derive(Clone, Copy, Debug)]
pub enum LeaseAction<'a> {
    /// It is taken for so many seconds; -1 is for ever.
    Acquire(i32),
    /// It begins anew.
    Renew(&'a str),
    /// It is given back.
    Release(&'a str),
    /// It is taken away at once.
    Break,
}

/// What has a lease: a container, or a blob in one.
pub type Leased<'a> = (&'a str, Option<&'a str>);

/// What the cases need.
#[async_trait(?Send)]
pub trait BlobBackend: Send + Sync + 'static {
    /// What the names of this case's containers begin with; never used before.
    fn label(&self) -> &str;

    /// Makes a container.
    async fn create_container(&self, name: &str, metadata: &BTreeMap<String, String>) -> Outcome<()>;

    /// A container's metadata, and whether it is leased.
    async fn container(&self, name: &str) -> Outcome<(BTreeMap<String, String>, bool)>;

    /// The names and metadata of the containers that begin so, page by page of so many.
    async fn containers(&self, prefix: &str, page: i32) -> Outcome<Vec<Vec<(String, BTreeMap<String, String>)>>>;

    /// Deletes a container, as the holder of a lease where one is given.
    async fn delete_container(&self, name: &str, lease: Option<&str>) -> Outcome<()>;

    /// Writes a blob, as the holder of a lease where one is given, and gives its new tag.
    async fn put(&self, at: (&str, &str), text: &str, condition: Condition<'_>, lease: Option<&str>)
    -> Outcome<String>;

    /// Reads a blob and its tag.
    async fn get(&self, at: (&str, &str)) -> Outcome<(String, String)>;

    /// The names and sizes of a container's blobs, page by page of so many.
    async fn blobs(&self, container: &str, page: i32) -> Outcome<Vec<Vec<(String, u64)>>>;

    /// Deletes a blob.
    async fn delete_blob(&self, at: (&str, &str)) -> Outcome<()>;

    /// Does something with a lease; gives its id where it is taken or renewed.
    async fn lease(&self, of: Leased<'_>, action: LeaseAction<'_>) -> Outcome<String>;
}

/// Every case, by module and function.
pub fn cases() -> Vec<Case<Backend>> {
    cases![
        containers::one_is_made_once,
        containers::its_metadata_come_back,
        containers::one_that_is_absent_is_not_found,
        containers::pages_are_whole_and_tell_metadata,
        containers::one_that_was_deleted_is_gone_with_its_blobs,
        containers::a_name_is_held_after_a_deletion,
        containers::names_are_refused_as_documented,
        writes::one_of_two_creations_wins,
        writes::of_two_changes_of_one_state_one_wins,
        writes::a_change_of_what_is_gone_is_refused,
        writes::a_blob_reads_as_it_was_written,
        writes::blobs_come_in_pages,
        writes::a_container_that_is_absent_takes_nothing,
        leases::one_holder_at_a_time,
        leases::a_leased_container_is_deleted_by_its_holder_only,
        leases::a_leased_blob_is_written_by_its_holder_only,
        leases::a_renewed_lease_is_the_same,
        leases::a_broken_lease_is_free,
        leases::a_lease_of_seconds_ends_by_itself,
        leases::its_length_has_bounds,
    ]
}

/// The name of a container of the case's own.
fn name(backend: &Backend, what: &str) -> String {
    format!("{}-{what}", backend.label())
}

/// Makes a container without metadata.
async fn container(backend: &Backend, what: &str) -> String {
    let name = name(backend, what);
    backend.create_container(&name, &BTreeMap::new()).await.unwrap();
    name
}

fn refusal(status: u16, code: &str) -> Refusal {
    Refusal {
        status,
        code: code.to_owned(),
    }
}
