//! What waits come to, and how often they read.

use std::sync::Arc;

use VolumeState::{Available, Creating, Deleted, Deleting, InUse, Unknown};
use moorline_api::{Tags, VolumeConfig, VolumeSpec};

use super::*;

fn volume(id: VolumeId, state: VolumeState) -> Volume {
    let config = VolumeConfig::ebs("gp3");
    let spec = VolumeSpec {
        size_gib: 1,
        zone: None,
        config,
    };
    Volume {
        id,
        spec,
        state,
        attachments: Vec::new(),
        tags: Tags::new(),
        created: None,
    }
}

fn id(n: usize) -> VolumeId {
    VolumeId(format!("vol-{n}"))
}

/// Reads these states one by one, each when it is due, and the last one again and again: the answer, and after how many
/// seconds.
fn judge(goal: Goal, states: &[Option<VolumeState>]) -> (Answer, u64) {
    let start = Instant::now();
    let mut waiter = Waiter::new(id(0), goal, start, oneshot::channel().0);
    for read in 0.. {
        let now = waiter.due;
        let found = states[read.min(states.len() - 1)].map(|state| volume(id(0), state));
        if let Some(answer) = waiter.judge(found.as_ref(), now, Duration::from_mins(1)) {
            return (answer, (now - start).as_secs());
        }
        assert!(now - start < Duration::from_mins(10), "{states:?} never ends");
    }
    unreachable!("reads have no end")
}

#[test]
fn usable_when_it_can_be_attached() {
    for states in [
        &[Some(Available)][..],
        &[Some(Creating), Some(Unknown), Some(InUse)],
        // Reads lag: absence for a while is no proof, neither at first nor later.
        &[
            None,
            None,
            Some(Creating),
            None,
            None,
            None,
            Some(Creating),
            Some(Available),
        ],
    ] {
        let volume = judge(Goal::Usable, states).0.unwrap().unwrap();
        assert!(matches!(volume.state, Available | InUse), "{states:?}");
    }
}

#[test]
fn fails_when_it_never_will() {
    for (states, kind, least, most) in [
        (
            &[Some(Creating), Some(VolumeState::Error)][..],
            ErrorKind::Invalid,
            0,
            0,
        ),
        (&[Some(Creating), Some(Deleting)], ErrorKind::NotFound, 0, 0),
        (&[Some(Creating), None], ErrorKind::NotFound, 5, 7),
        (&[None], ErrorKind::NotFound, 60, 61),
    ] {
        let (answer, took) = judge(Goal::Usable, states);
        assert_eq!(answer.unwrap_err().kind, kind, "{states:?}");
        assert!((least..=most).contains(&took), "{states:?}: {took} s");
    }
}

#[test]
fn gone_when_absent_twice_or_deleted() {
    for (states, reads) in [
        (&[None][..], 2),
        (&[Some(Deleting), None, Some(Deleting), None, None], 5),
        (&[Some(InUse), Some(Deleting), Some(Deleted)], 3),
    ] {
        let mut waiter = Waiter::new(id(0), Goal::Gone, Instant::now(), oneshot::channel().0);
        let mut read = 0;
        let answer = loop {
            let found = states[read.min(states.len() - 1)].map(|state| volume(id(0), state));
            read += 1;
            if let Some(answer) = waiter.judge(found.as_ref(), waiter.due, Duration::ZERO) {
                break answer;
            }
        };
        assert_eq!((answer.unwrap(), read), (None, reads), "{states:?}");
    }
}

#[test]
fn what_is_available_long_after_its_deletion_is_told() {
    let grace = Duration::from_mins(1);
    let mut waiter = Waiter::new(id(0), Goal::Gone, Instant::now(), oneshot::channel().0);
    let mut judge = |state, after| {
        let now = waiter.since + after;
        waiter.judge(Some(&volume(id(0), state)), now, grace)
    };
    assert!(judge(Available, Duration::from_secs(59)).is_none());
    assert!(judge(Deleting, 2 * grace).is_none());
    let told = judge(Available, 2 * grace).unwrap().unwrap_err();
    assert_eq!(told.kind, ErrorKind::Internal);
    assert!(told.message.contains("accepted 120 s ago"), "{told}");
}

/// A cloud where every volume is usable from the second read on.
#[derive(Default)]
struct Cloud {
    read: Mutex<HashMap<VolumeId, u32>>,
    batches: Mutex<Vec<usize>>,
    refuses: bool,
}

impl Reader for Cloud {
    async fn read(&self, ids: Vec<VolumeId>) -> Result<Vec<Volume>> {
        self.batches.lock().unwrap().push(ids.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.refuses {
            return Err(Error::new(ErrorKind::Forbidden, "ec2:DescribeVolumes", "", "refused"));
        }
        let mut read = self.read.lock().unwrap();
        let state = |id: &VolumeId, read: &mut HashMap<VolumeId, u32>| {
            let reads = read.entry(id.clone()).or_default();
            *reads += 1;
            if *reads > 1 { Available } else { Creating }
        };
        Ok(ids
            .into_iter()
            .map(|id| (state(&id, &mut read), id))
            .map(|(state, id)| volume(id, state))
            .collect())
    }

    fn is_relaxed(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn many_waits_share_reads_and_survive_whoever_reads() {
    let cloud = Arc::new(Cloud::default());
    let waiting = Arc::new(Waiting::new(Duration::from_mins(1)));
    let mut tasks = Vec::new();
    for n in 0..300 {
        let (cloud, waiting) = (Arc::clone(&cloud), Arc::clone(&waiting));
        tasks.push(tokio::spawn(async move {
            waiting.wait(&*cloud, &id(n), Goal::Usable).await
        }));
    }
    while cloud.batches.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // The first one to wait reads for all: it goes away in the middle of its work.
    tasks.remove(0).abort();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().unwrap().unwrap().id, id(n + 1));
    }
    assert!(waiting.state().waiters.is_empty());
    let batches = cloud.batches.lock().unwrap();
    assert!(batches.len() <= 12, "{batches:?}");
    assert!(batches.iter().all(|size| *size <= BATCH), "{batches:?}");
}

#[tokio::test]
async fn who_waits_for_one_after_the_other_reads_less_and_less_often() {
    let cloud = Cloud::default();
    let waiting = Waiting::new(Duration::from_mins(1));
    let start = Instant::now();
    for n in 0..12 {
        waiting.wait(&cloud, &id(n), Goal::Usable).await.unwrap();
    }
    // Two reads for each: the first ten at once, the others every 200 ms.
    assert_eq!(cloud.batches.lock().unwrap().len(), 24);
    let took = start.elapsed();
    assert!(took > Duration::from_millis(10 * 50 + 13 * 200), "{took:?}");
}

#[tokio::test]
async fn a_failed_read_fails_those_who_wait_for_it() {
    let cloud = Cloud {
        refuses: true,
        ..Cloud::default()
    };
    let error = Waiting::new(Duration::from_mins(1))
        .wait(&cloud, &id(7), Goal::Gone)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.resource.as_str()), (ErrorKind::Forbidden, "vol-7"));
}
