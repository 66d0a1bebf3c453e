//! One deletion, step by step: snapshot, claim, volume, PersistentVolume. Each step is confirmed before the next, and success where
//! its thing is gone already.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_api::{
    Cluster, DeleteOptions, Deletion as Came, Error, ErrorKind, Object, ObjectRef, Propagation, ResourceKind, tags,
};
use moorline_gc::names::UNUSED;
use moorline_gc::verdict::Target;
use moorline_gc::{Deletion, Step};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Writer;
use super::glance::Glances;
use super::look::{FRESH, Looked};
use super::pointer;
use super::watch::wait_gone;
use crate::event::Event;
use crate::history::Line;
use crate::{Collector, Scope};

/// Deletions that wait in their cloud's queue at once. More would be late: what is deleted has been looked at just before.
pub(super) const IN_QUEUE: usize = 8;

/// How long a snapshot may take: large disks take long, and the next run goes on with it.
const SNAPSHOT: Duration = Duration::from_mins(30);

/// Why a deletion did not get to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The look is too old, and nothing is destroyed yet: look again.
    Stale,
    /// Somebody uses it again, or made it anew.
    Alive(String),
    /// Its claim is not as it was looked at: look again.
    Changed(String),
    /// A call failed, or took too long.
    Failed {
        why: String,
        /// Whether trying again can help.
        transient: bool,
    },
    /// The lease is lost, or the journal cannot be written: nothing more may be done.
    Over(String),
}

impl Trouble {
    pub(super) fn of(error: &Error) -> Self {
        Self::Failed {
            why: error.to_string(),
            transient: error.is_transient() && error.kind != ErrorKind::Stale,
        }
    }

    /// In words.
    pub(super) fn into_why(self) -> String {
        match self {
            Self::Stale => "the last look at it is too old".to_owned(),
            Self::Alive(why) | Self::Changed(why) | Self::Failed { why, .. } | Self::Over(why) => why,
        }
    }
}

/// What deletions share.
pub(super) struct Tools<'a> {
    pub(super) collector: &'a Collector,
    pub(super) writer: &'a Writer<'a>,
    /// One for each scope, in their order.
    pub(super) queues: Vec<Semaphore>,
    /// How many deletions are on their way to their cloud's queue or in it.
    pub(super) ahead: AtomicUsize,
    pub(super) glances: Glances,
}

/// One deletion under way.
pub(super) struct Work<'a> {
    tools: &'a Tools<'a>,
    looked: Looked,
    /// Whether its line is in the journal.
    pub(super) begun: Arc<AtomicBool>,
    /// Whether something of it is destroyed.
    destroyed: AtomicBool,
    /// Whether the cloud confirmed that the volume is gone.
    pub(super) confirmed: AtomicBool,
    pub(super) snapshot: Mutex<Option<String>>,
    counted_ahead: AtomicBool,
}

impl<'a> Work<'a> {
    pub(super) fn new(tools: &'a Tools<'a>, looked: Looked, begun: Arc<AtomicBool>) -> Self {
        tools.ahead.fetch_add(1, Ordering::Relaxed);
        Self {
            tools,
            looked,
            begun,
            destroyed: AtomicBool::new(false),
            confirmed: AtomicBool::new(false),
            snapshot: Mutex::default(),
            counted_ahead: AtomicBool::new(true),
        }
    }

    pub(super) fn deletion(&self) -> &Deletion {
        &self.looked.deletion
    }

    /// Does all steps.
    pub(super) async fn carry_out(&self) -> Result<(), Trouble> {
        for step in &self.deletion().steps {
            let patience = match step {
                Step::Snapshot { .. } => SNAPSHOT,
                _ => self.tools.collector.settings.deletion_timeout,
            };
            let done = tokio::time::timeout(patience, self.step(step)).await;
            let late = |_| Trouble::Failed {
                why: format!("{} was not done after {} seconds", word(step), patience.as_secs()),
                transient: false,
            };
            done.map_err(late)??;
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> Result<(), Trouble> {
        self.tell(step);
        match step {
            Step::Snapshot { expires } => self.take_snapshot(&expires.to_string()).await,
            Step::Claim(target) => self.delete_claim(target).await,
            Step::Volume => self.delete_volume().await,
            Step::PersistentVolume(target) => self.delete_persistent_volume(target).await,
        }
    }

    fn tell(&self, step: &Step) {
        self.tools.collector.emit(Event::Step {
            volume: self.deletion().volume.clone(),
            what: word(step),
        });
    }

    /// To be done directly before each call that changes something: the journal says what begins, and the lease is still ours.
    async fn permit(&self) -> Result<(), Trouble> {
        if !self.begun.load(Ordering::Relaxed) {
            let line = Line::Begin(self.deletion().clone());
            self.tools.writer.write(vec![line]).await.map_err(Trouble::Over)?;
            self.begun.store(true, Ordering::Relaxed);
        }
        self.tools.writer.confirm().await.map_err(Trouble::Over)
    }

    /// The same before what destroys something: the evidence is of just now.
    async fn permit_to_destroy(&self) -> Result<(), Trouble> {
        let is_stale = || is_stale(self.destroyed.load(Ordering::Relaxed), self.looked.at);
        if is_stale() {
            return Err(Trouble::Stale);
        }
        self.permit().await?;
        // A store may take its time.
        if is_stale() {
            return Err(Trouble::Stale);
        }
        self.destroyed.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn take_snapshot(&self, expires: &str) -> Result<(), Trouble> {
        let scope = self.scope()?;
        let mut all = self.looked.volume.tags.clone();
        all.remove(UNUSED);
        for target in self.persistent_volumes() {
            let pv = self.cluster(target)?.get(&pv_ref(target)).await;
            if let Some(pv) = pv
                .map_err(|error| Trouble::of(&error))?
                .filter(|pv| pv.uid() == Some(&target.uid))
            {
                all.extend(tags::of_persistent_volume(&pv));
            }
        }
        // These say that it is ours to delete when its time is over: a copy of it that somebody makes is of another volume.
        all.insert(tags::EXPIRES.to_owned(), expires.to_owned());
        all.insert(tags::SNAPSHOT_OF.to_owned(), self.deletion().volume.0.clone());
        if let Some(cluster) = &self.deletion().maker {
            all.insert(tags::CLUSTER_UID.to_owned(), cluster.clone());
        }
        // Of this time that it was unused: the next run, or the next attempt, finds the one that was begun.
        let name = format!("moorline-gc-{}", self.deletion().since.as_second());
        self.permit().await?;
        let call = scope.volumes.snapshot(&self.deletion().volume, &name, &all);
        let snapshot = self.guarded(call).await?.map_err(|error| Trouble::of(&error))?;
        if let Ok(mut taken) = self.snapshot.lock() {
            *taken = Some(snapshot.id);
        }
        Ok(())
    }

    async fn delete_claim(&self, target: &Target) -> Result<(), Trouble> {
        let cluster = self.cluster(target)?;
        let claim = claim_ref(target);
        self.permit_to_destroy().await?;
        let wanted = self.tools.glances.what_wants(cluster, target).await;
        if let Some(why) = wanted.map_err(|error| Trouble::of(&error))? {
            return Err(Trouble::Alive(why));
        }
        // In this life only, and as it was looked at.
        let options = DeleteOptions {
            uid: Some(target.uid.clone()),
            resource_version: self.looked.versions.get(&target.uid).cloned(),
            propagation: Propagation::Background,
            dry_run: false,
        };
        match self.guarded(cluster.delete(&claim, &options)).await? {
            Ok(Came::Absent | Came::Gone) => Ok(()),
            Ok(Came::Terminating) => wait_gone(cluster, &claim, &target.uid)
                .await
                .map_err(|error| Trouble::of(&error)),
            Err(error) if error.kind == ErrorKind::Stale => {
                let live = cluster.get(&claim).await.map_err(|error| Trouble::of(&error))?;
                match live {
                    None => Ok(()),
                    Some(live) if live.uid() != Some(&target.uid) => {
                        Err(Trouble::Alive(format!("{claim} was made anew")))
                    }
                    // An answer was lost: it is on its way, and nothing brings it back.
                    Some(live) if live.is_terminating() => wait_gone(cluster, &claim, &target.uid)
                        .await
                        .map_err(|error| Trouble::of(&error)),
                    Some(_) => Err(Trouble::Changed(format!("{claim} changed after it was looked at"))),
                }
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(Trouble::of(&error)),
        }
    }

    async fn delete_volume(&self) -> Result<(), Trouble> {
        let scope = self.scope()?;
        let id = &self.deletion().volume;
        {
            let number = self
                .tools
                .collector
                .scopes
                .iter()
                .position(|other| other.name == scope.name);
            let queue = number.and_then(|number| self.tools.queues.get(number));
            let _turn = match queue {
                Some(queue) => queue.acquire().await.ok(),
                None => None,
            };
            self.still_pointed_at_by_the_dead().await?;
            self.permit_to_destroy().await?;
            let deleted = self.guarded(scope.volumes.delete(id)).await?;
            self.passed();
            deleted.map_err(|error| match error.kind {
                ErrorKind::InUse => Trouble::Alive(error.to_string()),
                _ => Trouble::of(&error),
            })?;
        }
        let gone = self.guarded(scope.volumes.wait_gone(id)).await?;
        gone.map_err(|error| Trouble::of(&error))?;
        self.confirmed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// That no claim was made anew under a name that was deleted, and that no PersistentVolume was given to another claim meanwhile. Where a
    /// cloud knows of no use, as with shares, only this stands between a user who is quick and the deletion.
    async fn still_pointed_at_by_the_dead(&self) -> Result<(), Trouble> {
        let mut gone = Vec::new();
        for step in &self.deletion().steps {
            match step {
                Step::Claim(target) => {
                    let claim = self.cluster(target)?.get(&claim_ref(target)).await;
                    if claim.map_err(|error| Trouble::of(&error))?.is_some() {
                        let name = format!("{}/{}", target.namespace, target.name);
                        return Err(Trouble::Alive(format!("claim {name} was made anew meanwhile")));
                    }
                    gone.push(target.uid.as_str());
                }
                Step::PersistentVolume(target) => {
                    let pv = self.cluster(target)?.get(&pv_ref(target)).await;
                    if let Some(pv) = pv.map_err(|error| Trouble::of(&error))? {
                        still_dead(&pv, target, &gone).map_err(Trouble::Alive)?;
                    }
                }
                Step::Snapshot { .. } | Step::Volume => {}
            }
        }
        Ok(())
    }

    async fn delete_persistent_volume(&self, target: &Target) -> Result<(), Trouble> {
        let cluster = self.cluster(target)?;
        self.permit_to_destroy().await?;
        let settings = &self.tools.collector.settings;
        let patience = pointer::Patience {
            held: settings.held,
            pause: settings.pause / 4,
        };
        pointer::delete(self.tools.writer, cluster, target, patience).await
    }

    async fn guarded<T>(&self, call: impl Future<Output = T>) -> Result<T, Trouble> {
        self.tools.writer.guarded(call).await.map_err(Trouble::Over)
    }

    fn persistent_volumes(&self) -> impl Iterator<Item = &Target> {
        self.deletion().steps.iter().filter_map(|step| match step {
            Step::PersistentVolume(target) => Some(target),
            _ => None,
        })
    }

    fn scope(&self) -> Result<&'a Scope, Trouble> {
        let name = &self.deletion().scope;
        let scope = self.tools.collector.scopes.iter().find(|scope| scope.name == *name);
        scope.ok_or_else(|| Trouble::Failed {
            why: format!("the policy has no scope {name}"),
            transient: false,
        })
    }

    fn cluster(&self, target: &Target) -> Result<&'a dyn Cluster, Trouble> {
        cluster_of(self.tools.collector, target)
    }

    fn passed(&self) {
        if self.counted_ahead.swap(false, Ordering::Relaxed) {
            self.tools.ahead.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.passed();
    }
}

/// Whether a look of then is too old to begin with. What has begun to go goes to its end.
fn is_stale(destroyed: bool, looked_at: Instant) -> bool {
    !destroyed && looked_at.elapsed() > FRESH
}

pub(super) fn cluster_of<'a>(collector: &'a Collector, target: &Target) -> Result<&'a dyn Cluster, Trouble> {
    let link = collector.clusters.iter().find(|link| link.name == target.cluster);
    let connection = link.and_then(|link| link.connection.as_ref().ok());
    connection.map(|cluster| &**cluster).ok_or_else(|| Trouble::Failed {
        why: format!("cluster {} cannot be reached", target.cluster),
        transient: false,
    })
}

pub(super) fn claim_ref(target: &Target) -> ObjectRef {
    ObjectRef::new(ResourceKind::claim(), &target.namespace, &target.name)
}

pub(super) fn pv_ref(target: &Target) -> ObjectRef {
    ObjectRef::new(ResourceKind::persistent_volume(), "", &target.name)
}

/// Whether a PersistentVolume is the one that was looked at and belongs to no claim but those that are gone.
fn still_dead(pv: &Object, target: &Target, gone: &[&str]) -> Result<(), String> {
    let name = &target.name;
    if pv.uid() != Some(&target.uid) {
        return Err(format!("PersistentVolume {name} was made anew meanwhile"));
    }
    let claim = pv.str_at(&["spec", "claimRef", "uid"]);
    let phase = pv.str_at(&["status", "phase"]).unwrap_or_default();
    let released = matches!(phase, "Released" | "Failed");
    // The cluster takes a moment to see that the claim is gone.
    let lags = phase == "Bound" && claim.is_some_and(|claim| gone.contains(&claim));
    if (released && claim.is_some()) || lags {
        return Ok(());
    }
    Err(format!(
        "PersistentVolume {name} is {phase} meanwhile, for another claim"
    ))
}

/// A step in words.
fn word(step: &Step) -> String {
    match step {
        Step::Snapshot { .. } => "a snapshot is taken".to_owned(),
        Step::Claim(target) => format!("claim {}/{} goes", target.namespace, target.name),
        Step::Volume => "the volume goes".to_owned(),
        Step::PersistentVolume(target) => format!("PersistentVolume {} goes", target.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_to_go_by_an_old_look() {
        let ago = |time: Duration| Instant::now().checked_sub(time).unwrap();
        let (fresh, old) = (Instant::now(), ago(FRESH + Duration::from_millis(1)));
        assert!(is_stale(false, old) && !is_stale(false, fresh));
        assert!(!is_stale(true, old), "its claim is gone already");
    }

    #[test]
    fn a_persistent_volume_is_dead_while_no_claim_but_those_that_are_gone_can_have_it() {
        let target = Target {
            cluster: "prod".to_owned(),
            namespace: String::new(),
            name: "pv".to_owned(),
            uid: "u".to_owned(),
        };
        for (uid, phase, claim, dead) in [
            ("u", "Released", Some("gone"), true),
            ("u", "Released", Some("gone before"), true),
            ("u", "Failed", Some("gone"), true),
            ("u", "Bound", Some("gone"), true),
            ("u", "Bound", Some("another"), false),
            ("u", "Bound", None, false),
            ("u", "Released", None, false),
            ("u", "Available", Some("gone"), false),
            ("u", "Available", None, false),
            ("a later life", "Released", Some("gone"), false),
        ] {
            let pv = serde_json::json!({
                "metadata": {"name": "pv", "uid": uid}, "spec": {"claimRef": {"uid": claim}}, "status": {"phase": phase},
            });
            let found = still_dead(&Object::from_value(pv).unwrap(), &target, &["gone"]);
            assert_eq!(found.is_ok(), dead, "{uid} {phase} {claim:?}: {found:?}");
        }
    }
}
