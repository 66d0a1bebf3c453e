//! PersistentVolumes and what is attached, as listings show them.

use moorline_api::Object;
use serde_json::Value;

use super::{ClusterIndex, Phase, PointerRecord, PvRecord, VolumeNames, World, seconds};
use crate::intern::Sym;
use crate::protect;

/// Fields of a PersistentVolume's source that may be, or may end with, a volume's name. In-tree sources and those of drivers
/// that no provider knows: what cannot be read surely may still be meant.
const NAMING: [&[&str]; 9] = [
    &["csi", "volumeHandle"],
    &["awsElasticBlockStore", "volumeID"],
    &["azureFile", "shareName"],
    &["azureDisk", "diskName"],
    &["azureDisk", "diskURI"],
    &["gcePersistentDisk", "pdName"],
    &["cinder", "volumeID"],
    &["nfs", "path"],
    &["flexVolume", "options", "shareName"],
];
/// Attributes of CSI volumes that name them, in lower case.
const NAMING_ATTRIBUTES: [&str; 5] = ["sharename", "containername", "diskname", "diskuri", "volumeid"];

impl World {
    pub(super) fn add_persistent_volume(
        &mut self,
        cluster: ClusterIndex,
        pv: &Object,
        names_of: &(impl VolumeNames + ?Sized),
    ) {
        let protected = protect::of_object(&self.protect, pv);
        let text = |path: &[&str]| pv.str_at(path).unwrap_or_default();
        let retain = pv.str_at(&["spec", "persistentVolumeReclaimPolicy"]) != Some("Delete");
        let ids = names_of.volume_ids(pv);
        let names = &mut self.names;
        let record = PvRecord {
            name: names.add(pv.name()),
            uid: names.add(pv.uid().unwrap_or_default()),
            claim_namespace: names.add(text(&["spec", "claimRef", "namespace"])),
            claim_name: names.add(text(&["spec", "claimRef", "name"])),
            claim_uid: names.add(text(&["spec", "claimRef", "uid"])),
            protected: names.add(&protected.unwrap_or_default()),
            created: seconds(pv),
            changed: changed(pv),
            phase: Phase::of(pv.str_at(&["status", "phase"])),
            retain,
            readable: !ids.is_empty(),
        };
        let (name, uid) = (record.name, record.uid);
        if let Some(claim) = record.claim_uid.some() {
            self.reserved.insert(claim, cluster.0);
        }
        let world = &mut self.clusters[usize::from(cluster.0)];
        let index = if let Some(index) = world.pv_by_name.get(&name) {
            if world.pvs[*index as usize].uid == uid {
                world.pvs[*index as usize] = record;
                return;
            }
            world.pvs[*index as usize] = record;
            *index
        } else {
            let Ok(index) = u32::try_from(world.pvs.len()) else {
                return;
            };
            world.pvs.push(record);
            world.pv_by_name.insert(name, index);
            index
        };
        for id in &ids {
            self.point(cluster, (index, uid), &id.0, true);
        }
        for other in loosely_named(pv, ids.is_empty()) {
            // What a provider read is in the handle too.
            if !ids.iter().any(|id| says(&id.0, other)) {
                self.point(cluster, (index, uid), other, false);
            }
        }
    }

    fn point(&mut self, cluster: ClusterIndex, (pv, pv_uid): (u32, Sym), volume: &str, exact: bool) {
        // Azure's names are lower-case, and a handle may be written otherwise.
        let lower = volume.to_ascii_lowercase();
        let key = self.names.add(if exact { volume } else { &lower });
        let head = self.pointers_to.entry(key).or_default();
        self.pointers.push(PointerRecord {
            cluster: cluster.0,
            exact,
            pv,
            pv_uid,
            next: *head,
        });
        *head = u32::try_from(self.pointers.len()).unwrap_or_default();
    }

    /// The PersistentVolumes that name a volume, or may mean it.
    pub(crate) fn pointers_to(&self, id: Sym, name: Sym) -> impl Iterator<Item = PointerRecord> + '_ {
        let head = |sym: Sym| self.pointers_to.get(&sym).copied().unwrap_or_default();
        let name = if name == id { 0 } else { head(name) };
        [head(id), name].into_iter().flat_map(move |head| {
            let at = |place: u32| self.pointers.get(usize::try_from(place.checked_sub(1)?).ok()?).copied();
            std::iter::successors(at(head), move |pointer| at(pointer.next))
        })
    }

    pub(super) fn add_attachment(
        &mut self,
        cluster: ClusterIndex,
        attachment: &Object,
        names_of: &(impl VolumeNames + ?Sized),
    ) {
        let node = self
            .names
            .add(attachment.str_at(&["spec", "nodeName"]).unwrap_or("a node"));
        if let Some(pv) = attachment.str_at(&["spec", "source", "persistentVolumeName"]) {
            let pv = self.names.add(pv);
            self.clusters[usize::from(cluster.0)].attached.insert(pv, node);
        }
        if let Some(spec) = attachment.at(&["spec", "source", "inlineVolumeSpec"]) {
            let mut inline = Object::default();
            inline.set(&["spec"], spec.clone());
            let exact: Vec<String> = names_of.volume_ids(&inline).into_iter().map(|id| id.0).collect();
            let loose = loosely_named(&inline, exact.is_empty()).map(str::to_ascii_lowercase);
            let all: Vec<Sym> = exact.into_iter().chain(loose).map(|id| self.names.add(&id)).collect();
            let world = &mut self.clusters[usize::from(cluster.0)];
            world
                .attached_volumes
                .extend(all.into_iter().map(|volume| (volume, node)));
        }
    }

    /// A `VolumeSnapshot` that is not ready yet: what it is taken of is in use.
    pub(super) fn add_snapshot(&mut self, cluster: ClusterIndex, snapshot: &Object) {
        let ready = snapshot.at(&["status", "readyToUse"]).and_then(Value::as_bool) == Some(true);
        let source = snapshot.str_at(&["spec", "source", "persistentVolumeClaimName"]);
        if let (false, Some(claim)) = (ready, source) {
            self.add_use(cluster, snapshot.namespace().unwrap_or_default(), claim, snapshot, true);
        }
    }
}

/// When the phase became what it is. A failed one was released before, and each try to delete its volume changes it.
fn changed(pv: &Object) -> i64 {
    let failed = pv.str_at(&["status", "phase"]) == Some("Failed");
    let since = pv.str_at(&["status", "lastPhaseTransitionTime"]).filter(|_| !failed);
    let since = since.and_then(|since| since.parse().ok());
    since.map_or(0, jiff::Timestamp::as_second)
}

/// Whether an id has this among its parts: `account.file/share` has `account` and `share`.
fn says(id: &str, part: &str) -> bool {
    id.split(['/', '.']).any(|own| own.eq_ignore_ascii_case(part))
}

/// What of a PersistentVolume's source can be the name of a volume. Where a provider has read it, only what its attributes and
/// the third part of its handle say: the handle of an Azure volume has its group, account and namespace in it, too.
fn loosely_named(pv: &Object, unread: bool) -> impl Iterator<Item = &str> {
    let spec = pv.at(&["spec"]);
    let fields = NAMING.iter().filter_map(move |path| {
        let mut value = spec?;
        for segment in *path {
            value = value.get(segment)?;
        }
        value.as_str()
    });
    let parts = fields.flat_map(move |text| {
        let (skip, take) = if unread || !text.contains('#') {
            (0, usize::MAX)
        } else {
            (2, 1)
        };
        text.split(['#', '/']).skip(skip).take(take)
    });
    let attributes = pv.at(&["spec", "csi", "volumeAttributes"]).and_then(Value::as_object);
    let attributes = attributes.into_iter().flatten().filter_map(|(key, value)| {
        let key = key.to_ascii_lowercase();
        NAMING_ATTRIBUTES.contains(&key.as_str()).then(|| value.as_str())?
    });
    parts
        .chain(attributes.flat_map(|text| text.split('/')))
        .filter(|part| part.len() >= 3)
}
