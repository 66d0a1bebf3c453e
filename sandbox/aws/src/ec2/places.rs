//! Regions, zones and the account's attributes.

use std::collections::BTreeMap;

use super::filters::Filters;
use crate::error::AwsError;
use crate::regions;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// The id of a zone: `use1-az1` for `us-east-1a`. Real accounts map letters to ids each in its own way.
pub(super) fn zone_id(zone: &str) -> String {
    let (region, letter) = zone.split_at(zone.len().saturating_sub(1));
    let mut parts = region.split('-');
    let (area, side, number) = (parts.next(), parts.next(), parts.next());
    let side: String = match side.unwrap_or_default() {
        "northeast" => "ne".to_owned(),
        "northwest" => "nw".to_owned(),
        "southeast" => "se".to_owned(),
        "southwest" => "sw".to_owned(),
        side => side.chars().take(1).collect(),
    };
    let index = letter
        .bytes()
        .next()
        .map_or(0, |letter| letter.saturating_sub(b'a') + 1);
    format!(
        "{}{side}{}-az{index}",
        area.unwrap_or_default(),
        number.unwrap_or_default()
    )
}

pub(super) fn describe_zones(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let known = [
        "opt-in-status",
        "region-name",
        "state",
        "zone-id",
        "zone-name",
        "zone-type",
    ];
    let filters = Filters::read(params, &known)?;
    let all = session.settings.zone_names(&session.region);
    let (names, ids) = (params.texts("ZoneName"), params.texts("ZoneId"));
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|zone| zone == *name)) {
        return Err(AwsError::invalid_value(format!(
            "Invalid availability zone: [{unknown}]"
        )));
    }
    if let Some(unknown) = ids.iter().find(|id| !all.iter().any(|zone| zone_id(zone) == **id)) {
        return Err(AwsError::invalid_value(format!(
            "Invalid availability zone-id: [{unknown}]"
        )));
    }
    let region = &session.region;
    let zones = all.into_iter().filter(|zone| {
        (names.is_empty() || names.contains(&zone.as_str()))
            && (ids.is_empty() || ids.contains(&zone_id(zone).as_str()))
            && filters.pass(&BTreeMap::new(), |name| {
                Some(match name {
                    "opt-in-status" => "opt-in-not-required".to_owned(),
                    "region-name" => region.clone(),
                    "state" => "available".to_owned(),
                    "zone-id" => zone_id(zone),
                    "zone-name" => zone.clone(),
                    _ => "availability-zone".to_owned(),
                })
            })
    });
    xml.list(("availabilityZoneInfo", "item"), zones, |xml, zone| {
        xml.text("optInStatus", "opt-in-not-required");
        xml.element("messageSet", |_| {});
        xml.text("regionName", region);
        xml.text("zoneName", &zone);
        xml.text("zoneId", zone_id(&zone));
        xml.text("groupName", format_args!("{region}-zg-1"));
        xml.text("networkBorderGroup", region);
        xml.text("zoneType", "availability-zone");
        xml.text("zoneState", "available");
    });
    Ok(())
}

pub(super) fn describe_regions(_: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let filters = Filters::read(params, &["endpoint", "opt-in-status", "region-name"])?;
    let names = params.texts("RegionName");
    if let Some(unknown) = names.iter().find(|name| !regions::DEFAULT.contains(name)) {
        return Err(AwsError::invalid_value(format!("Invalid region provided: {unknown}")));
    }
    let chosen = regions::DEFAULT.into_iter().filter(|region| {
        (names.is_empty() || names.contains(region))
            && filters.pass(&BTreeMap::new(), |name| {
                Some(match name {
                    "endpoint" => endpoint(region),
                    "opt-in-status" => "opt-in-not-required".to_owned(),
                    _ => (*region).to_owned(),
                })
            })
    });
    xml.list(("regionInfo", "item"), chosen, |xml, region| {
        xml.text("regionName", region);
        xml.text("regionEndpoint", endpoint(region));
        xml.text("optInStatus", "opt-in-not-required");
    });
    Ok(())
}

fn endpoint(region: &str) -> String {
    format!("ec2.{region}.amazonaws.com")
}

pub(super) fn describe_attributes(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let vpc = super::network::vpc_id(&session.region);
    let all = [
        ("supported-platforms", "VPC"),
        ("default-vpc", vpc.as_str()),
        ("max-instances", "20"),
        ("vpc-max-security-groups-per-interface", "5"),
        ("max-elastic-ips", "5"),
        ("vpc-max-elastic-ips", "5"),
    ];
    let names = params.texts("AttributeName");
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|(known, _)| known == *name)) {
        return Err(AwsError::bad_parameter(
            "attributeName",
            unknown,
            "It is not an account attribute.",
        ));
    }
    let chosen = all.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    xml.list(("accountAttributeSet", "item"), chosen, |xml, (name, value)| {
        xml.text("attributeName", name);
        xml.list(("attributeValueSet", "item"), [value], |xml, value| {
            xml.text("attributeValue", value);
        });
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_look_like_the_real_ones() {
        assert_eq!(zone_id("us-east-1a"), "use1-az1");
        assert_eq!(zone_id("ap-southeast-2c"), "apse2-az3");
        assert_eq!(zone_id("eu-central-1b"), "euc1-az2");
    }
}
