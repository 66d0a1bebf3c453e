//! `CreateVolume`.

use jiff::Timestamp;

use super::{count, render};
use crate::ec2::tags::specified;
use crate::error::AwsError;
use crate::ids;
use crate::model::rules;
use crate::model::tags;
use crate::model::volume::{NewVolume, Spec, Standing, TokenUse, VolumeRecord, VolumeState};
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

pub(crate) fn run(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    if params.boolean("MultiAttachEnabled")? == Some(true) {
        // Nothing here can attach a volume twice, so nothing here may promise it.
        return Err(AwsError::new(
            "UnsupportedOperation",
            "The sandbox has no volumes with Multi-Attach.",
        ));
    }
    let snapshot_id = params.text("SnapshotId").filter(|id| !id.is_empty()).map(str::to_owned);
    let size_gib = count(params, "Size")?;
    if size_gib.is_none() && snapshot_id.is_none() {
        return Err(AwsError::missing("size/snapshot"));
    }
    if size_gib == Some(0) {
        return Err(AwsError::invalid_value("Volume of 0GiB is too small; minimum is 1GiB."));
    }
    let new = NewVolume {
        zone: zone(session, params)?,
        size_gib: size_gib.unwrap_or_default(),
        volume_type: params.text("VolumeType").unwrap_or_default().to_owned(),
        iops: count(params, "Iops")?,
        throughput: count(params, "Throughput")?,
        encrypted: params.boolean("Encrypted")?.unwrap_or(false),
        kms_key_id: params.text("KmsKeyId").filter(|key| !key.is_empty()).map(str::to_owned),
        snapshot_id,
        tags: specified(params, "volume")?,
        client_token: params
            .text("ClientToken")
            .filter(|token| !token.is_empty())
            .map(str::to_owned),
    };
    let volume = create(session, new)?;
    render::volume(xml, &volume.standing());
    Ok(())
}

/// The zone, by name or by id.
fn zone(session: &Session, params: &Params) -> Result<String, AwsError> {
    match (params.text("AvailabilityZone"), params.text("AvailabilityZoneId")) {
        (Some(_), Some(_)) => Err(AwsError::combination(
            "The parameters AvailabilityZone and AvailabilityZoneId cannot be used together",
        )),
        (Some(zone), None) if !zone.is_empty() => Ok(zone.to_owned()),
        (None, Some(id)) => {
            let zones = session.settings.zone_names(&session.region);
            let found = zones.into_iter().find(|zone| crate::ec2::places::zone_id(zone) == id);
            found.ok_or_else(|| AwsError::invalid_value(format!("Invalid availability zone: [{id}]")))
        }
        _ => Err(AwsError::missing("availabilityZone")),
    }
}

/// Makes the volume, or finds the one that an earlier call with the same token made.
pub(crate) fn create(session: &mut Session, new: NewVolume) -> Result<Created, AwsError> {
    let plan = Plan::of(session, new)?;
    // The limit comes before the token: a repeated call meets it too.
    if session.holds_volumes(session.settings.volume_limit) {
        return Err(AwsError::new(
            "VolumeLimitExceeded",
            "The maximum number of volumes has been reached.",
        ));
    }
    if let Some(token) = &plan.new.client_token
        && let Some(volume) = earlier(session, &plan.new.zone, token, &fingerprint(&plan.new))?
    {
        return Ok(volume);
    }
    session.about_to_change()?;
    let (now, ready_at) = (session.now, session.now + session.settings.creation());
    let record = plan.into_record(session, now, ready_at);
    session.account.add_volume(record.clone(), now)?;
    // Its own call sees a volume as it is born, even one that is available in the same instant.
    Ok(Created {
        record,
        state: VolumeState::Creating,
    })
}

/// Makes a volume as if it had been there since `created`, whatever the limit; gives its id.
pub(crate) fn seed(session: &mut Session, new: NewVolume, created: Timestamp) -> Result<String, AwsError> {
    let plan = Plan::of(session, new)?;
    session.about_to_change()?;
    let record = plan.into_record(session, created, created);
    let id = record.id.clone();
    session.account.add_volume(record, created)?;
    Ok(id)
}

/// A volume to be, checked.
struct Plan {
    new: NewVolume,
    spec: Spec,
    origin: Origin,
}

impl Plan {
    fn of(session: &Session, mut new: NewVolume) -> Result<Self, AwsError> {
        if new.volume_type.is_empty() {
            "gp2".clone_into(&mut new.volume_type);
        }
        check(session, &new)?;
        let origin = Origin::of(session, &mut new)?;
        let spec = rules::provision(Spec {
            size_gib: new.size_gib,
            volume_type: new.volume_type.clone(),
            iops: new.iops,
            throughput: new.throughput,
        })?;
        Ok(Self { new, spec, origin })
    }

    fn into_record(self, session: &Session, created: Timestamp, ready_at: Timestamp) -> VolumeRecord {
        let Self { new, spec, origin } = self;
        let id = ids::fresh("vol");
        let token = new.client_token.as_ref().map(|token| TokenUse {
            token: token.clone(),
            volume_id: id.clone(),
            zone: new.zone.clone(),
            fingerprint: fingerprint(&new),
        });
        VolumeRecord {
            id,
            region: session.region.clone(),
            zone: new.zone,
            spec,
            encrypted: origin.encrypted,
            kms_key_id: origin.kms_key_id,
            snapshot_id: new.snapshot_id,
            tags: new.tags,
            created,
            ready_at,
            doomed: origin.doomed,
            attachment: None,
            modification: None,
            gone_at: None,
            token,
        }
    }
}

/// A volume that a creation made or found.
pub(crate) struct Created {
    record: VolumeRecord,
    state: VolumeState,
}

impl Created {
    pub(crate) fn standing(&self) -> Standing<'_> {
        Standing {
            record: &self.record,
            state: self.state,
        }
    }
}

fn check(session: &Session, new: &NewVolume) -> Result<(), AwsError> {
    if !session.settings.zone_names(&session.region).contains(&new.zone) {
        return Err(AwsError::invalid_value(format!(
            "Invalid availability zone: [{}]",
            new.zone
        )));
    }
    if let Some(token) = new
        .client_token
        .as_ref()
        .filter(|token| token.len() > 64 || !token.is_ascii())
    {
        return Err(AwsError::bad_parameter(
            "clientToken",
            token,
            "It must be at most 64 ASCII characters.",
        ));
    }
    if new.kms_key_id.is_some() && !new.encrypted {
        let message = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return Err(AwsError::new("InvalidParameterDependency", message));
    }
    for (key, value) in &new.tags {
        tags::check(key, value).map_err(tags::TagError::ec2)?;
    }
    tags::within_ec2_limit(&new.tags)
}

/// What the snapshot and the key decide.
struct Origin {
    encrypted: bool,
    kms_key_id: Option<String>,
    doomed: bool,
}

impl Origin {
    fn of(session: &Session, new: &mut NewVolume) -> Result<Self, AwsError> {
        let mut encrypted = new.encrypted;
        let mut key = new.kms_key_id.clone();
        if let Some(id) = &new.snapshot_id {
            let snapshot = session.snapshot(id)?;
            if snapshot.state(session.now) != "completed" {
                return Err(AwsError::new(
                    "IncorrectState",
                    format!("Snapshot is in invalid state - {id}: pending"),
                ));
            }
            if new.size_gib == 0 {
                new.size_gib = snapshot.size_gib;
            }
            if new.size_gib < snapshot.size_gib {
                let (size, least) = (new.size_gib, snapshot.size_gib);
                return Err(AwsError::invalid_value(format!(
                    "Volume of size {size}GB is smaller than snapshot '{id}', expect size >= {least}GB"
                )));
            }
            encrypted |= snapshot.encrypted;
            key = key.or_else(|| snapshot.kms_key_id.clone());
        }
        let doomed = new.kms_key_id.as_ref().is_some_and(|key| !key_exists(session, key));
        let kms_key_id = encrypted.then(|| key_arn(session, key.as_deref()));
        Ok(Self {
            encrypted,
            kms_key_id,
            doomed,
        })
    }
}

fn key_exists(session: &Session, key: &str) -> bool {
    let bare = bare_key(key);
    bare == "alias/aws/ebs" || session.settings.kms_keys.iter().any(|known| known == bare)
}

/// `arn:aws:kms:<region>:<account>:key/<id>` as `<id>`, `…:alias/<name>` as `alias/<name>`.
fn bare_key(key: &str) -> &str {
    let resource = if key.starts_with("arn:") {
        key.splitn(6, ':').nth(5).unwrap_or(key)
    } else {
        key
    };
    resource.strip_prefix("key/").unwrap_or(resource)
}

fn key_arn(session: &Session, key: Option<&str>) -> String {
    let bare = key.map_or("alias/aws/ebs", bare_key);
    let id = if bare.starts_with("alias/") {
        as_uuid(&ids::hex(bare))
    } else {
        bare.to_owned()
    };
    format!("arn:aws:kms:{}:{}:key/{id}", session.region, session.settings.account)
}

fn as_uuid(digits: &str) -> String {
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..32],
    ]
    .join("-")
}

/// A digest of everything but the zone and the token.
fn fingerprint(new: &NewVolume) -> String {
    let alike = NewVolume {
        zone: String::new(),
        client_token: None,
        ..new.clone()
    };
    ids::hex(&format!("{alike:?}"))
}

/// The volume that an earlier call with this token made.
fn earlier(session: &Session, zone: &str, token: &str, fingerprint: &str) -> Result<Option<Created>, AwsError> {
    let Some(used) = session.account.token(zone, token) else {
        return Ok(None);
    };
    let mismatch = |message: &str| Err(AwsError::new("IdempotentParameterMismatch", message));
    match session.volume(&used.volume_id) {
        Err(_) => mismatch(
            "The client token you have provided is associated with a resource that is already deleted. \
             Please use a different client token.",
        ),
        Ok(_) if used.fingerprint != fingerprint => mismatch(
            "Parameters on this idempotent request are inconsistent with parameters used in previous request(s)",
        ),
        Ok(found) => Ok(Some(Created {
            record: found.record.clone(),
            state: found.state,
        })),
    }
}
