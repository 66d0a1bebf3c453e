//! `DescribeInstances`: the simulated machines and the volumes on them.

use std::collections::BTreeMap;

use super::filters::Filters;
use super::volumes::render::{self, time};
use super::{network, paging};
use crate::error::AwsError;
use crate::ids;
use crate::model::instance::{Instance, LAUNCHED, instances};
use crate::model::volume::Standing;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

const FILTERS: [&str; 6] = [
    "availability-zone",
    "instance-id",
    "instance-state-name",
    "private-dns-name",
    "private-ip-address",
    "vpc-id",
];

pub(super) fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    paging::not_with_ids(params, ("InstanceId", "instancesSet"))?;
    let filters = Filters::read(params, &FILTERS)?;
    let page = paging::read(session, params, ("DescribeInstances", 1000), &filters)?;
    let mut machines = choose(session, params)?;
    machines.sort_by(|one, other| one.id.cmp(&other.id));
    let passing = machines
        .into_iter()
        .filter(|machine| passes(session, &filters, machine));
    let (machines, next) = page.cut(passing.map(|machine| (machine.id.clone(), machine)));
    let volumes: Vec<Standing> = session.visible_volumes().collect();
    xml.list(("reservationSet", "item"), machines, |xml, machine| {
        xml.text("reservationId", format_args!("r-{}", ids::derived(&machine.id)));
        xml.text("ownerId", &session.settings.account);
        xml.element("groupSet", |_| {});
        xml.list(("instancesSet", "item"), [&machine], |xml, machine| {
            write(xml, session, machine, &volumes);
        });
    });
    xml.optional("nextToken", next);
    Ok(())
}

fn choose(session: &Session, params: &Params) -> Result<Vec<Instance>, AwsError> {
    let all = instances(&session.settings, &session.region);
    let ids = params.texts("InstanceId");
    if let Some(malformed) = ids.iter().find(|id| !ids::well_formed(id, "i")) {
        let message = format!("Invalid id: \"{malformed}\" (expecting \"i-...\")");
        return Err(AwsError::new("InvalidInstanceID.Malformed", message));
    }
    if let Some(unknown) = ids.iter().find(|id| !all.iter().any(|machine| machine.id == **id)) {
        let message = format!("The instance ID '{unknown}' does not exist");
        return Err(AwsError::new("InvalidInstanceID.NotFound", message));
    }
    Ok(all
        .into_iter()
        .filter(|machine| ids.is_empty() || ids.contains(&machine.id.as_str()))
        .collect())
}

fn passes(session: &Session, filters: &Filters, machine: &Instance) -> bool {
    filters.pass(&tags(machine), |name| {
        Some(match name {
            "availability-zone" => machine.zone.clone(),
            "instance-id" => machine.id.clone(),
            "instance-state-name" => "running".to_owned(),
            "private-dns-name" => machine.private_dns_name.clone(),
            "private-ip-address" => machine.private_ip.clone(),
            _ => network::vpc_id(&session.region),
        })
    })
}

fn tags(machine: &Instance) -> BTreeMap<String, String> {
    BTreeMap::from([("Name".to_owned(), machine.private_dns_name.clone())])
}

fn write(xml: &mut Xml, session: &Session, machine: &Instance, volumes: &[Standing]) {
    xml.text("instanceId", &machine.id);
    xml.text("imageId", "ami-0123456789abcdef0");
    xml.element("instanceState", |xml| {
        xml.text("code", 16);
        xml.text("name", "running");
    });
    xml.text("privateDnsName", &machine.private_dns_name);
    xml.text("dnsName", "");
    xml.text("instanceType", "m7i.large");
    xml.text("launchTime", time(LAUNCHED));
    xml.element("placement", |xml| {
        xml.text("availabilityZone", &machine.zone);
        xml.text("tenancy", "default");
    });
    xml.text("subnetId", network::subnet_id(&machine.zone));
    xml.text("vpcId", network::vpc_id(&session.region));
    xml.text("privateIpAddress", &machine.private_ip);
    xml.text("architecture", "x86_64");
    xml.text("rootDeviceType", "ebs");
    xml.text("rootDeviceName", "/dev/xvda");
    let here = volumes.iter().filter_map(|volume| {
        let attachment = volume
            .record
            .attachment
            .as_ref()
            .filter(|there| there.instance_id == machine.id)?;
        Some((volume.record, attachment))
    });
    xml.list(("blockDeviceMapping", "item"), here, |xml, (volume, attachment)| {
        xml.text("deviceName", &attachment.device);
        xml.element("ebs", |xml| {
            xml.text("volumeId", &volume.id);
            xml.text("status", "attached");
            xml.text("attachTime", time(attachment.attached));
            xml.text("deleteOnTermination", false);
        });
    });
    render::tags(xml, &tags(machine));
}
