//! Blobs, and who may change them.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{Backend, Condition, container, name, refusal};

pub(super) async fn one_of_two_creations_wins(backend: Backend) {
    let name = container(&backend, "box").await;
    let writers = ["a", "b", "c", "d"];
    let pending = writers.map(|writer| backend.put((&name, "lock"), writer, Condition::Absent, None));
    let outcomes = join_all(pending).await;
    let won: Vec<_> = writers.iter().zip(&outcomes).filter(|(_, it)| it.is_ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    for lost in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(*lost, refusal(409, "BlobAlreadyExists"));
    }
    let (text, tag) = backend.get((&name, "lock")).await.unwrap();
    assert_eq!((text.as_str(), Ok(&tag)), (*won[0].0, won[0].1.as_ref()));
}

pub(super) async fn of_two_changes_of_one_state_one_wins(backend: Backend) {
    let name = container(&backend, "box").await;
    let first = backend
        .put((&name, "record"), "0", Condition::None, None)
        .await
        .unwrap();
    let writers = ["a", "b", "c", "d"];
    let pending = writers.map(|writer| backend.put((&name, "record"), writer, Condition::Unchanged(&first), None));
    let outcomes = join_all(pending).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1, "{outcomes:?}");
    for lost in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(*lost, refusal(412, "ConditionNotMet"));
    }
    let (text, tag) = backend.get((&name, "record")).await.unwrap();
    assert_ne!((text.as_str(), &tag), ("0", &first));
    let next = backend.put((&name, "record"), "e", Condition::Unchanged(&tag), None);
    next.await.unwrap();
}

pub(super) async fn a_change_of_what_is_gone_is_refused(backend: Backend) {
    let name = container(&backend, "box").await;
    let tag = backend
        .put((&name, "record"), "0", Condition::None, None)
        .await
        .unwrap();
    backend.delete_blob((&name, "record")).await.unwrap();
    let late = backend
        .put((&name, "record"), "1", Condition::Unchanged(&tag), None)
        .await;
    assert_eq!(late, Err(refusal(412, "ConditionNotMet")));
    assert_eq!(backend.get((&name, "record")).await, Err(refusal(404, "BlobNotFound")));
}

pub(super) async fn a_blob_reads_as_it_was_written(backend: Backend) {
    let name = container(&backend, "box").await;
    for (blob, text) in [
        ("empty", String::new()),
        ("runs/2026-11-21/r 1.json", "{\"grün\": 1}\n".to_owned()),
        ("large", "0123456789abcdef".repeat(70_000)),
        ("odd +%25?#&=", "x".to_owned()),
    ] {
        let tag = backend.put((&name, blob), &text, Condition::None, None).await.unwrap();
        let read = backend.get((&name, blob)).await.unwrap();
        assert!(read == (text, tag), "{blob}");
        backend.delete_blob((&name, blob)).await.unwrap();
    }
}

pub(super) async fn blobs_come_in_pages(backend: Backend) {
    let name = container(&backend, "box").await;
    let mut expected = Vec::new();
    for number in 0..7_usize {
        let blob = format!("r{number}/a & <b>");
        let text = "x".repeat(number);
        backend.put((&name, &blob), &text, Condition::None, None).await.unwrap();
        expected.push((blob, number as u64));
    }
    let pages = backend.blobs(&name, 3).await.unwrap();
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert!(
        sizes.iter().all(|size| *size <= 3) && sizes.len() >= 3,
        "pages of {sizes:?}"
    );
    assert_eq!(pages.concat(), expected);
}

pub(super) async fn a_container_that_is_absent_takes_nothing(backend: Backend) {
    let name = name(&backend, "absent");
    let not_found = refusal(404, "ContainerNotFound");
    let written = backend.put((&name, "a"), "x", Condition::Absent, None).await;
    assert_eq!(written, Err(not_found.clone()));
    assert_eq!(backend.get((&name, "a")).await, Err(not_found));
    // Nothing was made on the way.
    let made = backend.create_container(&name, &BTreeMap::new()).await;
    made.unwrap();
}
