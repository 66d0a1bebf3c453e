//! The real kubectl against `sandbox serve`: every step of the tutorials, as their readers type them.
//!
//! Ignored because a machine may have no kubectl; `cargo xtask test` finds or builds one and runs them.

mod azure;
mod gc;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Run, Served, World};

const STATEFUL: &str = "profiles/aws-nginx-stateful/statefulset.yml";
const STATELESS: &str = "profiles/aws-nginx/deployment.yml";

/// A world whose sandbox is being served, and kubectl in it.
struct Kubectl {
    // Dropped first: the sandbox ends before its folder goes.
    sandbox: Served,
    world: World,
}

impl Kubectl {
    fn new() -> Self {
        let world = World::instant();
        Self {
            sandbox: world.serve(),
            world,
        }
    }

    fn command(&self, line: &str) -> Command {
        let kubectl = std::env::var_os("MOORLINE_TEST_KUBECTL").expect("`cargo xtask test` sets MOORLINE_TEST_KUBECTL");
        let mut command = self.world.command(kubectl);
        command
            .envs(self.sandbox.environment.iter().cloned())
            .args(line.split_whitespace());
        command
    }

    fn run(&self, line: &str) -> Run {
        Run::of(line, &self.command(line).output().unwrap())
    }

    /// What kubectl prints, having succeeded.
    #[track_caller]
    fn says(&self, line: &str) -> String {
        self.run(line).succeeds().stdout
    }

    /// The cells of the only line of a table that begins with `name`.
    #[track_caller]
    fn row(&self, line: &str, name: &str) -> Vec<String> {
        let table = self.says(line);
        let mut rows = table.lines().filter(|row| row.starts_with(name));
        let row = rows.next().unwrap_or_else(|| panic!("no {name} in {table}"));
        assert_eq!(rows.next(), None, "{table}");
        row.split_whitespace().map(str::to_owned).collect()
    }

    /// Applies the tutorial with volumes and waits until all of it is there.
    fn tutorial(&self) {
        self.says(&format!("apply -f {STATEFUL}"));
        self.says("rollout status statefulset/home-deployment --timeout=60s");
        self.says("wait --for=jsonpath={.status.loadBalancer.ingress} service/my-app --timeout=60s");
    }

    fn replicas(&self) -> String {
        self.says("get statefulset home-deployment -o jsonpath={.status.readyReplicas}/{.spec.replicas}")
    }

    fn balancers(&self) -> usize {
        self.world.state()["load_balancers"].as_array().unwrap().len()
    }

    fn names(&self, kinds: &str) -> Vec<String> {
        self.says(&format!("get {kinds} -o name"))
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

fn claim(ordinal: u32) -> String {
    format!("my-volume-nginx-home-deployment-{ordinal}")
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn what_the_tutorial_applies_is_there_as_kubectl_shows_it() {
    let kubectl = Kubectl::new();
    let applied = kubectl.says(&format!("apply -f {STATEFUL}"));
    assert!(
        applied.contains("statefulset.apps/home-deployment created"),
        "{applied}"
    );
    kubectl.tutorial();
    kubectl.says("wait --for=condition=Ready pod -l app=web-nginx --timeout=60s");

    let all = kubectl.says("get storageclass,sts,po,pvc,pv,svc -o wide");
    for prefix in [
        "storageclass.storage.k8s.io/",
        "statefulset.apps/",
        "pod/",
        "persistentvolumeclaim/",
        "service/",
    ] {
        assert!(all.lines().any(|line| line.starts_with(prefix)), "{prefix}: {all}");
    }
    let header = kubectl.row("get pvc", "NAME").join(" ");
    assert!(
        header.starts_with("NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS"),
        "{header}"
    );
    for ordinal in 0..3 {
        let row = kubectl.row("get pvc", &claim(ordinal));
        assert_eq!(
            (row[1].as_str(), &row[3..6]),
            ("Bound", &["10Gi", "RWO", "my-aws-ebs-gp2"].map(str::to_owned)[..])
        );
        let volume = kubectl.row("get pv", &row[2]);
        assert_eq!(
            volume[1..6],
            [
                "10Gi",
                "RWO",
                "Delete",
                "Bound",
                format!("default/{}", claim(ordinal)).as_str()
            ]
        );
        let pod = kubectl.row("get pods", &format!("home-deployment-{ordinal}"));
        assert_eq!(pod[1..3], ["1/1", "Running"]);
    }
    assert_eq!(kubectl.row("get sts", "home-deployment")[1], "3/3");
    let class = kubectl.row("get sc", "my-aws-ebs-gp2");
    assert_eq!(class[1..5], ["kubernetes.io/aws-ebs", "Delete", "Immediate", "false"]);
    let service = kubectl.row("get svc my-app", "my-app");
    assert_eq!(service[1], "LoadBalancer");
    assert!(service[3].ends_with(".us-east-1.elb.amazonaws.com"), "{service:?}");
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn describe_tells_what_belongs_together() {
    let kubectl = Kubectl::new();
    kubectl.tutorial();
    let told = |line: &str, wanted: &[&str]| {
        let description = kubectl.says(&format!("describe {line}"));
        let plain = description.split_whitespace().collect::<Vec<_>>().join(" ");
        for wanted in wanted {
            assert!(plain.contains(wanted), "no `{wanted}` in {description}");
        }
    };
    told(
        "service my-app",
        &[
            "LoadBalancer Ingress: a",
            ".us-east-1.elb.amazonaws.com",
            "LoadBalancer Source Ranges: 203.0.113.0/24",
            "EnsuredLoadBalancer",
            ":80,10.",
        ],
    );
    told(
        "statefulset home-deployment",
        &[
            "Replicas: 3 desired | 3 total",
            "Pods Status: 3 Running / 0 Waiting / 0 Succeeded / 0 Failed",
            "create Claim my-volume-nginx-home-deployment-2 Pod home-deployment-2 in StatefulSet home-deployment success",
        ],
    );
    told(
        "pvc my-volume-nginx-home-deployment-0",
        &["Status: Bound", "Used By: home-deployment-0", "Capacity: 10Gi"],
    );
    told(
        "pv",
        &[
            "Claim: default/my-volume-nginx-home-deployment-1",
            "VolumeHandle: vol-",
            "zone in [us-east-1",
        ],
    );
    told(
        "pod home-deployment-1",
        &[
            "Status: Running",
            "ClaimName: my-volume-nginx-home-deployment-1",
            "SuccessfulAttachVolume",
        ],
    );
    told(
        "storageclass my-aws-ebs-gp2",
        &[
            "Provisioner: kubernetes.io/aws-ebs",
            "Parameters: type=gp2",
            "ReclaimPolicy: Delete",
        ],
    );
    told(
        "nodes",
        &[
            "topology.kubernetes.io/zone=us-east-1a",
            "ProviderID: aws:///us-east-1a/i-",
        ],
    );
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn scaling_makes_claims_and_keeps_them_and_deleting_them_deletes_the_volumes() {
    let kubectl = Kubectl::new();
    kubectl.tutorial();
    kubectl.says("scale statefulset home-deployment --replicas 5");
    kubectl.says("rollout status statefulset/home-deployment --timeout=60s");
    assert_eq!(kubectl.replicas(), "5/5");
    assert_eq!(kubectl.world.volumes(), 5);

    kubectl.says("scale statefulset home-deployment --replicas 2");
    kubectl.says("wait --for=delete pod/home-deployment-4 pod/home-deployment-2 --timeout=60s");
    kubectl.says("wait --for=jsonpath={.status.readyReplicas}=2 statefulset/home-deployment --timeout=60s");
    let claims: Vec<_> = (0..5)
        .map(|ordinal| format!("persistentvolumeclaim/{}", claim(ordinal)))
        .collect();
    assert_eq!(kubectl.names("pvc"), claims);

    let deleted = kubectl.says(&format!("delete -f {STATEFUL} --timeout=60s"));
    assert!(deleted.contains("service \"my-app\" deleted"), "{deleted}");
    assert_eq!(kubectl.names("statefulset,pod"), Vec::<String>::new());
    assert_eq!(kubectl.names("service"), ["service/kubernetes"]);
    // A deleted set leaves its claims, and so its volumes: the leak that this is all about.
    assert_eq!((kubectl.names("pvc"), kubectl.world.volumes()), (claims, 5));
    kubectl.says("delete pvc --all --timeout=60s");
    kubectl.says("wait --for=delete pv --all --timeout=60s");
    assert_eq!((kubectl.world.volumes(), kubectl.balancers()), (0, 0));
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn diff_finds_nothing_then_what_was_changed() {
    let kubectl = Kubectl::new();
    kubectl.run(&format!("diff -f {STATEFUL}")).exits(1);
    kubectl.tutorial();
    assert_eq!(kubectl.says(&format!("diff -f {STATEFUL}")), "");
    kubectl.says("scale statefulset home-deployment --replicas 4");
    let diff = kubectl.run(&format!("diff -f {STATEFUL}")).exits(1).stdout;
    assert!(diff.contains("-  replicas: 4\n+  replicas: 3"), "{diff}");
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn server_side_apply_names_who_owns_what() {
    let kubectl = Kubectl::new();
    let apply = format!("apply --server-side -f {STATEFUL}");
    let applied = kubectl.says(&apply);
    assert!(
        applied.contains("statefulset.apps/home-deployment serverside-applied"),
        "{applied}"
    );
    kubectl.says("rollout status statefulset/home-deployment --timeout=60s");
    let version = "get statefulset home-deployment -o jsonpath={.metadata.generation}";
    let before = kubectl.says(version);
    kubectl.says(&apply);
    assert_eq!(kubectl.says(version), before, "the same again changes nothing");
    assert_eq!(kubectl.says(&format!("diff --server-side -f {STATEFUL}")), "");

    kubectl.says("scale statefulset home-deployment --replicas 1");
    let refused = kubectl.run(&apply).exits(1).stderr;
    assert!(
        refused.contains("conflict with \"kubectl\" with subresource \"scale\""),
        "{refused}"
    );
    assert!(refused.contains(".spec.replicas"), "{refused}");
    kubectl.says(&format!("{apply} --force-conflicts"));
    kubectl.says("rollout status statefulset/home-deployment --timeout=60s");
    assert_eq!(kubectl.replicas(), "3/3");
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn a_watch_tells_of_each_change() {
    let kubectl = Kubectl::new();
    kubectl.tutorial();
    let watch = "get statefulset home-deployment --watch --no-headers";
    let mut watching = kubectl.command(watch).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let first = lines.next().unwrap();
    assert!(first.contains("3/3"), "{first}");
    kubectl.says("scale statefulset home-deployment --replicas 5");
    let seen: Vec<_> = lines.take_while(|line| !line.contains("5/5")).collect();
    assert!(seen.iter().any(|line| line.contains("3/5")), "{seen:?}");
    assert!(seen.iter().any(|line| line.contains("4/5")), "{seen:?}");
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn the_tutorial_without_volumes_rolls_out_and_goes() {
    let kubectl = Kubectl::new();
    kubectl.says(&format!("apply -f {STATELESS}"));
    let rolled = kubectl.says("rollout status deployment/web-nginx --timeout=60s");
    assert!(
        rolled.contains("deployment \"web-nginx\" successfully rolled out"),
        "{rolled}"
    );
    let deployment = kubectl.row("get deploy", "web-nginx");
    assert_eq!(deployment[1..4], ["3/3", "3", "3"]);
    assert_eq!(kubectl.names("pvc,pv"), Vec::<String>::new());

    kubectl.says("set image deployment/web-nginx nginx=nginx:1.29");
    kubectl.says("rollout status deployment/web-nginx --timeout=60s");
    let images = kubectl.says("get pods -l app=web-nginx -o jsonpath={.items[*].spec.containers[0].image}");
    assert!(images.split_whitespace().all(|image| image == "nginx:1.29"), "{images}");
    kubectl.says("rollout undo deployment/web-nginx");
    kubectl.says("rollout status deployment/web-nginx --timeout=60s");
    assert_eq!(
        kubectl.row("get deploy web-nginx -o wide", "web-nginx")[6],
        "nginx:1.28.0"
    );

    kubectl.says(&format!("delete -f {STATELESS} --timeout=60s"));
    kubectl.says("wait --for=delete pod -l app=web-nginx --timeout=60s");
    assert_eq!(kubectl.names("deploy,rs,pod"), Vec::<String>::new());
    assert_eq!(kubectl.balancers(), 0);
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn kubectl_and_moorline_agree() {
    let kubectl = Kubectl::new();
    let profile = "profiles/aws-nginx-stateful --sandbox";
    kubectl.world.run(&format!("up {profile}")).succeeds();
    for ordinal in 0..3 {
        assert_eq!(kubectl.row("get pvc", &claim(ordinal))[1], "Bound");
    }
    assert_eq!(kubectl.says(&format!("diff -f {STATEFUL}")), "");
    let field_managers =
        "get statefulset home-deployment --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}";
    assert!(kubectl.says(field_managers).contains("moorline"));

    // What kubectl makes under moorline's set is found by moorline.
    kubectl.says("scale statefulset home-deployment --replicas 4");
    kubectl.says("rollout status statefulset/home-deployment --timeout=60s");
    let status = kubectl.world.run(&format!("status {profile}")).succeeds();
    let [in_cluster, in_cloud] = &status.rows(&claim(3))[..] else {
        panic!("{}", status.stdout)
    };
    assert_eq!((in_cluster[1], in_cloud[5]), ("Bound", "in-use"), "{}", status.stdout);
    kubectl.world.run(&format!("down {profile} --yes")).succeeds();
    assert_eq!(kubectl.names("statefulset,pod,pvc,pv"), Vec::<String>::new());
    let provided = ["default", "managed-premium"].map(|class| format!("storageclass.storage.k8s.io/{class}"));
    assert_eq!(kubectl.names("storageclass"), provided);
    assert_eq!(kubectl.world.volumes(), 0);
}
