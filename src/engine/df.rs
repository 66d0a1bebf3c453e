//! How full volumes are: what `df -h` shows in each pod, from the kubelets' statistics, joined with claims and volumes.

mod kubelets;
mod mounts;

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{ListQuery, MountStatistics, Object, ResourceKind, VolumeId, quantity};
use moorline_profile::Profile;

use self::kubelets::Kubelets;
use self::mounts::Mount;
use crate::context::Context;
use crate::error::EngineError;
use crate::fold::{ClaimView, Key};
use crate::observe;
use crate::outcome::{DiskUsage, MeasuredBy, MountUsage};
use crate::status::{Selectors, natural, set_of};
use crate::usage::{self, Used};

/// Reads how full each volume is that a pod of the profile has mounted: one call to each node with such a pod. What a kubelet
/// does not tell the cloud may know in part. What nobody tells is `None` with the reason, never an estimate.
///
/// An error is a cluster that cannot be reached or whose pods or claims may not be listed, or a profile that does not belong
/// here.
pub async fn df(ctx: &Context, profile: &Profile) -> Result<DiskUsage, EngineError> {
    let site = observe::site_in_cluster(ctx, profile).await?;
    let namespaces = observe::namespaces(profile);
    let (mounts, claims) = futures::try_join!(mounts(ctx, profile, &namespaces), observe::claims(ctx, &namespaces))?;
    let nodes = mounts
        .iter()
        .filter(|mount| !mount.block && !mount.node.is_empty())
        .map(|mount| mount.node.clone())
        .collect();
    let (kubelets, volumes) = futures::join!(Kubelets::ask(ctx, nodes), volumes(ctx, &mounts, &claims));
    let mut notices = Vec::new();
    let volumes = volumes.unwrap_or_else(|error| {
        notices.push(format!("which volumes are behind the claims is not known: {error}"));
        BTreeMap::new()
    });
    let mut rows: Vec<MountUsage> = mounts
        .iter()
        .map(|mount| row(mount, kubelets.figures(mount), volumes.get(&key(mount))))
        .collect();
    let incomplete = rows
        .iter()
        .zip(&mounts)
        .any(|(row, mount)| row.measured_by.is_none() && !mount.block);
    notices.extend(reasons(&rows));
    if incomplete {
        let used = ask_cloud(ctx, profile, &rows, &mounts, &volumes).await;
        notices.extend(used.notices.iter().cloned());
        for (row, mount) in rows.iter_mut().zip(&mounts) {
            let capacity = claims
                .get(&key(mount))
                .and_then(|claim| quantity::bytes(&claim.capacity));
            let bytes = volumes.get(&key(mount)).and_then(|id| used.bytes.get(id));
            fill_from_cloud(row, bytes.copied(), capacity);
        }
    }
    Ok(DiskUsage {
        profile: profile.name.clone(),
        cluster: site.cluster,
        mounts: rows,
        notices,
        incomplete,
    })
}

fn key(mount: &Mount) -> Key {
    (mount.namespace.clone(), mount.claim.clone())
}

/// The mounts of the profile's pods, and of others that mount its claims.
async fn mounts(
    ctx: &Context,
    profile: &Profile,
    namespaces: &BTreeSet<String>,
) -> Result<Vec<Mount>, moorline_api::Error> {
    let selectors = Selectors::of(profile);
    let ours = |mount: &Mount| {
        let key = key(mount);
        let standalone =
            |claim: &moorline_profile::StandaloneClaim| (&claim.namespace, &claim.name) == (&key.0, &key.1);
        profile.claims.iter().any(standalone) || set_of(profile, &key).is_some()
    };
    let of_pod = |pod: Object| {
        let selected = selectors.select(&pod);
        let mut mounts = mounts::of_pod(&pod);
        mounts.retain(|mount| selected || ours(mount));
        Some(mounts)
    };
    let mut all = Vec::new();
    for namespace in namespaces {
        let query = ListQuery::within(ResourceKind::pod(), namespace);
        let (of_pods, _) = observe::list(ctx, query, of_pod).await?;
        all.extend(of_pods.into_iter().flatten());
    }
    all.sort_by_cached_key(|mount| (mount.namespace.clone(), natural(&mount.pod), mount.claim.clone()));
    Ok(all)
}

/// The cloud's volume behind each claim that is bound.
async fn volumes(
    ctx: &Context,
    mounts: &[Mount],
    claims: &BTreeMap<Key, ClaimView>,
) -> Result<BTreeMap<Key, VolumeId>, moorline_api::Error> {
    let bound: BTreeMap<Key, &str> = mounts
        .iter()
        .filter_map(|mount| Some((key(mount), claims.get(&key(mount))?)))
        .filter(|(_, claim)| claim.is_bound())
        .map(|(key, claim)| (key, &*claim.volume_name))
        .collect();
    let names = bound.values().map(|&name| name.to_owned()).collect();
    let persistent = observe::persistent_volumes(ctx, names).await?;
    let volume = |(key, name): (Key, &str)| Some((key, persistent.get(name)?.volume.clone()?));
    Ok(bound.into_iter().filter_map(volume).collect())
}

fn row(mount: &Mount, figures: Result<&MountStatistics, String>, volume: Option<&VolumeId>) -> MountUsage {
    let mut row = MountUsage {
        namespace: mount.namespace.clone(),
        pod: mount.pod.clone(),
        node: mount.node.clone(),
        claim: mount.claim.clone(),
        paths: mount.paths.clone(),
        volume: volume.map(ToString::to_string),
        measured_by: None,
        measured_at: None,
        size_bytes: None,
        used_bytes: None,
        available_bytes: None,
        used_percent: None,
        inodes: None,
        inodes_used: None,
        inodes_free: None,
        inodes_used_percent: None,
        unknown: String::new(),
    };
    match figures {
        _ if mount.block => "it is a block device, whose contents nobody measures".clone_into(&mut row.unknown),
        Err(why) => row.unknown = why,
        Ok(figures) => {
            row.measured_by = Some(MeasuredBy::Kubelet);
            row.measured_at = figures.time;
            row.size_bytes = figures.capacity_bytes;
            row.used_bytes = figures.used_bytes;
            row.available_bytes = figures.available_bytes;
            row.used_percent = percent(figures.used_bytes, figures.available_bytes);
            row.inodes = figures.inodes;
            row.inodes_used = figures.inodes_used;
            row.inodes_free = figures.inodes_free;
            row.inodes_used_percent = percent(figures.inodes_used, figures.inodes_free);
        }
    }
    row
}

/// As `df` counts: of what is used and what can be used, rounded up. What only root may use is neither.
fn percent(used: Option<u64>, available: Option<u64>) -> Option<u64> {
    let (used, available) = (u128::from(used?), u128::from(available?));
    let whole = used + available;
    let percent = (used * 100)
        .checked_div(whole)
        .map(|floor| floor + u128::from(used * 100 % whole > 0))?;
    u64::try_from(percent).ok()
}

/// Why figures are missing: each reason once, with those that it is true of.
fn reasons(rows: &[MountUsage]) -> Vec<String> {
    let mut of_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.unknown.is_empty()) {
        of_reason.entry(&row.unknown).or_default().push(&row.pod);
    }
    let notice = |(why, pods): (&str, Vec<&str>)| {
        let first = pods.first().copied().unwrap_or_default();
        let others = match pods.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        format!("no figures for pod {first}{others}: {why}")
    };
    of_reason.into_iter().map(notice).collect()
}

/// What the cloud counts of the volumes that no kubelet told of.
async fn ask_cloud(
    ctx: &Context,
    profile: &Profile,
    rows: &[MountUsage],
    mounts: &[Mount],
    volumes: &BTreeMap<Key, VolumeId>,
) -> Used {
    let unknown = rows.iter().zip(mounts).filter(|(row, _)| row.measured_by.is_none());
    let ids: BTreeSet<VolumeId> = unknown
        .filter_map(|(_, mount)| volumes.get(&key(mount)).cloned())
        .collect();
    if ids.is_empty() {
        return Used::default();
    }
    // Only now the cloud matters, and whether it is the one that the profile belongs to.
    match observe::site(ctx, profile).await {
        Ok(_) => usage::used(ctx, ids).await,
        Err(error) => Used {
            notices: vec![format!("the cloud was not asked how full they are: {error}")],
            ..Used::default()
        },
    }
}

fn fill_from_cloud(row: &mut MountUsage, used: Option<u64>, capacity: Option<u64>) {
    if let (None, Some(used)) = (row.measured_by, used) {
        row.measured_by = Some(MeasuredBy::Cloud);
        row.used_bytes = Some(used);
        row.size_bytes = capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_are_counted_as_df_counts_them() {
        let percent = |used, available| percent(Some(used), Some(available));
        assert_eq!(percent(0, 100), Some(0));
        assert_eq!(percent(1, 999), Some(1), "rounded up");
        assert_eq!(percent(50, 50), Some(50));
        assert_eq!(percent(90, 5), Some(95), "what only root may use does not count");
        assert_eq!(percent(100, 0), Some(100));
        assert_eq!(percent(0, 0), None, "an empty file system is neither full nor empty");
        assert_eq!(percent(u64::MAX, u64::MAX), Some(50));
        assert_eq!(super::percent(None, Some(1)), None);
    }

    fn mount(pod: &str, block: bool) -> Mount {
        Mount {
            namespace: "d".to_owned(),
            pod: pod.to_owned(),
            pod_uid: "u".to_owned(),
            node: "n".to_owned(),
            claim: "data".to_owned(),
            paths: vec!["/app/".to_owned()],
            block,
        }
    }

    #[test]
    fn a_reason_is_told_once() {
        let unknown = |pod: &str, why: &str| row(&mount(pod, false), Err(why.to_owned()), None);
        let rows = [
            unknown("a", "no right"),
            unknown("b", "no right"),
            unknown("c", "no node"),
        ];
        assert_eq!(
            reasons(&rows),
            [
                "no figures for pod c: no node",
                "no figures for pod a and 1 more: no right"
            ]
        );
    }

    #[test]
    fn the_cloud_fills_in_only_what_it_knows() {
        let mut unknown = row(&mount("a", false), Err("no right".to_owned()), None);
        fill_from_cloud(&mut unknown, None, Some(1 << 30));
        assert_eq!((unknown.measured_by, unknown.size_bytes), (None, None));
        fill_from_cloud(&mut unknown, Some(7), Some(1 << 30));
        assert_eq!((unknown.used_bytes, unknown.size_bytes), (Some(7), Some(1 << 30)));
        assert_eq!((unknown.available_bytes, unknown.used_percent), (None, None));
        assert_eq!(unknown.unknown, "no right");

        let figures = MountStatistics {
            capacity_bytes: Some(10),
            used_bytes: Some(1),
            available_bytes: Some(9),
            ..MountStatistics::default()
        };
        let mut known = row(&mount("a", false), Ok(&figures), None);
        fill_from_cloud(&mut known, Some(7), Some(1 << 30));
        assert_eq!((known.used_bytes, known.used_percent), (Some(1), Some(10)));
        assert_eq!(known.measured_by, Some(MeasuredBy::Kubelet));
        assert_eq!(row(&mount("a", true), Ok(&figures), None).used_bytes, None);
    }
}
