//! Small worlds of what is no volume.

use std::collections::BTreeSet;

use jiff::Timestamp;
use moorline_api::{
    Content, Holder, HolderMaker, LoadBalancer, LoadBalancerKind, Object, Origin, Recoverable, Tags, TargetGroup,
    VolumeId, tags,
};
use moorline_gc::leftovers::{Grace, Kind, Leftovers, Plan, Row, Sort, plan};
use moorline_gc::{Clock, ClusterIndex, NamedCluster, Policy};
use serde_json::{Value, json};

pub(crate) use crate::build::{PROD, STAGE, With, hours, now, object};

/// The hostname of [`balancer`].
pub(crate) const HOST: &str = "nginx-1.eu-west-1.elb.amazonaws.com";

pub(crate) fn tagged(tags: &[(&str, &str)]) -> Tags {
    let pairs = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    pairs.collect()
}

/// The classic load balancer of Service `web/nginx` of `prod`, as a cloud controller tags it.
pub(crate) fn balancer() -> LoadBalancer {
    balancer_of(&[
        ("kubernetes.io/service-name", "web/nginx"),
        ("kubernetes.io/cluster/prod.example.com", "owned"),
    ])
}

pub(crate) fn balancer_of(tags: &[(&str, &str)]) -> LoadBalancer {
    LoadBalancer {
        id: "a0b8bd6a52b8e4a5e9d2c6f1f1a0c7d1".to_owned(),
        name: "a0b8bd6a52b8e4a5e9d2c6f1f1a0c7d1".to_owned(),
        kind: LoadBalancerKind::Classic,
        hostname: "Nginx-1.eu-west-1.elb.amazonaws.com".to_owned(),
        scheme: "internet-facing".to_owned(),
        state: String::new(),
        created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        tags: tagged(tags),
    }
}

/// Storage account `fabc` that the file driver made, without anything in it.
pub(crate) fn account() -> Holder {
    Holder {
        id: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/fabc".to_owned(),
        name: "fabc".to_owned(),
        maker: HolderMaker::Driver("file.csi.azure.com".to_owned()),
        content: Content::Nothing,
        tags: tagged(&[("k8s-azure-created-by", "azure")]),
        created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
    }
}

/// Snapshot `snap-1` of `vol-1` that a run took in `prod`, which expired an hour ago.
pub(crate) fn snapshot() -> Recoverable {
    Recoverable {
        origin: Origin::Snapshot("snap-1".to_owned()),
        volume: VolumeId("vol-1".to_owned()),
        ready: true,
        taken: Some("2026-10-01T00:00:00Z".parse().unwrap()),
        removed: None,
        size_gib: 8,
        spec: None,
        tags: tagged(&[
            (tags::EXPIRES, "2026-11-21T11:00:00Z"),
            (tags::SNAPSHOT_OF, "vol-1"),
            (tags::CLUSTER_UID, PROD),
        ]),
    }
}

/// An object of namespace `web`.
pub(crate) fn named(api_version: &str, kind: &str, name: &str) -> Object {
    object(json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"namespace": "web", "name": name, "uid": "99999999-9999-4999-8999-999999999999"},
    }))
}

pub(crate) fn service(name: &str) -> Object {
    named("v1", "Service", name).with(&["spec"], json!({"type": "LoadBalancer"}))
}

pub(crate) fn showing(object: Object, address: &str) -> Object {
    object.with(&["status", "loadBalancer", "ingress"], json!([{"hostname": address}]))
}

pub(crate) fn class(parameters: &Value) -> Object {
    let class = named("storage.k8s.io/v1", "StorageClass", "files");
    class.with(&["parameters"], parameters.clone())
}

/// A thing of the cloud.
pub(crate) enum Thing {
    Balancer(LoadBalancer),
    Group(TargetGroup),
    Account(Holder),
    Snapshot(Box<Recoverable>),
}

/// Two clusters, `prod` and `stage`, and some things. Everything is read whole but what is named.
pub(crate) struct Scene {
    pub(crate) policy: Policy,
    pub(crate) things: Vec<Thing>,
    objects: [Vec<Object>; 2],
    unread: BTreeSet<(u16, Kind)>,
    sort_failed: Option<Sort>,
    pub(crate) now: Timestamp,
}

impl Scene {
    pub(crate) fn of(things: impl IntoIterator<Item = Thing>) -> Self {
        let cluster = |name: &str, uid: &str| NamedCluster {
            name: name.to_owned(),
            uid: Some(uid.to_owned()),
            tag_ids: vec![format!("{name}.example.com")],
        };
        Self {
            policy: Policy::of([cluster("prod", PROD), cluster("stage", STAGE)]),
            things: things.into_iter().collect(),
            objects: [Vec::new(), Vec::new()],
            unread: BTreeSet::new(),
            sort_failed: None,
            now: now(),
        }
    }

    pub(crate) fn prod(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        self.objects[0].extend(objects);
        self
    }

    pub(crate) fn stage(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        self.objects[1].extend(objects);
        self
    }

    /// A kind of a cluster that could not be read.
    pub(crate) fn without(mut self, cluster: u16, kind: Kind) -> Self {
        self.unread.insert((cluster, kind));
        self
    }

    pub(crate) fn without_sort(mut self, sort: Sort) -> Self {
        self.sort_failed = Some(sort);
        self
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn world(&self) -> Leftovers {
        let mut world = Leftovers::new(&self.policy);
        let scope = world.scope("aws 123456789012/eu-west-1");
        for thing in &self.things {
            match thing {
                Thing::Balancer(balancer) => world.add_balancer(scope, balancer, Some(18.25)),
                Thing::Group(group) => world.add_target_group(scope, group),
                Thing::Account(holder) => world.add_holder(scope, holder),
                Thing::Snapshot(recoverable) => world.add_recoverable(scope, recoverable, Some(0.4)),
            }
        }
        for sort in Sort::ALL {
            if self.sort_failed == Some(sort) {
                world.sort_failed(scope, sort, "throttled");
            } else {
                world.sort_read(scope, sort, self.now);
            }
        }
        let wanted = world.wants(self.now);
        for cluster in 0..2_u16 {
            let index = ClusterIndex(cluster);
            world.identify(index, [PROD, STAGE][usize::from(cluster)]);
            for object in &self.objects[usize::from(cluster)] {
                world.add(index, object);
            }
            for kind in &wanted {
                if self.unread.contains(&(cluster, *kind)) {
                    world.failed(index, *kind, "403 forbidden");
                } else {
                    world.read_whole(index, *kind, self.now);
                }
            }
        }
        world
    }

    pub(crate) fn plan(&self) -> Plan {
        let clock = Clock { now: self.now };
        plan(&self.world(), &self.policy, Grace::default(), clock, "run-1")
    }

    /// The only thing's row; `None` where it is plainly in use.
    pub(crate) fn row(&self) -> Option<Row> {
        let plan = self.plan();
        assert_eq!(self.things.len(), 1);
        assert!(
            plan.rows.iter().all(|row| !row.why.is_empty()),
            "a verdict without a reason"
        );
        plan.rows.into_iter().next()
    }

    /// The only thing's verdict.
    pub(crate) fn verdict(&self) -> moorline_gc::Verdict {
        let totals = self.plan().totals;
        assert_eq!(totals.len(), 1);
        let counted: Vec<_> = totals.into_values().flatten().collect();
        assert_eq!(counted.len(), 1, "{counted:?}");
        counted[0].0
    }
}

/// With this mark on it.
pub(crate) fn marked(mut thing: Thing, text: &str) -> Thing {
    let tags = match &mut thing {
        Thing::Balancer(balancer) => &mut balancer.tags,
        Thing::Group(group) => &mut group.tags,
        Thing::Account(holder) => &mut holder.tags,
        Thing::Snapshot(recoverable) => &mut recoverable.tags,
    };
    tags.insert(tags::UNUSED.to_owned(), text.to_owned());
    thing
}
