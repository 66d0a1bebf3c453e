//! Where a profile stands: the tables of `kubectl get`, the volume behind each claim, and what is not ready and why.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use moorline_api::{Attachment, VolumeSort};
use moorline_engine::outcome::{Cause, ClaimStatus, CloudVolume, ServiceStatus, Status, UpOutcome};

use super::table::{Table, or_none};
use super::{View, bytes, inline};

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
pub(super) fn spans_namespaces<'a>(namespaces: impl Iterator<Item = &'a str>, view: &View) -> bool {
    let mut namespaces = namespaces;
    let first = namespaces.next();
    view.wide || namespaces.any(|namespace| Some(namespace) != first)
}

/// A table whose first column is the namespace, where that is of use.
pub(super) fn table_of(namespaced: bool, headings: &[&'static str]) -> Table {
    Table::new(
        namespaced
            .then_some("NAMESPACE")
            .into_iter()
            .chain(headings.iter().copied()),
    )
}

pub(super) fn cells(namespaced: bool, namespace: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
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

/// The cloud's volume behind each claim, in a table for each sort.
fn volumes(status: &Status, view: &View) -> String {
    let sorts: BTreeSet<VolumeSort> = volumes_of(status).map(|(_, volume)| volume.sort).collect();
    let tables = sorts.into_iter().map(|sort| volumes_of_sort(status, sort, view));
    tables.collect::<Vec<_>>().join("\n")
}

fn volumes_of(status: &Status) -> impl Iterator<Item = (&ClaimStatus, &CloudVolume)> {
    let claims = status.claims.iter();
    claims.filter_map(|claim| Some((claim, claim.cloud.as_ref()?)))
}

fn volumes_of_sort(status: &Status, sort: VolumeSort, view: &View) -> String {
    let rows: Vec<_> = volumes_of(status).filter(|(_, volume)| volume.sort == sort).collect();
    let namespaced = spans_namespaces(status.claims.iter().map(|claim| &*claim.namespace), view);
    let with_used = rows.iter().any(|(_, volume)| volume.used_bytes.is_some());
    let columns = columns(sort, with_used, view.wide);
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    let mut table = table_of(namespaced, &headings);
    for (claim, volume) in rows {
        let values = columns.iter().map(|(_, cell)| cell(claim, volume));
        table.row(cells(namespaced, &claim.namespace, values));
    }
    table.render(view)
}

/// A heading, and what stands under it.
type Column = (&'static str, fn(&ClaimStatus, &CloudVolume) -> String);

/// The columns of a sort of volume. `wide` adds the machine of a disk, and the whole id of what has a shorter name.
fn columns(sort: VolumeSort, with_used: bool, wide: bool) -> Vec<Column> {
    let used = with_used.then_some(USED);
    let mut columns: Vec<Column> = vec![("CLAIM", |claim, _| claim.name.clone())];
    match sort {
        VolumeSort::Disk => {
            columns.extend([
                ID,
                ("ZONE", |_, volume| volume.zone.clone().unwrap_or_default()),
                TYPE,
                ("SIZE", size),
            ]);
            columns.extend(used);
            columns.extend([STATE, ("DEVICE", |_, volume| attached(volume, |to| to.device.clone()))]);
            columns.extend(wide.then_some::<Column>(("INSTANCE", |_, volume| {
                attached(volume, |to| format!("{} ({})", to.instance, to.state))
            })));
        }
        VolumeSort::Share => {
            columns.extend::<[Column; 4]>([("SHARE", name), ACCOUNT, TYPE, ("QUOTA", size)]);
            columns.extend(used.into_iter().chain([STATE]).chain(wide.then_some(ID)));
        }
        // Nothing bounds a container.
        VolumeSort::Container => {
            columns.extend::<[Column; 3]>([("CONTAINER", name), ACCOUNT, TYPE]);
            columns.extend(used.into_iter().chain([STATE]).chain(wide.then_some(ID)));
        }
    }
    columns
}

const ID: Column = ("VOLUME ID", |_, volume| volume.id.clone());
const ACCOUNT: Column = ("ACCOUNT", |_, volume| volume.holder.clone().unwrap_or_default());
const TYPE: Column = ("TYPE", |_, volume| volume.volume_type.clone());
const STATE: Column = ("STATE", |_, volume| volume.state.clone());
const USED: Column = ("USED", |_, volume| {
    volume.used_bytes.map_or_else(|| "unknown".to_owned(), bytes::long)
});

fn name(_: &ClaimStatus, volume: &CloudVolume) -> String {
    volume.name.clone()
}

fn size(_: &ClaimStatus, volume: &CloudVolume) -> String {
    format!("{}GiB", volume.size_gib)
}

fn attached(volume: &CloudVolume, what: fn(&Attachment) -> String) -> String {
    or_none(&volume.attachments.iter().map(what).collect::<Vec<_>>().join(","))
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
