//! A cloud in memory: volumes, snapshots and load balancers of one account.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use moorline_api::{
    Account, AccountId, Accounts, Attachment, Error, ErrorKind, LoadBalancer, LoadBalancers, MountSecrets, NewVolume,
    Origin, Recoverable, Recovery, Result, Sensitive, Snapshot, Swept, Tags, Upkeep, Usage, Volume, VolumeConfig,
    VolumeFilter, VolumeId, VolumeSpec, VolumeState, Volumes,
};

use super::{CLUSTER, Script, volume_of};
use crate::names;

pub(crate) struct FakeCloud {
    script: Script,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) volumes: BTreeMap<VolumeId, Volume>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) balancers: Vec<LoadBalancer>,
    /// What sweeping comes to.
    pub(crate) swept: Vec<Swept>,
    /// Volumes that are never gone, however often they are deleted.
    pub(crate) lasting: bool,
}

/// Volume `vol-<ordinal>`, which profile `web` made for claim `default/<claim>`.
pub(crate) fn volume(claim: &str) -> Volume {
    let tags = [
        (names::CLUSTER_UID, CLUSTER),
        (names::PROFILE, "web"),
        (names::NAMESPACE, "default"),
        (names::CLAIM, claim),
        (names::CLAIM_UID, &*format!("uid-{claim}")),
    ];
    Volume {
        id: VolumeId(volume_of(claim)),
        spec: VolumeSpec {
            size_gib: 1,
            zone: Some("eu-west-1a".to_owned()),
            config: VolumeConfig::ebs("gp3"),
        },
        state: VolumeState::Available,
        attachments: Vec::new(),
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        created: None,
    }
}

/// The same, attached to `i-1`.
pub(crate) fn attached(mut volume: Volume) -> Volume {
    volume.state = VolumeState::InUse;
    volume.attachments = vec![Attachment {
        instance: "i-1".to_owned(),
        device: "/dev/xvdba".to_owned(),
        state: "attached".to_owned(),
    }];
    volume
}

impl FakeCloud {
    pub(super) fn new(script: &Script) -> Self {
        Self {
            script: script.clone(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn add(&self, volume: Volume) {
        self.with(|state| _ = state.volumes.insert(volume.id.clone(), volume));
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.with(|state| state.volumes.contains_key(&VolumeId(id.to_owned())))
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, what, "", "not on this stage")
}

#[async_trait]
impl Accounts for FakeCloud {
    async fn account(&self) -> Result<Account> {
        self.script.begins("account")?;
        Ok(Account {
            id: AccountId("123456789012".to_owned()),
            caller: "test".to_owned(),
            region: "eu-west-1".to_owned(),
            zones: vec!["eu-west-1a".to_owned()],
        })
    }
}

#[async_trait]
impl Volumes for FakeCloud {
    async fn create(&self, new: &NewVolume) -> Result<Volume> {
        self.script.begins("!create volume")?;
        let volume = Volume {
            id: VolumeId(format!("vol-of-{}", new.token.claim_uid)),
            spec: new.spec.clone(),
            state: VolumeState::Available,
            attachments: Vec::new(),
            tags: new.tags.clone(),
            created: None,
        };
        self.add(volume.clone());
        Ok(volume)
    }

    fn list(&self, filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        let wanted = |volume: &&Volume| match &filter {
            VolumeFilter::Tagged(tags) => tags.iter().all(|(key, value)| volume.tags.get(key) == Some(value)),
            VolumeFilter::Ids(ids) => ids.contains(&volume.id),
            VolumeFilter::All => true,
        };
        let call = match &filter {
            VolumeFilter::Ids(_) => "look at volumes",
            VolumeFilter::Tagged(_) | VolumeFilter::All => "list volumes",
        };
        let page = self
            .script
            .begins(call)
            .map(|()| self.with(|state| state.volumes.values().filter(wanted).cloned().collect()));
        stream::iter([page]).boxed()
    }

    async fn wait_usable(&self, id: &VolumeId) -> Result<Volume> {
        let volume = self.with(|state| state.volumes.get(id).cloned());
        volume.ok_or_else(|| Error::new(ErrorKind::NotFound, "wait", &id.0, "it is not there"))
    }

    async fn delete(&self, id: &VolumeId) -> Result<()> {
        self.script.begins(&format!("!delete volume {id}"))?;
        self.with(|state| {
            if state
                .volumes
                .get(id)
                .is_some_and(|volume| !volume.attachments.is_empty())
            {
                return Err(Error::new(ErrorKind::InUse, "delete", &id.0, "VolumeInUse"));
            }
            if !state.lasting {
                state.volumes.remove(id);
            }
            Ok(())
        })
    }

    /// What is on its way is gone a moment later; nothing else ever is.
    async fn wait_gone(&self, id: &VolumeId) -> Result<()> {
        let state = self.with(|state| state.volumes.get(id).map(|volume| volume.state));
        if !matches!(state, None | Some(VolumeState::Deleting | VolumeState::Deleted)) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot> {
        self.script.begins(&format!("!snapshot {id}"))?;
        let snapshot = Snapshot {
            id: format!("snap-{name}"),
            volume: id.clone(),
            completed: true,
            tags: tags.clone(),
        };
        self.with(|state| state.snapshots.push(snapshot.clone()));
        Ok(snapshot)
    }

    fn creation_floor(&self, _creates: u32) -> Duration {
        Duration::ZERO
    }
}

#[async_trait]
impl LoadBalancers for FakeCloud {
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        let page = self.script.begins("list load balancers");
        stream::iter([page.map(|()| self.with(|state| state.balancers.clone()))]).boxed()
    }

    async fn delete(&self, balancer: &LoadBalancer) -> Result<()> {
        self.script.begins(&format!("!delete load balancer {}", balancer.name))
    }
}

#[async_trait]
impl MountSecrets for FakeCloud {
    async fn mount_secret(&self, _id: &VolumeId) -> Result<BTreeMap<String, Sensitive>> {
        Ok(BTreeMap::from([("key".to_owned(), Sensitive::new("new"))]))
    }
}

#[async_trait]
impl Usage for FakeCloud {
    async fn used_bytes(&self, _id: &VolumeId) -> Result<Option<u64>> {
        Ok(None)
    }
}

#[async_trait]
impl Recovery for FakeCloud {
    fn recoverable(&self, _tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        stream::iter([Ok(Vec::new())]).boxed()
    }

    async fn recover(&self, origin: &Origin, _new: &NewVolume) -> Result<Volume> {
        self.script.begins(&format!("!recover {}", origin.id()))?;
        Err(unsupported("recover"))
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.script.begins(&format!("!delete snapshot {id}"))
    }
}

#[async_trait]
impl Upkeep for FakeCloud {
    async fn sweep(&self, cluster: &str, profile: &str) -> Result<Vec<Swept>> {
        self.script.begins(&format!("!sweep {cluster} {profile}"))?;
        Ok(self.with(|state| state.swept.clone()))
    }
}
