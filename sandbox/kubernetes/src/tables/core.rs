//! Services, nodes, namespaces, events, configuration.

use serde_json::{Value, json};

use super::{Layout, Row};
use crate::object::{list, map, number, text};

pub(super) fn layout(id: &str) -> Option<Layout> {
    Some(match id {
        "services" => Layout {
            columns: "Name|Type|Cluster-IP|External-IP|Port(s)|Age|Selector+",
            row: service,
        },
        "namespaces" => Layout {
            columns: "Name|Status|Age",
            row: |row| vec![row.name(), json!(row.text("/status/phase")), row.age()],
        },
        "nodes" => Layout {
            columns: "Name|Status|Roles|Age|Version|Internal-IP+|External-IP+|OS-Image+|Kernel-Version+|Container-Runtime+",
            row: node,
        },
        "events" => Layout {
            columns: "Last Seen|Type|Reason|Object|Subobject+|Source+|Message|First Seen+|Count#+|Name+",
            row: event,
        },
        "configmaps" => Layout {
            columns: "Name|Data#|Age",
            row: |row| {
                vec![
                    row.name(),
                    json!(size(row, "/data") + size(row, "/binaryData")),
                    row.age(),
                ]
            },
        },
        "secrets" => Layout {
            columns: "Name|Type|Data#|Age",
            row: |row| {
                vec![
                    row.name(),
                    json!(row.text("/type")),
                    json!(size(row, "/data")),
                    row.age(),
                ]
            },
        },
        "serviceaccounts" => Layout {
            columns: "Name|Secrets#|Age",
            row: |row| vec![row.name(), json!(list(row.object, "/secrets").len()), row.age()],
        },
        "endpoints" => Layout {
            columns: "Name|Endpoints|Age",
            row: |row| vec![row.name(), json!(endpoints(row.object)), row.age()],
        },
        _ => return None,
    })
}

fn size(row: &Row<'_>, pointer: &str) -> usize {
    map(row.object, pointer).map_or(0, serde_json::Map::len)
}

/// The first three of a list and how many follow.
fn first_three(all: &[String]) -> String {
    match all {
        [] => "<none>".to_owned(),
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a},{b},{c} + {} more...", rest.len()),
        few => few.join(","),
    }
}

fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        for address in list(subset, "/addresses") {
            let ip = text(address, "/ip");
            let ports = list(subset, "/ports");
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(
                ports
                    .iter()
                    .map(|port| format!("{ip}:{}", number(port, "/port").unwrap_or(0))),
            );
        }
    }
    first_three(&all)
}

fn service(row: &Row<'_>) -> Vec<Value> {
    let balancers = list(row.object, "/status/loadBalancer/ingress").iter().map(|ingress| {
        let ip = text(ingress, "/ip");
        if ip.is_empty() { text(ingress, "/hostname") } else { ip }
    });
    let balancers = balancers.collect::<Vec<_>>().join(",");
    let fixed = list(row.object, "/spec/externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(",");
    let external = match row.text("/spec/type") {
        "LoadBalancer" if balancers.is_empty() && fixed.is_empty() => "<pending>".to_owned(),
        "LoadBalancer" => [balancers, fixed]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(","),
        "ExternalName" => row.text("/spec/externalName").to_owned(),
        _ if fixed.is_empty() => "<none>".to_owned(),
        _ => fixed,
    };
    let ports = list(row.object, "/spec/ports").iter().map(|port| {
        let (number_of, protocol) = (number(port, "/port").unwrap_or(0), text(port, "/protocol"));
        match number(port, "/nodePort").filter(|port| *port > 0) {
            Some(node_port) => format!("{number_of}:{node_port}/{protocol}"),
            None => format!("{number_of}/{protocol}"),
        }
    });
    let ports = ports.collect::<Vec<_>>().join(",");
    vec![
        row.name(),
        json!(row.text("/spec/type")),
        row.text_or("/spec/clusterIP", "<none>"),
        json!(external),
        json!(if ports.is_empty() { "<none>" } else { &ports }),
        row.age(),
        row.labels("/spec/selector"),
    ]
}

fn node(row: &Row<'_>) -> Vec<Value> {
    let ready = list(row.object, "/status/conditions")
        .iter()
        .find(|condition| condition["type"] == "Ready");
    let mut status = match ready.map(|condition| text(condition, "/status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if row.object["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    let labels = map(row.object, "/metadata/labels").into_iter().flatten();
    let roles: Vec<&str> = labels
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let address = |kind: &str| {
        let found = list(row.object, "/status/addresses")
            .iter()
            .find(|address| address["type"] == kind);
        json!(found.map_or("<none>", |address| text(address, "/address")))
    };
    let info = |key: &str| row.text_or(&format!("/status/nodeInfo/{key}"), "<unknown>");
    vec![
        row.name(),
        json!(status),
        json!(if roles.is_empty() {
            "<none>".to_owned()
        } else {
            roles.join(",")
        }),
        row.age(),
        json!(row.text("/status/nodeInfo/kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn event(row: &Row<'_>) -> Vec<Value> {
    let since = |pointer: &str| {
        if row.text(pointer).is_empty() {
            row.since("/eventTime")
        } else {
            row.since(pointer)
        }
    };
    let component = row.text_or("/source/component", row.text("/reportingComponent"));
    let host = row.text("/source/host");
    let source = if host.is_empty() {
        component
    } else {
        json!(format!("{}, {host}", component.as_str().unwrap_or_default()))
    };
    let involved = format!(
        "{}/{}",
        row.text("/involvedObject/kind").to_lowercase(),
        row.text("/involvedObject/name")
    );
    vec![
        json!(since("/lastTimestamp")),
        json!(row.text("/type")),
        json!(row.text("/reason")),
        json!(involved),
        json!(row.text("/involvedObject/fieldPath")),
        source,
        json!(row.text("/message").trim()),
        json!(since("/firstTimestamp")),
        json!(row.number("/count").max(1)),
        row.name(),
    ]
}
