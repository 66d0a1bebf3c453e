//! Runs of garbage collection over the truth: with kinds that cannot be read, clusters that do not answer, listings that lag,
//! users in between, and kills between any two steps.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use moorline_gc::plan::{Clock, Plan, plan, second_look};
use moorline_gc::{ClusterIndex, Deletion, Detail, Grace, Kind, NamedCluster, Policy, Records, Step, World};

use super::oracle;
use super::show;
use super::truth::{Op, Truth};
use crate::build::Handles;

const GRACE: i64 = 24 * 3600;

/// How badly a run sees.
#[derive(Clone, Copy, Debug, Default)]
struct Noise {
    /// A cluster that does not answer.
    down: Option<usize>,
    /// A kind, by its place among the built-in ones, that breaks off half-way in a cluster.
    broken: Option<(usize, usize)>,
    /// Kinds at even places are listed as they were before the last thing a user did.
    lags: bool,
    /// Whether the cloud's listing breaks off half-way.
    half: bool,
    /// The step before which the run is killed.
    killed_at: Option<u8>,
}

impl Noise {
    fn of(one: u8, two: u8, three: u8) -> Self {
        Self {
            down: (one & 7 == 1).then_some(usize::from(two)),
            broken: (one & 7 == 2).then_some((usize::from(two), usize::from(three))),
            lags: one & 0x18 == 0x08,
            half: one & 0x60 == 0x20,
            killed_at: (three & 3 == 3).then_some(two % 8),
        }
    }

    fn is_clean(self) -> bool {
        self.down.is_none() && self.broken.is_none() && !self.lags && !self.half
    }
}

/// One world and what happens in it.
pub(crate) struct Story {
    truth: Truth,
    before: Truth,
    policy: Policy,
    records: Records,
    /// Since when each volume was unused, as far as any run could have seen.
    unused_since: HashMap<usize, i64>,
    runs: u32,
    deleted: u32,
}

impl Story {
    pub(crate) fn new(named: usize, include_retain: bool) -> Self {
        let truth = Truth::new(named);
        let clusters = (0..named).map(|cluster| NamedCluster {
            name: format!("cluster {cluster}"),
            uid: Some(Truth::uid_of_cluster(cluster)),
            tag_ids: vec![show::tag_id(cluster)],
        });
        let mut policy = Policy::of(clusters);
        policy.grace = Grace::all(SignedDuration::from_secs(GRACE));
        policy.include_retain = include_retain;
        Self {
            before: truth.clone(),
            truth,
            policy,
            records: Records::default(),
            unused_since: HashMap::new(),
            runs: 0,
            deleted: 0,
        }
    }

    /// A user does something, time goes by, or a run takes place.
    pub(crate) fn step(&mut self, op: Op) -> Result<(), String> {
        let (what, one, two, three) = op;
        match what / 32 {
            0 | 1 => self.run(Noise::of(one, two, three), Some(op)),
            2 => {
                self.truth.now += i64::from(one) * 900;
                Ok(())
            }
            _ => {
                self.before = self.truth.clone();
                self.truth.act(op);
                Ok(())
            }
        }
    }

    /// Nobody does anything any more, and everything can be read: what can be proved goes.
    pub(crate) fn finish(mut self) -> Result<u32, String> {
        self.run(Noise::default(), None)?;
        self.truth.now += GRACE;
        self.run(Noise::default(), None)?;
        self.run(Noise::default(), None)?;
        for index in 0..self.truth.volumes.len() {
            let retained = !self.policy.include_retain && has_retaining_pv(&self.truth, index);
            let due = !self.truth.volumes[index].gone && !oracle::is_live(&self.truth, index) && !retained;
            if due && oracle::is_provable(&self.truth, index) {
                let world = self.look(Noise::default());
                let volume = world.find_volume(&show::volume_id(index));
                let judged =
                    volume.map(|volume| moorline_gc::judge(&world, volume, &self.policy, &self.records, self.now()));
                return Err(format!(
                    "volume {index} is an orphan and stays: {judged:#?}\n{:#?}",
                    self.truth
                ));
            }
        }
        Ok(self.deleted)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.truth.now).unwrap()
    }

    /// What a run sees.
    fn look(&self, noise: Noise) -> World {
        let mut world = World::new(&self.policy);
        let scope = world.scope("cloud");
        let lagging = if noise.lags { &self.before } else { &self.truth };
        let listed = lagging.volumes.len();
        for index in 0..if noise.half { listed / 2 } else { listed } {
            // Tags are read as they are now, and whether it is attached as it was.
            let mut volume = show::volume(&self.truth, index);
            volume.attachments = show::volume(lagging, index).attachments;
            if !lagging.volumes[index].gone {
                world.add_volume(scope, &volume, Detail::Full, Some(1.0));
            }
        }
        if noise.half {
            world.scope_failed(scope, "broke off");
        } else {
            world.scope_read(scope, self.now());
        }
        for index in world.clusters() {
            let cluster = usize::from(index.0);
            if noise.down.is_some_and(|down| down % self.truth.stranger == cluster) {
                world.unreachable(index, "down");
                continue;
            }
            for (place, kind) in Kind::BUILT_IN.into_iter().enumerate() {
                let lags = noise.lags && place % 2 == 0;
                let truth = if lags { &self.before } else { &self.truth };
                self.list(&mut world, (index, truth), (place, kind), noise);
            }
        }
        world
    }

    fn list(
        &self,
        world: &mut World,
        (index, truth): (ClusterIndex, &Truth),
        (place, kind): (usize, Kind),
        noise: Noise,
    ) {
        let cluster = usize::from(index.0);
        let mut objects = show::objects(truth, cluster, &kind);
        let broken = noise
            .broken
            .is_some_and(|(of, which)| of % self.truth.stranger == cluster && which % Kind::BUILT_IN.len() == place);
        if broken {
            objects.truncate(objects.len() / 2);
        }
        for object in &objects {
            world.add(index, object, &Handles);
        }
        if broken {
            world.failed(index, kind, "broke off");
        } else {
            world.read_whole(index, kind, self.now());
        }
    }

    fn run(&mut self, noise: Noise, user: Option<Op>) -> Result<(), String> {
        self.truth.now += 1;
        self.runs += 1;
        self.note_unused(noise);
        let world = self.look(noise);
        let id = format!("run-{}", self.runs);
        let plan = plan(&world, &self.policy, &self.records, Clock { now: self.now() }, &id);
        self.records.observe(&world, self.now());
        self.write_marks(&plan);
        for (number, deletion) in plan.deletions.iter().enumerate() {
            if let Some(op) = user.filter(|_| number == 0) {
                // A user is quicker than the run, now and then.
                self.truth.act((op.0 ^ op.3, op.1, op.2, op.3));
            }
            if !self.delete(deletion, noise.killed_at)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Since when each volume has been unused, by the truth. A run that sees badly may take one for unused that is not, and may
    /// miss that one is used.
    fn note_unused(&mut self, noise: Noise) {
        for index in 0..self.truth.volumes.len() {
            if noise.is_clean() && oracle::is_live(&self.truth, index) {
                self.unused_since.remove(&index);
            } else if noise.lags || !oracle::is_live(&self.truth, index) {
                self.unused_since.entry(index).or_insert(self.truth.now);
            }
        }
    }

    fn write_marks(&mut self, plan: &Plan) {
        for mark in &plan.marks {
            self.truth.volumes[show::index_of(&mark.volume)].mark = Some(mark.text.clone());
        }
        for mark in &plan.unmarks {
            self.truth.volumes[show::index_of(&mark.volume)].mark = None;
        }
    }

    /// Looks again and deletes. `false` where the run is killed.
    fn delete(&mut self, deletion: &Deletion, killed_at: Option<u8>) -> Result<bool, String> {
        let world = self.look(Noise::default());
        let clock = Clock { now: self.now() };
        let Ok(again) = second_look(deletion, &world, (&self.policy, &self.records), clock, "second") else {
            return Ok(true);
        };
        let index = show::index_of(&deletion.volume);
        self.check(index, &again)?;
        self.records.begun.insert(deletion.volume.0.clone());
        for (number, step) in again.steps.iter().enumerate() {
            if killed_at.is_some_and(|at| usize::from(at) == number) {
                return Ok(false);
            }
            match step {
                Step::Snapshot { .. } => {}
                Step::Claim(target) => self.truth.remove_claim(cluster_of(&target.cluster), &target.uid, false),
                Step::Volume => {
                    self.truth.volumes[index].gone = true;
                    self.deleted += 1;
                }
                Step::PersistentVolume(target) => {
                    self.truth.clusters[cluster_of(&target.cluster)]
                        .pvs
                        .retain(|pv| pv.uid != target.uid);
                }
            }
        }
        self.records.begun.remove(&deletion.volume.0);
        Ok(true)
    }

    /// What the oracle says of a deletion that is about to begin.
    fn check(&self, index: usize, deletion: &Deletion) -> Result<(), String> {
        let truth = &self.truth;
        let wrong = |what: &str| {
            Err(format!(
                "volume {index} is deleted and {what}: {deletion:#?}\n{truth:#?}"
            ))
        };
        if oracle::is_live(truth, index) {
            return wrong("is live");
        }
        if !oracle::is_ours(truth, index) {
            return wrong("is not ours");
        }
        if !self.policy.include_retain && released_under_retain(truth, index) {
            return wrong("is retained");
        }
        let since = self.unused_since.get(&index).copied().unwrap_or(i64::MAX);
        if truth.now.saturating_sub(since) < GRACE {
            return wrong("its grace is not over");
        }
        Ok(())
    }
}

fn cluster_of(name: &str) -> usize {
    name.strip_prefix("cluster ").unwrap().parse().unwrap()
}

fn has_retaining_pv(truth: &Truth, index: usize) -> bool {
    let mut pvs = truth.clusters.iter().flat_map(|cluster| &cluster.pvs);
    pvs.any(|pv| pv.volume == index && pv.retain)
}

/// Whether a PersistentVolume that keeps the volume has lost its claim.
fn released_under_retain(truth: &Truth, index: usize) -> bool {
    truth.clusters.iter().any(|cluster| {
        let mut pvs = cluster.pvs.iter().filter(|pv| pv.volume == index && pv.retain);
        pvs.any(|pv| {
            let own = pv.claim.as_ref().and_then(|(_, _, uid)| uid.as_ref());
            !cluster
                .claims
                .iter()
                .any(|claim| Some(&claim.uid) == own || claim.volume_name.as_ref() == Some(&pv.name))
        })
    })
}
