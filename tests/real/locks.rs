//! One run at a time on a real control plane.

use crate::clouds::Cloud;
use crate::stage::Stage;

const PROFILE: &str = "profiles/aws-nginx-stateful";

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn ten_at_once_come_to_what_one_does() {
    let stage = Stage::shared(Cloud::Moto);
    let line = format!("up {PROFILE} --yes");
    let runs: Vec<_> = (0..10)
        .map(|_| {
            let mut command = stage.moorline(&line);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let mut held = 0;
    for run in runs {
        let run = crate::support::Run::of(&line, &run.wait_with_output().unwrap());
        match run.code {
            Some(0) => {}
            Some(5) => {
                held += 1;
                assert!(run.stderr.contains("is held by"), "{}", run.stderr);
            }
            other => panic!("{other:?}: {}", run.stderr),
        }
    }
    assert!(held > 0, "they did not meet");
    assert_eq!(stage.account.volumes("aws-nginx-stateful").len(), 3);
    stage.run(&format!("down {PROFILE} --yes")).succeeds();
    assert!(stage.account.volumes("aws-nginx-stateful").is_empty());
    let leases = stage.names("lease -n default");
    assert!(!leases.iter().any(|name| name.contains("moorline")), "{leases:?}");
}
