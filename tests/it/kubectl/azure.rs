//! The tutorial with Azure's file shares, as its readers type it.

use serde_json::{Value, json};

use super::Kubectl;

const CLASS: &str = "profiles/azure-counter/storageclass.yaml";
const SET: &str = "profiles/azure-counter/statefulsets.yaml";

impl Kubectl {
    /// How many shares there are in the simulated cloud.
    fn shares(&self) -> usize {
        self.world.state()["shares"].as_array().unwrap().len()
    }

    /// Scales the set and waits until its pods are ready, each on a share of its own.
    fn scale(&self, replicas: usize) {
        let line = format!("scale statefulsets counter-div --replicas={replicas}");
        assert_eq!(self.says(&line), "statefulset.apps/counter-div scaled\n");
        self.says("rollout status statefulset/counter-div --timeout=60s");
    }

    /// What `kubectl describe` says, with single spaces.
    fn describes(&self, what: &str, wanted: &[&str]) {
        let description = self.says(&format!("describe {what}"));
        let plain = description.split_whitespace().collect::<Vec<_>>().join(" ");
        for wanted in wanted {
            assert!(plain.contains(wanted), "no `{wanted}` in {description}");
        }
    }
}

fn claim(ordinal: u32) -> String {
    format!("counter-div-counter-div-{ordinal}")
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn the_tutorial_of_shares_goes_step_by_step() {
    let kubectl = Kubectl::new();
    let classes = |kubectl: &Kubectl| {
        let table = kubectl.says("get storageclass --no-headers");
        let rows = table
            .lines()
            .map(|row| row.split_whitespace().map(str::to_owned).collect());
        rows.collect::<Vec<Vec<String>>>()
    };
    let provided = classes(&kubectl);
    assert_eq!(provided[0][..3], ["default", "(default)", "kubernetes.io/azure-disk"]);
    assert_eq!(provided[1][..2], ["managed-premium", "kubernetes.io/azure-disk"]);
    assert_eq!(provided.len(), 2);
    assert_eq!(
        kubectl.says(&format!("apply -f {CLASS}")),
        "storageclass.storage.k8s.io/azurefile-div created\n"
    );
    assert_eq!(classes(&kubectl)[0][..2], ["azurefile-div", "kubernetes.io/azure-file"]);
    for kind in ["po", "statefulsets"] {
        let nothing = kubectl.run(&format!("get {kind}")).succeeds().stderr;
        assert_eq!(nothing, "No resources found in default namespace.\n");
    }

    assert_eq!(
        kubectl.says(&format!("apply -f {SET}")),
        "statefulset.apps/counter-div created\n"
    );
    kubectl.says("rollout status statefulset/counter-div --timeout=60s");
    what_it_looks_at(&kubectl);
    assert_eq!(kubectl.shares(), 1);
    for replicas in 2..=4 {
        kubectl.scale(replicas);
        assert_eq!(kubectl.shares(), replicas, "one share more");
    }
    assert_eq!(kubectl.world.state()["storage_accounts"].as_array().unwrap().len(), 1);

    kubectl.scale(1);
    kubectl.says("wait --for=delete pod/counter-div-1 pod/counter-div-3 --timeout=60s");
    assert_eq!(
        kubectl.says(&format!("delete -f {SET} --timeout=60s")),
        "statefulset.apps \"counter-div\" deleted\n"
    );
    assert_eq!(
        kubectl.says(&format!("delete -f {CLASS} --timeout=60s")),
        "storageclass.storage.k8s.io \"azurefile-div\" deleted\n"
    );
    assert_eq!(classes(&kubectl).len(), 2);
    kubectl.says("wait --for=delete pod -l app=counter-div --timeout=60s");
    // The tutorial calls this cleaned up. The claims are still there, and so are the shares that somebody pays for.
    for ordinal in 0..4 {
        assert_eq!(kubectl.row("get pvc", &claim(ordinal))[1], "Bound");
    }
    assert_eq!(kubectl.shares(), 4);
    kubectl.says("delete pvc --all --timeout=60s");
    kubectl.says("wait --for=delete pv --all --timeout=60s");
    assert_eq!(kubectl.shares(), 0);
    let accounts = kubectl.world.state()["storage_accounts"].as_array().unwrap().len();
    assert_eq!(accounts, 1, "the driver leaves its account, as in life");
}

/// The views of the tutorial, of its set with one pod.
fn what_it_looks_at(kubectl: &Kubectl) {
    assert_eq!(kubectl.row("get statefulsets", "counter-div")[1], "1/1");
    assert_eq!(kubectl.row("get po", "counter-div-0")[1..3], ["1/1", "Running"]);
    kubectl.describes(
        "statefulsets",
        &[
            "Selector: app=counter-div",
            "Replicas: 1 desired | 1 total",
            "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
            "/app/ from counter-div (rw)",
            "StorageClass: azurefile-div",
            "Capacity: 50Mi",
            "Access Modes: [ReadWriteMany]",
            "create Claim counter-div-counter-div-0 Pod counter-div-0 in StatefulSet counter-div success",
        ],
    );
    kubectl.describes(
        "po counter-div-0",
        &[
            "Controlled By: StatefulSet/counter-div",
            "ClaimName: counter-div-counter-div-0",
            "pod has unbound immediate PersistentVolumeClaims",
            "Successfully assigned default/counter-div-0 to",
            "Container started: counter-div",
        ],
    );
    let claimed = kubectl.row("get pvc", &claim(0));
    assert_eq!(
        (claimed[1].as_str(), &claimed[3..6]),
        ("Bound", &["1Gi", "RWX", "azurefile-div"].map(str::to_owned)[..])
    );
    let volume = kubectl.row("get pv", &claimed[2]);
    assert_eq!(
        volume[1..6],
        ["1Gi", "RWX", "Delete", "Bound", "default/counter-div-counter-div-0"]
    );
    let share = kubectl.world.state()["shares"][0].clone();
    assert_eq!((&share["name"], &share["quota_gib"]), (&json!(claimed[2]), &json!(1)));
    let account = share["account"].as_str().unwrap();
    let handle = format!("VolumeHandle: moorline#{account}#{}###default", claimed[2]);
    kubectl.describes(
        "pv",
        &[
            "Driver: file.csi.azure.com",
            &handle,
            "skuName=Standard_LRS",
            "Node Affinity: <none>",
        ],
    );
    let options = kubectl.says(&format!("get pv {} -o jsonpath={{.spec.mountOptions}}", claimed[2]));
    assert_eq!(
        options,
        r#"["dir_mode=0777","file_mode=0777","uid=1000","gid=1000","mfsymlinks","nobrl","cache=none"]"#
    );
    kubectl.says(&format!("get secret azure-storage-account-{account}-secret"));
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn replicas_of_a_deployment_share_one_share_on_all_nodes() {
    let kubectl = Kubectl::new();
    let files = kubectl.world.write(
        "shared/all.yaml",
        "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: files}
provisioner: file.csi.azure.com
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: files
  resources: {requests: {storage: 50Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: counter}
spec:
  replicas: 6
  selector: {matchLabels: {app: counter}}
  template:
    metadata: {labels: {app: counter}}
    spec:
      containers:
      - {name: counter, image: 'divyajeetsingh/counter:1.0', volumeMounts: [{name: files, mountPath: /app/}]}
      volumes:
      - {name: files, persistentVolumeClaim: {claimName: files}}
",
    );
    kubectl.says(&format!("apply -f {}", files.display()));
    kubectl.says("rollout status deployment/counter --timeout=60s");
    assert_eq!(kubectl.shares(), 1);
    let nodes = kubectl.says("get pods -o jsonpath={.items[*].spec.nodeName}");
    let nodes: std::collections::BTreeSet<_> = nodes.split_whitespace().collect();
    assert_eq!(nodes.len(), 3);
    assert_eq!(kubectl.names("volumeattachments"), Vec::<String>::new());

    // The kubelets say how full it is, as `kubectl get --raw` shows it.
    for node in nodes {
        let summary = kubectl.says(&format!("get --raw /api/v1/nodes/{node}/proxy/stats/summary"));
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let pods = summary["pods"].as_array().unwrap();
        assert_eq!(pods.len(), 2, "{summary}");
        for pod in pods {
            let volume = &pod["volume"][0];
            assert_eq!(volume["pvcRef"]["name"], "files");
            assert_eq!(
                (&volume["capacityBytes"], &volume["usedBytes"]),
                (&json!(1_u64 << 30), &json!(0))
            );
        }
    }
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn a_claim_that_names_no_class_gets_a_disk() {
    let kubectl = Kubectl::new();
    let files = kubectl.world.write(
        "disk/all.yaml",
        "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  containers:
  - {name: one, image: nginx, volumeMounts: [{name: data, mountPath: /data}]}
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: data}}
",
    );
    kubectl.says(&format!("apply -f {}", files.display()));
    kubectl.says("wait --for=condition=Ready pod/one --timeout=60s");
    let claimed = kubectl.row("get pvc data", "data");
    assert_eq!(claimed[3..6], ["10Gi", "RWO", "default"]);
    let disk = kubectl.world.state()["disks"][0].clone();
    assert_eq!((&disk["name"], &disk["size_gib"]), (&json!(claimed[2]), &json!(10)));
    assert_eq!(disk["holders"].as_array().unwrap().len(), 1);
    kubectl.describes("pod one", &["SuccessfulAttachVolume"]);
    kubectl.says(&format!("delete -f {} --timeout=60s", files.display()));
    kubectl.says("wait --for=delete pv --all --timeout=60s");
    assert_eq!(kubectl.world.state()["disks"].as_array().unwrap().len(), 0);
}

#[test]
#[ignore = "needs kubectl: run cargo xtask test"]
fn kubectl_and_moorline_agree_on_shares() {
    let kubectl = Kubectl::new();
    let profile = "profiles/azure-counter --sandbox";
    kubectl.world.run(&format!("up {profile}")).succeeds();
    for file in [CLASS, SET] {
        assert_eq!(kubectl.says(&format!("diff -f {file}")), "");
    }
    // The driver makes the second one, in an account of its own: moorline's is not for it.
    kubectl.scale(2);
    let accounts = |kubectl: &Kubectl| {
        let state = kubectl.world.state();
        let shares = state["shares"].as_array().unwrap().iter();
        let accounts = shares.map(|share| share["account"].as_str().unwrap().to_owned());
        accounts.collect::<std::collections::BTreeSet<String>>()
    };
    let both = accounts(&kubectl);
    assert_eq!(both.len(), 2, "{both:?}");
    let status = kubectl.world.run(&format!("status {profile}")).succeeds();
    for ordinal in 0..2 {
        let rows = status.rows(&claim(ordinal));
        assert_eq!((rows.len(), rows[0][1]), (2, "Bound"), "{}", status.stdout);
    }
    kubectl.world.run(&format!("down {profile} --yes")).succeeds();
    assert_eq!(kubectl.names("statefulset,pod,pvc,pv"), Vec::<String>::new());
    assert_eq!(kubectl.shares(), 0);
}
