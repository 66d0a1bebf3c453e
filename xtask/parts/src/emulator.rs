//! Clouds that others have written: moto, LocalStack, Azurite.

use std::path::Path;
use std::time::Duration;

use crate::unit::{Record, Unit};
use crate::{Error, Health, Programs, ports};

/// A running emulator of a cloud. Dropped, it ends; what it held in memory is gone.
#[derive(Debug)]
pub struct Emulator {
    unit: Unit,
    url: String,
}

impl Emulator {
    /// Starts moto in `folder`, which keeps its log. Every account starts with nothing but default networks.
    pub fn moto(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        start(|port| {
            let arguments = ["-m", "moto.server", "--host", "127.0.0.1", "--port", &port.to_string()];
            Ok(Unit {
                name: "moto",
                program: programs.path("moto")?.to_owned(),
                arguments: arguments.map(str::to_owned).to_vec(),
                environment: Vec::new(),
                health: Health::Ec2 { url: url(port) },
                patience: Duration::from_mins(2),
                folder: folder.to_owned(),
                child: None,
            })
        })
    }

    /// Starts LocalStack in `folder`, which keeps its data and its log.
    pub fn localstack(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        start(|port| {
            let gateway = format!("127.0.0.1:{port}");
            let volume = folder.join("volume").to_string_lossy().into_owned();
            Ok(Unit {
                name: "localstack",
                program: programs.path("localstack")?.to_owned(),
                arguments: ["-m", "localstack.runtime.main"].map(str::to_owned).to_vec(),
                environment: vec![
                    ("GATEWAY_LISTEN", gateway),
                    ("LOCALSTACK_VOLUME_DIR", volume),
                    // Nothing is fetched from or told to the outside, and no name server is started.
                    ("SKIP_SSL_CERT_DOWNLOAD", "1".to_owned()),
                    ("DISABLE_EVENTS", "1".to_owned()),
                    ("DNS_ADDRESS", "0".to_owned()),
                ],
                health: Health::Ec2 { url: url(port) },
                patience: Duration::from_mins(4),
                folder: folder.to_owned(),
                child: None,
            })
        })
    }

    /// Starts Azurite's blob service in `folder`, which keeps its log.
    pub fn azurite(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        let script = programs.path("azurite")?.to_string_lossy();
        start(|port| {
            let port_ = port.to_string();
            let arguments = [
                &*script,
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port_,
                "--inMemoryPersistence",
                "--disableTelemetry",
            ];
            Ok(Unit {
                name: "azurite",
                program: programs.path("node")?.to_owned(),
                arguments: arguments.map(str::to_owned).to_vec(),
                environment: Vec::new(),
                health: Health::Refuses { url: url(port) },
                patience: Duration::from_mins(2),
                folder: folder.to_owned(),
                child: None,
            })
        })
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it (`SIGKILL`). Nothing happens if it does not run.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.unit.kill()
    }

    /// Starts it again on its old port, after killing it if it runs, and waits until it is healthy.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.unit.kill()?;
        self.unit.spawn()?;
        self.unit.wait(None)
    }

    /// Whether it runs. That it is well is not looked at.
    pub fn runs(&mut self) -> bool {
        self.unit.runs()
    }

    /// What is needed to find and stop it without this handle.
    pub fn record(&self) -> Option<Record> {
        self.unit.record()
    }

    /// Lets it live on without this handle.
    pub fn detach(mut self) {
        self.unit.forget();
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn start(unit: impl Fn(u16) -> Result<Unit, Error>) -> Result<Emulator, Error> {
    const ATTEMPTS: usize = 3;
    let attempt = || {
        let [port] = ports::choose()?;
        let mut unit = unit(port)?;
        unit.spawn()?;
        unit.wait(None)?;
        Ok(Emulator { unit, url: url(port) })
    };
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error) if Error::is_taken_port(&error) => {}
            started => return started,
        }
    }
    attempt()
}
