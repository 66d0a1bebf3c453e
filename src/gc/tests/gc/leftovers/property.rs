//! Random lives of load balancers, storage accounts and snapshots, with runs in between that see only part of it, and an oracle that
//! knows the truth from how each thing was made: no live or unproven one is ever deleted, and each provable one goes.

use std::collections::BTreeSet;

use moorline_api::{Content, HolderMaker, Object, Origin, Tags, tags};
use moorline_gc::leftovers::{Action, Grace, Kind, Leftovers, Row, Sort, plan, second_look};
use moorline_gc::{Clock, ClusterIndex, NamedCluster, Policy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use super::build::*;

/// How many lives without a word from the environment (`MOORLINE_LEFTOVER_CASES`).
const CASES: u32 = 3_000;
const OTHER: &str = "33333333-3333-4333-8333-333333333333";
/// The clusters; the policy names the first two.
const CLUSTERS: [(&str, &str); 3] = [("prod", PROD), ("stage", STAGE), ("other", OTHER)];

/// What is true of a thing, whoever can see it.
#[derive(Clone, Debug)]
enum Fact {
    Balancer {
        host: String,
        uid: String,
        service: String,
        cluster: usize,
    },
    Account {
        name: String,
        holds: bool,
    },
    Snapshot {
        id: String,
        expires: i64,
        ready: bool,
    },
}

/// A thing of the cloud, by its number.
#[derive(Clone, Debug)]
struct Made {
    number: u32,
    fact: Fact,
    /// Whether what it says of itself proves that a named cluster made it.
    proven: bool,
    tags: Tags,
    created: i64,
}

/// An object of a cluster, and what it is for.
#[derive(Clone, Debug)]
struct Written {
    cluster: usize,
    object: Object,
    /// The name and UID of a Service.
    service: Option<(String, String)>,
    /// What it names or shows: a host, an account, a snapshot.
    names: String,
}

/// A life: what there is, and what time it is.
#[derive(Clone, Debug, Default)]
struct Life {
    things: Vec<Made>,
    objects: Vec<Written>,
    serial: u32,
    /// Seconds since the story's beginning.
    clock: i64,
    deleted: u32,
}

type Step = (u8, u8, u8);

impl Life {
    fn next(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn now(&self) -> jiff::Timestamp {
        now() + jiff::SignedDuration::from_secs(self.clock)
    }

    /// Somebody does something.
    fn happens(&mut self, (what, which, how): Step) {
        match what % 9 {
            0 | 1 => self.service(usize::from(which % 3), which / 3 % 2, how),
            2 => self.account(which, how),
            3 => self.snapshot(which, how),
            // An object goes; its balancer stays behind.
            4 if !self.objects.is_empty() => _ = self.objects.remove(usize::from(which) % self.objects.len()),
            5 => self.mention(which, how),
            6 => self.fill(which, how),
            7 => self.protect(which, how),
            _ => self.clock += i64::from(how) * 3_600,
        }
    }

    /// A Service with a load balancer, whose tags say more or less of it, and whose status does already or not yet.
    fn service(&mut self, cluster: usize, name: u8, how: u8) {
        let number = self.next();
        let (uid, host) = (
            format!("{number:08x}-0000-4000-8000-000000000000"),
            format!("lb-{number}.elb.example.com"),
        );
        let name = format!("svc-{name}");
        let service = format!("web/{name}");
        let of_cluster = |cluster: usize| {
            (
                format!("kubernetes.io/cluster/{}.example.com", CLUSTERS[cluster].0),
                "owned".to_owned(),
            )
        };
        let made_for = ("kubernetes.io/service-name".to_owned(), service.clone());
        let (tags, proven): (Vec<(String, String)>, bool) = match how % 8 {
            0 => (vec![made_for], false),
            1 => (vec![of_cluster(cluster)], false),
            // Two clusters say that it is theirs, and one of them is a stranger.
            2 => (vec![made_for, of_cluster(cluster), of_cluster(2)], false),
            _ => (vec![made_for, of_cluster(cluster)], cluster < 2),
        };
        let before = |written: &Written| {
            written.cluster == cluster && written.service.as_ref().is_some_and(|(known, _)| *known == service)
        };
        self.objects.retain(|written| !before(written));
        let object = named("v1", "Service", &name).with(&["metadata", "uid"], json!(uid));
        let shown = how & 64 == 0;
        self.objects.push(Written {
            cluster,
            object: if shown { showing(object, &host) } else { object },
            service: Some((service.clone(), uid.clone())),
            names: if shown { host.clone() } else { String::new() },
        });
        self.add(
            Fact::Balancer {
                host,
                uid,
                service,
                cluster,
            },
            proven,
            tags.into_iter().collect(),
        );
    }

    fn account(&mut self, which: u8, how: u8) {
        let name = format!("acc{}", self.next());
        let proven = matches!(which % 4, 0 | 1 | 3);
        let holds = how & 1 == 0;
        let maker = match which % 4 {
            0 => PROD,
            1 => "driver",
            2 => OTHER,
            _ => STAGE,
        };
        let maker = if how % 16 == 15 { "" } else { maker };
        let tags = Tags::from([("maker".to_owned(), maker.to_owned())]);
        self.add(Fact::Account { name, holds }, proven && !maker.is_empty(), tags);
    }

    fn snapshot(&mut self, which: u8, how: u8) {
        let id = format!("snap-{}", self.next());
        let expires = self.clock + i64::from(how) * 3_600;
        let cluster = usize::from(which % 3);
        let honest = !(which / 3).is_multiple_of(4);
        let of = if honest { "vol-1" } else { "vol-2" };
        let at = now() + jiff::SignedDuration::from_secs(expires);
        let tags = [
            (tags::EXPIRES, at.to_string()),
            (tags::SNAPSHOT_OF, of.to_owned()),
            (tags::CLUSTER_UID, CLUSTERS[cluster].1.to_owned()),
        ];
        let tags = tags.map(|(key, value)| (key.to_owned(), value)).into();
        let ready = !(which / 12).is_multiple_of(4);
        self.add(Fact::Snapshot { id, expires, ready }, honest && cluster < 2, tags);
    }

    fn add(&mut self, fact: Fact, proven: bool, tags: Tags) {
        let number = self.next();
        let created = self.clock;
        self.things.push(Made {
            number,
            fact,
            proven,
            tags,
            created,
        });
    }

    /// Some object of some cluster shows an address, or names an account or a snapshot.
    fn mention(&mut self, which: u8, how: u8) {
        let Some(made) = self.things.get(usize::from(which) % self.things.len().max(1)) else {
            return;
        };
        let name = format!("o-{}", made.number);
        let (object, names) = match &made.fact {
            Fact::Balancer { host, .. } => (showing(named("networking.k8s.io/v1", "Ingress", &name), host), host),
            Fact::Account { name: account, .. } if how & 4 == 0 => {
                (class(&json!({"storageAccount": account})), account)
            }
            Fact::Account { name: account, .. } => {
                let handle = json!({"csi": {"volumeHandle": format!("rg#{account}#share")}});
                (named("v1", "PersistentVolume", &name).with(&["spec"], handle), account)
            }
            Fact::Snapshot { id, .. } => {
                let content = named("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", &name);
                (content.with(&["spec"], json!({"source": {"snapshotHandle": id}})), id)
            }
        };
        let (cluster, names) = (usize::from(how % 2), names.clone());
        self.objects.push(Written {
            cluster,
            object,
            service: None,
            names,
        });
    }

    fn fill(&mut self, which: u8, how: u8) {
        let count = self.things.len().max(1);
        match self
            .things
            .get_mut(usize::from(which) % count)
            .map(|made| &mut made.fact)
        {
            Some(Fact::Account { holds, .. }) => *holds = how & 1 == 0,
            Some(Fact::Snapshot { ready, .. }) => *ready = true,
            _ => {}
        }
    }

    fn protect(&mut self, which: u8, how: u8) {
        let count = self.things.len().max(1);
        if let Some(made) = self.things.get_mut(usize::from(which) % count) {
            if how & 1 == 0 {
                made.tags.insert(tags::PROTECT.to_owned(), "true".to_owned());
            } else {
                made.tags.remove(tags::PROTECT);
            }
        }
    }

    fn named(&self, name: &str) -> bool {
        self.objects.iter().any(|written| written.names == name)
    }

    /// The oracle: whether somebody uses it, or may.
    fn is_alive(&self, made: &Made) -> bool {
        match &made.fact {
            Fact::Balancer { host, uid, .. } => {
                let is_its_own = |written: &Written| written.service.as_ref().is_some_and(|(_, known)| known == uid);
                self.named(host) || self.objects.iter().any(is_its_own)
            }
            Fact::Account { name, holds } => *holds || self.named(name),
            Fact::Snapshot { id, expires, ready } => *expires > self.clock || !ready || self.named(id),
        }
    }

    /// The oracle: whether nothing keeps it, not even a namesake of what it was made for.
    fn has_to_go(&self, made: &Made) -> bool {
        let namesake = |written: &Written| match &made.fact {
            Fact::Balancer { service, cluster, .. } => {
                written.cluster == *cluster && written.service.as_ref().is_some_and(|(known, _)| known == service)
            }
            _ => false,
        };
        made.proven
            && !made.tags.contains_key(tags::PROTECT)
            && !self.is_alive(made)
            && !self.objects.iter().any(namesake)
    }
}

/// The thing as the cloud shows it.
fn seen(made: &Made) -> Thing {
    let created = Some(now() + jiff::SignedDuration::from_secs(made.created));
    match &made.fact {
        Fact::Balancer { host, uid, .. } => {
            let mut balancer = balancer();
            balancer.id = format!("a{}", uid.replace('-', ""));
            balancer.id.truncate(32);
            balancer.name.clone_from(&balancer.id);
            balancer.hostname.clone_from(host);
            (balancer.tags, balancer.created) = (made.tags.clone(), created);
            Thing::Balancer(balancer)
        }
        Fact::Account { name, holds } => {
            let mut holder = account();
            holder.id = holder.id.replace("fabc", name);
            holder.name.clone_from(name);
            holder.maker = match made.tags["maker"].as_str() {
                "" => HolderMaker::Unknown,
                "driver" => HolderMaker::Driver("file.csi.azure.com".to_owned()),
                cluster => HolderMaker::Moorline {
                    cluster: cluster.to_owned(),
                },
            };
            holder.content = if *holds {
                Content::Something("share data".to_owned())
            } else {
                Content::Nothing
            };
            (holder.tags, holder.created) = (made.tags.clone(), created);
            Thing::Account(holder)
        }
        Fact::Snapshot { id, ready, .. } => {
            let mut snapshot = snapshot();
            snapshot.origin = Origin::Snapshot(id.clone());
            (snapshot.ready, snapshot.tags, snapshot.taken) = (*ready, made.tags.clone(), created);
            Thing::Snapshot(Box::new(snapshot))
        }
    }
}

/// What a thing is called by plans.
fn is_of(row: &Row, made: &Made) -> bool {
    match &made.fact {
        Fact::Balancer { uid, .. } => row.resource.id().starts_with(&format!("a{}", &uid[..8])),
        Fact::Account { name, .. } => row.resource.id().ends_with(&format!("/{name}")),
        Fact::Snapshot { id, .. } => row.resource.id() == id,
    }
}

/// What a run cannot read.
#[derive(Clone, Copy)]
struct Blind(u8);

impl Blind {
    fn to_sort(self, sort: Sort) -> bool {
        self.0 & 128 != 0 && Sort::ALL[usize::from(self.0) % 3] == sort
    }

    fn to_kind(self, cluster: u16, kind: Kind) -> bool {
        self.0 & 64 != 0 && u16::from(self.0 & 1) == cluster && Kind::ALL[usize::from(self.0 >> 1) % 6] == kind
    }

    fn to_cluster(self, cluster: u16) -> bool {
        self.0 & 32 != 0 && u16::from(self.0 & 1) == cluster
    }
}

/// Looks at a life: at its clouds first, then at its clusters, while something may happen in between.
fn look(life: &mut Life, policy: &Policy, blind: Blind, meanwhile: Option<Step>) -> Leftovers {
    let mut world = Leftovers::new(policy);
    let scope = world.scope("cloud");
    for made in &life.things {
        match seen(made) {
            Thing::Balancer(balancer) => world.add_balancer(scope, &balancer, Some(18.0)),
            Thing::Group(group) => world.add_target_group(scope, &group),
            Thing::Account(holder) => world.add_holder(scope, &holder),
            Thing::Snapshot(snapshot) => world.add_recoverable(scope, &snapshot, None),
        }
    }
    for sort in Sort::ALL {
        if blind.to_sort(sort) {
            world.sort_failed(scope, sort, "throttled");
        } else {
            world.sort_read(scope, sort, life.now());
        }
    }
    if let Some(step) = meanwhile {
        life.happens(step);
    }
    let wanted: BTreeSet<Kind> = world.wants(life.now());
    for cluster in 0..2_u16 {
        let index = ClusterIndex(cluster);
        if blind.to_cluster(cluster) {
            world.unreachable(index, "no route to host");
            continue;
        }
        world.identify(index, CLUSTERS[usize::from(cluster)].1);
        let kinds = wanted.iter().filter(|kind| !blind.to_kind(cluster, **kind));
        for kind in kinds.clone() {
            let own = life
                .objects
                .iter()
                .filter(|written| written.cluster == usize::from(cluster));
            for written in own.filter(|written| kind.group_and_kind().1 == written.object.gvk().kind) {
                world.add(index, &written.object);
            }
            world.read_whole(index, *kind, life.now());
        }
        for kind in wanted.iter().filter(|kind| blind.to_kind(cluster, **kind)) {
            world.failed(index, *kind, "403 forbidden");
        }
    }
    world
}

/// A run, as the collector makes it.
fn run(life: &mut Life, blind: Blind, meanwhile: [Option<Step>; 2]) -> Result<(), String> {
    let cluster = |(name, uid): &(&str, &str)| NamedCluster {
        name: (*name).to_owned(),
        uid: Some((*uid).to_owned()),
        tag_ids: vec![format!("{name}.example.com")],
    };
    let policy = Policy::of(CLUSTERS[..2].iter().map(cluster));
    let world = look(life, &policy, blind, meanwhile[0]);
    let clock = Clock { now: life.now() };
    let rows = plan(&world, &policy, Grace::default(), clock, "run-1").rows;
    for row in &rows {
        let Some(made) = life.things.iter_mut().find(|made| is_of(row, made)) else {
            continue;
        };
        match &row.action {
            Action::Mark(text) => _ = made.tags.insert(tags::UNUSED.to_owned(), text.clone()),
            Action::Unmark => _ = made.tags.remove(tags::UNUSED),
            Action::Keep(_) | Action::Delete => {}
        }
    }
    if let Some(step) = meanwhile[1] {
        life.happens(step);
    }
    for row in rows.iter().filter(|row| row.action == Action::Delete) {
        let world = look(life, &policy, blind, None);
        let clock = Clock { now: life.now() };
        if second_look(row, &world, (&policy, Grace::default()), clock, "run-1").is_err() {
            continue;
        }
        let found = life.things.iter().position(|made| is_of(row, made));
        let made = found
            .map(|index| life.things.remove(index))
            .ok_or("what is not there was deleted")?;
        let why = || format!("{made:#?} was deleted because {}: {life:#?}", row.why);
        if life.is_alive(&made) {
            return Err(format!("alive: {}", why()));
        }
        if !made.proven || made.tags.contains_key(tags::PROTECT) {
            return Err(format!("unproven or protected: {}", why()));
        }
        life.deleted += 1;
    }
    Ok(())
}

fn play(script: &[Step]) -> Result<u32, String> {
    let mut life = Life::default();
    for (number, step) in script.iter().enumerate() {
        if number % 4 == 3 {
            let next = |by: usize| script.get(number + by).copied().filter(|_| step.1 & 1 == 0);
            run(&mut life, Blind(step.2), [next(1), next(2)])?;
        } else {
            life.happens(*step);
        }
    }
    // Snapshots expire, grace passes, and everything can be read.
    let fair = Blind(0);
    life.clock += 300 * 3_600;
    run(&mut life, fair, [None, None])?;
    life.clock += 8 * 24 * 3_600;
    run(&mut life, fair, [None, None])?;
    match life.things.iter().find(|made| life.has_to_go(made)) {
        Some(left) => Err(format!("{left:#?} is still there: {life:#?}")),
        None => Ok(life.deleted),
    }
}

#[test]
fn no_live_or_unproven_leftover_is_deleted_and_every_provable_one_goes() {
    let cases = std::env::var("MOORLINE_LEFTOVER_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let deleted = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&vec(any::<Step>(), 1..40), |script| {
        let count = play(&script).map_err(TestCaseError::fail)?;
        deleted.set(deleted.get() + count);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    println!("{} deletions in {cases} lives", deleted.get());
    assert!(deleted.get() > cases, "{} deletions in {cases} lives", deleted.get());
}
