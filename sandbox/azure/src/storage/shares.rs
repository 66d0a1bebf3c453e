//! Operations on file shares.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::account::AccountRecord;
use super::deletion::{self, Deletion};
use super::names;
use super::share::{Protocol, ShareProperties, ShareRecord, SnapshotRecord, Tier, living};
use super::sku::{Billing, Sku};
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::paging;
use crate::session::Session;
use crate::times::{next_change, stamp, whole_second};

const MOST_SNAPSHOTS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    properties: Option<ShareProperties>,
}

/// What `$expand` asks for, which must be among `known`.
fn expanded<'a>(request: &'a Request, known: &[&str]) -> Result<Vec<&'a str>, AzureError> {
    let Some(text) = request.query("$expand") else {
        return Ok(Vec::new());
    };
    let asked: Vec<_> = text.split(',').map(str::trim).collect();
    if asked.iter().all(|asked| known.contains(asked)) {
        Ok(asked)
    } else {
        Err(AzureError::query("$expand", text))
    }
}

/// Makes a share, or a snapshot of one. A share that is there already stays as it is.
pub(super) fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let wants_snapshot = !expanded(request, &["snapshots"])?.is_empty();
    let account = session.parent(request.place())?.clone();
    let Body { properties } = request.body()?;
    let name = request.part("share");
    names::check_child(name)?;
    let asked = properties.clone().unwrap_or_default();
    if wants_snapshot {
        return snapshot(session, &account, name, asked);
    }
    check(&account, &asked)?;
    let (status, share) = match living(session, &account.name, name) {
        Ok(share) => (200, share.clone()),
        Err(_) => (201, create(session, &account, name, asked)?),
    };
    let mut body = share.identity(&account, "");
    if let Some(properties) = properties {
        body["properties"] = json!(properties);
    }
    Ok(Answer::new(status, &body).with("etag", share.etag()))
}

/// Makes a share whose properties were checked.
pub(crate) fn create(
    session: &mut Session,
    account: &AccountRecord,
    name: &str,
    asked: ShareProperties,
) -> Result<ShareRecord, AzureError> {
    let now = session.now;
    let lives = session.estate.shares.under(&deletion::prefix(&account.name, name));
    let deletions = lives.filter_map(|(_, share)| share.deletion);
    if deletions.into_iter().any(|deletion| deletion.holds_name(now)) {
        return Err(being_deleted());
    }
    let share = ShareRecord::new(account, name, asked, now)?;
    check_room(session, account, &share)?;
    session.changed = true;
    session.estate.shares.add(&share.key(), share.clone(), now)?;
    Ok(share)
}

fn being_deleted() -> AzureError {
    let message = "The specified share is being deleted. Try operation later.";
    AzureError::of_service(409, "ShareBeingDeleted", message)
}

/// Refuses what shares of the account cannot have.
pub(crate) fn check(account: &AccountRecord, asked: &ShareProperties) -> Result<(), AzureError> {
    let limits = account.share_limits()?;
    let quota = asked.share_quota.unwrap_or(limits.default);
    if !(limits.smallest..=limits.largest).contains(&quota) {
        return Err(AzureError::header());
    }
    let standard = limits.billing == Billing::PayAsYouGo;
    let premium = account.full_sku().is_some_and(Sku::premium);
    if asked
        .access_tier
        .is_some_and(|tier| (tier == Tier::Premium) == standard)
    {
        return Err(AzureError::header());
    }
    if asked.enabled_protocols == Some(Protocol::Nfs) && !premium {
        return Err(AzureError::header());
    }
    let provisions = asked.provisioned_iops.is_some() || asked.provisioned_bandwidth_mibps.is_some();
    if provisions && limits.billing != Billing::ProvisionedV2 {
        return Err(AzureError::header());
    }
    names::check_metadata(asked.metadata.as_ref().unwrap_or(&names::Metadata::new()))
}

/// Refuses a share for which its account has no room.
fn check_room(session: &Session, account: &AccountRecord, share: &ShareRecord) -> Result<(), AzureError> {
    let limits = account.share_limits()?;
    let inside = format!("{}!", account.name);
    let others = session.estate.shares.under(&inside).map(|(_, other)| other);
    let others: Vec<_> = others
        .filter(|other| other.counts(session.now) && other.key() != share.key())
        .collect();
    if others.len() >= limits.count {
        let message = "The total number of shares exceeds the limit of the account.";
        return Err(AzureError::of_service(
            409,
            "TotalSharesCountExceedsAccountLimit",
            message,
        ));
    }
    let taken: u64 = others.iter().map(|other| other.quota).sum();
    if taken + share.quota > limits.capacity {
        let message = "The total provisioned capacity of the shares cannot exceed the account maximum size limit.";
        return Err(AzureError::of_service(
            409,
            "TotalSharesProvisionedCapacityExceedsAccountLimit",
            message,
        ));
    }
    Ok(())
}

fn snapshot(
    session: &mut Session,
    account: &AccountRecord,
    name: &str,
    asked: ShareProperties,
) -> Result<Answer, AzureError> {
    names::check_metadata(asked.metadata.as_ref().unwrap_or(&names::Metadata::new()))?;
    let share = living(session, &account.name, name)?;
    if share.snapshots.len() >= MOST_SNAPSHOTS {
        let message = "The number of share snapshots exceeds the limit of the share.";
        return Err(AzureError::of_service(409, "ShareSnapshotCountExceeded", message));
    }
    // Snapshots are told apart by whole seconds.
    let second = jiff::SignedDuration::from_secs(1);
    let after_last = share.snapshots.last().map(|last| last.time + second);
    let time = after_last.map_or(whole_second(session.now), |next| next.max(whole_second(session.now)));
    let record = SnapshotRecord {
        time,
        quota: share.quota,
        metadata: asked.metadata.unwrap_or_else(|| share.metadata.clone()),
    };
    let mut body = share.identity(account, "");
    body["properties"] = json!({"snapshotTime": stamp(time)});
    let answer = Answer::new(201, &body).with("etag", share.etag());
    let (key, times) = (share.key(), session.times());
    session.changed = true;
    session
        .estate
        .shares
        .change(&key, times, |share| share.snapshots.push(record))?;
    Ok(answer)
}

/// Which of the share's snapshots the request names, if it names one.
fn named_snapshot<'a>(request: &Request, share: &'a ShareRecord) -> Result<Option<&'a SnapshotRecord>, AzureError> {
    let Some(text) = request.header("x-ms-snapshot") else {
        return Ok(None);
    };
    let time: Timestamp = text.parse().map_err(|_| AzureError::header())?;
    let found = share.snapshots.iter().find(|snapshot| snapshot.time == time);
    let missing = || {
        AzureError::of_service(
            404,
            "ShareSnapshotNotFound",
            "The specified share snapshot does not exist.",
        )
    };
    found.ok_or_else(missing).map(Some)
}

pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let stats = !expanded(request, &["stats"])?.is_empty();
    let account = session.parent(request.place())?;
    account.share_limits()?;
    let share = living(session, &account.name, request.part("share"))?;
    let snapshot = named_snapshot(request, share)?;
    if stats && snapshot.is_some() {
        return Err(AzureError::query("$expand", "stats"));
    }
    let mut body = share.render(account, snapshot, session.now);
    if stats {
        body["properties"]["shareUsageBytes"] = share.used_bytes.into();
    }
    Ok(Answer::ok(&body).with("etag", share.etag()))
}

pub(super) fn patch(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?.clone();
    let Body { properties } = request.body()?;
    let asked = properties.clone().unwrap_or_default();
    let mut share = living(session, &account.name, request.part("share"))?.clone();
    request.check_condition(&share.etag())?;
    if asked
        .enabled_protocols
        .is_some_and(|protocol| protocol != share.protocol)
    {
        return Err(AzureError::header());
    }
    let quota = asked.share_quota.or(Some(share.quota));
    check(
        &account,
        &ShareProperties {
            share_quota: quota,
            ..asked.clone()
        },
    )?;
    share.apply(asked, session.now);
    check_room(session, &account, &share)?;
    let mut body = share.identity(&account, "");
    if let Some(properties) = properties {
        body["properties"] = json!(properties);
    }
    let answer = Answer::ok(&body).with("etag", share.etag());
    let times = session.times();
    session.changed = true;
    session.estate.shares.change(&share.key(), times, |old| *old = share)?;
    Ok(answer)
}

pub(super) fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let include = request.query("$include").unwrap_or("snapshots");
    if !["snapshots", "leased-snapshots", "none"].contains(&include) {
        return Err(AzureError::query("$include", include));
    }
    let account = session.parent(request.place())?;
    account.share_limits()?;
    let retention = account.share_retention;
    let name = request.part("share");
    let Ok(share) = living(session, &account.name, name) else {
        return missing(session, &account.name, name);
    };
    let (key, times) = (share.key(), session.times());
    if let Some(snapshot) = named_snapshot(request, share)? {
        let time = snapshot.time;
        session.changed = true;
        let forget = |share: &mut ShareRecord| share.snapshots.retain(|snapshot| snapshot.time != time);
        session.estate.shares.change(&key, times, forget)?;
        return Ok(Answer::empty(200));
    }
    share.lease.must_be_free(session.now)?;
    if include == "none" && !share.snapshots.is_empty() {
        let message = "The share has snapshots and the operation requires no snapshots.";
        return Err(AzureError::of_service(409, "ShareHasSnapshots", message));
    }
    let deletion = Deletion::new(session, retention);
    session.changed = true;
    session
        .estate
        .shares
        .change(&key, times, |share| share.deletion = Some(deletion))?;
    Ok(Answer::empty(200))
}

/// A share that is on its way out cannot be deleted again; one that is not there is.
fn missing(session: &Session, account: &str, name: &str) -> Result<Answer, AzureError> {
    let lives = session.estate.shares.under(&deletion::prefix(account, name));
    let deletions = lives.filter_map(|(_, share)| share.deletion);
    if deletions.into_iter().any(|deletion| deletion.holds_name(session.now)) {
        return Err(being_deleted());
    }
    Ok(Answer::empty(204))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RestoreBody {
    deleted_share_name: String,
    deleted_share_version: String,
}

/// Brings a deleted share back under its name.
pub(super) fn restore(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?.name.clone();
    let RestoreBody {
        deleted_share_name: name,
        deleted_share_version: version,
    } = request.body()?;
    if name != request.part("share") {
        return Err(AzureError::values("deletedShareName"));
    }
    if living(session, &account, &name).is_ok() {
        let message = "The specified share already exists.";
        return Err(AzureError::of_service(409, "ShareAlreadyExists", message));
    }
    let lives = session.estate.shares.under(&deletion::prefix(&account, &name));
    let found = lives
        .filter(|(_, share)| share.version().eq_ignore_ascii_case(&version))
        .find_map(|(key, share)| Some((key.to_owned(), share.deletion?)))
        .filter(|(_, deletion)| deletion.left(session.now).is_some());
    let Some((key, deletion)) = found else {
        return Err(AzureError::of_service(
            404,
            "ShareNotFound",
            "The specified share does not exist.",
        ));
    };
    if deletion.holds_name(session.now) {
        return Err(being_deleted());
    }
    let times = session.times();
    session.changed = true;
    session.estate.shares.change(&key, times, |share| {
        share.deletion = None;
        share.changed = next_change(share.changed, times.0);
    })?;
    Ok(Answer::empty(200))
}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let expand = expanded(request, &["deleted", "snapshots"])?;
    let (deleted, snapshots) = (expand.contains(&"deleted"), expand.contains(&"snapshots"));
    let account = session.parent(request.place())?;
    account.share_limits()?;
    let inside = format!("{}!{}", account.name, request.query("$filter").unwrap_or_default());
    let seen = session.estate.shares.seen(&inside, session.horizon());
    let items = seen.flat_map(|(key, share)| {
        let of_share = share.snapshots.iter().filter(|_| snapshots && share.exists());
        let taken = of_share.map(move |snapshot| (format!("{key}!{}", stamp(snapshot.time)), (share, Some(snapshot))));
        let kept = share
            .deletion
            .is_some_and(|deletion| deletion.left(session.now).is_some());
        let shown = share.exists() || deleted && kept;
        // Behind its snapshots.
        taken.chain(shown.then(|| (format!("{key}!~"), (share, None))))
    });
    paging::page(session, request, items, |(share, snapshot)| match snapshot {
        Some(snapshot) => share.render_snapshot(account, snapshot, session.now),
        None => share.render_listed(account, session.now),
    })
}

/// Takes, renews, ends or breaks the share's lease.
pub(super) fn lease(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.share_limits()?;
    let mut share = living(session, &account.name, request.part("share"))?.clone();
    let answer = share.lease.act(request.body()?, session.now)?;
    let times = session.times();
    session.changed = true;
    session.estate.shares.change(&share.key(), times, |old| *old = share)?;
    Ok(answer)
}
