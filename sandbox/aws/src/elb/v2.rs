//! The API of 2015: network and application load balancers, known by their ARNs.

use super::shared::{self, page, visible};
use super::{attributes, groups, names, tags};
use crate::ec2::network;
use crate::ec2::volumes::render::time;
use crate::error::AwsError;
use crate::ids;
use crate::model::balancer::{Listener, LoadBalancer, LoadBalancerKind, NewLoadBalancer};
use crate::model::tags::{TagError, read};
use crate::operation::Operation;
use crate::session::Session;
use crate::throttle::Family::{Describe, Mutating};
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// Every operation that this sandbox has; any other name is `InvalidAction`.
pub(crate) const OPERATIONS: [Operation; 11] = [
    Operation::new("CreateLoadBalancer", Mutating, create),
    Operation::new("DeleteLoadBalancer", Mutating, delete),
    Operation::new("DescribeLoadBalancers", Describe, describe),
    Operation::new("ModifyLoadBalancerAttributes", Mutating, attributes::modify),
    Operation::new("DescribeLoadBalancerAttributes", Describe, attributes::describe),
    Operation::new("DescribeListeners", Describe, describe_listeners),
    Operation::new("DescribeTargetGroups", Describe, groups::describe),
    Operation::new("DeleteTargetGroup", Mutating, groups::delete),
    Operation::new("AddTags", Mutating, add_tags),
    Operation::new("RemoveTags", Mutating, remove_tags),
    Operation::new("DescribeTags", Describe, describe_tags),
];

fn create(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let name = params.text("Name").unwrap_or_default();
    names::check(name)?;
    let kind = match params.text("Type").unwrap_or("application") {
        "application" => LoadBalancerKind::Application,
        "network" => LoadBalancerKind::Network,
        other => {
            return Err(AwsError::new(
                "ValidationError",
                format!("Load balancer type '{other}' is not valid"),
            ));
        }
    };
    check_subnets(session, params, kind)?;
    let new = NewLoadBalancer {
        name: name.to_owned(),
        kind,
        tags: read(&params.list("Tags")).map_err(TagError::elb)?,
        listeners: Vec::new(),
        source_ranges: Vec::new(),
        scheme: shared::scheme(params)?,
    };
    let balancer = shared::create(session, new)?;
    xml.list(("LoadBalancers", "member"), [&balancer], |xml, lb| {
        write(xml, session, lb);
    });
    Ok(())
}

fn check_subnets(session: &Session, params: &Params, kind: LoadBalancerKind) -> Result<(), AwsError> {
    let mappings = params.list("SubnetMappings");
    let mut subnets = params.texts("Subnets");
    if !mappings.is_empty() && !subnets.is_empty() {
        return Err(AwsError::new(
            "ValidationError",
            "Either subnets or subnet mappings can be specified, not both",
        ));
    }
    subnets.extend(mappings.into_iter().filter_map(|mapping| mapping.text("SubnetId")));
    let known: Vec<String> = session
        .settings
        .zone_names(&session.region)
        .iter()
        .map(|zone| network::subnet_id(zone))
        .collect();
    if let Some(unknown) = subnets.iter().find(|subnet| !known.iter().any(|id| id == *subnet)) {
        return Err(AwsError::new(
            "SubnetNotFound",
            format!("The subnet ID '{unknown}' does not exist"),
        ));
    }
    let least = if kind == LoadBalancerKind::Application { 2 } else { 1 };
    if subnets.len() < least {
        let message = format!("At least {least} subnet(s) in different Availability Zones must be specified");
        return Err(AwsError::new("ValidationError", message));
    }
    Ok(())
}

fn delete(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let arn = arn(params.text("LoadBalancerArn").unwrap_or_default())?;
    // One that is not there is as good as deleted.
    match key_of(session, arn) {
        Some(key) if session.account.balancers.get(&key).is_some_and(|lb| lb.protected) => Err(AwsError::new(
            "OperationNotPermitted",
            format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled"),
        )),
        Some(key) => shared::delete(session, &key),
        None => Ok(()),
    }
}

fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let (arns, names) = (params.texts("LoadBalancerArns"), params.texts("Names"));
    if !arns.is_empty() && !names.is_empty() {
        let message = "Load balancer names and load balancer ARNs cannot be specified at the same time";
        return Err(AwsError::new("ValidationError", message));
    }
    let chosen = choose(session, &arns, &names)?;
    let page = page(session, params, "DescribeLoadBalancers v2")?;
    let (balancers, next) = page.cut(chosen.into_iter().map(|lb| (lb.name.clone(), lb)));
    xml.list(("LoadBalancers", "member"), balancers, |xml, lb| {
        write(xml, session, lb);
    });
    xml.optional("NextMarker", next);
    Ok(())
}

/// The visible load balancers with these ARNs and names, or all: one that cannot be found fails the call.
fn choose<'s>(session: &'s Session, arns: &[&str], names: &[&str]) -> Result<Vec<&'s LoadBalancer>, AwsError> {
    for text in arns {
        arn(text)?;
    }
    let all = arns.is_empty() && names.is_empty();
    let wanted = |lb: &&LoadBalancer| all || arns.contains(&lb.arn.as_str()) || names.contains(&lb.name.as_str());
    let found: Vec<_> = visible(session, false).filter(wanted).collect();
    let missing = arns.iter().any(|arn| !found.iter().any(|lb| lb.arn == **arn))
        || names.iter().any(|name| !found.iter().any(|lb| lb.name == **name));
    if missing { Err(not_found()) } else { Ok(found) }
}

pub(super) fn not_found() -> AwsError {
    AwsError::new("LoadBalancerNotFound", "One or more load balancers not found")
}

pub(super) fn arn(text: &str) -> Result<&str, AwsError> {
    if text.starts_with("arn:") && text.contains(":loadbalancer/") {
        return Ok(text);
    }
    Err(AwsError::new(
        "ValidationError",
        format!("'{text}' is not a valid load balancer ARN"),
    ))
}

/// Where the load balancer with this ARN is kept, if it really exists.
pub(super) fn key_of(session: &Session, arn: &str) -> Option<String> {
    let found = session.account.balancers.all().find(|(_, lb)| {
        lb.arn == arn && lb.region == session.region && lb.gone_at.is_none() && lb.kind != LoadBalancerKind::Classic
    });
    found.map(|(key, _)| key.to_owned())
}

fn write(xml: &mut Xml, session: &Session, lb: &LoadBalancer) {
    let application = lb.kind == LoadBalancerKind::Application;
    xml.text("LoadBalancerArn", &lb.arn);
    xml.text("DNSName", &lb.dns_name);
    xml.text(
        "CanonicalHostedZoneId",
        if application {
            "Z35SXDOTRQ7X7K"
        } else {
            "Z26RNL4JYFTOTI"
        },
    );
    xml.text("CreatedTime", time(lb.created));
    xml.text("LoadBalancerName", &lb.name);
    xml.text("Scheme", lb.scheme.as_str());
    xml.text("VpcId", network::vpc_id(&session.region));
    xml.element("State", |xml| {
        xml.text(
            "Code",
            if session.now < lb.active_at {
                "provisioning"
            } else {
                "active"
            },
        );
    });
    xml.text("Type", if application { "application" } else { "network" });
    xml.list(("AvailabilityZones", "member"), &lb.zones, |xml, zone| {
        xml.text("ZoneName", zone);
        xml.text("SubnetId", network::subnet_id(zone));
        xml.element("LoadBalancerAddresses", |_| {});
    });
    if application {
        xml.list(
            ("SecurityGroups", "member"),
            [network::default_group(&session.region)],
            Xml::content,
        );
    }
    xml.text("IpAddressType", "ipv4");
}

/// A listener with its load balancer, its ARN, and that of the group it forwards to.
struct Place<'s> {
    lb: &'s LoadBalancer,
    listener: &'s Listener,
    listener_arn: String,
    group_arn: Option<&'s str>,
}

/// The listeners of the given load balancer, or of all.
fn places<'s>(session: &'s Session, params: &Params) -> Result<Vec<Place<'s>>, AwsError> {
    let arns: Vec<&str> = params.text("LoadBalancerArn").into_iter().collect();
    let places = choose(session, &arns, &[])?.into_iter().flat_map(|lb| {
        lb.listeners.iter().map(move |listener| {
            let id = &ids::hex(&format!("{} {}", lb.arn, listener.port))[..16];
            Place {
                lb,
                listener,
                listener_arn: format!("{}/{id}", lb.arn.replace(":loadbalancer/", ":listener/")),
                group_arn: groups::of_listener(session, lb, listener.port).map(|group| group.arn.as_str()),
            }
        })
    });
    Ok(places.collect())
}

fn describe_listeners(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let arns = params.texts("ListenerArns");
    if arns.is_empty() && params.text("LoadBalancerArn").is_none() {
        let message = "You must specify either listener ARNs or a load balancer ARN";
        return Err(AwsError::new("ValidationError", message));
    }
    let places = places(session, params)?;
    if arns
        .iter()
        .any(|arn| !places.iter().any(|place| place.listener_arn == **arn))
    {
        return Err(AwsError::new("ListenerNotFound", "One or more listeners not found"));
    }
    let chosen = places
        .into_iter()
        .filter(|p| arns.is_empty() || arns.contains(&p.listener_arn.as_str()));
    let mut chosen: Vec<_> = chosen.map(|place| (place.listener_arn.clone(), place)).collect();
    chosen.sort_by(|one, other| one.0.cmp(&other.0));
    let (listeners, next) = page(session, params, "DescribeListeners")?.cut(chosen);
    xml.list(("Listeners", "member"), listeners, |xml, place| {
        xml.text("ListenerArn", &place.listener_arn);
        xml.text("LoadBalancerArn", &place.lb.arn);
        xml.text("Port", place.listener.port);
        xml.text("Protocol", &place.listener.protocol);
        xml.list(("DefaultActions", "member"), place.group_arn, |xml, group| {
            xml.text("Type", "forward");
            xml.text("TargetGroupArn", group);
            xml.text("Order", 1);
        });
    });
    xml.optional("NextMarker", next);
    Ok(())
}

fn add_tags(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let named = named(session, params)?;
    tags::add(session, params, &named.balancers)?;
    let new = read(&params.list("Tags")).map_err(TagError::elb)?;
    groups::change_tags(session, &named.groups, |tags| tags.extend(new.clone()))
}

fn remove_tags(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let named = named(session, params)?;
    let gone = params.texts("TagKeys");
    tags::remove(session, &named.balancers, &gone)?;
    groups::change_tags(session, &named.groups, |tags| {
        tags.retain(|key, _| !gone.contains(&key.as_str()));
    })
}

/// What `ResourceArns.member.N` name, by where it is kept.
struct Named {
    balancers: Vec<String>,
    groups: Vec<String>,
}

/// Each of them must really exist.
fn named(session: &Session, params: &Params) -> Result<Named, AwsError> {
    let arns = params.texts("ResourceArns");
    if arns.is_empty() {
        return Err(AwsError::new("ValidationError", "ResourceArns must not be empty"));
    }
    let (groups, balancers) = parted(&arns);
    let balancers = balancers
        .into_iter()
        .map(|text| key_of(session, arn(text)?).ok_or_else(not_found));
    let groups = groups
        .into_iter()
        .map(|arn| groups::key_of(session, arn).ok_or_else(groups::not_found));
    Ok(Named {
        balancers: balancers.collect::<Result<_, _>>()?,
        groups: groups.collect::<Result<_, _>>()?,
    })
}

/// Target groups, and everything else.
fn parted<'a>(arns: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    arns.iter().partition(|arn| arn.contains(groups::IN_ARN))
}

fn describe_tags(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let arns = params.texts("ResourceArns");
    tags::check_described(arns.len())?;
    let (groups, balancers) = parted(&arns);
    let balancers = if balancers.is_empty() {
        Vec::new()
    } else {
        choose(session, &balancers, &[])?
    };
    let balancers = balancers.into_iter().map(|lb| (&lb.arn, &lb.tags));
    let groups = groups::described(session, &groups)?.into_iter();
    let groups = groups.map(|group| (&group.arn, &group.tags));
    xml.list(
        ("TagDescriptions", "member"),
        balancers.chain(groups),
        |xml, (arn, all)| {
            xml.text("ResourceArn", arn);
            tags::write_all(xml, all);
        },
    );
    Ok(())
}
