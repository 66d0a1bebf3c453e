//! The parts file: what runs where, for the tests.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Programs};

/// The variable that names the parts file.
pub const VARIABLE: &str = "MOORLINE_TEST_PARTS";

/// The account that every Azurite has.
pub const AZURITE_ACCOUNT: &str = "devstoreaccount1";

/// That account's key: published, the same everywhere, and no secret.
pub const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The connection string of the account of an Azurite whose blob service is at `url`.
pub fn azurite_connection(url: &str) -> String {
    let account = format!("AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY}");
    format!("DefaultEndpointsProtocol=http;{account};BlobEndpoint={url}/{AZURITE_ACCOUNT};")
}

/// What runs, and what more could be started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<Cluster>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moto: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    localstack: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    azurite: Option<Endpoint>,
    /// The programs from which a test can start parts of its own.
    pub programs: Programs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cluster {
    kubeconfig: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Endpoint {
    url: String,
}

impl Parts {
    /// Nothing runs; `programs` are there.
    pub fn new(programs: Programs) -> Self {
        Self {
            programs,
            ..Self::default()
        }
    }

    /// The kubeconfig of the running control plane; its user may do everything.
    pub fn kubeconfig(&self) -> Result<&Path, Error> {
        let cluster = self
            .kubernetes
            .as_ref()
            .ok_or(Error::NotRunning("the Kubernetes control plane"))?;
        Ok(&cluster.kubeconfig)
    }

    /// Where moto answers: `http://127.0.0.1:PORT`.
    pub fn moto(&self) -> Result<&str, Error> {
        let endpoint = self.moto.as_ref().ok_or(Error::NotRunning("moto"))?;
        Ok(&endpoint.url)
    }

    /// Where LocalStack answers: `http://127.0.0.1:PORT`. An access key id of twelve digits is the account.
    pub fn localstack(&self) -> Result<&str, Error> {
        let endpoint = self.localstack.as_ref().ok_or(Error::NotRunning("LocalStack"))?;
        Ok(&endpoint.url)
    }

    /// Where Azurite's blob service answers: `http://127.0.0.1:PORT`. Its account is [`AZURITE_ACCOUNT`], and in the path.
    pub fn azurite(&self) -> Result<&str, Error> {
        let endpoint = self.azurite.as_ref().ok_or(Error::NotRunning("Azurite"))?;
        Ok(&endpoint.url)
    }

    /// The connection string of Azurite's account, as the clients of Azure's storage read it.
    pub fn azurite_connection(&self) -> Result<String, Error> {
        let url = self.azurite()?;
        Ok(azurite_connection(url))
    }

    /// A control plane runs.
    pub fn set_kubernetes(&mut self, kubeconfig: PathBuf) {
        self.kubernetes = Some(Cluster { kubeconfig });
    }

    /// moto runs.
    pub fn set_moto(&mut self, url: String) {
        self.moto = Some(Endpoint { url });
    }

    /// LocalStack runs.
    pub fn set_localstack(&mut self, url: String) {
        self.localstack = Some(Endpoint { url });
    }

    /// Azurite runs.
    pub fn set_azurite(&mut self, url: String) {
        self.azurite = Some(Endpoint { url });
    }

    /// Reads a parts file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(Error::file("read", path))?;
        serde_json::from_slice(&text).map_err(|source| Error::Malformed {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes it, as [`Parts::read`] reads it.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(|source| Error::Malformed {
            path: path.to_owned(),
            source,
        })?;
        std::fs::write(path, text).map_err(Error::file("write", path))
    }
}

/// The parts that were started for the tests.
pub fn from_environment() -> Result<Parts, Error> {
    let path = std::env::var_os(VARIABLE).ok_or(Error::NoParts)?;
    Parts::read(Path::new(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parts_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts.json");
        let mut parts = Parts::default();
        parts.programs.insert("kubectl", PathBuf::from("/bin/kubectl"));
        parts.set_kubernetes(PathBuf::from("/tmp/kubeconfig"));
        parts.set_moto("http://127.0.0.1:26001".to_owned());
        parts.set_azurite("http://127.0.0.1:26002".to_owned());
        parts.write(&path).unwrap();
        let read = Parts::read(&path).unwrap();
        assert_eq!(read, parts);
        assert_eq!(read.moto().unwrap(), "http://127.0.0.1:26001");
        let connection = read.azurite_connection().unwrap();
        assert!(connection.ends_with(";BlobEndpoint=http://127.0.0.1:26002/devstoreaccount1;"));
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(told["kubernetes"]["kubeconfig"], "/tmp/kubeconfig");
        assert_eq!(told["programs"]["kubectl"], "/bin/kubectl");
    }

    #[test]
    fn what_does_not_run_is_named() {
        let parts = Parts::default();
        assert!(
            parts
                .localstack()
                .unwrap_err()
                .to_string()
                .starts_with("LocalStack does not run")
        );
        assert!(
            parts
                .programs
                .path("etcd")
                .unwrap_err()
                .to_string()
                .starts_with("there is no etcd")
        );
        let missing = Parts::read(Path::new("/nowhere/parts.json")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read /nowhere/parts.json"));
    }
}
