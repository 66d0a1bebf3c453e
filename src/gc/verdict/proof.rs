//! Whether a claim of a named cluster made a volume.
//!
//! A cluster's tag says which cluster, and a claim's UID does where that claim, or a PersistentVolume reserved for it, is or
//! was seen in one. A claim's name and namespace say nothing: every cluster may have such a claim.

use super::Case;

pub(super) enum Proof {
    /// A claim of this cluster made it.
    Made { cluster: u16, how: String },
    /// It says itself that somebody else made it, or contradicts itself.
    Refuted(String),
    /// Nothing says so.
    None(String),
}

impl Case<'_> {
    pub(super) fn proof(&self) -> Proof {
        let world = self.world;
        let maker = &self.volume.maker;
        if let Some(doubt) = maker.doubt.some() {
            return Proof::Refuted(world.text(doubt).to_owned());
        }
        let mut signs = match self.cluster_signs() {
            Ok(signs) => signs,
            Err(stranger) => return Proof::Refuted(stranger),
        };
        match self.claim_signs() {
            Ok(found) => signs.extend(found),
            Err(stranger) => return Proof::Refuted(stranger),
        }
        let Some((cluster, how)) = signs.first().cloned() else {
            return Proof::None("nothing says which cluster's claim made it".to_owned());
        };
        if let Some((other, _)) = signs.iter().find(|(other, _)| *other != cluster) {
            let (one, other) = (&world.cluster(cluster).name, &world.cluster(*other).name);
            return Proof::Refuted(format!("evidence names two clusters as its maker, {one} and {other}"));
        }
        if !maker.for_a_claim {
            let name = &world.cluster(cluster).name;
            return Proof::None(format!("cluster {name} made it, but nothing says that a claim did"));
        }
        Proof::Made { cluster, how }
    }

    /// The clusters that its tags name; an error where the policy does not name one of them.
    fn cluster_signs(&self) -> Result<Vec<(u16, String)>, String> {
        let world = self.world;
        let maker = &self.volume.maker;
        let mut signs = Vec::new();
        if let Some(uid) = maker.cluster_uid.some() {
            let found = self.clusters_where(|cluster| cluster.uid == uid);
            if found.is_empty() {
                let uid = world.text(uid);
                return Err(format!("its tags name cluster {uid}, which the policy does not"));
            }
            signs.extend(
                found
                    .into_iter()
                    .map(|cluster| (cluster, "its tags have the cluster's UID".to_owned())),
            );
        }
        if let Some(id) = maker.cluster_id.some() {
            let found = self.clusters_where(|cluster| cluster.tag_ids.contains(&id));
            let id = world.text(id);
            if found.is_empty() {
                return Err(format!("its tags name cluster {id}, which the policy does not"));
            }
            signs.extend(
                found
                    .into_iter()
                    .map(|cluster| (cluster, format!("its tags name cluster {id}"))),
            );
        }
        Ok(signs)
    }

    /// The clusters in which its claim is, or a PersistentVolume reserved for it, or was when an earlier run looked.
    fn claim_signs(&self) -> Result<Vec<(u16, String)>, String> {
        let world = self.world;
        let Some(uid) = self.volume.maker.claim_uid.some() else {
            return Ok(Vec::new());
        };
        let mut signs = Vec::new();
        if let Some((cluster, _)) = world.claim_by_uid.get(&uid) {
            signs.push((*cluster, "the claim in its name or tags is there".to_owned()));
        }
        if let Some(cluster) = world.reserved.get(&uid) {
            signs.push((
                *cluster,
                "a PersistentVolume is reserved for the claim in its name or tags".to_owned(),
            ));
        }
        for known in self.records.clusters_of(world.text(uid)) {
            let found = self.clusters_where(|cluster| world.text(cluster.uid) == known);
            if found.is_empty() {
                return Err(format!(
                    "an earlier run saw its claim in cluster {known}, which the policy does not name"
                ));
            }
            let how = "an earlier run saw the claim in its name or tags".to_owned();
            signs.extend(found.into_iter().map(|cluster| (cluster, how.clone())));
        }
        Ok(signs)
    }

    fn clusters_where(&self, is: impl Fn(&crate::world::ClusterWorld) -> bool) -> Vec<u16> {
        let clusters = self.world.clusters.iter().enumerate();
        let found = clusters.filter(|(_, cluster)| is(cluster));
        found.filter_map(|(index, _)| u16::try_from(index).ok()).collect()
    }
}
