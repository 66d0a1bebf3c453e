//! What breaks a server: history that is gone, a group that does not answer, an API server that is killed.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt as _};
use libtest_mimic::Trial;
use moorline_api::conformance::eventually;
use moorline_api::conformance::kubernetes::{self as suite, Request};
use moorline_api::{
    Cluster, DeleteOptions, ErrorKind, Gvk, ListQuery, Object, ObjectRef, Page, Propagation, ResourceKind, WatchEvent,
};
use moorline_parts::Component;
use serde_json::json;

use super::access::Variant;
use super::{PATIENCE, connect, own, server, trial};
use crate::block_on;
use crate::door::Forget;

pub(super) fn trials() -> Vec<Trial> {
    let forgetting = suite::forgetting_cases().into_iter().map(|case| {
        trial(case.name, move || {
            own::with(|own| {
                let kubeconfig = own.plane.kubeconfig().to_owned();
                // The case runs on this thread, and the control plane is lent to it for as long.
                block_on(async {
                    let (ask, mut asked) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>(1);
                    let forget: Forget = Box::new(move || {
                        let ask = ask.clone();
                        Box::pin(async move {
                            let (done, is_done) = tokio::sync::oneshot::channel();
                            ask.send(done).await.unwrap();
                            is_done.await.unwrap();
                        })
                    });
                    let forgetting = async {
                        while let Some(done) = asked.recv().await {
                            own.forget().await;
                            done.send(()).unwrap();
                        }
                    };
                    tokio::select! {
                        () = suite::run(case, server(kubeconfig, forget).await) => {}
                        () = forgetting => {}
                    }
                });
            });
        })
    });
    let own_tests = [
        trial("discovery::names_a_group_that_does_not_answer", || {
            own::with(group_that_does_not_answer);
        }),
        trial("access::by_a_client_certificate_has_its_rights", || {
            own::with(client_certificates);
        }),
        trial("outage::ends_a_watch_that_goes_on_where_it_was", || {
            own::with(watch_over_a_restart);
        }),
        trial("outage::is_told_within_seconds_and_forgotten_when_over", || {
            own::with(calls_over_a_restart);
        }),
    ];
    forgetting.chain(own_tests).collect()
}

fn config_map(name: &str) -> (ObjectRef, Object) {
    let resource = ResourceKind {
        gvk: Gvk::new("v1", "ConfigMap"),
        plural: "configmaps".to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    };
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}});
    (
        ObjectRef::new(resource, "default", name),
        Object::from_value(object).unwrap(),
    )
}

fn group_that_does_not_answer(own: &mut own::Own) {
    block_on(async {
        let cluster = connect(own.plane.kubeconfig()).await;
        let before = cluster.kinds().await.unwrap();
        assert_eq!(before.unanswered, Vec::<String>::new());
        let door = server(own.plane.kubeconfig().to_owned(), Box::new(|| Box::pin(async {})))
            .await
            .door;
        let collection = "/apis/apiregistration.k8s.io/v1/apiservices";
        let request = |method, path: &str, body| Request {
            method,
            path: path.to_owned(),
            content_type: "application/json",
            body,
        };
        let service = json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.gone.example.com"},
            "spec": {
                "group": "gone.example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
                "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "nobody"},
            },
        });
        let made = door.send(request("POST", collection, Some(service))).await;
        assert_eq!(made.code, 201, "{}", made.body);
        eventually("named", PATIENCE, async || {
            let found = cluster.kinds().await.unwrap();
            assert_eq!(found.served, before.served);
            if found.unanswered == ["gone.example.com/v1"] {
                Ok(())
            } else {
                Err(format!("{:?}", found.unanswered))
            }
        })
        .await;
        door.send(request("DELETE", &format!("{collection}/v1.gone.example.com"), None))
            .await;
        eventually("forgotten", PATIENCE, async || {
            let found = cluster.kinds().await.unwrap();
            if found.unanswered.is_empty() {
                Ok(())
            } else {
                Err(format!("{:?}", found.unanswered))
            }
        })
        .await;
    });
}

fn watch_over_a_restart(own: &mut own::Own) {
    block_on(async {
        let cluster = connect(own.plane.kubeconfig()).await;
        let (before, first) = config_map("before-the-restart");
        let made = cluster.create(&before, &first).await.unwrap();
        let query = || {
            let mut query = ListQuery::within(before.resource.clone(), "default");
            query.fields = Some("metadata.name!=kube-root-ca.crt".to_owned());
            query
        };
        let mut changes = cluster.watch(query(), made.resource_version().unwrap().to_owned());
        let (between, second) = config_map("between");
        let last = cluster.create(&between, &second).await.unwrap();
        let seen = next(&mut changes).await.unwrap().unwrap();
        assert_eq!(name(&seen), "between");

        own.plane.kill(Component::ApiServer).unwrap();
        // It ends, by itself or with what cut it: it does not hang, and it does not say that it expired.
        while let Some(event) = next(&mut changes).await {
            match event {
                Ok(WatchEvent::Bookmark(_)) => {}
                Ok(event) => panic!("{event:?}"),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
                    break;
                }
            }
        }
        own.plane.restart(Component::ApiServer).unwrap();
        let (after, third) = config_map("after-the-restart");
        cluster.create(&after, &third).await.unwrap();
        // From the last version seen, what happened meanwhile is told, and nothing twice. Or that version is said to be forgotten: a server
        // remembers nothing from before its start, and whatever it wrote itself on its way up counts. Then a list tells.
        let mut changes = cluster.watch(query(), last.resource_version().unwrap().to_owned());
        let seen = loop {
            match next(&mut changes).await.unwrap() {
                Ok(WatchEvent::Bookmark(_)) => {}
                Ok(event) => break name(&event).to_owned(),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Expired, "{error}");
                    let pages: Vec<Page> = cluster.list(query()).try_collect().await.unwrap();
                    let names = pages.iter().flat_map(|page| &page.objects).map(Object::name);
                    let new = names.filter(|name| !["before-the-restart", "between"].contains(name));
                    break new.collect::<Vec<_>>().join(", ");
                }
            }
        };
        assert_eq!(seen, "after-the-restart");
        for target in [before.clone(), between, after] {
            cluster.delete(&target, &background()).await.unwrap();
        }
    });
}

fn background() -> DeleteOptions {
    DeleteOptions {
        uid: None,
        resource_version: None,
        propagation: Propagation::Background,
        dry_run: false,
    }
}

fn name(event: &WatchEvent) -> &str {
    match event {
        WatchEvent::Applied(object) | WatchEvent::Deleted(object) => object.name(),
        WatchEvent::Bookmark(_) => "a bookmark",
    }
}

async fn next<T>(changes: &mut (impl StreamExt<Item = T> + Unpin)) -> Option<T> {
    tokio::time::timeout(PATIENCE, changes.next()).await.unwrap()
}

fn calls_over_a_restart(own: &mut own::Own) {
    block_on(async {
        let cluster = connect(own.plane.kubeconfig()).await;
        let (target, object) = config_map("over-a-restart");
        cluster.create(&target, &object).await.unwrap();
        own.plane.kill(Component::ApiServer).unwrap();
        let started = Instant::now();
        let error = cluster.get(&target).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
        assert!(
            error
                .message
                .starts_with("cannot reach the API server https://127.0.0.1:"),
            "{error}"
        );
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        own.plane.restart(Component::ApiServer).unwrap();
        // The same client goes on as if nothing had been.
        assert!(cluster.get(&target).await.unwrap().is_some());
        cluster.delete(&target, &background()).await.unwrap();
    });
}

fn client_certificates(own: &mut own::Own) {
    block_on(async {
        for (group, may) in [("system:masters", true), ("visitors", false)] {
            let (certificate, key) = own.plane.client_certificate("ann", group).unwrap();
            let variant = Variant::of(own.plane.kubeconfig(), |config, folder| {
                let files = [("ann.crt", certificate), ("ann.key", key)].map(|(name, text)| {
                    let file = folder.path().join(name);
                    std::fs::write(&file, text).unwrap();
                    file
                });
                config["users"][0]["user"] = json!({"client-certificate": files[0], "client-key": files[1]});
            });
            let cluster = connect(&variant.kubeconfig).await;
            cluster.kinds().await.unwrap();
            let found = cluster.get(&ObjectRef::new(ResourceKind::node(), "", "nobody")).await;
            if may {
                assert_eq!(found.unwrap(), None);
            } else {
                let error = found.unwrap_err();
                assert_eq!(error.kind, ErrorKind::Forbidden);
                assert_eq!(
                    error.message,
                    "\"ann\" may not get nodes; grant \"get\" on nodes to \"ann\""
                );
            }
        }
    });
}
