//! Services: ports, source ranges, and whether they reach any pod.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Checker;
use crate::manifests::Item;
use moorline_yaml::Node;
use moorline_yaml::words::quote;

/// The annotation that came before `spec.loadBalancerSourceRanges`.
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

impl Checker<'_> {
    pub(super) fn service(&mut self, item: &Item) {
        let spec = |path: &str| item.node.str_at(&["spec", path]);
        let sort = spec("type").unwrap_or("ClusterIP");
        let headless = spec("clusterIP") == Some("None");
        if headless && sort == "LoadBalancer" {
            let cause = "a headless Service has no load balancer";
            self.error(
                item,
                item.place(&["spec", "clusterIP"]),
                cause,
                "remove clusterIP: None, or the type",
            );
        }
        let ports = item.node.items_at(&["spec", "ports"]);
        if ports.is_empty() && !headless && sort != "ExternalName" {
            let cause = format!("{} has no ports", item.title());
            self.error(
                item,
                item.place(&["spec", "ports"]),
                cause,
                "add ports: with - port: 80 below",
            );
        }
        self.ports(item, ports);
        self.source_ranges(item, sort);
        self.reaches_pods(item);
    }

    fn ports(&mut self, item: &Item, ports: &[Node]) {
        let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
        for port in ports {
            match port.str_at(&["name"]) {
                None if ports.len() > 1 => {
                    let cause = "a port without a name: a Service with several ports names each";
                    self.error(item, port.start(), cause, "add name: such as http");
                }
                Some(name) if !names.insert(name) => {
                    let cause = format!("two ports are named {}", quote(name));
                    self.error(item, port.place(&["name"]), cause, "rename one of them");
                }
                _ => {}
            }
            let number = port.get("port").and_then(Node::as_i64);
            if let Some(number) = number
                && !numbers.insert((number, port.str_at(&["protocol"]).unwrap_or("TCP")))
            {
                self.error(
                    item,
                    port.place(&["port"]),
                    format!("port {number} is given twice"),
                    "remove one of the two",
                );
            }
            if let Some(target) = port.get("targetPort").and_then(Node::as_i64)
                && !(1..=65535).contains(&target)
            {
                let cause = format!("targetPort is out of range: {target}");
                self.error(
                    item,
                    port.place(&["targetPort"]),
                    cause,
                    "use 1 to 65535, or a container port's name",
                );
            }
        }
    }

    fn source_ranges(&mut self, item: &Item, sort: &str) {
        let ranges = item.node.items_at(&["spec", "loadBalancerSourceRanges"]);
        if let Some(first) = ranges.first().filter(|_| sort != "LoadBalancer") {
            let cause = format!("source ranges are for load balancers, and this Service is of type {sort}");
            self.error(
                item,
                first.span,
                cause,
                "write type: LoadBalancer, or remove loadBalancerSourceRanges",
            );
        }
        for range in ranges {
            if let Some(text) = range.as_str() {
                self.range(item, range, text);
            }
        }
        let annotation = item.node.at(&["metadata", "annotations", SOURCE_RANGES]);
        if let Some((node, text)) = annotation.and_then(|node| Some((node, node.as_str()?))) {
            text.split(',').for_each(|range| self.range(item, node, range));
        }
    }

    fn range(&mut self, item: &Item, node: &Node, text: &str) {
        let text = text.trim();
        if text.parse::<IpNet>().is_ok() {
            return;
        }
        let cure = match text.parse::<IpAddr>() {
            Ok(address) => format!("write {}", IpNet::from(address)),
            Err(_) => "write it like 203.0.113.0/24, or 0.0.0.0/0 for everyone".to_owned(),
        };
        self.error(
            item,
            node.span,
            format!("{} is no range of addresses (CIDR)", quote(text)),
            cure,
        );
    }

    /// A selector that no workload of the profile satisfies is allowed: the pods may be someone else's.
    fn reaches_pods(&mut self, item: &Item) {
        let selector = item.node.entries_at(&["spec", "selector"]);
        if selector.is_empty() {
            return;
        }
        let namespace = item.namespace.as_deref();
        let mut templates = self
            .templates
            .iter()
            .filter(|(within, _)| *within == namespace)
            .map(|(_, template)| *template)
            .peekable();
        // Without any workload the profile says nothing about pods.
        if templates.peek().is_none() {
            return;
        }
        let selects = |template: &Node| {
            selector
                .iter()
                .all(|wanted| template.str_at(&["metadata", "labels", &wanted.key]) == wanted.value.as_str())
        };
        if !templates.any(selects) {
            let cause = format!("{} selects no pod of this profile", item.title());
            let cure = "compare the selector with the labels of the pod templates (spec.template.metadata.labels)";
            self.warning(item, item.place(&["spec", "selector"]), cause, cure);
        }
    }
}
