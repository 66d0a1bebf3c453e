//! How soon claims are Bound: the binder looks at a waiting claim by itself only every 15 s.

use serde_json::Value;

use crate::clouds::Cloud;
use crate::stage::Stage;
use crate::support::{profile, set};

/// Claims of the profile: enough that a binder which is not woken would meet some of them late.
const CLAIMS: u32 = 20;

/// A time of the API server in seconds; it tells no fractions.
fn seconds(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_second()
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn claims_are_bound_when_their_volumes_are_there_and_not_at_a_resync() {
    for mode in ["Immediate", "WaitForFirstConsumer"] {
        let stage = Stage::shared(Cloud::Moto);
        let manifest =
            set("bind", CLAIMS).replace("parameters: {", &format!("volumeBindingMode: {mode}\nparameters: {{"));
        stage
            .world
            .write("bind/profile.yaml", &format!("{}onDown: delete\n", profile("bind")));
        let folder = stage.world.write("bind/set.yaml", &manifest).display().to_string();
        stage.run(&format!("up {folder}")).succeeds();
        let pvs = stage.get("pv -l moorline.dev/profile=bind");
        let last_pv = pvs
            .iter()
            .map(|pv| seconds(&pv["metadata"]["creationTimestamp"]))
            .max()
            .unwrap();
        let claims = stage.get("pvc -l moorline.dev/profile=bind --show-managed-fields");
        assert_eq!((pvs.len(), claims.len()), (CLAIMS as usize, CLAIMS as usize));
        let bound_at = |claim: &Value| {
            let entries = claim["metadata"]["managedFields"].as_array().unwrap();
            let binder = entries
                .iter()
                .find(|entry| entry["subresource"] == "status")
                .expect("the binder writes the claim's status");
            seconds(&binder["time"])
        };
        let last_bound = claims.iter().map(bound_at).max().unwrap();
        // In whole seconds, on a machine that may compile beside it; unwoken, half of them would be later than this.
        assert!(
            last_bound - last_pv <= 4,
            "{mode}: Bound {} s after the last volume",
            last_bound - last_pv
        );
        stage.run(&format!("down {folder} --yes")).succeeds();
    }
}
