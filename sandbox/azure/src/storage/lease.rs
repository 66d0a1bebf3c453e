//! Leases on shares and containers: who holds one keeps the others from deleting.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AzureError;
use crate::http::answer::Answer;

/// The lease of a share or container, if it ever had one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lease(Option<Held>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    id: String,
    /// In seconds; none is for ever.
    seconds: Option<u32>,
    since: Timestamp,
    /// Once it was broken: when that takes effect.
    broken_at: Option<Timestamp>,
    released: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Available,
    Leased,
    Expired,
    Breaking,
    Broken,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Leased => "leased",
            Self::Expired => "expired",
            Self::Breaking => "breaking",
            Self::Broken => "broken",
        }
    }

    fn holds(self) -> bool {
        matches!(self, Self::Leased | Self::Breaking)
    }
}

/// What is asked of a lease.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Body {
    action: Action,
    lease_id: Option<String>,
    break_period: Option<u32>,
    lease_duration: Option<i64>,
    proposed_lease_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Action {
    Acquire,
    Renew,
    Change,
    Release,
    Break,
}

impl Held {
    fn state(&self, now: Timestamp) -> State {
        let ends = self
            .seconds
            .map(|seconds| self.since + SignedDuration::from_secs(seconds.into()));
        match self.broken_at {
            _ if self.released => State::Available,
            Some(broken_at) if now < broken_at => State::Breaking,
            Some(_) => State::Broken,
            None if ends.is_some_and(|ends| ends <= now) => State::Expired,
            None => State::Leased,
        }
    }
}

impl Lease {
    fn state(&self, now: Timestamp) -> State {
        self.0.as_ref().map_or(State::Available, |held| held.state(now))
    }

    /// Writes the lease into the properties of what has it.
    pub(crate) fn show(&self, properties: &mut Value, now: Timestamp) {
        let state = self.state(now);
        properties["leaseState"] = state.word().into();
        properties["leaseStatus"] = if state.holds() { "locked" } else { "unlocked" }.into();
        if let (Some(held), State::Leased) = (&self.0, state) {
            properties["leaseDuration"] = if held.seconds.is_some() { "fixed" } else { "infinite" }.into();
        }
    }

    /// Refuses to delete what is leased.
    pub(crate) fn must_be_free(&self, now: Timestamp) -> Result<(), AzureError> {
        if !self.state(now).holds() {
            return Ok(());
        }
        let message = "There is currently a lease on the resource and no lease ID was specified in the request.";
        Err(AzureError::of_service(412, "LeaseIdMissing", message))
    }

    /// Does what is asked of the lease.
    pub(crate) fn act(&mut self, asked: Body, now: Timestamp) -> Result<Answer, AzureError> {
        let state = self.state(now);
        if let Action::Acquire = asked.action {
            return self.acquire(asked, now);
        }
        let Some(held) = self.0.as_mut().filter(|_| state != State::Available) else {
            let message = "There is currently no lease on the resource.";
            return Err(AzureError::of_service(
                409,
                "LeaseNotPresentWithLeaseOperation",
                message,
            ));
        };
        let owns = asked.lease_id.as_deref() == Some(&*held.id);
        if !owns && !matches!(asked.action, Action::Break) {
            let message = "The lease ID specified did not match the lease ID for the resource.";
            return Err(AzureError::of_service(
                409,
                "LeaseIdMismatchWithLeaseOperation",
                message,
            ));
        }
        match asked.action {
            Action::Acquire => {}
            Action::Renew => (held.since, held.broken_at) = (now, None),
            Action::Change => held.id = asked.proposed_lease_id.ok_or_else(AzureError::header)?,
            Action::Release => held.released = true,
            Action::Break => {
                let seconds = asked.break_period.unwrap_or_default().min(60);
                let broken_at = now + SignedDuration::from_secs(seconds.into());
                held.broken_at = Some(held.broken_at.unwrap_or(broken_at).min(broken_at));
                return Ok(Answer::ok(&json!({"leaseTimeSeconds": seconds.to_string()})));
            }
        }
        Ok(Answer::ok(&json!({"leaseId": held.id})))
    }

    fn acquire(&mut self, asked: Body, now: Timestamp) -> Result<Answer, AzureError> {
        let state = self.state(now);
        let same = self
            .0
            .as_ref()
            .map(|held| Some(&held.id) == asked.proposed_lease_id.as_ref());
        if state.holds() && same != Some(true) {
            let message = "There is already a lease present.";
            return Err(AzureError::of_service(409, "LeaseAlreadyPresent", message));
        }
        let seconds = match asked.lease_duration.unwrap_or(-1) {
            -1 => None,
            seconds @ 15..=60 => u32::try_from(seconds).ok(),
            _ => return Err(AzureError::header()),
        };
        let id = asked
            .proposed_lease_id
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let answer = Answer::ok(&json!({"leaseId": id}));
        self.0 = Some(Held {
            id,
            seconds,
            since: now,
            broken_at: None,
            released: false,
        });
        Ok(answer)
    }

    /// A lease for ever, or none.
    pub(crate) fn held(held: bool, now: Timestamp) -> Self {
        Self(held.then(|| Held {
            id: uuid::Uuid::new_v4().to_string(),
            seconds: None,
            since: now,
            broken_at: None,
            released: false,
        }))
    }
}
