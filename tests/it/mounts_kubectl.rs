//! The Secrets with which nodes mount shares.

use crate::support::World;

const PROFILE: &str = "profiles/azure-counter";

/// The one Secret in namespace `default`, by name.
fn secret(kubectl: impl Fn(&str) -> String) -> String {
    let names = kubectl("get secrets -o name");
    let mut names = names.lines();
    let name = names.next().expect("no Secret").to_owned();
    assert_eq!(names.next(), None);
    name
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn kubectl_deletes_a_secret_and_up_makes_it_again() {
    let world = World::instant();
    let served = world.serve();
    let kubectl = |line: &str| {
        let mut command = world.command("kubectl");
        command
            .args(line.split_whitespace())
            .envs(served.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    world.run(&format!("up {PROFILE} --sandbox")).succeeds();
    let name = secret(kubectl);
    let held = kubectl(&format!("get {name} -o jsonpath={{.data}}"));
    assert!(held.contains("azurestorageaccountname") && held.contains("azurestorageaccountkey"));
    kubectl(&format!("delete {name}"));
    let plan = world
        .run(&format!("plan {PROFILE} --sandbox --detailed-exitcode"))
        .exits(4);
    assert!(
        plan.stdout.contains(name.trim_start_matches("secret/")),
        "{}",
        plan.stdout
    );
    world.run(&format!("up {PROFILE} --sandbox")).succeeds();
    assert_eq!(secret(kubectl), name);
    assert_eq!(kubectl(&format!("get {name} -o jsonpath={{.data}}")), held);
    world
        .run(&format!("up {PROFILE} --sandbox --detailed-exitcode"))
        .succeeds();
    kubectl(&format!(
        "patch {name} -p {{\"stringData\":{{\"azurestorageaccountkey\":\"old\"}}}}"
    ));
    world
        .run(&format!("scale {PROFILE} counter-div --replicas 2 --sandbox"))
        .succeeds();
    assert_eq!(
        kubectl(&format!("get {name} -o jsonpath={{.data}}")),
        held,
        "a stale key is renewed"
    );
    world.run(&format!("down {PROFILE} --sandbox --yes")).succeeds();
    assert_eq!(kubectl("get secrets -o name"), "");
}
