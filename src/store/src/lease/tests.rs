use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use moorline_api::Stored;
use proptest::prelude::*;

use super::*;

/// Clocks of one machine, moved by hand.
#[derive(Debug, Default)]
struct Hand {
    wall: AtomicU64,
    running: AtomicU64,
}

impl Hand {
    fn at(seconds: u64) -> Arc<Self> {
        let clock = Self::default();
        clock.wall.store(seconds, Ordering::Relaxed);
        Arc::new(clock)
    }

    fn pass(&self, seconds: u64) {
        self.wall.fetch_add(seconds, Ordering::Relaxed);
        self.running.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn wall(&self) -> Timestamp {
        let seconds = i64::try_from(self.wall.load(Ordering::Relaxed)).unwrap();
        Timestamp::from_second(seconds).unwrap()
    }

    fn running(&self) -> Duration {
        Duration::from_secs(self.running.load(Ordering::Relaxed))
    }
}

const NOON: u64 = 1_800_000_000;

fn key() -> StoreKey {
    StoreKey::new("leases/gc.json").unwrap()
}

struct Place {
    store: Arc<dyn RunStore>,
}

impl Place {
    fn new() -> Self {
        Self {
            store: Arc::new(Memory::default()),
        }
    }

    async fn acquire(&self, holder: &str, clock: &Arc<Hand>) -> Result<Lease> {
        Lease::acquire(
            Arc::clone(&self.store),
            key(),
            Terms::new(holder),
            Arc::clone(clock) as _,
        )
        .await
    }
}

/// The default terms in seconds.
const SPAN: u64 = 120;
const MARGIN: u64 = 15;

#[tokio::test]
async fn another_one_is_told_who_holds_it_and_until_when() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    let lease = place.acquire("gc on build-7", &clock).await.unwrap();
    lease.check().unwrap();
    lease.confirm().await.unwrap();
    let refused = place.acquire("other", &clock).await.unwrap_err();
    let LeaseError::Held { holder, until } = &refused else {
        panic!("{refused}")
    };
    assert_eq!(holder, "gc on build-7");
    assert_eq!(until.as_second(), i64::try_from(NOON + SPAN + MARGIN).unwrap());
}

#[tokio::test]
async fn a_lease_that_was_released_is_free_at_once_and_its_fence_grows() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    let mut fences = Vec::new();
    for _ in 0..3 {
        let lease = place.acquire("one", &clock).await.unwrap();
        fences.push(lease.fence());
        lease.renew().await.unwrap();
        lease.release().await.unwrap();
    }
    assert_eq!(fences, [NOON, NOON + 1, NOON + 2]);
}

#[tokio::test]
async fn it_is_taken_over_after_its_time_and_the_margin_and_not_before() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    let first = place.acquire("first", &clock).await.unwrap();
    clock.pass(SPAN + MARGIN);
    assert!(matches!(
        place.acquire("second", &clock).await,
        Err(LeaseError::Held { .. })
    ));
    clock.pass(1);
    let second = place.acquire("second", &clock).await.unwrap();
    assert!(second.fence() > first.fence());
    second.confirm().await.unwrap();
    for outcome in [first.check(), first.confirm().await, first.renew().await] {
        assert!(matches!(outcome, Err(LeaseError::Lost { .. })), "{outcome:?}");
    }
    let why = first.renew().await.unwrap_err().to_string();
    assert!(why.contains("second has it now"), "{why}");
    assert!(matches!(first.release().await, Err(LeaseError::Lost { .. })));
    second.confirm().await.unwrap();
}

#[tokio::test]
async fn a_holder_stops_a_margin_early_by_either_clock() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    let lease = place.acquire("one", &clock).await.unwrap();
    clock.pass(SPAN - MARGIN - 1);
    lease.check().unwrap();
    clock.pass(1);
    assert!(matches!(lease.check(), Err(LeaseError::Lost { .. })));
    // Nobody took it: it can be had back, and lasts for a span from now.
    lease.renew().await.unwrap();
    lease.check().unwrap();
    // Someone sets the clock back, while the time that counts goes on.
    clock.running.fetch_add(SPAN, Ordering::Relaxed);
    clock.wall.fetch_sub(SPAN, Ordering::Relaxed);
    assert!(
        lease.check().is_err(),
        "a clock that was set back made the lease longer"
    );
    lease.renew().await.unwrap();
    // The machine slept, and its other clock stood still.
    clock.wall.fetch_add(SPAN - MARGIN - 1, Ordering::Relaxed);
    lease.check().unwrap();
    clock.wall.fetch_add(1, Ordering::Relaxed);
    assert!(lease.check().is_err(), "a machine that slept made the lease longer");
}

#[tokio::test]
async fn renewal_keeps_others_away_for_as_long_as_it_goes_on() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    let lease = place.acquire("one", &clock).await.unwrap();
    for _ in 0..20 {
        clock.pass(SPAN / 2);
        lease.renew().await.unwrap();
        lease.check().unwrap();
        assert!(place.acquire("other", &clock).await.is_err());
    }
}

#[tokio::test]
async fn a_fence_grows_though_the_lease_was_deleted() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    let first = place.acquire("one", &clock).await.unwrap();
    let there = place.store.read(&key()).await.unwrap().unwrap();
    place.store.delete(&key(), &there.version).await.unwrap();
    let lost = first.confirm().await.unwrap_err();
    assert!(lost.to_string().contains("somebody deleted it"), "{lost}");
    assert!(first.check().is_err(), "what is known to be lost stays lost");
    clock.pass(1);
    let second = place.acquire("two", &clock).await.unwrap();
    assert!(second.fence() > first.fence());
}

#[tokio::test]
async fn what_is_no_lease_is_nobody_s_to_take() {
    let (place, clock) = (Place::new(), Hand::at(NOON));
    for text in ["", "{}", "null", "{\"holder\":\"x\",\"fence\":1,\"more\":2}"] {
        let version = place.store.create(&key(), text.as_bytes()).await.unwrap();
        let refused = place.acquire("one", &clock).await.unwrap_err();
        let LeaseError::Store(error) = &refused else {
            panic!("{refused}")
        };
        assert_eq!(error.kind, ErrorKind::Invalid, "{text}");
        place.store.delete(&key(), &version).await.unwrap();
    }
    let version = place.store.create(&key(), &note(u64::MAX, "x").bytes()).await.unwrap();
    assert!(place.acquire("one", &clock).await.is_err(), "there is no larger fence");
    place.store.delete(&key(), &version).await.unwrap();
    // The holder's name is a stranger's text.
    let strange = Note {
        until: clock.wall(),
        ..note(1, "me\u{1b}[2J")
    };
    place.store.create(&key(), &strange.bytes()).await.unwrap();
    let refused = place.acquire("one", &clock).await.unwrap_err().to_string();
    assert!(refused.starts_with("held by me until"), "{refused}");
}

fn note(fence: u64, holder: &str) -> Note {
    Note {
        holder: holder.to_owned(),
        fence,
        token: "t".to_owned(),
        renewals: 0,
        acquired: Timestamp::UNIX_EPOCH,
        until: Timestamp::UNIX_EPOCH,
        released: false,
    }
}

#[tokio::test]
async fn terms_that_cannot_work_are_refused() {
    let terms = Terms {
        span: Duration::from_secs(30),
        ..Terms::new("one")
    };
    let refused = Lease::acquire(Place::new().store, key(), terms, Hand::at(NOON)).await;
    assert!(matches!(refused, Err(LeaseError::Store(error)) if error.kind == ErrorKind::Invalid));
}

/// A store in memory, which can lose the answers of writes: they have their effect, and are reported as failed.
#[derive(Debug, Default)]
struct Memory {
    values: Mutex<BTreeMap<StoreKey, (Vec<u8>, u64)>>,
    versions: AtomicU64,
    losses: AtomicU64,
}

impl Memory {
    fn write(
        &self,
        key: &StoreKey,
        value: &[u8],
        expected: Option<&StoreVersion>,
    ) -> moorline_api::Result<StoreVersion> {
        let mut values = self.values.lock().unwrap();
        let there = values
            .get(key)
            .map(|(_, version)| StoreVersion::new(version.to_string()));
        if there.as_ref() != expected {
            let kind = if expected.is_some() {
                ErrorKind::Stale
            } else {
                ErrorKind::AlreadyExists
            };
            return Err(Error::new(kind, "write", key.as_str(), ""));
        }
        let version = self.versions.fetch_add(1, Ordering::Relaxed);
        values.insert(key.clone(), (value.to_vec(), version));
        let one_less = |losses: u64| losses.checked_sub(1);
        match self.losses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => Err(Error::new(
                ErrorKind::Unreachable,
                "write",
                key.as_str(),
                "the answer was lost",
            )),
            Err(_) => Ok(StoreVersion::new(version.to_string())),
        }
    }
}

#[async_trait]
impl RunStore for Memory {
    fn place(&self) -> &'static str {
        "memory"
    }

    async fn read(&self, key: &StoreKey) -> moorline_api::Result<Option<Stored>> {
        let values = self.values.lock().unwrap();
        Ok(values.get(key).map(|(value, version)| Stored {
            value: value.clone(),
            version: StoreVersion::new(version.to_string()),
        }))
    }

    async fn create(&self, key: &StoreKey, value: &[u8]) -> moorline_api::Result<StoreVersion> {
        self.write(key, value, None)
    }

    async fn replace(
        &self,
        key: &StoreKey,
        value: &[u8],
        expected: &StoreVersion,
    ) -> moorline_api::Result<StoreVersion> {
        self.write(key, value, Some(expected))
    }

    async fn delete(&self, key: &StoreKey, _: &StoreVersion) -> moorline_api::Result<()> {
        self.values.lock().unwrap().remove(key);
        Ok(())
    }

    fn list(&self, _: Option<&StoreKey>) -> BoxStream<'_, moorline_api::Result<StoreKey>> {
        Box::pin(futures::stream::empty())
    }
}

#[tokio::test]
async fn a_lost_answer_loses_no_lease() {
    let store = Arc::new(Memory::default());
    store.losses.store(1, Ordering::Relaxed);
    let clock = Hand::at(NOON);
    let acquire = |holder: &str| Lease::acquire(store.clone(), key(), Terms::new(holder), clock.clone());
    let lease = acquire("one").await.unwrap();
    lease.confirm().await.unwrap();
    assert!(acquire("other").await.is_err());
    store.losses.store(1, Ordering::Relaxed);
    assert!(matches!(lease.renew().await, Err(LeaseError::Store(_))));
    lease.renew().await.unwrap();
    lease.confirm().await.unwrap();
    lease.release().await.unwrap();
    assert!(acquire("other").await.is_ok());
}

#[tokio::test]
async fn keeping_renews_until_told_to_stop_and_ends_when_it_is_lost() {
    let place = Place::new();
    let terms = Terms {
        span: Duration::from_millis(300),
        margin: Duration::from_millis(50),
        ..Terms::new("one")
    };
    let clock: Arc<dyn Clock> = Arc::new(crate::SystemClock::default());
    let lease = Lease::acquire(Arc::clone(&place.store), key(), terms, clock)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let twice_as_long = async {
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            lease.check().unwrap();
        }
        stop.cancel();
    };
    let (kept, ()) = tokio::join!(lease.keep(&stop), twice_as_long);
    kept.unwrap();
    let there = place.store.read(&key()).await.unwrap().unwrap();
    place
        .store
        .replace(&key(), &note(9, "thief").bytes(), &there.version)
        .await
        .unwrap();
    let kept = lease.keep(&CancellationToken::new()).await;
    assert!(kept.unwrap_err().to_string().contains("thief has it now"));
    assert!(lease.check().is_err());
}

/// What one of several machines does next.
#[derive(Clone, Debug)]
enum Step {
    Acquire(usize),
    Renew(usize),
    Release(usize),
    Pass(u64),
    /// One machine's clock is set, by fewer seconds than the margin.
    Skew(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_usize).prop_map(Step::Acquire),
        2 => (0..3_usize).prop_map(Step::Renew),
        1 => (0..3_usize).prop_map(Step::Release),
        2 => (1..SPAN).prop_map(Step::Pass),
        // What matters is what happens near the end.
        3 => (SPAN - 2 * MARGIN..=SPAN + MARGIN).prop_map(Step::Pass),
        2 => (1..MARGIN).prop_map(Step::Pass),
        2 => ((0..3_usize), 0..2 * MARGIN).prop_map(|(who, skew)| Step::Skew(who, skew)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever machines do whose clocks differ by less than two margins: never do two believe that they hold the lease, and
    /// whoever acquires it has a larger fence than all before.
    #[test]
    fn never_do_two_hold_it(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let clocks = [Hand::at(NOON), Hand::at(NOON), Hand::at(NOON)];
            let mut true_time = NOON;
            let mut leases: [Option<Lease>; 3] = [None, None, None];
            let mut last_fence = 0;
            for step in steps {
                match step {
                    Step::Acquire(who) => if let Ok(lease) = place.acquire("x", &clocks[who]).await {
                        assert!(lease.fence() > last_fence, "{} after {last_fence}", lease.fence());
                        last_fence = lease.fence();
                        leases[who] = Some(lease);
                    },
                    Step::Renew(who) => if let Some(lease) = &leases[who] { _ = lease.renew().await },
                    Step::Release(who) => if let Some(lease) = leases[who].take() { _ = lease.release().await },
                    Step::Pass(seconds) => {
                        true_time += seconds;
                        for clock in &clocks { clock.pass(seconds) }
                    }
                    Step::Skew(who, skew) => clocks[who].wall.store(true_time + skew, Ordering::Relaxed),
                }
                let believers = leases.iter().flatten().filter(|lease| lease.check().is_ok()).count();
                assert!(believers <= 1, "{believers} believe that they hold it");
            }
        });
    }
}
