//! A `gc --apply` that dies between any two calls: the next run finishes what it began, the history is complete, nothing is deleted
//! twice or lost, and what is alive stays.
//!
//! A world full of what may go is made once and copied for each case.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kill::Kill;
use crate::live::Live;
use crate::support::{Run, World, eventually, profile, set};

/// A world in which much is past its grace, and what is to be left of it.
pub struct Heap {
    /// The first part of its cases' names.
    pub name: &'static str,
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
    /// What a look says then: 4 where accounts that are empty now come next.
    next: i32,
}

/// What a second run has to come to, whatever happened to the first.
impl Heap {
    /// The kills that an undisturbed run allows.
    pub fn kills(&self) -> Vec<Kill> {
        let live = self.copied();
        live.reset_audit();
        let report = self.gc(&live, "--apply -o json").succeeds().json();
        assert_eq!(report["saved"]["count"], self.doomed, "{}", brief(&report));
        let kills = Kill::all(&live.audit());
        self.is_clean(&live, &report);
        kills
    }

    /// Kills a run there, once more where there is a second kill, and runs again when the lease of the dead is over. Whether the first
    /// kill struck.
    pub fn play(&self, kill: &Kill, second: Option<&Kill>) -> bool {
        let live = self.copied();
        let command = self.command(&live, "--apply");
        let struck = kill.strike(&live, &command).is_some();
        if let Some(another) = second {
            lease_is_over(&live.world);
            another.strike(&live, &command);
        }
        lease_is_over(&live.world);
        controllers_catch_up(&live);
        let run = self.gc(&live, "--apply -o json");
        let report = run.json();
        assert_eq!(run.code, Some(0), "{} {}", run.stderr, brief(&report));
        self.is_clean(&live, &report);
        struck
    }

    fn copied(&self) -> Live {
        Live::of_copy(&self.world)
    }

    fn gc(&self, live: &Live, options: &str) -> Run {
        live.run(&self.command(live, options))
    }

    fn command(&self, live: &Live, options: &str) -> String {
        let policy = live.world.write("gc.yaml", &self.policy).join("gc.yaml");
        format!("gc {options} --policy {} --sandbox", policy.display())
    }

    fn is_clean(&self, live: &Live, report: &Value) {
        let state = live.state();
        assert_eq!(volumes(&state), self.alive, "volumes");
        for kind in ["persistentvolumeclaims", "persistentvolumes"] {
            let left = state["objects"][kind].as_u64().unwrap_or_default();
            assert_eq!(left, self.objects, "{kind}");
        }
        assert_eq!(
            state["snapshots"].as_array().unwrap().len(),
            self.snapshots,
            "snapshots"
        );
        assert_eq!(state["load_balancers"], json!([]));
        let accounts = state["storage_accounts"].as_array().unwrap().len();
        assert_eq!(accounts, self.accounts, "accounts");
        let text = state.to_string();
        let mut marks = vec!["moorline.dev/unused", "moorline_unused"];
        if self.next == 0 {
            // No account was marked because the dead run had emptied it.
            marks.push("moorline-unused");
        }
        assert!(!marks.iter().any(|mark| text.contains(mark)), "a mark is left: {text}");
        // Nothing is unused any more, and each thing was counted once, by one run or the other.
        self.gc(live, "--detailed-exitcode").exits(self.next);
        let history = self.gc(live, "history -o json").succeeds().json();
        let runs = history.as_array().unwrap();
        let saved: u64 = runs.iter().map(|run| run["saved"]["count"].as_u64().unwrap()).sum();
        assert_eq!(saved, self.saved_before + self.doomed as u64, "{history}");
        let newest = runs.iter().find(|run| run["run"] == report["run"]).unwrap();
        assert_eq!(newest["open"], json!([]));
        assert_eq!(newest["openLeftovers"], json!([]));
        assert!(newest["finished"].is_string());
        self.every_deletion_is_told(runs);
    }

    /// Each volume that is gone has a beginning, and one end that counts.
    fn every_deletion_is_told(&self, runs: &[Value]) {
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
        assert_eq!(counted.len(), once.len(), "counted twice: {counted:?}");
        assert_eq!(begun, once, "begun and ended");
        assert!(once.iter().all(|volume| !self.alive.contains(*volume)));
    }
}

/// The ids of all volumes of a sandbox, of every sort.
fn volumes(state: &Value) -> BTreeSet<String> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    let of = |sort: &str| state[sort].as_array().unwrap().clone();
    let disks = of("volumes").into_iter().map(|volume| text(&volume, "id"));
    let shares = of("shares").into_iter();
    let shares = shares.map(|share| format!("{}.file/{}", text(&share, "account"), text(&share, "name")));
    let containers = of("containers").into_iter();
    let containers = containers.map(|one| format!("{}.blob/{}", text(&one, "account"), text(&one, "name")));
    disks.chain(shares).chain(containers).collect()
}

/// Gives back the lease of who was killed, as time would; that runs wait for it is another test's.
pub fn lease_is_over(world: &World) {
    let file = world.path().join("runs/gc/lease.json");
    // Before the first run there is none.
    if let Ok(lease) = std::fs::read_to_string(&file) {
        std::fs::write(&file, lease.replace("\"released\": false", "\"released\": true")).unwrap();
    }
}

/// A claim that was deleted goes, its PersistentVolume is Released soon after, and until then nobody knows what to make of it.
fn controllers_catch_up(live: &Live) {
    eventually(
        "claims are gone, and PersistentVolumes without one are released",
        || {
            let claims = live.served.get(CLAIMS);
            let claims = claims["items"].as_array().unwrap();
            let leaving = |claim: &Value| claim["metadata"]["deletionTimestamp"].is_string();
            let uids: BTreeSet<&str> = claims.iter().filter_map(uid).collect();
            let pvs = live.served.get(PVS);
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

/// As `kubectl delete` does, and waits until it is gone.
fn delete(live: &Live, listing: &str, name: &str) {
    live.served.delete(&format!("{listing}/{name}"));
    let named = |object: &Value| object["metadata"]["name"] == name;
    eventually("it is gone", || {
        !live.served.get(listing)["items"].as_array().unwrap().iter().any(named)
    });
}

/// Seconds.
const HOUR: i64 = 60 * 60;

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const PVS: &str = "/api/v1/persistentvolumes";

fn without_set(live: &Live, name: &str) {
    delete(live, SETS, name);
    eventually("nothing of it is attached", || {
        let pods = live.served.get("/api/v1/namespaces/default/pods");
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
fn stocked(name: &'static str, csi: bool, policy: String, up: impl Fn(&Live, &str, u32), ago: i64) -> (Heap, Live) {
    let world = World::instant();
    world.configure(|settings| settings["controllers"]["csi"] = csi.into());
    std::fs::create_dir_all(world.path().join("runs")).unwrap();
    let live = Live::of(world);
    for (name, replicas) in STOCK {
        up(&live, name, replicas);
    }
    let heap = Heap {
        name,
        world: World::realistic(),
        policy,
        doomed: 0,
        alive: BTreeSet::new(),
        objects: 3,
        snapshots: 0,
        accounts: 0,
        saved_before: 1,
        next: 0,
    };
    without_set(&live, "early");
    heap.gc(&live, "--apply").succeeds();
    live.advance(2 * HOUR);
    let early = heap.gc(&live, "--apply -o json").succeeds().json();
    assert_eq!(early["saved"]["count"], 1, "{early}");
    live.advance(ago);
    (heap, live)
}

/// Leaves a set alive and scaled down, the claims of two, the PersistentVolume of one and the volume of one.
fn neglect(live: &Live, csi: bool) {
    live.served
        .merge(&format!("{SETS}/alive"), &json!({"spec": {"replicas": 1}}));
    for name in ["left", "released", "lost"] {
        without_set(live, name);
    }
    let found = live.served.get(&format!("{CLAIMS}/data-lost-0"));
    let pv = found["spec"]["volumeName"].as_str().unwrap();
    if csi {
        // The driver would be faster than this test.
        let retain = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        live.served.merge(&format!("{PVS}/{pv}"), &retain);
    } else {
        delete(live, CLAIMS, "data-released-0");
    }
    delete(live, CLAIMS, "data-lost-0");
    delete(live, PVS, pv);
    eventually("the set is scaled down", || {
        live.served.get(&format!("{SETS}/alive"))["status"]["replicas"] == 1
    });
}

impl Heap {
    /// Marks all that, and lets its grace pass; `beside` is how much there is that is no volume.
    fn ripe(mut self, live: Live, beside: usize) -> Self {
        // A mark counts for what was there when it was set, and clouds tell the time in whole seconds.
        live.advance(60);
        let marked = self.gc(&live, "--apply -o json").succeeds().json();
        assert_eq!(marked["saved"]["count"], 0, "{marked}");
        live.advance(25 * HOUR);
        let all = volumes(&live.state());
        let due = self.gc(&live, "-o json").succeeds().json();
        let going = due["plan"]["deletions"].as_array().unwrap().iter();
        let going: BTreeSet<String> = going
            .map(|deletion| deletion["volume"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(going.len(), 4, "{due}");
        self.alive = all.difference(&going).cloned().collect();
        assert_eq!(self.alive.len(), 3, "{due}");
        self.doomed = going.len() + beside;
        self.world = live.rest();
        self
    }
}

/// Whatever an AWS account can have: volumes left behind, released and without a pointer, each to be snapshotted first; a load
/// balancer without its Service; a snapshot past its expiry. And a set that lives, beside one scaled down.
pub fn aws_heap(csi: bool) -> Heap {
    let policy = "scopes: [{aws: {regions: [us-east-1]}}]\nclusters: [{context: moorline-sandbox}]\nstore: runs\n\
        grace: {leftBehind: 1h, released: 1h, orphan: 1h, loadBalancer: 1h}\nsnapshotFirst: {disk: 24h}\n";
    let up = |live: &Live, name: &str, replicas| {
        live.world.write(&format!("{name}/set.yaml"), &set(name, replicas));
        let folder = live.world.write(&format!("{name}/profile.yaml"), &profile(name));
        live.run(&format!("up {} --sandbox", folder.display())).succeeds();
    };
    let name = if csi { "gc-csi" } else { "gc-ebs" };
    let (mut heap, live) = stocked(name, csi, policy.to_owned(), up, HOUR);
    live.run("up profiles/aws-nginx --sandbox").succeeds();
    // No controller takes the load balancer away any more.
    live.world
        .configure(|settings| settings["controllers"]["load_balancer_millis"] = json!(1_000_000_000_000_u64));
    neglect(&live, csi);
    let services = live.served.get(SERVICES);
    let mut services = services["items"].as_array().unwrap().iter();
    let balanced = services
        .find(|service| service["spec"]["type"] == "LoadBalancer")
        .unwrap();
    let service = format!("{SERVICES}/{}", balanced["metadata"]["name"].as_str().unwrap());
    live.served.delete(&service);
    live.served.merge(&service, &json!({"metadata": {"finalizers": null}}));
    // The early volume's snapshot goes, and each of the others leaves one.
    heap.snapshots = 4;
    heap.ripe(live, 2)
}

/// The same of an Azure subscription: shares or containers, and a storage account that holds nothing since its only one is gone for good.
pub fn azure_heap(name: &'static str, provisioner: &str) -> Heap {
    let policy = "scopes: [{azure: {subscription: 22222222-bbbb-4000-8000-000000000001}}]\n\
        clusters: [{context: moorline-sandbox}]\nstore: runs\n\
        grace: {leftBehind: 1h, released: 1h, orphan: 1h, storageAccount: 1h}\n";
    let up = |live: &Live, name: &str, replicas| {
        let sku = if name == "early" {
            "Standard_GRS"
        } else {
            "Standard_LRS"
        };
        let manifests = set(name, replicas)
            .replace("ebs.csi.aws.com", provisioner)
            .replace("type: gp3", &format!("skuName: {sku}"))
            .replace("ReadWriteOnce", "ReadWriteMany");
        live.world.write(&format!("{name}/set.yaml"), &manifests);
        let text = format!("name: {name}\nprovider:\n  azure: {{}}\n");
        let folder = live.world.write(&format!("{name}/profile.yaml"), &text);
        live.run(&format!("up {} --sandbox", folder.display())).succeeds();
    };
    let (mut heap, live) = stocked(name, false, policy.to_owned(), up, 720 * HOUR);
    neglect(&live, false);
    let accounts = live.state()["storage_accounts"].as_array().unwrap().len();
    heap.accounts = accounts - 1;
    // A share is still in its account for a while after it was deleted; a container is not.
    heap.next = if provisioner == "blob.csi.azure.com" { 4 } else { 0 };
    heap.ripe(live, 1)
}
