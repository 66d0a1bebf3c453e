//! What a claim may ask of a share or a container.

use moorline_api::{ClaimShape, FieldPath, FieldProblem};

use crate::names::Service;

/// A problem below a claim's spec.
pub(crate) fn problem(path: &[&str], cause: impl Into<String>, cure: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: FieldPath::Claim(path.iter().map(|&part| part.to_owned()).collect()),
        cause: cause.into(),
        cure: cure.into(),
    }
}

/// Every access mode is possible; a block device is not.
pub(crate) fn check(claim: &ClaimShape, service: Service) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    match claim.volume_mode.as_str() {
        "Filesystem" => {}
        "Block" => {
            let what = match service {
                Service::Files => "a file share is a file system",
                Service::Blobs => "a blob container is mounted as a file system",
            };
            let cause = format!("{what}, and no block device");
            problems.push(problem(
                &["spec", "volumeMode"],
                cause,
                "use Filesystem, or a class of a disk",
            ));
        }
        other => {
            let cause = format!("{other:?} is no volume mode");
            problems.push(problem(&["spec", "volumeMode"], cause, "use Filesystem"));
        }
    }
    for (index, mode) in claim.access_modes.iter().enumerate() {
        let known = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"].contains(&mode.as_str());
        if !known {
            let cause = format!("{mode:?} is no access mode");
            let path = ["spec", "accessModes", &index.to_string()];
            problems.push(problem(
                &path,
                cause,
                "use ReadWriteMany, ReadWriteOnce, ReadOnlyMany or ReadWriteOncePod",
            ));
        }
    }
    if claim.access_modes.is_empty() {
        let cause = "the claim has no access mode";
        problems.push(problem(&["spec", "accessModes"], cause, "add ReadWriteMany"));
    }
    problems
}
