//! Pods and the pod specs of templates.

use std::collections::HashSet;

use serde_json::Value;

use super::{Check, names};
use crate::object::{list, map, number, text};
use crate::quantity::Quantity;

pub(super) fn pod(pod: &Value, check: &mut Check) {
    spec(&pod["spec"], "spec", &[], check);
}

/// A pod spec; `claims` are volumes that a StatefulSet's claim templates add.
pub(super) fn spec(spec: &Value, path: &str, claims: &[&str], check: &mut Check) {
    let mut volumes: HashSet<&str> = HashSet::new();
    for (index, volume) in list(spec, "/volumes").iter().enumerate() {
        // The volumes of claim templates come first.
        let field = format!("{path}.volumes[{}]", index + claims.len());
        let name = text(volume, "/name");
        named(name, &format!("{field}.name"), check);
        if !name.is_empty() && !volumes.insert(name) {
            check.duplicate(&format!("{field}.name"), name);
        }
        for extra in volume
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != "name")
            .skip(1)
        {
            check.forbidden(
                &format!("{field}.{}", extra.0),
                "may not specify more than 1 volume type",
            );
        }
        if let Some(claim) = volume.get("persistentVolumeClaim")
            && text(claim, "/claimName").is_empty()
        {
            check.required(&format!("{field}.persistentVolumeClaim.claimName"), "");
        }
    }
    volumes.extend(claims);
    if list(spec, "/containers").is_empty() {
        check.required(&format!("{path}.containers"), "");
    }
    let mut seen = HashSet::new();
    for group in ["containers", "initContainers"] {
        for (index, container) in list(spec, &format!("/{group}")).iter().enumerate() {
            let field = format!("{path}.{group}[{index}]");
            let name = text(container, "/name");
            if !name.is_empty() && !seen.insert(name) {
                check.duplicate(&format!("{field}.name"), name);
            }
            self::container(container, &field, &volumes, check);
        }
    }
    check.one_of(
        &format!("{path}.restartPolicy"),
        text(spec, "/restartPolicy"),
        &["Always", "OnFailure", "Never"],
    );
    check.one_of(
        &format!("{path}.dnsPolicy"),
        text(spec, "/dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    );
    if text(spec, "/dnsPolicy") == "None" {
        let config = format!("{path}.dnsConfig");
        if spec.get("dnsConfig").is_none() {
            check.required(&config, "must provide `dnsConfig` when `dnsPolicy` is None");
        } else if list(spec, "/dnsConfig/nameservers").is_empty() {
            check.required(
                &format!("{config}.nameservers"),
                "must provide at least one DNS nameserver when `dnsPolicy` is None",
            );
        }
    }
    if number(spec, "/terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        check.not_negative(
            spec,
            "/terminationGracePeriodSeconds",
            &format!("{path}.terminationGracePeriodSeconds"),
        );
    }
    for (key, value) in map(spec, "/nodeSelector").into_iter().flatten() {
        if !names::is_qualified_name(key) {
            check.invalid(&format!("{path}.nodeSelector"), key.as_str(), names::QUALIFIED_NAME);
        }
        if !names::is_label_value(value.as_str().unwrap_or_default()) {
            check.invalid(&format!("{path}.nodeSelector"), value.clone(), names::LABEL_VALUE);
        }
    }
}

fn named(name: &str, field: &str, check: &mut Check) {
    if name.is_empty() {
        check.required(field, "");
    } else if let Some(detail) = names::dns_label(name) {
        check.invalid(field, name, detail);
    }
}

fn container(container: &Value, path: &str, volumes: &HashSet<&str>, check: &mut Check) {
    named(text(container, "/name"), &format!("{path}.name"), check);
    let image = text(container, "/image");
    if image.is_empty() {
        check.required(&format!("{path}.image"), "");
    } else if image.trim() != image {
        check.invalid(
            &format!("{path}.image"),
            image,
            "must not have leading or trailing whitespace",
        );
    }
    check.one_of(
        &format!("{path}.imagePullPolicy"),
        text(container, "/imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
    );
    ports(container, path, check);
    for (index, variable) in list(container, "/env").iter().enumerate() {
        if text(variable, "/name").is_empty() {
            check.required(&format!("{path}.env[{index}].name"), "");
        }
        if !text(variable, "/value").is_empty() && variable.get("valueFrom").is_some() {
            check.invalid(
                &format!("{path}.env[{index}].valueFrom"),
                "",
                "may not be specified when `value` is not empty",
            );
        }
    }
    let mut paths = HashSet::new();
    for (index, mount) in list(container, "/volumeMounts").iter().enumerate() {
        let field = format!("{path}.volumeMounts[{index}]");
        let (name, target) = (text(mount, "/name"), text(mount, "/mountPath"));
        if name.is_empty() {
            check.required(&format!("{field}.name"), "");
        } else if !volumes.contains(name) {
            check.not_found(&format!("{field}.name"), name);
        }
        if target.is_empty() {
            check.required(&format!("{field}.mountPath"), "");
        } else if !paths.insert(target) {
            check.invalid(&format!("{field}.mountPath"), target, "must be unique");
        }
    }
    for (index, device) in list(container, "/volumeDevices").iter().enumerate() {
        let name = text(device, "/name");
        if !volumes.contains(name) {
            check.not_found(&format!("{path}.volumeDevices[{index}].name"), name);
        }
    }
    resources(container, path, check);
}

fn ports(container: &Value, path: &str, check: &mut Check) {
    let mut seen = HashSet::new();
    for (index, port) in list(container, "/ports").iter().enumerate() {
        let field = format!("{path}.ports[{index}]");
        match number(port, "/containerPort") {
            None | Some(0) => check.required(&format!("{field}.containerPort"), ""),
            Some(1..=65_535) => {}
            Some(other) => check.invalid(
                &format!("{field}.containerPort"),
                other,
                "must be between 1 and 65535, inclusive",
            ),
        }
        check.one_of(
            &format!("{field}.protocol"),
            text(port, "/protocol"),
            &["SCTP", "TCP", "UDP"],
        );
        let name = text(port, "/name");
        if !name.is_empty() && !names::is_port_name(name) {
            let detail = if name.len() > 15 {
                "must be no more than 15 bytes"
            } else {
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            };
            check.invalid(&format!("{field}.name"), name, detail);
        } else if !name.is_empty() && !seen.insert(name) {
            check.duplicate(&format!("{field}.name"), name);
        }
    }
}

fn resources(container: &Value, path: &str, check: &mut Check) {
    let amounts = |kind: &str| map(container, &format!("/resources/{kind}")).into_iter().flatten();
    let parse = |value: &Value| value.as_str().and_then(Quantity::parse);
    for kind in ["limits", "requests"] {
        for (name, value) in amounts(kind) {
            if parse(value).is_some_and(Quantity::is_negative) {
                check.invalid(
                    &format!("{path}.resources.{kind}[{name}]"),
                    value.clone(),
                    "must be greater than or equal to 0",
                );
            }
        }
    }
    for (name, value) in amounts("requests") {
        let limit = amounts("limits")
            .find(|(other, _)| *other == name)
            .map(|(_, limit)| limit);
        if let Some(limit) = limit
            && parse(value) > parse(limit)
        {
            let detail = format!(
                "must be less than or equal to {name} limit of {}",
                limit.as_str().unwrap_or_default()
            );
            check.invalid(&format!("{path}.resources.requests"), value.clone(), &detail);
        }
    }
}

/// A pod keeps its spec, but for images, tolerations, deadlines, and the node that it is given once.
pub(super) fn change(live: &Value, new: &Value, check: &mut Check) {
    if live["spec"] == new["spec"] {
        return;
    }
    let count = |pod: &Value| list(pod, "/spec/containers").len();
    if count(live) != count(new) {
        return check.forbidden("spec.containers", "pod updates may not add or remove containers");
    }
    let mut masked = new["spec"].clone();
    for key in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "schedulingGates",
    ] {
        crate::object::copy_key(&mut masked, &live["spec"], key);
    }
    if text(live, "/spec/nodeName").is_empty() {
        crate::object::copy_key(&mut masked, &live["spec"], "nodeName");
    }
    for group in ["containers", "initContainers"] {
        let before = list(live, &format!("/spec/{group}"));
        let Some(after) = masked.get_mut(group).and_then(Value::as_array_mut) else {
            continue;
        };
        for (container, was) in after.iter_mut().zip(before) {
            crate::object::copy_key(container, was, "image");
        }
    }
    if masked != live["spec"] {
        check.forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
    }
}
