//! `check`: what is not as it should be, what is not known, and a verdict.

use std::fmt::Write as _;

use moorline_engine::check::{CheckReport, Finding, Severity};

use super::table::{Table, or_none};
use super::{View, inline, status};

/// The most things that a table says are unknown; JSON has all.
const UNKNOWN: usize = 10;

/// Several profiles or clusters, one after the other.
pub(crate) fn reports(reports: &[CheckReport], view: &View) -> String {
    let each = reports.iter().map(|one| {
        let name = match &one.profile {
            Some(profile) => format!("profile {profile}"),
            None => format!("cluster {}", one.cluster.context),
        };
        format!("{}:\n{}", inline(&name), report(one, view))
    });
    each.collect::<Vec<_>>().join("\n")
}

/// One profile, or the whole cluster.
pub(crate) fn report(report: &CheckReport, view: &View) -> String {
    let sections = [
        findings(&report.findings, view),
        unknown(report, view),
        status::notices(&report.notices, view),
        verdict(report),
    ];
    sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn findings(findings: &[Finding], view: &View) -> String {
    if view.wide {
        return wide(findings, view);
    }
    let mut out = String::new();
    for finding in findings {
        let severity = word(&finding.severity);
        let text = view.prose(severity.len() + 2, 4, &format!("{}: {}", finding.what, finding.why));
        let severity = match finding.severity {
            Severity::Error => view.paint.error(severity),
            Severity::Warning => view.paint.changed(severity),
            Severity::Info => severity,
        };
        let _ = writeln!(out, "{severity}: {text}");
        for sentence in &finding.evidence {
            let _ = writeln!(out, "    {}", view.prose(4, 6, sentence));
        }
        if let Some(hint) = &finding.hint {
            let _ = writeln!(out, "    {} {}", view.paint.hint("next:"), view.prose(10, 6, hint));
        }
    }
    out
}

fn wide(findings: &[Finding], view: &View) -> String {
    let mut table = Table::new([
        "SEVERITY", "PROBLEM", "WHAT", "CLAIM", "VOLUME", "WHY", "EVIDENCE", "NEXT",
    ]);
    for finding in findings {
        table.row([
            word(&finding.severity),
            word(&finding.problem),
            finding.what.clone(),
            or_none(finding.claim.as_deref().unwrap_or_default()),
            or_none(finding.volume.as_deref().unwrap_or_default()),
            finding.why.clone(),
            or_none(&finding.evidence.join("; ")),
            or_none(finding.hint.as_deref().unwrap_or_default()),
        ]);
    }
    table.render(view)
}

/// The word for a value, as JSON has it.
fn word(value: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn unknown(report: &CheckReport, view: &View) -> String {
    let mut table = Table::new(["UNKNOWN", "WHY"]);
    let shown = if view.wide { report.unknown.len() } else { UNKNOWN };
    for unknown in report.unknown.iter().take(shown) {
        table.row([unknown.what.clone(), unknown.why.clone()]);
    }
    let mut out = table.render(view);
    if report.unknown.len() > shown {
        let _ = writeln!(out, "and {} more: -o wide", report.unknown.len() - shown);
    }
    out
}

fn verdict(report: &CheckReport) -> String {
    let count = |severity: Severity| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let looked = format!(
        "{} and {} checked",
        counted(report.claims, "claim"),
        counted(report.volumes, "volume")
    );
    let found = match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) if report.incomplete => "nothing wrong in what could be read".to_owned(),
        (0, 0) => "nothing wrong".to_owned(),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let unknown = match report.unknown.len() {
        0 if report.incomplete => "; not everything could be read".to_owned(),
        0 => String::new(),
        count => format!("; {count} unknown"),
    };
    format!("{looked}: {found}{unknown}\n")
}

fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}
