//! Keys and signatures: where they go, and where they do not.

use moorline_api::{ErrorKind, MountSecrets as _, VolumeId, Volumes as _};

use crate::desk::{Desk, KEY, refusal, status};
use crate::{UID, new_volume};

const SIGNATURE: &str = "sv=2026-04-06&ss=b&srt=sco&sp=rwdl&se=2030-01-01&sig=aHVzaC1odXNo%2Bx%3D";

fn signed() -> String {
    format!("SharedAccessSignature={SIGNATURE}")
}

#[tokio::test]
async fn a_key_signs_and_does_not_travel() {
    let desk = Desk::with([Some(status(201))]).await;
    desk.provider().create(&new_volume(None)).await.unwrap();
    let asked = &desk.asked()[0];
    let authorization = asked.authorization.as_deref().unwrap();
    assert!(authorization.starts_with("SharedKey data1:"), "{authorization}");
    assert!(!format!("{asked:?}").contains(KEY));
}

#[tokio::test]
async fn a_signature_travels_in_the_query_and_once() {
    let busy = refusal(503, "ServerBusy", "The server is busy.");
    let desk = Desk::with([Some(busy), Some(status(201))]).await;
    let provider = desk.provider_with(&signed());
    provider.create(&new_volume(None)).await.unwrap();
    let asked = desk.asked();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert_eq!(asked.query, format!("restype=container&{SIGNATURE}"));
        assert_eq!(asked.authorization, None);
    }
}

#[tokio::test]
async fn the_secret_for_mounts_holds_what_opens_the_account() {
    let desk = Desk::with([]).await;
    let id = VolumeId(format!("data1.blob/pvc-{UID}"));
    for (opener, name, value) in [
        (format!("AccountKey={KEY}"), "azurestorageaccountkey", KEY),
        (signed(), "azurestorageaccountsastoken", SIGNATURE),
    ] {
        let secret = desk.provider_with(&opener).mount_secret(&id).await.unwrap();
        assert_eq!(secret["azurestorageaccountname"].expose(), "data1");
        assert_eq!((secret.len(), secret[name].expose()), (2, value));
    }
    assert!(desk.asked().is_empty());
}

#[tokio::test]
async fn a_refusal_that_quotes_a_secret_is_redacted() {
    for (opener, quoted) in [(format!("AccountKey={KEY}"), KEY), (signed(), SIGNATURE)] {
        let escaped = quoted.replace('&', "&amp;");
        let message = format!("Signature {escaped} did not match.");
        let desk = Desk::with([Some(refusal(403, "AuthenticationFailed", &message))]).await;
        let provider = desk.provider_with(&opener);
        let refused = provider.create(&new_volume(None)).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unauthenticated);
        let shown = format!("{refused} {refused:?} {provider:?}");
        assert!(shown.contains("(redacted)"), "{shown}");
        assert!(shown.contains("AZURE_STORAGE_CONNECTION_STRING"), "{shown}");
        assert!(!shown.contains(quoted) && !shown.contains("aHVzaC1odXNo"), "{shown}");
    }
}
