//! Where a profile stands: the tables of `kubectl get`, the volume behind each claim, and what is not ready and why.

use std::fmt::Write as _;

use moorline_engine::outcome::{Cause, ClaimStatus, ServiceStatus, Status, UpOutcome};

use super::table::{Table, or_none};
use super::{View, inline};

/// The whole of `status`.
pub(crate) fn full(status: &Status, view: &View) -> String {
    let mut out = heading(status, view);
    let sections = [
        claims(status, view),
        volumes(status, view),
        workloads(status, view),
        pods(status, view),
        services(status, view),
        balancer_details(status, view),
        events(status, view),
        waiting(status, view),
        notices(&status.notices, view),
    ];
    for section in sections.iter().filter(|section| !section.is_empty()) {
        out.push('\n');
        out.push_str(section);
    }
    out
}

/// What `up` and `scale` end with: claims, volumes, hostnames.
pub(crate) fn outcome(outcome: &UpOutcome, view: &View) -> String {
    let status = &outcome.status;
    let sections = [
        claims(status, view),
        volumes(status, view),
        services(status, view),
        if view.wide {
            workloads(status, view) + &pods(status, view)
        } else {
            String::new()
        },
        waiting(status, view),
        notices(&status.notices, view),
    ];
    let filled: Vec<_> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    filled.join("\n")
}

fn heading(status: &Status, view: &View) -> String {
    let state = if status.ready {
        view.paint.added("ready")
    } else {
        view.paint.changed("not ready")
    };
    let cluster = format!("{} ({})", status.cluster.context, status.cluster.version);
    let account = status
        .account
        .as_ref()
        .map(|account| format!(", account {} in {}", account.id.0, account.region));
    let place = inline(&format!("on {cluster}{}", account.unwrap_or_default()));
    format!("{} {place}: {state}\n", view.paint.strong(inline(&status.profile)))
}

/// Whether a column for namespaces is of use.
fn spans_namespaces<'a>(namespaces: impl Iterator<Item = &'a str>, view: &View) -> bool {
    let mut namespaces = namespaces;
    let first = namespaces.next();
    view.wide || namespaces.any(|namespace| Some(namespace) != first)
}

/// A table whose first column is the namespace, where that is of use.
fn table_of(namespaced: bool, headings: &[&'static str]) -> Table {
    Table::new(
        namespaced
            .then_some("NAMESPACE")
            .into_iter()
            .chain(headings.iter().copied()),
    )
}

fn cells(namespaced: bool, namespace: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    namespaced
        .then(|| namespace.to_owned())
        .into_iter()
        .chain(cells)
        .collect()
}

fn claims(status: &Status, view: &View) -> String {
    let namespaced = spans_namespaces(status.claims.iter().map(|claim| &*claim.namespace), view);
    let headings = [
        "NAME",
        "STATUS",
        "VOLUME",
        "CAPACITY",
        "ACCESS MODES",
        "STORAGECLASS",
        "AGE",
    ];
    let mut table = table_of(namespaced, &headings);
    for claim in &status.claims {
        let age = if claim.created.is_none() {
            String::new()
        } else {
            view.age(claim.created)
        };
        let kubectl = [
            &claim.name,
            &claim.status,
            &claim.volume,
            &claim.capacity,
            &claim.access_modes,
            &claim.storage_class,
        ]
        .map(Clone::clone);
        table.row(cells(namespaced, &claim.namespace, kubectl.into_iter().chain([age])));
    }
    let mut out = table.render(view);
    for claim in status
        .claims
        .iter()
        .filter(|claim| !claim.note.is_empty() && claim.status != "Missing")
    {
        let _ = writeln!(
            out,
            "{}",
            view.paint
                .faint(inline(&format!("{}/{}: {}", claim.namespace, claim.name, claim.note)))
        );
    }
    out
}

/// The cloud volume behind each claim. `wide` adds the machine.
fn volumes(status: &Status, view: &View) -> String {
    let namespaced = spans_namespaces(status.claims.iter().map(|claim| &*claim.namespace), view);
    let mut headings = vec!["CLAIM", "VOLUME ID", "ZONE", "TYPE", "SIZE", "STATE", "DEVICE"];
    headings.extend(view.wide.then_some("INSTANCE"));
    let mut table = table_of(namespaced, &headings);
    for claim in status.claims.iter().filter(|claim| claim.cloud.is_some()) {
        table.row(cells(namespaced, &claim.namespace, volume_cells(claim, view)));
    }
    table.render(view)
}

fn volume_cells(claim: &ClaimStatus, view: &View) -> Vec<String> {
    let Some(volume) = &claim.cloud else { return Vec::new() };
    let attached = |what: fn(&moorline_api::Attachment) -> String| {
        or_none(&volume.attachments.iter().map(what).collect::<Vec<_>>().join(","))
    };
    let mut cells = vec![
        claim.name.clone(),
        volume.id.clone(),
        volume.zone.clone().unwrap_or_default(),
        volume.volume_type.clone(),
        format!("{}GiB", volume.size_gib),
        volume.state.clone(),
        attached(|attachment| attachment.device.clone()),
    ];
    if view.wide {
        cells.push(attached(|attachment| {
            format!("{} ({})", attachment.instance, attachment.state)
        }));
    }
    cells
}

fn workloads(status: &Status, view: &View) -> String {
    let namespaced = spans_namespaces(status.workloads.iter().map(|workload| &*workload.namespace), view);
    let mut table = table_of(namespaced, &["NAME", "READY", "UP-TO-DATE", "AGE"]);
    for workload in &status.workloads {
        let age = workload
            .created
            .map_or_else(|| "<missing>".to_owned(), |created| view.age(Some(created)));
        let ready = format!("{}/{}", workload.ready, workload.desired);
        let row = [
            super::plan::singular(&workload.kind, &workload.name),
            ready,
            workload.updated.to_string(),
            age,
        ];
        table.row(cells(namespaced, &workload.namespace, row));
    }
    table.render(view)
}

fn pods(status: &Status, view: &View) -> String {
    let namespaced = spans_namespaces(status.pods.iter().map(|pod| &*pod.namespace), view);
    let mut headings = vec!["NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"];
    headings.extend(view.wide.then_some("IP"));
    let mut table = table_of(namespaced, &headings);
    for pod in &status.pods {
        let mut row = vec![
            pod.name.clone(),
            pod.ready.clone(),
            pod.status.clone(),
            pod.restarts.to_string(),
            view.age(pod.created),
            or_none(&pod.node),
        ];
        row.extend(view.wide.then(|| or_none(&pod.ip)));
        table.row(cells(namespaced, &pod.namespace, row));
    }
    table.render(view)
}

fn services(status: &Status, view: &View) -> String {
    let namespaced = spans_namespaces(status.services.iter().map(|service| &*service.namespace), view);
    let mut table = table_of(
        namespaced,
        &["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"],
    );
    for service in &status.services {
        let row = [
            &service.name,
            &service.service_type,
            &service.cluster_ip,
            &or_none(&service.hostname),
            &service.ports,
        ]
        .map(Clone::clone);
        table.row(cells(
            namespaced,
            &service.namespace,
            row.into_iter().chain([view.age(service.created)]),
        ));
    }
    table.render(view)
}

/// The lines of `kubectl describe svc` that the tutorial reads.
fn balancer_details(status: &Status, view: &View) -> String {
    let balanced = status
        .services
        .iter()
        .filter(|service| service.service_type == "LoadBalancer");
    balanced
        .map(|service| describe(service, view))
        .collect::<Vec<_>>()
        .join("\n")
}

fn describe(service: &ServiceStatus, view: &View) -> String {
    let mut out = format!("{}\n", view.paint.strong(inline(&format!("service/{}", service.name))));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "  {:<30}{}", format!("{name}:"), inline(value));
    };
    line("LoadBalancer Ingress", &service.hostname);
    if !service.source_ranges.is_empty() {
        line("LoadBalancer Source Ranges", &service.source_ranges.join(","));
    }
    line(
        "Load Balancer",
        &or_none(service.load_balancer.as_deref().unwrap_or_default()),
    );
    out
}

fn events(status: &Status, view: &View) -> String {
    let mut table = Table::new(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    for event in &status.events {
        let times = if event.count > 1 {
            format!(" (x{})", event.count)
        } else {
            String::new()
        };
        let row = [&event.event_type, &event.reason, &event.object].map(Clone::clone);
        let message = format!("{}{times}", event.message);
        table.row([view.age(event.last_seen)].into_iter().chain(row).chain([message]));
    }
    table.render(view)
}

fn waiting(status: &Status, view: &View) -> String {
    if status.waiting.is_empty() {
        return String::new();
    }
    let mut out = format!("{}\n", view.paint.changed("Not ready:"));
    for cause in &status.waiting {
        out.push_str(&cause_lines(cause, view));
    }
    let _ = writeln!(
        out,
        "{} moorline status --watch follows it; moorline up goes on with what is missing",
        view.paint.hint("hint:")
    );
    out
}

/// A cause with its hint.
pub(crate) fn cause_lines(cause: &Cause, view: &View) -> String {
    let mut out = format!("  {}: {}\n", view.paint.strong(inline(&cause.what)), inline(&cause.why));
    if let Some(hint) = &cause.hint {
        let _ = writeln!(out, "    {} {}", view.paint.hint("hint:"), inline(hint));
    }
    out
}

/// Things worth knowing, a line each.
pub(crate) fn notices(notices: &[String], view: &View) -> String {
    let mut out = String::new();
    for notice in notices {
        let _ = writeln!(out, "{} {}", view.paint.hint("note:"), inline(notice));
    }
    out
}
