//! Where the programs are that real parts are made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Programs by name: `kube-apiserver`, `etcd`, `kube-controller-manager`, `kube-scheduler`, `kwok` (and `kwok-stages`, the
/// folder of what it plays), `kubectl`; `moto` and `localstack` are the Pythons that have these packages;
/// `azurite` is a program for `node`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// The program called `name`.
    pub fn path(&self, name: &str) -> Result<&Path, Error> {
        self.0
            .get(name)
            .map(PathBuf::as_path)
            .ok_or_else(|| Error::NoProgram(name.to_owned()))
    }

    /// Says where `name` is; what was said before no longer counts.
    pub fn insert(&mut self, name: &str, path: PathBuf) {
        self.0.insert(name.to_owned(), path);
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}
