//! A `gc --apply` that dies between any two calls: the next run finishes what it began, the history is complete, nothing is deleted
//! twice or lost, and what is alive stays.
//!
//! A world full of what may go is made once and copied for each case. In one copy a run goes undisturbed and tells which calls it
//! makes; in each of the others the process is killed right before or right after one of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Served, World, eventually, profile, set};

/// Kills at every call that changes something instead of at some of them; `MOORLINE_GC_KILLS=all`. CI does.
const ALL: &str = "MOORLINE_GC_KILLS";
/// So many cases are played without it.
const SAMPLE: usize = 12;
/// Cases at once.
const AT_ONCE: usize = 2;

/// Where in a run the process dies.
#[derive(Clone, Debug)]
struct Kill {
    service: String,
    operation: String,
    /// How many of these calls go well before.
    skip: u64,
    moment: &'static str,
}

/// A world in which much is past its grace, and what is to be left of it.
struct Heap {
    world: World,
    policy: String,
    /// How many things are to go: volumes, load balancers, snapshots.
    doomed: usize,
    /// The ids of the volumes that are used, or may be.
    alive: BTreeSet<String>,
    /// How many claims and PersistentVolumes they have.
    objects: u64,
    /// How many snapshots there are at the end.
    snapshots: usize,
    /// How many storage accounts there are at the end.
    accounts: usize,
    /// What earlier runs have deleted.
    saved_before: u64,
}

/// What a second run has to come to, whatever happened to the first.
impl Heap {
    fn gc(&self, world: &World, line: &str) -> crate::support::Run {
        let policy = world.write("gc.yaml", &self.policy).join("gc.yaml");
        world.run(&format!("gc {line} --policy {} --sandbox", policy.display()))
    }

    /// The calls that change something in an undisturbed run, each before and after, in order of service and operation.
    fn kills(&self) -> Vec<Kill> {
        let world = self.world.copied();
        world.reset_audit();
        let report = self.gc(&world, "--apply -o json").succeeds().json();
        assert_eq!(report["saved"]["count"], self.doomed, "{}", brief(&report));
        self.is_clean(&world, &report, "undisturbed");
        let audit = world.run("sandbox audit -o json").succeeds().json();
        let rows = audit.as_array().unwrap().iter();
        let changing = rows.filter(|row| row["changed"].as_u64().unwrap() > 0);
        let kills = changing.flat_map(|row| {
            let calls = 0..row["calls"].as_u64().unwrap();
            calls.flat_map(move |skip| {
                ["before", "after"].map(|moment| Kill {
                    service: row["service"].as_str().unwrap().to_owned(),
                    operation: row["operation"].as_str().unwrap().to_owned(),
                    skip,
                    moment,
                })
            })
        });
        kills.collect()
    }

    /// Kills a run there.
    fn killed(&self, kill: &Kill) -> World {
        let world = self.world.copied();
        let Kill {
            service,
            operation,
            skip,
            moment,
        } = kill;
        world.fault(
            &json!({"service": service, "operation": operation, "moment": moment, "skip": skip, "times": 1,
            "effect": "abort"}),
        );
        let run = self.gc(&world, "--apply");
        assert_eq!(run.code, None, "{kill:?} did not strike: {}", run.stderr);
        world
    }

    /// Runs again when the lease of the dead is over, and looks at what is left.
    fn finished(&self, kill: &Kill, world: &World) {
        lease_is_over(world);
        controllers_catch_up(world);
        let run = self.gc(world, "--apply -o json");
        let report = run.json();
        assert_eq!(run.code, Some(0), "{kill:?}: {} {}", run.stderr, brief(&report));
        self.is_clean(world, &report, &format!("{kill:?}"));
    }

    fn is_clean(&self, world: &World, report: &Value, case: &str) {
        let state = world.state();
        assert_eq!(volumes(&state), self.alive, "{case}: volumes");
        for kind in ["persistentvolumeclaims", "persistentvolumes"] {
            let left = state["objects"][kind].as_u64().unwrap_or_default();
            assert_eq!(left, self.objects, "{case}: {kind}");
        }
        assert_eq!(
            state["snapshots"].as_array().unwrap().len(),
            self.snapshots,
            "{case}: snapshots"
        );
        assert_eq!(state["load_balancers"], json!([]), "{case}");
        let accounts = state["storage_accounts"].as_array().unwrap().len();
        assert_eq!(accounts, self.accounts, "{case}: accounts");
        let text = state.to_string();
        assert!(!text.contains("moorline.dev/unused"), "{case}: a mark is left: {text}");
        // Nothing is unused any more, and each thing was counted once, by one run or the other.
        self.gc(world, "--detailed-exitcode").succeeds();
        let history = self.gc(world, "history -o json").succeeds().json();
        let runs = history.as_array().unwrap();
        let saved: u64 = runs.iter().map(|run| run["saved"]["count"].as_u64().unwrap()).sum();
        assert_eq!(saved, self.saved_before + self.doomed as u64, "{case}: {history}");
        let newest = runs.iter().find(|run| run["run"] == report["run"]).unwrap();
        assert_eq!(newest["open"], json!([]), "{case}");
        assert_eq!(newest["openLeftovers"], json!([]), "{case}");
        assert!(newest["finished"].is_string(), "{case}");
        self.every_deletion_is_told(runs, case);
    }

    /// Each volume that is gone has a beginning, and one end that counts.
    fn every_deletion_is_told(&self, runs: &[Value], case: &str) {
        let lines: Vec<&Value> = runs.iter().flat_map(|run| run["lines"].as_array().unwrap()).collect();
        let of = |line: &str| {
            lines
                .iter()
                .copied()
                .filter(move |one| one["line"] == line)
                .collect::<Vec<_>>()
        };
        let begun: BTreeSet<&str> = of("begin").iter().filter_map(|line| line["volume"].as_str()).collect();
        let counted: Vec<&str> = of("end")
            .iter()
            .filter(|line| line["confirmed"] == true)
            .filter_map(|line| line["volume"].as_str())
            .collect();
        let once: BTreeSet<&str> = counted.iter().copied().collect();
        assert_eq!(counted.len(), once.len(), "{case}: counted twice: {counted:?}");
        assert_eq!(begun, once, "{case}: begun and ended");
        assert!(once.iter().all(|volume| !self.alive.contains(*volume)), "{case}");
    }
}

/// The ids of all volumes of a sandbox, of every sort.
fn volumes(state: &Value) -> BTreeSet<String> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    let of = |sort: &str| state[sort].as_array().unwrap().clone();
    let disks = of("volumes").into_iter().map(|volume| text(&volume, "id"));
    let shares = of("shares").into_iter();
    let shares = shares.map(|share| format!("{}.file/{}", text(&share, "account"), text(&share, "name")));
    disks.chain(shares).collect()
}

/// Gives back the lease of who was killed, as time would; that runs wait for it is another test's.
fn lease_is_over(world: &World) {
    let file = world.path().join("runs/gc/lease.json");
    let lease = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, lease.replace("\"released\": false", "\"released\": true")).unwrap();
}

/// Here the cluster died with the run. Elsewhere its controllers work on: a claim that was deleted goes, its PersistentVolume is Released
/// soon after, and until then nobody knows what to make of it.
fn controllers_catch_up(world: &World) {
    let served = world.serve();
    eventually(
        "claims are gone, and PersistentVolumes without one are released",
        || {
            let claims = served.get(CLAIMS);
            let claims = claims["items"].as_array().unwrap();
            let leaving = |claim: &Value| claim["metadata"]["deletionTimestamp"].is_string();
            let uids: BTreeSet<&str> = claims.iter().filter_map(uid).collect();
            let pvs = served.get(PVS);
            let settled = |pv: &Value| {
                let claimed = pv["spec"]["claimRef"]["uid"]
                    .as_str()
                    .is_some_and(|uid| uids.contains(uid));
                claimed || pv["status"]["phase"] != "Bound"
            };
            !claims.iter().any(leaving) && pvs["items"].as_array().unwrap().iter().all(settled)
        },
    );
}

fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}

/// What a report comes to, for messages.
fn brief(report: &Value) -> String {
    let plan = &report["plan"];
    let early = &report["endedEarly"];
    format!(
        "{early} {} {} {} {}",
        plan["gaps"], plan["kept"], report["done"], report["leftovers"]
    )
}

/// Plays all cases, or a sample of them that has every operation and both moments.
#[expect(clippy::print_stdout, reason = "a run says how many cases it tried")]
fn every_kill_is_survived(heap: &Heap) {
    let all = heap.kills();
    let chosen: Vec<Kill> = if std::env::var(ALL).is_ok_and(|value| value == "all") {
        all.clone()
    } else {
        sample(&all)
    };
    at_once(&chosen, |kill| heap.finished(kill, &heap.killed(kill)));
    println!("{} of {} kills were played", chosen.len(), all.len());
    assert!(!chosen.is_empty());
}

/// Every operation once before and once after, as evenly among its calls as can be.
fn sample(all: &[Kill]) -> Vec<Kill> {
    let operations: BTreeSet<(&str, &str)> = all.iter().map(|kill| (&*kill.service, &*kill.operation)).collect();
    let mut chosen = Vec::new();
    for (nth, (service, operation)) in operations.iter().enumerate() {
        for (way, moment) in ["before", "after"].into_iter().enumerate() {
            let of = |kill: &&Kill| kill.service == *service && kill.operation == *operation && kill.moment == moment;
            let calls: Vec<&Kill> = all.iter().filter(of).collect();
            chosen.push(calls[(nth + way) % calls.len()].clone());
        }
    }
    let step = chosen.len().div_ceil(SAMPLE);
    chosen.into_iter().step_by(step.max(1)).collect()
}

fn at_once<T: Sync>(cases: &[T], play: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    play(case);
                }
            });
        }
    });
}

/// As `kubectl delete` does, and waits until it is gone.
fn delete(served: &Served, listing: &str, name: &str) {
    served.delete(&format!("{listing}/{name}"));
    let named = |object: &Value| object["metadata"]["name"] == name;
    eventually("it is gone", || {
        !served.get(listing)["items"].as_array().unwrap().iter().any(named)
    });
}

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const PVS: &str = "/api/v1/persistentvolumes";

fn without_set(served: &Served, name: &str) {
    delete(served, SETS, name);
    eventually("nothing of it is attached", || {
        let pods = served.get("/api/v1/namespaces/default/pods");
        let of = |pod: &Value| {
            pod["metadata"]["name"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{name}-"))
        };
        !pods["items"].as_array().unwrap().iter().any(of)
    });
}

/// Sets by name and replicas. The first loses its volume early, so that it leaves something else behind when the others go.
const STOCK: [(&str, u32); 5] = [("early", 1), ("alive", 3), ("left", 2), ("released", 1), ("lost", 1)];

/// A world with these sets, brought up by a function; the volume of the first is gone, and so long ago.
fn stocked(csi: bool, policy: String, up: impl Fn(&World, &str, u32), ago: &str) -> Heap {
    let world = World::instant();
    world.configure(|settings| settings["controllers"]["csi"] = csi.into());
    std::fs::create_dir_all(world.path().join("runs")).unwrap();
    for (name, replicas) in STOCK {
        up(&world, name, replicas);
    }
    let heap = Heap {
        world,
        policy,
        doomed: 0,
        alive: BTreeSet::new(),
        objects: 3,
        snapshots: 0,
        accounts: 0,
        saved_before: 1,
    };
    let world = &heap.world;
    without_set(&world.serve(), "early");
    heap.gc(world, "--apply").succeeds();
    world.run("sandbox clock advance 2h").succeeds();
    let early = heap.gc(world, "--apply -o json").succeeds().json();
    assert_eq!(early["saved"]["count"], 1, "{early}");
    world.run(&format!("sandbox clock advance {ago}")).succeeds();
    heap
}

/// Leaves a set alive and scaled down, the claims of two, the PersistentVolume of one and the volume of one.
fn neglect(served: &Served, csi: bool) {
    served.merge(&format!("{SETS}/alive"), &json!({"spec": {"replicas": 1}}));
    for name in ["left", "released", "lost"] {
        without_set(served, name);
    }
    let found = served.get(&format!("{CLAIMS}/data-lost-0"));
    let pv = found["spec"]["volumeName"].as_str().unwrap();
    if csi {
        // The driver would be faster than this test.
        let retain = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        served.merge(&format!("{PVS}/{pv}"), &retain);
    } else {
        delete(served, CLAIMS, "data-released-0");
    }
    delete(served, CLAIMS, "data-lost-0");
    delete(served, PVS, pv);
    eventually("the set is scaled down", || {
        served.get(&format!("{SETS}/alive"))["status"]["replicas"] == 1
    });
}

impl Heap {
    /// Marks all that, and lets its grace pass; `beside` is how much there is that is no volume.
    fn ripe(mut self, beside: usize) -> Self {
        // A mark counts for what was there when it was set, and clouds tell the time in whole seconds.
        self.world.run("sandbox clock advance 1m").succeeds();
        let marked = self.gc(&self.world, "--apply -o json").succeeds().json();
        assert_eq!(marked["saved"]["count"], 0, "{marked}");
        self.world.run("sandbox clock advance 25h").succeeds();
        let all = volumes(&self.world.state());
        let due = self.gc(&self.world, "-o json").succeeds().json();
        let going = due["plan"]["deletions"].as_array().unwrap().iter();
        let going: BTreeSet<String> = going
            .map(|deletion| deletion["volume"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(going.len(), 4, "{due}");
        self.alive = all.difference(&going).cloned().collect();
        assert_eq!(self.alive.len(), 3, "{due}");
        self.doomed = going.len() + beside;
        self
    }
}

/// Whatever an AWS account can have: volumes left behind, released and without a pointer, each to be snapshotted first; a load
/// balancer without its Service; a snapshot past its expiry. And a set that lives, beside one scaled down.
fn aws_heap(csi: bool) -> Heap {
    let policy = "scopes: [{aws: {regions: [us-east-1]}}]\nclusters: [{context: moorline-sandbox}]\nstore: runs\n\
        grace: {leftBehind: 1h, released: 1h, orphan: 1h, loadBalancer: 1h}\nsnapshotFirst: {disk: 24h}\n";
    let up = |world: &World, name: &str, replicas| {
        world.write(&format!("{name}/set.yaml"), &set(name, replicas));
        let folder = world.write(&format!("{name}/profile.yaml"), &profile(name));
        world.run(&format!("up {} --sandbox", folder.display())).succeeds();
    };
    let mut heap = stocked(csi, policy.to_owned(), up, "1h");
    let world = &heap.world;
    world.run("up profiles/aws-nginx --sandbox").succeeds();
    // No controller takes the load balancer away any more.
    world.configure(|settings| settings["controllers"]["load_balancer_millis"] = json!(1_000_000_000_000_u64));
    let served = world.serve();
    neglect(&served, csi);
    let services = served.get(SERVICES);
    let mut services = services["items"].as_array().unwrap().iter();
    let balanced = services
        .find(|service| service["spec"]["type"] == "LoadBalancer")
        .unwrap();
    let service = format!("{SERVICES}/{}", balanced["metadata"]["name"].as_str().unwrap());
    served.delete(&service);
    served.merge(&service, &json!({"metadata": {"finalizers": null}}));
    drop(served);
    // The early volume's snapshot goes, and each of the others leaves one.
    heap.snapshots = 4;
    heap.ripe(2)
}

/// The same of an Azure subscription: shares, and a storage account that holds nothing since its only share is gone for good.
fn azure_heap(csi: bool) -> Heap {
    let policy = "scopes: [{azure: {subscription: 22222222-bbbb-4000-8000-000000000001}}]\n\
        clusters: [{context: moorline-sandbox}]\nstore: runs\n\
        grace: {leftBehind: 1h, released: 1h, orphan: 1h, storageAccount: 1h}\n";
    let up = |world: &World, name: &str, replicas| {
        let sku = if name == "early" {
            "Standard_GRS"
        } else {
            "Standard_LRS"
        };
        let manifests = set(name, replicas)
            .replace("ebs.csi.aws.com", "file.csi.azure.com")
            .replace("type: gp3", &format!("skuName: {sku}"))
            .replace("ReadWriteOnce", "ReadWriteMany");
        world.write(&format!("{name}/set.yaml"), &manifests);
        let text = format!("name: {name}\nprovider:\n  azure: {{}}\n");
        let folder = world.write(&format!("{name}/profile.yaml"), &text);
        world.run(&format!("up {} --sandbox", folder.display())).succeeds();
    };
    let mut heap = stocked(csi, policy.to_owned(), up, "720h");
    neglect(&heap.world.serve(), csi);
    let accounts = heap.world.state()["storage_accounts"].as_array().unwrap().len();
    heap.accounts = accounts - 1;
    heap.ripe(1)
}

#[test]
fn a_run_killed_at_any_call_to_aws_is_finished_by_the_next() {
    every_kill_is_survived(&aws_heap(false));
}

#[test]
fn a_run_killed_at_any_call_to_azure_is_finished_by_the_next() {
    every_kill_is_survived(&azure_heap(false));
}

#[test]
fn a_run_killed_while_a_driver_deletes_beside_it_is_finished_by_the_next() {
    every_kill_is_survived(&aws_heap(true));
}
