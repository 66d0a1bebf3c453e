//! What is secret stays secret, however much is said.

use crate::support::{World, profile};

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {password: VALUE}
";

#[test]
fn values_of_secrets_are_never_printed() {
    let world = World::instant();
    let folder = world.write("hush/profile.yaml", &profile("hush")).display().to_string();
    for value in ["hunter2-first", "hunter2-second"] {
        world.write("hush/secret.yaml", &SECRET.replace("VALUE", value));
        for line in ["plan", "plan -o wide", "plan -o json", "up -vvv", "status -o yaml"] {
            let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
            let run = world.run(&format!("{command} {folder} --sandbox {rest}")).succeeds();
            for secret in ["hunter2", "aHVudGVyM"] {
                assert!(!run.stdout.contains(secret), "{line}: {}", run.stdout);
                assert!(!run.stderr.contains(secret), "{line}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn keys_of_the_cloud_are_never_printed() {
    let world = World::instant();
    let served = world.serve();
    let mut command = world.moorline("plan profiles/aws-nginx-stateful -vvv");
    command.envs(served.environment.iter().map(|(name, value)| (name, value)));
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAHUSHHUSHHUSHHUSH")
        .env("AWS_SECRET_ACCESS_KEY", "wJalrHushHush");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("wJalrHushHush"), "{said}");
}
