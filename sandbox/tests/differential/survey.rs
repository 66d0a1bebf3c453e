//! Random sequences against both servers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::compare::{Difference, compare};
use crate::generate;
use crate::normalise::normalise;
use crate::run::run;
use crate::sequence::{Case, Sequence};
use crate::server::Server;
use crate::{QUIET, sandbox};

/// How many sequences run at a time: most of a sequence's time is waiting.
const AT_A_TIME: usize = 32;
/// What a run without `MOORLINE_TEST_SEED` and `MOORLINE_TEST_SEQUENCES` does: always the same, so that a change that breaks it is
/// to blame. To look for differences that nobody knows, give it another seed.
const SEED: u64 = 4;
const SEQUENCES: u64 = 60;

/// Both servers.
struct Pair {
    real: Server,
    sandbox: Server,
}

/// The real control plane of the test parts.
pub(crate) async fn real() -> Server {
    let parts = std::env::var("MOORLINE_TEST_PARTS")
        .unwrap_or_else(|_| panic!("MOORLINE_TEST_PARTS names the parts: run `cargo xtask test`"));
    let parts: Value = serde_json::from_slice(&std::fs::read(parts).unwrap()).unwrap();
    Server::of_kubeconfig(parts["kubernetes"]["kubeconfig"].as_str().unwrap()).await
}

/// A text that no other sequence has, here or in another process.
pub(crate) fn token() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let process = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis()
        % 0x100_0000;
    format!("t{process:06x}{:05x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
    })
}

impl Pair {
    /// The first difference that a sequence shows. Controllers get more time before a difference between what they came to
    /// counts: both must have come to rest.
    async fn difference(&self, sequence: &Sequence) -> Option<(Difference, Case)> {
        let mut found = self.once(sequence, 1).await?;
        if found.0.is_settled(sequence) {
            found = self.once(sequence, 4).await?;
        }
        Some(found)
    }

    async fn once(&self, sequence: &Sequence, patience: u32) -> Option<(Difference, Case)> {
        let token = token();
        let (sandbox, real) = tokio::join!(
            run(&self.sandbox, sequence, &token, QUIET[0] * patience),
            run(&self.real, sequence, &token, QUIET[1] * patience),
        );
        let (sandbox, real) = (normalise(sandbox, &token), normalise(real, &token));
        let difference = compare(&real, &sandbox)?;
        Some((
            difference,
            Case {
                sequence: sequence.clone(),
                answers: real,
            },
        ))
    }

    /// The simplest sequence that shows the same difference as `found`.
    async fn shrink(
        &self,
        tree: &mut impl ValueTree<Value = Sequence>,
        mut found: (Difference, Case),
    ) -> (Difference, Case) {
        let signature = found.0.signature(&found.1.sequence);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if !tree.simplify() {
                break;
            }
            loop {
                let again = self.difference(&tree.current()).await;
                match again {
                    Some(again) if again.0.signature(&again.1.sequence) == signature => {
                        found = again;
                        break;
                    }
                    _ => {}
                }
                if Instant::now() > until || !tree.complicate() {
                    return found;
                }
            }
        }
        found
    }
}

/// Runs random sequences, and fails with every kind of difference that they showed.
pub(crate) fn survey() {
    let seed = number("MOORLINE_TEST_SEED").unwrap_or(SEED);
    let most = number("MOORLINE_TEST_SEQUENCES").unwrap_or(SEQUENCES);
    eprintln!("MOORLINE_TEST_SEED={seed}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (_running, sandbox) = sandbox().await;
        let pair = Pair {
            real: real().await,
            sandbox,
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let strategy = generate::sequence();
        let started = Instant::now();
        let trees =
            std::iter::from_fn(|| Some(strategy.new_tree(&mut runner).unwrap())).take(usize::try_from(most).unwrap());
        let (mut sequences, mut steps) = (0, 0);
        let mut found: BTreeMap<String, (usize, _, _)> = BTreeMap::new();
        let mut results = futures::stream::iter(trees)
            .map(|tree| async {
                let sequence = tree.current();
                let difference = pair.difference(&sequence).await;
                (tree, sequence, difference)
            })
            .buffer_unordered(AT_A_TIME);
        while let Some((tree, sequence, difference)) = results.next().await {
            sequences += 1;
            steps += sequence.steps.len();
            if let Some((difference, case)) = difference {
                let signature = difference.signature(&case.sequence);
                found
                    .entry(signature)
                    .or_insert_with(|| (0, tree, (difference, case)))
                    .0 += 1;
            }
        }
        drop(results);
        eprintln!(
            "{sequences} sequences, {steps} steps in {:.0?}, {} differences",
            started.elapsed(),
            found.len()
        );
        let shrinking = number("MOORLINE_TEST_SHRINK").unwrap_or(5);
        let mut report = String::new();
        let mut all: Vec<_> = found.into_iter().collect();
        all.sort_by_key(|(_, (count, ..))| std::cmp::Reverse(*count));
        for (index, (signature, (count, mut tree, mut one))) in all.into_iter().enumerate() {
            if (index as u64) < shrinking {
                one = pair.shrink(&mut tree, one).await;
            }
            keep(index, &one);
            let _ = writeln!(report, "{count} × {signature}\n{}", one.0.report(&one.1.sequence));
        }
        assert!(report.is_empty(), "seed {seed}:\n{report}");
    });
}

/// Writes a case for `cases/` where somebody wants it.
fn keep(index: usize, (difference, case): &(Difference, Case)) {
    if let Some(folder) = std::env::var_os("MOORLINE_TEST_KEEP") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join(format!("{index:03}.json")),
            serde_json::to_string_pretty(case).unwrap(),
        )
        .unwrap();
        std::fs::write(
            folder.join(format!("{index:03}.txt")),
            difference.report(&case.sequence),
        )
        .unwrap();
    }
}
