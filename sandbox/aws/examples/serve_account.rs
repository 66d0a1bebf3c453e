//! Serves the simulated account alone, for a look at it with `aws`, boto3 or an SDK:
//! `cargo run -p moorline-sandbox-aws --example serve_account -- 127.0.0.1:4570 [instant|slow [FOLDER]]`.

use anyhow::Context;
use moorline_sandbox_aws::{AwsCloud, AwsSettings};
use moorline_sandbox_core::{Journal, World, serve};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:4570".to_owned());
    let settings = match arguments.next().as_deref() {
        Some("instant") => AwsSettings::instant(),
        _ => AwsSettings::default(),
    };
    let journal = match arguments.next() {
        Some(folder) => Journal::open(folder)?,
        None => Journal::in_memory(),
    };
    let cloud = AwsCloud::open(World::new(journal)?, settings)?;
    let listener = tokio::net::TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving the simulated AWS account");
    serve(listener, cloud.router(), std::future::pending()).await?;
    Ok(())
}
