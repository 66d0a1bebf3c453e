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

use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use moorline_api::conformance::Case;
use moorline_api::conformance::cloud;
use moorline_api::conformance::deviation::{caught, check, check_page, judge};

use crate::backend::{Backend, Site};
use crate::deviations::DEVIATIONS;
use crate::document::{FOOT, HEAD};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // A panic is told by the trial that it ends, and some are expected.
    panic::set_hook(Box::new(|_| {}));
    let cases = Site::ALL
        .into_iter()
        .flat_map(|site| cloud::cases().into_iter().map(move |case| trial(site, case)));
    let own = [
        Trial::test("deviations::each_is_of_a_case_and_told_once", || {
            let names: Vec<_> = cloud::cases().into_iter().map(|case| case.name).collect();
            check(DEVIATIONS, &names).map_err(Failed::from)
        }),
        Trial::test("deviations::the_document_is_the_table", || {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deviations.md");
            check_page(&file, (HEAD, FOOT), DEVIATIONS).map_err(Failed::from)
        }),
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
    runtime.block_on(async {
        let label = format!("m{:08x}", fastrand::u32(..));
        let backend = Arc::new(caught(Backend::at(site, label)).await?);
        let outcome = caught(case.run(backend.clone())).await;
        caught(backend.clear()).await?;
        judge(outcome, DEVIATIONS, (site, case.name)).map_err(Failed::from)
    })
}
