//! All volumes of a region, its zones side by side.
//!
//! A page says where the next one begins, so one listing takes its pages one by one: 100,000 volumes are 200 calls behind each other.
//! A volume never leaves its zone, and every zone's name ends in a letter or a digit (Amazon EC2 user guide, *Regions and Zones*), so
//! listings by that character together are whole, whatever zones there are.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream, SelectAll};
use futures::{StreamExt, TryStreamExt};
use moorline_api::{Result, Volume, VolumeId};
use tokio::sync::watch;

use crate::ahead::Ahead;
use crate::convert;
use crate::listing::{by_zone, until_error};
use crate::provider::AwsProvider;

/// What a zone's name may end in.
const ENDS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// Listings by zone, and what is known to be in them.
struct Parted<'a> {
    parts: SelectAll<BoxStream<'a, Result<Vec<Volume>>>>,
    /// Volumes of the first page of the whole that were not met again yet.
    awaited: BTreeSet<VolumeId>,
}

impl AwsProvider {
    /// Every volume, once each; pages come in no order. One page of volumes is one call, more of them are parted.
    pub(crate) fn every_volume(&self) -> BoxStream<'_, Result<Vec<Volume>>> {
        let all = async move {
            let (untold, _) = watch::channel(None);
            let first = self.volume_page(Vec::new(), None, Ahead(untold)).await?;
            let is_all = first.next_token.is_none_or(|token| token.is_empty());
            let volumes = first.volumes.unwrap_or_default().into_iter();
            let volumes: Vec<Volume> = volumes.filter_map(convert::volume).collect();
            Ok(match ends(&volumes) {
                _ if is_all => stream::once(async { Ok(volumes) }).boxed(),
                None => self.volume_pages(Vec::new()),
                Some(ends) => self.side_by_side(&volumes, &ends),
            })
        };
        until_error(stream::once(all).try_flatten().boxed()).boxed()
    }

    /// The parts, and at the end the whole where they do not hold what the first page of the whole showed: a service that does not
    /// know the filter answers with nothing, which must not pass for all there is.
    fn side_by_side<'a>(&'a self, first: &[Volume], ends: &BTreeSet<char>) -> BoxStream<'a, Result<Vec<Volume>>> {
        let parts = parts(ends).into_iter().map(|ends| {
            let of_part = self.volume_pages(vec![by_zone(&ends)]);
            // One that does not mind the filter answers each part with the whole.
            let own = of_part.map_ok(move |mut volumes| {
                volumes.retain(|volume| ends.contains(&end(volume)));
                volumes
            });
            own.boxed()
        });
        let parted = Parted {
            parts: stream::select_all(parts),
            awaited: first.iter().map(|volume| volume.id.clone()).collect(),
        };
        let whole = stream::try_unfold(Some(parted), move |parted| async move {
            let Some(mut parted) = parted else { return Ok(None) };
            if let Some(page) = parted.parts.try_next().await? {
                for volume in &page {
                    parted.awaited.remove(&volume.id);
                }
                return Ok(Some((stream::once(async { Ok(page) }).boxed(), Some(parted))));
            }
            // They were deleted meanwhile, or they are still there and the filter is not to be trusted.
            let left = self.volumes_of(parted.awaited.into_iter().collect()).await?;
            let rest = if left.is_empty() {
                stream::empty().boxed()
            } else {
                self.volume_pages(Vec::new())
            };
            Ok(Some((rest, None)))
        });
        whole.try_flatten().boxed()
    }
}

/// What the zones of these volumes end in; nothing where one's zone is not told.
fn ends(volumes: &[Volume]) -> Option<BTreeSet<char>> {
    let ends: BTreeSet<char> = volumes.iter().map(end).collect();
    (!ends.contains(&NO_ZONE)).then_some(ends)
}

/// In place of the last character of a zone that was not told.
const NO_ZONE: char = '\0';

fn end(volume: &Volume) -> char {
    let zone = volume.spec.zone.as_deref().unwrap_or_default();
    zone.chars().last().unwrap_or(NO_ZONE)
}

/// A listing for each of these ends, and one for all others.
fn parts(ends: &BTreeSet<char>) -> Vec<Vec<char>> {
    let others = ENDS.chars().filter(|end| !ends.contains(end)).collect();
    ends.iter().map(|end| vec![*end]).chain([others]).collect()
}
