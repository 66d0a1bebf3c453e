//! `DescribeVolumeStatus`: every volume is well.

use super::describe::{self, named_or_all};
use crate::ec2::filters::Filters;
use crate::ec2::paging;
use crate::error::AwsError;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

pub(crate) fn run(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let filters = Filters::read(params, &["availability-zone", "volume-status.status"])?;
    let page = paging::read(session, params, ("DescribeVolumeStatus", describe::MOST), &filters)?;
    let chosen = named_or_all(session, params)?.into_iter().map(|volume| volume.record);
    let passing = chosen.filter(|volume| {
        filters.pass(&volume.tags, |name| match name {
            "availability-zone" => Some(volume.zone.clone()),
            _ => Some("ok".to_owned()),
        })
    });
    let (volumes, next) = page.cut(passing.map(|volume| (volume.id.clone(), volume)));
    xml.list(("volumeStatusSet", "item"), &volumes, |xml, volume| {
        xml.text("volumeId", &volume.id);
        xml.text("availabilityZone", &volume.zone);
        xml.element("volumeStatus", |xml| {
            xml.text("status", "ok");
            let details = [("io-enabled", "passed"), ("io-performance", "not-applicable")];
            xml.list(("details", "item"), details, |xml, (name, status)| {
                xml.text("name", name);
                xml.text("status", status);
            });
        });
        xml.element("eventsSet", |_| {});
        xml.element("actionsSet", |_| {});
    });
    xml.optional("nextToken", next);
    Ok(())
}
