//! One call's view of the account: the region it works in, the time it is, and what it may see and change.

use std::sync::{Arc, MutexGuard};

use jiff::Timestamp;

use crate::account::Account;
use crate::error::AwsError;
use crate::model::balancer::LoadBalancer;
use crate::model::snapshot::SnapshotRecord;
use crate::model::volume::{Standing, VolumeRecord};
use crate::roles::RoleSession;
use crate::settings::AwsSettings;

/// The account under lock, for the length of one call.
pub(crate) struct Session<'a> {
    pub(crate) account: MutexGuard<'a, Account>,
    pub(crate) settings: Arc<AwsSettings>,
    pub(crate) region: String,
    pub(crate) now: Timestamp,
    /// Changes are refused with `DryRunOperation` instead of being made.
    pub(crate) dry_run: bool,
    /// The role that the caller took on, if any.
    pub(crate) assumed: Option<RoleSession>,
    /// Whether the call changed something.
    pub(crate) changed: bool,
}

impl Session<'_> {
    /// The youngest moment that readers see.
    pub(crate) fn horizon(&self) -> Timestamp {
        self.now - self.settings.lag()
    }

    /// When something deleted now will be gone.
    pub(crate) fn gone_at(&self) -> Timestamp {
        self.now + self.settings.lag() + self.settings.deletion()
    }

    /// To be called after all checks and before the first change: a dry run ends here.
    pub(crate) fn about_to_change(&mut self) -> Result<(), AwsError> {
        if self.dry_run {
            return Err(would_have_succeeded());
        }
        self.changed = true;
        Ok(())
    }

    /// The volume as it really is; deleted ones do not exist.
    pub(crate) fn volume(&self, id: &str) -> Result<Standing<'_>, AwsError> {
        let record = self.account.volumes.get(id);
        record
            .filter(|volume| volume.region == self.region && volume.gone_at.is_none())
            .and_then(|volume| volume.at(self.now))
            .ok_or_else(|| AwsError::volume_not_found(id))
    }

    /// Whether at least so many volumes count against the region's limit; no more of them are counted.
    pub(crate) fn holds_volumes(&self, count: usize) -> bool {
        let volumes = self.account.volumes.all().map(|(_, volume)| volume);
        let held = volumes.filter(|volume| volume.region == self.region && volume.gone_at.is_none());
        held.take(count).count() == count
    }

    /// Changes a volume that [`Session::volume`] found.
    pub(crate) fn change_volume(&mut self, id: &str, change: impl FnOnce(&mut VolumeRecord)) -> Result<(), AwsError> {
        let times = (self.now, self.horizon());
        Ok(self.account.volumes.change(id, times, change)?)
    }

    /// The volumes of the region as readers see them now, by id.
    pub(crate) fn visible_volumes(&self) -> impl Iterator<Item = Standing<'_>> {
        self.visible_volumes_after(None)
    }

    /// The same, behind an id.
    pub(crate) fn visible_volumes_after(&self, after: Option<&str>) -> impl Iterator<Item = Standing<'_>> {
        let seen = self.account.volumes.seen_after(after, self.horizon());
        seen.filter_map(|(_, volume)| self.here(volume))
    }

    /// One volume of the region as readers see it now.
    pub(crate) fn visible_volume(&self, id: &str) -> Option<Standing<'_>> {
        self.here(self.account.volumes.sight(id, self.horizon())?)
    }

    /// The volume as it stands now, if it is in this region.
    fn here<'a>(&self, volume: &'a VolumeRecord) -> Option<Standing<'a>> {
        (volume.region == self.region).then(|| volume.at(self.now)).flatten()
    }

    /// The snapshot as it really is; deleted ones do not exist.
    pub(crate) fn snapshot(&self, id: &str) -> Result<&SnapshotRecord, AwsError> {
        let record = self.account.snapshots.get(id);
        record
            .filter(|snapshot| snapshot.region == self.region && snapshot.gone_at.is_none())
            .ok_or_else(|| {
                AwsError::new(
                    "InvalidSnapshot.NotFound",
                    format!("The snapshot '{id}' does not exist."),
                )
            })
    }

    /// The snapshots of the region as readers see them now, by id.
    pub(crate) fn visible_snapshots(&self) -> impl Iterator<Item = &SnapshotRecord> {
        self.account
            .snapshots
            .seen("", self.horizon())
            .map(|(_, snapshot)| snapshot)
            // A snapshot has no state for being deleted: it is there, or it is not.
            .filter(|snapshot| snapshot.region == self.region && snapshot.gone_at.is_none())
    }

    /// The load balancers of the region as readers see them now, by key.
    pub(crate) fn visible_balancers(&self) -> impl Iterator<Item = &LoadBalancer> {
        self.account
            .balancers
            .seen("", self.horizon())
            .map(|(_, balancer)| balancer)
            .filter(|balancer| balancer.region == self.region && balancer.gone_at.is_none())
    }
}

/// What a dry run that would have succeeded answers.
pub(crate) fn would_have_succeeded() -> AwsError {
    AwsError::new(
        "DryRunOperation",
        "Request would have succeeded, but DryRun flag is set.",
    )
    .with_status(412)
}
