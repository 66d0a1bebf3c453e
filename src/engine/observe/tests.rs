//! Where a run may take place, and what it looks for there.

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
