//! The conformance suite's cases of run stores: `folder::…`, and of the real parts `real::moto::…`, `real::azurite::…`.
//! With them what the store's own leases and records have to do on each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod backend;
mod leases;
mod raw;
mod wire;
mod writers;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use futures::FutureExt as _;
use libtest_mimic::{Arguments, Failed, Trial};
use moorline_api::conformance::Case;
use moorline_api::conformance::store;

use crate::backend::{Backend, Site};

fn main() -> ExitCode {
    if let Some(code) = writers::run_as_one() {
        return code;
    }
    let arguments = Arguments::from_args();
    // A panic is told by the trial that it ends.
    panic::set_hook(Box::new(|_| {}));
    let mut trials = writers::trials();
    for site in Site::ALL {
        let mut cases = store::cases();
        cases.extend(leases::cases());
        if site != Site::Folder {
            cases.extend(store::service_cases());
        }
        trials.extend(cases.into_iter().map(|case| trial(site, case)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(site: Site, case: Case<store::Backend>) -> Trial {
    let name = format!("{}::{}", site.module(), case.name);
    // Ignored ones are run by `cargo xtask test`, which starts the parts.
    Trial::test(name, move || run(site, case)).with_ignored_flag(site != Site::Folder)
}

fn run(site: Site, case: Case<store::Backend>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let outcome = AssertUnwindSafe(async { case.run(Backend::at(site).await).await });
        outcome.catch_unwind().await.map_err(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without words".to_owned())
                .into()
        })
    })
}
