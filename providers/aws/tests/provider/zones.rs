//! The inventory of a region with more volumes than a page.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use moorline_api::{ErrorKind, Inventory as _, Result};

use crate::server::{Answer, Params, Server, ec2, refusal, volume_fields};

/// How a service takes a filter by zone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Filtering {
    AsDocumented,
    Ignored,
    /// No name matches a pattern.
    Literal,
}

/// Volumes that a page of this service holds.
const PAGE: usize = 2;

/// By id; not in the order of zones.
const VOLUMES: [(&str, &str); 9] = [
    ("vol-1", "us-east-1a"),
    ("vol-2", "us-east-1b"),
    ("vol-3", "us-east-1a"),
    ("vol-4", "us-east-1-atl-2a"),
    ("vol-5", "us-east-1f"),
    ("vol-6", "us-east-1b"),
    ("vol-7", "us-east-1a"),
    ("vol-8", "us-east-1-wl1-bos-wlz-1"),
    ("vol-9", "us-east-1f"),
];

fn answer(params: &Params, filtering: Filtering, there: &[(&str, &str)]) -> Answer {
    let values: Vec<&String> = (1..)
        .map_while(|value| params.get(&format!("Filter.1.Value.{value}")))
        .collect();
    let passes = |id: &str, zone: &str| match params.get("Filter.1.Name").map(String::as_str) {
        Some("volume-id") => values.iter().any(|value| *value == id),
        Some("availability-zone") => match filtering {
            Filtering::AsDocumented => values
                .iter()
                .any(|value| value.strip_prefix('*').is_some_and(|end| zone.ends_with(end))),
            Filtering::Ignored => true,
            Filtering::Literal => values.iter().any(|value| *value == zone),
        },
        _ => true,
    };
    let after = params.get("NextToken").map_or("", String::as_str);
    let passing = there.iter().filter(|(id, zone)| passes(id, zone) && *id > after);
    let mut page: Vec<_> = passing.take(PAGE + 1).collect();
    let goes_on = page.len() > PAGE;
    page.truncate(PAGE);
    let items = page.iter().map(|(id, zone)| {
        let fields = volume_fields(id, "available").replace("us-east-1a", zone);
        format!("<item>{fields}</item>")
    });
    let items = items.collect::<Vec<_>>().concat();
    let next = page.last().filter(|_| goes_on);
    let next = next.map_or_else(String::new, |(id, _)| format!("<nextToken>{id}</nextToken>"));
    ec2("DescribeVolumes", &format!("<volumeSet>{items}</volumeSet>{next}"))
}

/// How often each volume is in the inventory.
async fn counted(server: &Server) -> Result<BTreeMap<String, usize>> {
    let provider = server.provider();
    let pages: Vec<_> = provider.inventory().try_collect().await?;
    let mut counts = BTreeMap::new();
    for volume in pages.into_iter().flat_map(|page| page.volumes) {
        *counts.entry(volume.id.0).or_default() += 1;
    }
    Ok(counts)
}

fn once_each(there: &[(&str, &str)]) -> BTreeMap<String, usize> {
    there.iter().map(|(id, _)| ((*id).to_owned(), 1)).collect()
}

#[tokio::test]
async fn every_volume_of_every_zone_comes_once_however_the_filter_is_taken() {
    for filtering in [Filtering::AsDocumented, Filtering::Ignored, Filtering::Literal] {
        let server = Server::start(move |params, _| answer(params, filtering, &VOLUMES)).await;
        assert_eq!(counted(&server).await.unwrap(), once_each(&VOLUMES), "{filtering:?}");
        let by_zone = server.calls().iter().any(|call| {
            call.get("Filter.1.Name")
                .is_some_and(|name| name == "availability-zone")
        });
        assert!(by_zone, "{filtering:?}");
    }
}

#[tokio::test]
async fn one_page_is_one_call() {
    for there in [&VOLUMES[..0], &VOLUMES[..PAGE]] {
        let server = Server::start(move |params, _| answer(params, Filtering::AsDocumented, there)).await;
        assert_eq!(counted(&server).await.unwrap(), once_each(there));
        assert_eq!(server.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_volume_that_is_deleted_meanwhile_does_not_make_the_parts_doubtful() {
    let server = Server::start(|params, before| {
        let there = if before == 0 { &VOLUMES[..] } else { &VOLUMES[1..] };
        answer(params, Filtering::AsDocumented, there)
    })
    .await;
    assert_eq!(counted(&server).await.unwrap(), once_each(&VOLUMES[1..]));
    let whole = server
        .calls()
        .iter()
        .filter(|call| !call.contains_key("Filter.1.Name"))
        .count();
    assert_eq!(whole, 1, "the whole is not listed again");
}

#[tokio::test]
async fn a_part_that_is_refused_fails_the_inventory() {
    let server = Server::start(|params, _| {
        let of_b = params.get("Filter.1.Value.1").is_some_and(|value| value == "*b");
        if of_b {
            refusal(
                403,
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.",
            )
        } else {
            answer(params, Filtering::AsDocumented, &VOLUMES)
        }
    })
    .await;
    let error = counted(&server).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
}
