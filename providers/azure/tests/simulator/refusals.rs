//! What Azure refuses, as its simulation refuses it, and what users are told.

use futures::TryStreamExt as _;
use moorline_api::{Accounts as _, Error, ErrorKind, MountSecrets as _, NewVolume, VolumeFilter, Volumes as _, tags};
use moorline_azure::{AzureProvider, AzureSettings};
use moorline_sandbox_azure::AzureSettings as SandboxSettings;
use moorline_sandbox_core::{Effect, Fault, Moment};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{Azure, new_volume, volume_of};

const FILE: &str = "file.csi.azure.com";

impl Azure {
    /// Calls Resource Manager beside the provider.
    async fn call(&self, method: &str, path: &str, body: Value) -> u16 {
        let settings = self.cloud.settings();
        let request = |method: &str, uri: String| {
            axum::http::Request::builder()
                .method(method)
                .uri(uri)
                .header("host", "h")
        };
        let form = "grant_type=client_credentials&client_id=44444444-dddd-4000-8000-000000000009&client_secret=s&scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
        let sign_in = request("POST", format!("/{}/oauth2/v2.0/token", settings.tenant))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(form))
            .unwrap();
        let answer = self.cloud.router().oneshot(sign_in).await.unwrap();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let token: Value = serde_json::from_slice(&bytes).unwrap();
        let call = request(method, format!("/subscriptions/{}{path}", settings.subscriptions[0]))
            .header(
                "authorization",
                format!("Bearer {}", token["access_token"].as_str().unwrap()),
            )
            .header("content-type", "application/json")
            .body(axum::body::Body::from(if body.is_null() {
                String::new()
            } else {
                body.to_string()
            }))
            .unwrap();
        self.cloud.router().oneshot(call).await.unwrap().status().as_u16()
    }

    async fn lock(&self, level: &str) {
        let path = "/resourceGroups/moorline/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01";
        let status = self.call("PUT", path, json!({"properties": {"level": level}})).await;
        assert!([200, 201].contains(&status), "{status}");
    }

    /// Settings that do not wait long.
    fn impatient(&self) -> AzureSettings {
        AzureSettings {
            patience: std::time::Duration::from_secs(2),
            account_timeout: std::time::Duration::from_secs(20),
            ..self.settings(&[])
        }
    }

    async fn refusal(&self, new: &NewVolume) -> Error {
        AzureProvider::connect(self.impatient())
            .unwrap()
            .create(new)
            .await
            .unwrap_err()
    }
}

fn instant() -> SandboxSettings {
    SandboxSettings::instant()
}

fn account_of(id: &moorline_api::VolumeId) -> &str {
    id.0.split('.').next().unwrap()
}

#[tokio::test]
async fn places_and_limits_are_said_with_what_to_do() {
    let denied = SandboxSettings {
        denied_actions: vec!["Microsoft.Storage/storageAccounts/write".to_owned()],
        ..instant()
    };
    let full = SandboxSettings {
        account_limit: 0,
        ..instant()
    };
    for (settings, parameters, kind, words) in [
        (
            instant(),
            &[("location", "marsnorth")][..],
            ErrorKind::Invalid,
            "az account list-locations",
        ),
        (
            instant(),
            &[("resourceGroup", "missing")],
            ErrorKind::Invalid,
            "az group create",
        ),
        (
            instant(),
            &[("storageAccount", "nosuchaccount")],
            ErrorKind::Invalid,
            "does not exist",
        ),
        (
            instant(),
            &[("storageAccount", "storage")],
            ErrorKind::Invalid,
            "AZURE_SUBSCRIPTION_ID",
        ),
        (
            denied,
            &[],
            ErrorKind::Forbidden,
            "Microsoft.Storage/storageAccounts/write",
        ),
        (full, &[], ErrorKind::LimitExceeded, "raise the limit"),
    ] {
        let azure = Azure::start(settings).await;
        let error = azure.refusal(&volume_of(FILE, parameters, 1)).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_permission_for_keys_is_named() {
    let settings = SandboxSettings {
        denied_actions: vec!["Microsoft.Storage/storageAccounts/listKeys/action".to_owned()],
        ..instant()
    };
    let azure = Azure::start(settings).await;
    let provider = azure.provider(&[]);
    let made = provider.create(&new_volume(FILE, 1)).await.unwrap();
    let error = provider.mount_secret(&made.id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.to_string().contains("listKeys/action"), "{error}");
}

#[tokio::test]
async fn locks_are_named() {
    let azure = Azure::start(instant()).await;
    let made = azure.provider(&[]).create(&new_volume(FILE, 1)).await.unwrap();
    azure.lock("CanNotDelete").await;
    let error = azure.provider(&[]).delete(&made.id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.message.contains("az lock list"), "{error}");
    assert_eq!(azure.cloud.shares(account_of(&made.id)).len(), 1);
    azure.lock("ReadOnly").await;
    let error = azure.refusal(&new_volume(FILE, 2)).await;
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
    let error = azure.provider(&[]).mount_secret(&made.id).await.unwrap_err();
    assert!(error.message.contains("az lock list"), "{error}");
}

#[tokio::test]
async fn an_account_of_our_name_in_another_group_is_no_room() {
    let groups = || SandboxSettings {
        resource_groups: vec!["moorline".to_owned(), "other".to_owned()],
        ..instant()
    };
    let first = Azure::start(groups()).await;
    let made = first.provider(&[]).create(&new_volume(FILE, 1)).await.unwrap();
    let azure = Azure::start(groups()).await;
    azure
        .cloud
        .ensure_account("other", account_of(&made.id), "Standard_LRS")
        .unwrap();
    // The next derived name is free.
    let next = azure.provider(&[]).create(&new_volume(FILE, 1)).await.unwrap();
    assert_ne!(account_of(&next.id), account_of(&made.id));
}

#[tokio::test]
async fn two_runs_make_one_account() {
    let azure = Azure::start(SandboxSettings {
        account_millis: 800,
        throttle: false,
        ..instant()
    })
    .await;
    let (one, two) = (azure.provider(&[]), azure.provider(&[]));
    let (first, second) = (new_volume(FILE, 1), new_volume(FILE, 2));
    let (first, second) = futures::future::try_join(one.create(&first), two.create(&second))
        .await
        .unwrap();
    assert_eq!(account_of(&first.id), account_of(&second.id));
    assert_eq!(azure.cloud.accounts().len(), 1);
}

#[tokio::test]
async fn what_is_full_is_left_for_the_next_and_what_is_too_large_is_refused() {
    let azure = Azure::start(instant()).await;
    let settings = AzureSettings {
        volumes_per_account: 60,
        ..azure.settings(&[])
    };
    let provider = AzureProvider::connect(settings).unwrap();
    let class = [("skuName", "PremiumV2_LRS")];
    for number in 0..51 {
        provider.create(&volume_of(FILE, &class, number)).await.unwrap();
    }
    let mut sizes: Vec<_> = azure
        .cloud
        .accounts()
        .iter()
        .map(|account| azure.cloud.shares(&account.name).len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 50]);

    let made = provider.create(&new_volume(FILE, 60)).await.unwrap();
    let error = provider.resize_share(&made.id, 200_000).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("check the quota"), "{error}");
}

#[tokio::test]
async fn a_name_is_free_again_after_a_while() {
    let azure = Azure::start(SandboxSettings {
        name_release_millis: 3000,
        ..instant()
    })
    .await;
    let provider = azure.provider(&[]);
    let mut new = new_volume(FILE, 1);
    let made = provider.create(&new).await.unwrap();
    provider.delete(&made.id).await.unwrap();
    // The claim's own name: the next generation has another.
    assert_eq!(provider.create(&new).await.unwrap_err().kind, ErrorKind::TokenBurnt);
    new.token.generation = 2;
    assert!(provider.create(&new).await.unwrap().id.0.ends_with("-2"));

    // A name that the class gives is waited for; the deleted share stays what can be brought back, but not beside it.
    let named = volume_of(FILE, &[("shareName", "data")], 3);
    let first = provider.create(&named).await.unwrap();
    provider.delete(&first.id).await.unwrap();
    let second = provider.create(&named).await.unwrap();
    assert_eq!(first.id, second.id);
    let deleted = provider.deleted_shares(account_of(&first.id)).await.unwrap();
    let deleted = deleted.iter().find(|deleted| deleted.id == first.id).unwrap();
    let error = provider.restore_share(deleted).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
}

#[tokio::test]
async fn an_account_that_went_away_is_not_taken_for_an_empty_one() {
    let azure = Azure::start(instant()).await;
    let provider = AzureProvider::connect(azure.impatient()).unwrap();
    let made = provider.create(&new_volume(FILE, 1)).await.unwrap();
    let account = format!(
        "/resourceGroups/moorline/providers/Microsoft.Storage/storageAccounts/{}?api-version=2026-09-01",
        account_of(&made.id)
    );
    assert_eq!(azure.call("DELETE", &account, Value::Null).await, 200);
    let by_id = VolumeFilter::Ids(vec![made.id.clone()]);
    let error = provider.list(by_id.clone()).try_concat().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Stale, "{error}");
    // Whoever looks afresh is told by Azure that nobody in the world has an account of that name.
    let afresh = azure.provider(&[]);
    assert!(afresh.list(by_id).try_concat().await.unwrap().is_empty());
    afresh.delete(&made.id).await.unwrap();
}

#[tokio::test]
async fn what_was_there_before_is_adopted_and_stays() {
    let azure = Azure::start(instant()).await;
    azure.cloud.ensure_account("moorline", "mine", "Standard_LRS").unwrap();
    azure
        .cloud
        .create_share("mine", "data", 5, [("owner".to_owned(), "somebody".to_owned())].into())
        .unwrap();
    let provider = azure.provider(&[]);
    let new = volume_of(FILE, &[("storageAccount", "mine"), ("shareName", "data")], 1);
    let adopted = provider.create(&new).await.unwrap();
    assert_eq!(adopted.spec.size_gib, 5);
    assert!(adopted.tags.contains_key(tags::ADOPTED));
    assert_eq!(
        provider.delete(&adopted.id).await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    let shares = azure.cloud.shares("mine");
    assert_eq!((shares.len(), shares[0].metadata["owner"].as_str()), (1, "somebody"));
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_no_refusal() {
    for (status, kind) in [
        (503, ErrorKind::Unreachable),
        (500, ErrorKind::Unreachable),
        (429, ErrorKind::Throttled { retry_after: None }),
    ] {
        let azure = Azure::start(instant()).await;
        azure.world.faults.add(Fault {
            service: "entra".to_owned(),
            operation: "*".to_owned(),
            moment: Moment::Before,
            skip: 0,
            times: None,
            effect: Effect::Error {
                status,
                code: "temporarily_unavailable".to_owned(),
                message: "Try again.".to_owned(),
                retry_after: None,
            },
        });
        let error = AzureProvider::connect(azure.impatient())
            .unwrap()
            .account()
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error.message.contains(&format!("HTTP {status}")) && !error.message.contains("refused"),
            "{error}"
        );
    }
}
