//! Finding what a user means, and where its evidence is.

use std::collections::BTreeSet;

use moorline_api::VolumeId;
use moorline_gc::ClusterIndex;
use serde_json::json;

use crate::build::*;

#[test]
fn a_volume_is_found_by_whatever_people_call_it() {
    let world = Scene::of([pv(), claim()]).world();
    for subject in ["vol-1", "pv-1", "web/data-db-0"] {
        let found: Vec<VolumeId> = world
            .look_up(subject)
            .into_iter()
            .map(|index| world.volume_id(index))
            .collect();
        assert_eq!(found, [VolumeId("vol-1".to_owned())], "{subject}");
    }
    for stranger in ["", "vol-2", "web", "data-db-0", "web/data-db-1", "other/data-db-0", "/"] {
        assert!(world.look_up(stranger).is_empty(), "{stranger}");
    }
}

#[test]
fn a_volume_is_found_by_any_claim_that_leads_to_it() {
    let found = |objects: Vec<moorline_api::Object>, subject: &str| Scene::of(objects).world().look_up(subject).len();
    // The claim is gone, and its PersistentVolume still names it.
    assert_eq!(found(vec![released(pv())], "web/data-db-0"), 1);
    // A claim that names the PersistentVolume, which is reserved for another one.
    let other = plain_claim("data-db-1");
    assert_eq!(found(vec![pv(), other], "web/data-db-1"), 1);
    // One that names another.
    let stranger = plain_claim("data-db-1").with(&["spec", "volumeName"], json!("pv-2"));
    assert_eq!(found(vec![pv(), stranger], "web/data-db-1"), 0);
}

#[test]
fn a_share_is_found_by_its_name_alone() {
    let mut share = volume();
    share.id = VolumeId("account.file/data".to_owned());
    let world = Scene::of([]).volume(share).world();
    assert_eq!(world.look_up("data").len(), 1);
}

#[test]
fn what_turned_out_to_be_gone_is_forgotten() {
    let mut world = Scene::of([pv()]).world();
    world.forget(&VolumeId("vol-1".to_owned()));
    assert_eq!(world.volumes().count(), 0);
    assert!(world.look_up("vol-1").is_empty() && world.look_up("pv-1").is_empty());
    world.forget(&VolumeId("vol-9".to_owned()));
}

#[test]
fn the_evidence_is_where_the_maker_and_the_pointers_say() {
    let elsewhere = claim()
        .with(&["metadata", "namespace"], json!("other"))
        .with(&["metadata", "uid"], json!("uid-2"));
    let mut stages = pv();
    stages.set(&["spec", "claimRef", "namespace"], json!("staged"));
    let world = Scene::of([pv(), elsewhere]).stage([stages]).world();
    let whereabouts = world.whereabouts(world.look_up("vol-1")[0]);
    assert_eq!(whereabouts.maker.as_deref(), Some("web"));
    let place = |cluster: u16, namespace: &str| (ClusterIndex(cluster), namespace.to_owned());
    let expected = BTreeSet::from([place(0, "web"), place(0, "other"), place(1, "staged")]);
    assert_eq!(whereabouts.claims, expected);
    let world = Scene::of([]).volume(tagged(&[])).world();
    let unknown = world.whereabouts(world.look_up("vol-1")[0]);
    assert_eq!((unknown.maker, unknown.claims), (None, BTreeSet::new()));
}
