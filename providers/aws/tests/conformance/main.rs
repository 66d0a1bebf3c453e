//! The conformance suite's cloud cases, against the provider on each backend: `sandbox::…`, `real::moto::…`, `real::localstack::…`.
//!
//! Where an emulator is not what AWS documents, `deviations` says so, and the case must fail there in exactly that way.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod backend;
mod deviations;
mod document;
mod wire;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;

use futures::FutureExt as _;
use libtest_mimic::{Arguments, Failed, Trial};
use moorline_api::conformance::Case;
use moorline_api::conformance::cloud;

use crate::backend::{Backend, Site};
use crate::deviations::{DEVIATIONS, Deviation};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // A panic is told by the trial that it ends, and some are expected.
    panic::set_hook(Box::new(|_| {}));
    let cases = Site::ALL
        .into_iter()
        .flat_map(|site| cloud::cases().into_iter().map(move |case| trial(site, case)));
    let own = [
        Trial::test(
            "deviations::each_is_of_a_case_and_told_once",
            deviations::each_is_of_a_case_and_told_once,
        ),
        Trial::test("deviations::the_document_is_the_table", document::is_the_table),
    ];
    libtest_mimic::run(&arguments, cases.chain(own).collect()).exit_code()
}

fn trial(site: Site, case: Case<cloud::Backend>) -> Trial {
    let name = format!("{}::{}", site.module(), case.name);
    // Ignored ones are run by `cargo xtask test`, which starts the parts.
    Trial::test(name, move || run(site, case)).with_ignored_flag(site != Site::Sandbox)
}

fn run(site: Site, case: Case<cloud::Backend>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let deviation = DEVIATIONS
        .iter()
        .find_map(|deviation| Some((deviation, deviation.seen(site, case.name)?)));
    runtime.block_on(async {
        let label = format!("m{:08x}", fastrand::u32(..));
        let backend = Arc::new(caught(Backend::at(site, label)).await?);
        let outcome = caught(case.run(backend.clone())).await;
        caught(backend.clear()).await?;
        judge(outcome, deviation)
    })
}

/// What comes of it, or what its panic said.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let outcome = AssertUnwindSafe(future).catch_unwind().await;
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}

/// Whether that is how it should end: well, or as its deviation says that it must.
fn judge(outcome: Result<(), String>, deviation: Option<(&Deviation, &str)>) -> Result<(), Failed> {
    match (outcome, deviation) {
        (outcome, None) => outcome.map_err(Failed::from),
        (Ok(()), Some((deviation, _))) if deviation.sometimes => Ok(()),
        (Ok(()), Some(_)) => Err("it does what AWS documents now: take its line out of deviations.rs".into()),
        (Err(said), Some((_, seen))) if said.contains(seen) => Ok(()),
        (Err(said), Some((_, seen))) => Err(format!("it deviates, but not by {seen:?}: {said}").into()),
    }
}
