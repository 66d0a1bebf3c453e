//! Containers.

use std::collections::BTreeMap;

use super::{Backend, Condition, container, name, refusal};

fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

pub(super) async fn one_is_made_once(backend: Backend) {
    let first = metadata(&[("owner", "a")]);
    let name = name(&backend, "box");
    backend.create_container(&name, &first).await.unwrap();
    let again = backend.create_container(&name, &metadata(&[("owner", "b")])).await;
    assert_eq!(again, Err(refusal(409, "ContainerAlreadyExists")));
    assert_eq!(backend.container(&name).await.unwrap(), (first, false));
}

pub(super) async fn its_metadata_come_back(backend: Backend) {
    let name = name(&backend, "box");
    let written = metadata(&[
        ("moorline_cluster_uid", "3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f"),
        ("moorline_owner", "team gr%C3%BCn, 100%25 {sure}"),
        ("tag_636f7374", "a=b; c: \"d\" <e> & 'f'"),
        ("moorline_size_gib", "5"),
    ]);
    backend.create_container(&name, &written).await.unwrap();
    assert_eq!(backend.container(&name).await.unwrap().0, written);
}

pub(super) async fn one_that_is_absent_is_not_found(backend: Backend) {
    let name = name(&backend, "absent");
    let not_found = refusal(404, "ContainerNotFound");
    assert_eq!(backend.container(&name).await, Err(not_found.clone()));
    assert_eq!(backend.delete_container(&name, None).await, Err(not_found.clone()));
    assert_eq!(backend.blobs(&name, 10).await, Err(not_found));
}

pub(super) async fn pages_are_whole_and_tell_metadata(backend: Backend) {
    let written = metadata(&[("moorline_profile", "pages"), ("moorline_claim", "a & <b>")]);
    let mut expected = Vec::new();
    for number in 0..7 {
        let name = name(&backend, &format!("page-{number}"));
        backend.create_container(&name, &written).await.unwrap();
        expected.push((name, written.clone()));
    }
    container(&backend, "other").await;
    let pages = backend.containers(&name(&backend, "page-"), 3).await.unwrap();
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert!(
        sizes.iter().all(|size| *size <= 3) && sizes.len() >= 3,
        "pages of {sizes:?}"
    );
    assert_eq!(pages.concat(), expected);
}

pub(super) async fn one_that_was_deleted_is_gone_with_its_blobs(backend: Backend) {
    let name = container(&backend, "box").await;
    backend.put((&name, "a"), "hello", Condition::None, None).await.unwrap();
    backend.delete_container(&name, None).await.unwrap();
    let gone = [
        backend.container(&name).await.map(drop),
        backend.get((&name, "a")).await.map(drop),
    ];
    for outcome in gone {
        assert_eq!(outcome.map_err(|refusal| refusal.status), Err(404));
    }
    assert_eq!(backend.containers(&name, 10).await.unwrap().concat(), []);
}

pub(super) async fn a_name_is_held_after_a_deletion(backend: Backend) {
    let name = container(&backend, "box").await;
    backend.delete_container(&name, None).await.unwrap();
    let again = backend.create_container(&name, &BTreeMap::new()).await;
    let held = Err(refusal(409, "ContainerBeingDeleted"));
    assert_eq!(again, held, "a deleted container was made again at once");
}

pub(super) async fn names_are_refused_as_documented(backend: Backend) {
    for (name, code) in [
        ("ab", "OutOfRangeInput"),
        ("double--hyphen", "InvalidResourceName"),
        ("Upper", "InvalidResourceName"),
    ] {
        let made = backend.create_container(name, &BTreeMap::new()).await;
        assert_eq!(made, Err(refusal(400, code)), "{name}");
    }
}
