//! Services.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::Value;

use super::{Check, names};
use crate::object::{list, number, text};

pub(super) fn service(service: &Value, check: &mut Check) {
    let spec = &service["spec"];
    let kind = text(spec, "/type");
    check.one_of(
        "spec.type",
        kind,
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    let headless = text(spec, "/clusterIP") == "None";
    if kind == "ExternalName" {
        if text(spec, "/externalName").is_empty() {
            check.required("spec.externalName", "");
        }
    } else if list(spec, "/ports").is_empty() && !headless {
        check.required("spec.ports", "");
    }
    if headless && matches!(kind, "LoadBalancer" | "NodePort") {
        check.invalid(
            "spec.clusterIPs[0]",
            "None",
            &format!("may not be set to 'None' for {kind} services"),
        );
    }
    ports(spec, check);
    check.one_of(
        "spec.sessionAffinity",
        text(spec, "/sessionAffinity"),
        &["ClientIP", "None"],
    );
    if let Some(policy) = spec.get("externalTrafficPolicy").and_then(Value::as_str) {
        check.one_of("spec.externalTrafficPolicy", policy, &["Cluster", "Local"]);
    }
    source_ranges(spec, kind, check);
    for (key, value) in crate::object::map(spec, "/selector").into_iter().flatten() {
        if !names::is_qualified_name(key) {
            check.invalid("spec.selector", key.as_str(), names::QUALIFIED_NAME);
        }
        if !names::is_label_value(value.as_str().unwrap_or_default()) {
            check.invalid("spec.selector", value.clone(), names::LABEL_VALUE);
        }
    }
}

fn ports(spec: &Value, check: &mut Check) {
    let ports = list(spec, "/ports");
    let (mut seen_names, mut seen_ports) = (HashSet::new(), HashSet::new());
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
        if !seen_ports.insert((number_of, protocol)) {
            check.duplicate(&field, serde_json::json!({"port": number_of, "protocol": protocol}));
        }
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
        if let Some(node_port) =
            number(port, "/nodePort").filter(|port| *port != 0 && !(30_000..=32_767).contains(port))
        {
            let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            check.invalid(&format!("{field}.nodePort"), node_port, detail);
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
    if !ranges.is_empty() && kind != "LoadBalancer" {
        return check.forbidden(
            "spec.loadBalancerSourceRanges",
            "may only be used when `type` is 'LoadBalancer'",
        );
    }
    for (index, range) in ranges.iter().filter_map(Value::as_str).enumerate() {
        if !is_cidr(range.trim()) {
            let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            check.invalid(&format!("spec.loadBalancerSourceRanges[{index}]"), range, detail);
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
