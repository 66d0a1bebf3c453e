//! Programs that are to give credentials and hang: they are named, and none outlives the run.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Run, World, eventually, profile, set, signal};

/// How much longer than its deadline a run may take here, where others use the machine too.
const SLACK: Duration = Duration::from_secs(20);

/// A subscription for which only somebody who is signed in to the Azure CLI has credentials, and which is asked nothing.
const AZURE: [(&str, &str); 3] = [
    ("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://127.0.0.1:9"),
    ("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9"),
    ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "no address"),
];

/// A profile, and a kubeconfig, an AWS profile and an Azure CLI whose credentials come from a program that starts another one, and hangs.
struct Stage {
    world: World,
    folder: String,
}

impl Stage {
    fn new() -> Self {
        let world = World::realistic();
        let folder = world.write("one/profile.yaml", &profile("one")).display().to_string();
        world.write("one/set.yaml", &set("one", 1));
        let home = world.path().display().to_string();
        // Whole at once, because it is waited for.
        let script = format!("#!/bin/sh\nsleep 300 &\necho $$ $! > {home}/new\nmv {home}/new {home}/pids\nwait\n");
        let login = world.write("login", &script).join("login");
        std::fs::set_permissions(&login, Permissions::from_mode(0o700)).unwrap();
        let login = login.display();
        let exec = format!("{{apiVersion: client.authentication.k8s.io/v1, command: {login}, interactiveMode: Never}}");
        let config = |user: &str| {
            format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: me}}}}]
clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:9\"}}}}]\nusers: [{{name: me, user: {user}}}]\n"
            )
        };
        world.write("kube/hangs", &config(&format!("{{exec: {exec}}}")));
        world.write("kube/plain", &config("{}"));
        world.write(".aws/config", &format!("[default]\ncredential_process = {login}\n"));
        std::fs::create_dir(world.path().join("bin")).unwrap();
        symlink(world.path().join("login"), world.path().join("bin/az")).unwrap();
        for (file, scope) in [
            ("aws.yaml", "aws: {regions: [us-east-1]}"),
            (
                "azure.yaml",
                "azure: {subscription: 22222222-bbbb-4000-8000-000000000001}",
            ),
        ] {
            let policy = format!("scopes:\n  - {scope}\nclusters:\n  - context: c\nstore: ./runs\n");
            world.write(file, &policy);
        }
        Self { world, folder }
    }

    /// A command whose kubeconfig is this one.
    fn command(&self, line: &str, kubeconfig: &str) -> Command {
        let mut command = self.world.moorline(line);
        command.env("KUBECONFIG", self.world.path().join("kube").join(kubeconfig));
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}/bin:{path}", self.world.path().display()));
        command.envs(AZURE).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Garbage collection by one of the policies.
    fn collecting(&self, policy: &str) -> String {
        format!("gc --policy {}", self.world.path().join(policy).display())
    }

    fn run(&self, line: &str, kubeconfig: &str) -> Run {
        let begun = Instant::now();
        let run = Run::of(line, &self.command(line, kubeconfig).output().unwrap());
        assert!(begun.elapsed() < SLACK, "{line} took {:?}", begun.elapsed());
        run
    }

    /// The processes of the last program that was asked for credentials.
    fn processes(&self) -> Option<Vec<String>> {
        let pids = std::fs::read_to_string(self.world.path().join("pids")).ok()?;
        Some(pids.split_whitespace().map(str::to_owned).collect())
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        let processes = self.processes().expect("it was asked for credentials");
        assert_eq!(processes.len(), 2);
        eventually("all that was started is gone", || {
            processes.iter().all(|process| is_gone(process))
        });
    }
}

/// What has ended may stay as an entry until its parent asks for it.
fn is_gone(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| {
        stat.rsplit(')').next().unwrap().trim().starts_with(['Z', 'X'])
    })
}

#[test]
fn a_plugin_of_a_kubeconfig_that_hangs_is_named_and_ended_at_the_deadline() {
    std::thread::scope(|scope| {
        for line in ["up FOLDER", "status FOLDER", "down FOLDER --yes"] {
            scope.spawn(move || {
                let stage = Stage::new();
                let line = format!("{} --timeout 1500ms", line.replace("FOLDER", &stage.folder));
                let run = stage.run(&line, "hangs").exits(6);
                let named = run.stderr.contains("no credentials from the plugin `") && run.stderr.contains("/login`");
                assert!(named, "{line}: {}", run.stderr);
                stage.nothing_is_left();
            });
        }
    });
}

#[test]
fn a_signal_ends_a_program_that_hangs() {
    std::thread::scope(|scope| {
        for (line, kubeconfig) in [("up", "hangs"), ("gc", "plain")] {
            // The second of two signals leaves no time for anything but the end.
            for signals in 1..=2 {
                scope.spawn(move || {
                    let stage = Stage::new();
                    let line = match line {
                        "up" => format!("up {}", stage.folder),
                        _ => stage.collecting("azure.yaml"),
                    };
                    let child = stage.command(&line, kubeconfig).spawn().unwrap();
                    eventually("it is asked for credentials", || stage.processes().is_some());
                    for _ in 0..signals {
                        signal(&child, "INT").unwrap();
                    }
                    Run::of(&line, &child.wait_with_output().unwrap()).exits(130);
                    stage.nothing_is_left();
                });
            }
        }
    });
}

#[test]
fn what_clouds_ask_for_credentials_and_hangs_is_told_of_and_does_not_outlive_the_run() {
    std::thread::scope(|scope| {
        for (policy, named) in [
            ("aws.yaml", "credential_process"),
            ("azure.yaml", "Azure CLI (no answer within "),
        ] {
            for deadline in ["--timeout 3s", "--call-timeout 1s --timeout 10s"] {
                scope.spawn(move || {
                    let stage = Stage::new();
                    let line = format!("{} {deadline}", stage.collecting(policy));
                    let run = stage.run(&line, "plain");
                    assert!(matches!(run.code, Some(3 | 6)), "{line}: {:?} {}", run.code, run.stderr);
                    assert!(run.stderr.contains(named), "{line}: {}", run.stderr);
                    stage.nothing_is_left();
                });
            }
        }
    });
}
