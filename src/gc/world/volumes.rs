//! Volumes as a cloud lists them.

use jiff::Timestamp;
use moorline_api::{Volume, VolumeId, VolumeState};

use super::{Detail, ScopeIndex, ScopeWorld, VolumeIndex, VolumeRecord, World};
use crate::coverage::Reading;
use crate::intern::Sym;
use crate::maker::Maker;
use crate::mark::Mark;
use crate::{names, protect};

impl World {
    /// Names a scope of a cloud: an account and region, a subscription. It is not read yet.
    pub fn scope(&mut self, name: &str) -> ScopeIndex {
        let known = self.scopes.iter().position(|scope| scope.name == name);
        let index = known.unwrap_or_else(|| {
            self.scopes.push(ScopeWorld {
                name: name.to_owned(),
                reading: Reading::Not,
            });
            self.scopes.len() - 1
        });
        ScopeIndex(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// Says that a scope's volumes were listed to their end.
    pub fn scope_read(&mut self, scope: ScopeIndex, began: Timestamp) {
        self.scopes[usize::from(scope.0)].reading = Reading::Complete { began };
    }

    /// Says that a scope's volumes could not be listed to their end.
    pub fn scope_failed(&mut self, scope: ScopeIndex, why: impl Into<String>) {
        self.scopes[usize::from(scope.0)].reading = Reading::Failed { why: why.into() };
    }

    /// Takes in a volume; one that was taken in before is replaced. `monthly` is what it costs, in US dollars a month, where
    /// that is known. A volume on its way out is not taken in, and is forgotten if it was.
    pub fn add_volume(&mut self, scope: ScopeIndex, volume: &Volume, detail: Detail, monthly: Option<f64>) {
        let id = self.names.add(&volume.id.0);
        if matches!(volume.state, VolumeState::Deleting | VolumeState::Deleted) {
            if let Some(index) = self.volume_by_id.remove(&id) {
                self.volumes[index as usize].id = Sym::NONE;
            }
            return;
        }
        let written = volume.tags.get(names::UNUSED);
        let mark: Option<Mark> = written.and_then(|text| text.parse().ok());
        let protected = protect::of_volume(&self.protect, volume);
        let names = &mut self.names;
        let record = VolumeRecord {
            id,
            name: names.add(volume.id.name()),
            scope: scope.0,
            sort: volume.spec.config.sort(),
            type_name: names.add(volume.spec.config.type_name()),
            full: detail == Detail::Full,
            gib: volume.spec.size_gib,
            monthly: monthly.filter(|cost| cost.is_finite() && *cost >= 0.0).unwrap_or(-1.0),
            used: names.add(&used(volume).unwrap_or_default()),
            odd: volume.state == VolumeState::Unknown,
            protected: names.add(&protected.unwrap_or_default()),
            maker: Maker::of(volume, names),
            marked: mark.map(|mark| mark.since),
            has_mark: written.is_some(),
            created: volume.created.map_or(0, Timestamp::as_second),
        };
        if let Some(index) = self.volume_by_id.get(&id) {
            self.volumes[*index as usize] = record;
        } else if let Ok(index) = u32::try_from(self.volumes.len()) {
            self.volumes.push(record);
            self.volume_by_id.insert(id, index);
        }
    }

    /// Every volume.
    pub fn volumes(&self) -> impl Iterator<Item = VolumeIndex> {
        let known = self
            .volumes
            .iter()
            .enumerate()
            .filter(|(_, volume)| !volume.id.is_none());
        known.filter_map(|(index, _)| Some(VolumeIndex(u32::try_from(index).ok()?)))
    }

    /// The volume with this id.
    pub fn find_volume(&self, id: &VolumeId) -> Option<VolumeIndex> {
        let id = self.names.find(&id.0)?;
        self.volume_by_id.get(&id).copied().map(VolumeIndex)
    }

    /// A volume's id.
    pub fn volume_id(&self, volume: VolumeIndex) -> VolumeId {
        VolumeId(self.text(self.volume(volume).id).to_owned())
    }

    pub(crate) fn volume(&self, index: VolumeIndex) -> &VolumeRecord {
        &self.volumes[index.0 as usize]
    }
}

/// What the cloud says uses the volume.
fn used(volume: &Volume) -> Option<String> {
    if let Some(attachment) = volume.attachments.first() {
        return Some(format!("{} to {}", attachment.state, attachment.instance));
    }
    match volume.state {
        VolumeState::InUse => Some("in use".to_owned()),
        VolumeState::Creating => Some("still being made".to_owned()),
        _ => None,
    }
}
