//! Target groups: made with the listeners of a load balancer, and left behind by it as in life. `DeleteTargetGroup` refuses one that a
//! listener forwards to.

use std::collections::BTreeMap;

use super::shared::page;
use super::v2;
use crate::ec2::network;
use crate::error::AwsError;
use crate::ids;
use crate::model::balancer::{LoadBalancer, LoadBalancerKind};
use crate::model::target_group::TargetGroup;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// What an ARN of a target group has in it.
pub(super) const IN_ARN: &str = ":targetgroup/";

/// Makes the groups of a new load balancer; a classic one has none.
pub(super) fn make(session: &mut Session, lb: &LoadBalancer) -> Result<(), AwsError> {
    if lb.kind == LoadBalancerKind::Classic {
        return Ok(());
    }
    for listener in &lb.listeners {
        let id = &ids::hex(&format!("{} {}", lb.arn, listener.port))[..16];
        let name = format!("k8s-{}", &ids::hex(&format!("{} {}", lb.name, listener.port))[..10]);
        let account = lb.arn.split(":loadbalancer/").next().unwrap_or_default();
        let group = TargetGroup {
            region: lb.region.clone(),
            arn: format!("{account}{IN_ARN}{name}/{id}"),
            name,
            protocol: listener.instance_protocol.clone(),
            port: listener.instance_port,
            tags: lb.tags.clone(),
            balancer: lb.arn.clone(),
            listener: listener.port,
            gone_at: None,
        };
        let now = session.now;
        session.account.groups.add(&group.arn.clone(), group, now)?;
    }
    Ok(())
}

/// Deletes the groups of load balancers named `name`, as a controller does after the load balancer.
pub(crate) fn sweep(session: &mut Session, name: &str) -> Result<(), AwsError> {
    let of_name = |group: &&TargetGroup| group.balancer.split('/').nth(2) == Some(name);
    let region = session.region.clone();
    let all = session.account.groups.all().map(|(_, group)| group);
    let living = all.filter(|group| group.region == region && group.gone_at.is_none());
    let arns: Vec<String> = living.filter(of_name).map(|group| group.arn.clone()).collect();
    arns.iter().try_for_each(|arn| bury(session, arn))
}

fn bury(session: &mut Session, arn: &str) -> Result<(), AwsError> {
    session.about_to_change()?;
    let (now, times) = (session.now, (session.now, session.horizon()));
    Ok(session
        .account
        .groups
        .change(arn, times, |group| group.gone_at = Some(now))?)
}

/// The group to which a listener of a load balancer forwards.
pub(super) fn of_listener<'s>(session: &'s Session, lb: &LoadBalancer, port: u16) -> Option<&'s TargetGroup> {
    visible(session).find(|group| group.balancer == lb.arn && group.listener == port)
}

/// The groups of the region as readers see them now.
fn visible<'s>(session: &'s Session) -> impl Iterator<Item = &'s TargetGroup> {
    let seen = session.account.groups.seen("", session.horizon());
    seen.map(|(_, group)| group)
        .filter(|group| group.region == session.region && group.gone_at.is_none())
}

/// The group with this ARN, if it really exists.
pub(super) fn key_of(session: &Session, arn: &str) -> Option<String> {
    let group = session.account.groups.get(arn)?;
    (group.region == session.region && group.gone_at.is_none()).then(|| arn.to_owned())
}

pub(super) fn not_found() -> AwsError {
    AwsError::new("TargetGroupNotFound", "One or more target groups not found")
}

pub(super) fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let (arns, names) = (params.texts("TargetGroupArns"), params.texts("Names"));
    let balancer = params.text("LoadBalancerArn");
    if let Some(arn) = balancer
        && v2::key_of(session, v2::arn(arn)?).is_none()
    {
        return Err(v2::not_found());
    }
    let of_balancer = |group: &&TargetGroup| balancer.is_none_or(|arn| group.balancer == arn);
    let all: Vec<&TargetGroup> = visible(session).filter(of_balancer).collect();
    let lacks = |arn: &&str| !all.iter().any(|group| group.arn == **arn);
    let unnamed = |name: &&str| !all.iter().any(|group| group.name == **name);
    if arns.iter().any(lacks) || names.iter().any(unnamed) {
        return Err(not_found());
    }
    let chosen = all.iter().filter(|group| {
        (arns.is_empty() || arns.contains(&group.arn.as_str()))
            && (names.is_empty() || names.contains(&group.name.as_str()))
    });
    let mut chosen: Vec<_> = chosen.map(|group| (group.arn.clone(), *group)).collect();
    chosen.sort_by(|one, other| one.0.cmp(&other.0));
    let (groups, next) = page(session, params, "DescribeTargetGroups")?.cut(chosen);
    let forwarding = |group: &TargetGroup| v2::key_of(session, &group.balancer).map(|_| group.balancer.clone());
    xml.list(("TargetGroups", "member"), groups, |xml, group| {
        xml.text("TargetGroupArn", &group.arn);
        xml.text("TargetGroupName", &group.name);
        xml.text("Protocol", &group.protocol);
        xml.text("Port", group.port);
        xml.text("VpcId", network::vpc_id(&session.region));
        xml.text("HealthCheckProtocol", "TCP");
        xml.text("HealthCheckPort", "traffic-port");
        xml.text("HealthCheckEnabled", true);
        xml.list(("LoadBalancerArns", "member"), forwarding(group), |xml, arn| {
            xml.content(arn);
        });
        xml.text("TargetType", "instance");
        xml.text("IpAddressType", "ipv4");
    });
    xml.optional("NextMarker", next);
    Ok(())
}

/// One that is not there is as good as deleted.
pub(super) fn delete(session: &mut Session, params: &Params, _: &mut Xml) -> Result<(), AwsError> {
    let arn = params.text("TargetGroupArn").unwrap_or_default();
    if !arn.starts_with("arn:") || !arn.contains(IN_ARN) {
        let message = format!("'{arn}' is not a valid target group ARN");
        return Err(AwsError::new("ValidationError", message));
    }
    let Some(key) = key_of(session, arn) else {
        return Ok(());
    };
    let balancer = session.account.groups.get(&key).map(|group| group.balancer.clone());
    if balancer.is_some_and(|balancer| v2::key_of(session, &balancer).is_some()) {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(AwsError::new("ResourceInUse", message));
    }
    bury(session, &key)
}

/// Changes the tags of groups, each of which is there.
pub(super) fn change_tags(
    session: &mut Session,
    arns: &[String],
    change: impl Fn(&mut BTreeMap<String, String>),
) -> Result<(), AwsError> {
    session.about_to_change()?;
    let times = (session.now, session.horizon());
    for arn in arns {
        session
            .account
            .groups
            .change(arn, times, |group| change(&mut group.tags))?;
    }
    Ok(())
}

/// The visible groups with these ARNs; one that cannot be found fails the call.
pub(super) fn described<'s>(session: &'s Session, arns: &[&str]) -> Result<Vec<&'s TargetGroup>, AwsError> {
    let found: Vec<_> = visible(session)
        .filter(|group| arns.contains(&group.arn.as_str()))
        .collect();
    let missing = arns.iter().any(|arn| !found.iter().any(|group| group.arn == **arn));
    if missing { Err(not_found()) } else { Ok(found) }
}
