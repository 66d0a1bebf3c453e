//! A control plane that no one else uses, started for the first test that asks and ended with the program.

use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_api::conformance::kubernetes::{Door as _, Request};
use moorline_parts::{Component, ControlPlane};
use serde_json::json;
use tempfile::TempDir;

use crate::door::KubeDoor;

static OWN: Mutex<Option<Own>> = Mutex::new(None);

/// The control plane, and where it lives.
pub(super) struct Own {
    pub(super) plane: ControlPlane,
    /// Held for its end.
    _folder: TempDir,
}

/// Runs a test that has the control plane to itself.
pub(super) fn with<T>(test: impl FnOnce(&mut Own) -> T) -> T {
    // A test that failed leaves it to the next as it would leave it by succeeding: running.
    let mut own: MutexGuard<'_, Option<Own>> = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let own = own.get_or_insert_with(|| {
        let folder = tempfile::tempdir().unwrap();
        let plane = ControlPlane::start(&super::parts().programs, folder.path()).unwrap();
        Own { plane, _folder: folder }
    });
    if !own.plane.runs(Component::ApiServer) {
        own.plane.restart(Component::ApiServer).unwrap();
    }
    test(own)
}

impl Own {
    /// Makes etcd forget what was, and the API server what it had kept of that.
    pub(super) async fn forget(&mut self) {
        let address = self.plane.etcd().parse().unwrap();
        let door = KubeDoor::open(kube::Config::new(address), Box::new(|| Box::pin(async {})));
        let post = |path: &str, body| Request {
            method: "POST",
            path: path.to_owned(),
            content_type: "application/json",
            body: Some(body),
        };
        let any_key = json!({"key": "AA==", "limit": 1});
        let now = door.send(post("/v3/kv/range", any_key)).await;
        let revision = &now.body["header"]["revision"];
        let done = door
            .send(post(
                "/v3/kv/compaction",
                json!({"revision": revision, "physical": true}),
            ))
            .await;
        assert_eq!(done.code, 200, "{}", done.body);
        self.plane.restart(Component::ApiServer).unwrap();
    }
}
