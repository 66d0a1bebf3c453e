//! Why the sandbox cannot start or forget.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use moorline_sandbox_azure::TlsError;
use moorline_sandbox_controllers::StartError;
use moorline_sandbox_core::JournalError;
use moorline_sandbox_kubernetes::OpenError;

/// An error of the sandbox itself.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The state cannot be opened; another process may use it.
    #[error("its state cannot be used")]
    Journal(#[from] JournalError),
    /// The cluster's state cannot be restored.
    #[error("its cluster cannot be restored")]
    Cluster(#[from] OpenError),
    /// The cluster's controllers cannot start.
    #[error("its controllers cannot start")]
    Controllers(#[from] StartError),
    /// The certificate of the Azure cloud cannot be made or kept.
    #[error("its Azure cloud cannot be served")]
    Tls(#[from] TlsError),
    /// An address cannot be listened at.
    #[error("cannot listen at {address}; choose another port, or 0 for any")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the folder cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The kept settings are not settings.
    #[error("{} holds settings that cannot be read; correct or delete it", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The state is in use by a server.
    #[error("process {pid} serves this sandbox; stop it first, or have it reset itself")]
    Served {
        /// The server.
        pid: u32,
    },
}
