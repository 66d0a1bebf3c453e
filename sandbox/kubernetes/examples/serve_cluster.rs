//! Serves an empty cluster on 127.0.0.1:8001 (or the address given), for trying clients by hand.

use moorline_sandbox_core::{Journal, World};
use moorline_sandbox_kubernetes::{ApiServer, ApiSettings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8001".to_owned());
    let server = ApiServer::open(World::new(Journal::in_memory())?, ApiSettings::default())?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    moorline_sandbox_core::serve(listener, server.router(), std::future::pending()).await?;
    Ok(())
}
