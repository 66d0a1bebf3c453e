//! Where an emulator is not what its cloud documents: the table of it drives the tests, and a page is made of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use futures::FutureExt as _;

/// Cases in which emulators do something else than is documented.
#[derive(Debug)]
pub struct Deviation<Site: 'static> {
    /// In a few words.
    pub title: &'static str,
    /// Who deviates.
    pub sites: &'static [Site],
    /// In which cases, and what each of them must say of it when it fails.
    pub cases: &'static [(&'static str, &'static str)],
    /// Whether it depends on the machine, so that the cases may pass too.
    pub sometimes: bool,
    /// What is documented, and where.
    pub documented: &'static str,
    /// What the emulator does.
    pub instead: &'static str,
    /// Why moorline does no harm there.
    pub harmless: &'static str,
}

/// A place where cases are run.
pub trait Named: Copy + PartialEq {
    /// What people call it.
    fn name(self) -> &'static str;
}

impl<Site: Named> Deviation<Site> {
    /// What the case must say when it fails, where this is its deviation.
    pub fn seen(&self, site: Site, case: &str) -> Option<&'static str> {
        let mut cases = self.cases.iter().filter(|_| self.sites.contains(&site));
        cases.find(|(name, _)| *name == case).map(|(_, seen)| *seen)
    }

    fn section(&self, page: &mut String) -> std::fmt::Result {
        let sites: Vec<_> = self.sites.iter().map(|site| site.name()).collect();
        writeln!(page, "\n## {}: {}\n", sites.join(" and "), self.title)?;
        writeln!(page, "- Documented: {}.", self.documented)?;
        writeln!(page, "- Instead: {}.", self.instead)?;
        writeln!(page, "- No harm, because {}.", self.harmless)?;
        let may = if self.sometimes { "may fail" } else { "must fail" };
        writeln!(page, "\n| case | {may} with |\n|---|---|")?;
        for (case, seen) in self.cases {
            writeln!(page, "| `{case}` | `{seen}` |")?;
        }
        Ok(())
    }
}

/// What comes of it, or what its panic said.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let outcome = AssertUnwindSafe(future).catch_unwind().await;
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}

/// Whether that is how a case should end: well, or as its deviation says that it must.
pub fn judge<Site: Named>(
    outcome: Result<(), String>,
    deviations: &[Deviation<Site>],
    (site, case): (Site, &str),
) -> Result<(), String> {
    let deviation = deviations
        .iter()
        .find_map(|deviation| Some((deviation, deviation.seen(site, case)?)));
    match (outcome, deviation) {
        (outcome, None) => outcome,
        (Ok(()), Some((deviation, _))) if deviation.sometimes => Ok(()),
        (Ok(()), Some(_)) => Err("it does what is documented now: take its line out of the table".to_owned()),
        (Err(said), Some((_, seen))) if said.contains(seen) => Ok(()),
        (Err(said), Some((_, seen))) => Err(format!("it deviates, but not by {seen:?}: {said}")),
    }
}

/// Whether each deviation is of one of these cases, and told once.
pub fn check<Site: Named>(deviations: &[Deviation<Site>], cases: &[&str]) -> Result<(), String> {
    let mut told = BTreeSet::new();
    for deviation in deviations {
        for (case, _) in deviation.cases {
            if !cases.contains(case) {
                return Err(format!("there is no case {case}"));
            }
            for site in deviation.sites {
                if !told.insert((site.name(), case)) {
                    return Err(format!("{case} is told twice of {}", site.name()));
                }
            }
        }
    }
    Ok(())
}

/// Compares a page with its table, or writes it where `MOORLINE_WRITE_DOCS` is set.
pub fn check_page<Site: Named>(
    file: &Path,
    (head, foot): (&str, &str),
    deviations: &[Deviation<Site>],
) -> Result<(), String> {
    let mut page = head.to_owned();
    for deviation in deviations {
        deviation.section(&mut page).map_err(|error| error.to_string())?;
    }
    page.push_str(foot);
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    if std::env::var_os("MOORLINE_WRITE_DOCS").is_some() {
        return std::fs::write(file, page).map_err(failed);
    }
    if std::fs::read_to_string(file).map_err(failed)? == page {
        return Ok(());
    }
    Err(format!(
        "{} is not what the table says; write it anew with MOORLINE_WRITE_DOCS=1",
        file.display()
    ))
}
