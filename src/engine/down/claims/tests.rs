//! Whose claims are, and what becomes of their volumes.

use serde_json::json;

use super::*;
use crate::{fakes, names};

/// Profile `web`, whose class comes from elsewhere.
fn profile() -> Profile {
    fakes::profile("externalClasses: [fast]\n", "")
}

fn claim(name: &str, label: Option<&str>) -> (Key, ClaimView) {
    let labels = json!({"app": "db", names::PROFILE: label});
    let claim = json!({"metadata": {"namespace": "default", "name": name, "labels": labels}});
    let view = ClaimView::of(&Object::from_value(claim).unwrap());
    (view.key(), view)
}

/// What becomes of each claim: `goes`, `-`, or why it stays.
fn fates(owners: &Owners<'_>, claims: &BTreeMap<Key, ClaimView>) -> Vec<String> {
    let fate = |(key, claim): (&Key, &ClaimView)| match owners.of_claim(key, claim) {
        Ownership::Unrelated => "-".to_owned(),
        Ownership::Others(why) => why,
        Ownership::Ours => "goes".to_owned(),
    };
    claims.iter().map(fate).collect()
}

fn owners<'a>(profile: &'a Profile, made: bool, kept: bool, claims: &BTreeMap<Key, ClaimView>) -> Owners<'a> {
    let set = ObjectRef::new(ResourceKind::stateful_set(), "default", "db");
    let kept = if kept {
        BTreeSet::from([set.clone()])
    } else {
        BTreeSet::new()
    };
    let removals = if made {
        vec![Removal {
            target: set,
            uid: "u".to_owned(),
        }]
    } else {
        Vec::new()
    };
    Owners::of(profile, &kept, &removals, claims)
}

#[test]
fn claims_of_a_set_that_someone_else_made_stay() {
    let profile = profile();
    let claims = BTreeMap::from([
        claim("data-db-0", None),
        claim("data-db-1", Some("web")),
        claim("x-0", None),
    ]);
    let fates = fates(&owners(&profile, false, true, &claims), &claims);
    assert!(fates[..2].iter().all(|why| why.contains("did not make")), "{fates:?}");
    assert_eq!(fates[2], "-");
}

#[test]
fn unlabelled_claims_go_only_with_a_set_that_moorline_made() {
    let profile = profile();
    let alone = BTreeMap::from([claim("data-db-0", None)]);
    assert_eq!(fates(&owners(&profile, true, false, &alone), &alone), ["goes"]);
    assert!(fates(&owners(&profile, false, false, &alone), &alone)[0].contains("did not make"));
    let beside_ours = BTreeMap::from([claim("data-db-0", None), claim("data-db-1", Some("web"))]);
    assert_eq!(
        fates(&owners(&profile, false, false, &beside_ours), &beside_ours),
        ["goes", "goes"]
    );
    let others = BTreeMap::from([claim("data-db-0", Some("shop"))]);
    assert_eq!(
        fates(&owners(&profile, true, false, &others), &others),
        ["it belongs to profile shop"]
    );
}

#[test]
fn a_claim_that_the_profile_no_longer_names_goes_by_its_label_alone() {
    let profile = profile();
    let claims = BTreeMap::from([claim("former", Some("web")), claim("other", None)]);
    assert_eq!(fates(&owners(&profile, true, false, &claims), &claims), ["goes", "-"]);
}

fn pv(reclaim: ReclaimPolicy, decided: Option<&str>) -> PvView {
    PvView {
        name: "pv".to_owned(),
        uid: "u".to_owned(),
        phase: "Bound".to_owned(),
        claim: None,
        claim_uid: None,
        reclaim,
        volume: None,
        secret: None,
        profile: None,
        decided: decided.map(str::to_owned),
    }
}

/// In every cell where something is not known, or was decided otherwise before, the volume is kept.
#[test]
fn the_fate_of_a_volume() {
    use OnDown::{Delete as Del, Keep, ReclaimPolicy as Follow, Snapshot};
    use VolumeFate::{Delete, Keep as Kept, SnapshotThenDelete};
    let (delete, retain) = (ReclaimPolicy::Delete, ReclaimPolicy::Retain);
    for (on_down, pv, class, expected) in [
        (Follow, Some(pv(delete, None)), Some(retain), Delete),
        (Follow, Some(pv(retain, None)), Some(delete), Kept),
        (Follow, None, Some(delete), Delete),
        (Follow, None, Some(retain), Kept),
        (Follow, None, None, Kept),
        (Del, Some(pv(retain, None)), None, Delete),
        (Del, Some(pv(retain, Some("keep"))), None, Kept),
        (Follow, Some(pv(retain, Some("delete"))), None, Delete),
        (Follow, Some(pv(retain, Some("snapshot"))), None, SnapshotThenDelete),
        (Del, Some(pv(delete, Some("something-new"))), None, Kept),
        (Keep, Some(pv(delete, None)), None, Kept),
        (Snapshot, Some(pv(delete, None)), None, SnapshotThenDelete),
    ] {
        assert_eq!(
            fate(on_down, pv.as_ref(), class).0,
            expected,
            "{on_down:?} {pv:?} {class:?}"
        );
    }
}
