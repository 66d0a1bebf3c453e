//! Many ask for one thing each, few reads: whoever asks while a read is under way is served by the next one.
//!
//! Nobody waits for company: the first one reads at once. There is no task of its own; of those who ask, one reads for all.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_api::{Error, Result};
use tokio::sync::oneshot;

/// Things that one read asks for.
const BATCH: usize = 200;

type Answer<T> = Result<Option<T>>;

/// Reads of one kind.
#[derive(Debug)]
pub(crate) struct Merging<T> {
    asked: Mutex<Vec<(String, oneshot::Sender<Answer<T>>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Merging<T> {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }
}

impl<T: Clone + Send> Merging<T> {
    fn asked(&self) -> MutexGuard<'_, Vec<(String, oneshot::Sender<Answer<T>>)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing as it is now, where it exists. `read` gives those of some ids that exist, each with its id.
    pub(crate) async fn get<F>(&self, id: &str, read: impl Fn(Vec<String>) -> F + Send + Sync) -> Answer<T>
    where
        F: Future<Output = Result<Vec<(String, T)>>> + Send,
    {
        // Anew where whoever read for us went away.
        loop {
            let (sender, mut answer) = oneshot::channel();
            self.asked().push((id.to_owned(), sender));
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut answer => match outcome {
                        Ok(answer) => return answer,
                        Err(_) => break,
                    },
                    _turn = self.turn.lock() => self.read(&read).await,
                }
            }
        }
    }

    async fn read<F>(&self, read: &(impl Fn(Vec<String>) -> F + Send + Sync))
    where
        F: Future<Output = Result<Vec<(String, T)>>> + Send,
    {
        let asked: Vec<_> = {
            let mut asked = self.asked();
            asked.retain(|(_, sender)| !sender.is_closed());
            let count = asked.len().min(BATCH);
            asked.drain(..count).collect()
        };
        let ids: BTreeSet<_> = asked.iter().map(|(id, _)| id.clone()).collect();
        if ids.is_empty() {
            return;
        }
        let found = read(ids.into_iter().collect()).await;
        let found = found.map(|things| things.into_iter().collect::<HashMap<_, _>>());
        for (id, sender) in asked {
            let answer = match &found {
                Ok(found) => Ok(found.get(&id).cloned()),
                Err(error) => Err(Error::new(error.kind.clone(), &error.operation, &id, &error.message)),
            };
            // Who went away needs no answer.
            _ = sender.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use moorline_api::ErrorKind;
    use tokio::sync::Notify;

    use super::*;

    /// Of these ids, those of even length.
    fn found(ids: Vec<String>) -> Vec<(String, usize)> {
        let known = ids.into_iter().filter(|id| id.len().is_multiple_of(2));
        known.map(|id| (id.clone(), id.len())).collect()
    }

    #[tokio::test]
    async fn who_asks_during_a_read_is_served_by_the_next() {
        let (merging, reads) = (Merging::default(), Mutex::new(Vec::new()));
        let read = |ids: Vec<String>| {
            reads.lock().unwrap().push(ids.len());
            async move {
                tokio::task::yield_now().await;
                Ok(found(ids))
            }
        };
        let ids: Vec<_> = (0..500).map(|n| format!("vol-{n}")).collect();
        let answers = join_all(ids.iter().map(|id| merging.get(id, read))).await;
        for (id, answer) in ids.iter().zip(answers) {
            assert_eq!(answer.unwrap(), id.len().is_multiple_of(2).then_some(id.len()));
        }
        let reads = reads.lock().unwrap();
        assert!(reads.len() <= 4 && reads.iter().all(|size| *size <= BATCH), "{reads:?}");
        assert!(merging.asked().is_empty());
    }

    #[tokio::test]
    async fn those_whose_reader_goes_away_are_served_all_the_same() {
        let merging = Arc::new(Merging::<usize>::default());
        let (begun, calls) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let ask = |id: &'static str| {
            let (merging, begun, calls) = (Arc::clone(&merging), Arc::clone(&begun), Arc::clone(&calls));
            tokio::spawn(async move {
                let read = |ids: Vec<String>| {
                    let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
                    let begun = Arc::clone(&begun);
                    async move {
                        if is_first {
                            begun.notify_one();
                            std::future::pending::<()>().await;
                        }
                        Ok(found(ids))
                    }
                };
                merging.get(id, read).await
            })
        };
        let first = ask("aa");
        begun.notified().await;
        let (second, third) = (ask("bbbb"), ask("ccc"));
        first.abort();
        assert_eq!(second.await.unwrap().unwrap(), Some(4));
        assert_eq!(third.await.unwrap().unwrap(), None);
    }

    #[tokio::test]
    async fn a_failed_read_fails_those_who_asked() {
        let merging = Merging::<usize>::default();
        let refused = || Error::new(ErrorKind::Forbidden, "ec2:DescribeVolumes", "", "refused");
        let read = |_| async move { Err(refused()) };
        let error = merging.get("vol-7", read).await.unwrap_err();
        assert_eq!((error.kind, error.resource.as_str()), (ErrorKind::Forbidden, "vol-7"));
    }
}
