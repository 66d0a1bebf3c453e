//! Folds listings into a world as their pages come. A listing that breaks off leaves its kind unread, whatever came before.

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use moorline_api::{ListQuery, ManagedFields, Page, Result, Volume};

use crate::coverage::Kind;
use crate::names;
use crate::world::{ClusterIndex, Detail, ScopeIndex, VolumeNames, World};

/// What a world takes no notice of, in the two kinds of which there are as many as volumes.
const UNWANTED_OF_CLAIMS: &[(&str, &str)] = &[
    ("metadata", "finalizers"),
    ("spec", "accessModes"),
    ("spec", "resources"),
    ("status", "accessModes"),
    ("status", "allocatedResources"),
    ("status", "capacity"),
];
const UNWANTED_OF_PERSISTENT_VOLUMES: &[(&str, &str)] = &[
    ("metadata", "finalizers"),
    ("spec", "accessModes"),
    ("spec", "capacity"),
    ("spec", "mountOptions"),
    ("spec", "nodeAffinity"),
];

/// The same query for no more than a world takes: of claims' managed fields the entries by which those that the StatefulSet
/// controller made are known, and of other objects none. They are half of what a cluster would send to memory.
#[must_use]
pub fn lean(query: ListQuery) -> ListQuery {
    let gvk = &query.resource.gvk;
    if gvk.is("", "PersistentVolumeClaim") {
        let of_controller = ManagedFields::Of {
            manager: names::CONTROLLER_MANAGER.to_owned(),
            field: names::ACCESS_MODES,
        };
        query.managed_fields(of_controller).without(UNWANTED_OF_CLAIMS)
    } else if gvk.is("", "PersistentVolume") {
        let query = query.managed_fields(ManagedFields::None);
        query.without(UNWANTED_OF_PERSISTENT_VOLUMES)
    } else {
        query.managed_fields(ManagedFields::None)
    }
}

/// Folds one kind of one cluster. `began` is the time before the first call.
pub async fn objects(
    world: &mut World,
    cluster: ClusterIndex,
    kind: Kind,
    began: Timestamp,
    pages: impl Stream<Item = Result<Page>> + Unpin,
    names_of: &(impl VolumeNames + ?Sized),
) {
    let mut pages = pages;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => page
                .objects
                .iter()
                .for_each(|object| world.add(cluster, object, names_of)),
            Err(error) => return world.failed(cluster, kind, error.to_string()),
        }
    }
    world.read_whole(cluster, kind, began);
}

/// Folds the volumes of one scope. `monthly` says what a volume costs, in US dollars a month.
pub async fn volumes(
    world: &mut World,
    scope: ScopeIndex,
    detail: Detail,
    began: Timestamp,
    pages: impl Stream<Item = Result<Vec<Volume>>> + Unpin,
    monthly: impl Fn(&Volume) -> Option<f64>,
) {
    let mut pages = pages;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                for volume in &page {
                    world.add_volume(scope, volume, detail, monthly(volume));
                }
            }
            Err(error) => return world.scope_failed(scope, error.to_string()),
        }
    }
    world.scope_read(scope, began);
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::stream;
    use moorline_api::{Error, ErrorKind, ResourceKind, Tags, VolumeConfig, VolumeId, VolumeSpec, VolumeState};

    use super::*;
    use crate::policy::Policy;

    fn disk(id: &str) -> Volume {
        Volume {
            id: VolumeId(id.to_owned()),
            spec: VolumeSpec {
                size_gib: 1,
                zone: None,
                config: VolumeConfig::ebs("gp3"),
            },
            state: VolumeState::Available,
            attachments: Vec::new(),
            tags: Tags::new(),
            created: None,
        }
    }

    /// The world after this listing of its only scope, and why that is a gap.
    fn listed(pages: Vec<Result<Vec<Volume>>>) -> (World, Option<String>) {
        let began = "2026-11-21T12:00:00Z".parse().unwrap();
        let policy = Policy::of([]);
        let mut world = World::new(&policy);
        let scope = world.scope("aws 1/eu-west-1");
        let pages = stream::iter(pages);
        block_on(volumes(&mut world, scope, Detail::Full, began, pages, |_| Some(0.5)));
        let gap = world.gaps(&policy, began).into_iter().next().map(|gap| gap.why);
        (world, gap)
    }

    #[test]
    fn a_listing_of_volumes_that_comes_to_its_end_is_whole() {
        let (world, gap) = listed(vec![Ok(vec![disk("vol-1")]), Ok(vec![disk("vol-2")])]);
        let known: Vec<_> = world.volumes().map(|index| world.describe(index).monthly).collect();
        assert_eq!(known, [Some(0.5), Some(0.5)]);
        assert_eq!(gap, None);
    }

    #[test]
    fn a_listing_of_volumes_that_breaks_off_is_a_gap_and_what_it_showed_is_known() {
        let refused = Error::new(ErrorKind::Forbidden, "list", "volumes", "403 of aws");
        let (world, gap) = listed(vec![Ok(vec![disk("vol-1")]), Err(refused)]);
        assert_eq!(world.volumes().count(), 1);
        let gap = gap.unwrap();
        assert!(gap.contains("could not be read") && gap.contains("403 of aws"), "{gap}");
    }

    #[test]
    fn claims_alone_are_asked_for_the_entries_that_prove_their_maker() {
        let wanted = |resource| lean(ListQuery::everywhere(resource)).managed_fields;
        assert_eq!(
            wanted(ResourceKind::claim()),
            ManagedFields::Of {
                manager: "kube-controller-manager".to_owned(),
                field: "f:accessModes",
            }
        );
        assert_eq!(wanted(ResourceKind::persistent_volume()), ManagedFields::None);
    }
}
