//! The real programs, started, killed and started again.
#![expect(clippy::unwrap_used, reason = "a test program")]

/// What a test of `real` runs as a child process, to kill it.
mod child {
    use std::path::Path;

    use moorline_parts::{Emulator, from_environment};

    /// Starts moto, says where, and waits for ever.
    #[test]
    #[ignore = "run as a child process by another test"]
    fn starts_moto_and_waits_for_ever() {
        let folder = std::env::var_os("MOORLINE_TEST_FOLDER").unwrap();
        let parts = from_environment().unwrap();
        let moto = Emulator::moto(&parts.programs, folder.as_ref()).unwrap();
        std::fs::write(Path::new(&folder).join("url"), moto.url()).unwrap();
        loop {
            std::thread::park();
        }
    }
}

mod real {
    use std::io::Write as _;
    use std::net::{Ipv4Addr, TcpListener};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use moorline_parts::{Component, ControlPlane, Emulator, Health, Identity, from_environment};

    /// Applies `manifest` with kubectl.
    fn apply(cluster: &ControlPlane, manifest: &str) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(manifest.as_bytes()).unwrap();
        cluster
            .kubectl(&["apply", "--filename", file.path().to_str().unwrap()])
            .unwrap();
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn the_shared_parts_are_well() {
        let parts = from_environment().unwrap();
        let kubectl = parts.programs.path("kubectl").unwrap();
        let mut command = Command::new(kubectl);
        command.arg("--kubeconfig").arg(parts.kubeconfig().unwrap());
        let ready = command.args(["get", "--raw", "/readyz"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ready.stdout), "ok");
        for url in [parts.moto().unwrap(), parts.localstack().unwrap()] {
            Health::Ec2 { url: url.to_owned() }.check(None).unwrap();
        }
        let url = parts.azurite().unwrap().to_owned();
        Health::Refuses { url }.check(None).unwrap();
    }

    const SET: &str = r"
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: inside}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx}]
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
";

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn a_control_plane_runs_pods_in_three_zones_and_names_load_balancers() {
        let parts = from_environment().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cluster = ControlPlane::start(&parts.programs, folder.path()).unwrap();
        apply(&cluster, SET);
        cluster
            .kubectl(&["rollout", "status", "statefulset/web", "--timeout=60s"])
            .unwrap();
        let mut nodes: Vec<String> = cluster
            .kubectl(&[
                "get",
                "pods",
                "-o",
                "jsonpath={range .items[*]}{.spec.nodeName}{'\\n'}{end}",
            ])
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        nodes.sort();
        assert_eq!(nodes, ["node-a", "node-b", "node-c"]);
        let ingress = "jsonpath={.status.loadBalancer.ingress[0].hostname}";
        cluster
            .kubectl(&[
                "wait",
                "--for=jsonpath={.status.loadBalancer.ingress}",
                "service/front",
                "--timeout=60s",
            ])
            .unwrap();
        let hostname = cluster.kubectl(&["get", "service", "front", "-o", ingress]).unwrap();
        let uid = cluster
            .kubectl(&["get", "service", "front", "-o", "jsonpath={.metadata.uid}"])
            .unwrap();
        let name = &format!("a{}", uid.replace('-', ""))[..32];
        assert_eq!(hostname, format!("{name}-1234567890.us-east-1.elb.amazonaws.com"));
        assert_eq!(
            cluster.kubectl(&["get", "service", "inside", "-o", ingress]).unwrap(),
            ""
        );
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn users_are_told_by_their_certificates_and_etcd_can_be_asked() {
        let parts = from_environment().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cluster = ControlPlane::start(&parts.programs, folder.path()).unwrap();
        let (certificate, key) = cluster.client_certificate("ada", "engineers").unwrap();
        let paths = [
            (folder.path().join("ada.crt"), certificate),
            (folder.path().join("ada.key"), key),
        ];
        for (path, text) in &paths {
            std::fs::write(path, text).unwrap();
        }
        let server = cluster
            .kubectl(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"])
            .unwrap();
        let mut command = Command::new(parts.programs.path("kubectl").unwrap());
        command.args([
            "--kubeconfig",
            "/dev/null",
            "--insecure-skip-tls-verify",
            "--server",
            &server,
        ]);
        command.arg("--client-certificate").arg(&paths[0].0);
        command.arg("--client-key").arg(&paths[1].0);
        let told = command.args(["auth", "whoami", "-o", "json"]).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(told["status"]["userInfo"]["username"], "ada");
        assert_eq!(told["status"]["userInfo"]["groups"][0], "engineers");
        let version = format!("{}/version", cluster.etcd());
        Health::Answers { url: version }.check(None).unwrap();
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn each_component_is_killed_and_comes_back_with_its_data() {
        let parts = from_environment().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = ControlPlane::start(&parts.programs, folder.path()).unwrap();
        cluster
            .kubectl(&["create", "configmap", "kept", "--from-literal=a=b"])
            .unwrap();
        for component in Component::ALL {
            assert!(cluster.runs(component), "{component:?}");
            cluster.kill(component).unwrap();
            assert!(!cluster.runs(component), "{component:?}");
            let answers = cluster
                .kubectl(&["get", "configmap", "kept", "--request-timeout=2s"])
                .is_ok();
            let needed = [Component::Etcd, Component::ApiServer].contains(&component);
            assert_eq!(answers, !needed, "without {component:?}");
            cluster.restart(component).unwrap();
        }
        cluster.kubectl(&["get", "configmap", "kept"]).unwrap();
        apply(&cluster, SET);
        cluster
            .kubectl(&["rollout", "status", "statefulset/web", "--timeout=60s"])
            .unwrap();
        for component in Component::ALL {
            cluster.kill(component).unwrap();
        }
        let ready = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
        for component in Component::ALL {
            cluster.restart(component).unwrap();
        }
        assert_eq!(
            cluster.kubectl(&["get", "nodes", "-o", ready]).unwrap(),
            "True True True"
        );
        assert_eq!(
            cluster.kubectl(&["get", "pods", "-o", ready]).unwrap(),
            "True True True"
        );
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn a_folder_is_taken_up_again_on_other_ports() {
        let parts = from_environment().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let first = ControlPlane::start(&parts.programs, folder.path()).unwrap();
        first
            .kubectl(&["create", "configmap", "kept", "--from-literal=a=b"])
            .unwrap();
        let before = first.etcd().to_owned();
        drop(first);
        let second = ControlPlane::start(&parts.programs, folder.path()).unwrap();
        assert_ne!(second.etcd(), before);
        second.kubectl(&["get", "configmap", "kept"]).unwrap();
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn a_component_that_cannot_start_is_named_with_its_last_words() {
        let mut programs = from_environment().unwrap().programs;
        let folder = tempfile::tempdir().unwrap();
        // As after a bad upgrade: a program of that name which does not know the flags.
        programs.insert("kube-apiserver", programs.path("etcd").unwrap().to_owned());
        let error = ControlPlane::start(&programs, folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("kube-apiserver ended (exit status: "), "{error}");
        assert!(
            error.contains("kube-apiserver.log ends with") && error.contains("flag"),
            "{error}"
        );
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn emulators_are_killed_and_come_back_on_their_port() {
        let parts = from_environment().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let moto = Emulator::moto(&parts.programs, &place("moto")).unwrap();
        let azurite = Emulator::azurite(&parts.programs, &place("azurite")).unwrap();
        let url = |emulator: &Emulator| emulator.url().to_owned();
        let asked = [Health::Ec2 { url: url(&moto) }, Health::Refuses { url: url(&azurite) }];
        for (mut emulator, health) in [moto, azurite].into_iter().zip(asked) {
            health.check(None).unwrap();
            emulator.kill().unwrap();
            assert!(!emulator.runs());
            health.check(None).unwrap_err();
            emulator.restart().unwrap();
            health.check(None).unwrap();
            let port = emulator.url().rsplit_once(':').unwrap().1.parse().unwrap();
            drop(emulator);
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn parts_end_with_the_program_that_started_them_even_if_it_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "child::starts_moto_and_waits_for_ever"]);
        let child = command
            .env("MOORLINE_TEST_FOLDER", folder.path())
            .stdout(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let said = folder.path().join("url");
        let start = Instant::now();
        let url = loop {
            match std::fs::read_to_string(&said) {
                Ok(url) if !url.is_empty() => break url,
                _ => assert!(start.elapsed() < Duration::from_mins(2), "it does not start"),
            }
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::yield_now();
        };
        assert!(Identity::of(child.id()).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
        let start = Instant::now();
        while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "moto outlives its starter");
            std::thread::yield_now();
        }
    }
}
