//! The story of both tutorials and of what they leave behind, with kubectl itself.

use serde_json::Value;

use super::Kubectl;

impl Kubectl {
    fn gc(&self, line: &str) -> Value {
        self.world
            .run(&format!("gc {line} --sandbox -o json"))
            .succeeds()
            .json()
    }

    fn nothing_remains(&self) {
        for kinds in ["pvc", "pv"] {
            assert_eq!(self.names(kinds), [""; 0]);
        }
        let state = self.world.state();
        for sort in ["volumes", "shares"] {
            assert_eq!(state[sort].as_array().unwrap().len(), 0, "{state}");
        }
    }
}

fn the_story(profile: &str, set: &str, volumes: usize) {
    let kubectl = Kubectl::new();
    let up = format!("up {profile} --sandbox");
    kubectl.world.run(&up).succeeds();
    let delete = || {
        kubectl.says(&format!("delete statefulset {set} --wait=true"));
        kubectl.says("wait --for=delete pod --all --timeout=60s");
    };
    delete();
    assert_eq!(
        kubectl.names("pvc").len(),
        volumes,
        "Kubernetes keeps them, and the tutorial does not say so"
    );
    let marked = kubectl.gc("--apply");
    assert_eq!(marked["marksWritten"], volumes, "{marked}");

    // Made anew in between, it saves them.
    kubectl.world.run(&up).succeeds();
    kubectl.world.run("sandbox clock advance 192h").succeeds();
    let saved = kubectl.gc("--apply");
    assert_eq!(saved["saved"]["count"], 0, "{saved}");
    // Left behind once more, grace begins anew.
    delete();
    let again = kubectl.gc("--apply");
    assert_eq!(
        (&again["marksWritten"], &again["saved"]["count"]),
        (&Value::from(volumes), &Value::from(0)),
        "{again}"
    );
    kubectl.world.run("sandbox clock advance 192h").succeeds();
    assert_eq!(kubectl.gc("--apply")["saved"]["count"], volumes);
    kubectl.nothing_remains();
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn what_kubectl_leaves_behind_of_the_first_tutorial_goes_after_its_grace() {
    the_story("profiles/aws-nginx-stateful", "home-deployment", 3);
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn what_kubectl_leaves_behind_of_the_second_tutorial_goes_after_its_grace() {
    the_story("profiles/azure-counter", "counter-div", 1);
}
