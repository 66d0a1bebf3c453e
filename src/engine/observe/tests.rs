//! Where a run may take place, and what it looks for there.

use moorline_profile::ProviderBlock;

use super::*;
use crate::fakes::{Stage, claim, profile};

#[tokio::test]
async fn another_place_than_the_profile_pins_is_refused() {
    let stage = Stage::new();
    let located = async |change: fn(&mut Profile)| {
        let mut profile = profile("externalClasses: [fast]\n", "");
        change(&mut profile);
        match site(&stage.context(), &profile).await {
            Err(EngineError::Refused { what, .. }) => Some(what),
            other => other.map(|_| None).unwrap(),
        }
    };
    assert_eq!(located(|_| {}).await, None);
    assert_eq!(
        located(|profile| profile.cluster.context = Some("test".to_owned())).await,
        None
    );
    assert_eq!(
        located(|profile| profile.cluster.uid = Some("cluster-uid".to_owned())).await,
        None
    );
    let context = located(|profile| profile.cluster.context = Some("prod".to_owned())).await;
    assert_eq!(
        context.unwrap(),
        "the profile pins cluster context prod, and this is test"
    );
    let uid = located(|profile| profile.cluster.uid = Some("another".to_owned())).await;
    assert_eq!(
        uid.unwrap(),
        "the profile pins cluster UID another, and this is cluster-uid"
    );
}

const FRONT: &str = "
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, ports: [{port: 80}]}
";

#[tokio::test]
async fn the_cloud_is_asked_where_a_profile_has_volumes_or_pins_an_account() {
    let pinned = |region: Option<&str>, account: Option<&str>| ProviderBlock::Aws {
        region: region.map(str::to_owned),
        account: account.map(str::to_owned),
    };
    let stage = Stage::new();
    let mut shop = profile("externalClasses: [fast]\n", "");
    let ctx = stage.context();
    assert!(site_as_needed(&ctx, &shop).await.unwrap().account.is_some());
    for (region, account) in [(None, Some("999999999999")), (Some("us-east-1"), None)] {
        shop.provider = pinned(region, account);
        let refused = site_as_needed(&ctx, &shop).await;
        assert!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
    }
    shop.sets.clear();
    shop.provider = pinned(None, Some("999999999999"));
    let refused = site_as_needed(&ctx, &shop).await;
    assert!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
    shop.provider = pinned(None, Some("123456789012"));
    assert!(site_as_needed(&ctx, &shop).await.is_ok());

    stage.script.refuse("account", ErrorKind::Unreachable);
    assert!(site_as_needed(&ctx, &shop).await.is_err(), "it may be another account");
    shop.provider = pinned(None, None);
    let site = site_as_needed(&ctx, &shop).await.unwrap();
    assert_eq!((site.account, site.notices.len()), (None, 0), "nothing of it is there");
    let inner = FRONT.replace("LoadBalancer", "ClusterIP");
    let mut inside = profile("externalClasses: [fast]\n", &inner);
    inside.sets.clear();
    assert_eq!(site_as_needed(&ctx, &inside).await.unwrap().notices.len(), 0);
    let mut balanced = profile("externalClasses: [fast]\n", FRONT);
    assert!(site_as_needed(&ctx, &balanced).await.is_err(), "it has claims");
    balanced.sets.clear();
    let site = site_as_needed(&ctx, &balanced).await.unwrap();
    assert_eq!((site.account, site.notices.len()), (None, 1));
}

#[test]
fn only_what_can_be_listed_applied_and_deleted_is_looked_for() {
    let kind = |name: &str, verbs: &[&str]| ResourceKind {
        gvk: Gvk::new("example.com/v1", name),
        plural: name.to_lowercase(),
        namespaced: true,
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
    };
    let catalog = Catalog {
        kinds: vec![
            kind("Whole", &["list", "patch", "delete"]),
            kind("Measured", &["get", "list"]),
            kind("Unlisted", &["patch", "delete"]),
            kind("Lasting", &["list", "patch"]),
            kind("Written", &["list", "delete"]),
        ],
        unanswered: vec!["silent.com/v1".to_owned()],
    };
    let names = |kinds: Vec<&ResourceKind>| kinds.iter().map(|kind| kind.gvk.kind.clone()).collect::<Vec<_>>();
    assert_eq!(names(catalog.deletable().collect()), ["Whole"]);
    assert_eq!(
        names(catalog.listable().collect()),
        ["Whole", "Measured", "Lasting", "Written"]
    );
    let older = Gvk::new("example.com/v1beta1", "Whole");
    assert_eq!(catalog.find(&older).unwrap().gvk, older, "a manifest's version is kept");
    assert_eq!(catalog.find(&Gvk::new("other.com/v1", "Whole")), None);
    assert!(catalog.may_hide(&Gvk::new("silent.com/v2", "X")) && !catalog.may_hide(&older));
}

#[tokio::test]
async fn a_listing_that_expires_begins_again_from_nothing_a_few_times() {
    let listed = async |times: usize| {
        let stage = Stage::new();
        stage.cluster.add(claim("data-db-0"));
        for _ in 0..times {
            stage.script.fail("list persistentvolumeclaims", ErrorKind::Expired);
        }
        claims(&stage.context(), &BTreeSet::from(["default".to_owned()])).await
    };
    assert_eq!(listed(RELISTS).await.unwrap().len(), 1);
    assert_eq!(listed(RELISTS + 1).await.unwrap_err().kind, ErrorKind::Expired);
}
