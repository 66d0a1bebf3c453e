//! Serves the simulated Azure alone, for a look at it with the SDKs, `az` or `curl`:
//! `cargo run -p moorline-sandbox-azure --example serve_azure -- FOLDER [PORT [instant|slow|SETTINGS.json]]`.
//!
//! The state, the certificate to trust (`azure-ca.pem`) and its key are kept in the folder. Resource Manager and the token
//! endpoint are at the port over TLS, the metadata service at the next one over plain HTTP. What clients need in their
//! environment is printed as JSON, on one line.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use moorline_sandbox_azure::{Authority, AzureCloud, AzureSettings, serve_tls};
use moorline_sandbox_core::{Journal, World, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("name a folder for the state")?);
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let settings = match arguments.next().as_deref() {
        None | Some("slow") => AzureSettings::default(),
        Some("instant") => AzureSettings::instant(),
        Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
    };
    std::fs::create_dir_all(&folder)?;
    let authority = Authority::open(&folder)?;
    let cloud = AzureCloud::open(World::new(Journal::open(folder.join("journal"))?)?, settings)?;
    let listen = async |port: u16| TcpListener::bind(("127.0.0.1", port)).await;
    let manager = listen(port).await?;
    let metadata = listen(if port == 0 { 0 } else { port + 1 }).await?;
    let settings = cloud.settings();
    let endpoint = format!("https://{}", manager.local_addr()?);
    let environment = serde_json::json!({
        "AZURE_AUTHORITY_HOST": endpoint,
        "AZURE_RESOURCE_MANAGER_ENDPOINT": endpoint,
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": format!("http://{}", metadata.local_addr()?),
        "AZURE_TENANT_ID": settings.tenant,
        "AZURE_CLIENT_ID": "44444444-dddd-4000-8000-000000000001",
        "AZURE_CLIENT_SECRET": "sandbox",
        "AZURE_SUBSCRIPTION_ID": settings.subscriptions.first(),
        "REQUESTS_CA_BUNDLE": std::fs::canonicalize(Authority::certificate_file(&folder))?,
        "SSL_CERT_FILE": std::fs::canonicalize(Authority::certificate_file(&folder))?,
    });
    writeln!(std::io::stdout(), "{environment}")?;
    let stop = std::future::pending;
    tokio::try_join!(
        serve_tls(manager, &authority, cloud.router(), stop()),
        serve(metadata, cloud.metadata_router(), stop()),
    )?;
    Ok(())
}
