//! What a cloud in memory has beside volumes.

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use moorline_api::{
    Content, Error, ErrorKind, Holder, Holders, LoadBalancer, LoadBalancers, NewVolume, Origin, Recoverable, Recovery,
    Result, Tags, TargetGroup, TargetGroups, Volume,
};

use super::cloud::State;
use super::{FakeCloud, failure};

impl FakeCloud {
    /// Everything there is of a sort, one to a page.
    fn pages<'a, T: Send + 'a>(
        &'a self,
        call: &'a str,
        all: impl FnOnce(&State) -> Vec<T> + Send + 'a,
    ) -> BoxStream<'a, Result<Vec<T>>> {
        let listing = async move { self.answer(call, |state| Ok(all(state))).await };
        stream::once(listing)
            .flat_map(|all| match all {
                Ok(all) => stream::iter(all).map(|one| Ok(vec![one])).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .boxed()
    }
}

#[async_trait]
impl Recovery for FakeCloud {
    fn recoverable(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        self.pages("snapshots", move |state| {
            let has = |all: &Tags| tags.iter().all(|(key, value)| all.get(key) == Some(value));
            let wanted = state.snapshots.iter().filter(|snapshot| has(&snapshot.tags));
            let recoverable = wanted.map(|snapshot| Recoverable {
                origin: Origin::Snapshot(snapshot.id.clone()),
                volume: snapshot.volume.clone(),
                ready: snapshot.completed,
                taken: None,
                removed: None,
                size_gib: 10,
                spec: None,
                tags: snapshot.tags.clone(),
            });
            recoverable.collect()
        })
    }

    async fn recover(&self, _origin: &Origin, _new: &NewVolume) -> Result<Volume> {
        Err(failure("recover", ErrorKind::Unsupported))
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.answer(&format!("!delete snapshot {id}"), |state| {
            state.snapshots.retain(|snapshot| snapshot.id != id);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Holders for FakeCloud {
    fn holders(&self) -> BoxStream<'_, Result<Vec<Holder>>> {
        self.pages("holders", |state| state.holders.clone())
    }

    async fn holder(&self, id: &str) -> Result<Option<Holder>> {
        self.answer("read a holder", |state| {
            Ok(state.holders.iter().find(|holder| holder.id == id).cloned())
        })
        .await
    }

    async fn delete_holder(&self, id: &str) -> Result<()> {
        self.answer(&format!("!delete holder {id}"), |state| {
            let full = |holder: &Holder| holder.id == id && holder.content != Content::Nothing;
            if state.holders.iter().any(full) {
                return Err(Error::new(ErrorKind::InUse, "delete", id, "it holds a share"));
            }
            state.holders.retain(|holder| holder.id != id);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl LoadBalancers for FakeCloud {
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        self.pages("balancers", |state| state.balancers.clone())
    }

    async fn delete(&self, balancer: &LoadBalancer) -> Result<()> {
        self.answer(&format!("!delete balancer {}", balancer.id), |state| {
            state.balancers.retain(|known| known.id != balancer.id);
            for group in &mut state.groups {
                group.balancers.retain(|id| *id != balancer.id);
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl TargetGroups for FakeCloud {
    fn target_groups(&self) -> BoxStream<'_, Result<Vec<TargetGroup>>> {
        self.pages("target groups", |state| state.groups.clone())
    }

    async fn delete_target_group(&self, id: &str) -> Result<()> {
        self.answer(&format!("!delete target group {id}"), |state| {
            let used = |group: &TargetGroup| group.id == id && !group.balancers.is_empty();
            if state.groups.iter().any(used) {
                return Err(Error::new(ErrorKind::InUse, "delete", id, "a listener forwards to it"));
            }
            state.groups.retain(|group| group.id != id);
            Ok(())
        })
        .await
    }
}
