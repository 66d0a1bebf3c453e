//! Services.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::Value;

use super::{Check, names};
use crate::object::{list, number, text};

pub(super) fn service(service: &Value, check: &mut Check) {
    let spec = &service["spec"];
    let kind = text(spec, "/type");
    addresses_and_name(spec, kind, check);
    ports(spec, check);
    for (key, value) in crate::object::map(spec, "/selector").into_iter().flatten() {
        if !names::is_qualified_name(key) {
            check.invalid("spec.selector", key.as_str(), names::QUALIFIED_NAME);
        }
        if !names::is_label_value(value.as_str().unwrap_or_default()) {
            check.invalid("spec.selector", value.clone(), names::LABEL_VALUE);
        }
    }
    check.one_of(
        "spec.sessionAffinity",
        text(spec, "/sessionAffinity"),
        &["ClientIP", "None"],
    );
    check.one_of(
        "spec.type",
        kind,
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    port_numbers(spec, kind, check);
    source_ranges(spec, kind, check);
    let balanced_only = "may only be used when `type` is 'LoadBalancer'";
    if kind != "LoadBalancer" {
        for key in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if spec.get(key).is_some() {
                check.forbidden(&format!("spec.{key}"), balanced_only);
            }
        }
    }
    traffic_policies(spec, kind, check);
    if check.causes.is_empty() {
        // Numbers are given out last.
        node_port_range(spec, check);
    }
}

fn node_port_range(spec: &Value, check: &mut Check) {
    for (index, port) in list(spec, "/ports").iter().enumerate() {
        let wanted = number(port, "/nodePort").unwrap_or(0);
        if wanted != 0 && !(30_000..=32_767).contains(&wanted) {
            let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            check.invalid(&format!("spec.ports[{index}].nodePort"), wanted, detail);
        }
    }
}

fn addresses_and_name(spec: &Value, kind: &str, check: &mut Check) {
    let headless = text(spec, "/clusterIP") == "None";
    if list(spec, "/ports").is_empty() && !headless && kind != "ExternalName" {
        check.required("spec.ports", "");
    }
    if headless && matches!(kind, "LoadBalancer" | "NodePort") {
        check.invalid(
            "spec.clusterIPs[0]",
            "None",
            &format!("may not be set to 'None' for {kind} services"),
        );
    }
    if kind != "ExternalName" {
        return;
    }
    for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let set = spec.get(key).is_some() || (key == "clusterIPs" && !text(spec, "/clusterIP").is_empty());
        if set {
            check.forbidden(&format!("spec.{key}"), "may not be set for ExternalName services");
        }
    }
    let external = text(spec, "/externalName");
    let external = external.strip_suffix('.').unwrap_or(external);
    if external.is_empty() {
        check.required("spec.externalName", "");
    } else if let Some(detail) = names::dns_subdomain(external) {
        check.invalid("spec.externalName", external, detail);
    }
}

/// Node ports and the pairs of port and protocol.
fn port_numbers(spec: &Value, kind: &str, check: &mut Check) {
    let ports = list(spec, "/ports");
    if kind == "ClusterIP" {
        for (index, port) in ports.iter().enumerate() {
            if number(port, "/nodePort").unwrap_or(0) != 0 {
                check.forbidden(
                    &format!("spec.ports[{index}].nodePort"),
                    "may not be used when `type` is 'ClusterIP'",
                );
            }
        }
    }
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let node_port = number(port, "/nodePort").unwrap_or(0);
        if node_port != 0 && !seen.insert((node_port, text(port, "/protocol"))) {
            check.duplicate(&format!("spec.ports[{index}].nodePort"), node_port);
        }
    }
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (number, protocol) = (number(port, "/port").unwrap_or(0), text(port, "/protocol"));
        if !seen.insert((number, protocol)) {
            check.duplicate(
                &format!("spec.ports[{index}]"),
                serde_json::json!({"port": number, "protocol": protocol, "targetPort": 0}),
            );
        }
    }
}

fn traffic_policies(spec: &Value, kind: &str, check: &mut Check) {
    let external = text(spec, "/externalTrafficPolicy");
    let accessible =
        matches!(kind, "LoadBalancer" | "NodePort") || (kind == "ClusterIP" && !list(spec, "/externalIPs").is_empty());
    if accessible {
        if external.is_empty() {
            check.required("spec.externalTrafficPolicy", "");
        } else {
            check.one_of("spec.externalTrafficPolicy", external, &["Cluster", "Local"]);
        }
    } else if !external.is_empty() {
        check.invalid(
            "spec.externalTrafficPolicy",
            external,
            "may only be set for externally-accessible services",
        );
    }
    let internal = text(spec, "/internalTrafficPolicy");
    if internal.is_empty() {
        if matches!(kind, "NodePort" | "LoadBalancer" | "ClusterIP") {
            check.required("spec.internalTrafficPolicy", "");
        }
    } else {
        check.one_of("spec.internalTrafficPolicy", internal, &["Cluster", "Local"]);
    }
}

fn ports(spec: &Value, check: &mut Check) {
    let ports = list(spec, "/ports");
    let mut seen_names = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let field = format!("spec.ports[{index}]");
        let name = text(port, "/name");
        if name.is_empty() {
            if ports.len() > 1 {
                check.required(&format!("{field}.name"), "");
            }
        } else if let Some(detail) = names::dns_label(name) {
            check.invalid(&format!("{field}.name"), name, detail);
        } else if !seen_names.insert(name) {
            check.duplicate(&format!("{field}.name"), name);
        }
        let number_of = number(port, "/port").unwrap_or(0);
        in_range(number_of, &format!("{field}.port"), check);
        let protocol = text(port, "/protocol");
        check.one_of(&format!("{field}.protocol"), protocol, &["SCTP", "TCP", "UDP"]);
        match port.get("targetPort") {
            Some(Value::Number(target)) => {
                in_range(target.as_i64().unwrap_or(0), &format!("{field}.targetPort"), check);
            }
            Some(Value::String(target)) if !names::is_port_name(target) => {
                let detail = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
                check.invalid(&format!("{field}.targetPort"), target.as_str(), detail);
            }
            _ => {}
        }
    }
}

fn in_range(port: i64, field: &str, check: &mut Check) {
    if !(1..=65_535).contains(&port) {
        check.invalid(field, port, "must be between 1 and 65535, inclusive");
    }
}

fn source_ranges(spec: &Value, kind: &str, check: &mut Check) {
    let ranges = list(spec, "/loadBalancerSourceRanges");
    // The real server writes the field with a capital here.
    let field = "spec.LoadBalancerSourceRanges";
    if !ranges.is_empty() && kind != "LoadBalancer" {
        check.forbidden(field, "may only be used when `type` is 'LoadBalancer'");
    }
    for (index, range) in ranges.iter().filter_map(Value::as_str).enumerate() {
        if !is_cidr(range.trim()) {
            let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            check.invalid(&format!("{field}[{index}]"), range.trim(), detail);
        }
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}

pub(super) fn change(live: &Value, new: &Value, check: &mut Check) {
    let (was, now) = (text(live, "/spec/clusterIP"), text(new, "/spec/clusterIP"));
    let external = text(live, "/spec/type") == "ExternalName" || text(new, "/spec/type") == "ExternalName";
    if !external && !was.is_empty() && was != now {
        check.invalid("spec.clusterIPs[0]", vec![now.to_owned()], "may not change once set");
    }
}
