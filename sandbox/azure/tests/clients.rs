//! The official Python clients against the simulated Azure: the scripts of `tests/clients`, each against a cloud of its own.
//!
//! Ignored because a machine may not have them; `cargo xtask test` sets them up and runs these. By hand,
//! `MOORLINE_TEST_AZURE_PYTHON` names a Python with what `xtask/clients/azure-requirements.txt` locks.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use moorline_sandbox_azure::{Authority, AzureCloud, AzureSettings, serve_tls};
use moorline_sandbox_core::{Journal, World, serve};
use tokio::net::TcpListener;

/// Runs a script of `tests/clients`; every one of its tests must pass.
async fn script(name: &'static str) {
    let python = std::env::var_os("MOORLINE_TEST_AZURE_PYTHON").expect("set MOORLINE_TEST_AZURE_PYTHON");
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path()).unwrap();
    let world = World::new(Journal::in_memory()).unwrap();
    // Pages so small that the clients have to follow links.
    let settings = AzureSettings {
        page_size_cap: 3,
        ..AzureSettings::default()
    };
    let cloud = AzureCloud::open(world, settings).unwrap();
    let manager = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metadata = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", manager.local_addr().unwrap());
    let settings = cloud.settings();
    let mut command = Command::new(python);
    command
        .args(["-m", "unittest", "--verbose", name])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("AZURE_AUTHORITY_HOST", &endpoint)
        .env("AZURE_RESOURCE_MANAGER_ENDPOINT", &endpoint)
        .env(
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            format!("http://{}", metadata.local_addr().unwrap()),
        )
        .env("AZURE_TENANT_ID", &settings.tenant)
        .env("AZURE_CLIENT_ID", "44444444-dddd-4000-8000-000000000001")
        .env("AZURE_CLIENT_SECRET", "sandbox")
        .env("AZURE_SUBSCRIPTION_ID", &settings.subscriptions[0])
        .env("REQUESTS_CA_BUNDLE", Authority::certificate_file(folder.path()));
    let stop = std::future::pending;
    let run = tokio::select! {
        ended = serve_tls(manager, &authority, cloud.router(), stop()) => unreachable!("{ended:?}"),
        ended = serve(metadata, cloud.metadata_router(), stop()) => unreachable!("{ended:?}"),
        run = tokio::task::spawn_blocking(move || command.output()) => run.unwrap().unwrap(),
    };
    check(name, &run);
}

fn check(name: &str, run: &Output) {
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{name}: {told}");
    assert!(told.contains("OK") && !told.contains("skipped"), "{name}: {told}");
}

/// What `cargo xtask test` finds them by.
mod azure_clients {
    use super::script;

    #[tokio::test]
    #[ignore = "needs Azure's clients: run cargo xtask test"]
    async fn accounts_shares_and_containers_are_made_found_restored_and_refused() {
        script("azure_storage").await;
    }

    #[tokio::test]
    #[ignore = "needs Azure's clients: run cargo xtask test"]
    async fn callers_sign_in_and_find_groups_and_disks() {
        script("azure_places").await;
    }

    #[tokio::test]
    #[ignore = "needs Azure's clients: run cargo xtask test"]
    async fn what_is_left_behind_is_tagged_leased_snapshotted_and_brought_back() {
        script("azure_leftovers").await;
    }
}
