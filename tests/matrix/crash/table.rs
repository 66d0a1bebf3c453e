//! The one table of the crash matrix: what is killed, in which world, and what the world is like before.

use crate::support::{profile, set};

/// Where the volumes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// AWS EBS.
    Ebs,
    /// Azure file shares.
    Files,
    /// Azure blob containers.
    Blobs,
}

/// A command in a world.
#[derive(Debug)]
pub struct Row {
    /// The first part of its cases' names.
    pub name: &'static str,
    /// Where its volumes are.
    pub cloud: Cloud,
    /// Whether a CSI driver in the cluster deletes volumes, too.
    pub driver: bool,
    /// What the profile and the set say.
    pub terms: Terms,
    /// The commands that make the world; `{p}` is the profile's folder.
    pub before: &'static [&'static str],
    /// The command that is killed; `{origin}` is what can be brought back.
    pub line: &'static str,
    /// Other commands that may come after the kill, the last of which the world has to fit.
    pub then: &'static [Then],
}

/// What profile and manifests of a row say.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// `replicas` of the set.
    pub replicas: u32,
    /// `onDown` of the profile.
    pub on_down: &'static str,
    /// `whenScaled` of the set's retention policy.
    pub when_scaled: &'static str,
}

/// What somebody may do instead of running the killed command again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Takes the profile down.
    Down,
    /// Brings it up.
    Up,
    /// Collects garbage now and past every grace, then runs the killed command again.
    Collect,
}

const TWO: Terms = Terms {
    replicas: 2,
    on_down: "delete",
    when_scaled: "Retain",
};
const KEPT: Terms = Terms { on_down: "keep", ..TWO };
const SNAPSHOTTED: Terms = Terms {
    on_down: "snapshot",
    ..TWO
};
const SHRUNK: Terms = Terms {
    when_scaled: "Delete",
    ..TWO
};

/// Brings the profile up.
pub const UP: &str = "up {p} --yes --sandbox";
/// Takes it down.
pub const DOWN: &str = "down {p} --yes --sandbox";
const TO_FOUR: &str = "scale {p} web --replicas 4 --yes --sandbox";
const TO_ONE: &str = "scale {p} web --replicas 1 --yes --sandbox";
const RESTORE: &str = "restore {origin} {p} --sandbox";

const fn row(
    name: &'static str,
    cloud: Cloud,
    terms: Terms,
    before: &'static [&'static str],
    line: &'static str,
    then: &'static [Then],
) -> Row {
    Row {
        name,
        cloud,
        driver: false,
        terms,
        before,
        line,
        then,
    }
}

/// All of them.
pub const TABLE: [Row; 23] = {
    use Cloud::{Blobs, Ebs, Files};
    use Then::{Collect, Down, Up};
    [
        row("up-ebs", Ebs, TWO, &[], UP, &[Down, Collect]),
        row("up-files", Files, TWO, &[], UP, &[Down, Collect]),
        row("up-blobs", Blobs, TWO, &[], UP, &[Down, Collect]),
        row("scale-up-ebs", Ebs, TWO, &[UP], TO_FOUR, &[Down]),
        row("scale-up-files", Files, TWO, &[UP], TO_FOUR, &[Down]),
        row("scale-up-blobs", Blobs, TWO, &[UP], TO_FOUR, &[Down]),
        row("scale-down-ebs", Ebs, TWO, &[UP], TO_ONE, &[Up]),
        row("scale-down-files", Files, TWO, &[UP], TO_ONE, &[Up]),
        row("scale-down-blobs", Blobs, TWO, &[UP], TO_ONE, &[Up]),
        row("scale-down-delete-ebs", Ebs, SHRUNK, &[UP], TO_ONE, &[Up]),
        row("scale-down-delete-files", Files, SHRUNK, &[UP], TO_ONE, &[Up]),
        row("scale-down-delete-blobs", Blobs, SHRUNK, &[UP], TO_ONE, &[Up]),
        row("down-delete-ebs", Ebs, TWO, &[UP], DOWN, &[Up, Collect]),
        row("down-delete-files", Files, TWO, &[UP], DOWN, &[Up, Collect]),
        row("down-delete-blobs", Blobs, TWO, &[UP], DOWN, &[Up, Collect]),
        Row {
            driver: true,
            ..row("down-delete-csi", Ebs, TWO, &[UP], DOWN, &[Up, Collect])
        },
        row("down-keep-ebs", Ebs, KEPT, &[UP], DOWN, &[Collect]),
        row("down-keep-files", Files, KEPT, &[UP], DOWN, &[Collect]),
        row("down-keep-blobs", Blobs, KEPT, &[UP], DOWN, &[Collect]),
        row("down-snapshot-ebs", Ebs, SNAPSHOTTED, &[UP], DOWN, &[Up, Collect]),
        row("down-snapshot-files", Files, SNAPSHOTTED, &[UP], DOWN, &[Up, Collect]),
        row("restore-ebs", Ebs, SNAPSHOTTED, &[UP, DOWN], RESTORE, &[]),
        row("restore-files", Files, TWO, &[UP, DOWN], RESTORE, &[]),
    ]
};

impl Then {
    /// The part of a case's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Down => "then-down",
            Self::Up => "then-up",
            Self::Collect => "then-gc",
        }
    }
}

impl Row {
    /// `profile.yaml`.
    pub fn profile(&self) -> String {
        let on_down = format!("onDown: {}\n", self.terms.on_down);
        match self.cloud {
            Cloud::Ebs => profile("web") + &on_down,
            Cloud::Files | Cloud::Blobs => format!("name: web\nprovider:\n  azure: {{}}\n{on_down}"),
        }
    }

    /// The StatefulSet and its class.
    pub fn manifests(&self) -> String {
        let policy = "  podManagementPolicy: Parallel\n";
        let retention = format!(
            "{policy}  persistentVolumeClaimRetentionPolicy: {{whenScaled: {}}}\n",
            self.terms.when_scaled
        );
        let ebs = set("web", self.terms.replicas).replace(policy, &retention);
        let azure = |driver: &str| {
            ebs.replace("ebs.csi.aws.com", driver)
                .replace("type: gp3", "skuName: Standard_LRS")
                .replace("ReadWriteOnce", "ReadWriteMany")
        };
        match self.cloud {
            Cloud::Ebs => ebs,
            Cloud::Files => azure("file.csi.azure.com"),
            Cloud::Blobs => azure("blob.csi.azure.com").replace("skuName", "protocol: fuse2, skuName"),
        }
    }
}
