//! The loop that feeds changes to the controllers, one at a time.

use std::sync::Arc;

use moorline_sandbox_kubernetes::Change;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLAIMS, VOLUMES};
use crate::object::{name, namespace};
use crate::queue::{Item, Key, Place, Work};
use crate::settled::Settled;
use crate::{Shared, cleanup, kinds, network, nodes, pod, storage, wake, workload};

/// Runs until told to stop. A reconciliation that was begun is finished first.
pub(crate) async fn run(mut cluster: Cluster, shared: Arc<Shared>, stop: CancellationToken) {
    let mut changes = cluster.api.subscribe();
    start_afresh(&mut cluster, &mut changes);
    loop {
        let more = shared.gated(|orders| {
            cluster.settings.clone_from(&orders.settings);
            let waiting = std::mem::take(&mut orders.afresh);
            if !waiting.is_empty() {
                cluster.under_way.clear();
                start_afresh(&mut cluster, &mut changes);
            }
            for one in waiting {
                // Whoever does not wait any longer need not know.
                let _ = one.send(());
            }
            step(&mut cluster, &mut changes)
        });
        if stop.is_cancelled() {
            return;
        }
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        let next = cluster.queue.next_moment();
        let clock = cluster.clock.clone();
        let due = async {
            match next {
                Some(moment) => clock.sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = shared.poked.notified() => cluster.wake(Work::BinderResync, "", ""),
            () = due => {}
            change = changes.recv() => match change {
                Ok(change) => wake::apply(&mut cluster, &change),
                Err(RecvError::Lagged(_)) => start_afresh(&mut cluster, &mut changes),
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Takes in what changed, then looks at one item; `false` when nothing is left to look at.
fn step(cluster: &mut Cluster, changes: &mut Receiver<Change>) -> bool {
    loop {
        match changes.try_recv() {
            Ok(change) => wake::apply(cluster, &change),
            Err(TryRecvError::Lagged(_)) => start_afresh(cluster, changes),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    let now = cluster.now();
    let Some(item) = cluster.queue.pop(now) else {
        return false;
    };
    match look_at(cluster, &item) {
        Ok(()) => cluster.queue.succeeded(&item),
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default();
            tracing::debug!(?item, %error, cause, "will be tried again");
            cluster.queue.retry(item, now);
        }
    }
    true
}

/// Builds the index from the objects that are there and looks at each.
fn start_afresh(cluster: &mut Cluster, changes: &mut Receiver<Change>) {
    // What was sent until now is in the lists that follow.
    *changes = changes.resubscribe();
    cluster.index = crate::index::Index::default();
    cluster.queue.clear();
    cluster.resync_due = None;
    if let Err(error) = nodes::ensure(cluster) {
        tracing::error!(%error, "the simulated nodes could not be made");
    }
    let mut settled = Settled::default();
    // Claims come before volumes.
    for resource in kinds::resources(&cluster.api) {
        for object in cluster.api.scan(&resource, None) {
            let place = Place {
                resource: resource.clone(),
                namespace: namespace(&object).to_owned(),
                name: name(&object).to_owned(),
            };
            let needs_nothing = match &*resource {
                CLAIMS => settled.takes_claim(&place, &object),
                VOLUMES => settled.settles(&object),
                _ => false,
            };
            if needs_nothing {
                wake::learn_settled(cluster, place, &object);
            } else {
                wake::learn(cluster, place, &object);
            }
        }
    }
    for claim in settled.others() {
        wake::look_at_claim(cluster, &claim);
    }
    let Cluster { waits, index, .. } = cluster;
    waits.keep(|uid| index.place(uid).is_some());
    cluster.wake(Work::BinderResync, "", "");
    cluster.wake(Work::Events, "", "");
}

fn look_at(cluster: &mut Cluster, item: &Item) -> Outcome {
    let key = match item {
        Item::Collect(place) => return cleanup::collector::reconcile(cluster, place),
        Item::Key(key) => key,
    };
    let look: fn(&mut Cluster, &Key) -> Outcome = match key.work {
        Work::Pod => pod::reconcile,
        Work::Attachment => storage::attachment::reconcile,
        Work::Claim => storage::binder::claim::reconcile,
        Work::Volume => storage::binder::volume::reconcile,
        Work::BinderResync => |cluster, key| {
            storage::binder::resync(cluster, key);
            Ok(())
        },
        Work::Events => cleanup::events::expire,
        Work::Provision => storage::provisioner::provision::reconcile,
        Work::Reclaim => storage::provisioner::reclaim::reconcile,
        Work::ClaimProtection => storage::protection::claim,
        Work::StatefulSet => workload::stateful_set::reconcile,
        Work::ReplicaSet => workload::replica_set::reconcile,
        Work::Deployment => workload::deployment::reconcile,
        Work::Balancer => network::balancer::reconcile,
        Work::Endpoints => network::endpoints::reconcile,
        Work::Namespace => cleanup::namespace::reconcile,
    };
    look(cluster, key)
}
