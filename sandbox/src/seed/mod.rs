//! Fills clouds and clusters with many volumes at once, as if they had long been there: for measurements and large tests.

mod objects;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use moorline_sandbox_aws::{AwsCloud, AwsError, NewVolume};
use moorline_sandbox_core::JournalError;
use moorline_sandbox_kubernetes::{ApiError, ApiServer};
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use objects::Life;

/// The most volumes of one request.
const MOST: u32 = 1_000_000;

/// Volumes that are made at once: the JSON of their objects is in memory meanwhile.
const BATCH: usize = 5_000;

/// Namespaces of a cluster, over which the sets are spread.
const NAMESPACES: u32 = 20;

/// The class of the claims.
const CLASS: &str = "seed-gp3";

/// Who is said to have made the objects that the API server checks.
const MANAGER: &str = "sandbox-seed";

/// How many volumes of EBS to make, in all, spread evenly over the clusters. Half of the sets' claims are such as moorline makes,
/// the others such as the StatefulSet controller and the CSI driver make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// Volumes with a bound claim of a StatefulSet that is scaled to nothing: no pod runs.
    pub volumes: u32,
    /// Volumes with a bound claim that moorline made, whose StatefulSet is gone.
    pub left_behind: u32,
    /// Volumes that moorline made and whose claim and PersistentVolume are gone.
    pub orphans: u32,
    /// Claims of each StatefulSet.
    pub per_set: u32,
    /// How long everything has been there, in seconds.
    pub age_seconds: u32,
}

impl Default for Seed {
    fn default() -> Self {
        Self {
            volumes: 0,
            left_behind: 0,
            orphans: 0,
            per_set: 100,
            age_seconds: 30 * 24 * 3600,
        }
    }
}

/// Why nothing more was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    #[error("{0} volumes are too many at once; {MOST} are the most, and a StatefulSet has at least one claim")]
    TooMany(u64),
    #[error("the account refused")]
    Aws(#[from] AwsError),
    #[error("the cluster refused")]
    Api(#[from] ApiError),
    #[error("the state cannot be kept")]
    Journal(#[from] JournalError),
}

/// What becomes of a volume after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Claimed,
    LeftBehind,
    Orphan,
}

impl Seed {
    /// Makes it all. Whoever looks after the clusters has to look at everything anew afterwards.
    pub(crate) fn sow(self, clusters: &[Arc<Cluster>], aws: &AwsCloud, now: Timestamp) -> Result<(), SeedError> {
        let total = [self.volumes, self.left_behind, self.orphans]
            .map(u64::from)
            .iter()
            .sum();
        if total > MOST.into() || self.per_set == 0 {
            return Err(SeedError::TooMany(total));
        }
        let count = u32::try_from(clusters.len()).unwrap_or(1).max(1);
        for (place, cluster) in (0..).zip(clusters) {
            // What does not divide evenly goes to the first ones.
            let share = |all: u32| all / count + u32::from(place < all % count);
            let share = Self {
                volumes: share(self.volumes),
                left_behind: share(self.left_behind),
                orphans: share(self.orphans),
                ..self
            };
            Field::new(cluster.api(), aws, share, now)?.sow()?;
        }
        Ok(())
    }
}

/// One cluster's share.
struct Field<'a> {
    api: &'a ApiServer,
    aws: &'a AwsCloud,
    seed: Seed,
    /// Sets this request's names apart from those of others.
    tag: String,
    cluster_uid: String,
    zones: Vec<String>,
    created: Timestamp,
}

impl<'a> Field<'a> {
    fn new(api: &'a ApiServer, aws: &'a AwsCloud, seed: Seed, now: Timestamp) -> Result<Self, SeedError> {
        let system = api.get("namespaces", None, "kube-system").unwrap_or_default();
        let settings = aws.settings();
        let field = Self {
            api,
            aws,
            seed,
            tag: format!("{:08x}", fastrand::u32(..)),
            cluster_uid: system["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
            zones: settings.zone_names(&settings.region),
            created: now
                .checked_sub(SignedDuration::from_secs(seed.age_seconds.into()))
                .unwrap_or(now),
        };
        field.prepare()?;
        Ok(field)
    }

    /// What the volumes' objects refer to.
    fn prepare(&self) -> Result<(), SeedError> {
        const CLASSES: &str = "storageclasses.storage.k8s.io";
        if self.api.get(CLASSES, None, CLASS).is_none() {
            self.api.create(CLASSES, objects::class(CLASS), MANAGER)?;
        }
        let claimed = self.seed.volumes + self.seed.left_behind;
        for index in 0..NAMESPACES.min(claimed) {
            let namespace = objects::namespace(&self.namespace(index));
            self.api.create("namespaces", namespace, MANAGER)?;
        }
        for index in 0..self.seed.volumes.div_ceil(self.seed.per_set) {
            let set = objects::stateful_set(&self.namespace(index), &set(index), CLASS);
            self.api.create("statefulsets.apps", set, MANAGER)?;
        }
        Ok(())
    }

    fn namespace(&self, set: u32) -> String {
        format!("seed-{}-{}", self.tag, set % NAMESPACES)
    }

    fn sow(&self) -> Result<(), SeedError> {
        let Seed {
            volumes,
            left_behind,
            orphans,
            ..
        } = self.seed;
        let (gone, lost) = (volumes + left_behind, volumes + left_behind + orphans);
        let mut batch = Vec::with_capacity(BATCH);
        for index in 0..lost {
            let fate = match index {
                index if index < volumes => Fate::Claimed,
                index if index < gone => Fate::LeftBehind,
                _ => Fate::Orphan,
            };
            batch.push((self.life(index, fate), fate));
            if batch.len() == BATCH {
                self.plant(&batch)?;
                batch.clear();
            }
        }
        self.plant(&batch)
    }

    /// The story of one claim. Sets that are gone have numbers behind those that are there.
    fn life(&self, index: u32, fate: Fate) -> Life {
        let Seed { volumes, per_set, .. } = self.seed;
        let sets = volumes.div_ceil(per_set);
        let (number, ordinal) = match fate {
            Fate::Claimed => (index / per_set, index % per_set),
            Fate::LeftBehind | Fate::Orphan => (sets + (index - volumes) / per_set, (index - volumes) % per_set),
        };
        let zone = usize::try_from(ordinal).unwrap_or_default() % self.zones.len().max(1);
        Life {
            namespace: self.namespace(number),
            set: set(number),
            ordinal,
            uid: self.uid(index, 'c'),
            volume_uid: self.uid(index, 'a'),
            zone: self.zones.get(zone).cloned().unwrap_or_default(),
            by_moorline: fate != Fate::Claimed || number % 2 == 0,
            class: CLASS,
            created: self.created,
        }
    }

    fn uid(&self, index: u32, kind: char) -> String {
        format!("{}-5eed-4000-{kind}000-{index:012x}", self.tag)
    }

    fn plant(&self, lives: &[(Life, Fate)]) -> Result<(), SeedError> {
        let volumes: Vec<NewVolume> = lives.iter().map(|(life, _)| self.volume(life)).collect();
        let ids = self.aws.seed(volumes, self.created)?;
        let bound = || {
            let lives = lives.iter().zip(&ids);
            lives.filter(|((_, fate), _)| *fate != Fate::Orphan)
        };
        let claims = bound().map(|((life, _), _)| life.claim());
        self.api.seed("persistentvolumeclaims", claims)?;
        let persistent_volumes = bound().map(|((life, _), id)| life.persistent_volume(id));
        self.api.seed("persistentvolumes", persistent_volumes)?;
        Ok(())
    }

    fn volume(&self, life: &Life) -> NewVolume {
        NewVolume {
            zone: life.zone.clone(),
            size_gib: objects::GIB,
            volume_type: "gp3".to_owned(),
            tags: life.tags(&self.cluster_uid),
            ..NewVolume::default()
        }
    }
}

/// The name of a StatefulSet.
fn set(number: u32) -> String {
    format!("db-{number}")
}
