//! A row of the table, ready to be played: its world, the calls of a run that nobody kills, and what the world is like then.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::facts::{CLAIMS, Facts, PERSISTENT_VOLUMES, half_made, list, pointers};
use super::kill::Kill;
use super::table::{Cloud, DOWN, Row, Then, UP};
use crate::live::Live;
use crate::support::{Run, World, eventually};

/// How long a thing has to be unused in the policy of the tests, and more than that.
const GRACE: (&str, i64) = ("1h", 2 * 60 * 60);

/// How long clouds and cluster may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(20);

const COLLECT: &str = "gc --apply --policy {policy} --sandbox";

/// How a run tells that it goes on with what another one began.
const BEGUN: [&str; 3] = ["an earlier run began it", "is finished", "adopted"];

/// A row with its world.
pub struct Scene {
    row: &'static Row,
    world: World,
    origin: String,
    /// The volumes that there were at any time before.
    former: BTreeSet<String>,
    /// What an undisturbed run leaves.
    wanted: Facts,
    /// What it leaves where another command follows; rows have one at most.
    followed: OnceLock<Facts>,
    /// Every kill that an undisturbed run allows.
    pub kills: Vec<Kill>,
}

/// What comes after the kill.
#[derive(Clone, Debug)]
pub enum After {
    /// The same command.
    Again,
    /// The same command, killed there, too, and then again.
    Twice(Kill),
    /// Another one.
    Other(Then),
}

impl Scene {
    /// Makes the world, and plays the row undisturbed in a copy.
    pub fn of(row: &'static Row) -> Self {
        let world = World::instant();
        world.configure(|settings| settings["controllers"]["csi"] = row.driver.into());
        world.write("web/set.yaml", &row.manifests());
        world.write("web/profile.yaml", &row.profile());
        world.write("gc.yaml", &policy(row));
        std::fs::create_dir_all(world.path().join("runs")).unwrap();
        let live = Live::of(world);
        let mut scene = Self {
            row,
            origin: String::new(),
            former: BTreeSet::new(),
            wanted: Facts::of(&live),
            followed: OnceLock::new(),
            kills: Vec::new(),
            world: World::realistic(),
        };
        for line in row.before {
            scene.former.extend(Facts::of(&live).volumes);
            scene.run(&live, line).succeeds();
            at_rest(&live);
        }
        scene.former.extend(Facts::of(&live).volumes);
        if row.line.contains("{origin}") {
            scene.origin = origin(&live);
        }
        scene.world = live.rest();
        let live = scene.copied();
        live.reset_audit();
        scene.run(&live, row.line).succeeds();
        scene.kills = Kill::all(&live.audit());
        at_rest(&live);
        scene.wanted = Facts::of(&live);
        is_whole(&live, &scene.wanted);
        scene
    }

    /// A case's name.
    pub fn name(&self, kill: &Kill, after: &After) -> String {
        let suffix = match after {
            After::Again => String::new(),
            After::Twice(second) => format!("/then-{second}"),
            After::Other(then) => format!("/{}", then.name()),
        };
        format!("{}/{kill}{suffix}", self.row.name)
    }

    /// Kills a run there, plays what comes after, and looks whether anything is lost. Whether the kill struck.
    pub fn play(&self, kill: &Kill, after: &After) -> bool {
        let live = self.copied();
        let command = self.filled(&live, self.row.line);
        let struck = kill.strike(&live, &command).is_some();
        match after {
            After::Again => self.again(&live),
            After::Twice(second) => {
                second.strike(&live, &command);
                self.again(&live);
            }
            After::Other(then) => self.other(&live, *then),
        }
        struck
    }

    /// The same command finishes, and says what it found.
    fn again(&self, live: &Live) {
        let (lonely_pvs, lonely_claims) = half_made(live);
        let again = self.run(live, self.row.line).succeeds();
        let begun = BEGUN.iter().any(|words| again.stderr.contains(words));
        let goes = self.row.line.starts_with("down") && self.row.terms.on_down != "keep";
        assert!(
            begun || lonely_claims == 0 || goes,
            "it does not say what it found: {}",
            again.stderr
        );
        assert!(
            begun || lonely_pvs == 0 || !goes || self.row.driver,
            "it does not say what it found: {}",
            again.stderr
        );
        self.fits(live, &self.wanted);
    }

    fn other(&self, live: &Live, then: Then) {
        match then {
            Then::Down => {
                self.run(live, DOWN).succeeds();
                self.fits(live, &self.after(then));
            }
            Then::Up if self.row.terms.on_down == "snapshot" => self.taken_up(live),
            // What the dead run had let go is no longer the profile's; it is neither used again nor forgotten.
            Then::Up => {
                self.run(live, UP).succeeds();
                is_whole(live, &Facts::of(live));
                self.run(live, DOWN).succeeds();
                self.fits(live, &self.after(then));
            }
            Then::Collect => {
                let before = Facts::of(live);
                self.run(live, COLLECT).succeeds();
                let within = Facts::of(live);
                assert!(
                    self.row.driver || before.volumes == within.volumes,
                    "deleted within its grace: {}",
                    within.differences(&before)
                );
                live.advance(GRACE.1);
                self.run(live, COLLECT).succeeds();
                self.run(live, self.row.line).succeeds();
                self.fits(live, &self.wanted);
            }
        }
    }

    /// `up` finishes what a `down` that takes snapshots began: each claim has one volume and nothing else is left. A volume that is no longer
    /// there can be brought back.
    fn taken_up(&self, live: &Live) {
        self.run(live, UP).succeeds();
        at_rest(live);
        let up = Facts::of(live);
        is_whole(live, &up);
        let count = |listing: &str| list(&live.served.get(listing)["items"]).len();
        let (claims, pvs) = (count(CLAIMS), count(PERSISTENT_VOLUMES));
        assert_eq!((up.volumes.len(), pvs), (claims, claims), "{:?}", up.volumes);
        let pinned = live.served.get(PERSISTENT_VOLUMES).to_string();
        assert!(!pinned.contains("moorline.dev/on-down"), "{pinned}");
        self.run(live, DOWN).succeeds();
        at_rest(live);
        let down = Facts::of(live);
        assert!(down.volumes.is_empty(), "{:?}", down.volumes);
        let listed = live.run("restore --list --sandbox -o json").succeeds().json();
        for volume in self.former.union(&up.volumes) {
            let is_it = |one: &Value| {
                let saved = one["volume"].as_str().unwrap();
                volume.split('/').all(|part| saved.contains(part))
            };
            assert!(
                list(&listed).iter().any(is_it),
                "{volume} cannot be brought back: {listed:#}"
            );
        }
    }

    /// What the world is like where the row was not disturbed and the other command followed.
    fn after(&self, then: Then) -> Facts {
        let compute = || {
            let live = self.copied();
            self.run(&live, self.row.line).succeeds();
            if then == Then::Up {
                self.run(&live, UP).succeeds();
            }
            self.run(&live, DOWN).succeeds();
            at_rest(&live);
            Facts::of(&live)
        };
        self.followed.get_or_init(compute).clone()
    }

    /// Clouds and cluster come to what is wanted: nothing more, nothing less, and what was there before and stays is the same.
    #[track_caller]
    fn fits(&self, live: &Live, wanted: &Facts) {
        let mut last = Facts::of(live);
        let fits = |facts: &Facts| {
            let kept = |facts: &Facts| {
                facts
                    .volumes
                    .intersection(&self.former)
                    .cloned()
                    .collect::<BTreeSet<_>>()
            };
            facts.alike(wanted) && (self.may_replace(wanted) || kept(facts) == kept(wanted))
        };
        let deadline = Instant::now() + PATIENCE;
        while !fits(&last) {
            assert!(
                Instant::now() < deadline,
                "it is not as after a run that nobody killed:\n{}{:?} instead of {:?}; before {:?}",
                last.differences(wanted),
                last.volumes,
                wanted.volumes,
                self.former
            );
            std::thread::sleep(Duration::from_millis(20));
            last = Facts::of(live);
        }
        is_whole(live, &last);
    }

    /// Where volumes go and come back, those that had not gone yet may stay.
    fn may_replace(&self, wanted: &Facts) -> bool {
        self.followed.get() == Some(wanted)
    }

    fn run(&self, live: &Live, command: &str) -> Run {
        live.run(&self.filled(live, command))
    }

    fn filled(&self, live: &Live, command: &str) -> String {
        let folder = live.world.path();
        command
            .replace("{p}", &folder.join("web").display().to_string())
            .replace("{policy}", &folder.join("gc.yaml").display().to_string())
            .replace("{origin}", &self.origin)
    }

    fn copied(&self) -> Live {
        Live::of_copy(&self.world)
    }
}

#[track_caller]
fn is_whole(live: &Live, facts: &Facts) {
    pointers(live, facts).unwrap_or_else(|why| panic!("{why}"));
}

/// Waits until controllers have nothing more to do: two looks see the same.
fn at_rest(live: &Live) {
    let mut last = Facts::of(live);
    eventually("the controllers come to rest", || {
        let facts = Facts::of(live);
        let same = facts == last;
        last = facts;
        same
    });
}

/// What of the world can be brought back: a snapshot, or a share that is deleted.
fn origin(live: &Live) -> String {
    let listed = live.run("restore --list --sandbox -o json").succeeds().json();
    let of_first = list(&listed).iter().find(|one| {
        one["tags"]["moorline.dev/claim"] == "data-web-0" || one["volume"].as_str().unwrap().contains(".file/")
    });
    let found = of_first.unwrap_or_else(|| panic!("nothing to bring back: {listed:#}"));
    let snapshot = found["origin"]["snapshot"].as_str();
    snapshot.or(found["volume"].as_str()).unwrap().to_owned()
}

/// A policy of garbage collection for the row's cloud.
pub fn policy(row: &Row) -> String {
    let scope = match row.cloud {
        Cloud::Ebs => "aws: {regions: [us-east-1]}",
        Cloud::Files | Cloud::Blobs => "azure: {subscription: 22222222-bbbb-4000-8000-000000000001}",
    };
    let grace = GRACE.0;
    format!(
        "scopes: [{{{scope}}}]\nclusters: [{{context: moorline-sandbox}}]\nstore: runs\n\
        grace: {{leftBehind: {grace}, released: {grace}, orphan: {grace}}}\n"
    )
}
