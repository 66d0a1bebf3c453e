//! How full volumes are, as `df -h` prints it.

use moorline_engine::outcome::{DiskUsage, MeasuredBy, MountUsage};

use super::table::or_none;
use super::{View, bytes, status};

/// The table of `df`.
pub(crate) fn report(usage: &DiskUsage, view: &View) -> String {
    let namespaced = status::spans_namespaces(usage.mounts.iter().map(|mount| &*mount.namespace), view);
    let mut headings = vec!["POD", "CLAIM", "MOUNT", "SIZE", "USED", "AVAIL", "USE%"];
    if view.wide {
        headings.extend(["INODES", "IUSED", "IUSE%", "BY", "MEASURED", "NODE", "VOLUME ID"]);
    }
    let mut table = status::table_of(namespaced, &headings);
    for mount in &usage.mounts {
        table.row(status::cells(namespaced, &mount.namespace, cells(mount, view)));
    }
    let mut out = if table.is_empty() {
        format!("no pod of profile {} mounts a claim\n", super::inline(&usage.profile))
    } else {
        table.render(view)
    };
    if !usage.notices.is_empty() {
        out.push('\n');
        out.push_str(&status::notices(&usage.notices, view));
    }
    out
}

fn cells(mount: &MountUsage, view: &View) -> Vec<String> {
    let size = |bytes: Option<u64>| figure(bytes.map(bytes::short));
    let percent = |percent: Option<u64>| figure(percent.map(|percent| format!("{percent}%")));
    let mut cells = vec![
        mount.pod.clone(),
        mount.claim.clone(),
        or_none(&mount.paths.join(",")),
        size(mount.size_bytes),
        size(mount.used_bytes),
        size(mount.available_bytes),
        percent(mount.used_percent),
    ];
    if view.wide {
        let count = |count: Option<u64>| figure(count.map(|count| count.to_string()));
        let measured = mount.measured_by.map(|by| match by {
            MeasuredBy::Kubelet => "kubelet".to_owned(),
            MeasuredBy::Cloud => "cloud".to_owned(),
        });
        cells.extend([
            count(mount.inodes),
            count(mount.inodes_used),
            match mount.inodes {
                // What is served over the network counts none.
                Some(0) => "-".to_owned(),
                _ => percent(mount.inodes_used_percent),
            },
            figure(measured),
            view.age(mount.measured_at),
            or_none(&mount.node),
            or_none(mount.volume.as_deref().unwrap_or_default()),
        ]);
    }
    cells
}

/// A figure, or that there is none.
fn figure(text: Option<String>) -> String {
    text.unwrap_or_else(|| "unknown".to_owned())
}
