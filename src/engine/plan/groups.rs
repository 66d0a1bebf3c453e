//! Claims that one pod may mount together, and the zone where their volumes belong.

use moorline_api::Placement;
use moorline_profile::SetClaims;

use super::claims::ClaimInputs;
use super::zones::{common, spread, zones_for_pod};
use crate::fold::Key;

/// The claims of a set, or those of a namespace that stand by themselves.
pub(super) struct Group<'a> {
    pub(super) set: Option<&'a SetClaims>,
    /// What volumes are spread by.
    name: String,
    /// Zones of the nodes that its pods accept; `None` where no node says.
    of_nodes: Option<Vec<String>>,
    /// Where a volume of a claim that stands by itself is already.
    taken: Option<String>,
}

impl<'a> Group<'a> {
    pub(super) fn of_set(inputs: &ClaimInputs<'_>, set: &'a SetClaims) -> Self {
        Self {
            set: Some(set),
            name: format!("{}/{}", set.namespace, set.name),
            of_nodes: zones_for_pod(inputs.nodes, set.node_selector.as_ref(), set.affinity.as_ref()),
            taken: None,
        }
    }

    pub(super) fn standalone(inputs: &ClaimInputs<'_>, namespace: &str) -> Self {
        let claims = inputs
            .profile
            .claims
            .iter()
            .filter(|claim| claim.namespace == namespace);
        let taken = claims
            .map(|claim| (claim.namespace.clone(), claim.name.clone()))
            .find_map(|key| zone_of(inputs, &key));
        Self {
            set: None,
            name: inputs.profile.name.clone(),
            of_nodes: zones_for_pod(inputs.nodes, None, None),
            taken,
        }
    }

    /// The zone of a claim's volume: its own, or that of the other volumes of its pod, which needs all of them in one; or by
    /// spreading over what everyone allows. The error is why there is none.
    pub(super) fn locate(
        &self,
        inputs: &ClaimInputs<'_>,
        key: &Key,
        ordinal: u32,
        placement: &Placement,
    ) -> Result<Option<String>, String> {
        if !placement.zonal {
            return Ok(None);
        }
        if let Some(zone) = zone_of(inputs, key).or_else(|| self.zone_of_siblings(inputs, ordinal)) {
            return Ok(Some(zone));
        }
        let lists = [Some(inputs.zones), placement.zones.as_deref(), self.of_nodes.as_deref()];
        let allowed = common(&lists).unwrap_or_default();
        match spread(&allowed, &self.name, ordinal) {
            Some(zone) => Ok(Some(zone.clone())),
            None => Err(format!(
                "no zone is allowed by all: the region has {}, the class allows {}, nodes that the pod accepts are in {}",
                inputs.zones.join(", "),
                placement
                    .zones
                    .as_ref()
                    .map_or_else(|| "all".to_owned(), |zones| zones.join(", ")),
                self.of_nodes
                    .as_ref()
                    .filter(|zones| !zones.is_empty())
                    .map_or_else(|| "none".to_owned(), |zones| zones.join(", ")),
            )),
        }
    }

    fn zone_of_siblings(&self, inputs: &ClaimInputs<'_>, ordinal: u32) -> Option<String> {
        let Some(set) = self.set else { return self.taken.clone() };
        let mut names = set
            .templates
            .iter()
            .map(|template| set.claim_name(&template.name, ordinal));
        names.find_map(|name| zone_of(inputs, &(set.namespace.clone(), name)))
    }
}

/// The zone of the volume that a claim has already.
fn zone_of(inputs: &ClaimInputs<'_>, key: &Key) -> Option<String> {
    let claim = inputs.claims.get(key)?;
    let by_pv = inputs
        .persistent_volumes
        .get(&claim.volume_name)
        .and_then(|pv| inputs.volumes.get(pv.volume.as_ref()?));
    let volume = by_pv.or_else(|| {
        let mut made = inputs.volumes.of_claim(&claim.uid).into_iter();
        made.find(|volume| volume.state.is_alive())
    })?;
    volume.spec.zone.clone()
}
