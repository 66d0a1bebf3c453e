//! The cloud's clock, by the `Date` that its answers bear.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Hears every answer of every service, and keeps the time of the latest. Clones are one listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    latest: Arc<Mutex<Option<(Timestamp, Instant)>>>,
}

impl Listener {
    fn told(&self, date: Timestamp, at: Instant) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, at));
    }

    /// What the latest answer bore, and the time that passed since.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<Timestamp> {
        let (date, at) = (*self.latest.lock().unwrap_or_else(PoisonError::into_inner))?;
        let passed = SignedDuration::try_from(now.saturating_duration_since(at)).ok()?;
        date.checked_add(passed).ok()
    }
}

impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "the cloud's clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        // What refuses may be a proxy, and its clock is not the cloud's.
        if answer.status().is_success()
            && let Some(date) = answer.headers().get("date").and_then(read)
        {
            self.told(date, Instant::now());
        }
        Ok(())
    }
}

/// `Sat, 21 Nov 2026 09:00:00 GMT`.
fn read(date: &str) -> Option<Timestamp> {
    rfc2822::parse(date).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_read_and_what_is_none_is_not() {
        assert_eq!(
            read("Sat, 21 Nov 2026 09:00:00 GMT").map(|date| date.to_string()),
            Some("2026-11-21T09:00:00Z".to_owned())
        );
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn time_goes_on_after_the_latest_answer() {
        let (clock, start) = (Listener::default(), Instant::now());
        assert_eq!(clock.at(start), None);
        clock.told(Timestamp::UNIX_EPOCH, start);
        let later = start + Duration::from_secs(90);
        assert_eq!(clock.at(later), Timestamp::from_second(90).ok());
        // The cloud's clock was put back, or the sandbox's was moved: the latest answer counts.
        clock.told(Timestamp::UNIX_EPOCH, later);
        assert_eq!(clock.clone().at(later), Some(Timestamp::UNIX_EPOCH));
    }
}
