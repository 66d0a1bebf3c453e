//! The API of 2012: classic load balancers, known by their names.

use super::shared::{self, key, page, visible};
use super::tags;
use crate::ec2::volumes::render::time;
use crate::error::AwsError;
use crate::model::balancer::{Listener, LoadBalancer, LoadBalancerKind, NewLoadBalancer};
use crate::model::instance::instances;
use crate::model::tags::{TagError, read};
use crate::operation::Operation;
use crate::session::Session;
use crate::throttle::Family::{Describe, Mutating};
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// Every operation that this sandbox has; any other name is `InvalidAction`.
pub(crate) const OPERATIONS: [Operation; 7] = [
    Operation::new("CreateLoadBalancer", Mutating, create),
    Operation::new("DeleteLoadBalancer", Mutating, delete),
    Operation::new("DescribeLoadBalancers", Describe, describe),
    Operation::new("DescribeInstanceHealth", Describe, describe_health),
    Operation::new("AddTags", Mutating, add_tags),
    Operation::new("RemoveTags", Mutating, remove_tags),
    Operation::new("DescribeTags", Describe, describe_tags),
];

fn create(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let new = NewLoadBalancer {
        name: required(params, "LoadBalancerName")?.to_owned(),
        kind: LoadBalancerKind::Classic,
        tags: read(&params.list("Tags")).map_err(TagError::elb)?,
        listeners: params
            .list("Listeners")
            .into_iter()
            .map(listener)
            .collect::<Result<_, _>>()?,
        source_ranges: Vec::new(),
        scheme: shared::scheme(params)?,
    };
    if new.listeners.is_empty() {
        return Err(AwsError::new(
            "ValidationError",
            "Listeners must contain at least one listener",
        ));
    }
    let places = params.list("Subnets").len() + params.list("AvailabilityZones").len();
    if places == 0 {
        return Err(AwsError::new(
            "ValidationError",
            "Either AvailabilityZones or SubnetIds must be specified",
        ));
    }
    if let Some(zone) = params.texts("AvailabilityZones").into_iter().find(|zone| {
        !session
            .settings
            .zone_names(&session.region)
            .iter()
            .any(|known| known == zone)
    }) {
        return Err(AwsError::new(
            "ValidationError",
            format!("Requested AZ {zone} is not supported"),
        ));
    }
    let balancer = shared::create(session, new)?;
    xml.text("DNSName", balancer.dns_name);
    Ok(())
}

fn listener(params: &Params) -> Result<Listener, AwsError> {
    let protocol = params.text("Protocol").unwrap_or_default().to_ascii_uppercase();
    if !["HTTP", "HTTPS", "TCP", "SSL"].contains(&protocol.as_str()) {
        let message = format!("Listener protocol '{protocol}' must be HTTP, HTTPS, TCP or SSL");
        return Err(AwsError::new("ValidationError", message));
    }
    let instance_protocol = params
        .text("InstanceProtocol")
        .unwrap_or(&protocol)
        .to_ascii_uppercase();
    Ok(Listener {
        port: port(params, "LoadBalancerPort")?,
        instance_port: port(params, "InstancePort")?,
        instance_protocol,
        protocol,
    })
}

fn port(params: &Params, name: &str) -> Result<u16, AwsError> {
    let port = params
        .text(name)
        .and_then(|text| text.parse().ok())
        .filter(|port| *port != 0);
    port.ok_or_else(|| AwsError::new("ValidationError", format!("{name} must be a number from 1 to 65535")))
}

fn delete(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let key = key(
        &session.region,
        LoadBalancerKind::Classic,
        required(params, "LoadBalancerName")?,
    );
    shared::delete(session, &key)
}

fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let names = params.texts("LoadBalancerNames");
    let chosen = choose(session, &names)?;
    let page = page(session, params, "DescribeLoadBalancers classic")?;
    let (balancers, next) = page.cut(chosen.into_iter().map(|lb| (lb.name.clone(), lb)));
    xml.list(("LoadBalancerDescriptions", "member"), balancers, |xml, lb| {
        write(xml, session, lb);
    });
    xml.optional("NextMarker", next);
    Ok(())
}

/// The visible load balancers with these names, or all: one that cannot be found fails the call.
fn choose<'s>(session: &'s Session, names: &[&str]) -> Result<Vec<&'s LoadBalancer>, AwsError> {
    let wanted = |lb: &&LoadBalancer| names.is_empty() || names.contains(&lb.name.as_str());
    let found: Vec<_> = visible(session, true).filter(wanted).collect();
    match names.iter().find(|name| !found.iter().any(|lb| lb.name == **name)) {
        Some(name) => Err(not_found(name)),
        None => Ok(found),
    }
}

fn not_found(name: &str) -> AwsError {
    AwsError::new(
        "LoadBalancerNotFound",
        format!("There is no ACTIVE Load Balancer named '{name}'"),
    )
}

fn write(xml: &mut Xml, session: &Session, lb: &LoadBalancer) {
    xml.text("LoadBalancerName", &lb.name);
    xml.text("DNSName", &lb.dns_name);
    xml.text("CanonicalHostedZoneName", &lb.dns_name);
    xml.text("CanonicalHostedZoneNameID", "Z35SXDOTRQ7X7K");
    xml.list(("ListenerDescriptions", "member"), &lb.listeners, |xml, listener| {
        xml.element("Listener", |xml| {
            xml.text("Protocol", &listener.protocol);
            xml.text("LoadBalancerPort", listener.port);
            xml.text("InstanceProtocol", &listener.instance_protocol);
            xml.text("InstancePort", listener.instance_port);
        });
        xml.element("PolicyNames", |_| {});
    });
    xml.element("Policies", |xml| {
        for kind in [
            "AppCookieStickinessPolicies",
            "LBCookieStickinessPolicies",
            "OtherPolicies",
        ] {
            xml.element(kind, |_| {});
        }
    });
    xml.element("BackendServerDescriptions", |_| {});
    xml.list(("AvailabilityZones", "member"), &lb.zones, Xml::content);
    let subnets = lb.zones.iter().map(|zone| crate::ec2::network::subnet_id(zone));
    xml.list(("Subnets", "member"), subnets, Xml::content);
    xml.text("VPCId", crate::ec2::network::vpc_id(&session.region));
    xml.list(
        ("Instances", "member"),
        instances(&session.settings, &session.region),
        |xml, machine| {
            xml.text("InstanceId", machine.id);
        },
    );
    xml.element("HealthCheck", |xml| {
        let port = lb.listeners.first().map_or(80, |listener| listener.instance_port);
        xml.text("Target", format_args!("TCP:{port}"));
        xml.text("Interval", 10);
        xml.text("Timeout", 5);
        xml.text("UnhealthyThreshold", 6);
        xml.text("HealthyThreshold", 2);
    });
    xml.element("SourceSecurityGroup", |xml| {
        xml.text("OwnerAlias", &session.settings.account);
        xml.text(
            "GroupName",
            if lb.source_ranges.is_empty() {
                "default".to_owned()
            } else {
                lb.security_group_name()
            },
        );
    });
    xml.list(("SecurityGroups", "member"), [group(session, lb)], Xml::content);
    xml.text("CreatedTime", time(lb.created));
    xml.text("Scheme", lb.scheme.as_str());
}

fn group(session: &Session, lb: &LoadBalancer) -> String {
    if lb.source_ranges.is_empty() {
        crate::ec2::network::default_group(&session.region)
    } else {
        lb.security_group()
    }
}

fn describe_health(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let name = required(params, "LoadBalancerName")?;
    let ready = choose(session, &[name])?.iter().all(|lb| lb.active_at <= session.now);
    let (state, reason) = if ready {
        ("InService", "N/A")
    } else {
        ("OutOfService", "ELB")
    };
    xml.list(
        ("InstanceStates", "member"),
        instances(&session.settings, &session.region),
        |xml, machine| {
            xml.text("InstanceId", machine.id);
            xml.text("State", state);
            xml.text("ReasonCode", reason);
            xml.text(
                "Description",
                if ready {
                    "N/A"
                } else {
                    "Instance registration is still in progress."
                },
            );
        },
    );
    Ok(())
}

fn add_tags(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let keys = named(session, params)?;
    tags::add(session, params, &keys)
}

fn remove_tags(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let keys = named(session, params)?;
    let gone: Vec<&str> = params
        .list("Tags")
        .into_iter()
        .filter_map(|tag| tag.text("Key"))
        .collect();
    tags::remove(session, &keys, &gone)
}

/// The keys of `LoadBalancerNames.member.N`: one, which must really exist. The API takes a list, and documents that it takes one.
fn named(session: &Session, params: &Params) -> Result<Vec<String>, AwsError> {
    let names = params.texts("LoadBalancerNames");
    if names.len() != 1 {
        let message = format!("LoadBalancerNames must have exactly one member, not {}", names.len());
        return Err(AwsError::new("ValidationError", message));
    }
    let exists = |key: &String| {
        session
            .account
            .balancers
            .get(key)
            .is_some_and(|lb| lb.gone_at.is_none())
    };
    let keys = names.into_iter().map(|name| {
        let key = key(&session.region, LoadBalancerKind::Classic, name);
        if exists(&key) { Ok(key) } else { Err(not_found(name)) }
    });
    keys.collect()
}

fn describe_tags(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let names = params.texts("LoadBalancerNames");
    tags::check_described(names.len())?;
    let chosen = choose(session, &names)?;
    xml.list(("TagDescriptions", "member"), chosen, |xml, lb| {
        xml.text("LoadBalancerName", &lb.name);
        tags::write(xml, lb);
    });
    Ok(())
}

fn required<'p>(params: &'p Params, name: &str) -> Result<&'p str, AwsError> {
    let value = params.text(name).filter(|text| !text.is_empty());
    value.ok_or_else(|| AwsError::new("ValidationError", format!("{name} must not be empty")))
}
