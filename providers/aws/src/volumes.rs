//! EBS volumes.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{ResourceType, VolumeType};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, TryFutureExt, TryStreamExt, stream};
use moorline_api::{
    ClientToken, Error, ErrorKind, NewVolume, Result, Snapshot, Tags, Volume, VolumeConfig, VolumeFilter, VolumeId,
    VolumeState, Volumes,
};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::call::Manner;
use crate::clients::Clients;
use crate::convert;
use crate::governor::Family;
use crate::listing::{plain, queries, until_error};
use crate::provider::AwsProvider;
use crate::waiting::{Goal, Reader};

// Creation has a token, and what it made is looked for first; deletion has an id: both may be sent again.
const CREATE: Manner = Manner {
    family: Family::Create,
    repeatable: true,
};
const DELETE: Manner = Manner {
    family: Family::Delete,
    repeatable: true,
};

/// How long a volume may be in a state that forbids deletion for a moment, such as `creating`.
const STATE_PATIENCE: Duration = Duration::from_secs(15);

#[async_trait]
impl Volumes for AwsProvider {
    async fn create(&self, new: &NewVolume) -> Result<Volume> {
        self.create_volume(new, None).await
    }

    fn list(&self, filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        let filter = match filter {
            VolumeFilter::Ids(ids) if ids.len() == 1 => return self.volume_now(ids).boxed(),
            filter => filter,
        };
        until_error(stream::iter(queries(&filter)).flat_map(|filters| self.volume_pages(filters))).boxed()
    }

    async fn wait_usable(&self, id: &VolumeId) -> Result<Volume> {
        let volume = self.waiting.wait(self, id, Goal::Usable).await?;
        volume.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "ec2:DescribeVolumes",
                &id.0,
                "the wait ended without a volume",
            )
        })
    }

    async fn delete(&self, id: &VolumeId) -> Result<()> {
        let clients = self.clients().await?;
        let deadline = Instant::now() + STATE_PATIENCE;
        loop {
            let error = match self.delete_once(clients, id).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => error,
            };
            if error.kind != ErrorKind::Stale {
                return Err(error);
            }
            // `IncorrectState` says that the state forbids it, and not which state that is.
            match self.volume(id).await?.map(|volume| volume.state) {
                Some(VolumeState::Deleting | VolumeState::Deleted) => return Ok(()),
                Some(VolumeState::InUse) => {
                    return Err(Error {
                        kind: ErrorKind::InUse,
                        ..error
                    });
                }
                _ if Instant::now() > deadline => return Err(error),
                _ => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn wait_gone(&self, id: &VolumeId) -> Result<()> {
        self.waiting.wait(self, id, Goal::Gone).await.map(drop)
    }

    async fn snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot> {
        self.take_snapshot(id, name, tags).await
    }

    fn creation_floor(&self, creates: u32) -> Duration {
        self.settings.budgets.creation_floor(creates)
    }
}

impl AwsProvider {
    /// Makes a volume, empty or of a snapshot.
    pub(crate) async fn create_volume(&self, new: &NewVolume, snapshot: Option<&str>) -> Result<Volume> {
        let clients = self.clients().await?;
        let token = client_token(&new.token);
        let subject = clients.subject("ec2:CreateVolume", &token);
        let VolumeConfig::Ebs {
            volume_type,
            iops,
            throughput,
            encrypted,
            kms_key_id,
        } = &new.spec.config
        else {
            return Err(subject.error(ErrorKind::Invalid, "this is no EBS volume"));
        };
        let number = |value: u32| {
            i32::try_from(value).map_err(|_| subject.error(ErrorKind::Invalid, format!("{value} is too large")))
        };
        let (size, iops) = (number(new.spec.size_gib)?, iops.map(number).transpose()?);
        let throughput = throughput.map(number).transpose()?;
        // What a snapshot holds stays encrypted: there is nothing to say but that it is to be.
        let encrypted = encrypted.filter(|encrypted| *encrypted || snapshot.is_none());
        let request = || {
            clients
                .ec2
                .create_volume()
                .client_token(&token)
                .set_snapshot_id(snapshot.map(str::to_owned))
                .size(size)
                .set_availability_zone(new.spec.zone.clone())
                .volume_type(VolumeType::from(volume_type.as_str()))
                .set_iops(iops)
                .set_throughput(throughput)
                .set_encrypted(encrypted)
                .set_kms_key_id(kms_key_id.clone())
                .set_tag_specifications(convert::tag_specification(ResourceType::Volume, &new.tags))
                .send()
                .map_ok(convert::created_volume)
        };
        // AWS would know the token again; emulators make another volume.
        let made_already = || self.made_already(new).map(|volume| volume.map(Some));
        let answer = self.caller.call_unless(subject, CREATE, request, made_already).await?;
        let volume = answer.ok_or_else(|| {
            subject.error(
                ErrorKind::Internal,
                "the answer names no volume; run again to find it by its tags",
            )
        })?;
        match volume.state {
            // The token found the volume that it made before, and that one is lost.
            VolumeState::Deleting | VolumeState::Deleted | VolumeState::Error => {
                let message = format!("the token belongs to {}, which is {}", volume.id, volume.state);
                Err(subject.error(ErrorKind::TokenBurnt, message))
            }
            _ => Ok(volume),
        }
    }

    /// The volume that a creation made whose answer was lost: alive, as asked for, and with all of its tags; of several the
    /// oldest. A listing that fails is no reason not to try again: the token is there too.
    async fn made_already(&self, new: &NewVolume) -> Option<Volume> {
        let plain = plain(&new.tags);
        if plain.is_empty() {
            return None;
        }
        let found: Vec<_> = Volumes::list(self, VolumeFilter::Tagged(plain))
            .try_concat()
            .await
            .ok()?;
        let is_it = |volume: &Volume| {
            let (has, asks) = (&volume.spec, &new.spec);
            volume.state.is_alive()
                && (has.size_gib, &has.zone) == (asks.size_gib, &asks.zone)
                && has.config.type_name() == asks.config.type_name()
                && new.tags.iter().all(|(key, value)| volume.tags.get(key) == Some(value))
        };
        let made = found.into_iter().filter(is_it);
        made.min_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)))
    }

    /// A volume as it is now, where it exists: read along with others that are asked for at the same time.
    pub(crate) async fn volume(&self, id: &VolumeId) -> Result<Option<Volume>> {
        let read = |ids: Vec<String>| async move {
            let volumes = self.volumes_of(ids.into_iter().map(VolumeId).collect()).await?;
            Ok(volumes
                .into_iter()
                .map(|volume| (volume.id.0.clone(), volume))
                .collect())
        };
        self.volumes_now.get(&id.0, read).await
    }

    /// The same, for each of a few ids, as a listing.
    fn volume_now(&self, ids: Vec<VolumeId>) -> impl Stream<Item = Result<Vec<Volume>>> + Send + '_ {
        let one = move |id: VolumeId| async move { Ok(Vec::from_iter(self.volume(&id).await?)) };
        stream::iter(ids).then(one)
    }

    async fn delete_once(&self, clients: &Clients, id: &VolumeId) -> Result<()> {
        let subject = clients.subject("ec2:DeleteVolume", &id.0);
        self.caller
            .call(subject, DELETE, || clients.ec2.delete_volume().volume_id(&id.0).send())
            .await
            .map(drop)
    }
}

impl Reader for AwsProvider {
    fn read(&self, ids: Vec<VolumeId>) -> impl Future<Output = Result<Vec<Volume>>> + Send {
        self.volumes_of(ids)
    }

    fn is_relaxed(&self) -> bool {
        self.caller.is_relaxed(Family::Reads)
    }
}

/// EC2 takes at most 64 ASCII characters.
fn client_token(token: &ClientToken) -> String {
    let plain = token.to_string();
    if plain.len() <= 64 && plain.is_ascii() {
        return plain;
    }
    Sha256::digest(plain.as_bytes())
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_fit() {
        let token = |claim_uid: &str, generation| {
            client_token(&ClientToken {
                claim_uid: claim_uid.to_owned(),
                generation,
            })
        };
        let uid = "0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";
        assert_eq!(token(uid, 1), uid);
        assert_eq!(token(uid, 12), format!("{uid}-12"));
        let long = "u".repeat(70);
        assert_eq!(token(&long, 1).len(), 64);
        assert_ne!(token(&long, 1), token(&long, 2));
        assert_eq!(token("ü", 1).len(), 64);
    }
}
