//! What is refused before anything is made.

use moorline_api::{Account, AccountId, ClusterIdentity};

use super::*;

fn source(origin: Origin, cluster: Option<&str>) -> Source {
    let tag = |uid: &str| (names::CLUSTER_UID.to_owned(), uid.to_owned());
    Source {
        origin,
        volume: VolumeId("share".to_owned()),
        taken: None,
        size_gib: 8,
        spec: None,
        tags: cluster.map(tag).into_iter().collect(),
        alive: false,
    }
}

fn snapshot() -> Origin {
    Origin::Snapshot("snap-1".to_owned())
}

fn deleted() -> Origin {
    Origin::Deleted {
        volume: VolumeId("share".to_owned()),
        version: "v".to_owned(),
    }
}

#[test]
fn a_volume_that_may_be_another_clusters_comes_back_only_where_that_is_asked_for() {
    let site = Site {
        cluster: ClusterIdentity {
            uid: "ours".to_owned(),
            context: "test".to_owned(),
            server: String::new(),
            version: "v1.36.3".to_owned(),
        },
        account: Account {
            id: AccountId("123456789012".to_owned()),
            caller: "test".to_owned(),
            region: "eu-west-1".to_owned(),
            zones: Vec::new(),
        },
    };
    // Whether it is taken, and whether something is said of it.
    let checked = |origin: Origin, cluster: Option<&str>, any_cluster: bool| {
        let request = RestoreRequest {
            any_cluster,
            ..RestoreRequest::default()
        };
        let mut notices = Vec::new();
        let taken = check_cluster(&site, &request, &source(origin, cluster), &mut notices).is_ok();
        (taken, !notices.is_empty())
    };
    for origin in [snapshot(), deleted()] {
        assert_eq!(checked(origin, Some("ours"), false), (true, false));
    }
    for other in [Some("theirs"), None] {
        assert_eq!(checked(deleted(), other, false), (false, false), "{other:?}");
        assert_eq!(checked(deleted(), other, true), (true, true), "{other:?}");
        assert_eq!(checked(snapshot(), other, false), (true, true), "{other:?}");
    }
}

#[test]
fn what_comes_back_as_it_was_takes_no_zone_or_size_and_nothing_shrinks() {
    let taken = |origin: Origin, zone: Option<&str>, size_gib: Option<u32>| {
        let request = RestoreRequest {
            zone: zone.map(str::to_owned),
            size_gib,
            ..RestoreRequest::default()
        };
        check_request(&request, &source(origin, None)).is_ok()
    };
    assert!(taken(deleted(), None, None));
    assert!(!taken(deleted(), Some("1"), None) && !taken(deleted(), None, Some(9)));
    assert!(taken(snapshot(), Some("1"), Some(9)) && taken(snapshot(), None, Some(8)));
    assert!(!taken(snapshot(), None, Some(7)));
}
