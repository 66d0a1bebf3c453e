//! Servers that take a call and never answer, in each of the worlds; signals, and readers that go away.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, spawn};
use std::time::{Duration, Instant};

use crate::support::{Run, World, eventually, profile, set, signal};

const AZURE: &str = "profiles/azure-counter";

/// How much longer than its deadline a run may take here, where others use the machine too.
const SLACK: Duration = Duration::from_secs(20);

/// A server that accepts connections and never says anything.
struct Silent {
    address: String,
    calls: Arc<AtomicUsize>,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        // Ends with the process; the connections stay open until then.
        spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().flatten() {
                open.push(stream);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { address, calls }
    }

    fn was_called(&self) {
        eventually("it is called", || self.calls.load(Ordering::Relaxed) > 0);
    }
}

/// A world with a profile, whose cluster never answers.
fn silent_cluster(silent: &Silent) -> (World, String) {
    let world = World::realistic();
    let folder = world.write("one/profile.yaml", &profile("one"));
    world.write("one/set.yaml", &set("one", 1));
    let server = &silent.address;
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: dead\ncontexts: [{{name: dead, context: {{cluster: dead, user: me}}}}]
clusters: [{{name: dead, cluster: {{server: \"http://{server}\"}}}}]\nusers: [{{name: me, user: {{}}}}]\n"
    );
    world.write("kube/config", &config);
    let policy = "scopes:\n  - aws: {regions: [us-east-1], account: \"000000000000\"}\nclusters:\n  - context: dead\nstore: ./runs\n";
    world.write("moorline-gc.yaml", policy);
    (world, folder.display().to_string())
}

fn with_cluster(world: &World, line: &str) -> Command {
    let mut command = world.moorline(line);
    command
        .env("KUBECONFIG", world.path().join("kube/config"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    command
}

fn commands(folder: &str) -> Vec<String> {
    [
        "up FOLDER",
        "plan FOLDER",
        "status FOLDER",
        "df FOLDER",
        "scale FOLDER one --replicas 2",
        "down FOLDER --yes",
        "lb FOLDER",
        "check FOLDER",
        "restore vol-0123456789abcdef0 FOLDER",
    ]
    .map(|line| line.replace("FOLDER", folder))
    .to_vec()
}

fn ends_in_time(line: &str, mut command: Command) -> Run {
    let begun = Instant::now();
    let run = Run::of(line, &command.output().unwrap());
    assert!(begun.elapsed() < SLACK, "{line} took {:?}", begun.elapsed());
    run
}

#[test]
fn a_cluster_that_never_answers_ends_every_command_at_its_deadline() {
    let silent = Silent::new();
    let (world, folder) = silent_cluster(&silent);
    scope(|scope| {
        for line in commands(&folder) {
            let world = &world;
            scope.spawn(move || {
                let run = ends_in_time(&line, with_cluster(world, &format!("{line} --timeout 1500ms"))).exits(6);
                assert!(run.stderr.contains("timed out after 1.5 s"), "{line}: {}", run.stderr);
                let says_what = run.stderr.contains("API server") || run.stderr.contains("still being read");
                assert!(says_what, "{line}: {}", run.stderr);
            });
        }
    });
}

#[test]
fn a_cloud_that_never_answers_does_so_too() {
    let silent = Silent::new();
    let (world, folder) = silent_cluster(&silent);
    let served = world.serve();
    let in_aws = |line: &str| {
        let mut command = world.moorline(line);
        command.envs(served.environment.iter().cloned());
        command.env("AWS_ENDPOINT_URL", format!("http://{}", silent.address));
        command
    };
    let in_azure = |line: &str| {
        let mut command = world.moorline(line);
        command.envs(served.environment.iter().cloned());
        let endpoint = format!("https://{}", silent.address);
        command.env("AZURE_RESOURCE_MANAGER_ENDPOINT", &endpoint);
        command.env("AZURE_AUTHORITY_HOST", endpoint);
        command
    };
    let commands: Vec<_> = [
        format!("up {folder}"),
        format!("plan {folder}"),
        format!("down {folder} --yes"),
    ]
    .into_iter()
    .map(|line| (in_aws(&format!("{line} --timeout 1500ms")), line))
    .chain([format!("up {AZURE}"), format!("down {AZURE} --yes")].map(|line| {
        let command = in_azure(&format!("{line} --timeout 1500ms"));
        (command, line)
    }))
    .collect();
    scope(|scope| {
        for (command, line) in commands {
            scope.spawn(move || {
                let run = ends_in_time(&line, command);
                assert!(matches!(run.code, Some(3 | 6)), "{line}: {:?} {}", run.code, run.stderr);
                assert!(run.stderr.contains("error:"), "{line}: {}", run.stderr);
            });
        }
    });
    assert!(silent.calls.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_signal_ends_every_command_while_nobody_answers() {
    for (nth, name) in ["INT", "TERM"].into_iter().enumerate() {
        scope(|scope| {
            // Half of them by each signal: they all come to the same place.
            for line in commands("FOLDER").into_iter().skip(nth).step_by(2) {
                scope.spawn(move || {
                    let silent = Silent::new();
                    let (world, folder) = silent_cluster(&silent);
                    let line = line.replace("FOLDER", &folder);
                    let mut command = with_cluster(&world, &line);
                    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
                    silent.was_called();
                    let begun = Instant::now();
                    signal(&child, name).unwrap();
                    let run = Run::of(&line, &child.wait_with_output().unwrap());
                    assert_eq!(run.code, Some(130), "{line}: {}", run.stderr);
                    assert!(begun.elapsed() < SLACK, "{line} took {:?}", begun.elapsed());
                    assert!(run.stderr.contains("interrupted"), "{line}: {}", run.stderr);
                });
            }
        });
    }
}

#[test]
fn nobody_reading_is_no_error() {
    let world = World::instant();
    world.run("up profiles/aws-nginx-stateful --sandbox").succeeds();
    let served = world.serve();
    scope(|scope| {
        for line in [
            "status profiles/aws-nginx-stateful --sandbox",
            "status profiles/aws-nginx-stateful --sandbox -o json",
            "plan profiles/aws-nginx-stateful --sandbox -o yaml",
            "check --sandbox",
            "lb --sandbox -o wide",
            "gc --sandbox",
            "gc --sandbox --events",
            "gc history --sandbox",
            "sandbox audit",
            "sandbox env",
            "completions bash",
            "schema",
            "--help",
            "gc --help",
            "--version",
        ] {
            let world = &world;
            scope.spawn(move || {
                let program = env!("CARGO_BIN_EXE_moorline");
                // A pipe whose reader has gone before anything is written, and no stdout at all.
                for script in [
                    format!("exec 3> >(exec true); wait $!; {program} {line} >&3"),
                    format!("{program} {line} >&-"),
                ] {
                    let run = world.command("bash").args(["-c", &script]).output().unwrap();
                    let run = Run::of(&script, &run);
                    assert_eq!(run.code, Some(0), "{script}: {}", run.stderr);
                    assert!(!run.stderr.contains("panicked"), "{script}: {}", run.stderr);
                }
            });
        }
    });
    drop(served);
}
