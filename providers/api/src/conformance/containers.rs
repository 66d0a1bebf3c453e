//! What blob containers do as volumes, whoever is asked for them: Resource Manager or the account itself.
//!
//! The identity of a volume is its claim's: each case makes up claims of its own, in a cluster of its own, and takes nothing
//! away again.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;

use super::{Case, cases, eventually};
use crate::{
    AzureAccount, AzureContainer, ClientToken, ErrorKind, MountSecrets, NewVolume, Tags, Usage, Volume, VolumeConfig,
    VolumeFilter, VolumeId, VolumeSpec, VolumeState, Volumes, tags,
};

/// Blob containers under test.
pub type Backend = Arc<dyn ContainerBackend>;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the cases need.
#[async_trait(?Send)]
pub trait ContainerBackend: Send + Sync + 'static {
    /// The volumes.
    fn volumes(&self) -> &dyn Volumes;

    /// What mounts them.
    fn secrets(&self) -> &dyn MountSecrets;

    /// How full they are.
    fn usage(&self) -> &dyn Usage;

    /// Eight hexadecimal digits, never used before.
    fn label(&self) -> &str;

    /// Takes a lease on a volume's container, as somebody who uses it would, and gives its id.
    async fn lease(&self, id: &VolumeId) -> String;

    /// Gives a lease back.
    async fn release(&self, id: &VolumeId, lease: &str);

    /// Writes so many bytes into a volume's container, as a blob of this name.
    async fn write(&self, id: &VolumeId, blob: &str, bytes: usize);
}

/// The cases that any of them must pass.
pub fn cases() -> Vec<Case<Backend>> {
    cases![
        a_new_one_is_as_asked_and_usable_at_once,
        the_same_token_gives_the_same_one,
        another_size_burns_the_token,
        the_next_generation_is_another_one,
        tags_survive_letters_that_headers_do_not_take,
        only_what_has_all_of_the_tags_is_listed,
        ids_that_nobody_has_are_left_out,
        what_is_absent_is_gone_already,
        a_deleted_one_vanishes_and_its_successor_does_not,
        its_secret_opens_its_account,
    ]
}

/// The cases for which somebody has to use the container meanwhile.
pub fn cases_of_use() -> Vec<Case<Backend>> {
    cases![
        a_leased_one_is_in_use_and_stays,
        it_holds_what_was_written,
        what_was_written_survives_another_creation,
    ]
}

fn claim_uid(backend: &Backend, number: u32) -> String {
    format!("{}-c0de-4a5e-9d2c-{number:012}", backend.label())
}

fn tags(backend: &Backend, number: u32) -> Tags {
    Tags::from(
        [
            (
                tags::CLUSTER_UID,
                format!("{}-c105-4a5e-9d2c-6f1f1a0c7d11", backend.label()),
            ),
            (tags::PROFILE, "pages".to_owned()),
            (tags::NAMESPACE, "default".to_owned()),
            (tags::CLAIM, format!("pages-web-{number}")),
            (tags::CLAIM_UID, claim_uid(backend, number)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}

fn new_volume(backend: &Backend, number: u32) -> NewVolume {
    let account = AzureAccount {
        sku: "Standard_LRS".to_owned(),
        kind: "StorageV2".to_owned(),
        https_only: true,
        ..AzureAccount::default()
    };
    NewVolume {
        spec: VolumeSpec {
            size_gib: 5,
            zone: None,
            config: VolumeConfig::AzureBlob(AzureContainer {
                account,
                protocol: "fuse2".to_owned(),
                name_prefix: Some("web".to_owned()),
                ..AzureContainer::default()
            }),
        },
        token: ClientToken {
            claim_uid: claim_uid(backend, number),
            generation: 1,
        },
        tags: tags(backend, number),
    }
}

async fn made(backend: &Backend, number: u32) -> Volume {
    backend.volumes().create(&new_volume(backend, number)).await.unwrap()
}

async fn list(backend: &Backend, filter: VolumeFilter) -> Vec<VolumeId> {
    let volumes: Vec<Volume> = backend.volumes().list(filter).try_concat().await.unwrap();
    let mut ids: Vec<_> = volumes.into_iter().map(|volume| volume.id).collect();
    ids.sort();
    ids
}

/// Waits until a filter finds these.
async fn listed(backend: &Backend, filter: VolumeFilter, mut expected: Vec<VolumeId>) {
    expected.sort();
    eventually("listed", PATIENCE, async || {
        let found = list(backend, filter.clone()).await;
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found:?} instead of {expected:?}"))
        }
    })
    .await;
}

async fn a_new_one_is_as_asked_and_usable_at_once(backend: Backend) {
    let new = new_volume(&backend, 0);
    let volume = made(&backend, 0).await;
    let name = format!("/web-pvc-{}", new.token.claim_uid);
    assert!(volume.id.0.ends_with(&name), "{}", volume.id);
    let read = backend.volumes().wait_usable(&volume.id).await.unwrap();
    assert_eq!((read.spec.size_gib, read.state), (5, VolumeState::Available));
    assert_eq!(read.spec.config.type_name(), "Standard_LRS");
    assert_eq!(read.tags, new.tags);
}

async fn the_same_token_gives_the_same_one(backend: Backend) {
    let first = made(&backend, 0).await;
    let second = made(&backend, 0).await;
    assert_eq!(first.id, second.id);
    assert_eq!(second.tags, new_volume(&backend, 0).tags);
}

async fn another_size_burns_the_token(backend: Backend) {
    made(&backend, 0).await;
    let mut larger = new_volume(&backend, 0);
    larger.spec.size_gib = 6;
    let refused = backend.volumes().create(&larger).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::TokenBurnt, "{refused}");
}

async fn the_next_generation_is_another_one(backend: Backend) {
    let first = made(&backend, 0).await;
    let mut next = new_volume(&backend, 0);
    next.token.generation = 2;
    let second = backend.volumes().create(&next).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(second.tags, first.tags);
}

async fn tags_survive_letters_that_headers_do_not_take(backend: Backend) {
    let mut new = new_volume(&backend, 0);
    new.tags
        .insert(tags::OWNER.to_owned(), "team grün, 100% {sure}".to_owned());
    new.tags.insert("cost.center/x".to_owned(), " a=b ".to_owned());
    let made = backend.volumes().create(&new).await.unwrap();
    let ids = VolumeFilter::Ids(vec![made.id]);
    let found: Vec<Volume> = backend.volumes().list(ids).try_concat().await.unwrap();
    assert_eq!(found[0].tags, new.tags);
}

async fn only_what_has_all_of_the_tags_is_listed(backend: Backend) {
    let volumes = [made(&backend, 0).await, made(&backend, 1).await];
    let with = |keys: &[&str]| {
        let all = tags(&backend, 1);
        let chosen = keys.iter().map(|key| ((*key).to_owned(), all[*key].clone()));
        VolumeFilter::Tagged(chosen.collect())
    };
    let ids = volumes.map(|volume| volume.id);
    listed(&backend, with(&[tags::CLUSTER_UID, tags::PROFILE]), ids.to_vec()).await;
    let one = with(&[tags::CLUSTER_UID, tags::PROFILE, tags::CLAIM_UID]);
    listed(&backend, one, vec![ids[1].clone()]).await;
    let mut elsewhere = tags(&backend, 1);
    elsewhere.insert(tags::PROFILE.to_owned(), "others".to_owned());
    assert_eq!(list(&backend, VolumeFilter::Tagged(elsewhere)).await, []);
}

async fn ids_that_nobody_has_are_left_out(backend: Backend) {
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(made(&backend, number).await.id);
    }
    let absent = VolumeId(format!("{}x", ids[0]));
    let mut asked = ids.clone();
    asked.push(absent);
    listed(&backend, VolumeFilter::Ids(asked), ids).await;
}

async fn what_is_absent_is_gone_already(backend: Backend) {
    let id = VolumeId(format!("{}x", made(&backend, 0).await.id));
    backend.volumes().delete(&id).await.unwrap();
    backend.volumes().wait_gone(&id).await.unwrap();
    let missing = backend.volumes().list(VolumeFilter::Ids(vec![id]));
    assert_eq!(missing.try_concat().await.unwrap(), []);
}

async fn a_deleted_one_vanishes_and_its_successor_does_not(backend: Backend) {
    let first = made(&backend, 0).await.id;
    backend.volumes().delete(&first).await.unwrap();
    backend.volumes().wait_gone(&first).await.unwrap();
    backend.volumes().delete(&first).await.unwrap();
    // The name may not be free yet: then the token is burnt, and the next generation has another name.
    let mut new = new_volume(&backend, 0);
    let successor = match backend.volumes().create(&new).await {
        Err(error) if error.kind == ErrorKind::TokenBurnt => {
            new.token.generation = 2;
            backend.volumes().create(&new).await
        }
        made => made,
    };
    let successor = successor.unwrap().id;
    backend.volumes().wait_usable(&successor).await.unwrap();
    let claim = Tags::from([
        (tags::CLUSTER_UID.to_owned(), new.tags[tags::CLUSTER_UID].clone()),
        (tags::CLAIM_UID.to_owned(), new.tags[tags::CLAIM_UID].clone()),
    ]);
    listed(&backend, VolumeFilter::Tagged(claim), vec![successor]).await;
}

async fn its_secret_opens_its_account(backend: Backend) {
    let volume = made(&backend, 0).await;
    let secret = backend.secrets().mount_secret(&volume.id).await.unwrap();
    let keys: Vec<_> = secret.keys().map(String::as_str).collect();
    assert_eq!(keys, ["azurestorageaccountkey", "azurestorageaccountname"]);
    let account = secret["azurestorageaccountname"].expose();
    assert!(volume.id.0.starts_with(&format!("{account}.blob/")), "{account}");
    assert!(!secret["azurestorageaccountkey"].expose().is_empty());
}

async fn a_leased_one_is_in_use_and_stays(backend: Backend) {
    let id = made(&backend, 0).await.id;
    backend.volumes().wait_usable(&id).await.unwrap();
    let lease = backend.lease(&id).await;
    let read = backend.volumes().wait_usable(&id).await.unwrap();
    assert_eq!(read.state, VolumeState::InUse);
    let refused = backend.volumes().delete(&id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InUse, "{refused}");
    let still = list(&backend, VolumeFilter::Ids(vec![id.clone()])).await;
    assert_eq!(still, std::slice::from_ref(&id));
    backend.release(&id, &lease).await;
    backend.volumes().delete(&id).await.unwrap();
    backend.volumes().wait_gone(&id).await.unwrap();
}

async fn it_holds_what_was_written(backend: Backend) {
    let id = made(&backend, 0).await.id;
    assert_eq!(backend.usage().used_bytes(&id).await.unwrap(), Some(0));
    backend.write(&id, "index.html", 1000).await;
    backend.write(&id, "pictures/a b.png", 234).await;
    assert_eq!(backend.usage().used_bytes(&id).await.unwrap(), Some(1234));
    backend.volumes().delete(&id).await.unwrap();
    backend.volumes().wait_gone(&id).await.unwrap();
    assert_eq!(backend.usage().used_bytes(&id).await.unwrap(), None);
}

async fn what_was_written_survives_another_creation(backend: Backend) {
    let id = made(&backend, 0).await.id;
    backend.write(&id, "index.html", 1000).await;
    assert_eq!(made(&backend, 0).await.id, id);
    assert_eq!(backend.usage().used_bytes(&id).await.unwrap(), Some(1000));
}
