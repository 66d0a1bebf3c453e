//! Garbage collection on the real control plane: its garbage collector and StatefulSet controller, real finalizers, and clouds that
//! others wrote. Grace is of seconds, as nobody can move their clocks.

use serde_json::{Value, json};

use crate::clouds::Cloud;
use crate::stage::{Stage, eventually};
use crate::support::{Run, profile, set};

const REPLICAS: u32 = 3;
/// What controllers in the cluster call it in tags.
const TAG_ID: &str = "real-parts";

/// A set of three, up, and a policy for cluster and account.
struct Story {
    stage: Stage,
    name: &'static str,
    folder: String,
    policy: String,
}

/// A policy of short graces for the shared cluster and the account, in a file.
fn policy(stage: &Stage) -> String {
    let text = format!(
        "scopes:\n  - aws: {{regions: [us-east-1]}}\nclusters:\n  - {{name: real, tagIds: [{TAG_ID}]}}\n\
         grace: {{leftBehind: 5s, released: 5s, orphan: 5s, loadBalancer: 5s}}\nstore: runs\n"
    );
    let folder = stage.world.write("gc/policy.yaml", &text);
    std::fs::create_dir_all(folder.join("runs")).unwrap();
    folder.join("policy.yaml").display().to_string()
}

impl Story {
    fn new(cloud: Cloud, name: &'static str) -> Self {
        let stage = Stage::shared(cloud);
        stage.world.write(&format!("{name}/profile.yaml"), &profile(name));
        let folder = stage.world.write(&format!("{name}/set.yaml"), &set(name, REPLICAS));
        let story = Self {
            name,
            folder: folder.display().to_string(),
            policy: policy(&stage),
            stage,
        };
        story.up();
        story
    }

    fn up(&self) {
        self.stage.run(&format!("up {}", self.folder)).succeeds();
    }

    /// As the tutorial's reader would, and waits until its pods are gone.
    fn delete_set(&self) {
        let name = self.name;
        self.stage.kubectl(&format!("delete statefulset {name}"));
        eventually("its pods are gone", || {
            self.stage.names(&format!("pod -l app={name}")).is_empty()
        });
    }

    fn gc(&self, line: &str) -> Run {
        self.stage.run(&format!("gc {line} --policy {}", self.policy))
    }

    /// Runs `gc --apply` until the story's volumes are past their grace.
    fn until_gone(&self) -> Value {
        let mut last = Value::Null;
        eventually("grace is over", || {
            last = self.apply();
            last["saved"]["count"] == REPLICAS
        });
        last
    }

    /// A run that finds what there is to find. LocalStack has no load balancers to look at, which is a gap.
    fn apply(&self) -> Value {
        let run = self.gc("--apply -o json");
        assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
        run.json()
    }

    fn remains(&self) -> [usize; 3] {
        let of_profile = format!("-l moorline.dev/profile={}", self.name);
        [
            self.stage.names(&format!("pvc {of_profile}")).len(),
            self.stage.names(&format!("pv {of_profile}")).len(),
            self.stage.account.volumes(self.name).len(),
        ]
    }
}

fn the_story(cloud: Cloud, name: &'static str) {
    let story = Story::new(cloud, name);
    story.delete_set();
    let shown = story.gc("");
    let reason = format!("moorline made it for StatefulSet {name}, which is gone");
    let lines = shown.stdout.lines().filter(|line| line.contains(&reason));
    assert_eq!(lines.count(), REPLICAS as usize, "{shown:?}");
    assert_eq!(story.remains(), [3; 3], "a dry run deletes nothing");

    assert_eq!(story.apply()["marksWritten"], REPLICAS);
    assert_eq!(story.remains(), [3; 3]);
    // Made anew, the set saves them; left behind once more they go.
    story.up();
    let saved = story.apply();
    assert_eq!(saved["plan"]["totals"]["in-use"]["count"], REPLICAS, "{saved}");
    assert_eq!(story.remains(), [3; 3]);
    story.delete_set();
    story.apply();
    story.until_gone();
    assert_eq!(story.remains(), [0; 3]);
    story.stage.run(&format!("down {} --yes", story.folder)).succeeds();
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn what_a_set_leaves_behind_goes_after_its_grace() {
    the_story(Cloud::LocalStack, "gc-local");
    the_story(Cloud::Moto, "gc-moto");
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_claim_that_a_finalizer_holds_keeps_its_volume() {
    let story = Story::new(Cloud::Moto, "gc-held");
    story.delete_set();
    let claim = "pvc/data-gc-held-0";
    story.stage.kubectl(&format!(
        "patch {claim} --type=merge -p {{\"metadata\":{{\"finalizers\":[\"example.com/held\"]}}}}"
    ));
    story.apply();
    let mut failed = Value::Null;
    eventually("grace is over", || {
        let run = story.gc("--apply -o json --timeout 10s");
        failed = run.json();
        run.code == Some(1)
    });
    assert_eq!(
        story.remains(),
        [1; 3],
        "the two others went, and nothing was forced: {failed}"
    );
    story.stage.kubectl(&format!(
        "patch {claim} --type=merge -p {{\"metadata\":{{\"finalizers\":null}}}}"
    ));
    eventually("the next run finishes it", || {
        story.gc("--apply");
        story.remains() == [0; 3]
    });
    story.stage.run(&format!("down {} --yes", story.folder)).succeeds();
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn target_groups_go_after_the_load_balancer_that_forwards_to_them() {
    let stage = Stage::shared(Cloud::Moto);
    let account = &stage.account;
    account.make_network_balancer("gc-gone", "default/gone", TAG_ID);
    account.make_target_group("gc-alone", "default/gone", TAG_ID);
    // The Service of the API server, and a cluster that the policy does not name.
    account.make_target_group("gc-kept", "default/kubernetes", TAG_ID);
    account.make_target_group("gc-foreign", "default/gone", "another");
    let policy = policy(&stage);
    let everything = json!(["gc-alone", "gc-foreign", "gc-gone-443", "gc-gone-80", "gc-kept"]);

    let dry = stage.run(&format!("gc --policy {policy}")).succeeds();
    for name in ["gc-gone", "gc-alone", "gc-gone-80"] {
        assert!(dry.stdout.contains(name), "{name}: {}", dry.stdout);
    }
    assert_eq!(account.target_groups("gc-"), everything, "a dry run deletes nothing");
    let run = || stage.run(&format!("gc --apply --policy {policy}")).succeeds();
    run();
    assert_eq!(account.target_groups("gc-"), everything, "grace has begun");
    eventually("grace is over", || {
        run();
        account.target_groups("gc-") == json!(["gc-foreign", "gc-kept"])
    });
    assert_eq!(account.network_balancers("gc-"), json!([]));
    for name in ["gc-foreign", "gc-kept"] {
        account.delete_target_group(name);
    }
}
