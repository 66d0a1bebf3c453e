//! Leases of containers and blobs.

use std::time::Duration;

use super::super::eventually;
use super::{Backend, Condition, LeaseAction, container, refusal};

const FOR_EVER: LeaseAction<'static> = LeaseAction::Acquire(-1);

pub(super) async fn one_holder_at_a_time(backend: Backend) {
    let name = container(&backend, "box").await;
    backend.put((&name, "lock"), "", Condition::None, None).await.unwrap();
    for leased in [(name.as_str(), None), (name.as_str(), Some("lock"))] {
        let lease = backend.lease(leased, FOR_EVER).await.unwrap();
        let second = backend.lease(leased, FOR_EVER).await;
        assert_eq!(second, Err(refusal(409, "LeaseAlreadyPresent")), "{leased:?}");
        backend.lease(leased, LeaseAction::Release(&lease)).await.unwrap();
        let next = backend.lease(leased, FOR_EVER).await.unwrap();
        let late = backend.lease(leased, LeaseAction::Renew(&lease)).await;
        assert_eq!(
            late,
            Err(refusal(409, "LeaseIdMismatchWithLeaseOperation")),
            "{leased:?}"
        );
        backend.lease(leased, LeaseAction::Release(&next)).await.unwrap();
    }
}

pub(super) async fn a_leased_container_is_deleted_by_its_holder_only(backend: Backend) {
    let name = container(&backend, "box").await;
    let lease = backend.lease((&name, None), FOR_EVER).await.unwrap();
    assert!(backend.container(&name).await.unwrap().1, "it is not shown as leased");
    assert_eq!(
        backend.delete_container(&name, None).await,
        Err(refusal(412, "LeaseIdMissing"))
    );
    let wrong = "00000000-0000-4000-8000-000000000000";
    assert_eq!(
        backend.delete_container(&name, Some(wrong)).await,
        Err(refusal(412, "LeaseIdMismatchWithContainerOperation"))
    );
    // A lease of the container keeps nobody from writing into it.
    backend.put((&name, "a"), "x", Condition::None, None).await.unwrap();
    backend.delete_container(&name, Some(&lease)).await.unwrap();
}

pub(super) async fn a_leased_blob_is_written_by_its_holder_only(backend: Backend) {
    let name = container(&backend, "box").await;
    let at = (name.as_str(), "lock");
    backend.put(at, "a", Condition::None, None).await.unwrap();
    let lease = backend.lease((&name, Some("lock")), FOR_EVER).await.unwrap();
    let stranger = backend.put(at, "b", Condition::None, None).await;
    assert_eq!(stranger, Err(refusal(412, "LeaseIdMissing")));
    assert_eq!(backend.delete_blob(at).await, Err(refusal(412, "LeaseIdMissing")));
    backend.put(at, "c", Condition::None, Some(&lease)).await.unwrap();
    assert_eq!(backend.get(at).await.unwrap().0, "c");
}

pub(super) async fn a_renewed_lease_is_the_same(backend: Backend) {
    let name = container(&backend, "box").await;
    let lease = backend.lease((&name, None), LeaseAction::Acquire(60)).await.unwrap();
    let renewed = backend.lease((&name, None), LeaseAction::Renew(&lease)).await.unwrap();
    assert_eq!(renewed, lease);
}

pub(super) async fn a_broken_lease_is_free(backend: Backend) {
    let name = container(&backend, "box").await;
    let lease = backend.lease((&name, None), FOR_EVER).await.unwrap();
    backend.lease((&name, None), LeaseAction::Break).await.unwrap();
    assert!(
        !backend.container(&name).await.unwrap().1,
        "it is still shown as leased"
    );
    let late = backend.lease((&name, None), LeaseAction::Renew(&lease)).await;
    assert_eq!(late, Err(refusal(409, "LeaseIsBrokenAndCannotBeRenewed")));
    backend.lease((&name, None), FOR_EVER).await.unwrap();
}

pub(super) async fn a_lease_of_seconds_ends_by_itself(backend: Backend) {
    let name = container(&backend, "box").await;
    backend.lease((&name, None), LeaseAction::Acquire(15)).await.unwrap();
    eventually("deleted", Duration::from_secs(30), async || {
        backend.delete_container(&name, None).await
    })
    .await;
}

pub(super) async fn its_length_has_bounds(backend: Backend) {
    let name = container(&backend, "box").await;
    for seconds in [1, 14, 61] {
        let refused = backend.lease((&name, None), LeaseAction::Acquire(seconds)).await;
        assert_eq!(refused.map_err(|refusal| refusal.status), Err(400), "{seconds} s");
    }
}
