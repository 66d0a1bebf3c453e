//! Load balancers and their Services.

use std::fmt::Write as _;

use moorline_api::LoadBalancerKind;
use moorline_engine::outcome::BalancerReport;

use super::table::{Table, or_none};
use super::{View, inline, status};

/// The table of `lb`.
pub(crate) fn report(report: &BalancerReport, view: &View) -> String {
    let mut headings = vec!["NAME", "KIND", "HOSTNAME", "SERVICE", "SOURCE RANGES", "VERDICT", "AGE"];
    headings.extend(
        view.wide
            .then_some(["SCHEME", "STATE", "JOINED BY"])
            .into_iter()
            .flatten(),
    );
    let mut table = Table::new(headings);
    for row in &report.balancers {
        let mut cells = vec![
            row.name.clone(),
            kind(row.kind).to_owned(),
            row.hostname.clone(),
            or_none(row.service.as_deref().unwrap_or_default()),
            or_none(&row.source_ranges.join(",")),
            row.verdict.clone(),
            view.age(row.created),
        ];
        if view.wide {
            cells.extend([&row.scheme, &row.state, &row.joined_by].map(|cell| or_none(cell)));
        }
        table.row(cells);
    }
    let mut out = if table.is_empty() {
        "no load balancers\n".to_owned()
    } else {
        table.render(view)
    };
    for service in &report.pending {
        let _ = writeln!(
            out,
            "{} has no load balancer yet",
            inline(&format!("service {service}"))
        );
    }
    out + &status::notices(&report.notices, view)
}

fn kind(kind: LoadBalancerKind) -> &'static str {
    match kind {
        LoadBalancerKind::Classic => "classic",
        LoadBalancerKind::Network => "network",
        LoadBalancerKind::Application => "application",
        LoadBalancerKind::Gateway => "gateway",
    }
}
