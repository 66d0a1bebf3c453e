//! What lies behind claims: their PersistentVolumes, the cloud's volumes, and how full these are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use moorline_api::{Error, Volume, VolumeId};
use moorline_profile::Profile;
use tokio::time::Instant;

use super::Listed;
use crate::context::Context;
use crate::fold::{ClaimView, PvView};
use crate::observe::{self, CloudVolumes, Site};
use crate::outcome::CloudVolume;
use crate::usage::{self, Used};

/// While a status is followed, the cloud is asked again after this long: it has no watch, and its listings are dear.
const AGAIN: Duration = Duration::from_secs(30);
/// A volume that was not there before is asked for this long after the last question.
const AGAIN_FOR_NEW: Duration = Duration::from_secs(10);

/// What lies behind the claims of a profile. The cloud's part is remembered from one look to the next.
#[derive(Default)]
pub(super) struct Behind {
    with_usage: bool,
    persistent_volumes: BTreeMap<String, PvView>,
    volumes: CloudVolumes,
    used: Used,
    asked: Option<Asked>,
    /// Why the volumes cannot be known.
    failure: Option<String>,
}

/// The last question to the cloud.
struct Asked {
    at: Instant,
    about: BTreeSet<VolumeId>,
}

impl Asked {
    /// Whether to ask again about these volumes.
    fn is_stale(&self, about: &BTreeSet<VolumeId>, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.at);
        age >= AGAIN || (age >= AGAIN_FOR_NEW && !about.is_subset(&self.about))
    }
}

impl Behind {
    /// One that also asks how full the volumes are, which costs a call for each.
    pub(super) fn with_usage() -> Self {
        Self {
            with_usage: true,
            ..Self::default()
        }
    }

    /// Reads what may have changed.
    pub(super) async fn look(&mut self, ctx: &Context, profile: &Profile, site: &Site, claims: &[Listed]) {
        let live: Vec<&ClaimView> = claims.iter().filter_map(|claim| claim.live.as_ref()).collect();
        let names = live.iter().map(|claim| claim.volume_name.clone());
        let names = names.filter(|name| !name.is_empty()).collect();
        match observe::persistent_volumes(ctx, names).await {
            Ok(volumes) => self.persistent_volumes = volumes,
            Err(error) => {
                *self = Self {
                    with_usage: self.with_usage,
                    failure: Some(failure(&error)),
                    ..Self::default()
                };
                return;
            }
        }
        if claims.is_empty() || site.account.is_none() {
            return;
        }
        let ids = self.persistent_volumes.values().filter_map(|pv| pv.volume.clone());
        let about: BTreeSet<VolumeId> = ids.collect();
        let stale = |asked: &Asked| asked.is_stale(&about, Instant::now());
        if self.asked.as_ref().is_none_or(stale) {
            self.ask(ctx, profile, site, about, &live).await;
        }
    }

    async fn ask(
        &mut self,
        ctx: &Context,
        profile: &Profile,
        site: &Site,
        about: BTreeSet<VolumeId>,
        claims: &[&ClaimView],
    ) {
        let read = CloudVolumes::read(ctx, &site.cluster.uid, &profile.name, about.clone()).await;
        self.failure = read.as_ref().err().map(failure);
        self.volumes = read.unwrap_or_default();
        if self.with_usage {
            let volumes = claims.iter().filter_map(|claim| self.volume_of(claim));
            self.used = usage::used(ctx, volumes.map(|volume| volume.id.clone()).collect()).await;
        }
        self.asked = Some(Asked {
            at: Instant::now(),
            about,
        });
    }

    /// The id that a claim's PersistentVolume names.
    pub(super) fn id_of(&self, claim: &ClaimView) -> Option<&VolumeId> {
        self.persistent_volumes.get(&claim.volume_name)?.volume.as_ref()
    }

    /// The cloud's volume behind a claim: the one that its PersistentVolume names, or else the one that was made for it.
    pub(super) fn volume_of(&self, claim: &ClaimView) -> Option<&Volume> {
        match self.id_of(claim) {
            Some(id) => self.volumes.get(id),
            None => self.volumes.of_claim(&claim.uid).into_iter().next(),
        }
    }

    /// Whether the cloud was asked for a volume and does not have it.
    pub(super) fn lacks(&self, id: &VolumeId) -> bool {
        let asked = self.asked.as_ref().is_some_and(|asked| asked.about.contains(id));
        asked && self.failure.is_none() && self.volumes.get(id).is_none()
    }

    /// The cloud's volume behind a claim, as an outcome.
    pub(super) fn cloud_volume_of(&self, claim: &ClaimView) -> Option<CloudVolume> {
        self.volume_of(claim).map(|volume| CloudVolume {
            id: volume.id.to_string(),
            sort: volume.spec.config.sort(),
            name: volume.id.name().to_owned(),
            holder: volume.spec.config.holder().map(str::to_owned),
            zone: volume.spec.zone.clone(),
            volume_type: volume.spec.config.type_name().to_owned(),
            size_gib: volume.spec.size_gib,
            used_bytes: self.used.bytes.get(&volume.id).copied(),
            state: volume.state.to_string(),
            attachments: volume.attachments.clone(),
        })
    }

    /// Why the volumes cannot be known, where they cannot.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What is not known about them, a sentence each.
    pub(super) fn notices(&self) -> &[String] {
        &self.used.notices
    }
}

fn failure(error: &Error) -> String {
    format!("volumes could not be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_missing_only_where_the_cloud_was_asked_and_answered() {
        let id = VolumeId("vol-1".to_owned());
        let mut behind = Behind::default();
        assert!(!behind.lacks(&id), "not asked");
        behind.asked = Some(Asked {
            at: Instant::now(),
            about: BTreeSet::from([id.clone()]),
        });
        assert!(behind.lacks(&id));
        assert!(
            !behind.lacks(&VolumeId("vol-2".to_owned())),
            "not asked for this one yet"
        );
        behind.failure = Some("no answer".to_owned());
        assert!(!behind.lacks(&id), "no answer");
    }

    #[test]
    fn the_cloud_is_left_alone_for_a_while() {
        let ids = |names: &[&str]| names.iter().map(|name| VolumeId((*name).to_owned())).collect();
        let start = Instant::now();
        let asked = Asked {
            at: start,
            about: ids(&["a", "b"]),
        };
        let stale = |about: &[&str], seconds| asked.is_stale(&ids(about), start + Duration::from_secs(seconds));
        assert!(!stale(&["a", "b"], 29), "nothing new");
        assert!(!stale(&["a"], 29), "fewer are no news");
        assert!(stale(&["a", "b"], 30));
        assert!(!stale(&["a", "c"], 9), "news have to wait, too");
        assert!(stale(&["a", "c"], 10));
    }
}
