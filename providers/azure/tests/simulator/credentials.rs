//! Who the environment says we are.

use std::path::Path;

use moorline_api::{Accounts as _, ErrorKind};
use moorline_sandbox_azure::AzureSettings as SandboxSettings;

use crate::Azure;

#[tokio::test]
async fn a_client_secret_signs_in() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let account = azure.provider(&[]).account().await.unwrap();
    assert_eq!(account.id.0, SandboxSettings::default().subscriptions[0]);
    assert_eq!(account.caller, "44444444-dddd-4000-8000-000000000001");
    assert_eq!(account.region, "eastus");
}

#[tokio::test]
async fn a_certificate_and_a_workloads_token_sign_in() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulator/service-principal.pem");
    let by_certificate = [
        ("AZURE_CLIENT_SECRET", ""),
        ("AZURE_CLIENT_CERTIFICATE_PATH", pem.to_str().unwrap()),
    ];
    azure.provider(&by_certificate).account().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    // A token of Kubernetes: header, claims with an end far away, signature.
    std::fs::write(
        &token,
        "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsInN1YiI6IngifQ.c2ln",
    )
    .unwrap();
    let by_workload = [
        ("AZURE_CLIENT_SECRET", ""),
        ("AZURE_FEDERATED_TOKEN_FILE", token.to_str().unwrap()),
    ];
    azure.provider(&by_workload).account().await.unwrap();
}

#[tokio::test]
async fn what_is_configured_and_wrong_is_said_so() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let other = SandboxSettings::default().other_tenants[0].clone();
    for (variables, words) in [
        (&[("AZURE_CLIENT_SECRET", "INVALID-hush")][..], "AADSTS7000215"),
        (&[("AZURE_CLIENT_SECRET", "EXPIRED-hush")], "expired"),
        (
            &[("AZURE_TENANT_ID", "99999999-0000-4000-8000-000000000000")],
            "AADSTS90002",
        ),
        (&[("AZURE_TENANT_ID", &other)], "az login --tenant"),
        (
            &[
                ("AZURE_CLIENT_SECRET", ""),
                ("AZURE_CLIENT_CERTIFICATE_PATH", "/nowhere.pem"),
            ],
            "/nowhere.pem cannot be read",
        ),
    ] {
        let error = azure.provider(variables).account().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.message.contains("hush"), "{error}");
    }
    let error = azure
        .provider(&[("AZURE_SUBSCRIPTION_ID", "99999999-0000-4000-8000-000000000000")])
        .account()
        .await;
    let error = error.unwrap_err();
    assert!(error.message.contains("az account list"), "{error}");
    let nobody = azure.settings(&[]);
    let nobody = moorline_azure::AzureSettings {
        extra_roots: None,
        patience: std::time::Duration::from_secs(1),
        ..nobody
    };
    let error = moorline_azure::AzureProvider::connect(nobody)
        .unwrap()
        .account()
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(error.message.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn nobody_is_told_what_was_tried() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let nothing = [("AZURE_CLIENT_ID", ""), ("AZURE_CLIENT_SECRET", "")];
    let error = azure.provider(&nothing).account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    for words in [
        "environment (",
        "workload identity (",
        "managed identity (",
        "Azure CLI (",
        "az login",
    ] {
        assert!(error.message.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_machine_has_an_identity() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let metadata = azure.cloud.metadata_router();
    tokio::spawn(async move { moorline_sandbox_core::serve(listener, metadata, std::future::pending()).await });
    let machine = [
        ("AZURE_CLIENT_ID", ""),
        ("AZURE_CLIENT_SECRET", ""),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", host.as_str()),
    ];
    azure.provider(&machine).account().await.unwrap();
    let nowhere = [
        ("AZURE_CLIENT_ID", ""),
        ("AZURE_CLIENT_SECRET", ""),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "nowhere"),
    ];
    let error = azure.provider(&nowhere).account().await.unwrap_err();
    assert!(
        error
            .message
            .contains("managed identity (AZURE_POD_IDENTITY_AUTHORITY_HOST is"),
        "{error}"
    );
}

#[tokio::test]
async fn certificates_to_trust_may_be_in_a_file() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    let settings = || moorline_azure::AzureSettings {
        extra_roots: None,
        patience: std::time::Duration::from_secs(1),
        ..azure.settings(&[("REQUESTS_CA_BUNDLE", bundle.to_str().unwrap())])
    };
    let connect = async || {
        moorline_azure::AzureProvider::connect(settings())
            .unwrap()
            .account()
            .await
    };
    let error = connect().await.unwrap_err();
    assert!(error.message.contains("REQUESTS_CA_BUNDLE"), "{error}");
    std::fs::write(&bundle, "no certificate").unwrap();
    let error = connect().await.unwrap_err();
    assert!(error.message.contains("no certificate that can be trusted"), "{error}");
    std::fs::write(&bundle, azure.settings(&[]).extra_roots.unwrap()).unwrap();
    connect().await.unwrap();
}
