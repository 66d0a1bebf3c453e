//! What a wait reads, and when it gives up on a server.

use serde_json::json;

use super::*;
use crate::fakes::{Stage, claim, object};

fn both(kinds: [ResourceKind; 2]) -> Vec<ListQuery> {
    kinds.map(|kind| ListQuery::within(kind, "default")).to_vec()
}

/// Whether everything that counts was read, in a moment.
async fn is_read(stage: &Stage, kinds: [ResourceKind; 2]) -> bool {
    let tracker = Tracker::start(&stage.context(), both(kinds));
    let soon = Instant::now() + Duration::from_millis(300);
    tracker.first_look(soon).await.is_ok()
}

#[tokio::test]
async fn nothing_waits_for_what_only_explains() {
    for kind in [ErrorKind::Internal, ErrorKind::Forbidden] {
        let stage = Stage::new();
        stage.script.refuse("list events", kind.clone());
        stage.script.refuse("list pods", kind);
        assert!(is_read(&stage, [ResourceKind::event(), ResourceKind::pod()]).await);
    }
    let stage = Stage::new();
    stage.script.refuse("list services", ErrorKind::Internal);
    assert!(!is_read(&stage, [ResourceKind::service(), ResourceKind::pod()]).await);
}

#[tokio::test]
async fn what_may_not_be_read_is_told_at_once() {
    let stage = Stage::new();
    stage.script.refuse("list services", ErrorKind::Forbidden);
    let tracker = Tracker::start(&stage.context(), both([ResourceKind::service(), ResourceKind::pod()]));
    let late = Instant::now() + Duration::from_secs(20);
    assert!(tracker.first_look(late).await.is_err());
    assert!(Instant::now() < late);
    assert!(lock(&tracker.shared.failing).values().all(|failing| failing.matters));
    assert_eq!(tracker.failing().len(), 1);
}

#[tokio::test]
async fn a_wait_sees_what_was_read() {
    let stage = Stage::new();
    stage.cluster.add(claim("data-db-0"));
    let tracker = Tracker::start(&stage.context(), both([ResourceKind::claim(), ResourceKind::pod()]));
    let late = Instant::now() + Duration::from_secs(20);
    let seen = |snapshot: &Snapshot| Some(snapshot.all(&ResourceKind::claim()).count());
    assert!(matches!(tracker.until(late, seen).await, Waited::Done(1)));
    assert_eq!(tracker.snapshot().all(&ResourceKind::claim()).count(), 1);
    assert!(matches!(
        tracker.until(Instant::now(), |_| None::<()>).await,
        Waited::TimedOut
    ));
}

/// What a tracker says after this long without an answer, and with a query that has failed for so long.
fn lost(silent: Option<Duration>, failing: Option<(Duration, bool)>) -> Option<Error> {
    let error = || Error::new(ErrorKind::Unreachable, "list", "claims", "no route");
    let tracker = Tracker::start(&Stage::new().context(), Vec::new());
    *lock(&tracker.shared.unanswered) = silent.map(|silent| Unanswered {
        since: Instant::now() - silent,
        error: error(),
    });
    let failing = failing.map(|(since, matters)| Failing {
        since: Instant::now() - since,
        error: Arc::new(error()),
        matters,
    });
    lock(&tracker.shared.failing).extend(failing.map(|failing| (0, failing)));
    tracker.lost(PATIENCE)
}

#[tokio::test]
async fn a_server_that_is_silent_or_does_not_tell_what_matters_ends_a_wait_after_a_while() {
    let soon = Duration::from_secs(1);
    assert!(
        lost(Some(PATIENCE), None)
            .unwrap()
            .message
            .contains("no answer for 30 s")
    );
    assert!(lost(None, Some((PATIENCE, true))).unwrap().message.contains("for 30 s"));
    for (silent, failing) in [
        (None, None),
        (Some(soon), None),
        (None, Some((soon, true))),
        (None, Some((PATIENCE, false))),
    ] {
        assert!(lost(silent, failing).is_none(), "{silent:?} {failing:?}");
    }
}

#[tokio::test]
async fn what_is_forbidden_is_named_and_what_fails_otherwise_is_an_error() {
    let read = async |kind: ErrorKind| {
        let stage = Stage::new();
        stage.script.refuse("list services", kind);
        let queries = both([ResourceKind::service(), ResourceKind::pod()]);
        Snapshot::read(&stage.context(), &queries).await
    };
    assert_eq!(read(ErrorKind::Forbidden).await.unwrap().unreadable.len(), 1);
    assert!(read(ErrorKind::Internal).await.is_err());
}

#[test]
fn a_fresh_listing_takes_the_place_of_what_the_same_query_found() {
    let pod = |namespace: &str, name: &str| {
        let metadata = json!({"namespace": namespace, "name": name});
        Kept::of(object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})))
    };
    let mut snapshot = Snapshot::default();
    snapshot.keep(&ResourceKind::pod(), [pod("a", "old"), pod("b", "other")]);
    snapshot.replace(&ListQuery::within(ResourceKind::pod(), "a"), vec![pod("a", "new")]);
    let names: Vec<&str> = snapshot.all(&ResourceKind::pod()).map(Object::name).collect();
    assert_eq!(names, ["new", "other"]);
    snapshot.replace(&ListQuery::everywhere(ResourceKind::pod()), Vec::new());
    assert_eq!(snapshot.all(&ResourceKind::pod()).count(), 0);
}
