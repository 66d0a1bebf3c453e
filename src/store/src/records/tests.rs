use futures::TryStreamExt as _;
use serde_json::json;

use super::*;
use crate::FolderStore;

fn records() -> (tempfile::TempDir, Records) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(FolderStore::new(folder.path()));
    (folder, Records::new(store, StoreKey::new("runs").unwrap()))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn newest(records: &Records, most: usize) -> Vec<RunRecord> {
    let now = time("2026-11-21T16:00:00Z");
    records.newest(most, now).await.unwrap().try_collect().await.unwrap()
}

#[tokio::test]
async fn lines_come_back_in_order_with_the_run_they_are_of() {
    let (folder, records) = records();
    let started = time("2026-11-21T15:22:03.123Z");
    let mut log = records.begin(started, "0a1b").unwrap();
    assert!(
        newest(&records, 1).await.is_empty(),
        "a run that said nothing left something"
    );
    log.append(&[json!({"saw": 3}), json!("text\nwith lines")])
        .await
        .unwrap();
    log.append(&[Value::Null; 0]).await.unwrap();
    for n in 0..12 {
        log.append(&[json!({"deleted": n})]).await.unwrap();
    }
    let first = folder
        .path()
        .join("runs/2026-11/20261121t152203.123z-0a1b/000001.jsonl");
    let text = std::fs::read_to_string(first).unwrap();
    assert_eq!(text, "{\"saw\":3}\n\"text\\nwith lines\"\n");
    let found = newest(&records, 5).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].started, found[0].run.as_str()), (started, "0a1b"));
    assert_eq!(found[0].lines.len(), 14);
    assert_eq!(found[0].lines[13], json!({"deleted": 11}));
    let same = records.of(started, "0a1b").await.unwrap();
    assert_eq!(same.as_ref(), Some(&found[0]));
    assert_eq!(records.of(started, "0a1c").await.unwrap(), None);
}

#[tokio::test]
async fn the_newest_come_first_however_old_they_are() {
    let (_folder, records) = records();
    let times = [
        "2019-02-28T23:59:59.999Z",
        "2026-09-30T00:00:00Z",
        "2026-10-01T00:00:00Z",
        "2026-11-21T15:00:00Z",
        "2026-11-21T15:00:00.001Z",
        "2026-12-01T00:00:00Z",
    ];
    for (n, text) in times.iter().enumerate() {
        let mut log = records.begin(time(text), &format!("r{n}")).unwrap();
        log.append(&[json!(n)]).await.unwrap();
    }
    for most in 0..=7 {
        let found: Vec<_> = newest(&records, most)
            .await
            .into_iter()
            .map(|record| record.started)
            .collect();
        let expected: Vec<_> = times.iter().rev().take(most).map(|text| time(text)).collect();
        assert_eq!(found, expected, "the newest {most}");
    }
}

#[tokio::test]
async fn what_was_appended_again_is_there_once() {
    let (_folder, records) = records();
    let started = time("2026-11-21T15:00:00Z");
    let mut log = records.begin(started, "a").unwrap();
    log.append(&[json!(1)]).await.unwrap();
    // As it is after an answer was lost: the line is there, and the log does not know it.
    log.next = 1;
    log.append(&[json!(1)]).await.unwrap();
    log.next = 1;
    log.append(&[json!(2)]).await.unwrap();
    assert_eq!(newest(&records, 1).await[0].lines, [json!(1), json!(2)]);
}

#[tokio::test]
async fn what_is_no_record_is_left_out_and_what_is_broken_is_an_error() {
    let (_folder, records) = records();
    for key in [
        "runs/readme.md",
        "runs/2026-11/notes/1.jsonl",
        "runs/2026-11/20261121t000000.000z-a/1.txt",
    ] {
        records.store.create(&StoreKey::new(key).unwrap(), b"{").await.unwrap();
    }
    assert!(newest(&records, 9).await.is_empty());
    let mut log = records.begin(time("2026-11-21T15:00:00Z"), "a").unwrap();
    log.append(&[json!(1)]).await.unwrap();
    let broken = log.folder.join("000002.jsonl").unwrap();
    records.store.create(&broken, b"{\"half\":").await.unwrap();
    let now = time("2026-11-21T16:00:00Z");
    let read: Result<Vec<_>> = records.newest(1, now).await.unwrap().try_collect().await;
    let error = read.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.resource.ends_with("000002.jsonl"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let (_folder, records) = records();
    for run in ["", "../x", "A", "a/b/"] {
        assert!(records.begin(time("2026-11-21T15:00:00Z"), run).is_err(), "{run}");
    }
}

#[tokio::test]
async fn many_lines_are_several_values() {
    let (folder, records) = records();
    let mut log = records.begin(time("2026-11-21T15:00:00Z"), "a").unwrap();
    let line = json!("x".repeat(3 << 20));
    log.append(&[line.clone(), line.clone(), line.clone()]).await.unwrap();
    assert_eq!(newest(&records, 1).await[0].lines, [line.clone(), line.clone(), line]);
    let chunks = std::fs::read_dir(folder.path().join("runs/2026-11/20261121t150000.000z-a")).unwrap();
    assert_eq!(chunks.count(), 2);
}
