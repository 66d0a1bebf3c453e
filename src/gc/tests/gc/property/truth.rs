//! The truth about a few clusters and a cloud, as users change it. It knows who made what because it made it; nothing here is
//! of the code under test.

use std::collections::BTreeMap;

pub(crate) const NAMESPACES: [&str; 2] = ["x", "y"];
pub(super) const SETS: [&str; 5] = ["a", "a-0", "db", "data-a", "0"];
pub(super) const TEMPLATES: [&str; 4] = ["data", "data-a", "d", "data-a-0"];
pub(crate) const CLAIMS: [&str; 3] = ["data-a-0", "scratch", "d-db-1"];

/// Who made a claim.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Made {
    /// moorline, for the set of this name.
    Moorline(String),
    /// The StatefulSet controller, for the set of this name.
    Controller(String),
    /// Somebody, for whatever they had in mind.
    Hand,
}

impl Made {
    pub(crate) fn set(&self) -> Option<&str> {
        match self {
            Self::Moorline(set) | Self::Controller(set) => Some(set),
            Self::Hand => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) uid: String,
    pub(crate) namespace: &'static str,
    pub(crate) name: String,
    pub(crate) made: Made,
    pub(crate) volume_name: Option<String>,
    pub(crate) protected: bool,
    pub(crate) created: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Pv {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Namespace, name and UID of the claim that it is reserved for.
    pub(crate) claim: Option<(&'static str, String, Option<String>)>,
    pub(crate) volume: usize,
    /// In which form it names the volume.
    pub(crate) form: u8,
    pub(crate) retain: bool,
    pub(crate) created: i64,
    /// When its claim was deleted.
    pub(crate) released: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) uid: String,
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) template: &'static str,
    pub(crate) replicas: u8,
    pub(crate) start: u8,
    pub(crate) deletes_claims: bool,
    pub(crate) by_moorline: bool,
}

/// Something else that uses a claim, or would.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) kind: u8,
    pub(crate) namespace: &'static str,
    pub(crate) name: String,
    pub(crate) claim: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) claims: Vec<Claim>,
    pub(crate) pvs: Vec<Pv>,
    pub(crate) sets: Vec<Set>,
    pub(crate) users: Vec<User>,
}

/// How a volume says who made it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tagging {
    /// As moorline does.
    Moorline,
    /// As the EBS CSI driver does without further settings.
    Csi,
    /// With the cluster's id.
    CsiWithCluster,
    /// As the in-tree provisioner does.
    InTree,
    /// Not at all, or so that it proves nothing.
    Trap(u8),
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false by itself")]
pub(crate) struct Volume {
    /// The cluster and claim that made it; none where somebody did by hand.
    pub(crate) made_by: Option<(usize, String)>,
    /// Namespace and name of that claim.
    pub(crate) made_for: (String, String),
    pub(crate) tagging: Tagging,
    /// As the cloud sees it.
    pub(crate) attached: bool,
    /// As its clusters' `VolumeAttachment`s have it, which come before and go after.
    pub(crate) attaching: bool,
    pub(crate) protected: bool,
    pub(crate) mark: Option<String>,
    pub(crate) gone: bool,
    pub(crate) created: i64,
}

/// Everything there is.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    pub(crate) now: i64,
    pub(crate) clusters: Vec<Cluster>,
    /// The last cluster is one that the policy does not name.
    pub(crate) stranger: usize,
    pub(crate) volumes: Vec<Volume>,
    pub(super) counter: u64,
}

/// What a user does, in four small numbers.
pub(crate) type Op = (u8, u8, u8, u8);

pub(super) fn pick<T: Copy>(from: &[T], number: u8) -> T {
    from[usize::from(number) % from.len()]
}

impl Truth {
    pub(crate) fn new(named: usize) -> Self {
        Self {
            now: 1_800_000_000,
            clusters: vec![Cluster::default(); named + 1],
            stranger: named,
            volumes: Vec::new(),
            counter: 0,
        }
    }

    pub(crate) fn uid_of_cluster(cluster: usize) -> String {
        format!("{:08}-0000-4000-8000-000000000000", cluster + 1)
    }

    pub(super) fn uid(&mut self) -> String {
        self.counter += 1;
        format!("{:08x}-1111-4111-8111-111111111111", self.counter)
    }

    pub(super) fn some_volume(&self, number: u8) -> Option<usize> {
        let alive: Vec<usize> = (0..self.volumes.len())
            .filter(|index| !self.volumes[*index].gone)
            .collect();
        (!alive.is_empty()).then(|| alive[usize::from(number) % alive.len()])
    }

    pub(super) fn create_set(&mut self, cluster: usize, namespace: &'static str, two: u8, three: u8) {
        let name = pick(&SETS, two);
        let sets = &self.clusters[cluster].sets;
        if sets.iter().any(|set| set.namespace == namespace && set.name == name) {
            return;
        }
        let set = Set {
            uid: self.uid(),
            namespace,
            name,
            template: pick(&TEMPLATES, two / 8),
            replicas: three % 3,
            start: (three / 4) % 2,
            deletes_claims: three % 16 == 5,
            by_moorline: three & 64 == 0,
        };
        self.make_claims(cluster, &set, three);
        self.clusters[cluster].sets.push(set);
    }

    pub(super) fn make_claims(&mut self, cluster: usize, set: &Set, how: u8) {
        for ordinal in set.start..set.start + set.replicas {
            let name = format!("{}-{}-{ordinal}", set.template, set.name);
            let made = if set.by_moorline {
                Made::Moorline(set.name.to_owned())
            } else {
                Made::Controller(set.name.to_owned())
            };
            let tagging = match how % 8 {
                _ if set.by_moorline => Tagging::Moorline,
                0..=2 => Tagging::Csi,
                3..=5 => Tagging::CsiWithCluster,
                _ => Tagging::InTree,
            };
            self.make_claim(cluster, (set.namespace, &name), made, (tagging, how));
        }
    }

    /// A claim with its volume and PersistentVolume, where there is none of the name.
    pub(super) fn make_claim(
        &mut self,
        cluster: usize,
        (namespace, name): (&'static str, &str),
        made: Made,
        (tagging, how): (Tagging, u8),
    ) {
        let exists = |claim: &Claim| claim.namespace == namespace && claim.name == name;
        if self.clusters[cluster].claims.iter().any(exists) {
            return;
        }
        let uid = self.uid();
        let volume = self.make_volume(Some((cluster, uid.clone())), (namespace, name), tagging);
        let pv = Pv {
            name: format!("pvc-{uid}"),
            uid: self.uid(),
            claim: Some((namespace, name.to_owned(), Some(uid.clone()))),
            volume,
            form: how,
            retain: how & 1 == 1,
            created: self.now,
            released: 0,
        };
        let claim = Claim {
            uid,
            namespace,
            name: name.to_owned(),
            made,
            volume_name: Some(pv.name.clone()),
            protected: false,
            created: self.now,
        };
        self.clusters[cluster].claims.push(claim);
        self.clusters[cluster].pvs.push(pv);
    }

    pub(super) fn make_volume(
        &mut self,
        made_by: Option<(usize, String)>,
        (namespace, name): (&str, &str),
        tagging: Tagging,
    ) -> usize {
        self.volumes.push(Volume {
            made_by,
            made_for: (namespace.to_owned(), name.to_owned()),
            tagging,
            attached: false,
            attaching: false,
            protected: false,
            mark: None,
            gone: false,
            created: self.now,
        });
        self.volumes.len() - 1
    }

    pub(super) fn some_set(&mut self, cluster: usize, number: u8) -> Option<usize> {
        let count = self.clusters[cluster].sets.len();
        (count > 0).then(|| usize::from(number) % count)
    }

    pub(super) fn scale(&mut self, cluster: usize, two: u8, three: u8) {
        let Some(index) = self.some_set(cluster, two) else {
            return;
        };
        self.clusters[cluster].sets[index].replicas = three % 4;
        let set = self.clusters[cluster].sets[index].clone();
        self.make_claims(cluster, &set, three);
    }

    pub(super) fn delete_set(&mut self, cluster: usize, two: u8) {
        let Some(index) = self.some_set(cluster, two) else {
            return;
        };
        let set = self.clusters[cluster].sets.remove(index);
        if set.deletes_claims {
            let names = |claim: &Claim| claim.namespace == set.namespace && claim.made.set() == Some(set.name);
            let gone: Vec<String> = self.clusters[cluster]
                .claims
                .iter()
                .filter(|claim| names(claim))
                .map(|c| c.uid.clone())
                .collect();
            for uid in &gone {
                self.remove_claim(cluster, uid, true);
            }
        }
    }

    /// The claim goes; a driver deletes the volume and PersistentVolume where the policy says so, unless it is dead.
    pub(crate) fn remove_claim(&mut self, cluster: usize, uid: &str, driver_lives: bool) {
        let place = &mut self.clusters[cluster];
        place.claims.retain(|claim| claim.uid != uid);
        let of_claim = |pv: &Pv| pv.claim.as_ref().is_some_and(|(_, _, own)| own.as_deref() == Some(uid));
        for pv in place.pvs.iter_mut().filter(|pv| of_claim(pv)) {
            pv.released = self.now;
        }
        if !driver_lives {
            return;
        }
        let volumes = &mut self.volumes;
        place.pvs.retain(|pv| {
            let goes = of_claim(pv) && !pv.retain && !volumes[pv.volume].attached;
            if goes {
                volumes[pv.volume].gone = true;
            }
            !goes
        });
    }

    /// The volumes that a cluster's PersistentVolumes name, by PersistentVolume.
    pub(crate) fn pv_named<'a>(&'a self, cluster: usize, name: &str) -> Option<&'a Pv> {
        self.clusters[cluster].pvs.iter().find(|pv| pv.name == name)
    }

    /// All of a claim's names in a cluster, for shows.
    pub(crate) fn set_names(&self, cluster: usize) -> BTreeMap<(&'static str, &'static str), &Set> {
        self.clusters[cluster]
            .sets
            .iter()
            .map(|set| ((set.namespace, set.name), set))
            .collect()
    }
}
