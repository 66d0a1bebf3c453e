//! What a run store must do.
//!
//! A case works in a store that is empty and its own; two handles of it stand for two machines.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;

use super::cloud::Accident;
use super::{Case, cases};
use crate::{ErrorKind, Result, RunStore, StoreKey};

mod accidents;
mod deleting;
mod listing;
mod racing;
mod reading;
mod writing;

/// A store under test.
pub type Backend = Arc<dyn StoreBackend>;

/// What the cases need of a store, and what others do to it meanwhile.
#[async_trait(?Send)]
pub trait StoreBackend: Send + Sync + 'static {
    /// A new handle of the store, which shares nothing with the others but the store itself.
    fn open(&self) -> Arc<dyn RunStore>;

    /// The same for a store whose bucket or container was never made.
    fn missing(&self) -> Arc<dyn RunStore>;

    /// Somebody else puts something there, under a name that need be no key.
    async fn put_foreign(&self, name: &str, value: &[u8]);

    /// The next `times` requests with an HTTP method (`PUT`) meet with an accident.
    fn strike(&self, method: &'static str, accident: Accident, times: usize);
}

/// The cases for every store.
pub fn cases() -> Vec<Case<Backend>> {
    cases![
        reading::what_is_not_there_is_none,
        reading::bytes_come_back_as_they_were,
        reading::what_was_answered_is_seen_by_all,
        writing::a_key_is_made_once,
        writing::a_value_is_replaced_by_who_has_seen_it,
        writing::a_value_that_changed_is_not_replaced,
        writing::what_is_gone_is_not_replaced,
        writing::what_is_too_large_is_refused,
        writing::folders_need_not_be_made,
        deleting::a_value_is_deleted_by_who_has_seen_it,
        deleting::a_value_that_changed_is_not_deleted,
        deleting::what_is_gone_is_not_deleted_again,
        racing::one_of_many_makes_a_key,
        racing::no_increment_is_lost,
        racing::a_value_is_replaced_or_deleted_and_not_both,
        listing::is_empty_at_first,
        listing::is_in_order_and_complete,
        listing::is_of_a_folder,
        listing::leaves_out_what_is_no_key,
    ]
}

/// The cases for stores that are services: they can be missing, and lose answers.
pub fn service_cases() -> Vec<Case<Backend>> {
    cases![
        reading::a_missing_place_is_never_an_empty_one,
        listing::pages_are_followed,
        accidents::a_lost_answer_makes_no_stranger_of_a_creation,
        accidents::a_lost_answer_makes_no_stranger_of_a_replacement,
        accidents::a_lost_answer_makes_no_failure_of_a_deletion,
        accidents::a_failure_after_the_effect_is_found_out,
        accidents::a_lost_request_is_sent_again,
        accidents::throttling_is_waited_out,
        accidents::what_stays_away_is_an_error,
        accidents::a_list_that_breaks_off_is_an_error,
    ]
}

fn key(text: &str) -> StoreKey {
    StoreKey::new(text).unwrap()
}

async fn value(store: &dyn RunStore, text: &str) -> Option<Vec<u8>> {
    let found = store.read(&key(text)).await.unwrap();
    found.map(|found| found.value)
}

async fn listed(store: &dyn RunStore, folder: Option<&str>) -> Vec<String> {
    let folder = folder.map(key);
    let keys: Result<Vec<_>> = store.list(folder.as_ref()).try_collect().await;
    keys.unwrap().iter().map(ToString::to_string).collect()
}

/// The kind of the failure that this must be.
fn refused<T>(outcome: Result<T>) -> ErrorKind {
    match outcome {
        Ok(_) => panic!("it was done"),
        Err(error) => error.kind,
    }
}
