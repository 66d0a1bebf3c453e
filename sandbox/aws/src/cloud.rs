//! The simulated account as the rest of the sandbox sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::Router;
use jiff::Timestamp;
use moorline_sandbox_core::{JournalError, World};
use tokio::sync::watch;

use crate::account::Account;
use crate::error::AwsError;
use crate::model::balancer::{LoadBalancer, LoadBalancerKind, NewLoadBalancer};
use crate::model::instance::{Instance, instances};
use crate::model::snapshot::Snapshot;
use crate::model::volume::{NewVolume, Standing, Volume};
use crate::session::Session;
use crate::settings::{AwsSettings, Buckets};
use crate::throttle::Family;
use crate::{ec2, elb, http};

/// A simulated AWS account. Cheap to clone; clones share one account.
///
/// The methods that create, change and list things work in the home region of the settings, at once, and are
/// neither throttled nor audited nor struck by faults. They see the account as it is, where calls over HTTP see
/// it with the delay of [`AwsSettings::visibility_lag_millis`].
#[derive(Clone, Debug)]
pub struct AwsCloud {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: World,
    settings: RwLock<Arc<AwsSettings>>,
    account: Mutex<Account>,
    changes: watch::Sender<u64>,
}

impl AwsCloud {
    /// Restores the account from the world's journal, or makes an empty one.
    pub fn open(world: World, settings: AwsSettings) -> Result<Self, JournalError> {
        let account = Mutex::new(Account::open(world.journal.clone())?);
        let inner = Inner {
            world,
            settings: RwLock::new(Arc::new(settings)),
            account,
            changes: watch::Sender::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The HTTP interface, at `/`. Under [`moorline_sandbox_core::serve`] faults can cut its connections.
    pub fn router(&self) -> Router {
        http::router(self.clone())
    }

    /// The settings in force.
    pub fn settings(&self) -> AwsSettings {
        self.settings_now().as_ref().clone()
    }

    /// Changes the settings; calls from now on see them.
    pub fn set_settings(&self, settings: AwsSettings) {
        *self.inner.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.announce();
    }

    /// A number that grows with every change, whoever made it. Changes that come with time alone (a volume becomes
    /// available) do not count: [`Volume::settles_at`] says when to look again.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Makes a volume; it is `creating` at first. With a client token that was used before, the volume of that call.
    pub fn create_volume(&self, new: NewVolume) -> Result<Volume, AwsError> {
        self.at_home(|session| Ok(ec2::volumes::create::create(session, new)?.standing().volume()))
    }

    /// Makes many volumes as if they had been there since `created`: available, seen by everybody, and not counted against the
    /// limit. Gives their ids in the same order; ends at the first that cannot be.
    pub fn seed(&self, volumes: Vec<NewVolume>, created: Timestamp) -> Result<Vec<String>, AwsError> {
        self.at_home(|session| {
            let made = volumes
                .into_iter()
                .map(|new| ec2::volumes::create::seed(session, new, created));
            made.collect()
        })
    }

    /// One volume, if it exists; one whose deletion was accepted exists for a moment more.
    pub fn volume(&self, id: &str) -> Option<Volume> {
        self.look(|session| {
            let volume = session.account.volumes.get(id)?;
            if volume.region == session.region {
                volume.at(session.now).map(Standing::volume)
            } else {
                None
            }
        })
    }

    /// Every volume of the home region, by id.
    pub fn volumes(&self) -> Vec<Volume> {
        self.look(|session| {
            let current = session.account.volumes.all().map(|(_, volume)| volume);
            current
                .filter(|v| v.region == session.region)
                .filter_map(|v| v.at(session.now))
                .map(Standing::volume)
                .collect()
        })
    }

    /// Deletes a volume; refused while it is attached or still being created.
    pub fn delete_volume(&self, id: &str) -> Result<(), AwsError> {
        self.at_home(|session| ec2::volumes::delete::delete(session, id))
    }

    /// Attaches a volume: it is `in-use` at once. The same attachment again is success; the instance is not looked up.
    pub fn attach(&self, volume_id: &str, instance_id: &str, device: &str) -> Result<Volume, AwsError> {
        self.at_home(|session| {
            let already = session.volume(volume_id)?.record.attachment.as_ref();
            if !already.is_some_and(|there| there.instance_id == instance_id && there.device == device) {
                ec2::volumes::attach::attach(session, volume_id, instance_id, device)?;
            }
            session.volume(volume_id).map(Standing::volume)
        })
    }

    /// Detaches a volume: it is `available` at once. Success also where it was not attached.
    pub fn detach(&self, volume_id: &str) -> Result<Volume, AwsError> {
        self.at_home(|session| {
            if session.volume(volume_id)?.record.attachment.is_some() {
                ec2::volumes::attach::detach(session, volume_id)?;
            }
            session.volume(volume_id).map(Standing::volume)
        })
    }

    /// Every snapshot of the home region, by id.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.look(|session| {
            let current = session.account.snapshots.all().map(|(_, snapshot)| snapshot);
            let living = current.filter(|s| s.region == session.region && s.exists(session.now));
            living
                .map(|s| Snapshot {
                    id: s.id.clone(),
                    volume_id: s.volume_id.clone(),
                    size_gib: s.size_gib,
                    tags: s.tags.clone(),
                    started: s.started,
                    completed: s.state(session.now) == "completed",
                })
                .collect()
        })
    }

    /// The machines that volumes can be attached to, one in each zone, always the same.
    pub fn instances(&self) -> Vec<Instance> {
        let settings = self.settings_now();
        instances(&settings, &settings.region)
    }

    /// Makes a load balancer. The same again is success; the same name with anything different is an error.
    pub fn create_load_balancer(&self, new: NewLoadBalancer) -> Result<LoadBalancer, AwsError> {
        self.at_home(|session| elb::shared::create(session, new))
    }

    /// Every load balancer of the home region, by kind and name; one whose deletion was accepted exists for a moment more.
    pub fn load_balancers(&self) -> Vec<LoadBalancer> {
        self.look(|session| {
            let current = session.account.balancers.all().map(|(_, balancer)| balancer);
            current
                .filter(|lb| lb.region == session.region && lb.exists(session.now))
                .cloned()
                .collect()
        })
    }

    /// Deletes the load balancers named `name`, classic or not, and their target groups; success also where there is none.
    pub fn delete_load_balancer(&self, name: &str) -> Result<(), AwsError> {
        self.at_home(|session| {
            elb::shared::delete(
                session,
                &elb::shared::key(&session.region, LoadBalancerKind::Classic, name),
            )?;
            elb::shared::delete(
                session,
                &elb::shared::key(&session.region, LoadBalancerKind::Network, name),
            )?;
            elb::groups::sweep(session, name)
        })
    }

    /// Empties the account, in every region, and fills its buckets; the settings stay.
    pub fn clear(&self) -> Result<(), JournalError> {
        self.account().clear()?;
        self.announce();
        Ok(())
    }

    pub(crate) fn world(&self) -> &World {
        &self.inner.world
    }

    pub(crate) fn take_token(&self, region: &str, rate: (&'static str, Family), buckets: &Buckets) -> bool {
        let now = self.inner.world.clock.now();
        self.account().throttle.take(region, rate, buckets, now)
    }

    /// Runs one call against the account; the second value says whether it changed something.
    pub(crate) fn call<T>(
        &self,
        region: &str,
        dry_run: bool,
        run: impl FnOnce(&mut Session<'_>) -> Result<T, AwsError>,
    ) -> (Result<T, AwsError>, bool) {
        let settings = self.settings_now();
        let account = self.account();
        let now = self.inner.world.clock.now();
        let mut session = Session {
            account,
            settings,
            region: region.to_owned(),
            now,
            dry_run,
            assumed: None,
            changed: false,
        };
        let done = session
            .account
            .bury(now)
            .map_err(AwsError::from)
            .and_then(|()| run(&mut session));
        let changed = session.changed;
        drop(session);
        if changed {
            self.announce();
        }
        (done, changed)
    }

    fn at_home<T>(&self, run: impl FnOnce(&mut Session<'_>) -> Result<T, AwsError>) -> Result<T, AwsError> {
        self.call(&self.settings_now().region, false, run).0
    }

    fn look<T>(&self, read: impl FnOnce(&Session<'_>) -> T) -> T {
        let settings = self.settings_now();
        let region = settings.region.clone();
        let account = self.account();
        let now = self.inner.world.clock.now();
        read(&Session {
            account,
            settings,
            region,
            now,
            dry_run: true,
            assumed: None,
            changed: false,
        })
    }

    pub(crate) fn settings_now(&self) -> Arc<AwsSettings> {
        self.inner
            .settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.inner.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.inner.changes.send_modify(|number| *number += 1);
    }
}
