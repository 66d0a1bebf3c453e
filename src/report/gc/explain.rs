//! The evidence for a volume, link by link: sentences, which are no good in columns.

use std::fmt::Write as _;

use moorline_collect::Explanation;

use super::super::{View, inline, status};
use super::money;

/// One volume after the other.
pub(crate) fn explanations(explanations: &[Explanation], view: &View) -> String {
    let all = explanations.iter().map(|explanation| one(explanation, view));
    all.collect::<Vec<_>>().join("\n")
}

fn one(explanation: &Explanation, view: &View) -> String {
    let view = &View {
        now: explanation.at,
        ..*view
    };
    let judgement = &explanation.judgement;
    let mut out = format!(
        "{}\n",
        view.paint.strong(inline(&format!("volume {}", explanation.volume)))
    );
    let mut line = |name: &str, value: &str| {
        let lead = format!("  {:<10}", format!("{name}:"));
        let _ = writeln!(out, "{lead}{}", view.prose(lead.len(), lead.len(), value));
    };
    line("scope", &explanation.scope);
    let price = match explanation.monthly {
        Some(_) => format!("${} a month", money(explanation.monthly)),
        None => "no known price".to_owned(),
    };
    line(
        "volume",
        &format!("{} GiB {}, {price}", explanation.gib, explanation.volume_type),
    );
    let since = explanation
        .since
        .map(|since| format!(", seen unused since {since} ({} ago)", view.age(Some(since))));
    line(
        "verdict",
        &format!("{}{}", judgement.verdict, since.unwrap_or_default()),
    );
    line("because", &judgement.why);
    if let Some(withheld) = &judgement.withheld {
        line("kept", &withheld.to_string());
    }
    line("next", &explanation.action);
    let _ = writeln!(out, "  evidence:");
    for link in &judgement.chain {
        let read = link.read.map(|read| format!(", read {} ago", view.age(Some(read))));
        let source = format!("{}{}", link.source, read.unwrap_or_default());
        let _ = writeln!(out, "    {}", view.prose(4, 6, &link.what));
        for line in format!("      {}", view.prose(6, 8, &source)).lines() {
            let _ = writeln!(out, "{}", view.paint.faint(line));
        }
    }
    let gaps: Vec<_> = explanation.gaps.iter().map(|gap| format!("not read: {gap}")).collect();
    out + &status::notices(&gaps, view)
}
