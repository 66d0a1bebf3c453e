//! The default VPC with its subnets, its security group, and the groups of load balancers.

use std::collections::BTreeMap;

use super::filters::Filters;
use super::{paging, places};
use crate::error::AwsError;
use crate::ids;
use crate::model::balancer::LoadBalancer;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// The id of a region's default VPC; always the same.
pub(crate) fn vpc_id(region: &str) -> String {
    format!("vpc-{}", ids::derived(&format!("vpc {region}")))
}

/// The id of a zone's default subnet; always the same.
pub(crate) fn subnet_id(zone: &str) -> String {
    format!("subnet-{}", ids::derived(&format!("subnet {zone}")))
}

/// The id of the default security group of a region; always the same.
pub(crate) fn default_group(region: &str) -> String {
    format!("sg-{}", ids::derived(&format!("sg {region}")))
}

pub(super) fn describe_vpcs(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let filters = Filters::read(
        params,
        &["cidr", "is-default", "isDefault", "owner-id", "state", "vpc-id"],
    )?;
    let page = paging::read(session, params, ("DescribeVpcs", 1000), &filters)?;
    let id = vpc_id(&session.region);
    known(
        params,
        "VpcId",
        std::slice::from_ref(&id),
        ("InvalidVpcID.NotFound", "vpc ID"),
    )?;
    let passes = filters.pass(&BTreeMap::new(), |name| {
        Some(match name {
            "cidr" => "172.31.0.0/16".to_owned(),
            "owner-id" => session.settings.account.clone(),
            "state" => "available".to_owned(),
            "vpc-id" => id.clone(),
            _ => true.to_string(),
        })
    });
    let (vpcs, next) = page.cut(passes.then(|| (id.clone(), id)));
    xml.list(("vpcSet", "item"), vpcs, |xml, id| {
        xml.text("vpcId", id);
        xml.text("ownerId", &session.settings.account);
        xml.text("state", "available");
        xml.text("cidrBlock", "172.31.0.0/16");
        xml.text("dhcpOptionsId", format_args!("dopt-{}", ids::derived(&session.region)));
        xml.text("instanceTenancy", "default");
        xml.text("isDefault", true);
    });
    xml.optional("nextToken", next);
    Ok(())
}

pub(super) fn describe_subnets(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let names = [
        "availability-zone",
        "availabilityZone",
        "default-for-az",
        "state",
        "subnet-id",
        "vpc-id",
    ];
    let filters = Filters::read(params, &names)?;
    let page = paging::read(session, params, ("DescribeSubnets", 1000), &filters)?;
    let zones = session.settings.zone_names(&session.region);
    let every: Vec<String> = zones.iter().map(|zone| subnet_id(zone)).collect();
    known(params, "SubnetId", &every, ("InvalidSubnetID.NotFound", "subnet ID"))?;
    let wanted = params.texts("SubnetId");
    let vpc = vpc_id(&session.region);
    let chosen: BTreeMap<String, (usize, &String)> = every
        .into_iter()
        .zip(zones.iter().enumerate())
        .filter(|(id, (_, zone))| {
            (wanted.is_empty() || wanted.contains(&id.as_str()))
                && filters.pass(&BTreeMap::new(), |name| {
                    Some(match name {
                        "availability-zone" | "availabilityZone" => (*zone).clone(),
                        "default-for-az" => true.to_string(),
                        "state" => "available".to_owned(),
                        "subnet-id" => id.clone(),
                        _ => vpc.clone(),
                    })
                })
        })
        .collect();
    let (subnets, next) = page.cut(chosen.into_iter().map(|(id, place)| (id.clone(), (id, place))));
    xml.list(("subnetSet", "item"), subnets, |xml, (id, (index, zone))| {
        xml.text("subnetId", &id);
        let account = &session.settings.account;
        xml.text(
            "subnetArn",
            format_args!("arn:aws:ec2:{}:{account}:subnet/{id}", session.region),
        );
        xml.text("state", "available");
        xml.text("ownerId", account);
        xml.text("vpcId", &vpc);
        xml.text("cidrBlock", format_args!("172.31.{}.0/20", index * 16));
        xml.text("availableIpAddressCount", 4091);
        xml.text("availabilityZone", zone);
        xml.text("availabilityZoneId", places::zone_id(zone));
        xml.text("defaultForAz", true);
        xml.text("mapPublicIpOnLaunch", true);
    });
    xml.optional("nextToken", next);
    Ok(())
}

pub(super) fn describe_security_groups(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    paging::not_with_ids(params, ("GroupId", "groupIds"))?;
    let filters = Filters::read(params, &["description", "group-id", "group-name", "owner-id", "vpc-id"])?;
    let page = paging::read(session, params, ("DescribeSecurityGroups", 1000), &filters)?;
    let groups = groups(session);
    let ids: Vec<String> = groups.keys().cloned().collect();
    known(params, "GroupId", &ids, ("InvalidGroup.NotFound", "security group"))?;
    let (ids, names) = (params.texts("GroupId"), params.texts("GroupName"));
    let vpc = vpc_id(&session.region);
    let chosen = groups.into_iter().filter(|(id, group)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && (names.is_empty() || names.contains(&group.name.as_str()))
            && filters.pass(&BTreeMap::new(), |name| {
                Some(match name {
                    "description" => group.description.clone(),
                    "group-id" => id.clone(),
                    "group-name" => group.name.clone(),
                    "owner-id" => session.settings.account.clone(),
                    _ => vpc.clone(),
                })
            })
    });
    let (groups, next) = page.cut(chosen.map(|(id, group)| (id.clone(), (id, group))));
    xml.list(("securityGroupInfo", "item"), groups, |xml, (id, group)| {
        xml.text("groupId", id);
        xml.text("groupName", &group.name);
        xml.text("groupDescription", &group.description);
        xml.text("ownerId", &session.settings.account);
        xml.text("vpcId", &vpc);
        xml.list(("ipPermissions", "item"), &group.ports, |xml, port| {
            permission(xml, *port, &group.ranges);
        });
        xml.element("ipPermissionsEgress", |_| {});
    });
    xml.optional("nextToken", next);
    Ok(())
}

struct Group {
    name: String,
    description: String,
    ports: Vec<u16>,
    ranges: Vec<String>,
}

/// The default group, and one for each classic load balancer as the cloud controller makes it.
fn groups(session: &Session) -> BTreeMap<String, Group> {
    let default = Group {
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        ports: Vec::new(),
        ranges: Vec::new(),
    };
    let of_balancer = |balancer: &LoadBalancer| Group {
        name: balancer.security_group_name(),
        description: format!("Security group for Kubernetes ELB {}", balancer.name),
        ports: balancer.listeners.iter().map(|listener| listener.port).collect(),
        ranges: balancer.source_ranges.clone(),
    };
    let balancers = session
        .visible_balancers()
        .filter(|balancer| !balancer.source_ranges.is_empty());
    let of_balancers = balancers.map(|balancer| (balancer.security_group(), of_balancer(balancer)));
    std::iter::once((default_group(&session.region), default))
        .chain(of_balancers)
        .collect()
}

fn permission(xml: &mut Xml, port: u16, ranges: &[String]) {
    xml.text("ipProtocol", "tcp");
    xml.text("fromPort", port);
    xml.text("toPort", port);
    xml.element("groups", |_| {});
    xml.list(("ipRanges", "item"), ranges, |xml, range| xml.text("cidrIp", range));
    xml.element("ipv6Ranges", |_| {});
    xml.element("prefixListIds", |_| {});
}

/// Refuses ids that nothing has.
fn known(params: &Params, list: &str, all: &[String], (code, what): (&str, &str)) -> Result<(), AwsError> {
    match params
        .texts(list)
        .into_iter()
        .find(|id| !all.iter().any(|known| known == id))
    {
        Some(id) => Err(AwsError::new(code, format!("The {what} '{id}' does not exist"))),
        None => Ok(()),
    }
}
