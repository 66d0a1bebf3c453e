//! The conformance suite's cases of blob storage: containers as volumes, of the sandbox's Resource Manager
//! (`sandbox::containers::…`) and of Azurite's data plane (`real::azurite::containers::…`), and what blobs do
//! (`real::azurite::blobs::…`).
//!
//! Where Azurite is not what Azure documents, `deviations` says so, and the case must fail there in exactly that way.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod azurite;
mod blobs;
mod deviations;
mod sandbox;

use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use moorline_api::conformance::deviation::{caught, check, check_page, judge};
use moorline_api::conformance::{Case, blobs as blob_cases, containers};

use crate::azurite::Azurite;
use crate::deviations::{DEVIATIONS, FOOT, HEAD, Site};
use crate::sandbox::Sandbox;

const AZURITE: &str = "real::azurite";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // A panic is told by the trial that it ends, and some are expected.
    panic::set_hook(Box::new(|_| {}));
    let mut trials = vec![
        Trial::test("deviations::each_is_of_a_case_and_told_once", || {
            check(DEVIATIONS, &names()).map_err(Failed::from)
        }),
        Trial::test("deviations::the_document_is_the_table", || {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deviations-azurite.md");
            check_page(&file, (HEAD, FOOT), DEVIATIONS).map_err(Failed::from)
        }),
    ];
    trials.extend(
        containers::cases()
            .into_iter()
            .map(|case| Trial::test(format!("sandbox::containers::{}", case.name), move || in_sandbox(case))),
    );
    let all = containers::cases().into_iter().chain(containers::cases_of_use());
    trials.extend(all.map(|case| real("containers", case, |azurite| azurite)));
    let all = blob_cases::cases().into_iter();
    trials.extend(all.map(|case| real("blobs", case, |azurite| azurite)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A trial that `cargo xtask test` runs, which starts the parts.
fn real<B: 'static>(module: &str, case: Case<B>, backend: fn(Arc<Azurite>) -> B) -> Trial {
    let name = format!("{module}::{}", case.name);
    let run = {
        let name = name.clone();
        move || with_azurite(&name, case, backend)
    };
    Trial::test(format!("{AZURITE}::{name}"), run).with_ignored_flag(true)
}

/// Every case, by the name that the table uses.
fn names() -> Vec<&'static str> {
    let containers = containers::cases().into_iter().chain(containers::cases_of_use());
    let leaked = |module: &str, case: &str| -> &'static str { format!("{module}::{case}").leak() };
    containers
        .map(|case| leaked("containers", case.name))
        .chain(blob_cases::cases().into_iter().map(|case| leaked("blobs", case.name)))
        .collect()
}

fn in_sandbox(case: Case<containers::Backend>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let sandbox = Arc::new(caught(Sandbox::start()).await?);
        caught(case.run(sandbox)).await
    });
    outcome.map_err(Failed::from)
}

fn with_azurite<B: 'static>(name: &str, case: Case<B>, backend: fn(Arc<Azurite>) -> B) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome: Result<(), String> = runtime.block_on(async {
        let azurite = Arc::new(caught(async { Azurite::find() }).await?);
        let outcome = caught(case.run(backend(Arc::clone(&azurite)))).await;
        caught(azurite.clear()).await?;
        judge(outcome, DEVIATIONS, (Site::Azurite, name))
    });
    outcome.map_err(Failed::from)
}
