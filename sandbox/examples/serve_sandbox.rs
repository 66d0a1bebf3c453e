//! Serves a sandbox without the rest of moorline, until Ctrl-C:
//! `cargo run -p moorline-sandbox --example serve_sandbox -- FOLDER [instant]`.

use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the environment is its output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    let state_dir = arguments.next().map(Into::into);
    let settings = arguments.next().map(|_| SandboxSettings::instant());
    let sandbox = Sandbox::serve(StartOptions {
        state_dir,
        settings,
        ..StartOptions::default()
    })
    .await?;
    for (name, value) in sandbox.environment() {
        println!("export {name}={value}");
    }
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    sandbox.shutdown().await;
    Ok(())
}
