//! Networking, policy, leases, roles, definitions.

use serde_json::{Value, json};

use super::{Layout, Row};
use crate::object::{list, number, text};

pub(super) fn layout(id: &str) -> Option<Layout> {
    Some(match id {
        "leases.coordination.k8s.io" => Layout {
            columns: "Name|Holder|Age",
            row: |row| vec![row.name(), json!(row.text("/spec/holderIdentity")), row.age()],
        },
        "endpointslices.discovery.k8s.io" => Layout {
            columns: "Name|AddressType|Ports|Endpoints|Age",
            row: |row| {
                let ports: Vec<String> = list(row.object, "/ports")
                    .iter()
                    .filter_map(|p| number(p, "/port"))
                    .map(|p| p.to_string())
                    .collect();
                let addresses = list(row.object, "/endpoints")
                    .iter()
                    .flat_map(|endpoint| list(endpoint, "/addresses"));
                let addresses: Vec<&str> = addresses.filter_map(Value::as_str).collect();
                let shown = |parts: Vec<String>| {
                    json!(if parts.is_empty() {
                        "<unset>".to_owned()
                    } else {
                        parts.join(",")
                    })
                };
                let few: Vec<String> = addresses.iter().take(3).map(|a| (*a).to_owned()).collect();
                let mut endpoints = shown(few);
                if addresses.len() > 3 {
                    endpoints = json!(format!(
                        "{} + {} more...",
                        endpoints.as_str().unwrap_or_default(),
                        addresses.len() - 3
                    ));
                }
                vec![
                    row.name(),
                    json!(row.text("/addressType")),
                    shown(ports),
                    endpoints,
                    row.age(),
                ]
            },
        },
        "ingresses.networking.k8s.io" => Layout {
            columns: "Name|Class|Hosts|Address|Ports|Age",
            row: ingress,
        },
        "networkpolicies.networking.k8s.io" => Layout {
            columns: "Name|Pod-Selector|Age",
            row: |row| vec![row.name(), row.labels("/spec/podSelector/matchLabels"), row.age()],
        },
        "poddisruptionbudgets.policy" => Layout {
            columns: "Name|Min Available|Max Unavailable|Allowed Disruptions#|Age",
            row: |row| {
                let bound = |key: &str| match &row.object["spec"][key] {
                    Value::Null => json!("N/A"),
                    Value::String(text) => json!(text),
                    other => json!(other.to_string()),
                };
                vec![
                    row.name(),
                    bound("minAvailable"),
                    bound("maxUnavailable"),
                    json!(row.number("/status/disruptionsAllowed")),
                    row.age(),
                ]
            },
        },
        "roles.rbac.authorization.k8s.io"
        | "clusterroles.rbac.authorization.k8s.io"
        | "customresourcedefinitions.apiextensions.k8s.io" => Layout {
            columns: "Name|Created At",
            row: |row| vec![row.name(), json!(row.text("/metadata/creationTimestamp"))],
        },
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => Layout {
            columns: "Name|Role|Age|Users+|Groups+|ServiceAccounts+",
            row: binding,
        },
        _ => return None,
    })
}

fn ingress(row: &Row<'_>) -> Vec<Value> {
    let hosts: Vec<&str> = list(row.object, "/spec/rules")
        .iter()
        .map(|rule| text(rule, "/host"))
        .filter(|host| !host.is_empty())
        .collect();
    let addresses = list(row.object, "/status/loadBalancer/ingress").iter().map(|ingress| {
        let ip = text(ingress, "/ip");
        if ip.is_empty() { text(ingress, "/hostname") } else { ip }
    });
    let tls = row.object.pointer("/spec/tls").is_some();
    vec![
        row.name(),
        row.text_or("/spec/ingressClassName", "<none>"),
        json!(if hosts.is_empty() {
            "*".to_owned()
        } else {
            hosts.join(",")
        }),
        json!(addresses.collect::<Vec<_>>().join(",")),
        json!(if tls { "80, 443" } else { "80" }),
        row.age(),
    ]
}

fn binding(row: &Row<'_>) -> Vec<Value> {
    let subjects = |kind: &str| {
        let found = list(row.object, "/subjects")
            .iter()
            .filter(|subject| subject["kind"] == kind);
        let names = found.map(|subject| match text(subject, "/namespace") {
            "" => text(subject, "/name").to_owned(),
            namespace => format!("{namespace}/{}", text(subject, "/name")),
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    let role = format!("{}/{}", row.text("/roleRef/kind"), row.text("/roleRef/name"));
    vec![
        row.name(),
        json!(role),
        row.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
