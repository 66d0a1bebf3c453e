//! A scope whose account is another one's: its role is assumed before anything is read.

use super::stage::{AWS, Stage, ended};
use crate::support::Run;

/// Of a role of the sandbox that asks for an external id.
const ROLE: &str = "moorline-external";

impl Stage {
    /// Runs `gc` as anywhere else: by the environment that `sandbox serve` prints, and by a policy whose scope takes on the role.
    fn as_role(&self, external_id: &str, line: &str) -> Run {
        let account = self.world.run("sandbox settings").succeeds().json()["aws"]["account"].clone();
        let role = format!("arn:aws:iam::{}:role/{ROLE}", account.as_str().unwrap());
        let policy = format!(
            "scopes:\n  - aws: {{role: \"{role}\", externalId: {external_id}, regions: [us-east-1]}}\n\
             clusters:\n  - context: moorline-sandbox\nstore: runs\n"
        );
        let folder = self.world.write("role/policy.yaml", &policy);
        std::fs::create_dir_all(folder.join("runs")).unwrap();
        let policy = folder.join("policy.yaml");
        let line = format!("gc {line} --policy {}", policy.display());
        let mut command = self.world.moorline(&line);
        command.envs(self.sandbox.environment.iter().cloned());
        Run::of(&line, &command.output().unwrap())
    }
}

#[test]
fn a_scope_with_a_role_is_looked_at_and_swept_as_that_role() {
    let stage = Stage::left_behind(&AWS);
    let marked = stage.as_role("moorline", "--apply -o json").succeeds().json();
    assert_eq!(marked["marksWritten"], 3, "{marked}");
    assert!(stage.world.audit().count("AssumeRole", "calls") > 0);
    stage.grace_passes();
    let report = stage.as_role("moorline", "--apply -o json").succeeds().json();
    assert_eq!(ended(&report, "gone").len(), 3, "{report}");
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn a_role_that_is_refused_is_a_gap_and_its_volumes_are_not_looked_at_as_somebody_else() {
    let stage = Stage::left_behind(&AWS);
    let run = stage.as_role("of-somebody-else", "--apply -o json").exits(3);
    let report = run.json();
    assert_eq!(report["marksWritten"], 0, "{report}");
    assert!(run.stdout.contains("AssumeRole"), "what was refused: {report}");
    let audit = stage.world.audit();
    assert_eq!(audit.sum("ec2", "calls"), 0, "{}", audit.with("calls"));
    assert_eq!(stage.remains(), [3; 3]);
}
