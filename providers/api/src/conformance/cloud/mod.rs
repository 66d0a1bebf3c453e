//! What a cloud must do: the account, its volumes with their tags and snapshots, its load balancers.
//!
//! The values are EBS's and ELB's, as AWS documents them. A case makes what it needs under a label of its own, so that many cases
//! can share an account; taking it away again is the test program's part, for a case that fails cannot.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;

use super::{Case, cases, eventually};
use crate::{
    Accounts, ClientToken, Inventory, LoadBalancerKind, LoadBalancers, NewVolume, Recovery, Result, Tagging, Tags,
    Volume, VolumeConfig, VolumeFilter, VolumeId, VolumeSpec, Volumes,
};

mod accounts;
mod creation;
mod inventory;
mod listing;
mod load_balancers;
mod recovery;
mod removal;
mod snapshots;
mod tagging;
mod tokens;

/// A cloud under test.
pub type Backend = Arc<dyn CloudBackend>;

/// The key of the tag that everything made by a case carries; its value is [`CloudBackend::label`].
pub const LABEL: &str = "moorline-case";

/// How long a cloud may take to show what was done to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the cases need of a cloud: its capabilities, and what other people and the network do to it meanwhile.
#[async_trait(?Send)]
pub trait CloudBackend: Send + Sync + 'static {
    /// The account.
    fn accounts(&self) -> &dyn Accounts;

    /// The volumes.
    fn volumes(&self) -> &dyn Volumes;

    /// The load balancers.
    fn load_balancers(&self) -> &dyn LoadBalancers;

    /// Everything that there is.
    fn inventory(&self) -> &dyn Inventory;

    /// The tags.
    fn tagging(&self) -> &dyn Tagging;

    /// The snapshots.
    fn recovery(&self) -> &dyn Recovery;

    /// What names this run of this case: at most 12 lower-case letters and digits, never used before.
    fn label(&self) -> &str;

    /// Attaches a volume to a machine, as a kubelet would have it; done when the cloud shows it.
    async fn attach(&self, id: &VolumeId);

    /// Detaches it again; done when the cloud shows it.
    async fn detach(&self, id: &VolumeId);

    /// Makes a load balancer, as a cluster's cloud controller would, and gives the hostname that the cloud answers with.
    async fn make_balancer(&self, kind: LoadBalancerKind, name: &str, tags: &Tags) -> String;

    /// Switches a load balancer's protection against deletion on or off.
    async fn protect_balancer(&self, id: &str, on: bool);

    /// How often an operation (`CreateVolume`) has been sent.
    fn sent(&self, operation: &str) -> usize;

    /// The next `times` calls of an operation meet with an accident.
    fn strike(&self, operation: &'static str, accident: Accident, times: usize);
}

/// What can happen to a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// Refused for its rate; it has no effect.
    Throttled,
    /// The service fails before the call has its effect.
    Failed,
    /// The service fails after the call had its effect.
    FailedAfterwards,
    /// The connection breaks before the call arrives.
    RequestLost,
    /// The connection breaks after the call had its effect.
    AnswerLost,
    /// The service does not have this API.
    Lacking,
}

/// Every case, by module and function.
pub fn cases() -> Vec<Case<Backend>> {
    cases![
        accounts::names_itself_and_the_caller,
        accounts::has_zones_of_its_region,
        accounts::is_asked_only_once,
        creation::every_type_is_as_asked,
        creation::an_encrypted_volume_says_so_and_names_its_key,
        creation::a_volume_says_what_its_type_gives_by_default,
        creation::tags_come_with_the_creating_call,
        creation::a_size_that_the_type_does_not_have_is_refused,
        creation::a_zone_that_the_region_does_not_have_is_refused,
        creation::a_type_that_does_not_exist_is_refused,
        creation::a_performance_that_the_size_does_not_give_is_refused,
        creation::many_waits_share_their_reads,
        tokens::the_same_token_gives_the_same_volume,
        tokens::a_token_with_other_parameters_is_burnt,
        tokens::the_token_of_a_deleted_volume_is_burnt,
        tokens::the_next_generation_makes_a_new_volume,
        tokens::a_lost_answer_makes_no_second_volume,
        tokens::answers_lost_again_and_again_make_no_second_volume,
        tokens::a_failure_after_the_effect_makes_no_second_volume,
        tokens::a_lost_request_is_sent_again,
        tokens::a_failure_before_the_effect_is_tried_again,
        tokens::a_throttled_creation_waits_and_goes_on,
        listing::only_what_has_all_of_the_tags,
        listing::the_value_of_a_tag_is_no_pattern,
        listing::ids_that_nobody_has_are_left_out,
        listing::everything_is_listed_whoever_made_it,
        listing::more_than_a_page_is_listed_whole_in_few_calls,
        listing::a_failed_page_is_read_again,
        removal::what_is_absent_is_gone_already,
        removal::a_deleted_volume_vanishes_or_is_shown_as_deleted,
        removal::nobody_waits_for_a_volume_that_is_gone,
        removal::an_attached_volume_is_in_use,
        removal::a_deletion_whose_answer_is_lost_is_done,
        snapshots::one_name_is_one_snapshot,
        snapshots::a_lost_answer_takes_no_second_snapshot,
        snapshots::nothing_is_taken_of_a_volume_that_is_absent,
        load_balancers::a_classic_one_has_its_service,
        load_balancers::a_network_one_has_its_service,
        load_balancers::an_application_one_has_its_service,
        load_balancers::more_than_a_page_is_listed_whole_in_few_calls,
        load_balancers::hostnames_may_differ_in_case,
        load_balancers::a_failed_page_is_read_again,
        load_balancers::a_lacking_api_is_told_once_and_last,
        load_balancers::a_listing_is_whole_or_says_that_the_api_is_lacking,
        load_balancers::a_deleted_classic_one_is_gone,
        load_balancers::a_deleted_network_one_is_gone,
        load_balancers::a_deleted_application_one_is_gone,
        load_balancers::another_one_of_the_same_name_stays,
        load_balancers::a_protected_one_is_in_use,
        load_balancers::a_deletion_whose_answer_is_lost_is_done,
        inventory::everything_is_in_it_with_all_of_its_tags,
        inventory::a_page_that_fails_for_good_ends_it_with_an_error,
        inventory::what_is_read_again_is_whole_and_costs_few_calls,
        inventory::the_clock_is_that_of_its_answers_and_goes_on,
        tagging::many_things_change_in_one_call_and_keep_their_other_tags,
        tagging::what_is_absent_counts_as_done_and_stops_nobody,
        tagging::what_is_refused_for_one_stops_nobody_else,
        tagging::a_change_whose_answer_is_lost_is_made_once_more,
        tagging::a_call_that_fails_for_good_is_told_of_each_thing,
        tagging::load_balancers_of_both_generations_bear_marks,
        recovery::a_snapshot_says_what_its_volume_was_like,
        recovery::a_volume_comes_back_as_it_was,
        recovery::the_same_token_brings_one_volume_back,
        recovery::a_lost_answer_brings_no_second_volume_back,
        recovery::a_larger_volume_can_be_made,
        recovery::a_smaller_volume_is_refused,
        recovery::what_was_encrypted_stays_encrypted,
        recovery::only_what_has_all_of_the_tags_is_listed,
        recovery::a_deleted_snapshot_is_gone_and_once_more_is_no_failure,
    ]
}

/// The tags of one thing that a case makes; `name` tells it from the case's others.
fn tags(cloud: &Backend, name: &str) -> Tags {
    Tags::from([
        (LABEL.to_owned(), cloud.label().to_owned()),
        ("Name".to_owned(), name.to_owned()),
    ])
}

/// An EBS volume's configuration with everything left to the type.
fn plain(volume_type: &str) -> VolumeConfig {
    VolumeConfig::ebs(volume_type)
}

/// The smallest ordinary volume, in the region's first zone.
async fn small(cloud: &Backend, name: &str) -> NewVolume {
    let zone = cloud.accounts().account().await.unwrap().zones.swap_remove(0);
    NewVolume {
        spec: VolumeSpec {
            size_gib: 1,
            zone: Some(zone),
            config: plain("gp3"),
        },
        token: ClientToken {
            claim_uid: format!("{}-{name}", cloud.label()),
            generation: 1,
        },
        tags: tags(cloud, name),
    }
}

/// Creates a volume and waits until it can be attached.
async fn create(cloud: &Backend, new: &NewVolume) -> Volume {
    let created = cloud.volumes().create(new).await.unwrap();
    cloud.volumes().wait_usable(&created.id).await.unwrap()
}

/// A whole listing.
async fn list(cloud: &Backend, filter: VolumeFilter) -> Result<Vec<Volume>> {
    cloud.volumes().list(filter).try_concat().await
}

/// The volumes of this case that are alive.
async fn alive(cloud: &Backend) -> Vec<Volume> {
    let label = Tags::from([(LABEL.to_owned(), cloud.label().to_owned())]);
    let mut volumes = list(cloud, VolumeFilter::Tagged(label)).await.unwrap();
    volumes.retain(|volume| volume.state.is_alive());
    volumes
}

/// Ids in order, to compare without regard to the order of a listing.
fn ids(volumes: &[Volume]) -> Vec<VolumeId> {
    let mut ids: Vec<_> = volumes.iter().map(|volume| volume.id.clone()).collect();
    ids.sort();
    ids
}

/// Waits until the living volumes of this case are these.
async fn settled(cloud: &Backend, mut expected: Vec<VolumeId>) {
    expected.sort();
    eventually("the volumes that are expected", PATIENCE, async || {
        let found = ids(&alive(cloud).await);
        if found == expected {
            Ok(())
        } else {
            Err(format!("{} volumes instead of {}", found.len(), expected.len()))
        }
    })
    .await;
}
