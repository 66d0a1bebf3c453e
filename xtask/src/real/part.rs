//! Which parts there are, how each is set up and started. A new one is added here.

use std::path::Path;

use clap::ValueEnum;
use moorline_parts::{ControlPlane, Emulator, Error, Parts, Programs, Record};
use serde::{Deserialize, Serialize};

use crate::client::Missing;
use crate::{kubernetes, node, process, python};

/// A real part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// A Kubernetes control plane with three nodes in name only
    Kubernetes,
    /// moto: AWS, with load balancers
    Moto,
    /// `LocalStack`: AWS, without load balancers
    Localstack,
    /// Azurite: Azure's blob storage
    Azurite,
}

/// A part that runs, and ends when this is dropped.
#[expect(clippy::large_enum_variant, reason = "there are four of them")]
pub(crate) enum Started {
    Cluster(ControlPlane),
    Cloud(Emulator),
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::Kubernetes, Self::Moto, Self::Localstack, Self::Azurite];

    /// What it is called by people and in the file system.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Moto => "moto",
            Self::Localstack => "localstack",
            Self::Azurite => "azurite",
        }
    }

    fn set_up(self) -> Result<Programs, Missing> {
        let environment = match self {
            Self::Kubernetes => return kubernetes::set_up(),
            Self::Moto => python::MOTO,
            Self::Localstack => python::LOCALSTACK,
            Self::Azurite => return node::azurite(),
        };
        let mut programs = Programs::default();
        programs.insert(self.name(), environment.set_up()?.program);
        Ok(programs)
    }

    /// Whether `programs` has what starts it.
    pub(crate) fn has_programs(self, programs: &Programs) -> bool {
        let first = match self {
            Self::Kubernetes => "kube-apiserver",
            Self::Moto | Self::Localstack | Self::Azurite => self.name(),
        };
        programs.path(first).is_ok()
    }

    fn start(self, programs: &Programs, folder: &Path) -> Result<Started, Error> {
        match self {
            Self::Kubernetes => ControlPlane::start(programs, folder).map(Started::Cluster),
            Self::Moto => Emulator::moto(programs, folder).map(Started::Cloud),
            Self::Localstack => Emulator::localstack(programs, folder).map(Started::Cloud),
            Self::Azurite => Emulator::azurite(programs, folder).map(Started::Cloud),
        }
    }

    /// Writes into `parts` that it runs at `place`.
    pub(crate) fn tell(self, place: &str, parts: &mut Parts) {
        match self {
            Self::Kubernetes => parts.set_kubernetes(place.into()),
            Self::Moto => parts.set_moto(place.to_owned()),
            Self::Localstack => parts.set_localstack(place.to_owned()),
            Self::Azurite => parts.set_azurite(place.to_owned()),
        }
    }
}

impl Started {
    /// Its kubeconfig or its address.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Cluster(cluster) => cluster.kubeconfig().to_string_lossy().into_owned(),
            Self::Cloud(cloud) => cloud.url().to_owned(),
        }
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        match self {
            Self::Cluster(cluster) => cluster.records(),
            Self::Cloud(cloud) => cloud.record().into_iter().collect(),
        }
    }

    pub(crate) fn detach(self) {
        match self {
            Self::Cluster(cluster) => cluster.detach(),
            Self::Cloud(cloud) => cloud.detach(),
        }
    }
}

/// The programs of `parts`, all set up at the same time; and what this machine cannot have.
pub(crate) fn set_up(parts: &[Part]) -> (Programs, Vec<Missing>) {
    let mut programs = Programs::default();
    let mut missing = Vec::new();
    for result in at_once(parts, Part::set_up) {
        match result {
            Ok(found) => programs.extend(found),
            Err(why) => missing.push(why),
        }
    }
    (programs, missing)
}

/// Starts `parts` at the same time, each in the folder of its name in `folder`.
pub(crate) fn start(parts: &[Part], programs: &Programs, folder: &Path) -> Vec<(Part, Result<Started, Error>)> {
    let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
    if !names.is_empty() {
        process::say(&format!("starting {}", names.join(", ")));
    }
    let started = at_once(parts, |part| part.start(programs, &folder.join(part.name())));
    parts.iter().copied().zip(started).collect()
}

/// What `work` makes of each part, each in a thread of its own.
fn at_once<T: Send>(parts: &[Part], work: impl Fn(Part) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = parts.iter().map(|part| scope.spawn(move || work(*part))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}
