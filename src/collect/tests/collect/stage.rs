//! A small stage: one scope, clusters `prod` and `stage`, and volumes whose StatefulSet is gone.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moorline_api::{Error, ErrorKind, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, VolumeState, tags};
use moorline_aws_rules::EbsRules;
use moorline_collect::{ClusterLink, CollectError, Collector, Event, Line, NoPrices, Prices, Report, Scope, Settings};
use moorline_gc::{Grace, NamedCluster, Policy};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::fakes::{FakeCloud, FakeCluster, MemoryStore, Script};

pub(crate) const PROD: &str = "11111111-0000-4000-8000-000000000001";
pub(crate) const STAGING: &str = "22222222-0000-4000-8000-000000000002";
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

pub(crate) struct Stage {
    pub(crate) script: Script,
    pub(crate) cloud: FakeCloud,
    pub(crate) more: Vec<FakeCloud>,
    pub(crate) prod: FakeCluster,
    pub(crate) staging: FakeCluster,
    pub(crate) unreachable: bool,
    pub(crate) store: MemoryStore,
    pub(crate) policy: Policy,
    pub(crate) subject: String,
    pub(crate) settings: Settings,
    pub(crate) stop: CancellationToken,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    pub(crate) runs: Cell<u32>,
}

/// Ten dollars a month each.
struct TenDollars;

impl Prices for TenDollars {
    fn volume(&self, _: &Scope, _: &Volume) -> Option<f64> {
        Some(10.0)
    }

    fn load_balancer(&self, scope: &Scope, balancer: &moorline_api::LoadBalancer) -> Option<f64> {
        NoPrices.load_balancer(scope, balancer)
    }

    fn snapshot(&self, scope: &Scope, snapshot: &moorline_api::Recoverable) -> Option<f64> {
        NoPrices.snapshot(scope, snapshot)
    }

    fn holder(&self, scope: &Scope, holder: &moorline_api::Holder) -> Option<f64> {
        NoPrices.holder(scope, holder)
    }
}

pub(crate) fn claim_uid(number: u32) -> String {
    format!("0b8bd6a5-2b8e-4a5e-9d2c-{number:012x}")
}

pub(crate) fn volume(number: u32) -> Volume {
    let tags = [
        (tags::CLUSTER_UID, PROD.to_owned()),
        (tags::NAMESPACE, "web".to_owned()),
        (tags::CLAIM, format!("data-db-{number}")),
        (tags::CLAIM_UID, claim_uid(number)),
    ];
    Volume {
        id: VolumeId(format!("vol-{number}")),
        spec: VolumeSpec {
            size_gib: 10,
            zone: None,
            config: VolumeConfig::ebs("gp3"),
        },
        state: VolumeState::Available,
        attachments: Vec::new(),
        tags: tags
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<Tags>(),
        created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
    }
}

pub(crate) fn claim(number: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": "web", "name": format!("data-db-{number}"), "uid": claim_uid(number),
                     "labels": {"app": "db"}, "annotations": {"moorline.dev/stateful-set": "db"},
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"volumeName": format!("pv-{number}")},
        "status": {"phase": "Bound"},
    })
}

pub(crate) fn pv(number: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": format!("pv-{number}"), "uid": format!("pv-uid-{number}"),
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{number}"), "fsType": "ext4"},
            "claimRef": {"namespace": "web", "name": format!("data-db-{number}"), "uid": claim_uid(number)},
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "gp3",
        },
        "status": {"phase": "Bound"},
    })
}

pub(crate) fn set(replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": "web", "name": "db", "uid": "set-uid"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "db"}},
                 "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    })
}

pub(crate) fn pod(number: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "web", "name": format!("db-{number}"), "uid": format!("pod-uid-{number}")},
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-db-{number}")}}]},
        "status": {"phase": "Running"},
    })
}

impl Stage {
    /// Nothing is there yet.
    pub(crate) fn empty() -> Self {
        let script = Script::default();
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let named = |name: &str, uid: &str| NamedCluster {
            name: name.to_owned(),
            uid: Some(uid.to_owned()),
            tag_ids: Vec::new(),
        };
        let mut policy = Policy::of([named("prod", PROD), named("staging", STAGING)]);
        policy.grace = Grace::all(DAY);
        Self {
            cloud: FakeCloud::new("aws", &script, now),
            more: Vec::new(),
            prod: FakeCluster::new("prod", PROD, &script),
            staging: FakeCluster::new("staging", STAGING, &script),
            unreachable: false,
            store: MemoryStore::new(&script),
            policy,
            subject: "aws, prod, staging".to_owned(),
            settings: Settings {
                deletion_timeout: Duration::from_millis(300),
                drain: Duration::from_millis(300),
                pause: Duration::from_millis(1),
                ..Settings::default()
            },
            stop: CancellationToken::new(),
            events: Arc::default(),
            runs: Cell::new(0),
            script,
        }
    }

    /// Volumes with claims and PersistentVolumes, whose set is gone.
    pub(crate) fn left_behind(count: u32) -> Self {
        let stage = Self::empty();
        for number in 0..count {
            stage.cloud.add(volume(number));
            stage.prod.add(pv(number));
            stage.prod.add(claim(number));
        }
        stage
    }

    /// The same, marked by a run, and past their grace.
    pub(crate) async fn past_grace(count: u32) -> Self {
        let stage = Self::left_behind(count);
        stage.age().await;
        stage
    }

    /// A run marks, and grace passes.
    pub(crate) async fn age(&self) {
        let report = self.apply().await;
        assert!(report.done.is_empty(), "{:?}", report.done);
        self.cloud.passes(DAY);
        self.more.iter().for_each(|cloud| cloud.passes(DAY));
        self.script.forget();
    }

    pub(crate) fn collector(&self) -> Collector {
        self.runs.set(self.runs.get() + 1);
        let run = self.runs.get();
        let events = Arc::clone(&self.events);
        let scope =
            |cloud: &FakeCloud, name: &str| Scope::of(Arc::new(cloud.clone()), Arc::new(EbsRules), name, "eu-west-1");
        let more = self.more.iter().enumerate();
        let more = more.map(|(number, cloud)| scope(cloud, &format!("more {number}")));
        let refused = || {
            Error::new(
                ErrorKind::Invalid,
                "read the kubeconfig",
                "",
                "there is no context staging",
            )
        };
        Collector {
            policy: self.policy.clone(),
            settings: self.settings.clone(),
            scopes: [scope(&self.cloud, "aws")].into_iter().chain(more).collect(),
            clusters: vec![
                ClusterLink {
                    name: "prod".to_owned(),
                    connection: Ok(Arc::new(self.prod.clone())),
                },
                ClusterLink {
                    name: "staging".to_owned(),
                    connection: if self.unreachable {
                        Err(refused())
                    } else {
                        Ok(Arc::new(self.staging.clone()))
                    },
                },
            ],
            rules: vec![Arc::new(EbsRules)],
            subject: self.subject.clone(),
            store: Arc::new(self.store.clone()),
            prices: Arc::new(TenDollars),
            events: Arc::new(move |event: Event| events.lock().unwrap().push(event)),
            stop: self.stop.clone(),
            holder: format!("test run {run}"),
            run: format!("run-{run}"),
            clock: Collector::system_clock(),
        }
    }

    pub(crate) async fn dry_run(&self) -> Report {
        self.collector().dry_run().await.unwrap()
    }

    pub(crate) async fn apply(&self) -> Report {
        self.try_apply().await.unwrap()
    }

    pub(crate) async fn try_apply(&self) -> Result<Report, CollectError> {
        self.collector().apply().await
    }

    /// The calls since the last time that changed something in the cloud or in a cluster.
    pub(crate) fn deeds(&self) -> Vec<String> {
        let is_deed = |call: &String| {
            ["!delete", "!tag", "!snapshot"]
                .iter()
                .any(|start| call.starts_with(start))
        };
        self.script.take().into_iter().filter(is_deed).collect()
    }

    /// The lease of who was killed is over.
    pub(crate) fn release_the_dead(&self) {
        if let Some(lease) = self.store.text("gc/lease.json") {
            let released = lease.replace("\"released\": false", "\"released\": true");
            self.store.put("gc/lease.json", &released);
        }
        self.script.forget();
    }

    /// The key of what runs of its policy remember, once one has taken place.
    pub(crate) fn records(&self) -> String {
        let mut keys = self.store.keys().into_iter();
        keys.find(|key| key.ends_with("/records.json")).unwrap()
    }

    /// Every line of every journal, the oldest first.
    pub(crate) async fn journal(&self) -> Vec<Line> {
        let mut runs = self.collector().history(100).await.unwrap();
        runs.reverse();
        runs.into_iter().flat_map(|run| run.lines).collect()
    }

    pub(crate) fn is_whole(&self, number: u32) -> bool {
        self.cloud.has(&format!("vol-{number}"))
            && self.prod.has("PersistentVolume", &format!("pv-{number}"))
            && self.prod.has("PersistentVolumeClaim", &format!("data-db-{number}"))
    }

    pub(crate) fn is_gone(&self, number: u32) -> bool {
        !self.cloud.has(&format!("vol-{number}"))
            && !self.prod.has("PersistentVolume", &format!("pv-{number}"))
            && !self.prod.has("PersistentVolumeClaim", &format!("data-db-{number}"))
    }
}
