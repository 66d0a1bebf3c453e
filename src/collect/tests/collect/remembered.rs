//! What runs tell the next ones, and what they tell people.

use std::sync::Arc;

use futures::StreamExt as _;
use moorline_api::{Error, ErrorKind, Resource, TagChange, VolumeId};
use moorline_aws_rules::EbsRules;
use moorline_collect::{Event, Line, NoPrices, Outcome, Prices, Scope};
use moorline_gc::plan::Kept;
use moorline_gc::{Verdict, names};
use serde_json::{Value, json};

use crate::fakes::cluster::resource;
use crate::fakes::{FakeCloud, Happening};
use crate::leftovers::balancer;
use crate::stage::{DAY, Stage, claim, set, volume};

fn document(stage: &Stage) -> Value {
    serde_json::from_str(&stage.store.text(&stage.records()).unwrap()).unwrap()
}

/// The volumes whose marks count though lists do not show them.
fn confirmed(stage: &Stage) -> Vec<String> {
    serde_json::from_value(document(stage)["records"]["unused"].clone()).unwrap()
}

/// One volume left behind in a cloud whose lists leave tags out, marked by a run.
async fn bare() -> Stage {
    let stage = Stage::left_behind(1);
    stage.cloud.with(|state| state.listed_only = true);
    stage.apply().await;
    assert_eq!(confirmed(&stage), ["vol-0"]);
    stage.script.forget();
    stage
}

#[tokio::test]
async fn a_hidden_mark_counts_while_every_run_sees_the_volume_unused() {
    let stage = bare().await;
    assert!(matches!(stage.apply().await.plan.kept[0].kept, Kept::Waiting(_)));
    assert_eq!(confirmed(&stage), ["vol-0"]);
    stage
        .script
        .break_for_good("list persistentvolumeclaims", ErrorKind::Forbidden);
    assert_eq!(stage.apply().await.plan.kept[0].verdict, Verdict::Unknown);
    assert_eq!(confirmed(&stage), ["vol-0"], "what could not be told stays");
    stage.script.forget();
    stage.cloud.passes(DAY);
    assert_eq!(stage.apply().await.done[0].outcome, Outcome::Gone);
}

#[tokio::test]
async fn a_hidden_mark_counts_no_more_once_its_volume_was_used_or_protected() {
    let used = bare().await;
    used.prod.add(set(1));
    used.apply().await;
    assert_eq!(confirmed(&used), [""; 0]);
    let mut protected = bare().await;
    protected.policy.protect.names.push("vol-0".to_owned());
    protected.apply().await;
    assert_eq!(confirmed(&protected), [""; 0]);
}

#[tokio::test]
async fn a_listing_that_breaks_off_hides_no_use_and_ends_no_hidden_mark() {
    for (broken, expected) in [("inventory of other", vec![]), ("inventory of aws", vec!["vol-0"])] {
        let mut stage = bare().await;
        let now = stage.cloud.with(|state| state.now);
        stage.more.push(FakeCloud::new("other", &stage.script, now));
        stage.script.break_for_good(broken, ErrorKind::Internal);
        stage.prod.add(set(1));
        let report = stage.apply().await;
        assert!(report.is_incomplete());
        assert_eq!(confirmed(&stage), expected, "{broken}");
    }
}

#[tokio::test]
async fn a_hidden_mark_of_what_is_gone_is_forgotten() {
    let stage = bare().await;
    stage.cloud.with(|state| state.volumes.clear());
    stage.apply().await;
    assert_eq!(confirmed(&stage), [""; 0]);
}

#[tokio::test]
async fn a_hidden_mark_that_is_to_be_set_anew_and_is_not_written_counts_no_more() {
    let stage = bare().await;
    stage.cloud.passes(DAY / 2);
    let mut used = claim(0);
    used["status"]["conditions"] =
        json!([{"type": "Unused", "status": "True", "lastTransitionTime": "2026-11-21T18:00:00Z"}]);
    stage.prod.add(used);
    stage.script.break_for_good("!tag", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert_eq!((report.plan.marks.len(), report.marks_written), (1, 0));
    assert_eq!(confirmed(&stage), [""; 0]);
}

/// The keys of the parts in which records that are too large for one value are kept.
fn parts(stage: &Stage) -> Vec<String> {
    let keys = stage.store.keys().into_iter();
    keys.filter(|key| key.contains("/records/")).collect()
}

#[tokio::test]
async fn records_that_are_too_large_for_one_value_are_kept_in_parts() {
    let stage = Stage::left_behind(1);
    stage.apply().await;
    let mut large = document(&stage);
    let uids = ["a", "b"].map(|letter| letter.repeat(3 << 20));
    large["records"]["claims"]["another cluster"] = json!(uids);
    stage.store.put(&stage.records(), &large.to_string());
    // While anything is unread nothing is forgotten.
    stage.script.break_for_good("list pods", ErrorKind::Forbidden);
    let edition = large["edition"].as_u64().unwrap();
    // A run was killed before the document named what it had written.
    let place = stage.records().replace("records.json", "records");
    for later in 1..4 {
        stage
            .store
            .put(&format!("{place}/{:08}-000", edition + later), "half a part");
    }
    stage.apply().await;
    let document_ = document(&stage);
    assert!(document_["records"].is_null() && document_["edition"].as_u64() > Some(edition));
    let named: Vec<String> = serde_json::from_value(document_["parts"].clone()).unwrap();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named.iter().all(|part| parts(&stage).contains(part)));
    let joined: String = named.iter().map(|part| stage.store.text(part).unwrap()).collect();
    let joined: Value = serde_json::from_str(&joined).unwrap();
    assert_eq!(joined["claims"]["another cluster"], json!(uids));
    // The next run reads them, writes its own, and takes these away.
    stage.apply().await;
    let next: Vec<String> = serde_json::from_value(document(&stage)["parts"].clone()).unwrap();
    assert!(
        next.len() == 2 && next.iter().all(|part| !named.contains(part)),
        "{next:?}"
    );
    assert!(parts(&stage).iter().all(|part| !named.contains(part)));
    // One that cannot be written is not named.
    let before = document(&stage);
    stage
        .script
        .break_for_good(&format!("!create {place}/"), ErrorKind::Internal);
    assert!(stage.try_apply().await.is_err());
    assert_eq!(document(&stage)["parts"], before["parts"]);
    stage.script.forget();
    stage.script.break_for_good("list pods", ErrorKind::Forbidden);
    // One that is gone is no empty record.
    let (missing, rest) = (next[0].clone(), stage.store.text(&next[0]).unwrap());
    stage.store.remove(&missing);
    let error = stage.try_apply().await.unwrap_err();
    assert!(error.to_string().contains("it is gone"), "{error}");
    stage.store.put(&missing, &rest);
    // Where all is read again what nobody names is forgotten, and one value is enough.
    stage.script.forget();
    stage.release_the_dead();
    stage.apply().await;
    assert!(document(&stage)["records"].is_object());
    assert!(
        parts(&stage).iter().all(|part| !next.contains(part)),
        "{:?}",
        parts(&stage)
    );
}

#[tokio::test]
async fn records_that_somebody_else_wrote_meanwhile_are_not_written_over() {
    let stage = Stage::past_grace(1).await;
    let (store, key) = (stage.store.clone(), stage.records());
    let text = store.text(&key).unwrap();
    let record = format!("!replace {key}");
    let place = key.clone();
    let other = text.clone();
    stage
        .script
        .at(&record, Happening::Do(Box::new(move || store.put(&place, &other))));
    let outcome = stage.try_apply().await;
    let told = outcome.map_or_else(|error| error.to_string(), |report| format!("{:?}", report.ended_early));
    assert!(told.contains("somebody else has written it meanwhile"), "{told}");
    assert!(stage.is_whole(0));
}

#[tokio::test]
async fn a_journal_leaves_out_what_is_foreign_and_history_counts_a_deletion_once() {
    let stage = Stage::past_grace(2).await;
    let mut foreign = volume(7);
    foreign.tags.clear();
    stage.cloud.add(foreign);
    stage.cloud.passes(DAY);
    let mut protected = volume(8);
    protected.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    stage.cloud.add(protected);
    stage.script.break_for_good("!delete vol-0", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert!(report.has_findings() && report.has_failures(), "one of two is gone");
    let runs = stage.collector().history(1).await.unwrap();
    let kept = runs[0].lines.iter().filter_map(|line| match line {
        Line::Kept(keep) => Some(keep.volume.0.as_str()),
        _ => None,
    });
    assert_eq!(kept.collect::<Vec<_>>(), ["vol-8"]);
    assert_eq!((runs[0].open.clone(), runs[0].saved.count), (vec![volume(0).id], 1));
    assert_eq!(runs[0].holder, "test run 2");
}

#[tokio::test]
async fn a_survey_says_what_it_read_and_where_it_ended_early() {
    let stage = Stage::left_behind(1);
    stage.script.break_for_good("list pods of prod", ErrorKind::Forbidden);
    let report = stage.dry_run().await;
    let clusters: Vec<_> = report
        .seen
        .clusters
        .iter()
        .map(|seen| (&*seen.name, seen.complete))
        .collect();
    assert_eq!(clusters, [("prod", false), ("staging", true)]);
    let events = stage.events.lock().unwrap();
    let gaps: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Gap { place, what, .. } => Some((&**place, &**what)),
            _ => None,
        })
        .collect();
    assert!(gaps.contains(&("cluster prod", "pods")) && gaps.len() == 1, "{gaps:?}");
    let read = |name: &str, kind: &str| {
        events.iter().any(
            |event| matches!(event, Event::Read { place, what, complete: true, .. } if place == name && what == kind),
        )
    };
    assert!(
        read("cluster staging", "pods") && read("cluster prod", "persistentvolumes"),
        "{events:?}"
    );
    assert!(!read("cluster prod", "pods"));
}

#[tokio::test]
async fn a_second_look_reads_the_claims_namespace_and_what_lives_in_none() {
    let stage = Stage::past_grace(1).await;
    let kind = resource("example.com", "ClusterBackup", "clusterbackups", false);
    stage.prod.with(|state| state.custom.push(kind));
    let prod = stage.prod.clone();
    let backup = json!({
        "apiVersion": "example.com/v1", "kind": "ClusterBackup", "metadata": {"name": "all", "uid": "u"},
        "spec": {"existingClaim": "data-db-0"},
    });
    let comes = Happening::Do(Box::new(move || prod.add(backup)));
    stage.script.at("read volumes", comes);
    let report = stage.apply().await;
    assert!(stage.is_whole(0), "{report:?}");
    let calls = stage.script.take();
    let read = |call: &str| calls.iter().any(|made| made.starts_with(call));
    assert!(
        read("list pods in web of prod") && read("list persistentvolumeclaims in web of prod"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn protection_stays_on_a_volume_that_keeps_its_mark() {
    let stage = Stage::past_grace(1).await;
    let this = vec![volume(0).id];
    stage.collector().protect(this.clone(), true).await.unwrap();
    stage.script.at("!tag", Happening::Fail(ErrorKind::Forbidden));
    let tagged = stage.collector().protect(this, false).await.unwrap();
    assert!(tagged.len() == 1 && tagged[0].failed.is_some(), "{tagged:?}");
    assert!(stage.cloud.tag_of("vol-0", names::PROTECT).is_some());
}

#[tokio::test]
async fn explain_tells_each_volume_what_comes_next_for_it() {
    let stage = Stage::past_grace(1).await;
    stage.cloud.add(volume(1));
    let mut used = volume(2);
    used.tags.insert(
        names::UNUSED.to_owned(),
        "v1 orphan 2026-11-21T12:00:00Z run-1".to_owned(),
    );
    used.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    stage.cloud.add(used);
    for (subject, action) in [
        ("vol-0", "the next run with --apply deletes it"),
        ("vol-1", "the next run with --apply marks it, and grace begins"),
        ("vol-2", "it stays, and its mark is taken off"),
    ] {
        let found = stage.collector().explain(subject).await.unwrap();
        assert_eq!(found[0].action, action, "{subject}");
        assert!(!found[0].is_incomplete());
    }
    stage
        .script
        .break_for_good("list persistentvolumeclaims", ErrorKind::Forbidden);
    let found = stage.collector().explain("vol-0").await.unwrap();
    assert!(found[0].is_incomplete() && found[0].action == "it stays", "{found:?}");
}

#[tokio::test]
async fn a_scope_that_cannot_be_asked_does_nothing_and_says_so() {
    let refused = Error::new(ErrorKind::Unauthenticated, "sign in", "aws", "the session is over");
    let scope = Scope::unusable(Arc::new(EbsRules), "aws", "eu-west-1", &refused);
    let id = VolumeId("vol-0".to_owned());
    let change = TagChange {
        key: names::UNUSED.to_owned(),
        value: None,
    };
    let tagged = scope.tagging.tag(vec![Resource::Volume(id.clone())], change);
    let balancer = balancer();
    let failures = [
        scope.volumes.delete(&id).await.unwrap_err(),
        scope.volumes.wait_gone(&id).await.unwrap_err(),
        scope.recovery.delete_snapshot("snap").await.unwrap_err(),
        scope.holders.delete_holder("account").await.unwrap_err(),
        scope.holders.holder("account").await.unwrap_err(),
        scope.load_balancers.list().next().await.unwrap().unwrap_err(),
        scope.load_balancers.delete(&balancer).await.unwrap_err(),
        scope.target_groups.target_groups().next().await.unwrap().unwrap_err(),
        scope.target_groups.delete_target_group("group").await.unwrap_err(),
        scope.inventory.read(vec![id]).next().await.unwrap().unwrap_err(),
        scope.inventory.inventory().next().await.unwrap().unwrap_err(),
        tagged.collect::<Vec<_>>().await.remove(0).outcome.unwrap_err(),
    ];
    for failure in failures {
        assert_eq!(failure.kind, ErrorKind::Unauthenticated);
        assert_eq!(failure.message, "the session is over");
    }
    assert_eq!(scope.inventory.clock(), None);
    assert_eq!(NoPrices.volume(&scope, &volume(0)), None);
    assert_eq!(NoPrices.load_balancer(&scope, &balancer), None);
}
