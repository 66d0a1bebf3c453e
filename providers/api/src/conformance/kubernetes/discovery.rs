//! What there is.

use std::collections::HashSet;

use super::backend::Backend;
use super::discovery;
use super::manifests::{config_map, lease};
use crate::conformance::{Case, cases};
use crate::{ErrorKind, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        discovery::finds_what_moorline_is_about,
        discovery::names_each_kind_once,
        discovery::tells_the_cluster,
        discovery::a_node_that_is_not_there_has_no_statistics
    ]
}

async fn finds_what_moorline_is_about(on: Backend) {
    let found = on.cluster().kinds().await.unwrap();
    assert_eq!(found.unanswered, Vec::<String>::new());
    for known in [
        ResourceKind::claim(),
        ResourceKind::persistent_volume(),
        ResourceKind::pod(),
        ResourceKind::service(),
        ResourceKind::event(),
        ResourceKind::node(),
        ResourceKind::namespace(),
        ResourceKind::stateful_set(),
        ResourceKind::deployment(),
        ResourceKind::storage_class(),
        ResourceKind::volume_attachment(),
        config_map(),
        lease(),
    ] {
        let served = found.served.iter().find(|kind| kind.gvk == known.gvk);
        let served = served.unwrap_or_else(|| panic!("{} is not served", known.gvk));
        assert_eq!((&served.plural, served.namespaced), (&known.plural, known.namespaced));
        for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
            assert!(
                served.verbs.iter().any(|known| known == verb),
                "{} takes no {verb}",
                served.gvk
            );
        }
    }
}

async fn names_each_kind_once(on: Backend) {
    let found = on.cluster().kinds().await.unwrap();
    let mut seen = HashSet::new();
    for kind in &found.served {
        assert!(seen.insert(kind.qualified()), "{} twice", kind.qualified());
        assert!(!kind.plural.contains('/'), "{} is a subresource", kind.plural);
    }
}

async fn tells_the_cluster(on: Backend) {
    let identity = on.cluster().identity().await.unwrap();
    let system = crate::ObjectRef::new(ResourceKind::namespace(), "", "kube-system");
    assert_eq!(Some(&*identity.uid), on.get(&system).await.uid());
    assert!(identity.version.starts_with("v1."), "{}", identity.version);
}

async fn a_node_that_is_not_there_has_no_statistics(on: Backend) {
    let error = on
        .cluster()
        .mount_statistics("moorline-no-such-node")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}
