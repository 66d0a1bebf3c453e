//! The soak: lives of random commands and users, with calls that fail by chance, processes that are killed, and a clock that moves. Whatever
//! happened, nothing that is wanted was lost meanwhile, and at the end clouds and cluster hold exactly what they should.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::crash::facts::{Facts, list, pointers};
use crate::crash::gc::lease_is_over;
use crate::crash::table::TABLE;
use crate::live::Live;
use crate::plays;
use crate::support::{World, eventually};

/// How many lives are played.
const LIVES: &str = "MOORLINE_SOAK_LIVES";
/// So many without it.
const FEW: u64 = 4;
/// What happens in a life before its end.
const ACTS: usize = 10;
/// How many of a hundred calls fail while a command runs: at the higher rate few commands come to their end, and what others left half done
/// is found by those of the lower one.
const FAILING: [u8; 2] = [4, 30];
const HOUR: i64 = 60 * 60;

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const PODS: &str = "/api/v1/namespaces/default/pods";
const PVS: &str = "/api/v1/persistentvolumes";

/// One life.
struct Life {
    live: Live,
    random: fastrand::Rng,
    /// What happened so far, for messages.
    story: Vec<String>,
    /// How often a command succeeded, failed, was killed.
    came_to: [usize; 3],
}

/// What holds what a claim keeps: its name and, where it is bound, its volume's handle.
type Held = BTreeMap<String, (String, String)>;

impl Life {
    fn new(number: u64) -> Self {
        let mut random = plays::random(&format!("soak/{number}"));
        let rows = ["up-ebs", "up-files", "up-blobs", "down-snapshot-ebs"];
        let name = rows[random.usize(..rows.len())];
        let row = TABLE.iter().find(|row| row.name == name).unwrap();
        let world = World::instant();
        let driver = random.bool();
        world.configure(|settings| settings["controllers"]["csi"] = driver.into());
        world.write("web/set.yaml", &row.manifests());
        world.write("web/profile.yaml", &row.profile());
        world.write("gc.yaml", &crate::crash::scene::policy(row));
        std::fs::create_dir_all(world.path().join("runs")).unwrap();
        Self {
            live: Live::of(world),
            random,
            story: vec![format!("{}, driver {driver}", row.name)],
            came_to: [0; 3],
        }
    }

    fn act(&mut self) {
        let folder = self.folder();
        match self.random.u32(..12) {
            0..=3 => self.command(&format!("up {folder} --yes"), true),
            4..=5 => {
                let replicas = self.random.u32(..4);
                self.command(&format!("scale {folder} web --replicas {replicas} --yes"), true);
            }
            6 => self.command(&format!("down {folder} --yes"), false),
            7 => self.collect(),
            8 => {
                let minutes = self.random.i64(1..180);
                self.story.push(format!("{minutes} minutes pass"));
                self.live.advance(minutes * 60);
            }
            9 => self.restore(),
            10 => self.deletes(PODS),
            _ => self.deletes(SETS),
        }
    }

    fn folder(&self) -> String {
        self.live.world.path().join("web").display().to_string()
    }

    fn collect(&mut self) {
        lease_is_over(&self.live.world);
        let wanted = self.live.served.get(SETS);
        let is_there = list(&wanted["items"])
            .iter()
            .any(|set| set["metadata"]["deletionTimestamp"].is_null());
        let policy = self.live.world.path().join("gc.yaml");
        self.command(&format!("gc --apply --policy {}", policy.display()), is_there);
    }

    /// Brings back what can be, where something can.
    fn restore(&mut self) {
        let listed = self.live.run("restore --list --sandbox -o json").succeeds().json();
        let found = list(&listed);
        if found.is_empty() {
            return;
        }
        let one = &found[self.random.usize(..found.len())];
        let origin = one["origin"]["snapshot"].as_str().or(one["volume"].as_str()).unwrap();
        self.command(&format!("restore {origin} {}", self.folder()), true);
    }

    /// As `kubectl delete`, of one of them.
    fn deletes(&mut self, listing: &str) {
        let found = self.live.served.get(listing);
        let found = list(&found["items"]);
        if found.is_empty() {
            return;
        }
        let name = found[self.random.usize(..found.len())]["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        self.story.push(format!("a user deletes {listing}/{name}"));
        self.live.delete_if_there(&format!("{listing}/{name}"));
    }

    /// Runs a command while calls fail, and perhaps kills it. What claims held before they hold afterwards, where `keeps`.
    fn command(&mut self, command: &str, keeps: bool) {
        let held = if keeps { held(&self.live) } else { Held::new() };
        let seed = self.random.u64(..1_000_000);
        let accidents = json!(["reset", "cut", "garbled",
            {"error": {"status": 500, "code": "InternalError", "message": "made to fail", "retry_after": null}},
            {"error": {"status": 503, "code": "ServiceUnavailable", "message": "made to fail", "retry_after": null}}]);
        let percent = FAILING[self.random.usize(..FAILING.len())] / 2;
        for moment in ["before", "after"] {
            self.live
                .fault(&json!({"service": "*", "operation": "*", "moment": moment,
                "effect": {"chance": {"percent": percent, "seed": seed, "of": accidents}}}));
        }
        let command = format!("{command} --timeout 10s --sandbox");
        let run = if self.random.u32(..3) == 0 {
            let (skip, moment) = (
                self.random.u64(..90),
                if self.random.bool() { "before" } else { "after" },
            );
            self.live.run_under(&command, |process| {
                json!({"service": "*", "operation": "*", "moment": moment, "skip": skip, "times": 1, "effect": {"kill": process}})
            })
        } else {
            self.live.run(&command)
        };
        self.live.clear_faults();
        self.story.push(format!("{command}: {:?}", run.code));
        let which = match run.code {
            Some(0) => 0,
            Some(_) => 1,
            None => 2,
        };
        self.came_to[which] += 1;
        let story = self.story.join("\n");
        assert!(
            matches!(run.code, None | Some(0 | 1 | 3 | 5 | 6)),
            "{story}\n{}",
            run.stderr
        );
        assert!(!run.stderr.contains("panicked"), "{story}\n{}", run.stderr);
        let volumes = Facts::of(&self.live).volumes;
        let now = there(&self.live);
        for (uid, (name, handle)) in &held {
            let is_there = volumes.iter().any(|id| id.split('/').all(|part| handle.contains(part)));
            assert!(
                is_there,
                "{story}\nthe volume {handle} of claim {name} is lost: {}",
                run.stderr
            );
            assert!(now.contains(uid), "{story}\nclaim {name} is lost: {}", run.stderr);
        }
    }

    /// A calm day: up, garbage past its grace goes, and all is as it should be.
    fn ends(&mut self) {
        self.comes_to_rest();
        let folder = self.folder();
        self.restores_what_was_begun();
        self.calmly(&format!("up {folder} --yes --timeout 60s --sandbox"));
        let policy = self.live.world.path().join("gc.yaml").display().to_string();
        for _ in 0..3 {
            lease_is_over(&self.live.world);
            self.calmly(&format!("gc --apply --policy {policy} --sandbox"));
            self.live.advance(3 * HOUR);
        }
        // Azure lists what is in use without its marks: they count no more, and stay until somebody takes them off.
        self.calmly(&format!("gc unmark --all --policy {policy} --sandbox"));
        self.calmly(&format!("check {folder} --detailed-exitcode --sandbox"));
        let facts = Facts::of(&self.live);
        let claims = held(&self.live);
        assert_eq!(
            facts.volumes.len(),
            claims.len(),
            "{}\nvolumes {:?}, claims {claims:?}",
            self.story.join("\n"),
            facts.volumes
        );
        pointers(&self.live, &facts).unwrap_or_else(|why| panic!("{}\n{why}", self.story.join("\n")));
        let pvs = self.live.served.get(PVS);
        assert_eq!(list(&pvs["items"]).len(), claims.len(), "{}", self.story.join("\n"));
    }

    /// Runs again each `restore` that did not come to its end, as `up` and `check` say.
    fn restores_what_was_begun(&mut self) {
        let claims = self.live.served.get(CLAIMS);
        for claim in list(&claims["items"]) {
            let origin = claim["metadata"]["annotations"]["moorline.dev/restored-from"].as_str();
            if let Some(origin) = origin.filter(|_| claim["status"]["phase"] != "Bound") {
                let folder = self.folder();
                self.calmly(&format!("restore {origin} {folder} --timeout 60s --sandbox"));
            }
        }
    }

    /// A claim that a user or a killed run told to go is gone before anybody wants it anew.
    fn comes_to_rest(&self) {
        eventually("no claim is leaving", || {
            let claims = self.live.served.get(CLAIMS);
            let leaving = |claim: &Value| claim["metadata"]["deletionTimestamp"].is_string();
            !list(&claims["items"]).iter().any(leaving)
        });
    }

    fn calmly(&mut self, command: &str) {
        let run = self.live.run(command);
        self.story.push(format!("{command}: {:?}\n{}", run.code, run.stderr));
        assert_eq!(run.code, Some(0), "{}\n{}", self.story.join("\n"), run.stdout);
    }
}

/// Claims that are bound and not on their way out, by UID: name and handle.
fn held(live: &Live) -> Held {
    let (claims, pvs) = (live.served.get(CLAIMS), live.served.get(PVS));
    let handle = |claim: &Value| {
        let pv = list(&pvs["items"]).iter().find(|pv| {
            pv["metadata"]["name"] == claim["spec"]["volumeName"]
                && pv["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
        })?;
        Some(pv["spec"]["csi"]["volumeHandle"].as_str()?.to_owned())
    };
    let held = list(&claims["items"]).iter().filter_map(|claim| {
        let bound = claim["status"]["phase"] == "Bound" && claim["metadata"]["deletionTimestamp"].is_null();
        let text = |field: &str| claim["metadata"][field].as_str().unwrap().to_owned();
        bound
            .then(|| Some((text("uid"), (text("name"), handle(claim)?))))
            .flatten()
    });
    held.collect()
}

/// All claims by UID.
fn there(live: &Live) -> BTreeSet<String> {
    let claims = live.served.get(CLAIMS);
    let uid = |claim: &Value| claim["metadata"]["uid"].as_str().unwrap().to_owned();
    list(&claims["items"]).iter().map(uid).collect()
}

#[test]
fn random_lives_end_well() {
    let lives = std::env::var(LIVES)
        .ok()
        .and_then(|lives| lives.parse().ok())
        .unwrap_or(FEW);
    let numbers: Vec<u64> = (0..lives).collect();
    let came_to = [const { AtomicUsize::new(0) }; 3];
    let name = |number: &u64| format!("soak/{number}.");
    let played = plays::at_once(&numbers, name, |number| {
        let mut life = Life::new(*number);
        for _ in 0..ACTS {
            life.act();
        }
        life.ends();
        for (sum, count) in came_to.iter().zip(life.came_to) {
            sum.fetch_add(count, Ordering::Relaxed);
        }
    });
    let [succeeded, failed, killed] = came_to.map(AtomicUsize::into_inner);
    plays::say(&format!(
        "soak: {played} lives were played with seed {}; of their commands {succeeded} succeeded, {failed} failed, {killed} were killed",
        plays::seed()
    ));
}
