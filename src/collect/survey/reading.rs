//! Listings side by side, folded as their pages come.
//!
//! Each listing is a task that asks for a permit before each page and hands the page over with it; the permit is free again when
//! the page is folded. So there are never more pages in memory than permits, whatever is faster.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use moorline_api::{Cluster, Error, ErrorKind, Inventoried, Inventory, ListQuery, Object, Result, Volume, VolumeId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A listing from which nothing comes for so long has failed: its provider's own retries end before.
const STALLED: Duration = Duration::from_mins(3);

/// How often a listing whose version ran out is begun anew.
const ATTEMPTS: usize = 3;

/// Some of a listing.
pub(crate) enum Portion {
    Volumes(Inventoried),
    Read(Vec<Volume>),
    Objects(Vec<Object>),
}

/// How a listing ended.
pub(crate) struct Ending {
    /// Before its first call.
    pub(crate) began: Instant,
    pub(crate) outcome: Result<()>,
}

/// What comes from a listing.
pub(crate) enum News<'a> {
    Portion(Portion),
    Ended(&'a Ending),
}

enum Sent {
    Portion(usize, Portion, OwnedSemaphorePermit),
    Ending(usize, Ending),
}

/// Several listings. Dropped, they end.
pub(crate) struct Reading {
    tasks: JoinSet<()>,
    sender: mpsc::UnboundedSender<Sent>,
    receiver: mpsc::UnboundedReceiver<Sent>,
    permits: Arc<Semaphore>,
    begun: usize,
}

/// What a listing's task sends through.
struct Out {
    listing: usize,
    sender: mpsc::UnboundedSender<Sent>,
    permits: Arc<Semaphore>,
}

impl Reading {
    pub(crate) fn new(permits: &Arc<Semaphore>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            tasks: JoinSet::new(),
            sender,
            receiver,
            permits: Arc::clone(permits),
            begun: 0,
        }
    }

    fn out(&mut self) -> Out {
        self.begun += 1;
        Out {
            listing: self.begun - 1,
            sender: self.sender.clone(),
            permits: Arc::clone(&self.permits),
        }
    }

    /// Begins to list a scope's volumes; its number.
    pub(crate) fn volumes(&mut self, inventory: Arc<dyn Inventory>) -> usize {
        let out = self.out();
        let listing = out.listing;
        self.tasks.spawn(async move {
            let began = Instant::now();
            let outcome = out.pass(inventory.inventory(), Portion::Volumes).await;
            out.end(began, outcome);
        });
        listing
    }

    /// Begins to read some volumes of a scope by themselves; its number.
    pub(crate) fn read(&mut self, inventory: Arc<dyn Inventory>, ids: Vec<VolumeId>) -> usize {
        let out = self.out();
        let listing = out.listing;
        self.tasks.spawn(async move {
            let began = Instant::now();
            let outcome = out.pass(inventory.read(ids), Portion::Read).await;
            out.end(began, outcome);
        });
        listing
    }

    /// Begins to list objects; its number. A listing whose version ran out begins anew: what was seen already is seen again.
    pub(crate) fn objects(&mut self, cluster: Arc<dyn Cluster>, query: ListQuery) -> usize {
        let out = self.out();
        let listing = out.listing;
        self.tasks.spawn(async move {
            for attempt in 1.. {
                let began = Instant::now();
                let pages = cluster.list(query.clone());
                let pages = pages.map(|page| page.map(|page| page.objects));
                let outcome = out.pass(pages, Portion::Objects).await;
                let expired = outcome.as_ref().is_err_and(|error| error.kind == ErrorKind::Expired);
                if !expired || attempt == ATTEMPTS {
                    return out.end(began, outcome);
                }
            }
        });
        listing
    }

    /// Folds everything that comes, until all listings have ended; how they did, by their numbers. `None` where `stop` was called.
    pub(crate) async fn fold(
        mut self,
        stop: &CancellationToken,
        mut fold: impl FnMut(usize, News<'_>),
    ) -> Option<Vec<Ending>> {
        let mut endings: Vec<Option<Ending>> = Vec::new();
        endings.resize_with(self.begun, || None);
        drop(self.sender);
        loop {
            let sent = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                sent = self.receiver.recv() => sent,
            };
            match sent {
                Some(Sent::Portion(listing, portion, permit)) => {
                    fold(listing, News::Portion(portion));
                    drop(permit);
                }
                Some(Sent::Ending(listing, ending)) => {
                    fold(listing, News::Ended(&ending));
                    endings[listing] = Some(ending);
                }
                None => break,
            }
        }
        let silent = || Ending {
            began: Instant::now(),
            outcome: Err(Error::new(
                ErrorKind::Internal,
                "list",
                "",
                "the listing ended without a word",
            )),
        };
        Some(
            endings
                .into_iter()
                .map(|ending| ending.unwrap_or_else(silent))
                .collect(),
        )
    }
}

impl Out {
    async fn pass<T>(&self, pages: impl Stream<Item = Result<T>> + Send, wrap: impl Fn(T) -> Portion) -> Result<()> {
        let mut pages = std::pin::pin!(pages);
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                return Ok(());
            };
            let page = tokio::time::timeout(STALLED, pages.next()).await;
            let stalled = |_| {
                let why = format!("nothing came for {} seconds", STALLED.as_secs());
                Error::new(ErrorKind::Unreachable, "list", "", why)
            };
            let Some(page) = page.map_err(stalled)? else {
                return Ok(());
            };
            // Nobody listens any more only where the whole run ends.
            let _ = self.sender.send(Sent::Portion(self.listing, wrap(page?), permit));
        }
    }

    fn end(self, began: Instant, outcome: Result<()>) {
        let _ = self.sender.send(Sent::Ending(self.listing, Ending { began, outcome }));
    }
}
