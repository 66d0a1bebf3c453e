//! Names of claims and the sets that may have made them.

use moorline_gc::records::SetRecord;
use moorline_gc::verdict::Verdict;
use serde_json::json;

use crate::build::*;

fn verdict(scene: &Scene) -> Verdict {
    scene.judge().verdict
}

fn pv_of(claim: &str) -> moorline_api::Object {
    pv().with(&["spec", "claimRef", "name"], json!(claim))
}

#[test]
fn a_set_named_like_an_ordinal_of_another_is_another() {
    // `data-a-0-1` is ordinal 1 of set `a-0`, and `data-a-0` ordinal 0 of set `a`.
    for (claim, set_, verdict_) in [
        ("data-a-0-1", "a-0", Verdict::InUse),
        ("data-a-0-1", "a", Verdict::LeftBehind),
        ("data-a-0", "a", Verdict::InUse),
        ("data-a-0", "a-0", Verdict::LeftBehind),
    ] {
        let owner = if claim == "data-a-0" { "a" } else { "a-0" };
        let scene = Scene::of([pv_of(claim), named_claim(claim, owner), set(set_, 2)]);
        assert_eq!(verdict(&scene), verdict_, "claim {claim} beside set {set_}");
    }
}

#[test]
fn templates_with_dashes_are_read_forwards_from_sets() {
    let claim = controllers_claim("my-data-db-0");
    let of = |template: &str, set_: &str| {
        set(set_, 1).with(
            &["spec", "volumeClaimTemplates"],
            json!([{"metadata": {"name": template}}]),
        )
    };
    let scene = |set_: moorline_api::Object| Scene::of([pv_of("my-data-db-0"), claim.clone(), set_]);
    assert_eq!(verdict(&scene(of("my-data", "db"))), Verdict::InUse);
    assert_eq!(verdict(&scene(of("my", "data-db"))), Verdict::InUse);
    // Sets that could have had such a template before.
    assert_eq!(verdict(&scene(of("logs", "db"))), Verdict::Claimed);
    assert_eq!(verdict(&scene(of("logs", "data-db"))), Verdict::Claimed);
    assert_eq!(verdict(&scene(of("logs", "my-data-db"))), Verdict::LeftBehind);
    assert_eq!(verdict(&scene(of("logs", "b"))), Verdict::LeftBehind);
}

#[test]
fn sets_of_other_namespaces_and_groups() {
    let elsewhere = set("db", 1).with(&["metadata", "namespace"], json!("other"));
    assert_eq!(verdict(&Scene::of([pv(), claim(), elsewhere])), Verdict::LeftBehind);
    let kruise = set("db", 1).with(&["apiVersion"], json!("apps.kruise.io/v1beta1"));
    assert_eq!(verdict(&Scene::of([pv(), claim(), kruise])), Verdict::InUse);
    let in_stage = Scene::of([pv(), claim()]).stage([set("db", 1)]);
    assert_eq!(verdict(&in_stage), Verdict::LeftBehind);
}

#[test]
fn a_set_whose_templates_changed_keeps_its_claims() {
    let renamed = set("db", 1).with(
        &["spec", "volumeClaimTemplates"],
        json!([{"metadata": {"name": "pgdata"}}]),
    );
    assert_eq!(verdict(&Scene::of([pv(), claim(), renamed])), Verdict::Claimed);
}

#[test]
fn a_set_made_again_saves_its_claims() {
    assert_eq!(verdict(&Scene::of([pv(), claim()])), Verdict::LeftBehind);
    assert_eq!(verdict(&Scene::of([pv(), claim(), set("db", 3)])), Verdict::InUse);
}

#[test]
fn what_the_controller_made_was_made_for_a_set() {
    assert_eq!(
        verdict(&Scene::of([pv(), controllers_claim("data-db-0")])),
        Verdict::LeftBehind
    );
    // The binder writes as the same manager, and makes nothing.
    let bound = plain_claim("data-db-0").with(
        &["metadata", "managedFields"],
        json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:accessModes": {}}}},
               {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:volumeName": {}, "f:resources": {}}}}]),
    );
    assert_eq!(verdict(&Scene::of([pv(), bound])), Verdict::Claimed);
    let no_ordinal = controllers_claim("scratch");
    assert_eq!(verdict(&Scene::of([pv_of("scratch"), no_ordinal])), Verdict::Claimed);
}

#[test]
fn the_claim_of_a_pod_that_is_gone_is_no_sets() {
    // Kubernetes collects it by its owner.
    let ephemeral = controllers_claim("data-db-0").with(
        &["metadata", "ownerReferences"],
        json!([{"apiVersion": "v1", "kind": "Pod", "name": "data", "uid": "gone"}]),
    );
    assert_eq!(verdict(&Scene::of([pv(), ephemeral])), Verdict::Claimed);
}

#[test]
fn a_set_that_owned_the_claim_is_proof() {
    let owned = plain_claim("data-db-0").with(
        &["metadata", "ownerReferences"],
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "set-uid-db"}]),
    );
    assert_eq!(verdict(&Scene::of([pv(), owned.clone()])), Verdict::LeftBehind);
    assert_eq!(verdict(&Scene::of([pv(), owned, set("db", 0)])), Verdict::Claimed);
}

#[test]
fn a_set_that_an_earlier_run_saw_is_proof_where_the_labels_agree() {
    let seen = |app: &str| {
        let record = SetRecord {
            name: "db".to_owned(),
            selector: format!("app={app}"),
            seen: now() - hours(24),
        };
        Scene::of([pv(), plain_claim("data-db-0")]).records(|records| {
            let sets = records.sets.entry(PROD.to_owned()).or_default();
            sets.insert("web/data-db".to_owned(), record);
        })
    };
    assert_eq!(verdict(&seen("db")), Verdict::LeftBehind);
    assert_eq!(verdict(&seen("other")), Verdict::Claimed);
}

#[test]
fn records_remember_what_a_world_shows() {
    let scene = Scene::of([pv(), plain_claim("data-db-0"), set("db", 1)]);
    let mut records = moorline_gc::Records::default();
    records.observe(&scene.world(), now());
    let text = serde_json::to_string(&records).unwrap();
    let records: moorline_gc::Records = serde_json::from_str(&text).unwrap();
    // The set is deleted.
    let later = Scene::of([pv(), plain_claim("data-db-0")]).records(|known| known.clone_from(&records));
    assert_eq!(verdict(&later), Verdict::LeftBehind);
    // And the claim, and its PersistentVolume: only the driver's tag is left.
    let csi = tagged(&[("CSIVolumeName", "pvc-0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11")]);
    let orphan = Scene::of([])
        .volume(csi.clone())
        .records(|known| known.clone_from(&records));
    assert_eq!(verdict(&orphan), Verdict::Orphan);
    assert_eq!(verdict(&Scene::of([]).volume(csi)), Verdict::Foreign);
    // Sets are remembered as long as there are claims of theirs, and what nothing names any more is forgotten.
    let mut records = records;
    records.observe(&Scene::of([pv(), plain_claim("data-db-0")]).world(), now() + hours(1));
    assert_eq!(records.sets[PROD].len(), 1);
    let nothing = Scene::of([]).volume(tagged(&[]));
    records.observe(&nothing.world(), now() + hours(2));
    assert!(records.sets.values().all(std::collections::BTreeMap::is_empty));
    assert!(records.claims.values().all(std::collections::BTreeSet::is_empty));
}
