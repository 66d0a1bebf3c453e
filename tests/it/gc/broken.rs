//! Lists that break off: what could be read is dealt with, what depends on the rest is unknown and stays, and the exit code is 3.

use serde_json::{Value, json};

use super::stage::{AWS, AZURE, Stage, ended};
use crate::support::World;

/// A fault that strikes every call from the second one on.
fn from_the_second_page(service: &str, operation: &str, effect: &Value) -> Value {
    json!({"service": service, "operation": operation, "moment": "before", "skip": 1, "effect": effect})
}

/// Both tutorials, left behind and past their grace: three disks, one share.
fn ripe() -> Stage {
    let stage = Stage::with(&AWS);
    stage.world.run(&format!("up {} --sandbox", AZURE.profile)).succeeds();
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    stage.sandbox.delete(&format!("{sets}/{}", AZURE.set));
    stage.delete_set(&AWS);
    assert_eq!(stage.apply()["marksWritten"], 4);
    stage.grace_passes();
    stage
}

impl Stage {
    /// A run that meets a fault: it ends by itself, with exit code 3, and says what was not read.
    #[track_caller]
    fn broken(&self, fault: &Value, gap: &str) -> Value {
        self.world.fault(fault);
        let report = self.gc("--apply -o json --timeout 20s").exits(3).json();
        self.world.run("sandbox fault clear").succeeds();
        let gaps = report["plan"]["gaps"].as_array().unwrap();
        let named = |place: &Value| place["place"].as_str().is_some_and(|place| place.contains(gap));
        assert!(gaps.iter().any(named), "{gap}: {gaps:#?}");
        report
    }
}

#[test]
fn a_kind_that_breaks_off_for_good_keeps_what_depends_on_it() {
    let stage = ripe();
    let once = |operation: &str, effect: Value| json!({"service": "kubernetes", "operation": operation, "moment": "before", "effect": effect});
    for fault in [
        once("list persistentvolumeclaims", json!("reset")),
        once("list statefulsets", json!("cut")),
        once("list persistentvolumes", json!("garbled")),
    ] {
        let report = stage.broken(&fault, "moorline-sandbox");
        assert_eq!(report["plan"]["totals"]["unknown"]["count"], 4, "{fault}: {report}");
        assert_eq!(ended(&report, "gone").len(), 0, "{fault}");
        assert_eq!(stage.remains(), [4; 3], "{fault}");
    }
    // It began no grace anew.
    assert_eq!(ended(&stage.apply(), "gone").len(), 4);
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn a_region_whose_second_page_is_cut_off_keeps_its_own_and_nothing_else() {
    for effect in [json!("reset"), json!("hang")] {
        let stage = ripe();
        stage
            .world
            .configure(|settings| settings["aws"]["page_size_cap"] = json!(2));
        let report = stage.broken(&from_the_second_page("ec2", "DescribeVolumes", &effect), "aws");
        // Disks that were seen are claimed by nothing and known by no whole listing; the share is of another cloud.
        let gone = ended(&report, "gone");
        assert_eq!(gone.len(), 1, "{effect}: {report}");
        assert_eq!(
            gone[0]["scope"].as_str().unwrap().split(' ').next(),
            Some("azure"),
            "{report}"
        );
        assert_eq!(stage.remains(), [3; 3], "{effect}");
    }
}

#[test]
fn a_cluster_whose_second_page_is_cut_off_is_not_taken_for_the_whole() {
    let world = World::instant();
    let stage = Stage {
        sandbox: world.serve(),
        world,
    };
    stage.world.run("sandbox seed --left-behind 600").succeeds();
    assert_eq!(stage.apply()["marksWritten"], 600);
    stage.grace_passes();
    let before = stage.remains();
    for operation in ["list persistentvolumes", "list persistentvolumeclaims"] {
        let fault = from_the_second_page("kubernetes", operation, &json!("reset"));
        let report = stage.broken(&fault, "moorline-sandbox");
        assert_eq!(report["plan"]["totals"]["unknown"]["count"], 600, "{operation}");
        assert_eq!(stage.remains(), before, "{operation}");
    }
}
